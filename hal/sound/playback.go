package sound

import (
	"fmt"
	"syscall"
	"time"
)

// Playback plays 16-bit mono sound on one device, fed at 48 kHz of the box's clock. Its methods are for one goroutine, but
// for Trouble and Clock.
type Playback struct {
	gauge
	pcm     *pcm
	rs      *Resampler
	level   level
	count   Counters
	written int64     // frames since the card began
	out     []int16   // resampled
	first   bool      // nothing was written yet
	free    bool      // the device has a clock of its own to follow
	full    time.Time // since when the card takes nothing
	refused int       // samples since then
}

// OpenPlayback opens a device. A card with more channels plays the same on all of them. Sound starts when the buffer is half
// full and a period, and the buffer is kept there; what was written is heard about so much later. The error wraps one of this
// package's.
func OpenPlayback(o Options) (*Playback, error) {
	p, err := openPCM(o, false)
	if err != nil {
		return nil, err
	}
	return newPlayback(p), nil
}

func newPlayback(p *pcm) *Playback {
	play := &Playback{pcm: p, rs: NewResampler(1), level: level{target: p.startAt(), slack: p.period / 2}, first: true}
	play.gauge.set(Counters{}, play.level.drift.Clock())
	return play
}

// Name is the device as it was asked for.
func (p *Playback) Name() string { return p.pcm.spec }

// Channels is how many the device was opened with.
func (p *Playback) Channels() int { return p.pcm.channels }

// Period and Buffer are what the card made of the options.
func (p *Playback) Period() time.Duration { return span(int64(p.pcm.period)) }

// Buffer is how much the card holds at most.
func (p *Playback) Buffer() time.Duration { return span(int64(p.pcm.buffer)) }

// Write plays samples, at most a quarter of the buffer, best a period. It is to be called at the pace of the box's clock and
// does not block: what comes when the buffer is full is dropped and counted, and so is what a burst leaves in it. A card that ran dry or was suspended starts
// again. It fails with ErrLost when the card was unplugged and with ErrStalled when it takes nothing for a second.
func (p *Playback) Write(mono []int16) error {
	if len(mono) == 0 || len(mono) > p.pcm.buffer/2 {
		return fmt.Errorf("writing %d samples to sound device %s: 1 to %d are possible", len(mono), p.pcm.spec, p.pcm.buffer/2)
	}
	defer func() { p.gauge.set(p.count, p.level.drift.Clock()) }()
	avail, at, e := p.pcm.status()
	if e != 0 {
		anew, err := p.mend("asking", e)
		if err != nil {
			return err
		}
		if !anew {
			return p.drop(len(mono))
		}
		avail = p.pcm.buffer
	}
	if avail < len(mono)+1 {
		return p.drop(len(mono))
	}
	p.full = time.Time{}
	if p.level.over(len(mono)) {
		p.count.Dropped += uint64(len(mono))
		return nil
	}
	if queued := p.pcm.buffer - avail; p.free && p.written > int64(queued) {
		p.rs.SetPPM(p.level.steer(p.written-int64(queued), queued+len(mono), at))
	}
	p.out = p.rs.Process(p.out[:0], mono)
	return p.put(p.out)
}

// put writes what was resampled; a second try follows a device that was mended.
func (p *Playback) put(out []int16) error {
	for range 2 {
		n, e := p.pcm.write(out)
		if e == 0 {
			p.written += int64(n)
			p.count.Dropped += uint64(len(out) - n)
			if p.first {
				// What is empty right after a write, such as ALSA's null plugin, has no clock.
				avail, _, e := p.pcm.status()
				p.first, p.free = false, e == 0 && avail < p.pcm.buffer
			}
			return nil
		}
		if _, err := p.mend("writing to", e); err != nil {
			return err
		}
	}
	return p.drop(len(out))
}

// mend goes on after an xrun or a suspend.
func (p *Playback) mend(doing string, e syscall.Errno) (anew bool, err error) {
	anew, err = p.pcm.mend(doing, e, &p.count)
	if anew {
		p.level.anew()
		p.written = 0
	}
	return anew, err
}

func (p *Playback) drop(n int) error {
	p.count.Dropped += uint64(n)
	if p.full.IsZero() {
		p.full, p.refused = time.Now(), 0
	}
	// Both, since much may come at once when it was the caller who stood still.
	if p.refused += n; time.Since(p.full) > stuck && p.refused > frames(stuck) {
		return fmt.Errorf("writing to sound device %s: %w: it has taken nothing for %v", p.pcm.spec, ErrStalled, stuck)
	}
	return nil
}

// Close stops at once; what is still in the buffer is not played.
func (p *Playback) Close() error { return p.pcm.close() }
