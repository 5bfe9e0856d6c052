// Package sound is the box's sound cards, through ALSA: capture, playback, which cards there are, and how fast their clocks
// run beside the box's own.
//
// A card is chosen by a name that stays (its ALSA id, its USB serial number, where it is plugged in), never by its number
// and never by "whatever there is". A card that is gone is an error: neither capture nor playback ever puts silence in its
// place. Whoever reads gets samples at 48 kHz of the box's clock and whoever plays gives them so; how far the card's crystal
// is off is measured and resampled away.
package sound

import (
	"errors"
	"fmt"
	"time"
)

// Rate is the sample rate of all sound of the house, in Hz of the box's clock.
const Rate = 48000

// Errors of this package. Each comes wrapped in one line that says what to do.
var (
	// ErrSpec: the words that choose a device are not understood, or would take one by accident.
	ErrSpec = errors.New("not a sound device")
	// ErrLost: the device is gone: unplugged, or never there.
	ErrLost = errors.New("sound device is not there")
	// ErrPermission: the user may not open the device.
	ErrPermission = errors.New("no permission: the daemon's user must be in the group of /dev/snd, usually audio")
	// ErrBusy: somebody else holds the device.
	ErrBusy = errors.New("in use: by another program (see fuser -v /dev/snd/*) or by a second entry of the configuration")
	// ErrFormat: the device has not the direction, the channels or the rate that is needed. The text says what it has.
	ErrFormat = errors.New("sound format not possible")
	// ErrStalled: the device is there, but neither gives nor takes sound.
	ErrStalled = errors.New("sound device stands still")
)

const (
	// stuck is how long a device may give or take nothing.
	stuck = time.Second
	// slice is the longest wait inside ALSA. It bounds how long an end of the context goes unseen.
	slice = 50 * time.Millisecond
)

// Options choose and describe a device. Zero means the default.
type Options struct {
	Device string // see CheckSpec; needed
	// Channels is how many are needed. A capture card with more is opened with the fewest it has above that; the rest is
	// read and can be left alone. 0: two, or as near to it as the card has.
	Channels int
	Period   time.Duration // how often the card wakes us, 10 ms
	Buffer   time.Duration // how long we may be away before sound is lost, 40 ms
}

// Check says whether the times and the channels can be, not whether there is such a device.
func (o Options) Check() error {
	_, err := o.complete()
	return err
}

func (o Options) complete() (Options, error) {
	if o.Period == 0 {
		o.Period = 10 * time.Millisecond
	}
	if o.Buffer == 0 {
		o.Buffer = 4 * o.Period
	}
	if o.Period < time.Millisecond || o.Buffer < 2*o.Period || o.Buffer > 2*time.Second || o.Channels < 0 || o.Channels > maxChannels {
		return o, fmt.Errorf("sound device %s with a period of %v, a buffer of %v and %d channels: a period from 1ms, a buffer of at least two periods and at most 2s, and 0 to %d channels are needed",
			o.Device, o.Period, o.Buffer, o.Channels, maxChannels)
	}
	return o, nil
}

// maxChannels bounds what we ask of a card; the largest mixers have 64.
const maxChannels = 64

// Counters are the troubles of a device since it was opened.
type Counters struct {
	XRuns    uint64 // times the buffer ran over (capture) or dry (playback)
	Suspends uint64 // times the device was suspended under us
	Dropped  uint64 // frames lost: not read in time, or not taken by the card
}

// Clock is how fast a card runs beside the box's monotonic clock.
type Clock struct {
	PPM   float64       // parts per million, above zero: the card is fast
	Sigma float64       // standard error of PPM; 100 and more: nothing is known yet
	Over  time.Duration // span of the present measurement; what was known before a standstill counts in Sigma only
}

// Hz is the card's true rate when it claims 48 kHz.
func (c Clock) Hz() float64 { return Rate * (1 + c.PPM/1e6) }

// frames turns a duration into frames at 48 kHz.
func frames(d time.Duration) int { return int(d * Rate / time.Second) }

// span turns frames at 48 kHz into a duration, also those of weeks.
func span(n int64) time.Duration {
	return time.Duration(n/Rate)*time.Second + time.Duration(n%Rate)*time.Second/Rate
}
