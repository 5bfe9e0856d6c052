// Package stage decides which source stands in which slot of picture and sound.
//
// A slot is one continuous RTP stream that never changes for those who watch it;
// the source behind it does. Sequence numbers, timestamps and VP8 picture ids are
// rewritten so that a change of speaker needs no renegotiation. A picture may be
// VP8 or H.264, and a slot changes from one to the other with its source: the
// payload type of each packet names its codec.
//
// Nothing passes at all before Transmit(true) and after Transmit(false). Within
// that the word decides: a member's packets pass only while the member is carried.
// Taking the word away is exact. The gate is the slot's lock, held over the check
// and the whole fan-out, and the retransmission ring belongs to the slot, so when
// Carry(person, false) has returned nothing of that person goes out any more, and
// nothing of anybody when Transmit(false) has.
package stage

import (
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// ErrNoVoice is returned by Carry when every voice slot is taken.
var ErrNoVoice = errors.New("no voice slot is free")

// ErrNoPerson is returned by Carry when it is called without a person.
var ErrNoPerson = errors.New("carry needs a person")

// Kind tells picture from sound.
type Kind int

// The two kinds of slots and sources.
const (
	Video Kind = iota // VP8 or H.264 over RTP, 90 kHz
	Audio             // Opus over RTP, 48 kHz
)

// String returns "video" or "audio".
func (k Kind) String() string {
	if k == Video {
		return "video"
	}
	return "audio"
}

// rate returns the RTP clock in Hz.
func (k Kind) rate() uint32 {
	if k == Video {
		return 90_000
	}
	return 48_000
}

// step returns the least distance between two frames in clock ticks: one
// picture at 30 per second, one Opus frame of 20 ms.
func (k Kind) step() uint32 {
	if k == Video {
		return 3000
	}
	return 960
}

// Options set up a Stage.
type Options struct {
	Voices int              // number of voice slots, 1 or more; 4 when 0
	Now    func() time.Time // clock; time.Now when nil
	Log    *slog.Logger     // slog.Default() when nil
}

// Stage holds the slots and the sources. All methods may be called from any
// goroutine, but not from inside a Sink.
type Stage struct {
	now func() time.Time
	log *slog.Logger

	mu      sync.Mutex
	sources map[sourceKey]*Source
	slots   []*slot           // index = SlotID; the shared ones
	private map[*slot]string  // programme slots: one for each listener, by person
	want    map[SlotID]string // id of the source each shared slot should show
	voices  []string          // person in voice slot i+1, or ""
	carried []string          // persons carried now, in the order of the grants
	open    bool              // something may go out at all
}

type sourceKey struct {
	id   string
	kind Kind
}

// New makes a stage with empty slots. Nothing goes out of it before Transmit(true).
func New(o Options) *Stage {
	if o.Voices <= 0 {
		o.Voices = 4
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s := &Stage{
		now: o.Now, log: o.Log,
		sources: map[sourceKey]*Source{},
		private: map[*slot]string{},
		want:    map[SlotID]string{},
		voices:  make([]string, o.Voices),
	}
	for id := range Voice(o.Voices) + 1 {
		s.slots = append(s.slots, newSlot(id, o.Now))
	}
	return s
}

// Transmit lets sources into the slots where they are wanted, or keeps all out of
// all. When Transmit(false) has returned, not one packet of anything goes out any
// more, neither to those who listen now nor to those who come later: no sound, no
// picture, no retransmission.
func (s *Stage) Transmit(on bool) {
	s.mu.Lock()
	s.open = on
	if !on {
		for sl := range s.all {
			sl.shut()
		}
	}
	ask := s.settle()
	s.mu.Unlock()
	s.log.Info("stage transmits", "on", on)
	ask()
}

// SetWord names the video source for the word slot; "" empties the slot at once.
// The source need not exist yet, and a member's source shows only while the
// member is carried. Until the new source sends a key frame the old picture
// runs on, unless the old one is withdrawn, replaced or closed.
func (s *Stage) SetWord(sourceID string) {
	s.setWanted(map[SlotID]string{Word: sourceID})
}

// SetHall names the sources of the hall's wide shot and the hall's sound;
// "" empties the slot. Neither need exist yet.
func (s *Stage) SetHall(videoID, audioID string) {
	s.setWanted(map[SlotID]string{Hall: videoID, HallSound: audioID})
}

func (s *Stage) setWanted(wanted map[SlotID]string) {
	s.mu.Lock()
	for id, source := range wanted {
		s.want[id] = source
		if source == "" {
			s.slots[id].empty()
		}
	}
	ask := s.settle()
	s.mu.Unlock()
	ask()
}

// Carry lets a member's sound and word picture through, or stops them.
//
// Carry(p, true) gives p a voice slot and returns ErrNoVoice when none is free;
// it is a no-op for somebody who is carried. When Carry(p, false) returns, not
// one packet of p goes out any more: no sound, no picture, no retransmission.
func (s *Stage) Carry(person string, on bool) error {
	if person == "" {
		return ErrNoPerson
	}
	s.mu.Lock()
	var err error
	if on {
		err = s.admit(person)
	} else {
		s.withdraw(person)
	}
	ask := s.settle()
	s.mu.Unlock()
	ask()
	return err
}

func (s *Stage) admit(person string) error {
	if slices.Contains(s.carried, person) {
		return nil
	}
	free := slices.Index(s.voices, "")
	if free < 0 {
		return ErrNoVoice
	}
	s.voices[free] = person
	s.carried = append(s.carried, person)
	s.log.Debug("stage carries a member", "person", person, "slot", Voice(free+1))
	return nil
}

func (s *Stage) withdraw(person string) {
	if i := slices.Index(s.voices, person); i >= 0 {
		s.voices[i] = ""
	}
	s.carried = slices.DeleteFunc(s.carried, func(p string) bool { return p == person })
	for sl := range s.all {
		sl.expel(person)
	}
	s.log.Debug("stage carries a member no more", "person", person)
}

// all yields the shared and the private slots. s.mu is held.
func (s *Stage) all(yield func(*slot) bool) {
	for _, sl := range s.slots {
		if !yield(sl) {
			return
		}
	}
	for sl := range s.private {
		if !yield(sl) {
			return
		}
	}
}

// settle aims every slot at the source it should show and tells every source
// where it stands. The returned function asks sources for key frames; it is
// called without the lock.
func (s *Stage) settle() func() {
	places := make(map[*Source][]*slot, len(s.sources))
	var ask []*Source
	for sl := range s.all {
		if src := s.chosen(sl); sl.aim(src) {
			ask = append(ask, src)
		}
		for _, src := range sl.holders() {
			places[src] = append(places[src], sl)
		}
	}
	for _, src := range s.sources {
		here := places[src]
		src.places.Store(&here)
	}
	return func() {
		for _, src := range ask {
			src.requestKey()
		}
	}
}

// chosen returns the source that should stand in the slot now, or nil.
func (s *Stage) chosen(sl *slot) *Source {
	if !s.open {
		return nil
	}
	if person, ok := s.private[sl]; ok {
		return s.programme(person)
	}
	var src *Source
	if i := int(sl.id - Voice(1)); i >= 0 {
		src = s.voice(s.voices[i])
	} else {
		src = s.sources[sourceKey{s.want[sl.id], sl.id.Kind()}]
	}
	if src == nil || (src.person != "" && !slices.Contains(s.carried, src.person)) {
		return nil
	}
	return src
}

// programme is what a listener with a single sound channel hears: the member
// who got the word last, never the listener's own voice, else the hall.
func (s *Stage) programme(listener string) *Source {
	for _, person := range slices.Backward(s.carried) {
		if person == listener {
			continue
		}
		if src := s.voice(person); src != nil {
			return src
		}
	}
	return s.sources[sourceKey{s.want[HallSound], Audio}]
}

// voice returns the sound source of a person, or nil.
func (s *Stage) voice(person string) *Source {
	if person == "" {
		return nil
	}
	for key, src := range s.sources {
		if key.kind == Audio && src.person == person {
			return src
		}
	}
	return nil
}

// VoiceOf returns the number of the voice slot, from 1, in which a carried
// person's sound stands, or 0 for somebody who is not carried.
func (s *Stage) VoiceOf(person string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if person == "" {
		return 0 // that is how a free slot looks
	}
	return slices.Index(s.voices, person) + 1
}
