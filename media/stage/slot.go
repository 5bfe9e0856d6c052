package stage

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/pion/rtp"
)

const (
	keyInterval = 300 * time.Millisecond // least time between two requests for viewers
	keyPatience = 500 * time.Millisecond // a switch asks again after this time without a key frame
)

type subscriber struct {
	person string
	sink   Sink
	behind uint16 // numbers closed up because the packets were the person's own voice
}

// slot is one continuous outgoing stream. mu is the gate: it is held over the
// check of the source and the whole fan-out.
type slot struct {
	id   SlotID
	kind Kind
	now  func() time.Time

	mu        sync.Mutex
	cur, next *Source // next waits for its key frame
	halted    bool    // so does cur, which has changed its codec or its numbers
	lead      lead    // of the one that waits
	codec     Codec   // of what was sent last, 0 = nothing yet
	subs      []*subscriber
	ring      *ring // video only
	numbers   numbers
	picture   picture // VP8

	lastTS uint32    // newest timestamp sent
	lastAt time.Time // when it was sent
	tsOff  uint32

	keyAsked  time.Time // when a key frame was last asked for
	keyWanted bool      // a viewer asked too early; ask when the time has come
	scratch   []byte
	stats     SlotStats
}

func newSlot(id SlotID, now func() time.Time) *slot {
	sl := &slot{id: id, kind: id.Kind(), now: now, lastTS: rand.Uint32(), lastAt: now()}
	sl.numbers.last = int64(rand.Uint32N(1 << 15))
	if sl.kind == Video {
		sl.ring = &ring{}
	}
	return sl
}

// aim makes src the slot's source from its next key frame (sound: its next
// packet) on; nil means that nothing new is to come and what stands there stays.
// It reports whether a key frame must be asked for.
func (sl *slot) aim(src *Source) bool {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	if src == nil || sl.cur == src {
		sl.next = nil
		return false
	}
	if sl.next == src {
		return false
	}
	sl.next, sl.lead = src, sl.lead[:0]
	sl.keyAsked = sl.now()
	return sl.kind == Video
}

// remove takes the sources for which gone is true out of the slot. Packets
// already sent stay in the ring. sl.mu is held.
func (sl *slot) remove(gone func(*Source) bool) {
	if sl.cur != nil && gone(sl.cur) {
		sl.cur, sl.halted, sl.lead = nil, false, sl.lead[:0]
	}
	if sl.next != nil && gone(sl.next) {
		sl.next, sl.lead = nil, sl.lead[:0]
	}
}

// drop takes src out of the slot.
func (sl *slot) drop(src *Source) {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	sl.remove(func(s *Source) bool { return s == src })
}

// expel takes everything of a person out of the slot, the ring included.
func (sl *slot) expel(person string) {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	sl.remove(func(s *Source) bool { return s.person == person })
	if sl.ring != nil {
		sl.ring.forget(person)
	}
}

// shut takes everything out of the slot, what might be sent again included.
func (sl *slot) shut() {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	sl.remove(func(*Source) bool { return true })
	if sl.ring != nil {
		sl.ring.clear()
	}
}

func (sl *slot) empty() {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	sl.remove(func(*Source) bool { return true })
}

func (sl *slot) holders() []*Source {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	return slices.DeleteFunc([]*Source{sl.cur, sl.next}, func(s *Source) bool { return s == nil })
}

// forward sends one packet of src to the subscribers if src stands in the slot.
// It reports whether src must be asked for a key frame.
func (sl *slot) forward(src *Source, p *rtp.Packet) (ask bool) {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	if src != sl.cur && src != sl.next {
		return false
	}
	now, c := sl.now(), describe(sl.kind, p)
	if src == sl.cur && !sl.halted && !c.junk && c.codec != sl.codec {
		if !sl.numbers.ahead(p.SequenceNumber) { // from before the change
			sl.stats.Late++
			return false
		}
		ask = sl.halt(now)
	}
	if src == sl.next || sl.halted {
		if !sl.enter(src, p, c, now) {
			return sl.nudge(now) || ask
		}
	}
	return sl.pass(src, p, c, now)
}

// halt has the slot's source begin anew at its next key frame: it has started
// another codec or other numbers. It reports whether to ask for one.
func (sl *slot) halt(now time.Time) bool {
	sl.halted, sl.lead = true, sl.lead[:0]
	sl.keyAsked = now
	return sl.kind == Video
}

// enter puts a source that waits into the slot if it can begin with this packet.
func (sl *slot) enter(src *Source, p *rtp.Packet, c content, now time.Time) bool {
	switch {
	case c.codec == H264:
		if !sl.lead.take(src, p, c) {
			return false
		}
	case c.junk, sl.kind == Video && !c.key:
		return false
	default:
		sl.lead = sl.lead[:0] // what came in H.264 before is of no use
	}
	if src == sl.next {
		sl.cur, sl.next = src, nil
	}
	sl.halted = false
	first := p
	if len(sl.lead) > 0 {
		first = &sl.lead[0].packet
	}
	sl.begin(first, c, now)
	for i := range sl.lead {
		sl.pass(src, &sl.lead[i].packet, sl.lead[i].content, now)
	}
	sl.lead = sl.lead[:0]
	return true
}

// begin starts the mapping of a new source at its first packet.
func (sl *slot) begin(p *rtp.Packet, c content, now time.Time) {
	sl.numbers.begin(p.SequenceNumber)
	// From one sitting to the next the timestamp may go round, and by more than half: it is newer whatever it compares to.
	gap := uint32(int64(max(0, now.Sub(sl.lastAt)).Seconds() * float64(sl.kind.rate())))
	first := sl.lastTS + max(sl.kind.step(), gap)
	sl.tsOff = first - p.Timestamp
	sl.lastTS, sl.lastAt = first, now
	sl.picture.begin(c.vp8)
	sl.codec = c.codec
	sl.stats.Switches++
}

// pass gives a packet of the slot's source its number and sends it.
func (sl *slot) pass(src *Source, p *rtp.Packet, c content, now time.Time) (ask bool) {
	seq, verdict := sl.numbers.place(p.SequenceNumber, c.junk)
	switch verdict {
	case skip:
		sl.stats.Skipped++
	case late:
		sl.stats.Late++
	case resync:
		sl.stats.Late++
		return sl.halt(now)
	case send:
		sl.send(src, p, c, seq, now)
	}
	return sl.due(now, c.key)
}

func (sl *slot) send(src *Source, p *rtp.Packet, c content, seq uint16, now time.Time) {
	h := rtp.Header{
		Version: 2, Marker: p.Marker, PayloadType: uint8(sl.codec),
		SequenceNumber: seq, Timestamp: p.Timestamp + sl.tsOff,
	}
	if sl.kind == Audio && sl.numbers.first() {
		h.Marker = true
	}
	if int32(h.Timestamp-sl.lastTS) > 0 {
		sl.lastTS, sl.lastAt = h.Timestamp, now
	}
	payload := p.Payload
	switch {
	case c.junk: // fills a hole; whatever is in it, it is not of this codec
		payload = nil
	case c.codec == VP8:
		sl.scratch = sl.picture.rewrite(sl.scratch[:0], payload, c.vp8)
		payload = sl.scratch
	}
	if sl.ring != nil {
		sl.ring.keep(h, payload, src.person)
	}
	sl.stats.Forwarded++
	for _, sub := range sl.subs {
		if sl.kind == Audio && sub.person != "" && sub.person == src.person {
			// Nobody gets their own voice back. The numbers close up: a gap of more
			// than 2^15 (11 minutes of speech) would derail SRTP's rollover counter.
			sub.behind++
			continue
		}
		own := h
		own.SequenceNumber -= sub.behind
		sub.sink.Deliver(own, payload)
		sl.stats.Sent++
	}
}

// nudge asks again when the new source's key frame does not come.
func (sl *slot) nudge(now time.Time) bool {
	if sl.kind != Video || now.Sub(sl.keyAsked) < keyPatience {
		return false
	}
	sl.keyAsked = now
	return true
}

// due tells whether a viewer's wish for a key frame, put off by the rate limit,
// is to be passed on now. A key frame that has come meanwhile settles it.
func (sl *slot) due(now time.Time, key bool) bool {
	if key {
		sl.keyWanted = false
	}
	if !sl.keyWanted || now.Sub(sl.keyAsked) < keyInterval {
		return false
	}
	sl.keyWanted, sl.keyAsked = false, now
	return true
}

// wish records a viewer's wish for a key frame and returns the source to ask
// now, or nil when the rate limit puts it off.
func (sl *slot) wish() *Source {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	src, now := sl.cur, sl.now()
	if src == nil {
		src = sl.next
	}
	if src == nil || sl.kind != Video {
		return nil
	}
	if now.Sub(sl.keyAsked) < keyInterval {
		sl.keyWanted = true
		return nil
	}
	sl.keyWanted, sl.keyAsked = false, now
	return src
}
