package hall

import (
	"math"
	"time"

	"plenum/media/codec"
)

// Silence is the level of digital silence, in dBFS (the floor of RFC 6464).
const Silence = -127.0

// Level is loudness over the last 200 ms, in dBFS: 0 is a square wave of full
// scale, a full-scale sine has an RMS of -3.
type Level struct {
	RMS, Peak float64
}

// VoiceState is what is known of one voice.
type VoiceState struct {
	Level
	Playing bool          // sound of it is in the mix now
	Delay   time.Duration // wanted time between arrival and playout
	Counters
}

// Counters count packets since the playout was made.
type Counters struct {
	Received  uint64
	Late      uint64 // came after their time
	Doubled   uint64
	Lost      uint64 // never came, or not in time: made up
	Recovered uint64 // of the lost: handed to the next packet's FEC
	Underruns uint64 // times the buffer ran dry in the middle of speech
	Dropped   uint64 // too many at once
	Bad       uint64 // not Opus
}

func (c Counters) minus(o Counters) Counters {
	return Counters{
		c.Received - o.Received, c.Late - o.Late, c.Doubled - o.Doubled, c.Lost - o.Lost,
		c.Recovered - o.Recovered, c.Underruns - o.Underruns, c.Dropped - o.Dropped, c.Bad - o.Bad,
	}
}

// Levels is the state of the playout at one moment.
type Levels struct {
	Mix     Level
	Frames  uint64  // handed to the sink since the playout was made
	Xruns   uint64  // times the sound card ran dry since it was opened
	Dropped uint64  // samples that the sound card did not take since then
	PPM     float64 // how much faster the sound card runs than the box, as far as known
	Voices  []VoiceState
}

// Levels returns the present state. It never waits for the sink.
func (p *Playout) Levels() Levels {
	p.levels.Lock()
	l := Levels{Mix: p.meter.level(), Frames: p.frames, Xruns: p.trouble.XRuns, Dropped: p.trouble.Dropped, PPM: p.ppm}
	p.levels.Unlock()
	for _, v := range p.voices {
		l.Voices = append(l.Voices, v.state())
	}
	return l
}

// meter measures the last 20 frames.
type meter struct {
	power [20]float64 // mean square
	peak  [20]int32
	at    int
}

// add measures one frame; nil is silence.
func (m *meter) add(pcm []int16) {
	var sum int64
	var peak int32
	for _, s := range pcm {
		sum += int64(s) * int64(s)
		peak = max(peak, int32(s), -int32(s))
	}
	m.power[m.at] = float64(sum) / Frame
	m.peak[m.at] = peak
	m.at = (m.at + 1) % len(m.power)
}

func (m *meter) level() Level {
	var power float64
	var peak int32
	for i := range m.power {
		power += m.power[i] / float64(len(m.power))
		peak = max(peak, m.peak[i])
	}
	return Level{RMS: decibels(power), Peak: decibels(float64(peak) * float64(peak))}
}

// decibels of a squared sample value.
func decibels(square float64) float64 {
	if square <= 0 {
		return Silence
	}
	return max(Silence, 10*math.Log10(square/(32768*32768)))
}

// span turns a number of samples into a duration.
func span(samples int64) time.Duration {
	return time.Duration(samples) * time.Second / codec.Rate
}
