package hall

import (
	"context"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/pion/mediadevices/pkg/io/audio"
	"github.com/pion/mediadevices/pkg/prop"
	"github.com/pion/mediadevices/pkg/wave"
	"github.com/pion/rtp"
	"go.uber.org/goleak"

	"plenum/media/codec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// speech is n Opus packets of 20 ms with a tone of the given frequency in Hz
// and level in dBFS RMS.
func speech(t testing.TB, hz, level float64, n int) [][]byte {
	t.Helper()
	at := 0
	amplitude := 32768 * math.Sqrt2 * math.Pow(10, level/20)
	tone := audio.ReaderFunc(func() (wave.Audio, func(), error) {
		c := wave.NewInt16Interleaved(wave.ChunkInfo{Len: codec.Frame, Channels: 1, SamplingRate: codec.Rate})
		for i := range c.Data {
			c.Data[i] = int16(amplitude * math.Sin(2*math.Pi*hz*float64(at)/codec.Rate))
			at++
		}
		return c, func() {}, nil
	})
	e, err := (&codec.Opus{Loss: 20}).BuildAudioEncoder(tone, prop.Media{Audio: prop.Audio{SampleRate: codec.Rate, ChannelCount: 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	packets := make([][]byte, n)
	for i := range packets {
		if packets[i], _, err = e.Read(); err != nil {
			t.Fatal(err)
		}
	}
	return packets
}

// header of packet i of a stream of 20 ms packets.
func header(ssrc uint32, i int) *rtp.Header {
	return &rtp.Header{
		Version: 2, PayloadType: 111, SSRC: ssrc,
		SequenceNumber: uint16(65530 + i),
		Timestamp:      uint32(i)*codec.Frame + math.MaxUint32 - 2000, // wraps early
	}
}

// tape is a sink paced by the clock that keeps everything.
type tape struct {
	clock
	mu  sync.Mutex
	pcm []int16
}

func newTape() *tape { return &tape{clock: clock{period: FrameTime}} }

func (r *tape) Write(pcm []int16) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pcm = append(r.pcm, pcm...)
	return nil
}

func (r *tape) Close() error { return nil }

// start runs a playout onto a tape; stop ends it and returns the sound.
func start(t *testing.T, voices int) (p *Playout, stop func() []int16) {
	t.Helper()
	r := newTape()
	p, err := NewPlayout(Options{Open: func() (Sink, error) { return r, nil }, Voices: voices})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	time.Sleep(FrameTime / 2) // between two frames of the sink
	return p, func() []int16 {
		cancel()
		if err := <-done; err != context.Canceled {
			t.Errorf("Run = %v", err)
		}
		return r.pcm
	}
}

// rms in dBFS.
func rms(pcm []int16) float64 {
	var sum float64
	for _, s := range pcm {
		sum += float64(s) * float64(s)
	}
	return decibels(sum / float64(len(pcm)))
}

// tone is the RMS of one frequency in dBFS.
func tone(pcm []int16, hz float64) float64 {
	const window = codec.Rate / 10
	var power float64
	n := 0
	for at := 0; at+window <= len(pcm); at += window {
		var re, im float64
		for i, s := range pcm[at : at+window] {
			hann := 1 - math.Cos(2*math.Pi*float64(i)/window)
			sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / codec.Rate)
			re += float64(s) * hann * cos
			im += float64(s) * hann * sin
		}
		power += 2 * (re*re + im*im) / (window * window)
		n++
	}
	return decibels(power / float64(n))
}

// onset is the first sample that is not silence.
func onset(pcm []int16) int {
	for i, s := range pcm {
		if s > 300 || s < -300 {
			return i
		}
	}
	return len(pcm)
}
