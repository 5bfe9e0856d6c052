package capture

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/rtp"

	"plenum/hal/camera"
)

// film is a camera whose frames come from a list, at its rate, over and over.
type film struct {
	modes  []camera.Mode
	give   camera.Mode // what Start says; zero: what was asked for
	frames func(n int) camera.Frame
	key    func() error
	end    error // after the last frame
	last   int

	mode   camera.Mode
	n      int
	tick   *time.Ticker
	once   sync.Once
	closed chan struct{}
	mu     sync.Mutex
	held   int
}

func (f *film) Modes() ([]camera.Mode, error) { return f.modes, nil }

func (f *film) Start(m camera.Mode) (camera.Mode, error) {
	if f.give.Format != "" {
		m = f.give
	}
	f.mode = m
	f.tick = time.NewTicker(time.Duration(float64(time.Second) / m.Rate))
	return m, nil
}

func (f *film) Read() (camera.Frame, error) {
	if f.last > 0 && f.n == f.last {
		return camera.Frame{}, f.end
	}
	select {
	case <-f.closed:
		return camera.Frame{}, io.ErrClosedPipe
	case <-f.tick.C:
	}
	frame := f.frames(f.n)
	if frame.At.IsZero() {
		frame.At = time.Now().Add(-7 * time.Millisecond) // the kernel's time is always past
	}
	f.n++
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held++
	frame.Release = func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.held--
	}
	return frame, nil
}

func (f *film) ForceKey() error {
	if f.key == nil {
		return camera.ErrNoControl
	}
	return f.key()
}

func (f *film) Close() error {
	f.once.Do(func() { close(f.closed) })
	return nil
}

// filmed makes a source of a film.
func filmed(t *testing.T, o Options, f *film) *Source {
	t.Helper()
	o.Name, o.Device = "hall", "usb:FILM"
	s, err := Camera(o)
	if err != nil {
		t.Fatal(err)
	}
	f.closed = make(chan struct{})
	s.open = func(string) (Device, error) { return f, nil }
	t.Cleanup(func() {
		if f.held != 0 {
			t.Errorf("%d frames were not released", f.held)
		}
	})
	return s
}

// yuyv draws a grey picture with a white column at x.
func yuyv(m camera.Mode, x int) camera.Frame {
	data := bytes.Repeat([]byte{90, 128}, m.Width*m.Height)
	for y := range m.Height {
		for i := range 8 {
			data[2*(y*m.Width+(x+i)%m.Width)] = 235
		}
	}
	return camera.Frame{Data: data, Stride: 2 * m.Width}
}

var small = camera.Mode{Format: camera.YUYV, Width: 320, Height: 180, Rate: 25}

func TestCameraFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &film{modes: []camera.Mode{small}, frames: func(n int) camera.Frame { return yuyv(small, 4*n) }}
		live := ""
		s := filmed(t, Options{Width: 320, Height: 180, Live: func(mode string) { live = mode }}, f)
		if st := s.Status(); st.Running || !st.Since.IsZero() {
			t.Errorf("before: %+v", st)
		}
		begun := time.Now()
		var during Status
		packets := run(t, s, 3*time.Second+time.Millisecond, func(*rtp.Packet) { during = s.Status() })
		got := frames(t, packets)
		if len(got) != 75 {
			t.Fatalf("%d frames in 3 s, want 75", len(got))
		}
		for i, f := range got {
			// The kernel's time counts, not the time of arrival.
			if want := got[0].ts + uint32(i*3600); f.ts != want {
				t.Errorf("frame %d: timestamp %d, want %d", i, f.ts, want)
			}
		}
		want := Status{Running: true, Mode: "YUYV 320x180 at 25/s", FPS: 25, Moving: true, Since: begun.Add(40 * time.Millisecond)}
		during.Hearing = want.Hearing
		if d := cmp.Diff(want, during); d != "" || live != want.Mode {
			t.Errorf("status %s; live %q", d, live)
		}
		if st := s.Status(); st.Running || st.Moving || st.Mode != want.Mode {
			t.Errorf("after: %+v", st)
		}
		img := decodeKey(t, got[0].data)
		if y, x := img.Y[img.YOffset(4, 90)], img.Y[img.YOffset(100, 90)]; y < 210 || x > 110 || x < 70 {
			t.Errorf("the picture shows %d and %d", y, x)
		}
	})
}

func TestCameraFrozen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &film{modes: []camera.Mode{small}, frames: func(n int) camera.Frame { return yuyv(small, 4*min(n, 50)) }}
		s := filmed(t, Options{Width: 320, Height: 180}, f)
		moving := map[int]bool{}
		n := 0
		run(t, s, 6*time.Second, func(p *rtp.Packet) {
			if p.Marker {
				n++
				moving[n] = s.Status().Moving
			}
		})
		for n, want := range map[int]bool{1: false, 2: true, 50: true, 95: true, 105: false, 140: false} {
			if moving[n] != want {
				t.Errorf("frame %d: moving %v, want %v", n, moving[n], want)
			}
		}
	})
}

func TestCameraDamage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for bad, want := range map[int]error{3: nil, 2: nil, 1: ErrDamaged} { // every bad'th frame
			f := &film{modes: []camera.Mode{small}, last: 130, end: io.ErrUnexpectedEOF, frames: func(n int) camera.Frame {
				frame := yuyv(small, n)
				if frame.Corrupt = n%bad == 0 && n > 0; frame.Corrupt {
					frame.Data, frame.Lost = frame.Data[:7], 2
				}
				return frame
			}}
			s := filmed(t, Options{Width: 320, Height: 180}, f)
			n := 0
			err := s.Run(t.Context(), func(p *rtp.Packet) {
				if p.Marker {
					n++
				}
			})
			if want == nil {
				want = io.ErrUnexpectedEOF
			}
			st := s.Status()
			if !errors.Is(err, want) || st.Lost != 2*st.Corrupt || int(st.Corrupt)+n != f.n {
				t.Errorf("every %d.: %v, want %v; %d sent of %d; %+v", bad, err, want, n, f.n, st)
			}
			if bad == 1 && f.n > 110 {
				t.Errorf("it took %d damaged frames to tell", f.n)
			}
		}
	})
}

// A card that gives 60 pictures a second where 25 are wanted.
func TestCameraPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fast := camera.Mode{Format: camera.YUYV, Width: 320, Height: 180, Rate: 60}
		f := &film{modes: []camera.Mode{fast}, frames: func(n int) camera.Frame { return yuyv(fast, n) }}
		s := filmed(t, Options{Width: 320, Height: 180, FPS: 25}, f)
		got := frames(t, run(t, s, 4*time.Second, nil))
		if len(got) < 98 || len(got) > 102 {
			t.Errorf("%d frames in 4 s, want 100", len(got))
		}
		for i := 1; i < len(got); i++ {
			if d := got[i].ts - got[i-1].ts; d < 2900 || d > 4600 {
				t.Errorf("frame %d comes %d after the one before", i, d)
			}
		}
	})
	for gives, want := range map[float64]float64{25: 25, 30: 30, 31: 31, 50: 25, 29.97: 29.97, 0.2: 1} {
		if p := newPace(gives, 25); p.rate != want {
			t.Errorf("of %g pictures a second %g are left, want %g", gives, p.rate, want)
		}
	}
}

// What Start says counts, not what was asked for.
func TestCameraTakesWhatComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := camera.Mode{Format: camera.YUYV, Width: 352, Height: 288, Rate: 15}
		f := &film{modes: []camera.Mode{small}, give: other, frames: func(n int) camera.Frame { return yuyv(other, n) }}
		s := filmed(t, Options{Width: 320, Height: 180}, f)
		got := frames(t, run(t, s, time.Second, nil))
		if r := decodeKey(t, got[0].data).Rect; r.Dx() != 352 || r.Dy() != 288 {
			t.Errorf("size %v", r)
		}
	})
	odd := camera.Mode{Format: camera.YUYV, Width: 321, Height: 180, Rate: 15}
	f := &film{modes: []camera.Mode{small}, give: odd}
	s := filmed(t, Options{}, f)
	if err := s.Run(t.Context(), nil); err == nil {
		t.Error("an odd size was taken")
	}
	f.tick.Stop()
}
