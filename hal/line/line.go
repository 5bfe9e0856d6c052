// Package line serves single wires: keys and contacts that somebody closes, lamps and relays that we switch.
//
// Lines are found by the name the board's maker or a device tree gave them, never by chip and number. Inputs report their
// present state first, then each change with the kernel's time stamp; changes lost on the way are never silent. Outputs
// are held by a child process, the guard, which drives every output to its safe state the moment this process is gone,
// however it went.
//
// Needs the kernel's GPIO interface v2 (Linux 5.10): debouncing and sequence numbers.
package line

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Errors of Run and Set. Each says what to do about it.
var (
	// ErrConfig: the options contradict themselves.
	ErrConfig = errors.New("wrong line settings")
	// ErrMissing: no chip has a line of this name, or its chip is gone.
	ErrMissing = errors.New("no such line")
	// ErrTwice: two lines have the same name, so nobody can say which is meant.
	ErrTwice = errors.New("two lines have this name: give one of them another in the device tree")
	// ErrBusy: another program or a driver of the kernel holds the line.
	ErrBusy = errors.New("line in use: stop the other program, or take the line from the driver in the device tree")
	// ErrPermission: the user may not open the chip.
	ErrPermission = errors.New("no permission: the daemon's user must be in the group of /dev/gpiochip*, usually gpio")
	// ErrDown: the output is not held at present. The wish is kept, and comes true when it is.
	ErrDown = errors.New("the output is not held at present")
	// ErrReadback: the line does not have the state it was driven to. Is something else driving it?
	ErrReadback = errors.New("the output does not follow: look for a short circuit or a second driver on the line")
	// ErrGuard: the guard process ended or does not answer.
	ErrGuard = errors.New("the guard of the outputs is gone")
	// ErrRunning: Run was called while another Run of the same Lines goes on.
	ErrRunning = errors.New("the lines are served already")
)

// Bias is what pulls an input that nobody drives.
type Bias string

// Biases. Boards with resistors of their own need none.
const (
	BiasNone     Bias = ""     // as the board has it
	BiasUp       Bias = "up"   // pull-up, for a contact to ground
	BiasDown     Bias = "down" // pull-down, for a contact to supply
	BiasDisabled Bias = "off"  // the chip's own resistors are switched off
)

// Input is a key or contact.
type Input struct {
	Name      string        // what it is to us, e.g. "fire"
	Line      string        // its name at the kernel, e.g. "DI3" (see gpioinfo)
	ActiveLow bool          // on means a low level, as with a contact to ground
	Bias      Bias          //
	Debounce  time.Duration // a level must last this long to count; 0: no debouncing. Resolution 1 µs
}

// Output is a lamp or relay.
type Output struct {
	Name      string // what it is to us, e.g. "on-air"
	Line      string // its name at the kernel
	ActiveLow bool   // on means a low level
	Safe      bool   // the state when nobody is there to decide
}

// Options say which lines to serve. A missing line stops all of them, so that lines which must not wait for each other
// belong into Lines of their own.
type Options struct {
	Inputs  []Input
	Outputs []Output
	Guard   []string     // command line of the guard, which must call Guard; nil: this program with "line-guard"
	Log     *slog.Logger // nil: no log
}

// Event is the state of an input.
type Event struct {
	Name string
	On   bool
	At   time.Time // of the change, by the kernel; for a state that was looked up, when that was
	Seq  uint32    // the kernel's number of the change on this line, from 1 in each Run; 0: present state at start
	Lost bool      // changes before this one are missing
}

// Lines are some inputs and outputs, served together.
type Lines struct {
	opt     Options
	log     *slog.Logger
	events  chan Event
	claim   func([]Input) ([]sensor, error)
	running atomic.Bool

	mu      sync.Mutex // guards what follows; held over a write to the guard, which is bounded
	sensors []sensor   // of opt.Inputs, in order; nil while not served
	wish    map[string]bool
	guard   *keeper // nil while no guard holds the outputs
}

// Check tells what is wrong with the options, as far as it can be known without the hardware.
func Check(opt Options) error {
	names, lines := map[string]bool{}, map[string]string{}
	one := func(name, line string) error {
		switch {
		case name == "" || line == "" || strings.ContainsAny(name+line, "\n\x00"):
			return fmt.Errorf("%w: %q: a name and the line's name are needed", ErrConfig, name)
		case names[name]:
			return fmt.Errorf("%w: %q stands there twice", ErrConfig, name)
		case lines[line] != "":
			return fmt.Errorf("%w: %q and %q are the same line %q", ErrConfig, lines[line], name, line)
		}
		names[name], lines[line] = true, name
		return nil
	}
	for _, in := range opt.Inputs {
		if err := one(in.Name, in.Line); err != nil {
			return err
		}
		if !slices.Contains([]Bias{BiasNone, BiasUp, BiasDown, BiasDisabled}, in.Bias) {
			return fmt.Errorf("%w: %q: bias %q is none of up, down, off", ErrConfig, in.Name, in.Bias)
		}
		if in.Debounce < 0 || in.Debounce > time.Minute {
			return fmt.Errorf("%w: %q: debouncing for %v: 0 to 1 min, usually 5 to 50 ms", ErrConfig, in.Name, in.Debounce)
		}
	}
	for _, out := range opt.Outputs {
		if err := one(out.Name, out.Line); err != nil {
			return err
		}
	}
	return nil
}

// New makes Lines. It touches no hardware; Run does.
func New(opt Options) (*Lines, error) {
	if err := Check(opt); err != nil {
		return nil, err
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	return &Lines{opt: opt, log: opt.Log, events: make(chan Event, 16), claim: claimInputs, wish: map[string]bool{}}, nil
}

// Events gives the inputs' states, in the order of the changes on each line. The channel stays open over all Runs. A slow
// reader loses changes in between (the next one is marked Lost), never the last state of a line.
func (l *Lines) Events() <-chan Event { return l.events }

// Set switches an output and returns when the guard has read the new state back from the line, or failed to. The wish is
// remembered in any case and holds for all later claims of the line; until the first Set an output has its safe state.
func (l *Lines) Set(name string, on bool) error {
	if !slices.ContainsFunc(l.opt.Outputs, func(o Output) bool { return o.Name == name }) {
		return fmt.Errorf("set %q: %w: no output has this name", name, ErrConfig)
	}
	l.mu.Lock()
	l.wish[name] = on
	if l.guard == nil {
		l.mu.Unlock()
		return fmt.Errorf("set %q: %w", name, ErrDown)
	}
	// Sent under the lock, so that of two callers the one whose wish is remembered is also the last to be obeyed.
	answer, err := l.guard.send(order{verb: verbSet, name: name, on: on})
	l.mu.Unlock()
	if err == nil {
		err = answer.confirm(on)
	}
	if err != nil {
		return fmt.Errorf("set %q: %w", name, err)
	}
	return nil
}

// Read asks the kernel for the present state of all lines, inputs and outputs, by name. Lines that are not held, or do
// not answer, are missing in it.
func (l *Lines) Read() map[string]bool {
	state := map[string]bool{}
	l.mu.Lock()
	for i, s := range l.sensors {
		if on, err := s.get(); err == nil {
			state[l.opt.Inputs[i].Name] = on
		}
	}
	var asked *pending
	if l.guard != nil {
		asked, _ = l.guard.send(order{verb: verbGet}) // an error leaves its lines out
	}
	l.mu.Unlock()
	if asked == nil {
		return state
	}
	if a, err := asked.wait(); err == nil {
		for _, s := range a.states {
			state[s.name] = s.on
		}
	}
	return state
}

// first gives the state each output is to have at a claim.
func (l *Lines) first() []bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := make([]bool, len(l.opt.Outputs))
	for i, o := range l.opt.Outputs {
		on, wished := l.wish[o.Name]
		now[i] = wished && on || !wished && o.Safe
	}
	return now
}
