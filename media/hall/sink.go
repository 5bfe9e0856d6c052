package hall

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"plenum/hal/sound"
)

// ErrSink says that a sink's description is not understood.
var ErrSink = errors.New("unknown sound output")

// Spec describes a sink. Period and Buffer are a sound card's: how often it wakes us, 10 ms, and how much it
// holds, 40 ms; half of that is heard as delay.
type Spec struct {
	Device string
	Period time.Duration
	Buffer time.Duration
}

// OpenSink opens a sink:
//
//	card:Hall, usb:SERIAL, path:NAME, alsa:PCM  a sound card, see sound.CheckSpec
//	wav:/var/lib/plenum/hall.wav                a WAV file, bounded, see WAV
//	null                                        nothing; the level is still measured
//
// There is no default device, for sound that goes nowhere looks like sound.
func OpenSink(s Spec) (Sink, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	if s.Device == "null" {
		return NewNull(), nil
	}
	if path, ok := strings.CutPrefix(s.Device, "wav:"); ok {
		return OpenWAV(path, wavLimit)
	}
	return openCard(s.options())
}

func (s Spec) options() sound.Options {
	if s.Buffer == 0 {
		s.Buffer = 4 * max(s.Period, FrameTime)
	}
	return sound.Options{Device: s.Device, Period: s.Period, Buffer: s.Buffer}
}

// Check says what could never work, without opening anything.
func (s Spec) Check() error {
	if err := CheckSink(s.Device); err != nil {
		return err
	}
	if err := s.options().Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrSink, err)
	}
	return nil
}

// CheckSink says whether OpenSink understands a device, without opening anything. The error wraps ErrSink and names what is
// possible.
func CheckSink(device string) error {
	path, wav := strings.CutPrefix(device, "wav:")
	switch {
	case device == "null" || wav && filepath.IsAbs(path):
		return nil
	case wav:
		return fmt.Errorf("%w %q: after wav: there must be an absolute path", ErrSink, device)
	}
	if err := sound.CheckSpec(device); err != nil {
		return fmt.Errorf("%w: %w; also possible are wav:/path/to/file.wav and null (nowhere)", ErrSink, err)
	}
	return nil
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
