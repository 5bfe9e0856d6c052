package sitting

import (
	"fmt"
	"slices"
	"time"
)

// overtake is how far a request may be ahead in time of one already in the list and still be put before it. Ways into
// the box differ by some milliseconds; a difference beyond this is a clock that was set, and nobody loses their place
// for that.
const overtake = time.Second

// request is a raised hand or a desk key.
func (s *State) request(e Event) error {
	p, err := s.who(e)
	if err != nil {
		return err
	}
	if s.Speaking(p.ID) >= 0 {
		return ErrAlreadySpeaks
	}
	if p.Role == RoleChair && !e.Queue {
		return s.chairSpeaks(p, e)
	}
	if s.Waiting(p.ID) >= 0 {
		return ErrAlreadyListed
	}
	r := Request{ID: s.number(), Person: p.ID, Origin: e.Origin, At: e.At}
	if e.By.Person != p.ID && e.By.Role != RoleBox {
		r.EnteredBy = e.By.Role
	}
	if r.Origin, err = s.origin(p, e); err != nil {
		return err
	}
	if r.Origin == OriginDesk {
		r.Seat = p.Seat
	}
	s.insert(r)
	if s.Mode == ModeOverride && !s.Silenced && s.Alarm == nil && s.reachable(r) {
		s.giveWay()
		s.take(r, e, RuleOverride)
		return nil
	}
	s.fill(e)
	return nil
}

// origin tells by which way the person takes part.
func (s *State) origin(p Person, e Event) (Origin, error) {
	switch {
	case e.By.Role == RoleBox:
		return OriginDesk, nil
	case e.By.Person == p.ID && p.Role != RoleChair && !p.Remote:
		// A hand raised in a browser by somebody who is in the hall: they speak at their desk.
		if !s.answers(p) {
			return "", ErrNoWay
		}
		return OriginDesk, nil
	case e.By.Person == p.ID && p.Role != RoleChair:
		if e.Origin != OriginRemote && e.Origin != OriginText {
			return "", fmt.Errorf("%w: a request needs its origin", ErrInvalid)
		}
		return e.Origin, nil
	case p.Remote && (p.Leg.Publishes || p.Leg.Plays):
		return OriginRemote, nil
	case p.Seat != "":
		return OriginDesk, nil
	}
	return "", ErrNoWay
}

// chairSpeaks opens the chair's own microphone: at once, and not counted.
func (s *State) chairSpeaks(p Person, e Event) error {
	switch {
	case s.Alarm != nil:
		return ErrAlarm
	case !s.answers(p):
		return ErrNoWay
	}
	if i := s.Waiting(p.ID); i >= 0 {
		s.Requests = slices.Delete(s.Requests, i, i+1)
	}
	s.Speakers = append(s.Speakers, Speaker{Person: p.ID, Seat: p.Seat, Origin: OriginDesk, Since: e.At,
		Rule: RuleChairKey, Chair: true, Mic: MicOpening, Grant: s.number()})
	return nil
}

// insert keeps the order of arrival. Equal times keep the order of the events, and places the chair gave stay.
func (s *State) insert(r Request) {
	i := len(s.Requests)
	for i > 0 {
		ahead := s.Requests[i-1]
		if d := ahead.At.Sub(r.At); ahead.Moved || d <= 0 || d > overtake {
			break
		}
		i--
	}
	s.Requests = slices.Insert(s.Requests, i, r)
}

// strike takes a request off the list: its owner lowers the hand, or the chair refuses it.
func (s *State) strike(e Event) error {
	p, err := s.who(e)
	if err != nil {
		return err
	}
	i := s.Waiting(p.ID)
	if i < 0 {
		return ErrNotListed
	}
	s.Requests = slices.Delete(s.Requests, i, i+1)
	// Nobody waits any more for the microphone that did not open.
	s.Faults = slices.DeleteFunc(s.Faults, func(f Fault) bool { return f.On && p.Seat != "" && f.Seat == p.Seat })
	return nil
}

// move gives a request the place the chair wants.
func (s *State) move(e Event) error {
	p, err := s.who(e)
	if err != nil {
		return err
	}
	i := s.Waiting(p.ID)
	switch {
	case i < 0:
		return ErrNotListed
	case e.Index < 0 || e.Index >= len(s.Requests):
		return fmt.Errorf("%w: the list has places 0 to %d", ErrInvalid, len(s.Requests)-1)
	case e.Index == i:
		return ErrNothingChanged
	}
	r := s.Requests[i]
	r.Moved = true
	s.Requests = slices.Insert(slices.Delete(s.Requests, i, i+1), e.Index, r)
	return nil
}

// number hands out the numbers of requests and grants.
func (s *State) number() uint64 {
	n := s.Next
	s.Next++
	return n
}
