package codec

import (
	"bytes"
	"errors"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pion/mediadevices/pkg/codec"
	"github.com/pion/mediadevices/pkg/prop"
)

// Whatever a decoder is given wrongly, it says what is wrong, and goes on as if nothing had happened.
func TestDecoderRefuses(t *testing.T) {
	good := packet(t, build(t, Opus{}, sine(440, Frame, 1, always), 1))
	long := append([]byte{31<<3 | 3, 6}, make([]byte, MaxPacket)...) // 120 ms, one byte too many and more
	garbage := append([]byte{31<<3 | 2, 0xff, 0xff}, 1, 2, 3)        // two frames, of which the first is longer than all
	pcm := make([]int16, 2*MaxSamples)
	d, err := NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	other := &Decoder{}
	decode := func(d *Decoder, packet []byte, pcm []int16) func() error {
		return func() error { _, err := d.Decode(packet, pcm); return err }
	}
	recovers := func(d *Decoder, packet []byte, pcm []int16) func() error {
		return func() error { return d.Recover(packet, pcm) }
	}
	conceal := func(d *Decoder, pcm []int16) func() error { return func() error { return d.Conceal(pcm) } }
	for _, c := range []struct {
		name   string
		do     func() error
		packet bool   // it is ErrPacket
		says   string // in the error
	}{
		{"Decode(nil)", decode(d, nil, pcm), true, "decoding 0 bytes of Opus: empty"},
		{"Decode of nothing", decode(d, []byte{}, pcm), true, "decoding 0 bytes of Opus: empty"},
		{"Decode half a head", decode(d, []byte{3}, pcm), true, "frame count missing"},
		{"Decode too many bytes", decode(d, long, pcm), true, "more than 1472 bytes"},
		{"Decode garbage", decode(d, garbage, pcm), false, "decoding 6 bytes of Opus: corrupted stream"},
		{"Decode to nil", decode(d, good, nil), false, "holds 960 samples, there is room for 0"},
		{"Decode to nothing", decode(d, good, pcm[:0]), false, "holds 960 samples, there is room for 0"},
		{"Decode to too little", decode(d, good, pcm[:Frame-1]), false, "holds 960 samples, there is room for 959"},
		{"Recover(nil)", recovers(d, nil, pcm[:Frame]), true, "recovering 960 samples: empty"},
		{"Recover from nothing", recovers(d, []byte{}, pcm[:Frame]), true, "recovering 960 samples: empty"},
		{"Recover from too many bytes", recovers(d, long, pcm[:Frame]), true, "more than 1472 bytes"},
		{"Recover from garbage", recovers(d, garbage, pcm[:Frame]), false, "recovering 960 samples: corrupted stream"},
		{"Recover to nil", recovers(d, good, nil), false, "not a multiple of 120 up to 5760"},
		{"Recover to nothing", recovers(d, good, pcm[:0]), false, "recovering 0 samples"},
		{"Recover an odd length", recovers(d, good, pcm[:Frame+1]), false, "recovering 961 samples: not a multiple"},
		{"Recover too much", recovers(d, good, pcm[:MaxSamples+gap]), false, "recovering 5880 samples: not a multiple"},
		{"Conceal(nil)", conceal(d, nil), false, "concealing 0 samples: not a multiple of 120 up to 5760"},
		{"Conceal nothing", conceal(d, pcm[:0]), false, "concealing 0 samples"},
		{"Conceal an odd length", conceal(d, pcm[:119]), false, "concealing 119 samples: not a multiple"},
		{"Conceal too much", conceal(d, pcm[:MaxSamples+gap]), false, "concealing 5880 samples: not a multiple"},
		{"Conceal what no stack holds", conceal(d, make([]int16, 30_000*gap)), false, "not a multiple of 120 up to 5760"},
		{"Decode with no decoder", decode(other, good, pcm), false, "not made by NewDecoder"},
		{"Recover with no decoder", recovers(other, good, pcm[:Frame]), false, "not made by NewDecoder"},
		{"Conceal with no decoder", conceal(other, pcm[:Frame]), false, "not made by NewDecoder"},
		{"Reset with no decoder", other.Reset, false, "not made by NewDecoder"},
	} {
		err := c.do()
		if err == nil || errors.Is(err, ErrPacket) != c.packet || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; want %q, not a packet: %v", c.name, err, c.says, c.packet)
		}
	}
	if n, err := d.Decode(good, pcm[:Frame]); n != Frame || err != nil {
		t.Errorf("after all that a good packet gives %d samples, %v", n, err)
	}
}

func TestEncoderRefusesSettings(t *testing.T) {
	media := prop.Media{Audio: prop.Audio{SampleRate: Rate, ChannelCount: 1}}
	for _, c := range []struct {
		o    Opus
		says string
	}{
		{Opus{BitRate: 499}, "499 bit/s: it takes 500 to 512000"},
		{Opus{BitRate: 512_001}, "512001 bit/s"},
		{Opus{BitRate: -1}, "-1 bit/s"}, // libopus would take it for "as much as there is room for"
		{Opus{BitRate: math.MaxInt32 + 32_001}, "bit/s: it takes"},
		{Opus{Loss: 101}, "101 % loss: it takes 0 to 100"},
		{Opus{Loss: math.MaxInt32}, "2147483647 % loss"},
	} {
		if e, err := c.o.BuildAudioEncoder(sine(440, Frame, 1, always), media); err == nil || e != nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v, want %q", c.o, err, c.says)
		}
	}
	for _, o := range []Opus{{BitRate: 500}, {BitRate: 512_000}, {Loss: 100}, {Loss: -1}} {
		packet(t, build(t, o, sine(440, Frame, 1, always), 1))
	}

	e, err := newEncoder()
	if err != nil {
		t.Fatal(err)
	}
	pcm, to := make([]int16, 2*MaxSamples), make([]byte, MaxPacket)
	for _, c := range []struct {
		pcm []int16
		to  []byte
	}{{nil, to}, {pcm[:0], to}, {pcm[:Frame-1], to}, {pcm[:119], to}, {pcm[:MaxSamples+gap], to}, {pcm, to}, {pcm[:Frame], nil}, {pcm[:Frame], to[:0]}} {
		if n, err := e.encode(c.pcm, c.to); err == nil || n != 0 || !strings.Contains(err.Error(), "encoding "+strconv.Itoa(len(c.pcm))+" samples") {
			t.Errorf("%d samples into %d bytes: %d, %v", len(c.pcm), len(c.to), n, err)
		}
	}
}

func TestEncoderClosed(t *testing.T) {
	e := build(t, Opus{}, sine(440, Frame, 1, always), 1)
	rate := e.Controller().(codec.BitRateController)
	if err := rate.SetBitRate(1); err == nil {
		t.Error("1 bit/s was taken")
	}
	for range 2 {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := rate.SetBitRate(64000); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("SetBitRate after Close: %v", err)
	}
}

// The bit rate is what was asked for, not only accepted.
func TestEncoderBitRate(t *testing.T) {
	e := build(t, Opus{BitRate: 16000}, sine(440, Frame, 1, always), 1)
	bits := func() (sum int) {
		for range 50 {
			sum += 8 * len(packet(t, e))
		}
		return sum
	}
	bits()
	low := bits()
	if err := e.Controller().(codec.BitRateController).SetBitRate(64000); err != nil {
		t.Fatal(err)
	}
	bits()
	if high := bits(); low < 8000 || low > 24000 || high < 32000 || high > 96000 {
		t.Errorf("%d bit in a second, after SetBitRate %d; want about 16000 and 64000", low, high)
	}
}

// A decoder that was reset is as good as a new one, to the bit, and costs no memory.
func TestReset(t *testing.T) {
	tone := func(hz float64) (all [][]byte) {
		e := build(t, Opus{}, sine(hz, Frame, 1, always), 1)
		for range 10 {
			all = append(all, packet(t, e))
		}
		return all
	}
	one, next := tone(200), tone(1000)
	sound := func(d *Decoder, packets [][]byte) (all []int16) {
		pcm := make([]int16, MaxSamples)
		for _, p := range packets {
			n, err := d.Decode(p, pcm)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, pcm[:n]...)
			if err := d.Conceal(pcm[:Frame]); err != nil {
				t.Fatal(err)
			}
			all = append(all, pcm[:Frame]...)
		}
		return all
	}
	fresh, err := NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	used, err := NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	want := sound(fresh, next)
	sound(used, one)
	if n := testing.AllocsPerRun(10, func() { err = errors.Join(err, used.Reset()) }); n != 0 || err != nil {
		t.Errorf("a reset makes %g things on the heap, %v", n, err)
	}
	if !slices.Equal(sound(used, next), want) {
		t.Error("a decoder that was reset gives other samples than a new one")
	}
}

// resident is the memory of this process, in bytes: C's as well as Go's.
func resident(t *testing.T) int {
	t.Helper()
	debug.FreeOSMemory()
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(string(bytes.Fields(raw)[1]))
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// Encoders and decoders that nobody closes leave nothing behind.
func TestNothingLeaks(t *testing.T) {
	const many = 3000
	media := prop.Media{Audio: prop.Audio{SampleRate: Rate, ChannelCount: 1}}
	pcm := make([]int16, Frame)
	turn := func() (size int) {
		e, err := (&Opus{}).BuildAudioEncoder(sine(440, Frame, 1, always), media)
		if err != nil {
			t.Fatal(err)
		}
		d, err := NewDecoder()
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(d.Conceal(pcm), d.Reset()); err != nil {
			t.Fatal(err)
		}
		return 8 * (len(d.opus) + len(e.(*encoder).opus))
	}
	turns := func(n int) (size int) {
		for i := range n {
			size += turn()
			if i%100 == 0 {
				runtime.GC() // else how far the heap swells depends on how busy the machine is
			}
		}
		return size
	}
	turns(many / 10)
	before := resident(t)
	size := turns(many)
	if size < many*20_000 {
		t.Fatalf("%d encoders and decoders are said to be %d bytes: this proves nothing", many, size)
	}
	if grown := resident(t) - before; grown > size/8 {
		t.Errorf("%d encoders and decoders of %d bytes left %d behind", many, size, grown)
	}
}

// FuzzRoom: whatever comes and whatever room there is, nothing is written behind it, be there capacity or not.
func FuzzRoom(f *testing.F) {
	f.Add([]byte{0xf8, 0xff, 0xfe}, uint16(Frame))
	f.Add([]byte{0xf8, 0xff, 0xfe}, uint16(Frame-1))
	f.Add([]byte{3<<3 | 1, 0xff, 0xfe}, uint16(gap))
	f.Add([]byte{}, uint16(0))
	f.Add([]byte{31<<3 | 3, 6, 1, 2, 3, 4, 5, 6}, uint16(MaxSamples))
	d, err := NewDecoder()
	if err != nil {
		f.Fatal(err)
	}
	const mark = -12345
	pcm := make([]int16, 3*MaxSamples)
	f.Fuzz(func(t *testing.T, packet []byte, room uint16) {
		room %= 2 * MaxSamples
		behind := pcm[room:]
		for i := range behind {
			behind[i] = mark
		}
		n, err := d.Decode(packet, pcm[:room])
		if n < 0 || n > int(room) || err != nil && n != 0 {
			t.Fatalf("%d samples in room for %d, %v", n, room, err)
		}
		fits := room > 0 && room <= MaxSamples && room%gap == 0
		if err := d.Conceal(pcm[:room]); (err == nil) != fits {
			t.Fatalf("concealing %d samples: %v", room, err)
		}
		if err := d.Recover(packet, pcm[:room]); err == nil && !fits {
			t.Fatalf("recovering %d samples was no error", room)
		}
		if i := slices.IndexFunc(behind, func(s int16) bool { return s != mark }); i >= 0 {
			t.Fatalf("sample %d behind %d was written", i, room)
		}
	})
}
