package capture

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"plenum/hal/sound"
	"plenum/media/codec"
)

// hallChannel is the entry of a channel map that is always in the mix.
const hallChannel = "hall"

// checkChannels says at construction which map could never work.
func checkChannels(channels []string) error {
	used := false
	for i, name := range channels {
		if name != strings.TrimSpace(name) {
			return fmt.Errorf("channel %d is called %q: take the blanks out", i+1, name)
		}
		used = used || name != ""
	}
	switch {
	case len(channels) > 64:
		return fmt.Errorf("%d channels in the map; at most 64 are possible", len(channels))
	case len(channels) > 0 && !used:
		return fmt.Errorf("no channel of the map is used: write %q for the one that carries the hall's mix, or a seat's name", hallChannel)
	}
	return nil
}

const (
	gainOne = 1 << 15
	ramp    = codec.Rate / 100 // samples that a channel takes to come or to go: a step would click
)

// mixer makes one channel of a card's many: those called "hall" always, a seat's only while it is open.
type mixer struct {
	names []string      // by channel of the card
	open  atomic.Uint64 // bit n: channel n is in the mix
	gains []int32       // of channels now, gainOne is 1; of the goroutine that mixes
}

func newMixer(channels []string) *mixer {
	if len(channels) == 0 {
		channels = []string{hallChannel}
	}
	m := &mixer{names: slices.Clone(channels), gains: make([]int32, len(channels))}
	m.openSeats(nil)
	for i := range m.gains {
		m.gains[i] = m.wanted(i)
	}
	return m
}

func (m *mixer) openSeats(seats []string) {
	var open uint64
	for i, name := range m.names {
		if name == hallChannel || name != "" && slices.Contains(seats, name) {
			open |= 1 << i
		}
	}
	m.open.Store(open)
}

func (m *mixer) wanted(channel int) int32 {
	if m.open.Load()&(1<<channel) != 0 {
		return gainOne
	}
	return 0
}

// mix appends the mix of interleaved frames to mono. dead says that every channel of the map was nothing but zeros, whether
// it is in the mix or not: no microphone that is connected does that.
func (m *mixer) mix(mono, frames []int16, channels int) (_ []int16, dead bool) {
	dead = true
	sums := make([]int32, len(frames)/channels)
	for ch, name := range m.names {
		if name == "" || ch >= channels {
			continue
		}
		want, gain := m.wanted(ch), m.gains[ch]
		for i := range sums {
			s := int32(frames[i*channels+ch])
			dead = dead && s == 0
			if gain < want {
				gain = min(gain+gainOne/ramp+1, want)
			} else if gain > want {
				gain = max(gain-gainOne/ramp-1, want)
			}
			sums[i] += s * gain / gainOne
		}
		m.gains[ch] = gain
	}
	for _, s := range sums {
		mono = append(mono, sound.Limit(s))
	}
	return mono, dead
}

// OpenSeats says whose seats' channels are in the microphones' mix from now on, beside the hall's. It may be called at any
// time; seats without a channel of their own change nothing.
func (s *Source) OpenSeats(seats []string) {
	if s.mixer != nil {
		s.mixer.openSeats(seats)
	}
}
