package sound

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const frame = Rate / 100

// What is written reaches the device, here ALSA's own file plugin asked for by name, sample for sample and on all channels.
func TestPlaybackWrites(t *testing.T) {
	for _, channels := range []int{1, 2, 3} {
		path := filepath.Join(t.TempDir(), "out.raw")
		p, err := OpenPlayback(Options{Device: "alsa:file:'" + path + "',raw", Channels: channels})
		if err != nil {
			t.Fatal(err)
		}
		if p.Channels() != channels || p.Period() != 10*time.Millisecond || p.Buffer() != 40*time.Millisecond {
			t.Errorf("%d channels, period %v, buffer %v", p.Channels(), p.Period(), p.Buffer())
		}
		want := make([]int16, 0, 20*frame)
		for n := range 20 {
			pcm := make([]int16, frame)
			for i := range pcm {
				pcm[i] = int16(10000 * math.Sin(float64(n*frame+i)/20))
			}
			if err := p.Write(pcm); err != nil {
				t.Fatal(err)
			}
			want = append(want, pcm...)
		}
		if c := p.Trouble(); c != (Counters{}) {
			t.Errorf("%+v", c)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		// The plugin keeps up to its own buffer back when it is closed.
		if len(b) < 2*channels*len(want)*3/4 {
			t.Fatalf("%d bytes in the file, wrote %d", len(b), 2*channels*len(want))
		}
		for i := range len(b) / 2 {
			if got := int16(binary.NativeEndian.Uint16(b[2*i:])); got != want[i/channels] {
				t.Fatalf("sample %d is %d, want %d", i, got, want[i/channels])
			}
		}
	}
}

func TestPlaybackRefuses(t *testing.T) {
	for _, device := range []string{"card:NoSuchCard", "usb:123", "path:pci-1", "alsa:plughw:CARD=NoSuchCard"} {
		p, err := OpenPlayback(Options{Device: device})
		if !errors.Is(err, ErrLost) || strings.Contains(fmt.Sprint(err), "\n") {
			t.Errorf("%s: %v, want ErrLost", device, err)
		}
		if err == nil {
			p.Close()
		}
		if _, err := OpenCapture(Options{Device: device}); !errors.Is(err, ErrLost) {
			t.Errorf("capture from %s: %v, want ErrLost", device, err)
		}
	}
	for _, o := range []Options{{}, {Device: "default"}, {Device: "alsa:null"}} {
		if _, err := OpenPlayback(o); !errors.Is(err, ErrSpec) {
			t.Errorf("%+v: %v, want ErrSpec", o, err)
		}
	}
	for _, o := range []Options{{Period: time.Microsecond}, {Buffer: time.Millisecond}, {Buffer: time.Minute}, {Channels: -1}, {Channels: 65}} {
		o.Device = "alsa:file:'/dev/null',raw"
		if _, err := OpenPlayback(o); err == nil || !strings.Contains(err.Error(), "needed") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// null opens ALSA's null plugin, which CheckSpec refuses.
func null(t *testing.T, capture bool, o Options) *pcm {
	t.Helper()
	o.Device = "null, in a test"
	p, err := openNamed("null", Card{}, o, capture)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPlaybackBounds(t *testing.T) {
	p := newPlayback(null(t, false, Options{}))
	defer p.Close()
	if err := p.Write(nil); err == nil {
		t.Error("nothing was taken")
	}
	if err := p.Write(make([]int16, Rate)); err == nil {
		t.Error("more than the buffer was taken")
	}
	for range 200 {
		if err := p.Write(make([]int16, frame)); err != nil {
			t.Fatal(err)
		}
	}
	if c := p.Clock(); c.PPM != 0 || p.free {
		t.Errorf("a device without a clock was measured: %+v", c)
	}
}

// A plugin that has everything at once is read at the pace of the box's clock.
func TestCaptureKeepsTime(t *testing.T) {
	c, err := newCapture(null(t, true, Options{Channels: 3}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.Channels() != 3 {
		t.Errorf("%d channels", c.Channels())
	}
	start := time.Now()
	var next time.Time
	total := 0
	dst := make([]int16, 7*frame+2) // the last two samples are no whole frame
	for total < 30*frame {
		n, at, err := c.Read(t.Context(), dst)
		if err != nil || n == 0 {
			t.Fatal(n, err)
		}
		if !next.IsZero() && at.Sub(next).Abs() > 50*time.Microsecond {
			t.Fatalf("frame %d came for %v, want %v", total, at, next)
		}
		next = at.Add(span(int64(n)))
		total += n
	}
	if most := frames(time.Since(start)) + 2*frame; total > most { // later is the machine's business
		t.Errorf("%d frames in %v", total, time.Since(start))
	}
}

// The file plugin as a microphone gives the samples of its file.
func TestCaptureReads(t *testing.T) {
	want := sine(1000, -6, 0, 0, Rate)
	path := filepath.Join(t.TempDir(), "in.raw")
	raw, err := binary.Append(nil, binary.LittleEndian, want)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := OpenCapture(Options{Device: fmt.Sprintf("alsa:plug:{SLAVE={type file slave.pcm null file /dev/null infile %s format raw}}", path), Channels: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var got []int16
	dst := make([]int16, frame)
	for len(got) < Rate/4 {
		n, _, err := c.Read(t.Context(), dst)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, dst[:n]...)
	}
	if ratio, level := snr(got, 1000); ratio < 80 || math.Abs(level+6) > 0.1 {
		t.Errorf("%.1f dB over all else at %.2f dBFS", ratio, level)
	}
}

func TestCaptureEnds(t *testing.T) {
	c, err := newCapture(null(t, true, Options{}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := c.Read(ctx, make([]int16, 2)); err != context.Canceled {
		t.Errorf("Read = %v", err)
	}
	done := make(chan error)
	go func() {
		for {
			if _, _, err := c.Read(t.Context(), make([]int16, 96)); err != nil {
				done <- err
				return
			}
		}
	}()
	time.Sleep(20 * time.Millisecond)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	if err := <-done; err != os.ErrClosed {
		t.Errorf("Read after Close = %v", err)
	}
}

func TestSamples(t *testing.T) {
	want := []int16{0, 1, -1, 12345, -12345, 32767, -32768}
	for _, s := range samples() {
		b := s.encode(nil, want, 2)
		got := s.decode(nil, b)
		if len(got) != 2*len(want) || len(b) != 2*s.size*len(want) {
			t.Fatalf("%+v: %d samples in %d bytes", s, len(got), len(b))
		}
		for i, v := range got {
			if v != want[i/2] {
				t.Errorf("%+v: %d instead of %d", s, v, want[i/2])
			}
		}
	}
	// Rounding, its end, and an upper byte of S24_LE that a card left dirty.
	if got := samples()[1].decode(nil, []byte{0xff, 0xff, 0xff, 0x7f, 0, 0x80, 1, 0}); got[0] != 32767 || got[1] != 2 {
		t.Errorf("32 bit: %v", got)
	}
	if got := samples()[2].decode(nil, []byte{0, 0x34, 0x12, 0xaa}); got[0] != 0x1234 {
		t.Errorf("24 bit in 32: %#x", got[0])
	}
}

func TestLimit(t *testing.T) {
	last := int16(math.MinInt16)
	for s := int32(-200_000); s <= 200_000; s += 7 {
		got := Limit(s)
		if got < last {
			t.Fatalf("Limit(%d) = %d after %d", s, got, last)
		}
		if s > -knee && s < knee && int32(got) != s {
			t.Fatalf("Limit(%d) = %d below the knee", s, got)
		}
		last = got
	}
}
