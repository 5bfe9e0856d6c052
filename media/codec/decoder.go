package codec

import (
	"fmt"

	"github.com/hraban/opus"
)

// Decoder turns one stream of Opus packets into 48 kHz mono samples, and makes
// something up where packets are missing. It is for one goroutine.
type Decoder struct {
	opus *opus.Decoder
}

// NewDecoder makes a decoder with no past.
func NewDecoder() (*Decoder, error) {
	d := &Decoder{}
	if err := d.Reset(); err != nil {
		return nil, err
	}
	return d, nil
}

// Reset forgets everything heard so far, so that nothing of one speaker can
// sound through in what the next one says.
func (d *Decoder) Reset() error {
	o, err := opus.NewDecoder(Rate, 1)
	if err != nil {
		return fmt.Errorf("making an Opus decoder: %w", err)
	}
	d.opus = o
	return nil
}

// Decode writes the packet's sound into pcm and returns the number of samples.
// Stereo is folded down. pcm must have room for MaxSamples.
func (d *Decoder) Decode(packet []byte, pcm []int16) (int, error) {
	n, err := d.opus.Decode(packet, clip(pcm))
	if err != nil {
		return 0, fmt.Errorf("decoding %d bytes of Opus: %w", len(packet), err)
	}
	return n, nil
}

// Conceal fills pcm with what the sound so far suggests came next. Its length
// is the length of what is missing: a multiple of 120 samples (2.5 ms), at most
// MaxSamples. It fades to silence when called again and again.
func (d *Decoder) Conceal(pcm []int16) error {
	if err := d.opus.DecodePLC(clip(pcm)); err != nil {
		return fmt.Errorf("concealing %d samples: %w", len(pcm), err)
	}
	return nil
}

// Recover fills pcm with the lost sound just before packet next, from the low
// rate copy that next carries (in-band FEC, RFC 6716, section 2.1.7). Without
// such a copy it conceals. The length of pcm is as for Conceal; next itself is
// decoded afterwards as usual.
func (d *Decoder) Recover(next []byte, pcm []int16) error {
	if err := d.opus.DecodeFEC(next, clip(pcm)); err != nil {
		return fmt.Errorf("recovering %d samples: %w", len(pcm), err)
	}
	return nil
}

// clip hides the capacity behind len(pcm): the binding fills a slice up to its
// capacity, not its length.
func clip(pcm []int16) []int16 { return pcm[:len(pcm):len(pcm)] }
