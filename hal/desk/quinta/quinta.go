// Package quinta drives beyerdynamic Quinta wireless microphone units through their control unit, over RS-232 (57600 bit/s
// 8N1, crossover cable), its USB serial port or Telnet.
//
// Source: "Quinta control protocol for 3rd party system control", edition 3.0. The control unit must stand in
// PC-controlled mode, which is set at the unit: there the host grants. No command is known that sets or asks this mode, so
// the driver verifies it by what the unit does at each press and reports LinkStandalone when the unit grants by itself.
//
// A press reaches us up to eight times and is reported once. The chair's priority key is reported as PriorityClear when
// pressed briefly, and as PriorityToggle when pressed for long (once to hold, once more to release). The chair's Clear
// key is PriorityClear. The chair's speak key is a request like any other.
package quinta

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"plenum/hal/desk"
	"plenum/hal/port"
)

const (
	promptTimeout = 5 * time.Second        // without a prompt nothing may be sent before this (chapter 1.3)
	allocGrace    = 250 * time.Millisecond // the prompt may be faster than the unit's radio
	eventQueue    = 1024                   // events waiting for a slow reader
	maxOpen       = 4                      // audio streams of a control unit
)

// Errors of Run, beside those of package port.
var (
	// ErrRunning: Run was called while another Run of the same driver goes on.
	ErrRunning = errors.New("the desk driver is running already")
	// ErrSilent: the unit does not answer. What to look at follows in the text.
	ErrSilent = errors.New("the desk unit does not answer")
	// ErrLocked: the unit answers but gives no data. A system password is set, or another port is in use.
	ErrLocked = errors.New("the desk unit keeps this port locked: take its system password off, close other control programs")
)

// Options say which unit to drive. Name and Port are required.
type Options struct {
	Name string       // of the desk system, for the log
	Port string       // path of the serial line, usb:SERIAL, or tcp://host:23
	Log  *slog.Logger // nil: no log

	// LeaveOpen leaves the microphones as they are when Run's context ends: each closes at its own key. Else they close.
	LeaveOpen bool

	// Line are other line settings than the dialect's, for a converter that needs them; zero: Settings().
	Line port.Settings

	// Open opens the line; nil: port.Open with Port and Line.
	Open func(ctx context.Context) (port.Port, error)
}

// Settings are the line settings of the dialect.
func Settings() port.Settings { return port.Settings{Baud: 57600} }

// Stats counts what went by and what went wrong since New.
type Stats struct {
	DecoderStats
	Unknown        uint64 // lines nobody has described
	Suspect        uint64 // allocations of units nobody has heard of
	PromptTimeouts uint64 // commands the unit left without a prompt for 5 s
	DroppedEvents  uint64 // events the reader was too slow for; their Seq is missing
	Logins         uint64
}

// Driver is one Quinta control unit. It implements desk.Driver.
type Driver struct {
	opt     Options
	log     *slog.Logger
	events  chan desk.Event
	orders  *queue
	running atomic.Bool

	mu    sync.Mutex // guards what follows; never held over input or output
	state *mapper
	seq   uint64
	link  desk.Link
	text  string
	stats Stats
}

var _ desk.Driver = (*Driver)(nil)

// New makes a driver. It opens nothing; Run does.
func New(opt Options) *Driver {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	opt.Line = cmp.Or(opt.Line, Settings())
	if opt.Open == nil {
		opt.Open = func(ctx context.Context) (port.Port, error) { return port.Open(ctx, opt.Port, opt.Line) }
	}
	return &Driver{
		opt: opt, log: opt.Log.With("desk", opt.Name), events: make(chan desk.Event, eventQueue),
		orders: newQueue(), state: newMapper(), link: desk.LinkDown,
	}
}

// Caps tells what the dialect can do. Only the open microphones can be asked for (S 0), not the requests.
func (d *Driver) Caps() desk.Caps {
	return desk.Caps{Dialect: "quinta", Authority: desk.HostGrants, MaxOpen: maxOpen, Timeout: promptTimeout}
}

// Events gives the events, in order. The channel stays open over all Runs.
func (d *Driver) Events() <-chan desk.Event { return d.events }

// Stats gives the counters.
func (d *Driver) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.stats
	s.Suspect = d.state.suspect
	return s
}

// Run opens the line, logs in, closes all microphones and serves until ctx ends (then they close, see
// Options.LeaveOpen, and the error is ctx.Err()) or the line breaks. Microphones are closed because nobody can say who opened them while the line was away; whoever has the
// word is to be opened again when the link is live.
func (d *Driver) Run(ctx context.Context) error {
	if d.running.Swap(true) {
		return ErrRunning
	}
	defer d.running.Store(false)
	d.orders.fail("it was ordered before the desk was lost") // nobody waits for these any more
	d.setLink(desk.LinkConnecting, "")
	line, err := d.opt.Open(ctx)
	if err != nil {
		d.setLink(desk.LinkDown, err.Error())
		return err
	}
	err = newSession(d, line).serve(ctx)
	d.setLink(desk.LinkDown, err.Error())
	d.orders.fail("the line to the desk broke before the order was sent")
	return err
}

// Snapshot asks the unit for its open microphones and gives what is known of all positions, with the link's state.
// Requests and presence are what was last heard; the unit cannot be asked for them. Without a link the snapshot is the
// last one known and carries no error; when the unit does not answer it comes with one.
func (d *Driver) Snapshot(ctx context.Context) (desk.Snapshot, error) {
	var err error
	if d.linkUp() {
		if r := d.orders.do(ctx, order{what: orderCompare}); r.Outcome != desk.Confirmed {
			err = fmt.Errorf("snapshot of the desk: %s", r.Reason)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return desk.Snapshot{At: time.Now(), Link: d.link, Seats: d.state.seats()}, err
}

// SetMic opens or closes a microphone. Opening one that is open already is confirmed by the unit's list of streams.
func (d *Driver) SetMic(ctx context.Context, key desk.Key, on bool) desk.Result {
	return d.order(ctx, order{what: orderMic, key: key, on: on})
}

// SetRequest takes a request back at the unit. Putting one up is refused: the dialect has no command for it.
func (d *Driver) SetRequest(ctx context.Context, key desk.Key, on bool) desk.Result {
	if on {
		return refused("this desk cannot be told to show a request")
	}
	return d.order(ctx, order{what: orderDropRequest, key: key})
}

// AllOff closes all microphones, the chair's too. It goes ahead of all waiting orders, and those that would open a
// microphone are refused.
func (d *Driver) AllOff(ctx context.Context) desk.Result {
	return d.order(ctx, order{what: orderAllOff})
}

func (d *Driver) order(ctx context.Context, o order) desk.Result {
	if o.what != orderAllOff {
		n, key, ok := parseKey(o.key)
		if !ok {
			return refused(fmt.Sprintf("%q is no Quinta unit: six hex digits, and L or R for a double one", o.key))
		}
		o.unit, o.key = n, key
	}
	if !d.linkUp() {
		return refused("no connection to the desk")
	}
	return d.orders.do(ctx, o)
}

func refused(why string) desk.Result { return desk.Result{Outcome: desk.Refused, Reason: why} }
func unknown(why string) desk.Result { return desk.Result{Outcome: desk.Unknown, Reason: why} }

// linkUp tells whether orders can be sent.
func (d *Driver) linkUp() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.link == desk.LinkLive || d.link == desk.LinkDegraded || d.link == desk.LinkStandalone
}

// setLink reports a change of the link.
func (d *Driver) setLink(link desk.Link, text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.link == link && d.text == text {
		return
	}
	d.link, d.text = link, text
	d.log.Debug("desk link", "link", link, "text", text)
	d.send(desk.Event{Kind: desk.KindLink, Link: link, Text: text, Origin: desk.OriginOther, At: time.Now()})
}

// publish changes the state under the lock and sends what events that makes.
func (d *Driver) publish(change func(*mapper) []desk.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range change(d.state) {
		d.send(e)
	}
}

// send numbers an event and queues it. A full queue drops it; the missing number tells the reader.
func (d *Driver) send(e desk.Event) {
	d.seq++
	e.Seq, e.Origin = d.seq, cmp.Or(e.Origin, desk.OriginOther)
	select {
	case d.events <- e:
	default:
		d.stats.DroppedEvents++
	}
}

// known reads the state under the lock.
func known[T any](d *Driver, read func(*mapper) T) T {
	d.mu.Lock()
	defer d.mu.Unlock()
	return read(d.state)
}
