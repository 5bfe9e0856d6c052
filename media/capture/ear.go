package capture

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"plenum/hal/sound"
	"plenum/media/codec"
)

// Hearing is what a microphone's Status says of its sound. Levels are RMS in dBFS, where a square wave of full scale is 0 and
// digital silence is -127.
type Hearing struct {
	Level       float64   // of the mix over the last second
	Floor       float64   // the quietest tenth of a second of the last half minute
	SilentSince time.Time // every channel of the map has been exactly zero since then, longer than Options.Silence; zero: no
	XRuns       uint64    // times the card's buffer ran over, since it was opened
	Dropped     uint64    // samples lost by that
	PPM         float64   // how much faster the card's clock runs than the box's, as far as known
}

const (
	earBlock  = codec.Rate / 10 // samples whose level is taken at once
	earBlocks = 300
	deaf      = -127.0 // dBFS, the floor of RFC 6464
)

// ear listens to the mix.
type ear struct {
	silence time.Duration // that is too long; 0: none is
	log     *slog.Logger

	mu        sync.Mutex
	power     [earBlocks]float64 // mean squares, a ring
	blocks    int                // ever filled in this attempt
	sum       float64
	n         int
	dead      time.Time // since when there is nothing but zeros
	told      bool
	listeners []*listener
	card      *sound.Capture
}

// listener is one who waits for so many samples of the mix.
type listener struct {
	pcm  []int16
	want int
	done chan struct{}
}

// open begins an attempt; card is nil for a test voice.
func (e *ear) open(card *sound.Capture) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.blocks, e.sum, e.n, e.card = 0, 0, 0, card
	e.dead, e.told = time.Time{}, false
}

// hear takes samples of the mix.
func (e *ear) hear(pcm []int16, dead bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mind(dead)
	for _, s := range pcm {
		e.sum += float64(s) * float64(s)
		if e.n++; e.n == earBlock {
			e.power[e.blocks%earBlocks] = e.sum / earBlock
			e.blocks++
			e.sum, e.n = 0, 0
		}
	}
	e.listeners = slices.DeleteFunc(e.listeners, func(l *listener) bool {
		l.pcm = append(l.pcm, pcm[:min(len(pcm), l.want-len(l.pcm))]...)
		if len(l.pcm) < l.want {
			return false
		}
		close(l.done)
		return true
	})
}

// mind watches for digital silence.
func (e *ear) mind(dead bool) {
	switch {
	case !dead && e.told:
		e.log.Info("the microphones give sound again", "after", time.Since(e.dead).Round(time.Second))
		e.dead, e.told = time.Time{}, false
	case !dead:
		e.dead = time.Time{}
	case e.dead.IsZero():
		e.dead = time.Now()
	case e.silence > 0 && !e.told && time.Since(e.dead) >= e.silence:
		e.told = true
		e.log.Warn("the microphones give nothing but digital silence: is the card's input connected, and not muted in its mixer?", "since", e.dead)
	}
}

func (e *ear) hearing() Hearing {
	e.mu.Lock()
	defer e.mu.Unlock()
	h := Hearing{Level: deaf, Floor: deaf}
	if e.told {
		h.SilentSince = e.dead
	}
	if e.card != nil {
		trouble := e.card.Trouble()
		h.XRuns, h.Dropped, h.PPM = trouble.XRuns, trouble.Dropped, e.card.Clock().PPM
	}
	last := min(e.blocks, codec.Rate/earBlock)
	if last == 0 {
		return h
	}
	var sum float64
	for i := range last {
		sum += e.power[(e.blocks-1-i)%earBlocks] / float64(last)
	}
	h.Level = dBFS(sum)
	h.Floor = dBFS(slices.Min(e.power[:min(e.blocks, earBlocks)]))
	return h
}

// dBFS is the level of a mean square of 16-bit samples.
func dBFS(square float64) float64 {
	if square <= 0 {
		return deaf
	}
	return max(deaf, 10*math.Log10(square/(32768*32768)))
}

// Listen takes the microphones' mix for a time, of at least 100 ms, and returns the level of a pitch in Hz in it, RMS in dBFS.
// It fails when ctx ends first, and at once for a source that is no microphone.
func (s *Source) Listen(ctx context.Context, pitch float64, d time.Duration) (float64, error) {
	if s.ear == nil {
		return deaf, fmt.Errorf("listening to %s: it is no microphone", s.o.Name)
	}
	l := &listener{want: max(int(d*codec.Rate/time.Second), earBlock), done: make(chan struct{})}
	s.ear.mu.Lock()
	s.ear.listeners = append(s.ear.listeners, l)
	s.ear.mu.Unlock()
	select {
	case <-l.done:
		return dBFS(tonePower(l.pcm, pitch)), nil
	case <-ctx.Done():
		s.ear.mu.Lock()
		defer s.ear.mu.Unlock()
		s.ear.listeners = slices.DeleteFunc(s.ear.listeners, func(o *listener) bool { return o == l })
		return deaf, fmt.Errorf("listening to %s: %d of %d samples came: %w", s.o.Name, len(l.pcm), l.want, ctx.Err())
	}
}

// tonePower is the mean square of one frequency, over windows (Hann) of 100 ms so that a tone that wavers counts in full.
func tonePower(pcm []int16, hz float64) float64 {
	var power float64
	n := 0
	for window := range slices.Chunk(pcm, earBlock) {
		if len(window) < earBlock {
			break
		}
		var re, im float64
		for i, s := range window {
			hann := 1 - math.Cos(2*math.Pi*float64(i)/earBlock)
			sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / codec.Rate)
			re += float64(s) * hann * cos
			im += float64(s) * hann * sin
		}
		power += 2 * (re*re + im*im) / (earBlock * earBlock)
		n++
	}
	return power / float64(n)
}
