package clerk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"plenum/device/journal"
	"plenum/device/sitting"
)

// ErrDeviates marks a record whose decision the rules of today would not repeat: the rules were changed without a new
// version.
var ErrDeviates = errors.New("the journaled decision differs from what the rules give now")

// deviationsLogged is how many deviations are logged one by one.
const deviationsLogged = 10

// Replayed tells what was read at the start.
type Replayed struct {
	Records    int           // records of this sitting
	Deviations int           // of these: decided differently than the rules of today would
	Took       time.Duration // for all
}

// Replayed tells what New read from the journal. With deviations the state may not be what the record says.
func (c *Clerk) Replayed() Replayed { return c.replay }

// restore folds the records of the last sitting, and takes up the keys of the last commands.
func (c *Clerk) restore(ctx context.Context) error {
	start := time.Now()
	last, number, first, err := c.opts.Journal.Head(ctx)
	if err != nil {
		return err
	}
	c.state, c.sitting = sitting.New(), max(number, 1)
	if last == 0 {
		return nil
	}
	from := min(first, last-min(last, KeysKept)+1)
	if err := c.opts.Journal.ReplayFrom(ctx, from, c.refold); err != nil {
		return err
	}
	if c.seq != last {
		return fmt.Errorf("%w: it grew while it was read", journal.ErrChain)
	}
	if c.replay.Deviations > 0 {
		c.log.Error(ErrDeviates.Error(), "records", c.replay.Deviations, "rules", sitting.RulesVersion)
	}
	c.replay.Took = time.Since(start)
	return nil
}

// refold takes one record.
func (c *Clerk) refold(r journal.Record) error {
	var e sitting.Event
	if err := json.Unmarshal(r.Event, &e); err != nil {
		return fmt.Errorf("%w: record %d holds no event: %w", journal.ErrCorrupt, r.Seq, err)
	}
	c.seq = r.Seq
	if r.Key != "" {
		d, err := digestOf(e)
		if err != nil {
			return err
		}
		c.keys.put(r.Key, d, r.Seq)
	}
	if r.Sitting != c.sitting {
		return nil
	}
	c.replay.Records++
	c.last = e.At
	if err := c.repeat(r, e); err != nil {
		if c.replay.Deviations++; c.replay.Deviations <= deviationsLogged {
			c.log.Error("replaying the journal", "seq", r.Seq, "kind", e.Kind, "err", err)
		}
	}
	return nil
}

// repeat decides again, by the rules of the record, and compares.
func (c *Clerk) repeat(r journal.Record, e sitting.Event) error {
	next, es, err := sitting.Repeat(c.state, e, r.Rules)
	if err != nil {
		return fmt.Errorf("%w: record %d is refused: %w", ErrDeviates, r.Seq, err)
	}
	c.state = next
	now, err := encode(es)
	if err != nil {
		return err
	}
	if !bytes.Equal(now, r.Effects) {
		return fmt.Errorf("%w: record %d had %s, now %s", ErrDeviates, r.Seq, r.Effects, now)
	}
	return nil
}
