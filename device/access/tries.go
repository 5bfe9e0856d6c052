package access

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// TooManyError says that a source must wait before its next try of the PIN.
type TooManyError struct {
	Wait   time.Duration // at least 1 s
	Others bool          // the wait comes from strangers' wrong tries: at the box and at known places there is none
}

// Error implements error.
func (e *TooManyError) Error() string {
	wait := e.Wait.Round(time.Second)
	if e.Others {
		return fmt.Sprintf("others are guessing the PIN; wait %v, or sign in at the box itself or where the PIN was right before", wait)
	}
	return fmt.Sprintf("too many wrong PINs; wait %v", wait)
}

// How long wrong tries make wait. The box itself and each place where the PIN was right before wait for their own wrong
// tries only, and never longer than maxWait. Strangers share an allowance beside that: however many they are, they get
// 8,640 tries in a day and sharedTries once, of a million PINs and more. Who guesses most waits for the others: each
// wrong try of a stranger leaves it one try less of the allowance, down to sharedLeast, so that a few who guess for ever
// leave enough for somebody who comes to a new place.
const (
	freeTries   = 3 // wrong tries of a source without a wait
	maxWait     = time.Minute
	sharedTries = 40 // the allowance of all strangers together
	sharedLeast = 10 // what of it the most persistent of them may use
	sharedEvery = 10 * time.Second

	forgetPlace    = 10 * time.Minute // a place starts anew after so much rest
	forgetStranger = 24 * time.Hour   // and a stranger: what it has guessed tells it from the chair at a new place
	maxStrangers   = 512
	maxPlaces      = 64
)

// tries counts wrong PINs. What must outlive a restart is in its file, see save.
type tries struct {
	path string
	now  func() time.Time
	log  *slog.Logger
	line chan struct{} // one stranger at a time may stand in the line to be checked, so that no other stands behind many

	writing sync.Mutex // held while the file is written, so that the latest is written last

	mu        sync.Mutex
	box       mistakes
	known     []place // where the PIN was right, the latest last
	strangers map[netip.Prefix]*mistakes
	shared    time.Time // the strangers' allowance is whole again
	changed   bool      // the file is older than this
	failing   bool      // the file could not be written
}

// mistakes are the wrong tries of one source.
type mistakes struct {
	Wrong int       `json:"wrong"`
	Last  time.Time `json:"last,omitzero"` // when the latest was counted
}

// place is an address where the PIN was right. It is the whole address also in IPv6: whoever stands in the same network
// is a stranger.
type place struct {
	At netip.Addr `json:"at"`
	mistakes
}

// begin counts a try as wrong before it is checked, so that many at once gain nothing. It tells whether a stranger tries.
func (t *tries) begin(source netip.Addr) (stranger bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, addr := t.now(), plain(source)
	m, rest := t.find(addr), forgetPlace
	if stranger = m == nil; stranger {
		m, rest = t.stranger(addr), forgetStranger
	}
	m.settle(now, rest)
	own := m.wait(now)
	others := time.Duration(0)
	if stranger {
		others = t.sharedWait(now, m.Wrong)
	}
	if wait := max(own, others); wait > 0 {
		return stranger, &TooManyError{Wait: max(wait, time.Second), Others: others > own}
	}
	if stranger {
		t.remember(addr, m)
		t.shared = t.shared.Add(sharedEvery)
	}
	m.Wrong++
	m.Last = now
	t.changed = true
	return stranger, nil
}

// passed takes the counted try back: the PIN was right, and its source is known from now on.
func (t *tries) passed(source netip.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.changed = true
	addr := plain(source)
	if addr.IsLoopback() {
		t.box = mistakes{}
		return
	}
	before := len(t.known)
	t.known = slices.DeleteFunc(t.known, func(p place) bool { return p.At == addr })
	if len(t.known) == before { // it was a stranger
		if m := t.strangers[network(addr)]; m != nil && m.Wrong > 0 {
			m.Wrong--
		}
		t.shared = t.shared.Add(-sharedEvery)
	}
	if addr.IsValid() {
		t.known = append(t.known, place{At: addr})
		t.known = t.known[max(0, len(t.known)-maxPlaces):]
	}
}

// forget lets everybody start anew, as after a new PIN. Known places stay known: a new PIN makes nobody a stranger.
func (t *tries) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.box = mistakes{}
	for i := range t.known {
		t.known[i].mistakes = mistakes{}
	}
	clear(t.strangers)
	t.shared = time.Time{}
	t.changed = true
}

// find gives the mistakes of the box itself or of a known place; nil: it is a stranger's address.
func (t *tries) find(addr netip.Addr) *mistakes {
	if addr.IsLoopback() {
		return &t.box
	}
	for i := range t.known {
		if t.known[i].At == addr {
			return &t.known[i].mistakes
		}
	}
	return nil
}

// stranger gives the mistakes of a stranger; one who has made none is not remembered yet.
func (t *tries) stranger(addr netip.Addr) *mistakes {
	if m := t.strangers[network(addr)]; m != nil {
		return m
	}
	return new(mistakes)
}

// remember keeps a stranger's mistakes. When there are too many strangers, the one that has rested longest makes room.
func (t *tries) remember(addr netip.Addr, m *mistakes) {
	t.strangers[network(addr)] = m
	if len(t.strangers) <= maxStrangers {
		return
	}
	var oldest netip.Prefix
	var of *mistakes
	for key, s := range t.strangers {
		if s != m && (of == nil || s.Last.Before(of.Last)) {
			oldest, of = key, s
		}
	}
	delete(t.strangers, oldest)
}

// sharedWait is how long the mistakes of all strangers make one wait that has made so many itself.
func (t *tries) sharedWait(now time.Time, wrong int) time.Duration {
	// Neither an allowance that was never used nor a clock that was set back may count for more than all of it.
	if t.shared.Before(now) {
		t.shared = now
	} else if full := now.Add(sharedTries * sharedEvery); t.shared.After(full) {
		t.shared = full
	}
	may := max(sharedTries-wrong, sharedLeast)
	return t.shared.Sub(now) - time.Duration(may-1)*sharedEvery
}

// settle forgets what is long ago. A clock that was set back makes nobody wait for longer than they had to.
func (m *mistakes) settle(now time.Time, rest time.Duration) {
	switch {
	case m.Last.After(now):
		m.Last = now
	case now.Sub(m.Last) > rest:
		*m = mistakes{}
	}
}

// wait is how long these mistakes make their source wait: after the free ones it doubles from one second.
func (m *mistakes) wait(now time.Time) time.Duration {
	over := m.Wrong - freeTries
	if over < 0 {
		return 0
	}
	return m.Last.Add(min(time.Second<<min(over, 10), maxWait)).Sub(now)
}

// plain is an address as it is compared.
func plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

// network is what counts as one stranger: an IPv4 address, or the /64 of an IPv6 address, where a host has many.
func network(addr netip.Addr) netip.Prefix {
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	p, err := addr.Prefix(bits)
	if err != nil { // the zero address: a stranger like any other
		return netip.Prefix{}
	}
	return p
}
