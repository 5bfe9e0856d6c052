package clerk

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"plenum/device/sitting"
)

// request is one caller waiting at the clerk's desk.
type request struct {
	ctx    context.Context //nolint:containedctx // to see whether the caller has gone
	key    string
	digest digest // of the event, for the key
	event  sitting.Event
	raw    []byte // the event as it will be journaled
	ping   bool   // asks for nothing
	answer chan answer
}

type answer struct {
	receipt Receipt
	err     error
}

// digest identifies the content of a command, without its time.
type digest [sha256.Size]byte

// Do gives an event to the sitting and returns when it was decided and is on the disk, or the sitting goes on without
// the disk (Receipt.Recorded is false then). A time of zero is stamped with the time of the call.
//
// key makes a command safe to repeat: the same key with the same event (its time aside) gets the first receipt again
// and changes nothing, over a restart too, as long as it is among the last KeysKept. Empty: no such care. Keys are
// common to all callers: put the person's name in front.
//
// Opening after the last sitting was closed starts a new one, with a number of its own: people, rules and what is known
// of desks, connections and devices go over into it as its first events.
//
// Errors: those of package sitting when the rules refuse it; ErrBusy when too much waits (for people's commands only:
// what the box itself reports waits for its turn); ErrKeyReused, ErrKeyTooLong, ErrStopped; or ctx's error, and then
// it is not known whether the event was taken.
func (c *Clerk) Do(ctx context.Context, key string, e sitting.Event) (Receipt, error) {
	if len(key) > MaxKey {
		return Receipt{}, fmt.Errorf("%w: %d bytes, at most %d", ErrKeyTooLong, len(key), MaxKey)
	}
	r := request{ctx: ctx, key: key}
	var err error
	if r.event, r.raw, err = c.canonical(e); err != nil {
		return Receipt{}, err
	}
	if key != "" {
		if r.digest, err = digestOf(r.event); err != nil {
			return Receipt{}, err
		}
	}
	return c.ask(ctx, r)
}

// Ping returns when the clerk has taken a turn: whoever watches over the house learns that it does not hang. Errors:
// ErrStopped, or ctx's.
func (c *Clerk) Ping(ctx context.Context) error {
	_, err := c.ask(ctx, request{ctx: ctx, ping: true, event: sitting.Event{By: sitting.Actor{Role: sitting.RoleBox}}})
	return err
}

// canonical stamps the event and gives it the form in which replay will see it: whatever JSON does not carry over
// must not take part in the decision either. It also parts the event from the caller's memory.
func (c *Clerk) canonical(e sitting.Event) (sitting.Event, []byte, error) {
	if e.At.IsZero() {
		e.At = c.opts.Now()
	}
	e.At = e.At.UTC()
	raw, err := json.Marshal(e)
	if err != nil {
		return e, nil, fmt.Errorf("%w: %w", sitting.ErrInvalid, err)
	}
	var same sitting.Event
	if err := json.Unmarshal(raw, &same); err != nil {
		return e, nil, fmt.Errorf("%w: %w", sitting.ErrInvalid, err)
	}
	return same, raw, nil
}

// digestOf hashes an event without its time: a command that is sent again comes later.
func digestOf(e sitting.Event) (digest, error) {
	e.At = time.Time{}
	raw, err := json.Marshal(e)
	if err != nil {
		return digest{}, fmt.Errorf("%w: %w", sitting.ErrInvalid, err)
	}
	return sha256.Sum256(raw), nil
}

// ask puts a request into the inbox and waits for its answer.
func (c *Clerk) ask(ctx context.Context, r request) (Receipt, error) {
	r.answer = make(chan answer, 1)
	if err := c.enqueue(ctx, r); err != nil {
		return Receipt{}, err
	}
	select {
	case a := <-r.answer:
		return a.receipt, a.err
	case <-ctx.Done():
		return Receipt{}, ctx.Err()
	case <-c.done:
		// The last turn may have answered just before the end.
		select {
		case a := <-r.answer:
			return a.receipt, a.err
		default:
			return Receipt{}, ErrStopped
		}
	}
}

func (c *Clerk) enqueue(ctx context.Context, r request) error {
	select {
	case <-c.done:
		return ErrStopped
	case c.inbox <- r:
		return nil
	default:
	}
	if r.event.By.Role != sitting.RoleBox {
		return ErrBusy
	}
	// A desk does not press its key again because we were busy.
	select {
	case c.inbox <- r:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-c.done:
		return ErrStopped
	}
}
