// Package clerk owns the state of the sitting. One goroutine takes an event, lets package sitting decide, puts the
// decision on the disk, and only then hands the effects out, publishes the new state and answers. Nobody else holds a
// lock on a sitting.
//
// Opening a microphone does not wait for a slow disk: when the journal does not answer in time, the sitting goes on
// marked as not being recorded, and what was decided meanwhile is written, in order, when the disk is back.
package clerk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"plenum/device/journal"
	"plenum/device/sitting"
)

// Reasons of the clerk's own why an event is not taken. A refusal by the rules is one of package sitting's errors.
var (
	// ErrBusy: too many commands are waiting.
	ErrBusy = errors.New("too many commands are waiting, try again")
	// ErrKeyReused: the idempotency key belongs to another command.
	ErrKeyReused = errors.New("this idempotency key was used for another command")
	// ErrKeyTooLong: the idempotency key has more than MaxKey bytes.
	ErrKeyTooLong = errors.New("the idempotency key is too long")
	// ErrStopped: the clerk does not run any more.
	ErrStopped = errors.New("the sitting's clerk has stopped")
	// ErrUnrecorded: the clerk ended with decisions that could not be written to the disk.
	ErrUnrecorded = errors.New("decisions of the sitting are not on the disk")
)

const (
	// MaxKey is the length of an idempotency key in bytes.
	MaxKey = 128
	// KeysKept is how many of the last keys are remembered.
	KeysKept = 4096
)

// Journal is what the clerk needs of package journal.
type Journal interface {
	Head(ctx context.Context) (last, sitting, first uint64, err error)
	ReplayFrom(ctx context.Context, seq uint64, fn func(journal.Record) error) error
	Append(ctx context.Context, records []journal.Record) error
	Note(ctx context.Context, g journal.Gap) error
}

// Options say what the clerk works with. Only Journal is needed.
type Options struct {
	Journal Journal
	// Effects gets what follows from an event, in the order of the events, when it may be carried out. It is called
	// in the clerk's goroutine: it must not block, nor call the clerk. At the start of Run it gets all that the restored state wants.
	Effects  func(seq uint64, es []sitting.Effect)
	Now      func() time.Time // stamps events that carry no time; default time.Now
	Log      *slog.Logger     // default: nothing is logged
	Patience time.Duration    // how long a decision waits for the disk; default 250 ms
	Flush    time.Duration    // how long Run waits for the disk at its end; default 5 s
	Inbox    int              // events that may wait; default 256
	Batch    int              // events of one commit; default 128
	Backlog  int              // records kept in memory while the disk fails; default 10000
}

func (o Options) withDefaults() Options {
	if o.Effects == nil {
		o.Effects = func(uint64, []sitting.Effect) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	set := func(v *int, or int) {
		if *v <= 0 {
			*v = or
		}
	}
	if o.Patience <= 0 {
		o.Patience = 250 * time.Millisecond
	}
	if o.Flush <= 0 {
		o.Flush = 5 * time.Second
	}
	set(&o.Inbox, 256)
	set(&o.Batch, 128)
	set(&o.Backlog, 10_000)
	return o
}

// Receipt tells that an event was accepted.
type Receipt struct {
	Seq      uint64 `json:"seq"`      // its number in the journal
	Repeated bool   `json:"repeated"` // the same command was accepted before; this is the receipt of then
	Recorded bool   `json:"recorded"` // it is on the disk
}

// Clerk keeps one sitting.
type Clerk struct {
	opts   Options
	log    *slog.Logger
	inbox  chan request
	done   chan struct{} // closed when Run has ended
	board  *board
	writer *writer
	replay Replayed

	// Owned by New, then by Run's goroutine.
	state    sitting.State
	seq      uint64 // the last record's number
	sitting  uint64 // number of the sitting
	last     time.Time
	recorded bool
	keys     *keys
}

// New restores the sitting from the journal. Errors are the journal's: journal.ErrChain, journal.ErrNewer,
// journal.ErrCorrupt.
func New(o Options) (*Clerk, error) {
	o = o.withDefaults()
	c := &Clerk{
		opts: o, log: o.Log, recorded: true,
		inbox: make(chan request, o.Inbox), done: make(chan struct{}),
		board: newBoard(), writer: newWriter(o), keys: newKeys(KeysKept),
	}
	if err := c.restore(context.Background()); err != nil {
		return nil, fmt.Errorf("restoring the sitting: %w", err)
	}
	c.publish()
	return c, nil
}

// Run takes events until ctx ends, then waits for the disk and returns nil, or ErrUnrecorded when it did not come.
// It is called once.
func (c *Clerk) Run(ctx context.Context) error {
	defer c.board.close()
	defer close(c.done)
	writing, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	go c.writer.run(writing)
	if es := sitting.Outputs(c.state); len(es) > 0 {
		c.opts.Effects(c.seq, es)
	}
	for {
		select {
		case <-ctx.Done():
			return c.flush(abandon)
		case r := <-c.inbox:
			c.turn(c.collect(r))
		case <-c.writer.clean:
			c.resume()
		}
	}
}

// flush ends the writer, giving it the time it has.
func (c *Clerk) flush(abandon func()) error {
	close(c.writer.quit)
	patience := time.NewTimer(c.opts.Flush)
	defer patience.Stop()
	select {
	case <-c.writer.done:
	case <-patience.C:
		abandon()
		// Not waited for without end: a write that hangs in the kernel cannot be called back.
		patience.Reset(time.Second)
		select {
		case <-c.writer.done:
		case <-patience.C:
		}
	}
	if n, lost := c.writer.left(); n > 0 || lost > 0 {
		return fmt.Errorf("%w: %d not written, %d not kept", ErrUnrecorded, n, lost)
	}
	return nil
}

// collect takes what else is waiting, so that one commit serves all.
func (c *Clerk) collect(first request) []request {
	batch := []request{first}
	for len(batch) < c.opts.Batch {
		select {
		case r := <-c.inbox:
			batch = append(batch, r)
		default:
			return batch
		}
	}
	return batch
}

// resume ends a time without recording when all is on the disk again.
func (c *Clerk) resume() {
	if c.recorded || !c.writer.isClean() {
		return
	}
	c.recorded = true
	c.log.Warn("the sitting is being recorded again", "seq", c.seq)
	c.publish()
}
