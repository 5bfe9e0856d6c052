//go:build lab

package capture

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"

	"plenum/hal/sound"
	"plenum/media/codec"
)

// looped plays a tone on each channel into the loop's device 1, by aplay, until the function returned is called.
func looped(t *testing.T, hz ...float64) (stop func()) {
	t.Helper()
	pcm, err := binary.Append(nil, binary.LittleEndian, tones(60*codec.Rate, -20, hz...))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tones.raw")
	if err := os.WriteFile(path, pcm, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("aplay", "-q", "-D", "hw:CARD=Saal,DEV=1,SUBDEV=0", "-t", "raw", "-f", "S16_LE", "-r", "48000", "-c", "2", "--buffer-time=1000000", path)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() {
		cmd.Process.Kill()
		cmd.Wait()
	}
}

// listening runs a microphone on the loop's device 0.
func listening(t *testing.T, o Options) *Source {
	t.Helper()
	o.Name, o.Device, o.Buffer = "hall", "card:Saal,0,0", time.Second
	s, err := Microphone(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx, func(*rtp.Packet) {}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v", err)
		}
	})
	return s
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 30 s", what)
		}
	}
}

// Each channel carries a tone of its own; the mix has those that the map and the open seats say.
func TestLabChannelMap(t *testing.T) {
	defer looped(t, 440, 1500)()
	s := listening(t, Options{Channels: []string{"hall", "3"}})
	until(t, "sound", func() bool { return s.Status().Running })
	for _, c := range []struct {
		seats []string
		three bool
	}{{nil, false}, {[]string{"3"}, true}, {[]string{"4"}, false}} {
		s.OpenSeats(c.seats)
		time.Sleep(300 * time.Millisecond)
		hall, err := s.Listen(t.Context(), 440, 500*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		three, err := s.Listen(t.Context(), 1500, 500*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("seats %q open: hall %.1f dBFS, seat 3 %.1f dBFS; %+v", c.seats, hall, three, s.Status())
		if hall < -22 || hall > -18 || c.three != (three > -22) || !c.three && three > -60 {
			t.Errorf("seats %q open: hall %.1f dBFS, seat 3 %.1f dBFS", c.seats, hall, three)
		}
	}
}

// When nobody plays into the loop any more its samples are exactly zero, which is told, and ends.
func TestLabDigitalSilence(t *testing.T) {
	stop := looped(t, 440, 1500)
	s := listening(t, Options{Channels: []string{"hall", ""}, Silence: time.Second})
	until(t, "sound", func() bool { st := s.Status(); return st.Running && st.Level > -30 })
	stop()
	until(t, "silence", func() bool { st := s.Status(); return st.Running && !st.SilentSince.IsZero() && st.Level < -100 })
	defer looped(t, 440, 1500)()
	until(t, "sound again", func() bool { st := s.Status(); return st.SilentSince.IsZero() && st.Level > -30 })
}

func TestLabWrongMap(t *testing.T) {
	s, err := Microphone(Options{Name: "hall", Device: "card:Saal,0,1", Channels: strings.Split(strings.Repeat("hall ", 33), " ")})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Run(t.Context(), func(*rtp.Packet) {})
	t.Log(err)
	if !errors.Is(err, sound.ErrFormat) || !strings.Contains(err.Error(), "34 entries") || strings.Contains(err.Error(), "\n") {
		t.Error(err)
	}
}
