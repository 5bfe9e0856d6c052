package sound

import (
	"math"
	"slices"
	"testing"
)

// sine is so many samples of a tone as a clock so many ppm fast takes them, from sample number at on.
func sine(hz, dbfs, ppm float64, at, n int) []int16 {
	amplitude := 32768 * math.Pow(10, dbfs/20)
	out := make([]int16, n)
	for i := range out {
		t := float64(at+i) / (Rate * (1 + ppm/1e6))
		out[i] = int16(math.Round(amplitude * math.Sin(2*math.Pi*hz*t)))
	}
	return out
}

// snr fits a tone of exactly hz to samples and returns its ratio to all the rest, and its level, in dB.
func snr(pcm []int16, hz float64) (ratio, dbfs float64) {
	var ss, cc, sc, xs, xc float64
	for i, v := range pcm {
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / Rate)
		ss, cc, sc = ss+sin*sin, cc+cos*cos, sc+sin*cos
		xs, xc = xs+float64(v)*sin, xc+float64(v)*cos
	}
	det := ss*cc - sc*sc
	a, b := (xs*cc-xc*sc)/det, (xc*ss-xs*sc)/det
	var rest float64
	for i, v := range pcm {
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / Rate)
		r := float64(v) - a*sin - b*cos
		rest += r * r
	}
	power := (a*a + b*b) / 2
	return 10 * math.Log10(power/(rest/float64(len(pcm)))), 10 * math.Log10(2*power/(32768*32768))
}

func TestResamplerIsClean(t *testing.T) {
	for _, c := range []struct{ hz, ppm, want float64 }{
		{1000, 0, 85}, {1000, 200, 80}, {1000, -200, 80}, {1000, 1000, 80}, {1000, -1000, 80},
		{100, 200, 80}, {6000, 37, 80}, {15000, 200, 75}, {19000, -130, 70},
	} {
		r := NewResampler(1)
		r.SetPPM(c.ppm)
		var out []int16
		for at := 0; at < 3*Rate; at += 480 {
			out = r.Process(out, sine(c.hz, -3, c.ppm, at, 480))
		}
		ratio, level := snr(out[Rate:2*Rate], c.hz)
		t.Logf("%5.0f Hz at %+5.0f ppm: %.1f dB over all else, level %.3f dBFS", c.hz, c.ppm, ratio, level)
		if ratio < c.want || math.Abs(level+3) > 0.1 {
			t.Errorf("%g Hz at %g ppm: %.1f dB over all else, want %.0f; level %.2f dBFS, want -3", c.hz, c.ppm, ratio, c.want, level)
		}
	}
}

// At a ratio of one it is a wire, 24 frames behind, also for several channels.
func TestResamplerIsAWire(t *testing.T) {
	for _, channels := range []int{1, 2, 5} {
		in := make([]int16, 4000*channels)
		for i := range in {
			in[i] = int16(i * 7919)
		}
		r := NewResampler(channels)
		var out []int16
		for chunk := range slices.Chunk(in, 37*channels) {
			out = r.Process(out, chunk)
		}
		if len(out) != len(in)-24*channels || !slices.Equal(out, in[:len(out)]) {
			t.Errorf("%d channels: %d samples out of %d, or not the same", channels, len(out), len(in))
		}
	}
}

// A ratio that jumps about leaves no step in the sound: no sample is farther from its neighbours than a tone that is bent by
// 1000 ppm can be.
func TestResamplerRatioMovesWithoutSeam(t *testing.T) {
	const hz = 440
	r := NewResampler(1)
	var out []int16
	for n := range 300 {
		r.SetPPM(1000 * math.Sin(float64(n*n)))
		out = r.Process(out, sine(hz, -3, 0, n*480, 480))
	}
	// The second difference of a tone is at most amplitude * (2 pi f / rate)^2.
	limit := 32768*math.Pow(10, -3.0/20)*math.Pow(2*math.Pi*hz*1.001/Rate, 2) + 4 // rounding of three samples
	for i := 200; i < len(out)-1; i++ {
		if d := math.Abs(float64(out[i-1]) - 2*float64(out[i]) + float64(out[i+1])); d > limit {
			t.Fatalf("sample %d: second difference %.1f, a tone has at most %.1f", i, d, limit)
		}
	}
}

func TestResamplerDoesNotWrap(t *testing.T) {
	r := NewResampler(1)
	r.SetPPM(500)
	var in, out []int16
	for n := range 100 {
		square := slices.Repeat([]int16{32767}, 480)
		if n%2 == 1 {
			square = slices.Repeat([]int16{-32768}, 480)
		}
		in = append(in, square...)
		out = r.Process(out, square)
	}
	for i, v := range out[:len(out)-100] {
		// The input around there, away from the edges.
		at := int(float64(i) * 1.0005)
		if at < 60 || (at+60)/480 != (at-60)/480 {
			continue
		}
		if (v > 0) != (in[at] > 0) || v < 30000 && v > -30000 {
			t.Fatalf("sample %d is %d where the input is %d", i, v, in[at])
		}
	}
}

func BenchmarkResampler(b *testing.B) {
	for _, channels := range []int{1, 2, 8} {
		b.Run(map[int]string{1: "mono", 2: "stereo", 8: "8 channels"}[channels], func(b *testing.B) {
			r := NewResampler(channels)
			r.SetPPM(123)
			in := sine(1000, -3, 0, 0, 480*channels)
			var out []int16
			for b.Loop() {
				out = r.Process(out[:0], in)
			}
			// 10 ms of sound each: 100 % would be one core.
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10e6*100, "%core")
		})
	}
}
