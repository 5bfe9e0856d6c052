package codec

import (
	"errors"
	"fmt"
)

// gap is the unit of missing sound: 2.5 ms, the shortest frame of Opus.
const gap = Rate / 400

// errNoDecoder says that a Decoder was not made by NewDecoder.
var errNoDecoder = errors.New("not made by NewDecoder")

// Decoder turns one stream of Opus packets into 48 kHz mono samples, and makes
// something up where packets are missing. It is for one goroutine. Its memory
// is the garbage collector's: there is nothing to close.
type Decoder struct {
	opus opusDecoder
}

// NewDecoder makes a decoder with no past.
func NewDecoder() (*Decoder, error) {
	o, err := newDecoder()
	if err != nil {
		return nil, err
	}
	return &Decoder{opus: o}, nil
}

// Reset forgets everything heard so far, so that nothing of one speaker can
// sound through in what the next one says.
func (d *Decoder) Reset() error {
	if d.opus == nil {
		return fmt.Errorf("resetting an Opus decoder: %w", errNoDecoder)
	}
	if err := d.opus.reset(); err != nil {
		return fmt.Errorf("resetting an Opus decoder: %w", err)
	}
	return nil
}

// Decode writes the packet's sound into pcm and returns the number of samples.
// Stereo is folded down. pcm must have room for all of it: MaxSamples is always
// enough. It fails with ErrPacket on what Duration does not take.
func (d *Decoder) Decode(packet []byte, pcm []int16) (int, error) {
	n, err := d.decode(packet, pcm)
	if err != nil {
		return 0, fmt.Errorf("decoding %d bytes of Opus: %w", len(packet), err)
	}
	return n, nil
}

func (d *Decoder) decode(packet []byte, pcm []int16) (int, error) {
	samples, err := d.look(packet)
	if err != nil {
		return 0, err
	}
	if samples > len(pcm) {
		return 0, fmt.Errorf("the packet holds %d samples, there is room for %d", samples, len(pcm))
	}
	return d.opus.decode(packet, pcm, false)
}

// Conceal fills pcm with what the sound so far suggests came next. Its length
// is the length of what is missing: a multiple of 120 samples (2.5 ms), at most
// MaxSamples. It fades to silence when called again and again.
func (d *Decoder) Conceal(pcm []int16) error {
	if err := d.fill(nil, pcm); err != nil {
		return fmt.Errorf("concealing %d samples: %w", len(pcm), err)
	}
	return nil
}

// Recover fills pcm with the lost sound just before packet next, from the low
// rate copy that next carries (in-band FEC, RFC 6716, section 2.1.7). Without
// such a copy it conceals. The length of pcm is as for Conceal; next itself is
// decoded afterwards as usual.
func (d *Decoder) Recover(next []byte, pcm []int16) error {
	_, err := d.look(next)
	if err == nil {
		err = d.fill(next, pcm)
	}
	if err != nil {
		return fmt.Errorf("recovering %d samples: %w", len(pcm), err)
	}
	return nil
}

// look tells how many samples a packet holds, before libopus gets it.
func (d *Decoder) look(packet []byte) (samples int, err error) {
	if d.opus == nil {
		return 0, errNoDecoder
	}
	if len(packet) > MaxPacket {
		return 0, fmt.Errorf("more than %d bytes: %w", MaxPacket, ErrPacket)
	}
	return Duration(packet)
}

// fill makes up for missing sound, from the packet after it if there is one.
func (d *Decoder) fill(next []byte, pcm []int16) error {
	if d.opus == nil {
		return errNoDecoder
	}
	if len(pcm) == 0 || len(pcm)%gap != 0 || len(pcm) > MaxSamples {
		return fmt.Errorf("not a multiple of %d up to %d", gap, MaxSamples)
	}
	_, err := d.opus.decode(next, pcm, next != nil)
	return err
}
