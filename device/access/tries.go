package access

import (
	"fmt"
	"net/netip"
	"sync"
	"time"
)

// TooManyError says that a source must wait before its next try of the PIN.
type TooManyError struct {
	Wait time.Duration // at least 1 s
}

// Error implements error.
func (e *TooManyError) Error() string {
	return fmt.Sprintf("too many wrong PINs; wait %v", e.Wait.Round(time.Second))
}

// How long wrong tries make wait. With these a hundred sources together get at most 8,640 tries in a day, of a million
// PINs and more; the chair is never kept out for longer than maxWait by their own mistakes, and not at all by the
// mistakes of others from a place that has logged in before.
const (
	freeTries   = 3 // wrong tries of a source without a wait
	maxWait     = time.Minute
	othersFree  = 10 // wrong tries of all sources together without a wait
	othersWait  = 10 * time.Second
	maxSources  = 1024
	forgetAfter = 10 * time.Minute // a source starts anew after so much rest
)

// tries counts wrong PINs.
type tries struct {
	mu      sync.Mutex
	sources map[netip.Prefix]*source
	all     source // of all sources that never logged in
}

type source struct {
	wrong   int
	last    time.Time // the latest try
	next    time.Time // not before
	trusted bool      // has logged in before, since the box started
}

func newTries() *tries { return &tries{sources: make(map[netip.Prefix]*source)} }

// begin counts a try as wrong before it is checked, so that many at once gain nothing.
func (t *tries) begin(addr netip.Addr, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.at(addr, now)
	wait := s.next.Sub(now)
	if !s.trusted {
		wait = max(wait, t.all.next.Sub(now))
	}
	if wait > 0 {
		return &TooManyError{Wait: max(wait, time.Second)}
	}
	s.count(now, freeTries, time.Second, maxWait)
	if !s.trusted {
		if now.Sub(t.all.last) > forgetAfter {
			t.all = source{}
		}
		t.all.count(now, othersFree, othersWait, othersWait)
	}
	return nil
}

// passed takes the counted try back.
func (t *tries) passed(addr netip.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.sources[network(addr)]; s != nil {
		if !s.trusted && t.all.wrong > 0 {
			t.all.wrong--
		}
		*s = source{trusted: true, last: s.last}
	}
}

// forget starts anew.
func (t *tries) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.sources)
	t.all = source{}
}

// at finds the source of an address. When there are too many, the one that has rested longest makes room.
func (t *tries) at(addr netip.Addr, now time.Time) *source {
	key := network(addr)
	s := t.sources[key]
	switch {
	case s == nil:
		if len(t.sources) >= maxSources {
			t.drop()
		}
		s = new(source)
		t.sources[key] = s
	case now.Sub(s.last) > forgetAfter:
		*s = source{trusted: s.trusted}
	}
	s.last = now
	return s
}

func (t *tries) drop() {
	var oldest netip.Prefix
	var when time.Time
	for key, s := range t.sources {
		if when.IsZero() || s.last.Before(when) {
			oldest, when = key, s.last
		}
	}
	delete(t.sources, oldest)
}

// count adds a wrong try: after the free ones the wait doubles from first to most.
func (s *source) count(now time.Time, free int, first, most time.Duration) {
	s.wrong++
	s.last = now
	if over := s.wrong - free; over >= 0 {
		s.next = now.Add(min(first<<min(over, 10), most))
	}
}

// network is what counts as one source: an IPv4 address, or the /64 of an IPv6 address, where a host has many.
func network(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	p, err := addr.Prefix(bits)
	if err != nil { // the zero address: a source like any other
		return netip.Prefix{}
	}
	return p
}
