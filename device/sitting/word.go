package sitting

import "slices"

// grant gives the word to somebody, with or without a request.
func (s *State) grant(e Event, rule Rule) error {
	p, err := s.who(e)
	if err != nil {
		return err
	}
	switch {
	case s.Alarm != nil:
		return ErrAlarm
	case s.Speaking(p.ID) >= 0:
		return ErrAlreadySpeaks
	case s.Silenced && p.Role != RoleChair:
		return ErrSilenced
	}
	r, err := s.asRequest(p, e)
	if err != nil {
		return err
	}
	if p.Role != RoleChair && s.Counted() >= s.Limit {
		if s.Mode != ModeOverride {
			return ErrLimit
		}
		s.giveWay()
	}
	s.take(r, e, rule)
	return nil
}

// asRequest finds the person's request, or makes one up for somebody who is called without having asked.
func (s *State) asRequest(p Person, e Event) (Request, error) {
	if i := s.Waiting(p.ID); i >= 0 {
		r := s.Requests[i]
		switch {
		case s.reachable(r):
			return r, nil
		case p.Remote && p.Leg.Publishes: // the desk is gone, the browser is there
			r.Origin, r.Seat = OriginRemote, ""
			return r, nil
		}
		return r, ErrNoWay
	}
	switch {
	case p.Remote && p.Leg.Publishes:
		return Request{Person: p.ID, Origin: OriginRemote, At: e.At}, nil
	case s.answers(p):
		return Request{Person: p.ID, Seat: p.Seat, Origin: OriginDesk, At: e.At}, nil
	}
	return Request{}, ErrNoWay
}

// reachable reports whether the word could be carried out for a request. A raised hand in a browser always can: the
// microphone counts as open when its sound arrives.
func (s *State) reachable(r Request) bool {
	if r.Origin != OriginDesk {
		return true
	}
	p, ok := s.Person(r.Person)
	return ok && s.answers(p)
}

// callNext lets the longest speaker give way to the first in the list.
func (s *State) callNext(e Event) error {
	switch {
	case s.Alarm != nil:
		return ErrAlarm
	case len(s.Requests) == 0:
		return ErrListEmpty
	case s.Silenced:
		return ErrSilenced
	}
	e.Person, e.Seat = s.Requests[0].Person, ""
	p, err := s.who(e)
	if err != nil {
		return err
	}
	if _, err := s.asRequest(p, e); err != nil {
		return err
	}
	s.dropLongest()
	return s.grant(e, RuleNext)
}

// take turns a request into the word. The request is consumed; the speaker keeps it for the case that the microphone
// does not open.
func (s *State) take(r Request, e Event, rule Rule) {
	p, _ := s.Person(r.Person)
	sp := Speaker{Person: r.Person, Seat: r.Seat, Origin: r.Origin, Since: e.At, Rule: rule,
		Chair: p.Role == RoleChair, Mic: MicOpening, Grant: s.number()}
	if i := s.Waiting(r.Person); i >= 0 {
		kept := s.Requests[i]
		sp.Request, sp.Place = &kept, i
		s.Requests = slices.Delete(s.Requests, i, i+1)
	}
	if sp.Origin != OriginDesk && p.Leg.Audio {
		sp.Mic = MicOpen
	}
	s.Speakers = append(s.Speakers, sp)
}

// giveWay makes room for one more speaker.
func (s *State) giveWay() {
	for s.Counted() >= s.Limit {
		s.dropLongest()
	}
}

// dropLongest ends the word of whoever has spoken longest, not of the chair.
func (s *State) dropLongest() {
	if i := slices.IndexFunc(s.Speakers, func(sp Speaker) bool { return !sp.Chair }); i >= 0 {
		s.Speakers = slices.Delete(s.Speakers, i, i+1)
	}
}

// fill gives the word to those waiting, as far as the mode does so by itself.
func (s *State) fill(e Event) {
	if s.Mode == ModeChairGrants || s.Silenced || s.Alarm != nil {
		return
	}
	for s.Counted() < s.Limit {
		i := slices.IndexFunc(s.Requests, func(r Request) bool { return !r.Failed && s.reachable(r) })
		if i < 0 {
			return
		}
		s.take(s.Requests[i], e, RuleFirstCome)
	}
}

// endWord takes the word, or gives it back.
func (s *State) endWord(e Event) error {
	p, err := s.who(e)
	if err != nil {
		return err
	}
	i := s.Speaking(p.ID)
	if i < 0 {
		return ErrNotSpeaking
	}
	s.Speakers = slices.Delete(s.Speakers, i, i+1)
	s.fill(e)
	return nil
}

// priority is the chair's key: clear takes the word from everybody, hold silences them until release. Requests stay.
func (s *State) priority(e Event) ([]Effect, error) {
	switch e.Priority {
	case PriorityClear:
		n := len(s.Speakers)
		s.Speakers = slices.DeleteFunc(s.Speakers, func(sp Speaker) bool { return !sp.Chair })
		stuck := s.closeStuck()
		if len(s.Speakers) == n && stuck == nil {
			return nil, ErrNothingChanged
		}
		return stuck, nil // not filled again: the chair wants silence
	case PriorityHold, PriorityRelease, PriorityToggle:
		hold := e.Priority == PriorityHold || e.Priority == PriorityToggle && !s.Silenced
		switch {
		case s.Silenced == hold:
			return nil, ErrNothingChanged
		case s.Alarm != nil:
			return nil, ErrAlarm // nobody is heard, and nobody is to be silent without seeing why when it is ended
		}
		s.Silenced = hold
		for i := range s.Speakers {
			// The desk closes them and opens them again; until it says so they are not open.
			if sp := &s.Speakers[i]; !sp.Chair && sp.Origin == OriginDesk {
				sp.Mic = MicOpening
			}
		}
		s.fill(e)
		return nil, nil
	}
	return nil, ErrInvalid
}

// closeStuck orders once more what did not close.
func (s *State) closeStuck() []Effect {
	var es []Effect
	for _, f := range s.Faults {
		if !f.On && !slices.ContainsFunc(s.Speakers, func(sp Speaker) bool { return sp.Seat == f.Seat }) {
			es = append(es, Effect{Kind: EffectMic, Seat: f.Seat})
		}
	}
	return es
}
