package sitting

import (
	"fmt"
	"slices"
)

// setRoster takes the list of people, keeping what is known of those who stay. In an open sitting the rules the chair
// set stay in force.
func (s *State) setRoster(e Event) error {
	if err := checkRoster(e); err != nil {
		return err
	}
	old := s.clone()
	s.Roster = make([]Person, 0, len(e.Roster))
	for _, m := range e.Roster {
		p := Person{Member: m}
		if was, ok := old.Person(m.ID); ok {
			p.Leg = was.Leg
		}
		if was, ok := old.AtSeat(m.Seat); ok && was.Desk == m.Desk {
			p.SeatOnline = was.SeatOnline
		}
		s.Roster = append(s.Roster, p)
	}
	s.Body, s.MaxLimit = e.Body, e.MaxLimit
	if s.Phase != PhaseOpen {
		s.Mode, s.Limit = e.Mode, e.Limit
	}
	s.Limit = min(s.Limit, s.MaxLimit)
	s.Requests = slices.DeleteFunc(s.Requests, func(r Request) bool { return !s.fits(r.Person, r.Seat) })
	s.Speakers = slices.DeleteFunc(s.Speakers, func(sp Speaker) bool { return !s.fits(sp.Person, sp.Seat) })
	for i := range s.Speakers {
		p, _ := s.Person(s.Speakers[i].Person)
		s.Speakers[i].Chair = p.Role == RoleChair
	}
	for s.Counted() > s.Limit {
		s.dropLongest()
	}
	if slices.Equal(old.Roster, s.Roster) && old.Body == s.Body && old.MaxLimit == s.MaxLimit &&
		old.Mode == s.Mode && old.Limit == s.Limit {
		return ErrNothingChanged
	}
	return nil
}

// fits reports whether a person is still on the roster, and still where they spoke from: at the seat, or remotely.
func (s *State) fits(id PersonID, seat SeatID) bool {
	p, ok := s.Person(id)
	return ok && (seat == "" && p.Remote || seat != "" && p.Seat == seat)
}

func checkRoster(e Event) error {
	ids, seats, chairs := map[PersonID]bool{}, map[SeatID]bool{}, 0
	for _, m := range e.Roster {
		switch {
		case m.ID == "" || m.Name == "":
			return fmt.Errorf("%w: a member needs id and name", ErrInvalid)
		case ids[m.ID]:
			return fmt.Errorf("%w: %s is listed twice", ErrInvalid, m.ID)
		case m.Seat != "" && seats[m.Seat]:
			return fmt.Errorf("%w: two people at seat %s", ErrInvalid, m.Seat)
		case m.Role == RoleChair && m.Remote:
			return fmt.Errorf("%w: the chair cannot take part remotely", ErrInvalid)
		case !slices.Contains([]Role{RoleMember, RoleChair, RoleClerk, RoleGuest}, m.Role):
			return fmt.Errorf("%w: %s has no role of the roster", ErrInvalid, m.ID)
		}
		ids[m.ID] = true
		if m.Seat != "" {
			seats[m.Seat] = true
		}
		if m.Role == RoleChair {
			chairs++
		}
	}
	switch {
	case chairs > 1:
		return fmt.Errorf("%w: more than one chair", ErrInvalid)
	case !e.Mode.valid():
		return fmt.Errorf("%w: unknown mode %q", ErrInvalid, e.Mode)
	case e.MaxLimit < 1 || e.Limit < 1 || e.Limit > e.MaxLimit:
		return fmt.Errorf("%w: the limit must be 1 to %d", ErrInvalid, e.MaxLimit)
	}
	return nil
}

// seat: a desk unit came or went. Whoever speaks there keeps the word; the microphone is ordered again when it is back.
func (s *State) seat(e Event) ([]Effect, error) {
	i := slices.IndexFunc(s.Roster, func(p Person) bool { return e.Seat != "" && p.Seat == e.Seat })
	switch {
	case i < 0:
		return nil, ErrUnknownSeat
	case s.Roster[i].SeatOnline == e.On:
		return nil, ErrNothingChanged
	}
	s.Roster[i].SeatOnline = e.On
	return s.reorder(func(sp Speaker) bool { return sp.Seat == e.Seat }, e.On), nil
}

// desk: the connection to a desk system changed.
func (s *State) desk(e Event) ([]Effect, error) {
	if e.Desk == nil || e.Desk.Name == "" {
		return nil, fmt.Errorf("%w: no desk system named", ErrInvalid)
	}
	i := slices.IndexFunc(s.Desks, func(d Desk) bool { return d.Name == e.Desk.Name })
	was := s.live(e.Desk.Name)
	switch {
	case i < 0:
		s.Desks = append(s.Desks, *e.Desk)
	case s.Desks[i] == *e.Desk:
		return nil, ErrNothingChanged
	default:
		s.Desks[i] = *e.Desk
	}
	now := s.live(e.Desk.Name)
	if was == now {
		return nil, nil
	}
	if now { // what did not open is ordered again; what did not close counts as open until the desk says otherwise
		s.Faults = slices.DeleteFunc(s.Faults, func(f Fault) bool {
			p, ok := s.AtSeat(f.Seat)
			return f.On && ok && p.Desk == e.Desk.Name
		})
	}
	return s.reorder(func(sp Speaker) bool {
		p, _ := s.Person(sp.Person)
		return p.Desk == e.Desk.Name
	}, now), nil
}

// reorder marks desk speakers as not open any more, and orders their microphones again when the desk is back.
func (s *State) reorder(match func(Speaker) bool, back bool) []Effect {
	var es []Effect
	for i := range s.Speakers {
		sp := &s.Speakers[i]
		if sp.Origin != OriginDesk || !match(*sp) {
			continue
		}
		sp.Mic = MicOpening
		if back && s.heard(*sp) {
			es = append(es, Effect{Kind: EffectMic, Seat: sp.Seat, On: true, Grant: sp.Grant})
		}
	}
	return es
}

// leg: what is known of a remote person's media changed.
func (s *State) leg(e Event) error {
	if e.Leg == nil {
		return fmt.Errorf("%w: no leg", ErrInvalid)
	}
	i := slices.IndexFunc(s.Roster, func(p Person) bool { return p.ID == e.Person })
	switch {
	case i < 0:
		return ErrUnknownPerson
	case s.Roster[i].Leg == *e.Leg:
		return ErrNothingChanged
	}
	s.Roster[i].Leg = *e.Leg
	if j := s.Speaking(e.Person); j >= 0 && s.Speakers[j].Origin != OriginDesk {
		s.Speakers[j].Mic = MicOpening
		if e.Leg.Audio {
			s.Speakers[j].Mic = MicOpen
		}
	}
	return nil
}

// mic: a desk says what its microphone does. With a grant it is the answer to an order, without one a key was pressed
// or another controller acted.
func (s *State) mic(e Event) ([]Effect, error) {
	cleared := s.clearFault(e.Seat, e.On)
	i := slices.IndexFunc(s.Speakers, func(sp Speaker) bool { return sp.Seat != "" && sp.Seat == e.Seat })
	if i < 0 {
		if e.On && e.Grant == 0 {
			// Nobody gave the word to this seat: it is closed again.
			return []Effect{{Kind: EffectMic, Seat: e.Seat}}, nil
		}
		return nil, changedIf(cleared)
	}
	sp := &s.Speakers[i]
	switch {
	case e.Grant != 0 && e.Grant != sp.Grant: // answer to an order that was overtaken
		return nil, changedIf(cleared)
	case e.On && !s.heard(*sp):
		if e.Grant == 0 { // opened at the desk while the chair holds priority
			return []Effect{{Kind: EffectMic, Seat: e.Seat, Grant: sp.Grant}}, nil
		}
		return nil, changedIf(cleared)
	case e.On:
		if sp.Mic == MicOpen {
			return nil, changedIf(cleared)
		}
		sp.Mic = MicOpen
		return nil, nil
	case sp.Mic == MicOpening: // closed on our own order, or not open yet
		return nil, changedIf(cleared)
	}
	s.Speakers = slices.Delete(s.Speakers, i, i+1)
	s.fill(e)
	return nil, nil
}

// micFailed: an order was refused or not confirmed. Who did not get the microphone does not have the word; the request
// goes back to its place.
func (s *State) micFailed(e Event) error {
	if e.Seat == "" {
		return fmt.Errorf("%w: no seat", ErrInvalid)
	}
	i := slices.IndexFunc(s.Speakers, func(sp Speaker) bool { return sp.Seat == e.Seat && sp.Grant == e.Grant })
	if e.On && i < 0 { // the order was overtaken: nobody waits for this microphone
		return ErrNothingChanged
	}
	s.clearFault(e.Seat, true)
	s.Faults = append(s.Faults, Fault{Seat: e.Seat, On: e.On, Reason: e.Reason, At: e.At})
	if !e.On {
		return nil
	}
	r, place := s.Speakers[i].Request, s.Speakers[i].Place
	s.Speakers = slices.Delete(s.Speakers, i, i+1)
	if r != nil && s.Waiting(r.Person) < 0 {
		back := *r
		back.Failed = true
		s.putBack(back, place)
	}
	s.fill(e)
	return nil
}

// putBack returns a request to where it stood: the chair's places by number, all others behind those who came before.
func (s *State) putBack(r Request, place int) {
	i := 0
	if r.Moved {
		i = min(place, len(s.Requests))
	} else {
		for i < len(s.Requests) && s.Requests[i].Moved {
			i++
		}
		for j, other := range s.Requests {
			if !other.Moved && other.ID < r.ID {
				i = j + 1
			}
		}
	}
	s.Requests = slices.Insert(s.Requests, i, r)
}

// clearFault ends a fault when the desk says that it is mended: an open microphone mends every fault of its seat, a
// closed one only that it did not close.
func (s *State) clearFault(seat SeatID, open bool) bool {
	n := len(s.Faults)
	s.Faults = slices.DeleteFunc(s.Faults, func(f Fault) bool { return f.Seat == seat && (open || !f.On) })
	return len(s.Faults) != n
}

func changedIf(changed bool) error {
	if changed {
		return nil
	}
	return ErrNothingChanged
}
