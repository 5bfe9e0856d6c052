//go:build lab

package bench

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/pion/rtp"

	"plenum/hal/camera"
	"plenum/media/capture"
)

// stamped is a camera that remembers its last picture's times.
type stamped struct {
	*camera.Camera
	taken, read time.Time // by the kernel; when Read gave it
}

func (s *stamped) Read() (camera.Frame, error) {
	f, err := s.Camera.Read()
	s.taken, s.read = f.At, time.Now()
	return f, err
}

// TestLabKernelStamp measures from the kernel's time stamp of a picture until its last RTP packet is handed on, with vivid
// at 320x180 and 25/s in the lab's guest. Everything is slow there, since the processor is emulated: what counts is the
// ratio to the time that the encoder alone takes for the same pictures.
func TestLabKernelStamp(t *testing.T) {
	const lead, count = 50, 250
	cam := &stamped{}
	s, err := capture.Camera(capture.Options{
		Name: "hall", Device: "/dev/v4l/by-id/lab-vivid-000", Width: 320, Height: 180, FPS: 25, Log: slog.New(slog.DiscardHandler),
		Open: func(device string) (capture.Device, error) {
			var err error
			cam.Camera, err = camera.Open(device)
			return cam, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var whole, waking, encoding series
	var before time.Duration
	pictures := 0
	err = s.Run(ctx, func(p *rtp.Packet) {
		if !p.Marker {
			return // one goroutine reads, encodes and comes here, so this is of the last picture read
		}
		now, all := time.Now(), s.Stats().Encoding
		if pictures++; pictures > lead {
			whole.add(now.Sub(cam.taken))
			waking.add(cam.read.Sub(cam.taken))
			encoding.add(all - before)
		}
		before = all
		if pictures == lead+count {
			cancel()
		}
	})
	if pictures < lead+count || !errors.Is(err, context.Canceled) {
		t.Fatalf("%d pictures of %d came, %v; %+v", pictures, lead+count, err, s.Status())
	}
	for _, m := range []struct {
		what string
		s    series
	}{{"kernel's time stamp to last packet", whole}, {"of that until the picture is read", waking}, {"limit: the encoder alone", encoding}} {
		t.Logf("%-36s p50 %7.0f us, p99 %7.0f us", m.what, micros(m.s.median()), micros(m.s.at(0.99)))
	}
	t.Logf("x-limit %.2f, at p99 %.2f; %d pictures, %d lost", float64(whole.median())/float64(encoding.median()),
		float64(whole.at(0.99))/float64(encoding.at(0.99)), count, s.Status().Lost)
}
