package hall

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"plenum/hal/sound"
	"plenum/media/codec"
)

// readWAV checks a file the way a reader does and returns its samples.
func readWAV(t *testing.T, path string) []int16 {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	if len(b) < wavHeader || string(b[:4]) != "RIFF" || string(b[8:16]) != "WAVEfmt " || string(b[36:40]) != "data" {
		t.Fatalf("%s is no WAV file", path)
	}
	if riff, data := int(le.Uint32(b[4:])), int(le.Uint32(b[40:])); riff != len(b)-8 || data != len(b)-wavHeader {
		t.Fatalf("%s: header counts %d and %d, file has %d bytes", path, riff, data, len(b))
	}
	if le.Uint16(b[20:]) != 1 || le.Uint16(b[22:]) != 1 || le.Uint32(b[24:]) != codec.Rate || le.Uint16(b[34:]) != 16 {
		t.Fatalf("%s: format % x", path, b[20:36])
	}
	pcm := make([]int16, (len(b)-wavHeader)/2)
	for i := range pcm {
		pcm[i] = int16(le.Uint16(b[wavHeader+2*i:]))
	}
	return pcm
}

func TestWAVIsReadableAtAnyTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hall.wav")
	s, err := OpenSink(Spec{Device: "wav:" + path})
	if err != nil {
		t.Fatal(err)
	}
	if got := readWAV(t, path); len(got) != 0 {
		t.Errorf("%d samples at the beginning", len(got))
	}
	frame := make([]int16, Frame)
	for n := range 5 {
		for i := range frame {
			frame[i] = int16(n*1000 - i)
		}
		if err := s.Write(frame); err != nil {
			t.Fatal(err)
		}
		// Nothing was closed or flushed: this is what a killed process leaves.
		pcm := readWAV(t, path)
		if len(pcm) != (n+1)*Frame || pcm[n*Frame] != int16(n*1000) || pcm[len(pcm)-1] != int16(n*1000-Frame+1) {
			t.Errorf("after %d frames: %d samples", n+1, len(pcm))
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// The next start keeps what was recorded.
	s, err = OpenSink(Spec{Device: "wav:" + path})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := len(readWAV(t, path+".1")); got != 5*Frame {
		t.Errorf("the file before has %d samples", got)
	}
}

func TestWAVIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hall.wav")
	const limit = wavHeader + 10*2*Frame
	w, err := OpenWAV(path, limit)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for n := range 25 {
		frame := make([]int16, Frame)
		frame[0] = int16(n)
		if err := w.Write(frame); err != nil {
			t.Fatal(err)
		}
	}
	now, before := readWAV(t, path), readWAV(t, path+".1")
	if len(now) != 5*Frame || now[0] != 20 || len(before) != 10*Frame || before[0] != 10 {
		t.Errorf("%d samples from frame %d, before that %d from %d", len(now), now[0], len(before), before[0])
	}
	if files, _ := filepath.Glob(path + "*"); len(files) != 2 {
		t.Errorf("files %v", files)
	}
}

func TestSinkSpecs(t *testing.T) {
	for spec, hint := range map[string]string{
		"": "possible are", "default": "possible are", "wav": "possible are", "pulse:x": "possible are", "null:x": "possible are",
		"wav:": "absolute path", "wav:hall.wav": "absolute path", "alsa:": "aplay -L", "alsa:null": "null (nowhere)", "card:0": "numbers change",
	} {
		if _, err := OpenSink(Spec{Device: spec}); !errors.Is(err, ErrSink) || !strings.Contains(err.Error(), hint) {
			t.Errorf("%q: %v, want a hint about %q", spec, err, hint)
		}
	}
	if _, err := OpenSink(Spec{Device: "wav:/nowhere/hall.wav"}); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "folder") {
		t.Errorf("no folder: %v", err)
	}
	for _, s := range []Spec{{Period: time.Microsecond}, {Period: 20 * time.Millisecond, Buffer: 30 * time.Millisecond}, {Buffer: time.Hour}} {
		s.Device = "card:Saal"
		if err := s.Check(); !errors.Is(err, ErrSink) || !strings.Contains(err.Error(), "needed") {
			t.Errorf("%+v: %v", s, err)
		}
	}
	for _, device := range []string{"alsa:plughw:CARD=NoSuchCard", "card:NoSuchCard", "usb:123"} {
		if s, err := OpenSink(Spec{Device: device}); !errors.Is(err, sound.ErrLost) {
			t.Errorf("%s: %v, want %v", device, err, sound.ErrLost)
			if err == nil {
				s.Close()
			}
		}
	}
}

// paced runs a sink for a while of the bubble's time.
func paced(t *testing.T, s Sink, span time.Duration) (frames int) {
	ctx, cancel := context.WithTimeout(t.Context(), span)
	defer cancel()
	for s.Wait(ctx) == nil {
		if err := s.Write(make([]int16, Frame)); err != nil {
			t.Fatal(err)
		}
		frames++
	}
	return frames
}

func TestClockPacesWithoutDrift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNull()
		if got := paced(t, n, 10*time.Second-time.Millisecond); got != 1000 {
			t.Errorf("%d frames in 10 s", got)
		}
		// A short delay is caught up with, a standstill is not.
		time.Sleep(100 * time.Millisecond)
		if got := paced(t, n, 95*time.Millisecond); got < 19 || got > 21 {
			t.Errorf("%d frames in 95 ms after 100 ms of delay", got)
		}
		time.Sleep(time.Minute)
		if got := paced(t, n, 95*time.Millisecond); got > 10 {
			t.Errorf("%d frames in 95 ms after a standstill", got)
		}
		if frames, l := n.Heard(); frames < 1028 || l.RMS != Silence {
			t.Errorf("heard %d frames, %+v", frames, l)
		}
	})
}

// ALSA's own file plugin, asked for by name, takes everything at once; the sink must still keep time.
func TestALSAFileKeepsTime(t *testing.T) {
	s, err := OpenSink(Spec{Device: "alsa:file:'/dev/null',raw", Period: 5 * time.Millisecond, Buffer: 60 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	start := time.Now()
	for n := range 30 { // later than that is the machine's business, earlier is the sink's
		if err := errors.Join(s.Wait(t.Context()), s.Write(make([]int16, Frame))); err != nil {
			t.Fatal(err)
		}
		if most := int(time.Since(start)/FrameTime)*102/100 + 2; n+1 > most {
			t.Fatalf("%d frames in %v", n+1, time.Since(start))
		}
	}
}
