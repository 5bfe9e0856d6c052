package hall

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"plenum/media/codec"
)

const packetTime = 20 * time.Millisecond

// line says when packet i, sent at i*20 ms, arrives; negative means never.
type line func(i int) time.Duration

// deliver sends packets over a line into a voice; it returns when the last one
// has arrived.
func deliver(p *Playout, voice int, ssrc uint32, packets [][]byte, l line) {
	type arrival struct {
		i  int
		at time.Duration
	}
	var all []arrival
	for i := range packets {
		if d := l(i); d >= 0 {
			all = append(all, arrival{i, time.Duration(i)*packetTime + d})
		}
	}
	write := p.Voice(voice)
	start := time.Now()
	for len(all) > 0 {
		first := 0
		for k := range all {
			if all[k].at < all[first].at {
				first = k
			}
		}
		a := all[first]
		all = append(all[:first], all[first+1:]...)
		time.Sleep(time.Until(start.Add(a.at)))
		write(header(ssrc, a.i), packets[a.i])
	}
}

func TestPlayoutOverLines(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 11))
	const n = 500 // 10 s
	for _, c := range []struct {
		name     string
		line     line
		check    func(Counters) bool
		delay    [2]time.Duration // wanted at the end, least and most
		quieter  float64          // dB that may be missing
		sinceSec int              // from which second on the sound is judged
	}{
		{name: "calm", line: func(int) time.Duration { return 0 },
			check: func(c Counters) bool { return c == Counters{Received: n} },
			delay: [2]time.Duration{40 * time.Millisecond, 40 * time.Millisecond}, quieter: 0.5},
		{name: "jitter of 60 ms, reordering", line: func(int) time.Duration { return time.Duration(rng.IntN(60)) * time.Millisecond },
			check: func(c Counters) bool { return c.Late+c.Lost < 10 },
			delay: [2]time.Duration{70 * time.Millisecond, 85 * time.Millisecond}, quieter: 0.5, sinceSec: 1},
		{name: "every second packet 25 ms late", line: func(i int) time.Duration { return time.Duration(i%2) * 25 * time.Millisecond },
			check: func(c Counters) bool { return c.Late+c.Lost < 3 },
			delay: [2]time.Duration{40 * time.Millisecond, 50 * time.Millisecond}, quieter: 0.5},
		{name: "5 % lost", line: func(i int) time.Duration {
			if rng.IntN(20) == 0 && i > 0 {
				return -1
			}
			return 0
		},
			check: func(c Counters) bool { return c.Lost+2 >= n-c.Received && c.Lost <= n-c.Received && c.Recovered > 10 },
			delay: [2]time.Duration{40 * time.Millisecond, 40 * time.Millisecond}, quieter: 1},
		{name: "standstill of 400 ms, then all at once", line: func(i int) time.Duration {
			if i >= 100 && i < 120 {
				return time.Duration(120-i) * packetTime
			}
			return 0
		},
			check: func(c Counters) bool { return c.Underruns == 1 && c.Lost == 0 },
			delay: [2]time.Duration{200 * time.Millisecond, 200 * time.Millisecond}, quieter: 0.5, sinceSec: 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, stop := start(t, 1)
				deliver(p, 0, 1, speech(t, 400, -20, n), c.line)
				state := p.Levels().Voices[0]
				time.Sleep(time.Second)
				end := p.Levels().Voices[0]
				pcm := stop()
				if state.Delay < c.delay[0] || state.Delay > c.delay[1] {
					t.Errorf("delay %v, want %v to %v", state.Delay, c.delay[0], c.delay[1])
				}
				if !c.check(end.Counters) {
					t.Errorf("counters %+v", end.Counters)
				}
				if !state.Playing || end.Playing || state.RMS < -22 || end.RMS != Silence {
					t.Errorf("state while playing %+v, after the end %+v", state, end)
				}
				sound := pcm[onset(pcm)+c.sinceSec*codec.Rate:][:(9-c.sinceSec)*codec.Rate]
				if l := tone(sound, 400); l < -20.3-c.quieter || l > -19.3 {
					t.Errorf("the tone has %.2f dBFS, want -20", l)
				}
			})
		})
	}
}

func TestDelayOnACalmLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := start(t, 1)
		time.Sleep(500 * time.Millisecond)
		deliver(p, 0, 1, speech(t, 1000, -20, 50), func(int) time.Duration { return 0 })
		pcm := stop()
		// 505 ms, 40 ms of buffer, 6.5 ms look-ahead of the encoder, and up to
		// 10 ms until the next frame.
		got := time.Duration(onset(pcm)) * time.Second / codec.Rate
		if got < 540*time.Millisecond || got > 570*time.Millisecond {
			t.Errorf("sound begins at %v, want about 555 ms", got)
		}
	})
}

// A sender's clock that differs from ours must cost nothing, ever.
func TestDrift(t *testing.T) {
	packets := speech(t, 400, -20, 500)
	for _, ppm := range []int{-1000, -100, 100, 1000} {
		synctest.Test(t, func(t *testing.T) {
			p, stop := start(t, 1)
			write := p.Voice(0)
			begin := time.Now()
			const n = 15000 // 5 min
			for i := range n {
				at := time.Duration(i) * packetTime
				at -= at * time.Duration(ppm) / 1_000_000
				time.Sleep(time.Until(begin.Add(at)))
				write(header(1, i), packets[i%len(packets)])
				if i%100 == 50 {
					p.out.Lock()
					if d := p.voices[0].drift; math.Abs(d) > 15*ms {
						t.Errorf("%d ppm: %.1f ms off the wanted delay after %v", ppm, d/ms, at)
					}
					p.out.Unlock()
				}
			}
			if c := p.Levels().Voices[0].Counters; c != (Counters{Received: n}) {
				t.Errorf("%d ppm: %+v", ppm, c)
			}
			stop()
		})
	}
}

// A cut is exact: not one sample of what came before it, at whatever moment it
// comes, while another voice goes on undisturbed.
func TestCutIsExact(t *testing.T) {
	packets := speech(t, 1000, -12, 60)
	other := speech(t, 300, -20, 200)
	for offset := range 8 {
		synctest.Test(t, func(t *testing.T) {
			p, stop := start(t, 2)
			var sender sync.WaitGroup
			calm := func(int) time.Duration { return 0 }
			sender.Go(func() { deliver(p, 1, 2, other, calm) })
			time.Sleep(time.Second)
			deliver(p, 0, 1, packets[:40], calm)
			time.Sleep(time.Duration(offset) * 1300 * time.Microsecond)
			for i := 40; i < len(packets); i++ { // what was on the line comes at once
				p.Voice(0)(header(1, i), packets[i])
			}
			p.Cut(0)
			l := p.Levels()
			if v := l.Voices[0]; v.Playing || v.RMS != Silence || v.Received != uint64(len(packets)) {
				t.Errorf("after the cut: %+v", v)
			}
			sender.Wait()
			pcm := stop()
			before, after := pcm[(l.Frames-30)*Frame:l.Frames*Frame], pcm[l.Frames*Frame:]
			if l := tone(before, 1000); l < -13 {
				t.Errorf("offset %d: 1000 Hz only at %.1f dBFS before the cut", offset, l)
			}
			if l := tone(after, 1000); l > -75 {
				t.Errorf("offset %d: 1000 Hz sounds on at %.1f dBFS after the cut", offset, l)
			}
			if l := tone(after, 300); l < -21 {
				t.Errorf("offset %d: the other voice fell to %.1f dBFS", offset, l)
			}
		})
	}
}

func TestPauseAndNewSpeaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := start(t, 1)
		packets := speech(t, 400, -20, 200)
		// A pause of 1 s in the stream, as with discontinuous transmission.
		deliver(p, 0, 1, packets, func(i int) time.Duration {
			if i >= 50 && i < 100 {
				return -1
			}
			return 0
		})
		time.Sleep(300 * time.Millisecond)
		deliver(p, 0, 2, speech(t, 700, -20, 100), func(int) time.Duration { return 0 })
		c := p.Levels().Voices[0].Counters
		pcm := stop()
		if c.Lost != 0 || c.Late != 0 || c.Dropped != 0 {
			t.Errorf("%+v", c)
		}
		if l := rms(pcm[codec.Rate*13/10 : codec.Rate*19/10]); l > -70 {
			t.Errorf("%.1f dBFS in the pause", l)
		}
		if l := tone(pcm[codec.Rate*22/10:codec.Rate*38/10], 400); l < -20.5 {
			t.Errorf("%.1f dBFS after the pause", l)
		}
		if l := tone(pcm[codec.Rate*46/10:codec.Rate*60/10], 700); l < -20.5 {
			t.Errorf("the next speaker has %.1f dBFS", l)
		}
	})
}

func TestMixIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := start(t, 4)
		for v := range 4 {
			go deliver(p, v, uint32(v), speech(t, 300+100*float64(v), -5, 100), func(int) time.Duration { return 0 })
		}
		time.Sleep(1900 * time.Millisecond)
		l := p.Levels()
		time.Sleep(300 * time.Millisecond)
		stop()
		if l.Mix.Peak > 0 || l.Mix.Peak < -0.5 || l.Mix.RMS < -6 {
			t.Errorf("mix %+v", l.Mix)
		}
		for n, v := range l.Voices {
			if math.Abs(v.RMS+5) > 1 || math.Abs(v.Peak+2) > 1.5 {
				t.Errorf("voice %d: %+v, want -5 and a peak of -2", n, v.Level)
			}
		}
	})
}

// broken is a sink that fails at its third frame.
type broken struct {
	clock
	n      int
	closed *int
}

var errBroken = errors.New("unplugged")

func (b *broken) Write([]int16) error {
	if b.n++; b.n == 3 {
		return errBroken
	}
	return nil
}

func (b *broken) Close() error { *b.closed++; return nil }

func TestSinkIsOpenedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opened, closed := 0, 0
		p, err := NewPlayout(Options{Voices: 1, Open: func() (Sink, error) {
			if opened++; opened == 3 {
				return nil, errBroken
			}
			return &broken{clock: clock{period: FrameTime}, closed: &closed}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		packets := speech(t, 400, -20, 100)
		for range 3 {
			for i := range packets { // nobody plays: bounded, and gone at the next start
				p.Voice(0)(header(1, i), packets[i])
			}
			if err := p.Run(t.Context()); !errors.Is(err, errBroken) {
				t.Errorf("Run = %v", err)
			}
		}
		if opened != 3 || closed != 2 {
			t.Errorf("opened %d times, closed %d times", opened, closed)
		}
		l := p.Levels()
		if l.Frames != 6 || l.Mix.RMS != Silence {
			t.Errorf("%+v: sound from before the start was played", l)
		}
		if c := l.Voices[0].Counters; c.Dropped != 3*(100-slots) {
			t.Errorf("%+v", c)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := p.Run(ctx); err != context.Canceled {
			t.Errorf("Run = %v", err)
		}
	})
}

// Everything at once, for the race detector.
func TestConcurrentUse(t *testing.T) {
	packets := speech(t, 400, -20, 50)
	synctest.Test(t, func(t *testing.T) {
		p, stop := start(t, 2)
		var all sync.WaitGroup
		for v := range 2 {
			all.Go(func() { deliver(p, v, 1, packets, func(int) time.Duration { return 0 }) })
			all.Go(func() {
				deliver(p, v, 2, packets, func(i int) time.Duration { return time.Duration(i%3) * time.Millisecond })
			})
			all.Go(func() {
				for range 100 {
					p.Cut(v)
					p.Levels()
					time.Sleep(7 * time.Millisecond)
				}
			})
		}
		all.Wait()
		stop()
		if l := p.Levels(); l.Mix.RMS != Silence || l.Voices[0].Playing {
			t.Errorf("after the end: %+v", l)
		}
	})
}
