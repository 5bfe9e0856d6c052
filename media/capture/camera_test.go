package capture

import (
	"context"
	"errors"
	"image"
	"image/png"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/frame"
	"github.com/pion/mediadevices/pkg/prop"
	"github.com/pion/rtp"

	"plenum/hal/camera"
)

func testCamera(t testing.TB, o Options) *Source {
	t.Helper()
	o.Name, o.Device = "word", testPicture
	s, err := Camera(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCameraTimestampsFollowTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testCamera(t, Options{House: "Rathaus", Caption: []string{"Platz 7", "Ute Müller"}})
		got := frames(t, run(t, s, 2*time.Second-time.Millisecond, nil))
		if len(got) != 50 {
			t.Fatalf("%d frames in 2 s, want 50", len(got))
		}
		for i, f := range got {
			if f.key != (i == 0) {
				t.Errorf("frame %d: key %v", i, f.key)
			}
			if want := got[0].ts + uint32(i)*90000/25; f.ts != want {
				t.Errorf("frame %d: timestamp %d, want %d", i, f.ts, want)
			}
		}
		// The second attempt goes on in numbers and in time.
		time.Sleep(3*time.Second + time.Millisecond)
		again := run(t, s, 100*time.Millisecond, nil)
		if d := again[0].Timestamp - got[0].ts; d != 5*90000 {
			t.Errorf("timestamp after a second attempt: %d later, want %d", d, 5*90000)
		}
		if st := s.Stats(); st.Frames != 53 || st.KeyFrames != 2 {
			t.Errorf("stats %+v", st)
		}
	})
}

func TestCameraKeyFrameOnRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testCamera(t, Options{})
		seen := 0
		var last uint32
		got := frames(t, run(t, s, time.Second-time.Millisecond, func(p *rtp.Packet) {
			if p.Timestamp != last {
				last = p.Timestamp
				seen++
			}
			if seen == 11 || seen == 18 { // while frames 10 and 17 are sent, several times
				s.RequestKey()
			}
		}))
		for i, f := range got {
			if want := i == 0 || i == 11 || i == 18; f.key != want {
				t.Errorf("frame %d: key %v, want %v", i, f.key, want)
			}
		}
	})
}

func TestCameraRegularKeyFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testCamera(t, Options{KeyInterval: time.Second})
		run(t, s, 3*time.Second-time.Millisecond, nil)
		if st := s.Stats(); st.KeyFrames != 3 {
			t.Errorf("%d key frames in 3 s, want 3", st.KeyFrames)
		}
	})
}

// The bit rate asked for must come out, although the encoder thinks in 30
// frames a second.
func TestCameraBitRate(t *testing.T) {
	for _, fps := range []int{15, 25, 30} {
		synctest.Test(t, func(t *testing.T) {
			s := testCamera(t, Options{BitRate: 150_000, FPS: fps, Caption: []string{"Platz 7"}})
			run(t, s, 20*time.Second, nil)
			if rate := s.Stats().Bytes * 8 / 20; rate < 75_000 || rate > 172_500 {
				t.Errorf("%d frames/s: %d bit/s, want at most 150000 + 15 %%", fps, rate)
			}
		})
	}
}

// An independent decoder sees the test picture: not blank, captions where they
// belong, and changing.
func TestPictureDecodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testCamera(t, Options{House: "Rathaus Musterstadt", Caption: []string{"Platz 7", "Ute Müller"}, KeyInterval: time.Millisecond})
		var imgs []*image.YCbCr
		got := frames(t, run(t, s, 400*time.Millisecond-time.Millisecond, nil))
		s.SetCaption("Platz 12", "Jürgen Weiß-Östermann")
		got = append(got, frames(t, run(t, s, 30*time.Millisecond, nil))...)
		for _, f := range got {
			imgs = append(imgs, decodeKey(t, f.data))
		}
		first, second, last := imgs[0], imgs[1], imgs[len(imgs)-1]
		if r := first.Rect; r.Dx() != 640 || r.Dy() != 360 {
			t.Fatalf("size %v", r)
		}
		caption := image.Rect(0, 50, 640, 230)
		if lo, hi := lumaRange(first, caption); lo > 80 || hi < 200 {
			t.Errorf("caption is blank: luma %d to %d", lo, hi)
		}
		if d := difference(first, second, caption); d > 4 {
			t.Errorf("the standing caption changes by %.1f", d)
		}
		if d := difference(first, last, caption); d < 4 {
			t.Errorf("the new caption differs by %.1f only", d)
		}
		if d := difference(first, second, image.Rect(0, 230, 640, 360)); d < 1 {
			t.Errorf("time code and block move by %.1f only", d)
		}
		if dir := os.Getenv("PLENUM_TEST_PICTURES"); dir != "" { // to look at
			save(t, dir+"/first.png", first)
			save(t, dir+"/last.png", last)
		}
	})
}

func save(t *testing.T, path string, img image.Image) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
}

func lumaRange(img *image.YCbCr, r image.Rectangle) (lo, hi byte) {
	lo = 255
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			v := img.Y[img.YOffset(x, y)]
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	return lo, hi
}

// difference is the mean absolute difference of luma.
func difference(a, b *image.YCbCr, r image.Rectangle) float64 {
	sum := 0
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			d := int(a.Y[a.YOffset(x, y)]) - int(b.Y[b.YOffset(x, y)])
			sum += max(d, -d)
		}
	}
	return float64(sum) / float64(r.Dx()*r.Dy())
}

func TestDevices(t *testing.T) {
	for _, device := range []string{"", "default", "test:voice", "video0", "/dev/video0", "/dev/null", "rtsp://camera"} {
		_, err := Camera(Options{Name: "x", Device: device})
		if err == nil || !errors.Is(err, ErrUnknown) {
			t.Errorf("camera %q: %v, want ErrUnknown", device, err)
		}
		if !strings.Contains(err.Error(), "/dev/v4l/by-path") || strings.Contains(err.Error(), "\n") {
			t.Errorf("the error does not say in one line what is possible: %v", err)
		}
	}
	for _, device := range []string{"default", "test:picture", "alsa:hw:0", "null"} {
		if _, err := Microphone(Options{Name: "x", Device: device}); !errors.Is(err, ErrUnknown) {
			t.Errorf("microphone %q: %v, want ErrUnknown", device, err)
		}
	}
	for _, device := range []string{"/dev/v4l/by-path/none", "/dev/v4l/by-id/none?input=1", "usb:none"} {
		s, err := Camera(Options{Name: "x", Device: device, Pass: true})
		if err != nil {
			t.Fatalf("%s: %v: an absent camera may come later", device, err)
		}
		if err := s.Run(t.Context(), nil); !errors.Is(err, ErrAbsent) || !errors.Is(err, camera.ErrAbsent) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want ErrAbsent", device, err)
		}
	}
	if _, err := Camera(Options{Name: "x", Device: testPicture, Width: 641, Height: 360}); err == nil {
		t.Error("an odd width was accepted")
	}
}

func TestNothingStaysRegistered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := func(driver.Driver) bool { return true }
		before := len(driver.GetManager().Query(all))
		run(t, testCamera(t, Options{}), 100*time.Millisecond, nil)
		if after := len(driver.GetManager().Query(all)); after != before {
			t.Errorf("%d drivers registered after Run, %d before", after, before)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := testCamera(t, Options{}).Run(ctx, func(*rtp.Packet) {}); !errors.Is(err, context.Canceled) {
			t.Errorf("Run with an ended context: %v", err)
		}
	})
}

func TestNearest(t *testing.T) {
	mode := func(w, h int, fps float32, f frame.Format) prop.Media {
		return prop.Media{Video: prop.Video{Width: w, Height: h, FrameRate: fps, FrameFormat: f}}
	}
	modes := []prop.Media{
		mode(1920, 1080, 30, frame.FormatMJPEG), mode(640, 480, 30, frame.FormatYUYV),
		mode(640, 360, 30, frame.FormatMJPEG), mode(640, 360, 30, frame.FormatYUYV),
		mode(1280, 720, 5, frame.FormatYUYV), mode(1280, 720, 30, frame.FormatMJPEG),
		mode(640, 360, 30, "Z16 "), mode(1920, 1080, 30, formatH264),
	}
	for _, c := range []struct {
		o    Options
		want prop.Media
	}{
		{Options{Width: 640, Height: 360, FPS: 25}, modes[3]},
		{Options{Width: 1280, Height: 720, FPS: 25}, modes[5]}, // slow and raw loses to fast and MJPEG
		{Options{Width: 640, Height: 480, FPS: 25}, modes[1]},
		{Options{Width: 1920, Height: 1080, FPS: 30}, modes[0]},
		{Options{Width: 640, Height: 360, FPS: 25, Pass: true}, modes[7]},
	} {
		got, err := nearest(modes, c.o)
		if err != nil || got != c.want {
			t.Errorf("nearest to %dx%d: %dx%d %v, %v", c.o.Width, c.o.Height, got.Width, got.Height, got.FrameFormat, err)
		}
	}
	if got, err := nearest(modes[6:], Options{Width: 640, Height: 360, FPS: 25}); err != nil || got != modes[7] {
		t.Errorf("a camera with nothing but H.264: %v, %v", got.FrameFormat, err)
	}
	if _, err := nearest(modes[6:7], Options{Width: 640, Height: 360, FPS: 25}); err == nil {
		t.Error("a depth camera was taken")
	}
}
