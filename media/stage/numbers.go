package stage

const (
	window     = 1024 // packets back that may still come late
	maxDropout = 3000 // a jump ahead by more than this starts a new mapping, RFC 3550 A.1
	maxStale   = 100  // so many packets in a row from far behind start a new mapping
	maxSkips   = 256  // closed-up numbers remembered for packets that come late
)

type verdict int

const (
	send   verdict = iota
	skip           // its number is closed up
	late           // older than the mapping, too late, or a duplicate
	resync         // the source has started new numbers
)

// numbers maps the sequence numbers of the slot's source to the slot's own.
// Every outgoing number is used for one packet only: with AES-GCM two packets
// under one number would share a nonce.
type numbers struct {
	last  int64 // highest number given out, not wrapped
	off   int64 // outgoing = incoming + off - numbers skipped before it
	base  int64 // first incoming number of this mapping, not wrapped
	top   int64 // highest incoming number seen
	fresh bool  // nothing sent in this mapping yet
	lead  bool  // the packet just placed is the mapping's first
	stale int

	skips   []int64 // incoming numbers closed up, ascending
	skipped int64   // older ones, no longer listed
	floor   int64   // packets below this come too late for the list
	seen    [window / 64]uint64
}

// begin starts a mapping: seq follows the last number given out.
func (n *numbers) begin(seq uint16) {
	in := int64(seq) + 1<<16
	*n = numbers{
		last: n.last, off: n.last + 1 - in, base: in, top: in - 1, floor: in, fresh: true,
		skips: n.skips[:0],
	}
}

// first reports whether the packet placed last was the first one sent of its mapping.
func (n *numbers) first() bool { return n.lead }

// ahead reports whether an incoming number is higher than all before it.
func (n *numbers) ahead(seq uint16) bool { return int16(seq-uint16(n.top)) > 0 }

// place gives an incoming number its outgoing one. Junk in order is closed up;
// junk that comes late fills the hole that was left for it.
func (n *numbers) place(seq uint16, junk bool) (uint16, verdict) {
	n.lead = false
	in := n.top + int64(int16(seq-uint16(n.top)))
	switch {
	case in > n.top+maxDropout, n.stale >= maxStale:
		return 0, resync
	case in < n.base:
		n.stale++
		return 0, late
	case in <= n.top-window:
		n.stale++
		return 0, late
	case in < n.floor:
		return 0, late
	}
	n.stale = 0
	ahead := in > n.top
	if ahead {
		n.advance(in)
	} else if n.has(in) {
		return 0, late
	}
	n.mark(in)
	if ahead && junk {
		n.close(in)
		return 0, skip
	}
	out := in + n.off - n.before(in)
	n.last = max(n.last, out)
	n.lead, n.fresh = n.fresh, false
	return uint16(out), send
}

// close notes that in has no outgoing number.
func (n *numbers) close(in int64) {
	if len(n.skips) == maxSkips {
		n.floor = n.skips[0] + 1
		n.skips = append(n.skips[:0], n.skips[1:]...)
		n.skipped++
	}
	n.skips = append(n.skips, in)
}

// before counts the numbers closed up before in.
func (n *numbers) before(in int64) int64 {
	i := len(n.skips)
	for i > 0 && n.skips[i-1] > in {
		i--
	}
	return n.skipped + int64(i)
}

// advance moves the window's end to in.
func (n *numbers) advance(in int64) {
	if in-n.top >= window {
		n.seen = [window / 64]uint64{}
	} else {
		for i := n.top + 1; i <= in; i++ {
			n.seen[i%window/64] &^= 1 << (i % 64)
		}
	}
	n.top = in
}

func (n *numbers) mark(in int64)     { n.seen[in%window/64] |= 1 << (in % 64) }
func (n *numbers) has(in int64) bool { return n.seen[in%window/64]&(1<<(in%64)) != 0 }
