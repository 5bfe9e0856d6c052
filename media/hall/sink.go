package hall

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// ErrSink says that a sink's description is not understood.
var ErrSink = errors.New("unknown sound output")

// OpenSink opens a sink by its description:
//
//	wav:/var/lib/plenum/hall.wav  a WAV file, bounded, see WAV
//	alsa:plughw:CARD=Hall         an ALSA device, by a name that was configured
//	null                          nothing; the level is still measured
//
// There is no default device, for sound that goes nowhere looks like sound.
func OpenSink(spec string) (Sink, error) {
	if err := CheckSink(spec); err != nil {
		return nil, err
	}
	kind, name, _ := strings.Cut(spec, ":")
	switch kind {
	case "wav":
		return OpenWAV(name, wavLimit)
	case "alsa":
		return openALSA(name)
	default:
		return NewNull(), nil
	}
}

// CheckSink says whether OpenSink understands a description, without opening
// anything. The error wraps ErrSink and names what is possible.
func CheckSink(spec string) error {
	kind, name, _ := strings.Cut(spec, ":")
	switch {
	case spec == "null":
		return nil
	case kind == "wav" && filepath.IsAbs(name):
		return nil
	case kind == "wav":
		return fmt.Errorf("%w %q: after wav: there must be an absolute path", ErrSink, spec)
	case kind == "alsa" && name != "":
		return nil
	case kind == "alsa":
		return fmt.Errorf("%w %q: after alsa: there must be a PCM name such as plughw:CARD=Hall (aplay -L lists them)", ErrSink, spec)
	}
	return fmt.Errorf("%w %q: possible are wav:/path/to/file.wav, alsa:PCM and null", ErrSink, spec)
}

// clock paces a sink that has no clock of its own.
type clock struct {
	period time.Duration
	due    time.Time
	timer  *time.Timer
}

// Wait returns at every period since the first call, without drift. After a
// standstill of more than 200 ms it begins anew instead of catching up.
func (c *clock) Wait(ctx context.Context) error {
	now := time.Now()
	if c.due.IsZero() || now.Sub(c.due) > 200*time.Millisecond {
		c.due = now
	}
	wait := c.due.Sub(now)
	c.due = c.due.Add(c.period)
	if wait <= 0 {
		return ctx.Err()
	}
	if c.timer == nil {
		c.timer = time.NewTimer(wait)
	} else {
		c.timer.Reset(wait)
	}
	select {
	case <-ctx.Done():
		c.timer.Stop()
		return ctx.Err()
	case <-c.timer.C:
		return nil
	}
}

// Null is a sink that only listens.
type Null struct {
	clock
	mu     sync.Mutex
	meter  meter
	frames uint64
}

// NewNull makes a null sink, paced by the clock.
func NewNull() *Null { return &Null{clock: clock{period: FrameTime}} }

// Write measures a frame.
func (n *Null) Write(pcm []int16) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.meter.add(pcm)
	n.frames++
	return nil
}

// Heard returns the number of frames so far and the level of the last 200 ms.
func (n *Null) Heard() (frames uint64, l Level) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.frames, n.meter.level()
}

// Close does nothing.
func (n *Null) Close() error { return nil }
