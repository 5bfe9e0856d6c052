package stage

import (
	"sync/atomic"

	"github.com/pion/rtp"
)

// Source is where packets come from: a camera, the hall's sound, a member's
// browser. Made by AddSource.
type Source struct {
	id     string
	kind   Kind
	person string // "" for the hall's own
	key    func()
	stage  *Stage

	places atomic.Pointer[[]*slot] // slots to try; the slot itself decides
	taken  atomic.Uint64
	idle   atomic.Uint64
}

// AddSource makes a source known. ids are "camera/wide", "hall",
// "member/<person>"; a member's picture and sound share the id. person is ""
// for the hall's own sources. requestKey asks a video source for a key frame;
// it may be nil, must not block and must not call the stage.
//
// The same id and kind again replaces the old source, which is silent from then on.
func (s *Stage) AddSource(id string, kind Kind, person string, requestKey func()) *Source {
	src := &Source{id: id, kind: kind, person: person, key: requestKey, stage: s}
	key := sourceKey{id, kind}
	s.mu.Lock()
	if old := s.sources[key]; old != nil {
		s.retire(old)
	}
	s.sources[key] = src
	ask := s.settle()
	s.mu.Unlock()
	ask()
	return src
}

// Close takes the source off the stage. When it returns, no packet of it is on its way.
func (src *Source) Close() {
	s := src.stage
	s.mu.Lock()
	s.retire(src)
	if key := (sourceKey{src.id, src.kind}); s.sources[key] == src {
		delete(s.sources, key)
	}
	ask := s.settle()
	s.mu.Unlock()
	ask()
}

// retire removes the source from every slot. s.mu is held.
func (s *Stage) retire(src *Source) {
	src.places.Store(nil)
	for sl := range s.all {
		sl.drop(src)
	}
}

// Write offers one packet to the slots where the source stands and drops it
// when there is none. Its payload type names its Codec; a packet of another one
// counts as padding. The packet may be reused as soon as Write returns.
// One goroutine at a time may write to a source.
func (src *Source) Write(p *rtp.Packet) {
	places := src.places.Load()
	if places == nil || len(*places) == 0 {
		src.idle.Add(1)
		return
	}
	src.taken.Add(1)
	ask := false
	for _, sl := range *places {
		ask = sl.forward(src, p) || ask
	}
	if ask {
		src.requestKey()
	}
}

// Counts returns the packets offered to a slot and the packets dropped because
// the source stood in none.
func (src *Source) Counts() (taken, idle uint64) {
	return src.taken.Load(), src.idle.Load()
}

// ID returns the id given to AddSource.
func (src *Source) ID() string { return src.id }

func (src *Source) requestKey() {
	if src.key != nil {
		src.key()
	}
}
