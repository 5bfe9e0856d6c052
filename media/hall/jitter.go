package hall

import (
	"math"

	"github.com/pion/rtp"

	"plenum/media/codec"
)

// All times in this file are in samples at 48 kHz: those of the local clock
// ("at"), and timestamps of the stream without their wrap ("ts").

const (
	ms = codec.Rate / 1000

	leastDelay = 40 * ms  // from a packet's arrival to its playout on a calm line
	mostDelay  = 200 * ms // and on the worst that is still followed
	margin     = 20 * ms  // kept above the jitter that was measured
	mostGap    = 120 * ms // a longer hole in the stream is a pause, not a loss
	fade       = 100 * ms // made up when nothing comes, then silence
	jump       = 10 * codec.Rate
	slots      = 64
)

// step says what to play next.
type step int

const (
	stepSilence step = iota
	stepPacket       // decode the packet
	stepRecover      // a packet is lost, the one given follows it directly
	stepConceal      // something is lost
)

// state of a jitter buffer.
type phase int

const (
	idle    phase = iota // nothing comes
	waiting              // packets are there, their time is not
	playing
)

// jitter holds the packets of one voice until their time. The wanted delay
// follows the spread of transit times of the last 10 s.
type jitter struct {
	phase phase
	begun bool // a stream was seen: ssrc and newest are valid
	ssrc  uint32
	// newest is the highest timestamp so far, next that of the sound to be
	// played next, due the time of a waiting stream's begin.
	newest, next, due int64
	dry               int64 // made up since the buffer ran dry
	transit           spread
	slots             [slots]slot
	count             Counters
}

type slot struct {
	used  bool
	ts    int64
	long  int // samples
	bytes int
	data  [codec.MaxPacket]byte
}

// reset forgets the stream, not the counters.
func (j *jitter) reset() {
	for i := range j.slots {
		j.slots[i].used = false
	}
	j.phase, j.begun, j.dry = idle, false, 0
	j.transit = spread{}
}

// push takes one packet that arrived at time at.
func (j *jitter) push(at int64, h *rtp.Header, payload []byte) {
	if len(payload) == 0 {
		return // padding only: a sender probing the line
	}
	j.count.Received++
	long, err := codec.Duration(payload)
	if err != nil || len(payload) > codec.MaxPacket {
		j.count.Bad++
		return
	}
	ts := j.newest + int64(int32(h.Timestamp-uint32(j.newest)))
	if j.begun && (h.SSRC != j.ssrc || ts-j.newest > jump || j.newest-ts > jump) {
		j.reset()
	}
	if !j.begun {
		ts = int64(h.Timestamp)
		j.begun, j.ssrc, j.newest, j.next = true, h.SSRC, ts, ts-jump
	}
	j.newest = max(j.newest, ts)
	j.transit.add(at, at-ts)

	switch {
	case j.phase == idle, j.phase == playing && j.dry > 0 && ts < j.next && j.empty():
		// Either a new beginning or the buffer ran dry and this came too late
		// for it: go on from here with the delay that is right now.
		if ts <= j.next { // after a pause of the speaker it would be later
			j.count.Underruns++
		}
		j.phase, j.next, j.dry = waiting, ts, 0
		j.due = max(at, j.ideal(ts))
	case j.phase == waiting && ts < j.next:
		j.next = ts // came in the wrong order, still in time
	case ts < j.next:
		j.count.Late++
		return
	}
	j.store(ts, long, payload)
}

func (j *jitter) store(ts int64, long int, payload []byte) {
	var free *slot
	for i := range j.slots {
		s := &j.slots[i]
		switch {
		case !s.used:
			free = s
		case s.ts == ts:
			j.count.Doubled++
			return
		}
	}
	if free == nil {
		j.count.Dropped++
		return
	}
	free.used, free.ts, free.long = true, ts, long
	free.bytes = copy(free.data[:], payload)
}

// delay is the wanted time from the arrival of the fastest packets to their
// playout.
func (j *jitter) delay() int64 {
	return min(max(j.transit.high()-j.transit.low()+margin, leastDelay), mostDelay)
}

// ideal is when the sound of ts should be played.
func (j *jitter) ideal(ts int64) int64 { return ts + j.transit.low() + j.delay() }

// first is the packet with the lowest timestamp, or nil.
func (j *jitter) first() *slot {
	var low *slot
	for i := range j.slots {
		if s := &j.slots[i]; s.used && (low == nil || s.ts < low.ts) {
			low = s
		}
	}
	return low
}

func (j *jitter) empty() bool { return j.first() == nil }

// take says what comes next at time at. For stepPacket and stepRecover it
// copies the packet into buf and returns its length; samples is how much sound
// the step makes.
func (j *jitter) take(at int64, buf *[codec.MaxPacket]byte) (s step, bytes, samples int) {
	if j.phase == idle || j.phase == waiting && at < j.due {
		return stepSilence, 0, 0
	}
	j.phase = playing
	p := j.first()
	if p == nil {
		return j.starve()
	}
	gap := p.ts - j.next
	switch {
	case gap == 0:
	case gap > mostGap || gap < 0 || gap%(codec.Rate/400) != 0:
		// A pause of the speaker: wait until it is over. A gap that is no
		// multiple of the shortest frame cannot be filled either.
		j.next, j.dry = p.ts, 0
		if j.due = j.ideal(p.ts); at < j.due && gap > mostGap {
			j.phase = waiting
			return stepSilence, 0, 0
		}
	default:
		return j.fill(p, gap, buf)
	}
	if j.dry > 0 {
		j.count.Underruns++
		j.dry = 0
	}
	j.next = p.ts + int64(p.long)
	p.used = false
	return stepPacket, copy(buf[:], p.data[:p.bytes]), p.long
}

// fill makes up a hole before packet p, by 20 ms at most at a time.
func (j *jitter) fill(p *slot, gap int64, buf *[codec.MaxPacket]byte) (step, int, int) {
	j.count.Lost++
	n := min(gap, codec.Frame)
	j.next += n
	if gap > codec.Frame {
		return stepConceal, 0, int(n)
	}
	j.count.Recovered++
	return stepRecover, copy(buf[:], p.data[:p.bytes]), int(n)
}

// starve bridges an empty buffer for a while, in steps of 10 ms. Whether the
// stream ended or is late shows only when it goes on.
func (j *jitter) starve() (step, int, int) {
	if j.dry >= fade {
		j.phase, j.dry = idle, 0
		return stepSilence, 0, 0
	}
	j.dry += Frame
	j.next += Frame
	return stepConceal, 0, Frame
}

// behind is by how much the playout of next, with held samples decoded already,
// is later than wanted at time at; negative is too early.
func (j *jitter) behind(at int64, held int) int64 {
	return at - j.ideal(j.next-int64(held))
}

// skip drops the packets whose time is long over; it returns whether there
// were any.
func (j *jitter) skip(at int64) bool {
	any := false
	for p := j.first(); p != nil && j.ideal(p.ts+int64(p.long)) < at; p = j.first() {
		p.used = false
		j.next = p.ts + int64(p.long)
		j.count.Dropped++
		any = true
	}
	return any
}

// spread remembers the lowest and highest transit time of the last 10 s, by
// the second.
type spread struct {
	buckets [10]struct{ low, high int64 }
	n       int   // buckets in use
	end     int64 // of the newest bucket
}

// add notes a transit time. One that is off by more than a second says that
// the stream's clock was set, and the past is forgotten.
func (s *spread) add(at, transit int64) {
	if s.n > 0 && (transit < s.low()-codec.Rate || transit > s.high()+codec.Rate) {
		*s = spread{}
	}
	if s.n == 0 || at >= s.end {
		copy(s.buckets[1:], s.buckets[:])
		s.buckets[0].low, s.buckets[0].high = math.MaxInt64, math.MinInt64
		s.n = min(s.n+1, len(s.buckets))
		s.end = at + codec.Rate
	}
	b := &s.buckets[0]
	b.low, b.high = min(b.low, transit), max(b.high, transit)
}

func (s *spread) low() int64 {
	low := int64(math.MaxInt64)
	for _, b := range s.buckets[:s.n] {
		low = min(low, b.low)
	}
	return low
}

func (s *spread) high() int64 {
	high := int64(math.MinInt64)
	for _, b := range s.buckets[:s.n] {
		high = max(high, b.high)
	}
	return high
}
