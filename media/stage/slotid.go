package stage

import "fmt"

// SlotID names a slot. The order of the slots is fixed for the life of a stage.
type SlotID int

// The slots that always exist. Voice names the others.
const (
	Word      SlotID = iota // video: who speaks
	Hall                    // video: the wide shot
	HallSound               // audio: the hall's microphones
	Programme               // audio: for listeners with one channel, own numbering for each
	firstVoice
)

// Voice returns the slot of the n-th remote speaker's sound, n = 1, 2, ...
func Voice(n int) SlotID { return firstVoice + SlotID(n-1) }

// Kind returns the kind of the slot.
func (id SlotID) Kind() Kind {
	if id == Word || id == Hall {
		return Video
	}
	return Audio
}

// String returns the slot's name as it stands in logs and statistics.
func (id SlotID) String() string {
	switch id {
	case Word:
		return "word"
	case Hall:
		return "hall"
	case HallSound:
		return "hall-sound"
	case Programme:
		return "programme"
	}
	return fmt.Sprintf("voice-%d", id-firstVoice+1)
}

// Order returns the shared slots of a kind in the order in which the media
// lines of a player's offer get them: video word, hall; audio hall, voice 1, 2, ...
// A player with a single audio line gets Programme instead.
func (s *Stage) Order(kind Kind) []SlotID {
	if kind == Video {
		return []SlotID{Word, Hall}
	}
	order := []SlotID{HallSound}
	for i := range s.voices {
		order = append(order, Voice(i+1))
	}
	return order
}
