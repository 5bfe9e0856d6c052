package quinta

import "time"

const (
	// copies is how often a unit sends each press over its radio, and the control unit hands each on.
	copies = 4
	// copyWindow is the longest gap between two copies of one press. Two hundred units pressing at once fill the line
	// for 1.5 s per round of copies.
	copyWindow = 2 * time.Second
)

// edge finds the real presses of one key among their copies. Up to four q and four a lines of one state are one press;
// a fifth, or one after a pause, is a press of its own.
type edge struct {
	on      bool
	presses int // q lines taken for this press
	repeats int // a lines
	last    time.Time
	doubt   *message // a line that contradicts a press whose copies are still coming
}

// take tells whether m completes the evidence of a new press, and gives the first line that spoke of it.
//
// A line that contradicts a burst still running is believed when a second one says the same: the protocol has no check
// sum, and one flipped bit would otherwise cost a member the place in the list.
func (e *edge) take(m message) (first message, fresh bool) {
	running := e.presses+e.repeats > 0 && m.At.Sub(e.last) <= copyWindow
	if running && m.On == e.on && e.count(m.Kind) < copies {
		e.doubt = nil
		e.add(m)
		return message{}, false
	}
	first = m
	if running && m.On != e.on && e.presses < copies {
		if e.doubt == nil {
			e.doubt = &m
			return message{}, false
		}
		first = *e.doubt
	}
	*e = edge{on: m.On}
	if first.Kind != m.Kind {
		e.add(first)
	}
	e.add(m)
	return first, true
}

func (e *edge) count(k kind) int {
	if k == kindRepeat {
		return e.repeats
	}
	return e.presses
}

func (e *edge) add(m message) {
	if m.Kind == kindRepeat {
		e.repeats++
	} else {
		e.presses++
	}
	e.last = m.At
}

// recent tells whether the key's last report was made just before now, and was on or off.
func (e *edge) recent(on bool, now time.Time) bool {
	return e.on == on && e.presses+e.repeats > 0 && now.Sub(e.last) <= copyWindow
}
