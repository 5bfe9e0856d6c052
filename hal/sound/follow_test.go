package sound

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// crystal is a card's clock beside the box's: it counts frames at its own rate, which may change.
type crystal struct {
	ppm    float64
	at     time.Duration // of the box
	frames float64
}

// to runs it to a time of the box and returns the frames that are complete.
func (c *crystal) to(at time.Duration) int64 {
	c.frames += (at - c.at).Seconds() * Rate * (1 + c.ppm/1e6)
	c.at = at
	return int64(c.frames)
}

// late is how late a program is told: mostly little, sometimes much.
func late(r *rand.Rand) time.Duration {
	d := time.Duration(r.ExpFloat64() * float64(200*time.Microsecond))
	if r.IntN(500) == 0 {
		d += time.Duration(r.Int64N(int64(8 * time.Millisecond)))
	}
	return min(d, 9*time.Millisecond)
}

// rig is a simulated card with a capture or a playback's control around it.
type rig struct {
	crystal crystal
	random  *rand.Rand
	epoch   time.Time
}

func newRig(ppm float64) *rig {
	return &rig{crystal: crystal{ppm: ppm}, random: rand.New(rand.NewPCG(7, 11)), epoch: time.Unix(1e9, 0)}
}

// recording runs a capture's control for a while and tells, every second, how far its labels are from the truth, in s.
func (r *rig) recording(l *labels, p *phase, span time.Duration, each func(at time.Duration, off float64, ppm float64)) {
	var read int64
	start := r.crystal.at
	first := r.crystal.frames
	for at := start + 10*time.Millisecond; at < start+span; at += 10 * time.Millisecond {
		have := r.crystal.to(at) - int64(first)
		l.drift.Add(have, r.epoch.Add(at+late(r.random)))
		ppm := l.steer(p.reads())
		p.setPPM(ppm)
		p.got(int(have - read))
		read = have
		l.made += p.drain()
		if each != nil && at%time.Second == 0 {
			// What the next frame stands for was at the card then, as long as its rate did not change meanwhile.
			truth := float64(at)/1e9 - (r.crystal.frames-first-p.reads())/(Rate*(1+r.crystal.ppm/1e6))
			each(at-start, l.next().Sub(r.epoch).Seconds()-truth, ppm)
		}
	}
}

func newPhase() *phase { p := &phase{}; p.reset(); return p }

// drain counts what next would give, without each.
func (p *phase) drain() (n int64) {
	if limit := uint64(p.have-taps/2) << 32; p.have > taps/2 && p.pos < limit {
		n = int64((limit - p.pos + p.step - 1) / p.step)
		p.pos += uint64(n) * p.step
	}
	p.forget()
	return n
}

func TestDrainIsNext(t *testing.T) {
	a, b := newPhase(), newPhase()
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		n, ppm := random.IntN(600), float64(random.IntN(2001)-1000)
		a.setPPM(ppm)
		b.setPPM(ppm)
		a.got(n)
		b.got(n)
		var made int64
		for {
			if _, _, ok := a.next(); !ok {
				break
			}
			made++
		}
		a.forget()
		if drained := b.drain(); drained != made || *a != *b {
			t.Fatalf("%d and %d frames, %+v and %+v", made, drained, a, b)
		}
	}
}

// For an hour the labels of what is captured stay true to a millisecond, and the rate is found.
func TestCaptureFollowsForAnHour(t *testing.T) {
	for _, ppm := range []float64{200, -200, 0, 37} {
		r, l, p := newRig(ppm), &labels{}, newPhase()
		var worst, made float64
		r.recording(l, p, time.Hour, func(at time.Duration, off, _ float64) {
			if at > time.Minute {
				worst = max(worst, math.Abs(off))
			}
			made = float64(l.made) / at.Seconds()
		})
		clock := l.drift.Clock()
		t.Logf("%+4.0f ppm: found %+.2f ± %.2f, labels at most %.3f ms off", ppm, clock.PPM, clock.Sigma, worst*1e3)
		if worst > 1e-3 || math.Abs(clock.PPM-ppm) > 2 || clock.Sigma > 2 || l.lost != 0 {
			t.Errorf("%g ppm: found %.2f ± %.2f, labels %.3f ms off, %d frames lost", ppm, clock.PPM, clock.Sigma, worst*1e3, l.lost)
		}
		if math.Abs(made/Rate-1) > 3e-6 {
			t.Errorf("%g ppm: %.3f frames a second came out", ppm, made)
		}
	}
}

func TestCaptureStartsUp(t *testing.T) {
	r, l, p := newRig(120), &labels{}, newPhase()
	r.recording(l, p, 20*time.Second, func(at time.Duration, off, ppm float64) {
		if math.Abs(off) > 10e-3 || math.Abs(ppm) > maxPPM {
			t.Errorf("after %v: %.2f ms off at %.0f ppm", at, off*1e3, ppm)
		}
	})
	if c := l.drift.Clock(); math.Abs(c.PPM-120) > max(3*c.Sigma, 10) {
		t.Errorf("after 20 s: %.1f ± %.1f ppm", c.PPM, c.Sigma)
	}
}

// A clock that changes its rate at once (another word clock was plugged in) is followed again within a minute or two.
func TestCaptureFollowsAStep(t *testing.T) {
	r, l, p := newRig(50), &labels{}, newPhase()
	r.recording(l, p, 10*time.Minute, nil)
	r.crystal.ppm = -150
	var worst, end float64
	r.crystal.frames -= math.Floor(r.crystal.frames) // a new count; the control is told so
	l.anew()
	p.reset()
	r.recording(l, p, 5*time.Minute, func(at time.Duration, off, _ float64) {
		worst = max(worst, math.Abs(off))
		end = off
	})
	c := l.drift.Clock()
	t.Logf("after the step: at most %.2f ms off, at the end %.3f ms, %.1f ± %.1f ppm", worst*1e3, end*1e3, c.PPM, c.Sigma)
	if worst > 10e-3 || math.Abs(end) > 1e-3 || math.Abs(c.PPM+150) > 3 {
		t.Errorf("at most %.2f ms off, %.3f ms at the end, %.1f ppm found", worst*1e3, end*1e3, c.PPM)
	}
}

// The same without a break that anybody could see.
func TestDriftFindsAStep(t *testing.T) {
	r := newRig(200)
	var d Drift
	for at := time.Duration(0); at < 20*time.Minute; at += 10 * time.Millisecond {
		if at == 10*time.Minute {
			r.crystal.ppm = -100
		}
		d.Add(r.crystal.to(at), r.epoch.Add(at+late(r.random)))
		switch at {
		case 10*time.Minute - 10*time.Millisecond:
			if c := d.Clock(); math.Abs(c.PPM-200) > 1 {
				t.Errorf("before the step: %.2f ± %.2f ppm", c.PPM, c.Sigma)
			}
		case 11 * time.Minute:
			if c := d.Clock(); math.Abs(c.PPM+100) > 10 {
				t.Errorf("a minute after the step: %.2f ± %.2f ppm", c.PPM, c.Sigma)
			}
		}
	}
	if c := d.Clock(); math.Abs(c.PPM+100) > 1 {
		t.Errorf("ten minutes after the step: %.2f ± %.2f ppm", c.PPM, c.Sigma)
	}
}

// A card that skips frames unseen is measured right all the same, and so is one that is told late for seconds.
func TestDriftFindsASkip(t *testing.T) {
	r := newRig(80)
	var d Drift
	for at := time.Duration(0); at < 5*time.Minute; at += 10 * time.Millisecond {
		switch at {
		case 4 * time.Second, 2 * time.Minute, 2*time.Minute + 10*time.Second:
			r.crystal.frames -= 5000
		}
		frames := r.crystal.to(at)
		if at > 3*time.Minute && at < 3*time.Minute+4*time.Second {
			at += 50*time.Millisecond + 200*time.Millisecond*time.Duration(r.random.IntN(2))
		}
		d.Add(frames, r.epoch.Add(at+late(r.random)))
		if at%(10*time.Second) == 0 && at > 30*time.Second {
			if c := d.Clock(); math.Abs(c.PPM-80) > 5 {
				t.Errorf("after %v: %.2f ± %.2f ppm", at, c.PPM, c.Sigma)
			}
			if off := d.At(r.crystal.frames).Sub(r.epoch.Add(at)); off.Abs() > time.Millisecond && at%(2*time.Minute) != 0 && at != 2*time.Minute+10*time.Second {
				t.Errorf("after %v the fit is %v off", at, off)
			}
		}
	}
}

// playing runs a playback's control: frames of 10 ms come on the box's clock, mostly. It returns the bounds of the buffer
// after settle, seen just before and just after a write, and counts when it ran dry or over.
func (r *rig) playing(l *level, p *phase, span, settle time.Duration, each func(at time.Duration, ppm float64)) (low, high int64, trouble int) {
	const buffer, frame = 1920, 480
	var written, begun int64
	running := false
	low, high = buffer, 0
	for n := time.Duration(1); n*10*time.Millisecond < span; n++ {
		now := n*10*time.Millisecond + late(r.random)
		var played int64
		count := r.crystal.to(now)
		if running {
			played = count - begun
		}
		queued := written - played
		if running && queued < 0 || queued+frame+1 > buffer {
			trouble++
			running, written, queued, played = false, 0, 0, 0
			l.anew()
		}
		if running && now > settle {
			low = min(low, queued)
		}
		if played > 0 {
			ppm := l.steer(played, int(queued)+frame, r.epoch.Add(now))
			p.setPPM(ppm)
			if each != nil {
				each(now, ppm)
			}
		}
		p.got(frame)
		written += p.drain()
		if !running && written >= int64(l.target) {
			running, begun = true, count
		}
		if running && now > settle {
			high = max(high, written-played)
		}
	}
	return low, high, trouble
}

// A burst that fills a large buffer is not heard late for minutes.
func TestLevelEndsABurst(t *testing.T) {
	l := level{target: 24240, slack: 240}
	queued, played, dropped := 40000, int64(0), 0
	r := newRig(0)
	for n := time.Duration(1); n < 1000; n++ {
		played += frame
		queued -= frame
		if l.over(frame) {
			dropped++
			continue
		}
		l.steer(played, queued+frame, r.epoch.Add(n*10*time.Millisecond))
		queued += frame
	}
	if off := queued - l.target; off > 6*240+frame || off < -frame || dropped > 40 {
		t.Errorf("after 10 s the buffer is %d frames beside its level, %d frames of 10 ms dropped", off, dropped)
	}
}

// For an hour the buffer keeps its level, nothing runs dry, and nothing is thrown away.
func TestPlaybackFollowsForAnHour(t *testing.T) {
	for _, ppm := range []float64{200, -200, 0, 37} {
		r, l, p := newRig(ppm), &level{target: (1920 + 480) / 2, slack: 240}, newPhase()
		low, high, trouble := r.playing(l, p, time.Hour, time.Minute, nil)
		c := l.drift.Clock()
		t.Logf("%+4.0f ppm: found %+.2f ± %.2f; %d to %d frames in the buffer", ppm, c.PPM, c.Sigma, low, high)
		// Being told up to 9 ms late takes 432 frames from the level before a write; the rest is the control's.
		if trouble > 0 || math.Abs(c.PPM-ppm) > 2 || low < 720-432-60 || high > 1200+240+60 {
			t.Errorf("%g ppm: found %.2f; %d to %d frames in the buffer, %d times dry or over", ppm, c.PPM, low, high, trouble)
		}
	}
}

func TestPlaybackFollowsAStep(t *testing.T) {
	r, l, p := newRig(200), &level{target: (1920 + 480) / 2, slack: 240}, newPhase()
	stepped := false
	low, high, trouble := r.playing(l, p, 20*time.Minute, 0, func(at time.Duration, ppm float64) {
		if !stepped && at > 10*time.Minute {
			r.crystal.ppm, stepped = -100, true
		}
	})
	c := l.drift.Clock()
	t.Logf("found %.2f ± %.2f; %d to %d frames in the buffer", c.PPM, c.Sigma, low, high)
	if trouble > 0 || math.Abs(c.PPM+100) > 2 || low < 100 || high > 1600 {
		t.Errorf("found %.2f; %d to %d frames in the buffer, %d times dry or over", c.PPM, low, high, trouble)
	}
}
