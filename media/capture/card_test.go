package capture

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"

	"plenum/hal/sound"
	"plenum/media/codec"
)

// tones is interleaved sound, a tone for each channel.
func tones(samples int, dbfs float64, hz ...float64) []int16 {
	out := make([]int16, 0, samples*len(hz))
	for i := range samples {
		for _, f := range hz {
			out = append(out, int16(math.Sqrt2*32768*math.Pow(10, dbfs/20)*math.Sin(2*math.Pi*f*float64(i)/codec.Rate)))
		}
	}
	return out
}

// played names an ALSA device that gives these samples, interleaved, at once.
func played(t *testing.T, pcm []int16) string {
	t.Helper()
	raw, err := binary.Append(nil, binary.LittleEndian, pcm)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "in.raw")
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	return fromFile(path)
}

func fromFile(path string) string {
	return fmt.Sprintf("alsa:plug:{SLAVE={type file slave.pcm null file /dev/null infile %s format raw}}", path)
}

// decoded runs a source until it has given so many samples, and returns them. How long that takes is the machine's business.
func decoded(t *testing.T, s *Source, samples int) []int16 {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dec, err := codec.NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	var pcm []int16
	buf := make([]int16, codec.MaxSamples)
	err = s.Run(ctx, func(p *rtp.Packet) {
		n, err := dec.Decode(p.Payload, buf)
		if err != nil {
			t.Error(err)
		}
		if pcm = append(pcm, buf[:n]...); len(pcm) >= samples {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	return pcm
}

// The whole way of a card's sound, with two channels of which one is a seat's.
func TestMicrophoneTakesTheChannelsOfTheMap(t *testing.T) {
	for _, c := range []struct {
		channels    []string
		seats       []string
		hall, three bool
	}{
		{[]string{"hall", "3"}, nil, true, false},
		{[]string{"hall", "3"}, []string{"4", "3"}, true, true},
		{[]string{"", "3"}, []string{"3"}, false, true},
		{[]string{"hall", "hall"}, []string{"3"}, true, true},
		{[]string{"hall", ""}, []string{"", "hall"}, true, false},
	} {
		mode := ""
		s, err := Microphone(Options{Name: "hall", Device: played(t, tones(5*codec.Rate, -20, 440, 1500)), Channels: c.channels,
			Live: func(m string) { mode = m }})
		if err != nil {
			t.Fatal(err)
		}
		s.OpenSeats(c.seats)
		listened := make(chan float64, 1)
		go func() {
			level, err := s.Listen(t.Context(), 440, 200*time.Millisecond)
			if err != nil {
				t.Error(err)
			}
			listened <- level
		}()
		for listening := 0; listening == 0; time.Sleep(time.Millisecond) { // else the source may be done before
			s.ear.mu.Lock()
			listening = len(s.ear.listeners)
			s.ear.mu.Unlock()
		}
		pcm := decoded(t, s, codec.Rate)
		for hz, want := range map[float64]bool{440: c.hall, 1500: c.three} {
			if level := goertzel(pcm, hz); want != (level > -30) || want && math.Abs(level+20) > 2 {
				t.Errorf("%q with %q open: %g Hz at %.1f dBFS, wanted: %v", c.channels, c.seats, hz, level, want)
			}
		}
		if level := <-listened; c.hall != (level > -30) {
			t.Errorf("%q: listening heard %.1f dBFS", c.channels, level)
		}
		if !strings.Contains(mode, "2 of 2 channels") {
			t.Errorf("mode %q", mode)
		}
	}
}

func TestMicrophoneStatus(t *testing.T) {
	pcm := append(tones(codec.Rate/2, -40, 440), tones(3*codec.Rate, -20, 440)...)
	var st Status
	s, err := Microphone(Options{Name: "hall", Device: played(t, pcm)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	s.Run(ctx, func(*rtp.Packet) {
		if n++; n == 90 {
			st = s.Status()
			cancel()
		}
	})
	if !st.Running || math.Abs(st.Level+20) > 0.5 || math.Abs(st.Floor+40) > 0.5 || !st.SilentSince.IsZero() || st.PPM != 0 || st.XRuns != 0 {
		t.Errorf("%+v", st)
	}
	if st := s.Status(); st.Running || st.Level != 0 {
		t.Errorf("afterwards: %+v", st)
	}
	if _, err := s.Listen(ctx, 440, time.Second); err == nil {
		t.Error("listening to a source that does not run succeeded")
	}
}

func TestDigitalSilence(t *testing.T) {
	const channels, bytes = 2, 2
	sounding := tones(codec.Rate/5, -20, 440, 440)
	// A minute of silence, into which a tone is written as soon as it was told: a machine that is late finds some left.
	raw, err := binary.Append(nil, binary.LittleEndian, append(sounding, make([]int16, 60*channels*codec.Rate)...))
	path := filepath.Join(t.TempDir(), "in.raw")
	if err := errors.Join(err, os.WriteFile(path, raw, 0o600)); err != nil {
		t.Fatal(err)
	}
	again := func(frame int) error {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteAt(raw[:len(sounding)*bytes], int64(frame*channels*bytes))
		return errors.Join(err, f.Close())
	}
	s, err := Microphone(Options{Name: "hall", Device: fromFile(path), Channels: []string{"7", "8"}, Silence: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var states []bool
	start, packets := time.Now(), 0
	s.Run(ctx, func(*rtp.Packet) {
		packets++
		st := s.Status()
		if silent := !st.SilentSince.IsZero(); len(states) == 0 || states[len(states)-1] != silent {
			states = append(states, silent)
			if silent && (st.SilentSince.Before(start) || time.Since(st.SilentSince) < 300*time.Millisecond) {
				t.Errorf("silent since %v after the start", st.SilentSince.Sub(start))
			}
			if silent {
				if err := again(packets*codec.Frame + codec.Rate/2); err != nil {
					t.Error(err)
				}
			}
			if len(states) == 3 {
				cancel()
			}
		}
		// No seat is open: the mix is silent all the time, and that is no fault.
		if st.Level != deaf {
			t.Errorf("level %.1f with no channel open", st.Level)
		}
	})
	if len(states) != 3 || states[0] || !states[1] || states[2] {
		t.Errorf("silence over time: %v", states)
	}
}

func TestMicrophoneRefuses(t *testing.T) {
	for _, c := range []struct {
		o    Options
		hint string
	}{
		{Options{Device: "default"}, "card:ID"},
		{Options{Device: "alsa:null"}, "nowhere"},
		{Options{Device: "card:0"}, "numbers change"},
		{Options{Device: "card:Saal", Period: time.Nanosecond}, "needed"},
		{Options{Device: "card:Saal", Channels: []string{"", ""}}, "no channel of the map is used"},
		{Options{Device: "card:Saal", Channels: []string{"hall", " 3"}}, "blanks"},
		{Options{Device: "card:Saal", Channels: make([]string, 65)}, "at most 64"},
	} {
		c.o.Name = "hall"
		if _, err := Microphone(c.o); err == nil || !strings.Contains(err.Error(), c.hint) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: %v, want a hint about %q", c.o, err, c.hint)
		}
	}
	s, err := Microphone(Options{Name: "hall", Device: "card:NoSuchCard", Channels: []string{"hall"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context(), func(*rtp.Packet) {}); !errors.Is(err, ErrAbsent) || !errors.Is(err, sound.ErrLost) {
		t.Errorf("no such card: %v", err)
	}
}

// A channel that comes and goes makes no click: no step is larger than the tone's own.
func TestMixerRamps(t *testing.T) {
	m := newMixer([]string{"hall", "3", ""})
	in := tones(codec.Rate, -10, 50, 300, 9000)
	var out []int16
	for i := range 50 {
		if i%3 == 0 {
			m.openSeats([]string{"3"}[:i/3%2])
		}
		n := codec.Rate / 50 * 3
		var dead bool
		if out, dead = m.mix(out, in[i*n:(i+1)*n], 3); dead {
			t.Error("taken for dead")
		}
	}
	amplitude := math.Sqrt2 * 32768 * math.Pow(10, -0.5)
	most := amplitude*2*math.Pi*350/codec.Rate + amplitude/ramp + 4
	for i := 1; i < len(out); i++ {
		if d := math.Abs(float64(out[i]) - float64(out[i-1])); d > most {
			t.Fatalf("a step of %.0f at sample %d, at most %.0f is sound", d, i, most)
		}
	}
	if open, shut := goertzel(out[codec.Rate*7/100:codec.Rate*11/100+codec.Rate/10], 300), goertzel(out, 9000); open < -40 || shut > -60 {
		t.Errorf("seat at %.1f dBFS, an unused channel at %.1f", open, shut)
	}
}

// Two loud channels bend instead of wrapping.
func TestMixerLimits(t *testing.T) {
	m := newMixer([]string{"hall", "hall"})
	out, _ := m.mix(nil, []int16{30000, 30000, -30000, -30000, 100, 23, -32768, -32768}, 2)
	if out[0] < 30000 || out[1] > -30000 || out[2] != 123 || out[3] > -30000 {
		t.Errorf("%v", out)
	}
	if _, dead := m.mix(nil, make([]int16, 20), 2); !dead {
		t.Error("zeros are not dead")
	}
	if out, _ := newMixer(nil).mix(nil, []int16{5, 6, 7, 8}, 2); out[0] != 5 || out[1] != 7 {
		t.Errorf("without a map: %v", out)
	}
}
