// Package health is where the house keeps what it knows of its own devices: what each one is, how it does, since when and
// why. Devices report here; the panel, plenumctl and the self-test read here. It decides nothing about a sitting.
package health

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// State is how a device does.
type State string

// States of a device.
const (
	Starting State = "starting" // not tried to the end yet
	Live     State = "live"     // does what it is there for
	Degraded State = "degraded" // works, but something is wrong: see Reason
	Lost     State = "lost"     // not there, or it does not answer; tried again until it is back
)

// Red reports whether a sitting cannot count on the device.
func (s State) Red() bool { return s == Starting || s == Lost }

// Kind says what a device is.
type Kind string

// Kinds of devices, in the order in which they are listed.
const (
	Camera     Kind = "camera"
	Microphone Kind = "microphone"
	Output     Kind = "output"
	Desk       Kind = "desk"
	Lines      Kind = "lines"
	Record     Kind = "record" // the journal
)

// Item is one device as it is now.
type Item struct {
	ID       string    `json:"id"`   // kind and name, such as "camera/Totale": stable, used for overrides
	Kind     Kind      `json:"kind"` //
	Name     string    `json:"name"` // as the configuration calls it
	Device   string    `json:"device"`
	Required bool      `json:"required"` // a sitting does not open while it is red
	State    State     `json:"state"`
	Reason   string    `json:"reason"` // one line with what to do; empty when live
	Mode     string    `json:"mode"`   // what it runs at, such as "YUYV 1280x720 at 30/s"; empty when it does not
	Since    time.Time `json:"since"`  // of this state
}

// ID makes the id of a device.
func ID(kind Kind, name string) string { return string(kind) + "/" + name }

// Board holds the items. It is safe for use by many goroutines.
type Board struct {
	now      func() time.Time
	mu       sync.Mutex
	items    []Item
	watchers map[chan struct{}]struct{}
}

// NewBoard makes an empty board. now tells the time; nil: time.Now.
func NewBoard(now func() time.Time) *Board {
	if now == nil {
		now = time.Now
	}
	return &Board{now: now, watchers: map[chan struct{}]struct{}{}}
}

// Add puts up a device that is starting. The same kind and name again replaces it.
func (b *Board) Add(kind Kind, name, device string, required bool) (id string) {
	it := Item{ID: ID(kind, name), Kind: kind, Name: name, Device: device, Required: required, State: Starting, Since: b.now()}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.items = slices.DeleteFunc(b.items, func(o Item) bool { return o.ID == it.ID })
	b.items = append(b.items, it)
	slices.SortStableFunc(b.items, func(x, y Item) int { return cmp.Compare(order(x.Kind), order(y.Kind)) })
	b.tell()
	return it.ID
}

func order(k Kind) int {
	return slices.Index([]Kind{Camera, Microphone, Output, Desk, Lines, Record}, k)
}

// Set notes how a device does. A device that was not added is ignored: nobody asked for it.
func (b *Board) Set(id string, state State, mode, reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.IndexFunc(b.items, func(it Item) bool { return it.ID == id })
	if i < 0 || (b.items[i].State == state && b.items[i].Reason == reason && b.items[i].Mode == mode) {
		return
	}
	if b.items[i].State != state {
		b.items[i].Since = b.now()
	}
	b.items[i].State, b.items[i].Mode, b.items[i].Reason = state, mode, reason
	b.tell()
}

// List returns all devices, cameras first.
func (b *Board) List() []Item {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.items)
}

// Watch returns a channel that gets a value after changes; several may come as one. It has one already.
func (b *Board) Watch() (changed <-chan struct{}, stop func()) {
	ch := make(chan struct{}, 1)
	ch <- struct{}{}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watchers[ch] = struct{}{}
	return ch, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.watchers, ch)
	}
}

// tell wakes those who watch. The lock is held.
func (b *Board) tell() {
	for ch := range b.watchers {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}
