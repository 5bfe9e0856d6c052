package stage

import (
	"fmt"
	"slices"

	"github.com/pion/rtp"
)

// Sink takes the packets of a slot. Deliver is called with the slot's lock
// held, one call at a time for each slot: it must be quick, must not block,
// must not call the stage and must not keep the payload. The header is the
// sink's own copy, without SSRC and extensions; its payload type is the Codec.
//
// Nothing may queue behind a Sink that sends to people: the withdrawal of the
// word is exact only because Deliver has sent the packet when it returns.
type Sink interface {
	Deliver(header rtp.Header, payload []byte)
}

// SinkFunc makes a function a Sink.
type SinkFunc func(header rtp.Header, payload []byte)

// Deliver calls f.
func (f SinkFunc) Deliver(header rtp.Header, payload []byte) { f(header, payload) }

// Subscribe hands the slot's packets to sink until unsubscribe is called; when
// unsubscribe returns, Deliver runs no more. person is who listens, "" for a
// machine: a person is never sent their own sound. A video source is asked for
// a key frame. A subscriber to Programme gets a numbering of its own.
func (s *Stage) Subscribe(person string, id SlotID, sink Sink) (unsubscribe func(), err error) {
	s.mu.Lock()
	sl, err := s.lookup(id)
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	if id == Programme {
		sl = newSlot(Programme, s.now)
		s.private[sl] = person
	}
	sub := &subscriber{person: person, sink: sink}
	sl.mu.Lock()
	sl.subs = append(sl.subs, sub)
	sl.mu.Unlock()
	ask := s.settle()
	s.mu.Unlock()
	ask()
	s.askFor(sl)
	return func() { s.unsubscribe(sl, sub) }, nil
}

func (s *Stage) unsubscribe(sl *slot, sub *subscriber) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sl.mu.Lock()
	sl.subs = slices.DeleteFunc(sl.subs, func(other *subscriber) bool { return other == sub })
	sl.mu.Unlock()
	if _, ok := s.private[sl]; ok {
		delete(s.private, sl)
		s.settle() // nothing new is aimed, so nobody has to be asked
	}
}

// Resend hands packets the slot has sent before to sink once more, under the
// slot's lock, and returns how many. Packets of a member who does not have the
// word any more are not there. Sound slots keep nothing.
func (s *Stage) Resend(id SlotID, seqs []uint16, sink Sink) int {
	sl, err := s.lookup(id)
	if err != nil || sl.ring == nil {
		return 0
	}
	sl.mu.Lock()
	defer sl.mu.Unlock()
	n := 0
	for _, seq := range seqs {
		if c := sl.ring.get(seq); c != nil {
			sink.Deliver(c.header, c.payload)
			n++
		}
	}
	sl.stats.Resent += uint64(n)
	return n
}

// RequestKey passes a viewer's wish for a key frame to the slot's source: at
// most one in 300 ms for a slot, one that comes too early is put off, not lost.
func (s *Stage) RequestKey(id SlotID) {
	if sl, err := s.lookup(id); err == nil {
		s.askFor(sl)
	}
}

func (s *Stage) askFor(sl *slot) {
	if src := sl.wish(); src != nil {
		src.requestKey()
	}
}

// lookup finds a shared slot. The list of them never changes.
func (s *Stage) lookup(id SlotID) (*slot, error) {
	if id < 0 || int(id) >= len(s.slots) {
		return nil, fmt.Errorf("there is no slot %v", id)
	}
	return s.slots[id], nil
}

// SlotStats are the counters of one slot since the start, in packets.
type SlotStats struct {
	Slot        SlotID
	Source      string // id of the source that stands in it, "" = none
	Next        string // id of the source whose key frame is awaited
	Codec       string // of what stands in it, "VP8", "H264" or "opus"; "" = nothing
	Subscribers int
	Switches    uint64 // changes of the source
	Forwarded   uint64 // packets taken from sources
	Sent        uint64 // packets handed to subscribers
	Resent      uint64 // packets handed out again
	Skipped     uint64 // packets with padding only, or of an unknown codec, whose numbers were closed up
	Late        uint64 // packets that came too late or twice
}

// Stats returns the counters of all shared slots in the order of their ids.
func (s *Stage) Stats() []SlotStats {
	out := make([]SlotStats, 0, len(s.slots))
	for _, sl := range s.slots {
		if sl.id != Programme {
			out = append(out, sl.snapshot())
		}
	}
	return out
}

func (sl *slot) snapshot() SlotStats {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	st := sl.stats
	st.Slot, st.Subscribers = sl.id, len(sl.subs)
	switch {
	case sl.cur == nil:
	case sl.halted:
		st.Next = sl.cur.id
	default:
		st.Source, st.Codec = sl.cur.id, sl.codec.String()
	}
	if sl.next != nil {
		st.Next = sl.next.id
	}
	return st
}
