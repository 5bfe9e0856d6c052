package codec

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/pion/mediadevices/pkg/codec"
	"github.com/pion/mediadevices/pkg/io/audio"
	"github.com/pion/mediadevices/pkg/prop"
	"github.com/pion/mediadevices/pkg/wave"
)

var errClosed = errors.New("the Opus encoder is closed")

// Opus builds Opus encoders for pion/mediadevices (its AudioEncoderBuilder).
// mediadevices' own Opus encoder cannot send in-band FEC, with which a listener
// on a bad line hears words instead of gaps, so this one takes its place.
type Opus struct {
	BitRate int // bit/s; 0 means 32000: full-band speech
	Loss    int // expected packet loss in percent, steers how much FEC is sent; 0 means 5, -1 none
}

// RTPCodec describes the stream: clock 48 kHz, payload type 111, 20 ms packets.
func (o *Opus) RTPCodec() *codec.RTPCodec {
	c := codec.NewRTPOpusCodec(Rate)
	c.Latency = 20 * time.Millisecond
	return c
}

// BuildAudioEncoder makes an encoder that reads 48 kHz sound from r, any number
// of channels (averaged) and any chunk length, and gives one packet for each
// 20 ms. It fails when the source's rate is not 48 kHz.
func (o *Opus) BuildAudioEncoder(r audio.Reader, p prop.Media) (codec.ReadCloser, error) {
	if p.SampleRate != Rate {
		return nil, fmt.Errorf("the sound source runs at %d Hz, wanted %d Hz", p.SampleRate, Rate)
	}
	rate, loss := o.BitRate, o.Loss
	if rate == 0 {
		rate = 32000
	}
	if loss == 0 {
		loss = 5
	}
	e, err := newEncoder()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(e.setBitRate(rate), e.setLoss(max(loss, 0))); err != nil {
		return nil, err
	}
	return &encoder{reader: r, packet: make([]byte, MaxPacket), opus: e}, nil
}

type encoder struct {
	reader audio.Reader
	packet []byte

	mu   sync.Mutex  // Read may be running when Close is called
	opus opusEncoder // nil after Close
	pcm  []int16
}

// Read gives the next packet; it is the caller's to keep.
func (e *encoder) Read() ([]byte, func(), error) {
	for len(e.pcm) < Frame {
		chunk, release, err := e.reader.Read()
		if err != nil {
			return nil, func() {}, err
		}
		e.pcm, err = appendMono(e.pcm, chunk)
		release()
		if err != nil {
			return nil, func() {}, err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.opus == nil {
		return nil, func() {}, io.EOF
	}
	n, err := e.opus.encode(e.pcm[:Frame], e.packet)
	e.pcm = append(e.pcm[:0], e.pcm[Frame:]...)
	if err != nil {
		return nil, func() {}, err
	}
	return slices.Clone(e.packet[:n]), func() {}, nil
}

// appendMono averages the channels of a chunk into pcm. The two interleaved
// forms are taken by their data: the common one costs a copy only, and the
// package's own conversion puts full scale of float twice as high as of int16.
func appendMono(pcm []int16, chunk wave.Audio) ([]int16, error) {
	n := chunk.ChunkInfo().Channels
	switch c := chunk.(type) {
	case *wave.Int16Interleaved:
		if n == 1 {
			return append(pcm, c.Data...), nil
		}
		for frame := range slices.Chunk(c.Data, n) {
			sum := 0
			for _, s := range frame {
				sum += int(s)
			}
			pcm = append(pcm, int16(sum/n))
		}
	case *wave.Float32Interleaved:
		for frame := range slices.Chunk(c.Data, n) {
			var sum float32
			for _, s := range frame {
				sum += s
			}
			pcm = append(pcm, int16(min(max(sum/float32(n)*32768, -32768), 32767)))
		}
	default:
		return pcm, fmt.Errorf("sound as %T is not supported, want interleaved int16 or float32", chunk)
	}
	return pcm, nil
}

// SetBitRate changes the bit rate, in bit/s (mediadevices' BitRateController).
func (e *encoder) SetBitRate(rate int) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.opus == nil {
		return errClosed
	}
	return e.opus.setBitRate(rate)
}

// Controller gives access to SetBitRate.
func (e *encoder) Controller() codec.EncoderController { return e }

// Close ends reading. The memory is the garbage collector's, with or without
// it.
func (e *encoder) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.opus = nil
	return nil
}
