package sound

import (
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const frame = Rate / 100

// What is written reaches the device, here ALSA's own file plugin asked for by
// name, sample for sample.
func TestPlaybackWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.raw")
	p, err := OpenPlayback("file:'"+path+"',raw", frame)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]int16, 0, 20*frame)
	pcm := make([]int16, frame)
	for n := range 20 {
		ready, err := p.Wait(time.Second)
		if err != nil || !ready {
			t.Fatalf("frame %d: ready %v, %v", n, ready, err)
		}
		for i := range pcm {
			pcm[i] = int16(10000 * math.Sin(float64(n*frame+i)/20))
		}
		if err := p.Write(pcm); err != nil {
			t.Fatal(err)
		}
		want = append(want, pcm...)
	}
	if xruns, dropped := p.Trouble(); xruns != 0 || dropped != 0 {
		t.Errorf("%d xruns, %d samples dropped", xruns, dropped)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The plugin keeps up to its own buffer back when it is closed.
	if len(b) < 2*len(want)*3/4 {
		t.Fatalf("%d bytes in the file, wrote %d", len(b), 2*len(want))
	}
	for i := range len(b) / 2 {
		if got := int16(binary.NativeEndian.Uint16(b[2*i:])); got != want[i] {
			t.Fatalf("sample %d is %d, want %d", i, got, want[i])
		}
	}
}

func TestPlaybackRefuses(t *testing.T) {
	for _, name := range []string{"plughw:CARD=NoSuchCard", "hw:31"} {
		if p, err := OpenPlayback(name, frame); !errors.Is(err, ErrLost) {
			t.Errorf("%s: %v, want ErrLost", name, err)
			if err == nil {
				p.Close()
			}
		}
	}
	if _, err := OpenPlayback("", frame); err == nil {
		t.Error("a device without a name was opened")
	}
	p, err := OpenPlayback("null", frame)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Write(make([]int16, 7)); err == nil {
		t.Error("half a frame was taken")
	}
}
