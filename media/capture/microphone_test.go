package capture

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"plenum/media/codec"
)

// The whole way of a voice: driver, Opus, RTP, decoder; the pitch is found and
// the level is right.
func TestMicrophoneVoice(t *testing.T) {
	for _, pitch := range []float64{150, 220, 400, 1000} {
		synctest.Test(t, func(t *testing.T) {
			s, err := Microphone(Options{Name: "hall", Device: testVoice, Pitch: pitch})
			if err != nil {
				t.Fatal(err)
			}
			packets := run(t, s, 6*time.Second-time.Millisecond, nil)
			if len(packets) != 300 {
				t.Fatalf("%d packets in 6 s, want 300", len(packets))
			}
			dec, err := codec.NewDecoder()
			if err != nil {
				t.Fatal(err)
			}
			var pcm []int16
			buf := make([]int16, codec.MaxSamples)
			for i, p := range packets {
				if want := packets[0].Timestamp + uint32(i)*codec.Frame; p.Timestamp != want || p.SequenceNumber != packets[0].SequenceNumber+uint16(i) {
					t.Fatalf("packet %d: timestamp %d, want %d; sequence %d", i, p.Timestamp, want, p.SequenceNumber)
				}
				if p.PayloadType != PayloadOpus {
					t.Fatalf("payload type %d", p.PayloadType)
				}
				n, err := dec.Decode(p.Payload, buf)
				if err != nil {
					t.Fatal(err)
				}
				pcm = append(pcm, buf[:n]...)
			}
			if l := rms(pcm); l < -23 || l > -18 {
				t.Errorf("pitch %g: level %.1f dBFS, want about -20", pitch, l)
			}
			own := goertzel(pcm, pitch)
			for _, other := range []float64{pitch * 1.12, pitch * 0.89, pitch * 1.5} {
				if d := own - goertzel(pcm, other); d < 12 {
					t.Errorf("%g Hz is only %.1f dB above %g Hz", pitch, d, other)
				}
			}
			if d := own - rms(pcm); d < -6 {
				t.Errorf("the pitch %g Hz holds %.1f dB of the whole", pitch, d)
			}
		})
	}
}

// rms in dBFS.
func rms(pcm []int16) float64 {
	var sum float64
	for _, s := range pcm {
		sum += float64(s) * float64(s)
	}
	return 10 * math.Log10(sum/float64(len(pcm))/(32768*32768)+1e-13)
}

// goertzel is the RMS of one frequency in dBFS, over windows of 100 ms so that
// the loudness of syllables does not smear it.
func goertzel(pcm []int16, hz float64) float64 {
	const window = codec.Rate / 10
	var power float64
	n := 0
	for at := 0; at+window <= len(pcm); at += window {
		var re, im float64
		for i, s := range pcm[at : at+window] {
			hann := 1 - math.Cos(2*math.Pi*float64(i)/window)
			sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / codec.Rate)
			re += float64(s) * hann * cos
			im += float64(s) * hann * sin
		}
		power += 2 * (re*re + im*im) / (window * window)
		n++
	}
	return 10 * math.Log10(power/float64(n)/(32768*32768)+1e-13)
}

func TestVoicesDiffer(t *testing.T) {
	seen := map[float64]string{}
	for _, name := range []string{"hall", "left", "right"} {
		s, err := Microphone(Options{Name: name, Device: testVoice})
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[s.o.Pitch]; ok {
			t.Errorf("%s and %s have the same pitch %g", name, other, s.o.Pitch)
		}
		seen[s.o.Pitch] = name
	}
}
