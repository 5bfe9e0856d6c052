package capture

import (
	"image"
	"sync"
	"time"
)

// window is how far back Status looks.
const window = 2 * time.Second

// Status says how a source does now.
type Status struct {
	Running bool      // an attempt has brought its first frame and goes on
	Since   time.Time // when that was; zero when not running
	Mode    string    // what the device was set to, such as "YUYV 640x360 at 25/s"

	FPS     float64 // pictures a second that were sent, over the last 2 s
	Moving  bool    // within the last 2 s a picture differed from the one before; a frozen one does not
	Lost    uint64  // pictures that the camera took and that never came here, since the source was made
	Corrupt uint64  // pictures that came damaged and were left out, likewise

	Hearing // of a microphone that runs
}

// Status may be called at any time.
func (s *Source) Status() Status {
	st := s.eye.status(time.Now())
	if s.ear != nil && st.Running {
		st.Hearing = s.ear.hearing()
	}
	return st
}

// eye watches the pictures of a source go by.
type eye struct {
	mu      sync.Mutex
	now     Status
	times   []time.Time // of the pictures in the window
	moved   time.Time
	samples []byte // of the last picture's luma
}

// open begins an attempt with its first picture.
func (e *eye) open(mode string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.now.Running, e.now.Since, e.now.Mode = true, time.Now(), mode
	e.times, e.moved, e.samples = e.times[:0], time.Time{}, nil
}

func (e *eye) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.now.Running, e.now.Since = false, time.Time{}
}

// miss counts pictures that did not come or came damaged.
func (e *eye) miss(lost uint32, corrupt bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.now.Lost += uint64(lost)
	if corrupt {
		e.now.Corrupt++
	}
}

// sent notes a picture; moved says whether it differs from the one before.
func (e *eye) sent(at time.Time, moved bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	keep := 0
	for keep < len(e.times) && at.Sub(e.times[keep]) >= window {
		keep++
	}
	e.times = append(e.times[:0], e.times[keep:]...)
	e.times = append(e.times, at)
	if moved {
		e.moved = at
	}
}

// grid is the distance of the samples by which pictures are compared, in pixels: as fine as the strokes of a clock that a
// camera or a test source writes into its picture.
const grid = 4

// differs compares the picture's luma with the last one's, and keeps it. Two steps of brightness are the noise of a codec.
// One goroutine calls it.
func (e *eye) differs(img *image.YCbCr) bool {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	n := ((w + grid - 1) / grid) * ((h + grid - 1) / grid)
	first := len(e.samples) != n
	if first {
		e.samples = make([]byte, n)
	}
	moved, i := false, 0
	for y := 0; y < h; y += grid {
		line := img.Y[y*img.YStride:][:w]
		for x := 0; x < w; x += grid {
			if d := int(line[x]) - int(e.samples[i]); d > 2 || d < -2 {
				moved = true
			}
			e.samples[i] = line[x]
			i++
		}
	}
	return moved && !first
}

func (e *eye) status(now time.Time) Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	st := e.now
	if !st.Running {
		return st
	}
	n := 0
	for _, at := range e.times {
		if now.Sub(at) < window {
			n++
		}
	}
	span := min(window, max(now.Sub(st.Since), window/20))
	st.FPS = float64(n) / span.Seconds()
	st.Moving = !e.moved.IsZero() && now.Sub(e.moved) < window
	return st
}
