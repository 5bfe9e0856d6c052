package app

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"plenum/device/sitting"
	"plenum/media/wire"
)

// legs joins what the wire says of a person's two connections, to us and from us, into what the sitting knows of the
// person. Only the latest counts: a connection that flickers faster than the journal writes is told as it is in the
// end.
type legs struct {
	do   doer
	log  *slog.Logger
	wake chan struct{}

	mu      sync.Mutex
	known   map[string]sitting.Leg
	latest  map[legKey]uint64 // the newest session seen
	changed []string          // persons to tell the sitting about
}

type legKey struct {
	person    string
	direction wire.Direction
}

func newLegs(do doer, log *slog.Logger) *legs {
	return &legs{do: do, log: log, wake: make(chan struct{}, 1), known: map[string]sitting.Leg{}, latest: map[legKey]uint64{}}
}

// note takes a change in; it never blocks.
func (l *legs) note(w wire.Leg) {
	l.mu.Lock()
	key := legKey{w.Person, w.Direction}
	if w.Session < l.latest[key] { // the end of a session that was replaced
		l.mu.Unlock()
		return
	}
	l.latest[key] = w.Session
	leg := l.known[w.Person]
	switch w.Direction {
	case wire.Publish:
		leg.Publishes, leg.Audio, leg.Video = w.Up, w.Up && w.Audio, w.Up && w.Video
	case wire.Play:
		leg.Plays = w.Up && w.Arrives
	}
	if w.Up && w.SRTP != "" {
		leg.DTLS, leg.Cipher, leg.SRTP = w.DTLS, w.Cipher, w.SRTP
	}
	if !leg.Publishes && !leg.Plays {
		leg = sitting.Leg{}
	}
	l.known[w.Person] = leg
	l.changed = append(l.changed, w.Person)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run tells the sitting.
func (l *legs) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-l.wake:
		}
		for _, person := range l.take() {
			l.mu.Lock()
			leg := l.known[person]
			l.mu.Unlock()
			err := l.do(ctx, sitting.Event{Kind: sitting.KindLeg, Person: sitting.PersonID(person), Leg: &leg})
			// A hall screen has a leg and is no person of the roster.
			if err != nil && !errors.Is(err, sitting.ErrNothingChanged) && !errors.Is(err, sitting.ErrUnknownPerson) && ctx.Err() == nil {
				l.log.Warn("a connection's state did not reach the sitting", "person", person, "error", err)
			}
		}
	}
}

func (l *legs) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	seen, out := map[string]bool{}, []string(nil)
	for _, p := range l.changed {
		if !seen[p] {
			seen[p] = true
			out = append(out, p)
		}
	}
	l.changed = nil
	return out
}
