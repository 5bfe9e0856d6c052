//go:build lab

package capture

import (
	"context"
	"errors"
	"image"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"

	"plenum/hal/camera"
)

// These tests run in the lab VM as root, against vivid's webcam, whose own moving picture goes the whole way.

// vivid finds the link of a vivid camera; both have a webcam for their first input.
func vivid(t *testing.T) (spec string) {
	t.Helper()
	all, err := camera.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		if i.Driver == "vivid" && len(i.Links) > 0 {
			return i.Links[0]
		}
	}
	t.Fatalf("no vivid camera with a stable name among %+v", all)
	return ""
}

// turn sets one of vivid's controls, by another descriptor than the daemon's.
func turn(t *testing.T, spec, name string, value int64) {
	t.Helper()
	c, err := camera.Open(spec)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	all, err := c.Controls()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(d camera.Control) bool { return d.Name == name })
	if i < 0 {
		t.Fatalf("no control %q", name)
	}
	if err := c.SetControl(all[i].ID, value); err != nil {
		t.Fatal(err)
	}
}

// labRun runs a source in the background.
type labRun struct {
	s       *Source
	done    chan error
	mu      sync.Mutex
	packets []*rtp.Packet
}

func begin(t *testing.T, o Options) *labRun {
	t.Helper()
	o.Name = "hall"
	s, err := Camera(o)
	if err != nil {
		t.Fatal(err)
	}
	r := &labRun{s: s}
	r.again(t)
	return r
}

func (r *labRun) again(t *testing.T) {
	r.done = make(chan error, 1)
	go func() { r.done <- r.s.Run(t.Context(), r.write) }()
}

func (r *labRun) write(p *rtp.Packet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.packets = append(r.packets, p)
}

// status waits for a state.
func (r *labRun) status(t *testing.T, what string, ok func(Status) bool) {
	t.Helper()
	var last Status
	defer func() {
		if t.Failed() {
			t.Logf("it is %+v", last)
		}
	}()
	until(t, what, func() bool { last = r.s.Status(); return ok(last) })
}

func (r *labRun) ended(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.done:
		if err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("an error that is not one line: %v", err)
		}
		return err
	case <-time.After(patience):
		t.Fatal("it goes on")
		return nil
	}
}

func TestLabCamera(t *testing.T) {
	spec := vivid(t)
	live := make(chan string, 8)
	r := begin(t, Options{Device: spec, Width: 320, Height: 180, FPS: 15, House: "Rathaus", Live: func(m string) { live <- m }})
	r.status(t, "moving", func(st Status) bool { return st.Running && st.Moving && r.s.Stats().Frames > 20 })
	t.Logf("%+v", r.s.Status())
	if mode := <-live; mode != "YUYV 320x180 at 15/s" {
		t.Errorf("mode %q", mode)
	}
	turn(t, spec, "Disconnect", 1)
	if err := r.ended(t); !errors.Is(err, camera.ErrLost) {
		t.Errorf("unplugged: %v", err)
	}
	if st := r.s.Status(); st.Running {
		t.Errorf("after unplugging: %+v", st)
	}
	r.slate(t, 2)
	r.again(t)
	r.status(t, "back", func(st Status) bool { return st.Running && st.Moving })
	turn(t, spec, "Inject Fatal Streaming Error", 1)
	if err := r.ended(t); !errors.Is(err, camera.ErrStalled) {
		t.Errorf("a dead stream: %v", err)
	}
	got := frames(t, r.packets) // one stream through all of it
	if !got[0].key {
		t.Error("the first picture is no key frame")
	}
	img := decodeKey(t, got[0].data)
	if lo, hi := lumaRange(img, image.Rect(0, 0, 320, 180)); lo > 60 || hi < 180 {
		t.Errorf("vivid's colour bars have luma %d to %d", lo, hi)
	}
}

// Two starts of one camera, a mode it does not have, damaged pictures.
func TestLabCameraFaults(t *testing.T) {
	spec := vivid(t)
	r := begin(t, Options{Device: spec, Width: 320, Height: 180, FPS: 15})
	r.status(t, "running", func(st Status) bool { return st.Running })
	other := begin(t, Options{Device: spec, Width: 320, Height: 180})
	if err := other.ended(t); !errors.Is(err, camera.ErrBusy) {
		t.Errorf("a camera that is taken: %v", err)
	}
	turn(t, spec, "Inject V4L2_BUF_FLAG_ERROR", 1)
	r.status(t, "damaged", func(st Status) bool { return st.Corrupt > 0 && st.Running })
	turn(t, spec, "Percentage of Dropped Buffers", 100)
	err := r.ended(t)
	turn(t, spec, "Percentage of Dropped Buffers", 0)
	if !errors.Is(err, camera.ErrStalled) {
		t.Errorf("standing still: %v", err)
	}
	wrong := begin(t, Options{Device: spec + "?input=HDMI 7"})
	if err := wrong.ended(t); !errors.Is(err, camera.ErrInput) {
		t.Errorf("a missing input: %v", err)
	}
}

// slate stands in for the camera until so many pictures have come.
func (r *labRun) slate(t *testing.T, pictures int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := r.s.Slate(ctx, func(p *rtp.Packet) {
		r.write(p)
		if p.Marker {
			if pictures--; pictures == 0 {
				cancel()
			}
		}
	}, "Saal", "kein Bild")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("slate: %v, %d pictures still to come", err, pictures)
	}
}
