package sitting

import (
	"fmt"
	"slices"
)

// permit decides whether the actor may ask for this at all, and whether the event is whole.
func permit(s State, e Event) error {
	if e.At.IsZero() {
		return fmt.Errorf("%w: no time", ErrInvalid)
	}
	switch e.By.Role {
	case RoleBox:
		return permitBox(e)
	case RoleOperator:
		return permitLead(e)
	case RoleChair:
		// The role is the roster's to give, not the caller's (N14).
		if p, ok := s.Person(e.By.Person); !ok || p.Role != RoleChair {
			return ErrNotAllowed
		}
		return permitLead(e)
	case RoleMember, RoleClerk, RoleGuest:
		return permitSelf(s, e)
	}
	return ErrNotAllowed
}

// permitBox: what devices report, and what the box does at its start.
func permitBox(e Event) error {
	switch e.Kind {
	case KindRoster, KindSeat, KindLeg, KindDesk, KindMic, KindMicFail, KindPriority, KindAlarm, KindItems, KindItem:
		return nil
	case KindOpen:
		if len(e.Overrides) > 0 {
			return ErrNotAllowed // somebody answers for it by name
		}
		return nil
	case KindRequest, KindLower, KindYield:
		if e.Seat == "" || e.Person != "" {
			return fmt.Errorf("%w: a desk speaks for its seat", ErrInvalid)
		}
		return nil
	}
	return ErrNotAllowed
}

// permitLead: the chair, and the technician at the box.
func permitLead(e Event) error {
	switch e.Kind {
	case KindRoster, KindSeat, KindLeg, KindDesk, KindMic, KindMicFail, KindAlarm, KindItems, KindItem:
		return ErrNotAllowed
	}
	return nil
}

// permitSelf: people act for themselves only.
func permitSelf(s State, e Event) error {
	if !slices.Contains([]Kind{KindRequest, KindLower, KindYield}, e.Kind) {
		return ErrNotAllowed
	}
	if e.By.Person == "" || e.Person != e.By.Person || e.Seat != "" || e.Queue {
		return ErrNotAllowed
	}
	if p, ok := s.Person(e.By.Person); ok && p.Role != e.By.Role {
		return ErrNotAllowed
	}
	return nil
}

// who finds the person an event is about, by name or by seat.
func (s State) who(e Event) (Person, error) {
	if e.Person != "" {
		p, ok := s.Person(e.Person)
		if !ok {
			return p, ErrUnknownPerson
		}
		return p, nil
	}
	if e.Seat == "" {
		return Person{}, fmt.Errorf("%w: neither a person nor a seat is named", ErrInvalid)
	}
	p, ok := s.AtSeat(e.Seat)
	if !ok {
		return p, ErrUnknownSeat
	}
	return p, nil
}
