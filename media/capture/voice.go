package capture

import (
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"github.com/pion/mediadevices/pkg/io/audio"
	"github.com/pion/mediadevices/pkg/prop"
	"github.com/pion/mediadevices/pkg/wave"

	"plenum/media/codec"
)

// voice is a mediadevices driver that makes a sound like somebody speaking:
// harmonics of the pitch, lifted around 700 and 1200 Hz as an open vowel does,
// four syllables a second, and a breath after every 2.5 s. Its level is
// voiceLevel over seconds; the pitch itself is its strongest part.
type voice struct {
	pitch float64

	mu     sync.Mutex
	closed chan struct{}
}

const (
	voiceLevel  = -20.0          // dBFS RMS (full scale square = 0 dBFS)
	syllableLen = codec.Rate / 4 // samples
	sentence    = 10             // syllables before a breath
	breath      = 2              // its length in syllables
)

func newVoice(pitch float64) *voice { return &voice{pitch: pitch} }

func (v *voice) Open() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed = make(chan struct{})
	return nil
}

// Close wakes a Read that waits for its time.
func (v *voice) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed != nil {
		close(v.closed)
		v.closed = nil
	}
	return nil
}

func (v *voice) Properties() []prop.Media {
	return []prop.Media{{Audio: prop.Audio{
		ChannelCount: 1, SampleRate: codec.Rate, SampleSize: 2, IsInterleaved: true,
		Latency: 20 * time.Millisecond,
	}}}
}

// AudioRecord returns a reader of 20 ms chunks paced by the clock. When more
// than one chunk was missed they are left out, as a sound card would.
func (v *voice) AudioRecord(prop.Media) (audio.Reader, error) {
	v.mu.Lock()
	closed := v.closed
	v.mu.Unlock()
	if closed == nil {
		return nil, fmt.Errorf("test voice is not open")
	}
	table := voiceTable(v.pitch)
	shape := syllable()
	chunk := wave.NewInt16Interleaved(wave.ChunkInfo{Len: codec.Frame, Channels: 1, SamplingRate: codec.Rate})
	tick := newPacer(20 * time.Millisecond)
	return audio.ReaderFunc(func() (wave.Audio, func(), error) {
		n, ok := tick.wait(closed)
		if !ok {
			return nil, func() {}, io.EOF
		}
		at := n * codec.Frame
		for i := range chunk.Data {
			t := at + uint64(i)
			_, phase := math.Modf(float64(t) * v.pitch / codec.Rate)
			s := table[int(phase*float64(len(table)))%len(table)]
			chunk.Data[i] = int16(s * loudness(shape, t))
		}
		return chunk, func() {}, nil
	}), nil
}

// voiceTable is one period of the vowel, in sample units, scaled so that with
// the envelope the level comes out right.
func voiceTable(pitch float64) []float64 {
	table := make([]float64, 4096)
	for k := 1; float64(k)*pitch < 4000 && k <= 20; k++ {
		f := float64(k) * pitch
		gain := 0.5 * math.Pow(float64(k), -0.7) * (0.2 + formant(f, 700, 150) + 0.6*formant(f, 1200, 200))
		if k == 1 {
			gain = 1
		}
		for i := range table {
			table[i] += gain * math.Sin(2*math.Pi*float64(k*i)/float64(len(table)))
		}
	}
	var power, open float64
	for _, s := range table {
		power += s * s / float64(len(table))
	}
	for _, e := range syllable() {
		open += e * e / syllableLen * sentence / (sentence + breath)
	}
	scale := 32768 * math.Pow(10, voiceLevel/20) / math.Sqrt(power*open)
	for i := range table {
		table[i] *= scale
	}
	return table
}

func formant(f, centre, width float64) float64 {
	d := (f - centre) / width
	return math.Exp(-d * d / 2)
}

// syllable is the loudness over one syllable, 0 to 1.
func syllable() []float64 {
	e := make([]float64, syllableLen)
	for i := range e {
		e[i] = 0.1 + 0.9*math.Pow(math.Sin(math.Pi*float64(i)/syllableLen), 2)
	}
	return e
}

// loudness is the loudness at sample t: syllables, then a breath.
func loudness(shape []float64, t uint64) float64 {
	if t/syllableLen%(sentence+breath) >= sentence {
		return 0
	}
	return shape[t%syllableLen]
}
