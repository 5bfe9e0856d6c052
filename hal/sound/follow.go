package sound

import (
	"sync"
	"time"
)

const (
	// labelTime and levelTime are how fast an error of place is worked off, in s.
	labelTime = 20
	levelTime = 10
	// pull is how far the working off may bend the ratio, in ppm: nobody hears half a thousandth of a semitone's sixth.
	pull = 500
	// jump is how far a capture's labels may be behind before they jump.
	jump = 20 * time.Millisecond
)

// labels give captured frames their times: each frame is 1/48000 s of the box after the one before, and they are kept true
// by steering the resampler.
type labels struct {
	drift Drift
	base  time.Time // of frame 0
	made  int64     // frames since
	lost  int64     // frames that were never captured
	fresh bool      // the card began anew
}

// next is the time of the next frame that is made.
func (l *labels) next() time.Time { return l.base.Add(span(l.made)) }

// anew tells that the card's positions start again.
func (l *labels) anew() {
	l.drift.Break()
	l.fresh = true
}

// steer tells which frame of the card the next made one stands for, and returns the resampler's ratio in ppm.
func (l *labels) steer(reads float64) float64 {
	truth := l.drift.At(reads)
	if l.base.IsZero() {
		l.base = truth
	}
	off := truth.Sub(l.next())
	if off > jump || l.fresh && off > 0 {
		l.lost += int64(off * Rate / time.Second)
		l.base, l.made, off = truth, 0, 0
	}
	l.fresh = false
	// Labels behind the truth catch up by more frames made of what there is.
	return l.drift.Clock().PPM + bend(-off.Seconds()/labelTime)
}

// level keeps a playback's buffer at its level: it follows the card's clock, and works off what the buffer is beside.
type level struct {
	drift  Drift
	target int     // frames just after a write
	slack  int     // half a period: a start may be so far beside it, and is left there
	start  float64 // where it began beside it
	error  float64 // of the buffer in frames beside that, over about a second
	known  bool
}

// steer tells how many frames the card has played since it began, and how many are queued when what is being written now
// will be. It returns the resampler's ratio in ppm.
func (l *level) steer(played int64, queued int, at time.Time) float64 {
	l.drift.Add(played, at)
	e := float64(queued - l.target)
	if !l.known {
		l.start = float64(max(min(queued-l.target, l.slack), -l.slack))
		l.error, l.known = e-l.start, true
	}
	l.error += (e - l.start - l.error) / 100
	return -l.drift.Clock().PPM + bend(l.error/Rate/levelTime)
}

// over says whether so much waits in the buffer, after a burst, that the next n frames are better left out: bending the ratio
// would take minutes.
func (l *level) over(n int) bool {
	if l.error < float64(6*l.slack) {
		return false
	}
	l.error -= float64(n)
	return true
}

// anew tells that the card's positions start again.
func (l *level) anew() {
	l.drift.Break()
	l.known = false
}

// bend bounds a correction and turns it into ppm.
func bend(ratio float64) float64 { return max(min(ratio*1e6, pull), -pull) }

// gauge is what others may read while a device is being used.
type gauge struct {
	mu    sync.Mutex
	count Counters
	clock Clock
}

func (g *gauge) set(count Counters, clock Clock) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.count, g.clock = count, clock
}

// Trouble returns the counters. It may be called at any time.
func (g *gauge) Trouble() Counters {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.count
}

// Clock returns how fast the card was found to run. It may be called at any time.
func (g *gauge) Clock() Clock {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.clock
}
