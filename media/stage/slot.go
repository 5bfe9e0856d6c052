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
	subs      []*subscriber
	ring      *ring // video only
	numbers   numbers
	picture   picture

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
	sl.next = src
	sl.keyAsked = sl.now()
	return sl.kind == Video
}

// drop takes src out of the slot. Packets already sent stay in the ring.
func (sl *slot) drop(src *Source) {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	if sl.cur == src {
		sl.cur = nil
	}
	if sl.next == src {
		sl.next = nil
	}
}

// expel takes everything of a person out of the slot, the ring included.
func (sl *slot) expel(person string) {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	if sl.cur != nil && sl.cur.person == person {
		sl.cur = nil
	}
	if sl.next != nil && sl.next.person == person {
		sl.next = nil
	}
	if sl.ring != nil {
		sl.ring.forget(person)
	}
}

func (sl *slot) empty() {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	sl.cur, sl.next = nil, nil
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
	now := sl.now()
	desc, junk := sl.describe(p)
	if src == sl.next {
		if !sl.enter(desc, junk, now, p) {
			return sl.nudge(now)
		}
		sl.cur, sl.next = src, nil
	}
	seq, verdict := sl.numbers.place(p.SequenceNumber, junk)
	switch verdict {
	case skip:
		sl.stats.Skipped++
	case late:
		sl.stats.Late++
	case resync:
		sl.stats.Late++
		sl.cur, sl.next = nil, src
		sl.keyAsked = now
		return sl.kind == Video
	case send:
		sl.send(src, p, desc, seq, now)
	}
	return sl.due(now, desc)
}

// describe reads the payload's start. Junk is a packet without a picture or
// sound in it (padding to probe the line, or not VP8): its number is closed up.
func (sl *slot) describe(p *rtp.Packet) (desc descriptor, junk bool) {
	if len(p.Payload) == 0 {
		return desc, true
	}
	if sl.kind == Audio {
		return desc, false
	}
	desc, err := parseDescriptor(p.Payload)
	return desc, err != nil
}

// enter starts the mapping of a new source at its first usable packet.
func (sl *slot) enter(desc descriptor, junk bool, now time.Time, p *rtp.Packet) bool {
	if junk || (sl.kind == Video && !desc.key) {
		return false
	}
	sl.numbers.begin(p.SequenceNumber)
	gap := uint32(max(0, now.Sub(sl.lastAt)).Seconds() * float64(sl.kind.rate()))
	sl.tsOff = sl.lastTS + max(sl.kind.step(), gap) - p.Timestamp
	sl.picture.begin(desc)
	sl.stats.Switches++
	return true
}

func (sl *slot) send(src *Source, p *rtp.Packet, desc descriptor, seq uint16, now time.Time) {
	h := rtp.Header{
		Version: 2, Marker: p.Marker, SequenceNumber: seq, Timestamp: p.Timestamp + sl.tsOff,
	}
	if sl.kind == Audio && sl.numbers.first() {
		h.Marker = true
	}
	if int32(h.Timestamp-sl.lastTS) > 0 {
		sl.lastTS, sl.lastAt = h.Timestamp, now
	}
	payload := p.Payload
	if sl.kind == Video && len(payload) > 0 {
		sl.scratch = sl.picture.rewrite(sl.scratch[:0], payload, desc)
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
func (sl *slot) due(now time.Time, desc descriptor) bool {
	if desc.key {
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
