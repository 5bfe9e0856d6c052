package sitting

import (
	"fmt"
	"slices"
)

// reach is how far a right goes.
type reach uint8

const (
	never   reach = iota // also what nobody listed
	always               // for the sitting, or for anybody in it
	own                  // for oneself
	bySeat               // a desk, for its seat
	plainly              // opening without overriding anything: somebody answers for that by name
)

// right is who may bring one kind of event, and for whom.
type right struct {
	kind     Kind
	box      reach // what devices report, and what the box does at its start
	operator reach // the technician at the box's own unix socket
	chair    reach
	people   reach // members, clerks and guests
}

// rights is every right there is: a kind without a row is nobody's, and docs/rights.md shows the same to people.
// That the word ended because its speaker gave it back (yield), or that a hand was lowered, is said only by whoever did
// it. The chair takes the word with withdraw and strikes a request with refuse, and the record says so.
func rights() []right {
	return []right{ // box, operator, chair, people
		{KindRoster, always, never, never, never},
		{KindOpen, plainly, always, always, never},
		{KindClose, never, always, always, never},
		{KindRules, never, never, always, never},
		{KindRequest, bySeat, never, always, own},
		{KindLower, bySeat, never, own, own},
		{KindRefuse, never, never, always, never},
		{KindMove, never, never, always, never},
		{KindGrant, never, always, always, never},
		{KindNext, never, always, always, never},
		{KindWithdraw, never, always, always, never},
		{KindYield, bySeat, never, own, own},
		{KindPriority, always, never, always, never},
		{KindMic, always, never, never, never},
		{KindMicFail, always, never, never, never},
		{KindSeat, always, never, never, never},
		{KindLeg, always, never, never, never},
		{KindDesk, always, never, never, never},
		{KindAlarm, always, never, never, never},
		{KindAllClear, never, always, always, never},
		{KindItems, always, never, never, never},
		{KindItem, always, never, never, never},
	}
}

// of is the right of a role.
func (r right) of(role Role) reach {
	switch role {
	case RoleBox:
		return r.box
	case RoleOperator:
		return r.operator
	case RoleChair:
		return r.chair
	case RoleMember, RoleClerk, RoleGuest:
		return r.people
	}
	return never
}

// permit decides whether the actor may ask for this at all by a version of the rules, and whether the event is whole.
func permit(s State, e Event, version int) error {
	if e.At.IsZero() {
		return fmt.Errorf("%w: no time", ErrInvalid)
	}
	all := rights()
	i := slices.IndexFunc(all, func(r right) bool { return r.kind == e.Kind })
	if i < 0 {
		return fmt.Errorf("%w, nor for any other: %w: unknown kind %q", ErrNotAllowed, ErrInvalid, e.Kind)
	}
	far := all[i].of(e.By.Role)
	if version < 3 {
		far = until2(far, e)
	}
	if err := genuine(s, e); err != nil {
		return err
	}
	return within(far, e)
}

// until2 is the right by the versions 1 and 2: whoever led did so without a list, and in everybody's name.
func until2(now reach, e Event) reach {
	if e.By.Role != RoleChair && e.By.Role != RoleOperator {
		return now
	}
	switch e.Kind {
	case KindOpen, KindClose, KindRules, KindRequest, KindLower, KindRefuse, KindMove, KindGrant, KindNext, KindWithdraw,
		KindYield, KindPriority, KindAllClear:
		return always
	}
	return now
}

// within reports whether an event stays within a right.
func within(far reach, e Event) error {
	switch far {
	case always:
		return nil
	case own:
		switch {
		case e.By.Person != "" && e.Person == e.By.Person && e.Seat == "":
			return nil
		case e.By.Role == RoleChair:
			return ErrTheirOwn
		}
	case bySeat:
		if e.Seat == "" || e.Person != "" {
			return fmt.Errorf("%w: a desk speaks for its seat", ErrInvalid)
		}
		return nil
	case plainly:
		if len(e.Overrides) == 0 {
			return nil
		}
	}
	return ErrNotAllowed
}

// genuine reports whether the actor is in this role: it is the roster's to give, not the caller's (N14).
func genuine(s State, e Event) error {
	switch e.By.Role {
	case RoleChair:
		if p, ok := s.Person(e.By.Person); !ok || p.Role != RoleChair {
			return ErrNotAllowed
		}
	case RoleMember, RoleClerk, RoleGuest:
		if p, ok := s.Person(e.By.Person); ok && p.Role != e.By.Role || e.Queue { // a place in the list is the chair's to choose
			return ErrNotAllowed
		}
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
