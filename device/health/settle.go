package health

import "time"

// settle brings what is shown up to now. The lock is held. Every moment at which something came or went since the last
// time is reckoned back exactly, so it does not matter how often this is called.
func (c *Conditions) settle(now time.Time) {
	for _, p := range c.pulses {
		p.look(now)
	}
	for k := range c.entries {
		c.rule(k.code) // one that is not in the table joins it
	}
	for _, d := range c.rules { // causes first
		told, free, stands := c.cause(d)
		for k, e := range c.entries {
			if k.code != d.Code {
				continue
			}
			switch {
			case told:
				c.show(e, false, now)
				e.from = now // when the cause has gone, the delay begins anew
			case stands && !e.shown:
				e.from = now
			default:
				c.advance(d, e, free, now)
			}
			if !e.set && !e.shown {
				delete(c.entries, k)
				c.freed[k.code] = later(c.freed[k.code], later(e.cleared, e.hidden))
			}
		}
	}
}

// advance lets time pass for an entry that nothing hides.
func (c *Conditions) advance(d Definition, e *entry, free, now time.Time) {
	e.from = later(e.from, free)
	switch due := e.from.Add(d.Delay); {
	case e.set && !e.shown && !now.Before(due):
		c.show(e, true, due)
	case !e.set && e.shown && !now.Before(e.gone(d)):
		c.show(e, false, e.gone(d))
	}
}

// cause tells of what an entry of d depends on, at any remove: whether it is shown, since when it does not stand any
// more, and whether it stands. One that is still shown still stands.
func (c *Conditions) cause(d Definition) (told bool, free time.Time, stands bool) {
	for code := d.DependsOn; code != ""; code = c.rule(code).DependsOn {
		for k, e := range c.entries {
			if k.code == code {
				stands, told = true, told || e.shown
			}
		}
		free = later(free, c.freed[code])
	}
	return told, free, stands
}

// show shows or hides an entry.
func (c *Conditions) show(e *entry, on bool, at time.Time) {
	if e.shown == on {
		return
	}
	e.shown, c.changed = on, true
	if on {
		e.shownAt = at
	} else {
		e.hidden = at
	}
}

// stands reports whether an entry counts, shown or not: it is set and its delay is over.
func (e *entry) stands(d Definition, now time.Time) bool {
	return e.set && !now.Before(e.from.Add(d.Delay))
}

// gone is when an entry that was cleared is not shown any more.
func (e *entry) gone(d Definition) time.Time { return later(e.cleared, e.shownAt.Add(d.Hold)) }

// follow tells those who watch, and comes back when something is due. The lock is held, everything is settled.
func (c *Conditions) follow(now time.Time) {
	if c.changed {
		c.changed = false
		c.tell()
	}
	due, any := c.due()
	if !any {
		if c.timer != nil {
			c.timer.Stop()
		}
		return
	}
	wait := max(due.Sub(now), time.Millisecond)
	if c.timer == nil {
		c.timer = time.AfterFunc(wait, func() { c.change(func(time.Time) {}) })
	} else {
		c.timer.Reset(wait)
	}
}

// due is when the next thing comes or goes by itself.
func (c *Conditions) due() (first time.Time, any bool) {
	at := func(t time.Time) {
		if !any || t.Before(first) {
			first, any = t, true
		}
	}
	for _, p := range c.pulses {
		if p.beating && !p.late {
			at(p.last.Add(p.limit))
		}
	}
	for _, d := range c.rules {
		told, _, stands := c.cause(d)
		for k, e := range c.entries {
			switch {
			case k.code != d.Code || told:
			case e.set && !e.shown && !stands:
				at(e.from.Add(d.Delay))
			case !e.set && e.shown:
				at(e.gone(d))
			}
		}
	}
	return first, any
}

func later(x, y time.Time) time.Time {
	if y.After(x) {
		return y
	}
	return x
}
