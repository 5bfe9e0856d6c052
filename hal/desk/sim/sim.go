// Package sim plays desk systems for tests and for the virtual chamber: the unit's side of the line, on a kernel
// pseudo-terminal, as slow as the real line and with the faults that real lines have.
//
// The dialect is beyerdynamic Quinta (control protocol for 3rd party system control, edition 3.0). It is written from the
// document and shares no code with the driver, so that a mistake in one is not hidden by the other.
package sim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"plenum/hal/desk"
)

// Errors of the keys.
var (
	ErrNoUnit   = errors.New("no such unit or side")
	ErrUnitLost = errors.New("the unit is out of range")
)

// Options say what stands in the hall.
type Options struct {
	Units      int           // microphone units, numbered from 1
	Chair      int           // number of the chair's unit; 0: none
	Doubles    []int         // numbers of the units with two keys
	FirstID    uint32        // unit n has the hardware number FirstID+n; 0: 0x21E
	Baud       int           // bit/s, 10 bits a byte each way; 0: 57600
	Standalone bool          // the unit grants by itself, as when it is not in PC-controlled mode
	Bare       bool          // the unit's own lines end without a prompt, as some firmware sends them
	Status     time.Duration // between two status lines of one unit; 0: 20 s
	Link       string        // path of a symbolic link to the line; empty: one in a new temporary folder
	Wire       Wire          // speak over this instead of a pseudo-terminal; then there is no Path
	Log        *slog.Logger  // nil: no log
}

// Wire is a byte stream the simulator can speak over.
type Wire interface {
	Read([]byte) (int, error)
	Write([]byte) (int, error)
	SetWriteDeadline(time.Time) error
	Close() error
}

// UnitState is one key with its microphone as somebody in the hall sees it. Double units have two.
type UnitState struct {
	Unit       int    `json:"unit"`
	Side       string `json:"side,omitempty"` // "", "L" or "R"
	ID         string `json:"id"`             // as a driver reports it, e.g. "00021F"
	Chair      bool   `json:"chair,omitempty"`
	Lost       bool   `json:"lost,omitempty"` // out of radio range
	Open       bool   `json:"open"`           // ring is red
	Requesting bool   `json:"requesting"`     // ring blinks
	Presses    int    `json:"presses"`
}

// Sim is one simulated control unit with its microphone units. All methods may be called from any goroutine.
type Sim struct {
	log    *slog.Logger
	pace   func() *pacer
	status time.Duration
	cable  *cable

	mu         sync.Mutex // guards all that follows
	seats      []*seat
	streams    [4]*seat
	standalone bool
	bare       bool
	loggedIn   bool
	address    uint32 // unit that tunnelled commands go to; 0: all
	faults     faults
	out        []byte
	outWake    chan struct{}
	lost       int // bytes that found the output full
	watchers   map[chan struct{}]bool
}

// seat is one key of a unit.
type seat struct {
	UnitState
	number uint32
	typ    uint16
	refuse bool
}

// faults are what goes wrong.
type faults struct {
	away    bool // silent and deaf
	echo    bool // all that comes goes back
	swallow int  // answers that lose their prompt
	corrupt int  // lines that lose a bit
	seed    uint32
}

// New makes a control unit and its line. Close it, or Run it to its end.
func New(opt Options) (*Sim, error) {
	if opt.Units < 1 || opt.Units > 1000 || opt.Chair > opt.Units {
		return nil, fmt.Errorf("simulated desk with %d units, chair at %d: want 1 to 1000, chair among them", opt.Units, opt.Chair)
	}
	baud := cmp.Or(opt.Baud, 57600)
	s := &Sim{
		log:        cmp.Or(opt.Log, slog.New(slog.DiscardHandler)),
		pace:       func() *pacer { return newPacer(baud) },
		status:     cmp.Or(opt.Status, 20*time.Second),
		standalone: opt.Standalone,
		bare:       opt.Bare,
		outWake:    make(chan struct{}, 1),
		watchers:   map[chan struct{}]bool{},
	}
	for n := 1; n <= opt.Units; n++ {
		s.addUnit(n, opt)
	}
	var err error
	s.cable, err = newCable(opt.Wire, opt.Link)
	if err != nil {
		return nil, fmt.Errorf("simulated desk: %w", err)
	}
	return s, nil
}

func (s *Sim) addUnit(n int, opt Options) {
	number := cmp.Or(opt.FirstID, 0x21E) + uint32(n)
	state := UnitState{Unit: n, ID: fmt.Sprintf("%06X", number)}
	switch { // hardware type, zone 4, allocation mode
	case n == opt.Chair:
		state.Chair = true
		s.seats = append(s.seats, &seat{UnitState: state, number: number, typ: 0x0232})
	case slices.Contains(opt.Doubles, n):
		left, right := state, state
		left.Side, right.Side = "L", "R"
		s.seats = append(s.seats,
			&seat{UnitState: left, number: number, typ: 0x0131},
			&seat{UnitState: right, number: number, typ: 0x0139})
	default:
		s.seats = append(s.seats, &seat{UnitState: state, number: number, typ: 0x0030})
	}
}

// Path is the name of the line for a driver. It stays the same when a driver closes and opens it, and over HangUp.
func (s *Sim) Path() string { return s.cable.path }

// Key is the name of a key as a driver reports it.
func (s *Sim) Key(unit int, side string) desk.Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.find(unit, side); t != nil {
		return desk.Key{ID: t.ID, Side: t.Side}
	}
	return desk.Key{}
}

// Run plays the unit until ctx ends, then closes the line and gives nil.
func (s *Sim) Run(ctx context.Context) error {
	var all sync.WaitGroup
	all.Go(func() { s.sendStatus(ctx) })
	all.Go(func() { s.cable.run(ctx, s.serve) })
	<-ctx.Done()
	err := s.Close()
	all.Wait()
	return err
}

// Close takes the line away. Run does it too.
func (s *Sim) Close() error { return s.cable.close() }

// State lists all keys, by unit and side.
func (s *Sim) State() []UnitState {
	s.mu.Lock()
	defer s.mu.Unlock()
	states := make([]UnitState, 0, len(s.seats))
	for _, t := range s.seats {
		states = append(states, t.UnitState)
	}
	return states
}

// Subscribe gives a channel that holds a token when the state has changed since the last one was taken, and the function
// that ends it.
func (s *Sim) Subscribe() (changes <-chan struct{}, cancel func()) {
	ch := make(chan struct{}, 1)
	s.mu.Lock()
	s.watchers[ch] = true
	s.mu.Unlock()
	return ch, func() {
		s.mu.Lock()
		delete(s.watchers, ch)
		s.mu.Unlock()
	}
}

// changed tells the watchers; s.mu is held.
func (s *Sim) changed() {
	for ch := range s.watchers {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

// find gives a key by its unit and side, nil if there is none; s.mu is held.
func (s *Sim) find(unit int, side string) *seat {
	i := slices.IndexFunc(s.seats, func(t *seat) bool { return t.Unit == unit && t.Side == side })
	if i < 0 {
		return nil
	}
	return s.seats[i]
}
