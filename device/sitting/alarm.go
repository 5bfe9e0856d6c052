package sitting

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Alarm stands from the moment one of the house's alarm contacts closes until somebody ends it. While it stands nobody
// has the word, not the chair either, and no way leads to it: whoever opens a microphone at the desk has it closed
// again. Hands may still be raised and taken down, and the sitting may be closed. It outlives the end of the sitting:
// the screens show it whether one is open or not.
type Alarm struct {
	Reason   string    `json:"reason"`   // the contact that raised it, or raised it again
	Since    time.Time `json:"since"`    // when it began
	Over     bool      `json:"over"`     // no contact is closed any more: the chair may end it
	Contacts []string  `json:"contacts"` // those closed now
}

// alarm: one of the alarm contacts closed or opened. Each is told apart by the event's reason, so that an alarm is not
// over because one of two contacts has opened.
func (s *State) alarm(e Event) ([]Effect, error) {
	if s.Alarm == nil {
		if !e.On {
			return nil, ErrNothingChanged
		}
		s.Alarm = &Alarm{Reason: e.Reason, Since: e.At, Contacts: []string{e.Reason}}
		s.Speakers, s.Silenced = s.Speakers[:0], false
		return s.closeStuck(), nil
	}
	a := s.Alarm // a copy of our own, see clone
	i := slices.Index(a.Contacts, e.Reason)
	switch {
	case e.On == (i >= 0):
		return nil, ErrNothingChanged
	case !e.On:
		a.Contacts = slices.Delete(a.Contacts, i, i+1)
		a.Over = len(a.Contacts) == 0
	default:
		if a.Over {
			a.Reason = e.Reason
		}
		a.Contacts, a.Over = append(a.Contacts, e.Reason), false
	}
	return nil, nil
}

// allClear ends an alarm. The chair may when it is over, the technician always: a contact can be broken. Nobody gets the
// word back by it, in no mode: the list stands as it is, and the sitting goes on with the next word that is asked for or
// given.
func (s *State) allClear(e Event) error {
	switch {
	case s.Alarm == nil:
		return ErrNothingChanged
	case !s.Alarm.Over && e.By.Role != RoleOperator:
		return fmt.Errorf("%w; still reported by %s", ErrAlarm, strings.Join(s.Alarm.Contacts, ", "))
	}
	s.Alarm = nil
	return nil
}

func (a *Alarm) clone() *Alarm {
	if a == nil {
		return nil
	}
	b := *a
	b.Contacts = slices.Clone(a.Contacts)
	return &b
}
