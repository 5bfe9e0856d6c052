package camera

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestSpecs(t *testing.T) {
	for _, c := range []struct {
		spec string
		want where
		ok   bool
	}{
		{"/dev/v4l/by-id/usb-Maker_Cam_7-video-index0", where{link: "/dev/v4l/by-id/usb-Maker_Cam_7-video-index0"}, true},
		{"/dev/v4l/by-path/pci-0000:00:14.0-video-index0?input=1", where{link: "/dev/v4l/by-path/pci-0000:00:14.0-video-index0", input: "1"}, true},
		{"usb:AB12#7", where{serial: "AB12#7"}, true},
		{"usb:CAM 7?input=HDMI 0", where{serial: "CAM 7", input: "HDMI 0"}, true},
		{"", where{}, false},
		{"usb:", where{}, false},
		{"usb: ", where{}, false},
		{"usb:a\nb", where{}, false},
		{"/dev/video0", where{}, false},
		{"/dev/null", where{}, false},
		{"/dev/v4l", where{}, false},
		{"/dev/v4l/", where{}, false},
		{"/dev/v4l/by-id", where{}, false},
		{"/dev/v4l/by-id/", where{}, false},
		{"/dev/v4l/by-id/../../null", where{}, false},
		{"/dev/v4l/by-id/x?", where{}, false},
		{"/dev/v4l/by-id/x?input=", where{}, false},
		{"/dev/v4l/by-id/x?size=1", where{}, false},
		{"/dev/v4l/by-id/x?input=1?input=2", where{}, false},
		{"test:picture", where{}, false},
		{"rtsp://camera", where{}, false},
	} {
		got, err := parseSpec(c.spec)
		if got != c.want || (err == nil) != c.ok || (err != nil && !errors.Is(err, ErrSpec)) {
			t.Errorf("%q: %+v, %v", c.spec, got, err)
		}
	}
}

// A small /sys and /dev: a USB camera with two nodes, a capture card on PCI, two cameras with one serial number.
func fakeRoot(t *testing.T) root {
	t.Helper()
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := root{dev: base + "/dev", sys: base + "/sys"}
	write := func(path, content string) {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	link := func(to, path string) {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
	}
	device := func(parent, node, index, name string) {
		dir := filepath.Join(r.sys, "devices", parent, "video4linux", node)
		write(dir+"/index", index+"\n")
		write(dir+"/name", name+"\n")
		link(dir, filepath.Join(r.sys, "class/video4linux", node))
		write(filepath.Join(r.dev, node), "")
	}
	usb := func(parent, serial string) {
		dir := filepath.Join(r.sys, "devices", parent)
		write(dir+"/idVendor", "046d\n")
		if serial != "" {
			write(dir+"/serial", serial+"\n")
		}
	}
	usb("pci0/usb1", "0000:00:14.0") // a root hub has a serial too
	usb("pci0/usb1/1-2", "AB12")
	usb("pci0/usb1/1-3", "00000001")
	usb("pci0/usb1/1-4", "00000001")
	usb("pci0/usb1/1-5", "")
	device("pci0/usb1/1-2/1-2:1.0", "video3", "1", "Cam: meta")
	device("pci0/usb1/1-2/1-2:1.0", "video10", "0", "Cam: video")
	device("pci0/usb1/1-3/1-3:1.0", "video4", "0", "Twin")
	device("pci0/usb1/1-4/1-4:1.0", "video5", "0", "Twin")
	device("pci0/usb1/1-5/1-5:1.0", "video6", "0", "Nameless")
	device("pci0/card", "video0", "0", "Card")
	write(r.sys+"/class/video4linux/v4l-subdev0/name", "lens\n")
	write(r.sys+"/class/video4linux/videoX/name", "no number\n")
	link("../../video10", r.dev+"/v4l/by-id/usb-Cam_AB12-video-index0")
	link("../../video10", r.dev+"/v4l/by-path/usb-0:2:1.0-video-index0")
	link("../../video99", r.dev+"/v4l/by-path/gone-video-index0")
	return r
}

func TestFind(t *testing.T) {
	r := fakeRoot(t)
	for _, c := range []struct {
		w    where
		want string
		err  error
	}{
		{where{serial: "AB12"}, "video10", nil},
		{where{serial: "00000001"}, "", ErrAmbiguous},
		{where{serial: "none"}, "", ErrAbsent},
		{where{serial: "0000:00:14.0"}, "", ErrAbsent},                             // the hub is no camera
		{where{link: "/dev/v4l/by-path/gone-video-index0"}, "", ErrAbsent},         // a link that leads nowhere
		{where{link: "/dev/v4l/by-id/none"}, "", ErrAbsent},                        //
		{where{link: "/dev/v4l/by-id/usb-Cam_AB12-video-index0"}, "", ErrNoCamera}, // here a plain file
	} {
		got, err := r.resolve(c.w)
		if !errors.Is(err, c.err) || (c.want != "" && got != filepath.Join(r.dev, c.want)) {
			t.Errorf("%+v: %q, %v; want %q, %v", c.w, got, err, c.want, c.err)
		}
		if errors.Is(err, ErrAbsent) && (!strings.Contains(err.Error(), "usb:AB12") || strings.Contains(err.Error(), "\n")) {
			t.Errorf("the error does not say in one line what is there: %v", err)
		}
	}
	// A device node instead of a plain file.
	if err := os.Symlink("/dev/null", r.dev+"/v4l/by-id/null"); err != nil {
		t.Fatal(err)
	}
	if node, err := r.resolve(where{link: "/dev/v4l/by-id/null"}); err != nil || node != "/dev/null" {
		t.Errorf("link to a device: %q, %v", node, err)
	}
	if _, err := r.open("/dev/v4l/by-id/null"); !errors.Is(err, ErrNoCamera) {
		t.Errorf("opening /dev/null: %v, want ErrNoCamera", err)
	}
	if _, err := (root{dev: r.dev + "/none", sys: r.sys + "/none"}).resolve(where{serial: "x"}); !errors.Is(err, ErrAbsent) {
		t.Errorf("a kernel that has never seen a camera: %v, want ErrAbsent", err)
	}
}

func TestListSaysWhatSysfsKnows(t *testing.T) {
	r := fakeRoot(t)
	got, err := r.list(func(node string) (*Camera, error) {
		if filepath.Base(node) == "video3" {
			return nil, ErrNoCamera
		}
		return nil, ErrPermission
	})
	if err != nil {
		t.Fatal(err)
	}
	dev := func(s string) string { return filepath.Join(r.dev, s) }
	want := []Info{
		{Node: dev("video0"), Card: "Card"},
		{Node: dev("video4"), Card: "Twin", Serial: "00000001"},
		{Node: dev("video5"), Card: "Twin", Serial: "00000001"},
		{Node: dev("video6"), Card: "Nameless"},
		{Node: dev("video10"), Card: "Cam: video", Serial: "AB12", Links: []string{
			dev("v4l/by-id/usb-Cam_AB12-video-index0"), dev("v4l/by-path/usb-0:2:1.0-video-index0"),
		}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestOpenErrors(t *testing.T) {
	for spec, want := range map[string]error{
		"/dev/video0":                   ErrSpec,
		"usb:no-such-serial":            ErrAbsent,
		"/dev/v4l/by-path/no-such-link": ErrAbsent,
	} {
		if _, err := Open(spec); !errors.Is(err, want) {
			t.Errorf("Open(%q) = %v, want %v", spec, err, want)
		}
		if _, err := Resolve(spec); !errors.Is(err, want) {
			t.Errorf("Resolve(%q) = %v, want %v", spec, err, want)
		}
	}
	for err, want := range map[error]error{
		unix.ENODEV: ErrLost, unix.EACCES: ErrPermission, unix.EBUSY: ErrBusy, unix.ENOTTY: ErrNoCamera, unix.ENOLINK: ErrNoSignal, unix.ENOSPC: unix.ENOSPC,
	} {
		if got := explain(err); !errors.Is(got, want) || strings.Contains(got.Error(), "\n") {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
}

func TestFormats(t *testing.T) {
	for f, want := range map[Format]uint32{YUYV: 0x56595559, UYVY: 0x59565955, NV12: 0x3231564e, YU12: 0x32315559, MJPG: 0x47504a4d, H264: 0x34363248} {
		if got := f.code(); got != want || formatOf(want) != f {
			t.Errorf("%s: %#x, want %#x; back %q", f, got, want, formatOf(want))
		}
	}
	if Format("YUV").code() != 0 || formatOf(0x00ff4141) != "AA.." {
		t.Errorf("odd formats: %#x, %q", Format("YUV").code(), formatOf(0x00ff4141))
	}
}

func TestIntervals(t *testing.T) {
	for rate, want := range map[float64]fraction{
		25: {1, 25}, 30: {1, 30}, 30000.0 / 1001: {1001, 30000}, 24000.0 / 1001: {1001, 24000}, 60000.0 / 1001: {1001, 60000},
		12.5: {1000, 12500}, 7.5: {1000, 7500}, 0.5: {1000, 500},
	} {
		got := interval(rate)
		if got != want || math.Abs(got.rate()-rate) > 1e-9 {
			t.Errorf("%g/s: %v, want %v", rate, got, want)
		}
	}
	if r := (fraction{0, 25}).rate(); r != 0 {
		t.Errorf("a frame in no time: %g/s", r)
	}
}

func TestChoices(t *testing.T) {
	s := frameSizes{MinWidth: 320, MaxWidth: 1280, StepWidth: 2, MinHeight: 180, MaxHeight: 720, StepHeight: 2}
	want := [][2]int{{320, 180}, {320, 240}, {640, 360}, {640, 480}, {800, 600}, {960, 540}, {1280, 720}}
	if d := cmp.Diff(want, s.choose()); d != "" {
		t.Error(d)
	}
	s = frameSizes{MinWidth: 720, MaxWidth: 720, MinHeight: 576, MaxHeight: 576}
	if d := cmp.Diff([][2]int{{720, 576}}, s.choose()); d != "" {
		t.Error(d)
	}
	v := frameIntervals{Min: fraction{1, 30}, Max: fraction{1, 10}}
	if d := cmp.Diff([]float64{30, 25, 24, 20, 15, 10}, v.choose()); d != "" {
		t.Error(d)
	}
	v = frameIntervals{Min: fraction{1, 100}, Max: fraction{1, 90}}
	if d := cmp.Diff([]float64{100}, v.choose()); d != "" {
		t.Error(d)
	}
}

func TestBytes(t *testing.T) {
	for _, c := range []struct {
		m      Mode
		stride int
		want   int
	}{
		{Mode{Format: YUYV, Width: 640, Height: 360}, 1280, 640 * 360 * 2},
		{Mode{Format: YUYV, Width: 640, Height: 360}, 1344, 1344*359 + 1280},
		{Mode{Format: NV12, Width: 640, Height: 360}, 640, 640 * 360 * 3 / 2},
		{Mode{Format: YU12, Width: 640, Height: 360}, 640, 640 * 360 * 3 / 2},
		{Mode{Format: MJPG, Width: 640, Height: 360}, 0, 1},
	} {
		if got := c.m.bytes(c.stride); got != c.want {
			t.Errorf("%v, stride %d: %d bytes, want %d", c.m, c.stride, got, c.want)
		}
	}
}

// CTA-861 video timings: 1080p60 has a clock of 148.5 MHz, 2200 by 1125 with blanking; 720p50 74.25 MHz, 1980 by 750.
func TestTimings(t *testing.T) {
	full := timings{Width: 1920, Height: 1080, PixelClock: [2]uint32{148_500_000},
		HFrontPorch: 88, HSync: 44, HBackPorch: 148, VFrontPorch: 4, VSync: 5, VBackPorch: 36}
	half := timings{Width: 1280, Height: 720, PixelClock: [2]uint32{74_250_000},
		HFrontPorch: 440, HSync: 40, HBackPorch: 220, VFrontPorch: 5, VSync: 5, VBackPorch: 20}
	if full.rate() != 60 || half.rate() != 50 || (&timings{}).rate() != 0 {
		t.Errorf("rates %g, %g", full.rate(), half.rate())
	}
	measured := full
	measured.PixelClock[0] = 148_351_648 // 59.94 frames/s
	if !full.same(&measured) || full.same(&half) {
		t.Error("timings are told apart wrongly")
	}
	if s := full.String(); s != "1920x1080 at 60/s" {
		t.Error(s)
	}
}

func TestInputTrouble(t *testing.T) {
	for status, want := range map[uint32]string{
		0: "", 0x2: "no signal", 0x1: "no power", 0x40000: "no carrier", 0x100: "no stable picture: the card cannot lock to it",
		0x10000: "no stable picture: the card cannot lock to it", 0x4: "", 0x200: "", 0x10: "", // no colour, killed colour, mirrored: pictures all the same
	} {
		if got := (&input{Status: status}).trouble(); got != want {
			t.Errorf("status %#x: %q, want %q", status, got, want)
		}
	}
}

func TestGap(t *testing.T) {
	for _, c := range []struct {
		counting  bool
		last, now uint32
		want      uint32
	}{
		{false, 0, 7, 0}, {true, 0, 1, 0}, {true, 3, 7, 3}, {true, 7, 7, 0}, {true, 100, 0, 0}, {true, math.MaxUint32, 0, 0}, {true, math.MaxUint32 - 1, 1, 2},
	} {
		if got := gap(c.counting, c.last, c.now); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

func TestMoment(t *testing.T) {
	var ts unix.Timespec
	before := time.Now()
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		t.Fatal(err)
	}
	stamp := time.Duration(ts.Nano()) - 40*time.Millisecond
	b := buffer{Seconds: int64(stamp / time.Second), Micros: int64(stamp % time.Second / time.Microsecond), Flags: stampKernels}
	const micro = time.Microsecond // the kernel cuts its stamps to it
	got := moment(&b).Add(40 * time.Millisecond)
	if after := time.Now(); got.Before(before.Add(-micro)) || got.After(after.Add(micro)) { // however long we were not let run
		t.Errorf("%v, want between %v and %v", got, before, after)
	}
	for name, b := range map[string]buffer{
		"other clock": {Seconds: b.Seconds, Micros: b.Micros},
		"future":      {Seconds: b.Seconds + 100, Flags: stampKernels},
		"long ago":    {Seconds: b.Seconds - 100, Flags: stampKernels},
	} {
		before := time.Now()
		if got := moment(&b); got.Before(before) || got.After(time.Now()) {
			t.Errorf("%s: %v after %v", name, got.Sub(before), before)
		}
	}
}

func FuzzSpec(f *testing.F) {
	for _, s := range []string{"usb:AB12", "/dev/v4l/by-id/usb-Cam-video-index0?input=HDMI 0", "/dev/video0", "/dev/v4l/by-id/../x", "?input=", "usb:\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		w, err := parseSpec(s)
		switch {
		case err != nil && (!errors.Is(err, ErrSpec) || w != where{}):
			t.Errorf("%q: %+v, %v", s, w, err)
		case err == nil && (w.link == "") == (w.serial == ""):
			t.Errorf("%q names neither or both: %+v", s, w)
		case w.link != "" && (!strings.HasPrefix(w.link, "/dev/v4l/") || strings.Contains(w.link, "/../")):
			t.Errorf("%q leads out of /dev/v4l: %+v", s, w)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\n\r\x00") {
			t.Errorf("the error has several lines: %q", err)
		}
	})
}

func FuzzKernelText(f *testing.F) {
	f.Add([]byte("HD Webcam C615\x00\x00"), uint32(0x56595559))
	f.Add([]byte{0xff, 0xfe, '\n', 0}, uint32(0))
	f.Fuzz(func(t *testing.T, b []byte, code uint32) {
		if s := text(b); !printable(s) || strings.TrimSpace(s) != s {
			t.Errorf("%q became %q", b, s)
		}
		name := formatOf(code)
		if len(name) != 4 || !printable(string(name)) {
			t.Errorf("%#x became %q", code, name)
		}
		if !strings.Contains(string(name), ".") && name.code() != code {
			t.Errorf("%#x became %q, and that %#x", code, name, name.code())
		}
	})
}

// What a driver counts wrongly or says absurdly must not lead to a panic or an endless list.
func FuzzChoices(f *testing.F) {
	f.Add(uint32(16), uint32(4096), uint32(2), uint32(1), uint32(60))
	f.Add(uint32(math.MaxUint32), uint32(0), uint32(math.MaxUint32), uint32(0), uint32(0))
	f.Fuzz(func(t *testing.T, lo, hi, step, numerator, denominator uint32) {
		s := frameSizes{MinWidth: lo, MaxWidth: hi, StepWidth: step, MinHeight: lo, MaxHeight: hi, StepHeight: step}
		v := frameIntervals{Min: fraction{numerator, denominator}, Max: fraction{denominator, numerator}}
		if n, m := len(s.choose()), len(v.choose()); n < 1 || n > 16 || m < 1 || m > 16 {
			t.Errorf("%d sizes and %d rates", n, m)
		}
		if r := (&timings{Width: lo, HFrontPorch: hi, Height: lo, VSync: hi, PixelClock: [2]uint32{step, numerator}}).rate(); math.IsNaN(r) || math.IsInf(r, 0) {
			t.Errorf("rate %g", r)
		}
	})
}

// Frames that waited for a box that stood still keep their times.
func TestMomentOfLongAgo(t *testing.T) {
	_, mono, err := clocks()
	if err != nil {
		t.Fatal(err)
	}
	taken := func(ago time.Duration) time.Time {
		at := mono - ago
		return moment(&buffer{Seconds: int64(at / time.Second), Micros: int64(at % time.Second / time.Microsecond), Flags: stampKernels})
	}
	// Each is exact to what clocks allows, a millisecond.
	if d := taken(10 * time.Second).Sub(taken(30 * time.Second)); (d - 20*time.Second).Abs() > 3*time.Millisecond {
		t.Errorf("two frames that are 20 s apart are %v apart", d)
	}
}
