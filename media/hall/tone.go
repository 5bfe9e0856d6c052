package hall

import (
	"math"
	"time"

	"plenum/media/codec"
)

// testTone is a tone in the mix.
type testTone struct {
	pitch     float64 // Hz
	amplitude float64 // sample units
	left      int     // samples
	at        int     // samples since it began
}

// toneRamp is how long a tone takes to come and to go, in samples: a step would click.
const toneRamp = codec.Rate / 200

// Tone plays a sine of pitch Hz at level dBFS (RMS; a full-scale square wave is 0 dBFS) for the time given, mixed with the
// voices. A new tone replaces the one before; no time ends it.
func (p *Playout) Tone(pitch, level float64, d time.Duration) {
	p.out.Lock()
	defer p.out.Unlock()
	p.tone = testTone{pitch: pitch, amplitude: math.Sqrt2 * 32768 * math.Pow(10, level/20), left: int(d.Seconds() * codec.Rate)}
}

// add mixes the tone's next samples in.
func (t *testTone) add(mix []int32) {
	for i := range mix {
		if t.left <= 0 {
			return
		}
		gain := min(1, float64(t.at)/toneRamp, float64(t.left)/toneRamp)
		mix[i] += int32(gain * t.amplitude * math.Sin(2*math.Pi*t.pitch*float64(t.at)/codec.Rate))
		t.at++
		t.left--
	}
}
