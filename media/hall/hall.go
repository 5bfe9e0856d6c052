// Package hall is where the remote speakers become audible in the chamber:
// each voice's packets wait in a small jitter buffer, are decoded, mixed, and
// handed to a sink every 10 ms: a sound card, a WAV file, or nothing.
//
// A voice is a place, not a person: whose packets stand in it is decided
// elsewhere. When the word is withdrawn, Cut ends what is buffered of it.
package hall

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/pion/rtp"

	"plenum/hal/sound"
	"plenum/media/codec"
)

const (
	// Frame is the number of samples handed to the sink at a time: 10 ms of
	// 48 kHz mono.
	Frame = codec.Rate / 100
	// FrameTime is the length of a frame.
	FrameTime = 10 * time.Millisecond
	// reportEvery is how often trouble is logged, in frames: a line a second for a whole sitting buries all others.
	reportEvery = 1000
)

// Sink takes the hall's sound. Wait returns when the next frame is wanted, or
// the context's error; it sets the pace. Write takes one frame of Frame samples
// and must not keep it; it may block for a few frames at most. An error of
// either ends the playout's attempt.
type Sink interface {
	Wait(ctx context.Context) error
	Write(pcm []int16) error
	Close() error
}

// Options of a playout.
type Options struct {
	Open   func() (Sink, error) // opens the sink anew for each Run
	Voices int                  // number of voices, at least 1
	Live   func()               // called when the sink has taken its first frame; nil: nobody
	Now    func() time.Time     // default: time.Now
	Log    *slog.Logger         // default: slog.Default
}

// Playout mixes a fixed number of voices into one sink.
type Playout struct {
	o      Options
	epoch  time.Time
	voices []*voice

	// out is held from reading the voices to the end of the sink's Write, so
	// that whoever takes it knows that nothing is on its way.
	out   sync.Mutex
	frame [Frame]int16
	mix   [Frame]int32
	tone  testTone

	levels  sync.Mutex // guards what is below, up to the empty line
	meter   meter
	frames  uint64
	trouble sound.Counters
	ppm     float64

	told []Counters // what the last report said; of the goroutine of Run
}

// NewPlayout makes a playout; it does nothing until Run.
func NewPlayout(o Options) (*Playout, error) {
	if o.Open == nil || o.Voices < 1 || o.Voices > 64 {
		return nil, fmt.Errorf("playout with %d voices: 1 to 64 voices and a sink are needed", o.Voices)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	p := &Playout{o: o, epoch: o.Now(), told: make([]Counters, o.Voices)}
	for range o.Voices {
		v, err := newVoice()
		if err != nil {
			return nil, err
		}
		p.voices = append(p.voices, v)
	}
	return p, nil
}

// samples is the time since the playout was made, in samples.
func (p *Playout) samples() int64 {
	return int64(p.o.Now().Sub(p.epoch)/time.Microsecond) * codec.Rate / 1_000_000
}

// Run opens the sink and plays until ctx has ended (then it returns ctx.Err())
// or the sink fails. One attempt: the supervisor calls it again. Sound that
// came in before is not played.
func (p *Playout) Run(ctx context.Context) error {
	sink, err := p.o.Open()
	if err != nil {
		return fmt.Errorf("opening the hall's sound output: %w", err)
	}
	p.quiet()
	defer p.quiet()
	defer func() {
		if err := sink.Close(); err != nil {
			p.o.Log.Warn("closing the hall's sound output", "err", err)
		}
	}()
	p.o.Log.Info("hall sound output is running", "voices", len(p.voices))
	for n := 1; ; n++ {
		if err := sink.Wait(ctx); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("waiting for the hall's sound output: %w", err)
		}
		if err := p.play(sink); err != nil {
			return fmt.Errorf("playing to the hall: %w", err)
		}
		if n == 1 && p.o.Live != nil {
			p.o.Live()
		}
		if n%reportEvery == 0 {
			p.report(sink)
		}
	}
}

// quiet forgets all sound and the levels: what is not played is not heard.
func (p *Playout) quiet() {
	for n := range p.voices {
		p.Cut(n)
	}
	p.levels.Lock()
	defer p.levels.Unlock()
	p.meter, p.trouble, p.ppm = meter{}, sound.Counters{}, 0
}

// play mixes one frame and writes it.
func (p *Playout) play(sink Sink) error {
	p.out.Lock()
	defer p.out.Unlock()
	now := p.samples()
	clear(p.mix[:])
	for _, v := range p.voices {
		if pcm, ok := v.next(now); ok {
			for i, s := range pcm {
				p.mix[i] += int32(s)
			}
		}
	}
	p.tone.add(p.mix[:])
	for i, s := range p.mix {
		p.frame[i] = sound.Limit(s)
	}
	p.levels.Lock()
	p.meter.add(p.frame[:])
	p.frames++
	p.levels.Unlock()
	return sink.Write(p.frame[:])
}

// Voice returns the input of voice n, 0 to Voices-1: it takes the packets of
// one Opus stream. It copies, never blocks, and drops what does not fit. It may
// be called from any goroutine, also when the playout is not running.
func (p *Playout) Voice(n int) func(h *rtp.Header, payload []byte) {
	v := p.voices[n]
	return func(h *rtp.Header, payload []byte) { v.push(p.samples(), h, payload) }
}

// Cut throws away what is buffered of voice n and forgets its past. When it
// returns, nothing of what had come in before reaches the sink any more; so
// close the gate first, then cut. It waits for at most the frame that is being
// written.
func (p *Playout) Cut(n int) {
	p.out.Lock()
	defer p.out.Unlock()
	if err := p.voices[n].cut(); err != nil {
		p.o.Log.Error("cutting a voice", "voice", n, "err", err)
	}
}

// report logs, at most every 10 s, what went wrong since the last report.
func (p *Playout) report(sink Sink) {
	if card, ok := sink.(*card); ok {
		trouble, clock := card.Trouble(), card.Clock()
		p.levels.Lock()
		more := trouble.XRuns > p.trouble.XRuns || trouble.Suspends > p.trouble.Suspends || trouble.Dropped > p.trouble.Dropped
		p.trouble, p.ppm = trouble, clock.PPM
		p.levels.Unlock()
		if more {
			p.o.Log.Warn("the hall's sound card ran dry or did not take all", "xruns", trouble.XRuns,
				"suspends", trouble.Suspends, "samples dropped", trouble.Dropped, "ppm", math.Round(clock.PPM*10)/10)
		}
	}
	for n, v := range p.voices {
		c := v.counters()
		d := c.minus(p.told[n])
		p.told[n] = c
		if d.Late+d.Lost+d.Dropped+d.Bad+d.Underruns > 0 {
			p.o.Log.Warn("sound of a remote speaker is disturbed", "voice", n, "received", d.Received,
				"late", d.Late, "lost", d.Lost, "dropped", d.Dropped, "bad", d.Bad, "underruns", d.Underruns)
		}
	}
}
