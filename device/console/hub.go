package console

import (
	"context"
	"net/http"
	"sync"
	"time"

	"plenum/device/access"
	"plenum/device/clerk"
	"plenum/device/sitting"
)

const (
	maxStreams = 512                   // open event streams of all viewers together
	breath     = 50 * time.Millisecond // between two snapshots to the viewers; those between are left out
)

// hub holds the latest snapshot for all streams. It has no queues: a stream that is ready takes the latest, so a slow
// viewer misses what lies between and holds up nobody.
type hub struct {
	mu      sync.Mutex
	latest  clerk.Snapshot
	changed chan struct{} // closed when latest changes, and made anew
	closing chan struct{} // closed when the console ends
	count   int
	single  map[sitting.PersonID]chan struct{} // closed when another stream of the person takes over
}

func newHub(first clerk.Snapshot) *hub {
	return &hub{
		latest: first, changed: make(chan struct{}), closing: make(chan struct{}),
		single: make(map[sitting.PersonID]chan struct{}),
	}
}

// open begins a run of the console.
func (h *hub) open() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closing = make(chan struct{})
}

// close ends all streams.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.closing)
}

// pump takes snapshots until ctx ends or the clerk does.
func (h *hub) pump(ctx context.Context, snapshots <-chan clerk.Snapshot) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
		select {
		case s, ok := <-snapshots:
			if !ok {
				return
			}
			h.publish(s)
		case <-ctx.Done():
			return
		}
		pause.Reset(breath)
	}
}

func (h *hub) publish(s clerk.Snapshot) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.latest = s
	close(h.changed)
	h.changed = make(chan struct{})
}

// now gives the latest snapshot, and what is closed when there is a newer one.
func (h *hub) now() (clerk.Snapshot, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.latest, h.changed
}

// seat is the place of one stream in the hub.
type seat struct {
	replaced <-chan struct{} // nil for those who may have several streams
	closing  <-chan struct{}
	took     bool // another stream of the person was told to end
	leave    func()
}

// enter lets a stream in. The earlier stream of a person who may have one only is told to end.
func (h *hub) enter(id access.Identity) (seat, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.count >= maxStreams {
		return seat{}, newProblem(http.StatusServiceUnavailable, "busy", "Too many screens are connected; close some of them.")
	}
	h.count++
	s := seat{closing: h.closing}
	var mine chan struct{}
	if id.Single() {
		mine = make(chan struct{})
		if before, ok := h.single[id.Person]; ok {
			close(before)
			s.took = true
		}
		h.single[id.Person] = mine
		s.replaced = mine
	}
	s.leave = func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.count--
		if mine != nil && h.single[id.Person] == mine {
			delete(h.single, id.Person)
		}
	}
	return s, nil
}
