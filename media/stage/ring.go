package stage

import "github.com/pion/rtp"

const ringSize = 512 // packets: about 2 s of a 1.5 Mbit/s picture; power of two

// ring keeps the packets a slot has sent, for viewers that missed some. There
// is one for each slot, not one for each viewer: it can be emptied in one step
// when a member is withdrawn, and costs a fraction of the memory.
type ring struct {
	cells [ringSize]cell
}

type cell struct {
	full    bool
	person  string
	header  rtp.Header
	payload []byte
}

func (r *ring) keep(h rtp.Header, payload []byte, person string) {
	c := &r.cells[h.SequenceNumber%ringSize]
	if c.full && int16(h.SequenceNumber-c.header.SequenceNumber) < 0 {
		return // a late packet must not push out a newer one
	}
	c.full, c.person, c.header = true, person, h
	c.payload = append(c.payload[:0], payload...)
}

func (r *ring) get(seq uint16) *cell {
	c := &r.cells[seq%ringSize]
	if !c.full || c.header.SequenceNumber != seq {
		return nil
	}
	return c
}

// clear empties every cell.
func (r *ring) clear() {
	for i := range r.cells {
		r.cells[i].full, r.cells[i].person = false, ""
	}
}

// forget empties every cell of the person, wherever the slot stands now.
func (r *ring) forget(person string) {
	for i := range r.cells {
		if c := &r.cells[i]; c.person == person {
			c.full, c.person = false, ""
		}
	}
}
