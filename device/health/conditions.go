package health

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Condition is one thing that is not as it should be, or worth knowing, as it is shown now.
type Condition struct {
	Code     string    `json:"code"`
	Subject  string    `json:"subject,omitempty"` // what it is about where a code can stand several times: a device's id
	Severity Severity  `json:"severity"`
	DE       string    `json:"text_de"` // what it means for the sitting and what to do
	EN       string    `json:"text_en"`
	Detail   string    `json:"detail"` // what is behind it in this case, for the technician
	Since    time.Time `json:"since"`
}

// Conditions keeps what stands, and decides what of it is shown: not what only flaps, not the consequence beside its
// cause, and nothing so short that nobody can read it. What it answers depends on the clock and on what was set and
// cleared, never on when it was asked. It is safe for use by many goroutines.
type Conditions struct {
	now func() time.Time

	mu       sync.Mutex
	rules    []Definition // causes before what depends on them
	entries  map[key]*entry
	freed    map[string]time.Time // when a code that does not stand any more ended
	pulses   []*Pulse
	awaited  map[string]bool // codes a boot is not judged without
	boarded  map[key]bool    // what the last board gave
	changed  bool            // something shown is not as those who watch know it
	timer    *time.Timer     // nil until something is due at a time
	watchers map[chan struct{}]struct{}
}

type key struct{ code, subject string }

// entry is a condition that stands, or that is still shown.
type entry struct {
	detail  string
	set     bool
	since   time.Time // stands
	from    time.Time // the delay counts from here
	cleared time.Time
	shown   bool
	shownAt time.Time
	hidden  time.Time // when it was last not shown any more
}

// NewConditions makes a house where nothing is wrong. now tells the time; nil: time.Now. It should keep the monotonic
// reading, so that a clock that is set does not look like a long wait.
func NewConditions(now func() time.Time) *Conditions {
	if now == nil {
		now = time.Now
	}
	return &Conditions{
		now: now, rules: table(), entries: map[key]*entry{}, freed: map[string]time.Time{}, awaited: map[string]bool{},
		watchers: map[chan struct{}]struct{}{},
	}
}

// All returns the definitions of all conditions.
func (c *Conditions) All() []Definition { return table() }

// Set says that a condition stands for a subject; subject is empty where there is only one. Again it renews the detail.
// A code that is not in the table is shown too, as an error: better than to hide a fault because of a fault.
func (c *Conditions) Set(code, subject, detail string) {
	c.change(func(now time.Time) { c.set(key{code, subject}, detail, now) })
}

// Clear says that a condition does not stand for these subjects; without any, for none.
func (c *Conditions) Clear(code string, subjects ...string) {
	c.change(func(now time.Time) {
		delete(c.awaited, code)
		for k := range c.entries {
			if k.code == code && (len(subjects) == 0 || slices.Contains(subjects, k.subject)) {
				c.clear(k, now)
			}
		}
	})
}

// Note sets or clears a condition that has no subject.
func (c *Conditions) Note(code string, stands bool, detail string) {
	if stands {
		c.Set(code, "", detail)
	} else {
		c.Clear(code)
	}
}

// Await names codes without which a boot is not judged: each has to be set or cleared once first.
func (c *Conditions) Await(codes ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, code := range codes {
		c.awaited[code] = true
	}
}

// List returns what is shown now, the heaviest first.
func (c *Conditions) List() []Condition {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settle(c.now())
	return c.list(func(_ Definition, e *entry) bool { return e.shown })
}

// Vital is the error that keeps the watchdog unfed: nil while everything that only a restart can mend is well. It looks
// at the pulses itself and needs nobody else to run.
func (c *Conditions) Vital() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	c.settle(now)
	var errs []error
	for _, v := range c.list(func(d Definition, e *entry) bool { return d.Vital && e.stands(d, now) }) {
		errs = append(errs, fmt.Errorf("%s: %s", v.Code, v.Detail))
	}
	return errors.Join(errs...)
}

// Watch returns a channel that gets a value after what is shown has changed; several may come as one. It has one already.
func (c *Conditions) Watch() (changed <-chan struct{}, stop func()) {
	ch := make(chan struct{}, 1)
	ch <- struct{}{}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watchers[ch] = struct{}{}
	return ch, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.watchers, ch)
	}
}

// change brings everything up to now, changes something, and sees to what follows from it.
func (c *Conditions) change(do func(now time.Time)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changeLocked(c.now(), do)
}

func (c *Conditions) changeLocked(now time.Time, do func(now time.Time)) {
	c.settle(now)
	do(now)
	c.settle(now)
	c.follow(now)
}

// set and clear note what stands. The lock is held.
func (c *Conditions) set(k key, detail string, now time.Time) {
	delete(c.awaited, k.code)
	e := c.entries[k]
	if e == nil {
		e = &entry{since: now, from: now}
		c.entries[k] = e
	}
	c.changed = c.changed || e.shown && e.detail != detail
	e.set, e.detail = true, detail
}

func (c *Conditions) clear(k key, now time.Time) {
	if e := c.entries[k]; e != nil && e.set {
		e.set, e.cleared = false, now
	}
}

// list makes conditions of the entries that are wanted, the heaviest first. The lock is held.
func (c *Conditions) list(wanted func(Definition, *entry) bool) []Condition {
	out := []Condition{}
	for k, e := range c.entries {
		if d := c.rule(k.code); wanted(d, e) {
			out = append(out, Condition{Code: d.Code, Subject: k.subject, Severity: d.Severity, DE: d.DE, EN: d.EN, Detail: e.detail, Since: e.since})
		}
	}
	slices.SortFunc(out, func(x, y Condition) int {
		return cmp.Or(cmp.Compare(y.Severity.rank(), x.Severity.rank()), cmp.Compare(c.place(x.Code), c.place(y.Code)), cmp.Compare(x.Subject, y.Subject))
	})
	return out
}

// place is where a code stands in the table.
func (c *Conditions) place(code string) int {
	return slices.IndexFunc(c.rules, func(d Definition) bool { return d.Code == code })
}

// rule is the definition of a code, also of one that is not in the table.
func (c *Conditions) rule(code string) Definition {
	if i := c.place(code); i >= 0 {
		return c.rules[i]
	}
	d := Definition{Code: code, Severity: Error,
		DE: "Das Gerät meldet etwas, das es nicht erklären kann. Diagnose auf einen Stick ziehen und dem Hersteller geben.",
		EN: "The box reports something it cannot explain. Take the diagnosis to a stick for the vendor."}
	c.rules = append(c.rules, d)
	return d
}

// tell wakes those who watch. The lock is held.
func (c *Conditions) tell() {
	for ch := range c.watchers {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}
