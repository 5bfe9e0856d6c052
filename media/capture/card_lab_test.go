//go:build lab

package capture

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"

	"plenum/hal/sound"
	"plenum/media/codec"
)

// round is sound without end.
type round struct {
	pcm []byte
	at  int
}

func (r *round) Read(b []byte) (int, error) {
	n := copy(b, r.pcm[r.at:])
	r.at = (r.at + n) % len(r.pcm)
	return n, nil
}

// looped plays a tone of whole Hz on each channel into the loop's device 1, by aplay, until the function returned is called.
func looped(t *testing.T, hz ...float64) (stop func()) {
	t.Helper()
	pcm, err := binary.Append(nil, binary.LittleEndian, tones(codec.Rate, -20, hz...))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("aplay", "-q", "-D", "hw:CARD=Saal,DEV=1,SUBDEV=0", "-t", "raw", "-f", "S16_LE", "-r", "48000", "-c", "2", "--buffer-time=1000000")
	cmd.Stdin, cmd.Stderr = &round{pcm: pcm}, os.Stderr
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

// patience is how long a condition is waited for. The lab's guest is emulated on a machine that may be busy: nothing in the
// tests that run there judges how long something takes, or how much comes in a time.
const patience = 2 * time.Minute

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// levels listens for tones in one piece of the mix.
func levels(t *testing.T, s *Source, hz ...float64) []float64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	db, errs := make([]float64, len(hz)), make([]error, len(hz))
	var wait sync.WaitGroup
	for i := range hz {
		wait.Go(func() { db[i], errs[i] = s.Listen(ctx, hz[i], 300*time.Millisecond) })
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return db
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
		var hall, three float64
		until(t, fmt.Sprintf("the hall's tone, and that of seat 3 %v with seats %q open", c.three, c.seats), func() bool {
			db := levels(t, s, 440, 1500)
			hall, three = db[0], db[1]
			return hall > -22 && hall < -18 && (c.three && three > -22 || !c.three && three < -60)
		})
		t.Logf("seats %q open: hall %.1f dBFS, seat 3 %.1f dBFS; %+v", c.seats, hall, three, s.Status())
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
