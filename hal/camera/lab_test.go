//go:build lab

package camera

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// These tests run in the lab VM as root, against vivid: device 0 is a webcam, device 1 a webcam (input 0) and an HDMI input (1).
// The VM is emulated on a machine that may be busy: nothing here judges how long it takes, or how many frames come in a time.

// patience is how long a condition is waited for.
const patience = 2 * time.Minute

// within waits until something is so.
func within(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// vividNode finds the capture node of vivid's device n.
func vividNode(t *testing.T, n int) string {
	t.Helper()
	nodes, err := system().nodes()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range nodes {
		if system().attribute(filepath.Join("/sys/class/video4linux", v.name, "name")) == fmt.Sprintf("vivid-%03d-vid-cap", n) {
			return "/dev/" + v.name
		}
	}
	t.Fatalf("vivid's device %d is not there: modprobe vivid n_devs=2 node_types=0x1,0x1 num_inputs=1,2 input_types=0x0,0xc", n)
	return ""
}

func openVivid(t *testing.T, n int, input string) *Camera {
	t.Helper()
	c, err := openNode(vividNode(t, n))
	if err != nil {
		t.Fatal(err)
	}
	c.input = input
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func start(t *testing.T, c *Camera, m Mode) Mode {
	t.Helper()
	got, err := c.Start(m)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func read(t *testing.T, c *Camera) Frame {
	t.Helper()
	f, err := c.Read()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// set writes a control of vivid's by its name.
func set(t *testing.T, c *Camera, name string, value int64) {
	t.Helper()
	all, err := c.Controls()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(d Control) bool { return d.Name == name })
	if i < 0 {
		t.Fatalf("vivid has no control %q", name)
	}
	if err := c.SetControl(all[i].ID, value); err != nil {
		t.Fatal(err)
	}
}

// entry finds a line of one of vivid's menus.
func entry(t *testing.T, c *Camera, name, line string) int64 {
	t.Helper()
	all, err := c.Controls()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		for value, words := range d.Menu {
			if d.Name == name && words == line {
				return value
			}
		}
	}
	t.Fatalf("vivid's menu %q has no %q", name, line)
	return 0
}

// until reads frames until an error comes, and says how long it took.
func until(t *testing.T, c *Camera) (took time.Duration, err error) {
	t.Helper()
	begun := time.Now()
	for time.Since(begun) < patience {
		f, err := c.Read()
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("an error of several lines: %v", err)
			}
			if _, again := c.Read(); again == nil || errors.Unwrap(again).Error() != errors.Unwrap(err).Error() {
				t.Errorf("after %v Read says %v", err, again)
			}
			return time.Since(begun), err
		}
		f.Release()
	}
	t.Fatalf("no error within %v", patience)
	return 0, nil
}

var small = Mode{Format: YUYV, Width: 320, Height: 180, Rate: 25}

func TestLabList(t *testing.T) {
	all, err := List()
	if err != nil {
		t.Fatal(err)
	}
	vivids, link := 0, ""
	for _, i := range all {
		t.Logf("%s %s %s %s %v, %d modes", i.Node, i.Card, i.Driver, i.Bus, i.Links, len(i.Modes))
		if i.Driver != "vivid" {
			continue
		}
		vivids++
		if !slices.Contains(i.Modes, Mode{YUYV, 640, 360, 25}) {
			t.Errorf("%s does not list YUYV 640x360 at 25/s", i.Node)
		}
		if len(i.Links) > 0 {
			link = i.Links[0]
		}
	}
	if vivids != 2 || link == "" {
		t.Fatalf("%d vivid cameras, link %q", vivids, link)
	}
	c, err := Open(link)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if i := c.Info(); i.Card != "vivid" || !slices.Contains(i.Links, link) {
		t.Errorf("%+v", i)
	}
	if _, err := Open("/dev/v4l/by-path/none"); !errors.Is(err, ErrAbsent) || !strings.Contains(err.Error(), link) {
		t.Errorf("an absent camera: %v", err)
	}
}

// follower reads frames and sees that each comes after the one before, by its count and by its time, and that what the driver
// counted in between is told as lost.
type follower struct {
	begun       time.Time // before Start
	first, last Frame
	n           int
	lost        uint32
}

func (w *follower) next(t *testing.T, c *Camera) Frame {
	t.Helper()
	f := read(t, c)
	if now := time.Now(); f.At.Before(w.begun) || f.At.After(now) {
		t.Errorf("frame %d is of %v after Start, and it is %v after it", w.n, f.At.Sub(w.begun), now.Sub(w.begun))
	}
	if w.n == 0 {
		w.first = f
	} else {
		if f.Seq <= w.last.Seq || f.Lost != f.Seq-w.last.Seq-1 {
			t.Errorf("frame %d: count %d after %d, %d lost", w.n, f.Seq, w.last.Seq, f.Lost)
		}
		// vivid hands a picture out and writes its time then: in a buffer used before, who is quick finds that of the last one.
		if w.n < buffers && !f.At.After(w.last.At) {
			t.Errorf("frame %d: time %v after the one before", w.n, f.At.Sub(w.last.At))
		}
		w.lost += f.Lost
	}
	w.last = f
	w.n++
	return f
}

// rate is how fast the driver counted, in frames a second by its own times. It counts those that it leaves out.
func (w *follower) rate() float64 {
	return float64(w.last.Seq-w.first.Seq) / w.last.At.Sub(w.first.At).Seconds()
}

// follow reads frames, n at least, until the driver's counts and times agree with a rate. A machine that stands still
// makes times late, not counts wrong, so the longer it goes on the less that matters.
func follow(t *testing.T, c *Camera, w *follower, n int, rate float64, each func(Frame)) {
	t.Helper()
	end := time.Now().Add(patience)
	for w.n < n || math.Abs(w.rate()-rate) > 0.15*rate {
		if time.Now().After(end) {
			t.Fatalf("%.2f frames/s by the kernel's time, want %v", w.rate(), rate)
		}
		f := w.next(t, c)
		each(f)
		f.Release()
		f.Release()
	}
	t.Logf("%v/s: %.2f frames/s by the kernel's time over %d frames, %d lost", rate, w.rate(), w.n, w.lost)
}

func TestLabStream(t *testing.T) {
	for _, rate := range []float64{25, 10} {
		c := openVivid(t, 0, "")
		w := &follower{begun: time.Now()}
		if m := start(t, c, Mode{YUYV, 640, 360, rate}); m != (Mode{YUYV, 640, 360, rate}) {
			t.Errorf("got %v", m)
		}
		var before []byte
		follow(t, c, w, 10, rate, func(f Frame) {
			if f.Stride != 1280 || len(f.Data) != 460800 || f.Corrupt {
				t.Errorf("frame %d: stride %d, %d bytes, corrupt %v", w.n, f.Stride, len(f.Data), f.Corrupt)
			}
			if bytes.Equal(before, f.Data) { // vivid draws the count into the picture
				t.Errorf("frame %d is the one before", w.n)
			}
			before = append(before[:0], f.Data...)
		})
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestLabFormats(t *testing.T) {
	for _, f := range []Format{YUYV, UYVY, NV12, YU12} {
		c := openVivid(t, 0, "")
		m := start(t, c, Mode{f, 320, 180, 25})
		frame := read(t, c)
		want := 320 * 180 * 2
		if f == NV12 || f == YU12 {
			want = 320 * 180 * 3 / 2
		}
		if m.Format != f || len(frame.Data) != want || frame.Corrupt {
			t.Errorf("%v: %d bytes, want %d; corrupt %v", m, len(frame.Data), want, frame.Corrupt)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if lo, hi := slices.Min(frame.Data), slices.Max(frame.Data); lo == hi { // still mapped
			t.Errorf("%v: blank", m)
		}
		frame.Release()
	}
	for _, f := range []Format{MJPG, H264} {
		_, err := openVivid(t, 0, "").Start(Mode{f, 320, 180, 25})
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "YUYV") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want ErrFormat and what there is", f, err)
		}
	}
}

func TestLabHDMI(t *testing.T) {
	c := openVivid(t, 1, "hdmi 0")
	w := &follower{begun: time.Now()}
	m := start(t, c, Mode{YUYV, 320, 180, 25})
	if m.Rate < 24 || m.Rate > 61 || m.Width < 320 {
		t.Errorf("got %v", m)
	}
	if modes, err := c.Modes(); err != nil || modes[0].Rate != m.Rate {
		t.Errorf("modes %v, %v", modes, err)
	}
	follow(t, c, w, 10, m.Rate, func(Frame) {})
	_, err := openVivid(t, 0, "HDMI 0").Start(small)
	if !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), "Webcam 0") {
		t.Errorf("a missing input: %v", err)
	}
	if _, err := openVivid(t, 1, "HDMI 0").Start(small); !errors.Is(err, ErrBusy) {
		t.Errorf("a busy input: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	start(t, openVivid(t, 1, "0"), small) // leave it as it was
}

func TestLabControls(t *testing.T) {
	c := openVivid(t, 0, "")
	all, err := c.Controls()
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]Control{}
	for _, d := range all {
		byName[d.Name] = d
	}
	t.Logf("%d controls", len(all))
	for name, values := range map[string][]int64{
		"Brightness": {0, 255, 128}, "Hue": {-128, 128, 0}, "Boolean": {0, 1}, "Menu": {1, 4, 3}, "Integer Menu": {8, 2, 4},
		"Integer 64 Bits": {math.MinInt64, math.MaxInt64, 0}, "Integer 32 Bits": {math.MinInt32, math.MaxInt32, 0}, "Bitmask": {0x80402010, 0x80002000},
	} {
		d, ok := byName[name]
		if !ok {
			t.Errorf("no control %q", name)
			continue
		}
		for _, v := range values {
			if err := c.SetControl(d.ID, v); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if got, err := c.Control(d.ID); err != nil || got != v {
				t.Errorf("%s = %d, %v; want %d", name, got, err, v)
			}
		}
	}
	if m := byName["Menu"].Menu; len(m) != 3 || m[3] != "Menu Item 3" {
		t.Errorf("menu %v", m)
	}
	if m := byName["Integer Menu"].Menu; m[4] != "5" {
		t.Errorf("integer menu %v", m)
	}
	if !byName["Read-Only Integer 32 Bits"].ReadOnly {
		t.Error("a read-only control is not marked so")
	}
	for _, id := range []uint32{CtrlPan, CtrlTilt, CtrlZoom, CtrlPrivacy} {
		if _, err := c.Control(id); !errors.Is(err, ErrNoControl) {
			t.Errorf("reading %#x: %v", id, err)
		}
	}
	if err := c.SetControl(CtrlPan, 1); !errors.Is(err, ErrNoControl) {
		t.Errorf("panning: %v", err)
	}
	if err := c.ForceKey(); !errors.Is(err, ErrNoControl) {
		t.Errorf("asking for a key frame: %v", err)
	}
}
