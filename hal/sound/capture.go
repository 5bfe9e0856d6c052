package sound

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Capture reads 16-bit sound from a device at 48 kHz of the box's clock. Read is for one goroutine at a time; the rest may be
// called from any.
type Capture struct {
	gauge
	closed atomic.Bool

	mu        sync.Mutex // held while reading, at most a slice longer than the caller's context
	pcm       *pcm
	rs        *Resampler
	labels    labels
	count     Counters
	total     int64         // frames read since the card began
	raw       []int16       // as the card gave them
	ready     []int16       // resampled, not yet taken
	readyAt   time.Time     // of the first of them
	idle      time.Duration // waited in vain
	clockless bool
}

// OpenCapture opens a device and starts it. The error wraps one of this package's.
func OpenCapture(o Options) (*Capture, error) {
	p, err := openPCM(o, true)
	if err != nil {
		return nil, err
	}
	return newCapture(p)
}

func newCapture(p *pcm) (*Capture, error) {
	c := &Capture{pcm: p, rs: NewResampler(p.channels)}
	c.gauge.set(Counters{}, c.labels.drift.Clock())
	if err := p.start(); err != nil {
		_ = p.close()
		return nil, err
	}
	// A card has nothing yet. What is full at once, such as ALSA's file plugin, has no clock, and is read by ours.
	if avail, at, e := p.status(); e == 0 && avail >= p.buffer {
		c.clockless = true
		c.labels.base = at
	}
	return c, nil
}

// Channels is how many the device was opened with, at least as many as were asked for.
func (c *Capture) Channels() int { return c.pcm.channels }

// Period and Buffer are what the card made of the options.
func (c *Capture) Period() time.Duration { return span(int64(c.pcm.period)) }

// Buffer is how long Read may be away before sound is lost.
func (c *Capture) Buffer() time.Duration { return span(int64(c.pcm.buffer)) }

// Read waits for sound and puts at most len(dst)/Channels() frames of it into dst, interleaved. at is when the first of them
// was at the card; each is 1/48000 s after the one before, and a Read goes on where the last one ended unless sound was
// lost. It returns within 50 ms of ctx's end with its error, os.ErrClosed after Close, ErrLost when the card was unplugged,
// and ErrStalled when a card gives nothing for a second. After an error other than ctx's the capture is only good for Close.
func (c *Capture) Read(ctx context.Context, dst []int16) (n int, at time.Time, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.ready) == 0 {
		if ctx.Err() != nil {
			return 0, time.Time{}, ctx.Err()
		}
		if c.closed.Load() {
			return 0, time.Time{}, os.ErrClosed
		}
		start := time.Now()
		if err := c.fill(); err != nil {
			return 0, time.Time{}, err
		}
		// When it was we who stood still, that is not the card's fault.
		if c.idle += min(time.Since(start), 2*slice); c.idle > stuck {
			return 0, time.Time{}, fmt.Errorf("reading sound device %s: %w: it has given nothing for %v", c.pcm.spec, ErrStalled, stuck)
		}
	}
	n = copy(dst[:len(dst)/c.pcm.channels*c.pcm.channels], c.ready)
	at = c.readyAt
	c.ready = c.ready[:copy(c.ready, c.ready[n:])]
	n /= c.pcm.channels
	c.readyAt = at.Add(span(int64(n)))
	return n, at, nil
}

// fill takes what the card has, after waiting at most a slice for it.
func (c *Capture) fill() error {
	if c.clockless {
		return c.fillByClock()
	}
	ready, e := c.pcm.wait()
	if e != 0 {
		return c.mend("waiting for", e)
	}
	if !ready {
		return nil
	}
	avail, at, e := c.pcm.status()
	if e != 0 {
		return c.mend("asking", e)
	}
	if avail == 0 {
		time.Sleep(time.Millisecond) // a device that says ready and has nothing must not spin us
		return nil
	}
	if c.raw, e = c.pcm.read(c.raw[:0], avail); e != 0 {
		return c.mend("reading", e)
	}
	c.idle = 0
	c.labels.drift.Add(c.total+int64(avail), at)
	c.total += int64(len(c.raw) / c.pcm.channels)
	c.rs.SetPPM(c.labels.steer(c.rs.reads()))
	c.make()
	c.count.Dropped = uint64(c.labels.lost)
	c.gauge.set(c.count, c.labels.drift.Clock())
	return nil
}

// make resamples raw.
func (c *Capture) make() {
	c.readyAt = c.labels.next()
	c.ready = c.rs.Process(c.ready, c.raw)
	c.labels.made += int64(len(c.ready) / c.pcm.channels)
}

// fillByClock reads a period for each period of the box's clock.
func (c *Capture) fillByClock() error {
	if wait := time.Until(c.labels.next().Add(c.Period())); wait > 0 {
		time.Sleep(min(wait, slice))
		return nil
	}
	var e syscall.Errno
	if c.raw, e = c.pcm.read(c.raw[:0], c.pcm.period); e != 0 {
		return c.mend("reading", e)
	}
	if len(c.raw) > 0 {
		c.idle = 0
	}
	c.make()
	return nil
}

// mend goes on after an xrun or a suspend.
func (c *Capture) mend(doing string, e syscall.Errno) error {
	anew, err := c.pcm.mend(doing, e, &c.count)
	if anew {
		c.labels.anew()
		c.rs.Reset()
		c.total = 0
	}
	c.gauge.set(c.count, c.labels.drift.Clock())
	return err
}

// Close stops the device; a Read that waits returns within 50 ms.
func (c *Capture) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pcm.close()
}
