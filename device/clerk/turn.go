package clerk

import (
	"encoding/json"
	"fmt"
	"time"

	"plenum/device/journal"
	"plenum/device/sitting"
)

// round is what was decided on a batch of requests.
type round struct {
	entries []Entry
	records []journal.Record
}

// turn decides on a batch, journals it, and then lets the world know. Refusals wait for the commit as well: they may
// rest on a decision of the same batch.
func (c *Clerk) turn(batch []request) {
	var t round
	answers := make([]answer, len(batch))
	for i, r := range batch {
		answers[i] = c.decide(&t, r)
	}
	if len(t.records) > 0 {
		c.store(t.records)
		// Whoever carries an effect out may look whether it was overtaken, so the state stands first.
		c.publish()
		for i := range t.entries {
			e := &t.entries[i]
			e.Recorded = c.recorded
			if len(e.Effects) > 0 {
				c.opts.Effects(e.Seq, e.Effects)
			}
		}
		c.board.tell(t.entries)
	}
	for i, r := range batch {
		if answers[i].err == nil {
			answers[i].receipt.Recorded = c.recorded
		}
		r.answer <- answers[i]
	}
}

// decide answers one request, changing the state when it is accepted.
func (c *Clerk) decide(t *round, r request) answer {
	if err := r.ctx.Err(); err != nil {
		return answer{err: err} // nobody waits for it any more
	}
	if r.ping {
		return answer{}
	}
	if r.key != "" {
		if seq, same, known := c.keys.find(r.key, r.digest); known && !same {
			return answer{err: ErrKeyReused}
		} else if known {
			return answer{receipt: Receipt{Seq: seq, Repeated: true}}
		}
	}
	if r.event.Kind == sitting.KindOpen && c.state.Phase == sitting.PhaseClosed {
		if err := c.begin(t, r.event); err != nil {
			return answer{err: err}
		}
	}
	next, es, err := sitting.Apply(c.state, r.event)
	if err != nil {
		return answer{err: err}
	}
	if err := c.accept(t, r.key, r.event, r.raw, es); err != nil {
		return answer{err: err}
	}
	c.state = next
	if r.key != "" {
		c.keys.put(r.key, r.digest, c.seq)
	}
	return answer{receipt: Receipt{Seq: c.seq}}
}

// accept makes the record of a decision.
func (c *Clerk) accept(t *round, key string, e sitting.Event, raw []byte, es []sitting.Effect) error {
	effects, err := encode(es)
	if err != nil {
		return err
	}
	c.seq++
	c.last = e.At
	t.records = append(t.records, journal.Record{
		Seq: c.seq, Sitting: c.sitting, Body: e.Body, At: e.At, Key: key, Rules: sitting.RulesVersion, Event: raw, Effects: effects,
	})
	t.entries = append(t.entries, Entry{Seq: c.seq, At: e.At, Event: e, Effects: es})
	return nil
}

// encode gives effects their journaled form.
func encode(es []sitting.Effect) ([]byte, error) {
	if es == nil {
		es = []sitting.Effect{}
	}
	raw, err := json.Marshal(es)
	if err != nil {
		return nil, fmt.Errorf("encoding effects: %w", err)
	}
	return raw, nil
}

// begin starts a new sitting from the closed one, to be opened by open.
func (c *Clerk) begin(t *round, open sitting.Event) error {
	if _, _, err := sitting.Apply(c.state, open); err != nil {
		return err // who may not open does not begin either
	}
	state, seq, last, kept := c.state, c.seq, c.last, *t
	c.state = sitting.New()
	c.sitting++
	for _, e := range carried(state, open.At) {
		if err := c.carry(t, e); err != nil {
			c.state, c.seq, c.last, *t = state, seq, last, kept
			c.sitting--
			return fmt.Errorf("taking over %s: %w", e.Kind, err)
		}
	}
	return nil
}

// carry applies one event of the box's own.
func (c *Clerk) carry(t *round, e sitting.Event) error {
	e, raw, err := c.canonical(e)
	if err != nil {
		return err
	}
	next, es, err := sitting.Apply(c.state, e)
	if err != nil {
		return err
	}
	if err := c.accept(t, "", e, raw, es); err != nil {
		return err
	}
	c.state = next
	return nil
}

// carried lists the events that tell a new sitting what goes on from the old one. There is never an alarm among it:
// nothing opens while one stands.
func carried(s sitting.State, at time.Time) []sitting.Event {
	box := sitting.Actor{Role: sitting.RoleBox}
	roster := sitting.Event{Kind: sitting.KindRoster, At: at, By: box, Body: s.Body, Mode: s.Mode, Limit: s.Limit, MaxLimit: s.MaxLimit}
	events := []sitting.Event{roster}
	for _, d := range s.Desks {
		events = append(events, sitting.Event{Kind: sitting.KindDesk, At: at, By: box, Desk: &d})
	}
	for _, p := range s.Roster {
		events[0].Roster = append(events[0].Roster, p.Member)
		if p.SeatOnline {
			events = append(events, sitting.Event{Kind: sitting.KindSeat, At: at, By: box, Seat: p.Seat, On: true})
		}
		if p.Leg != (sitting.Leg{}) {
			events = append(events, sitting.Event{Kind: sitting.KindLeg, At: at, By: box, Person: p.ID, Leg: &p.Leg})
		}
	}
	if len(s.Items) > 0 {
		events = append(events, sitting.Event{Kind: sitting.KindItems, At: at, By: box, Items: s.Items})
	}
	for _, f := range s.Faults {
		if !f.On { // it may be open still
			events = append(events, sitting.Event{Kind: sitting.KindMicFail, At: at, By: box, Seat: f.Seat, Reason: f.Reason})
		}
	}
	return events
}

// store puts records on the disk, or, when that takes too long, leaves them to the writer. Afterwards c.recorded tells
// which.
func (c *Clerk) store(records []journal.Record) {
	if !c.recorded {
		c.writer.addLate(records)
		return
	}
	c.writer.add(records)
	patience := time.NewTimer(c.opts.Patience)
	defer patience.Stop()
	for {
		select {
		case <-c.writer.clean:
			if c.writer.isClean() {
				return
			}
		case <-patience.C:
			if reason, late := c.writer.giveUp(); late {
				c.recorded = false
				c.log.Error("the sitting is not being recorded", "from", records[0].Seq, "reason", reason)
			}
			return
		}
	}
}
