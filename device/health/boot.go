package health

import (
	"context"
	"slices"
	"time"
)

// startPatience is how long a device may start before it is said, and before a judgement goes on without it where it is
// not one that the judgement turns on.
const startPatience = 30 * time.Second

// Judgement is how the box is altogether.
type Judgement struct {
	Good       bool        `json:"good"`
	Pending    []string    `json:"pending"`    // not good yet because these are not known yet: ids of devices and codes
	Conditions []Condition `json:"conditions"` // what is shown; of a boot: what speaks against it
	Items      []Item      `json:"items"`
}

// FromBoard takes over what the board says of the devices: one condition for each that is lost, degraded or starting,
// and record-failed for the record. Nobody else sets these codes.
func (c *Conditions) FromBoard(items []Item) {
	c.change(func(now time.Time) {
		said := map[key]bool{}
		for _, it := range items {
			if code := codeOf(it); code != "" {
				k := key{code, it.ID}
				said[k] = true
				c.set(k, it.Reason, now)
			}
		}
		for k := range c.boarded {
			if !said[k] {
				c.clear(k, now)
			}
		}
		c.boarded = said
	})
}

// codeOf is the condition of a device; empty when it is live.
func codeOf(it Item) string {
	switch {
	case it.State == Starting:
		return DeviceStarting
	case it.State == Degraded:
		return DeviceDegraded
	case it.State == Lost && it.Kind == Record:
		return RecordFailed
	case it.State == Lost && it.Required:
		return DeviceLost
	case it.State == Lost:
		return DeviceLostOptional
	}
	return ""
}

// Follow takes over what the board says until ctx ends.
func (c *Conditions) Follow(ctx context.Context, b *Board) error {
	changed, stop := b.Watch()
	defer stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
			c.FromBoard(b.List())
		}
	}
}

// Judge says how the box is: good when nothing shown is an error or worse, and nothing is still to come.
func (c *Conditions) Judge(items []Item) Judgement {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	c.settle(now)
	j := Judgement{Items: append([]Item{}, items...), Pending: c.pending(items, nil, now)}
	j.Conditions = c.list(func(_ Definition, e *entry) bool { return e.shown })
	j.Good = len(j.Pending) == 0 && !slices.ContainsFunc(j.Conditions, func(v Condition) bool { return v.Severity.Bad() })
	return j
}

// Before is what an update keeps for the judgement of its first boot: the ids of all devices that work, and, marked by
// stoodBefore, the codes of Boot conditions that stand already.
func (c *Conditions) Before(items []Item) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := []string{}
	for _, it := range items {
		if !it.State.Red() {
			out = append(out, it.ID)
		}
	}
	for _, d := range c.rules {
		for k, e := range c.entries {
			if mark := stoodBefore + k.code; k.code == d.Code && d.Boot && e.set && !slices.Contains(out, mark) {
				out = append(out, mark)
			}
		}
	}
	return out
}

// stoodBefore marks a code: a kind and a name never begin with it.
const stoodBefore = "!"

// JudgeBoot says whether this boot is to be kept. On the trial of a new version every Boot condition speaks against it,
// and every required device that is lost now. What was so before the update is no fault of the new version, else no
// update could ever mend it: before is what Before gave then; of devices only those in it count. A version that has
// proven itself already is only asked for its vital parts: going back to an older one would mend no camera and no disk.
// Good only when nothing is pending any more.
func (c *Conditions) JudgeBoot(items []Item, trial bool, before []string) Judgement {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	c.settle(now)
	if !trial {
		before = nil
	}
	counts := func(d Definition) bool {
		return d.Vital || trial && d.Boot && !slices.Contains(before, stoodBefore+d.Code)
	}
	j := Judgement{Items: append([]Item{}, items...), Pending: c.pending(items, before, now)}
	j.Conditions = c.list(func(d Definition, e *entry) bool { return counts(d) && e.stands(d, now) })
	for _, d := range c.rules {
		told, _, stands := c.cause(d)
		for k, e := range c.entries {
			if k.code == d.Code && counts(d) && e.set && !e.stands(d, now) && !told && !stands && !slices.Contains(j.Pending, d.Code) {
				j.Pending = append(j.Pending, d.Code) // it may be a flap: its delay will tell
			}
		}
	}
	for _, it := range items {
		if it.State == Lost && it.Required && it.Kind != Record && slices.Contains(before, it.ID) {
			d := c.rule(DeviceLost)
			j.Conditions = append(j.Conditions, Condition{Code: d.Code, Subject: it.ID, Severity: d.Severity, DE: d.DE, EN: d.EN, Detail: it.Reason, Since: it.Since})
		}
	}
	j.Good = len(j.Pending)+len(j.Conditions) == 0
	return j
}

// pending lists what is not known yet. A required device that worked before is waited for without end, any other for a
// while.
func (c *Conditions) pending(items []Item, before []string, now time.Time) []string {
	out := []string{}
	for code := range c.awaited {
		out = append(out, code)
	}
	slices.Sort(out)
	for _, it := range items {
		turnsOn := it.Required && slices.Contains(before, it.ID)
		if it.State == Starting && (turnsOn || now.Sub(it.Since) < startPatience) {
			out = append(out, it.ID)
		}
	}
	return out
}
