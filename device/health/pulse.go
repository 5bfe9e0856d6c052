package health

import (
	"fmt"
	"slices"
	"time"
)

// Pulse is the sign of life of a part of the house that must not hang. When it has not beaten for its limit, its
// condition stands until it beats again. A nil Pulse does nothing.
type Pulse struct {
	c     *Conditions
	code  string
	part  string
	limit time.Duration

	// Under the lock of c.
	last    time.Time
	beating bool
	late    bool
}

// Pulse gives the pulse of a part, which the condition names as its subject; there is one of each. The limit counts from
// now: a part that never begins hangs as well.
func (c *Conditions) Pulse(code, part string, limit time.Duration) *Pulse {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.pulses, func(p *Pulse) bool { return p.code == code && p.part == part })
	if i < 0 {
		i = len(c.pulses)
		c.pulses = append(c.pulses, &Pulse{c: c, code: code, part: part})
	}
	p := c.pulses[i]
	p.limit = limit
	p.turn(c.now(), true)
	return p
}

// Beat says that the part lives.
func (p *Pulse) Beat() {
	if p == nil {
		return
	}
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	now := p.c.now()
	if p.beating && !p.late {
		p.last = now // many times a second: nothing to settle
		return
	}
	p.turn(now, true)
}

// Rest says that the part waits for work, or has ended as it should: until it beats again its silence means nothing.
func (p *Pulse) Rest() {
	if p == nil {
		return
	}
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	p.turn(p.c.now(), false)
}

func (p *Pulse) turn(now time.Time, beating bool) {
	p.c.changeLocked(now, func(time.Time) {
		if p.late {
			p.c.clear(key{p.code, p.part}, now)
		}
		p.last, p.beating, p.late = now, beating, false
	})
}

// look notes when the part hangs. The lock is held.
func (p *Pulse) look(now time.Time) {
	if due := p.last.Add(p.limit); p.beating && !p.late && !now.Before(due) {
		p.late = true
		p.c.set(key{p.code, p.part}, fmt.Sprintf("%s: no sign of life since %s, longer than %s", p.part, p.last.Format(time.TimeOnly), p.limit), due)
	}
}
