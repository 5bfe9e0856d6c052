package codec

import (
	"errors"
	"io"
	"math"
	"testing"
	"time"

	"github.com/pion/mediadevices/pkg/codec"
	"github.com/pion/mediadevices/pkg/io/audio"
	"github.com/pion/mediadevices/pkg/prop"
	"github.com/pion/mediadevices/pkg/wave"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDuration(t *testing.T) {
	const sample = 1.0 / 48 // ms
	for _, c := range []struct {
		packet []byte
		ms     float64 // 0: not a packet
	}{
		// One frame, every configuration of RFC 6716, table 2.
		{[]byte{0 << 3}, 10}, {[]byte{1 << 3}, 20}, {[]byte{2 << 3}, 40}, {[]byte{3 << 3}, 60},
		{[]byte{4 << 3}, 10}, {[]byte{5 << 3}, 20}, {[]byte{6 << 3}, 40}, {[]byte{7 << 3}, 60},
		{[]byte{8 << 3}, 10}, {[]byte{9 << 3}, 20}, {[]byte{10 << 3}, 40}, {[]byte{11 << 3}, 60},
		{[]byte{12 << 3}, 10}, {[]byte{13 << 3}, 20}, {[]byte{14 << 3}, 10}, {[]byte{15 << 3}, 20},
		{[]byte{16 << 3}, 2.5}, {[]byte{17 << 3}, 5}, {[]byte{18 << 3}, 10}, {[]byte{19 << 3}, 20},
		{[]byte{20 << 3}, 2.5}, {[]byte{21 << 3}, 5}, {[]byte{22 << 3}, 10}, {[]byte{23 << 3}, 20},
		{[]byte{24 << 3}, 2.5}, {[]byte{25 << 3}, 5}, {[]byte{26 << 3}, 10}, {[]byte{27 << 3}, 20},
		{[]byte{28 << 3}, 2.5}, {[]byte{29 << 3}, 5}, {[]byte{30 << 3}, 10}, {[]byte{31 << 3}, 20},
		// Two frames, and a counted number (sections 3.2.3 to 3.2.5).
		{[]byte{31<<3 | 1}, 40}, {[]byte{3<<3 | 2}, 120}, {[]byte{31<<3 | 3, 6}, 120}, {[]byte{16<<3 | 3, 0x80 | 48}, 120},
		{nil, 0}, {[]byte{}, 0}, {[]byte{3}, 0}, {[]byte{3, 0}, 0}, {[]byte{31<<3 | 3, 7}, 0}, {[]byte{16<<3 | 3, 49}, 0},
	} {
		n, err := Duration(c.packet)
		if got := float64(n) * sample; err == nil && got != c.ms || (err != nil) != (c.ms == 0) || err != nil && !errors.Is(err, ErrPacket) {
			t.Errorf("Duration(% x) = %g ms, %v; want %g ms", c.packet, got, err, c.ms)
		}
	}
}

// FuzzDecode: whatever comes, the decoder survives, and where it accepts a
// packet Duration has told its length.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{0xf8, 0xff, 0xfe})
	f.Add([]byte{0x78, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Add([]byte{3, 0x81, 1, 2, 3})
	d, err := NewDecoder()
	if err != nil {
		f.Fatal(err)
	}
	pcm := make([]int16, MaxSamples)
	f.Fuzz(func(t *testing.T, packet []byte) {
		want, err := Duration(packet)
		got, decodeErr := d.Decode(packet, pcm)
		if decodeErr == nil && (err != nil || got != want) {
			t.Fatalf("decoded %d samples, Duration says %d, %v", got, want, err)
		}
		if err == nil {
			if err := d.Recover(packet, pcm[:Frame]); err != nil && decodeErr == nil {
				t.Fatal(err)
			}
		}
		if err := d.Conceal(pcm[:Frame]); err != nil {
			t.Fatal(err)
		}
	})
}

// sine is an endless source of chunks with a tone; the gain follows the clock
// of the samples.
func sine(hz float64, chunk, channels int, gain func(at int) float64) audio.Reader {
	at := 0
	return audio.ReaderFunc(func() (wave.Audio, func(), error) {
		c := wave.NewInt16Interleaved(wave.ChunkInfo{Len: chunk, Channels: channels, SamplingRate: Rate})
		for i := range chunk {
			for ch := range channels {
				c.Data[i*channels+ch] = int16(8000 * gain(at) * math.Sin(2*math.Pi*hz*float64(at)/Rate))
			}
			at++
		}
		return c, func() {}, nil
	})
}

func always(int) float64 { return 1 }

func build(t testing.TB, o Opus, r audio.Reader, channels int) codec.ReadCloser {
	t.Helper()
	e, err := o.BuildAudioEncoder(r, prop.Media{Audio: prop.Audio{SampleRate: Rate, ChannelCount: channels}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func packet(t testing.TB, e codec.ReadCloser) []byte {
	t.Helper()
	p, release, err := e.Read()
	if err != nil {
		t.Fatal(err)
	}
	release()
	return p
}

func power(pcm []int16) float64 {
	var sum float64
	for _, s := range pcm {
		sum += float64(s) * float64(s)
	}
	return sum / float64(len(pcm))
}

// Any chunk length and number of channels comes out as 20 ms of mono.
func TestEncoderFrames(t *testing.T) {
	want := 8000 * 8000 / 2.0
	for _, chunk := range []int{120, 441, 480, 960, 4800} {
		for _, channels := range []int{1, 2, 4} {
			e := build(t, Opus{}, sine(440, chunk, channels, always), channels)
			d, err := NewDecoder()
			if err != nil {
				t.Fatal(err)
			}
			var pcm []int16
			buf := make([]int16, MaxSamples)
			for range 50 {
				n, err := d.Decode(packet(t, e), buf)
				if err != nil || n != Frame {
					t.Fatalf("chunk %d: %d samples, %v", chunk, n, err)
				}
				pcm = append(pcm, buf[:n]...)
			}
			if got := power(pcm[Rate/5:]); got < want*0.8 || got > want*1.2 {
				t.Errorf("chunk %d, %d channels: power %.0f, want %.0f", chunk, channels, got, want)
			}
		}
	}
}

func TestAppendMono(t *testing.T) {
	info := wave.ChunkInfo{Len: 2, Channels: 2, SamplingRate: Rate}
	i16 := &wave.Int16Interleaved{Data: []int16{-32768, -32768, 100, 300}, Size: info}
	f32 := &wave.Float32Interleaved{Data: []float32{-1, -1, 1, 1}, Size: info}
	for _, c := range []struct {
		chunk wave.Audio
		want  [2]int16
	}{{i16, [2]int16{-32768, 200}}, {f32, [2]int16{-32768, 32767}}} {
		got, err := appendMono(nil, c.chunk)
		if err != nil || [2]int16(got) != c.want {
			t.Errorf("%T: %v, %v; want %v", c.chunk, got, err, c.want)
		}
	}
	if _, err := appendMono(nil, wave.NewInt16NonInterleaved(info)); err == nil {
		t.Error("an unknown form was accepted")
	}
}

func TestEncoderRefusesAndEnds(t *testing.T) {
	o := Opus{}
	if _, err := o.BuildAudioEncoder(sine(1, 1, 1, always), prop.Media{Audio: prop.Audio{SampleRate: 44100}}); err == nil {
		t.Error("44.1 kHz was accepted")
	}
	e := build(t, Opus{}, sine(440, Frame, 1, always), 1)
	packet(t, e)
	if err := e.Controller().(codec.BitRateController).SetBitRate(64000); err != nil {
		t.Error(err)
	}
	e.Close()
	if _, release, err := e.Read(); err != io.EOF || release == nil {
		t.Errorf("Read after Close: %v", err)
	}
	lost := errors.New("unplugged")
	broken := audio.ReaderFunc(func() (wave.Audio, func(), error) { return nil, func() {}, lost })
	if _, _, err := build(t, Opus{}, broken, 1).Read(); !errors.Is(err, lost) {
		t.Errorf("a lost device gives %v", err)
	}
	if c := o.RTPCodec(); c.ClockRate != Rate || c.Latency != 20*time.Millisecond || c.MimeType != "audio/opus" {
		t.Errorf("codec %+v", c)
	}
}

// A word begins in a lost packet: FEC has it, concealment cannot know. And
// concealment of a running tone carries it on, then fades.
func TestLoss(t *testing.T) {
	begin := 20 * Frame
	step := func(at int) float64 {
		if at < begin {
			return 0.02
		}
		return 1
	}
	e := build(t, Opus{Loss: 30}, sine(200, Frame, 1, step), 1)
	var packets [][]byte
	for range 40 {
		packets = append(packets, packet(t, e))
	}
	lost := begin/Frame + 1
	heard := func(recover func(d *Decoder, pcm []int16) error) float64 {
		d, err := NewDecoder()
		if err != nil {
			t.Fatal(err)
		}
		pcm := make([]int16, MaxSamples)
		for _, p := range packets[:lost] {
			if _, err := d.Decode(p, pcm); err != nil {
				t.Fatal(err)
			}
		}
		if err := recover(d, pcm[:Frame]); err != nil {
			t.Fatal(err)
		}
		return power(pcm[:Frame])
	}
	fec := heard(func(d *Decoder, pcm []int16) error { return d.Recover(packets[lost+1], pcm) })
	want := 8000 * 8000 / 2.0
	if fec < want/4 || fec > want*2 {
		t.Errorf("FEC brings back a power of %.0f, want %.0f", fec, want)
	}

	d, err := NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	pcm := make([]int16, MaxSamples)
	for _, p := range packets {
		if _, err := d.Decode(p, pcm); err != nil {
			t.Fatal(err)
		}
	}
	var levels []float64
	for range 10 {
		if err := d.Conceal(pcm[:Frame]); err != nil {
			t.Fatal(err)
		}
		levels = append(levels, power(pcm[:Frame]))
	}
	if levels[0] < want/2 || levels[9] > want/100 {
		t.Errorf("concealment goes from %.0f to %.0f, want from about %.0f to silence", levels[0], levels[9], want)
	}
	if err := d.Reset(); err != nil {
		t.Fatal(err)
	}
	if err := d.Conceal(pcm[:Frame]); err != nil || power(pcm[:Frame]) != 0 {
		t.Errorf("a reset decoder remembers: %v", err)
	}
}

func BenchmarkEncode(b *testing.B) {
	e := build(b, Opus{}, sine(200, Frame, 1, always), 1)
	for b.Loop() {
		packet(b, e)
	}
}

func BenchmarkDecode(b *testing.B) {
	p := packet(b, build(b, Opus{}, sine(200, Frame, 1, always), 1))
	d, err := NewDecoder()
	if err != nil {
		b.Fatal(err)
	}
	pcm := make([]int16, MaxSamples)
	for b.Loop() {
		if _, err := d.Decode(p, pcm); err != nil {
			b.Fatal(err)
		}
	}
}
