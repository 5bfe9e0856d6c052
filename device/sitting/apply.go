package sitting

import (
	"fmt"
	"slices"
)

// New returns the state before the first event.
func New() State {
	return State{Rules: RulesVersion, Phase: PhaseReady, Mode: ModeChairGrants, Limit: 1, MaxLimit: 1, Next: 1,
		Roster: []Person{}, Requests: []Request{}, Speakers: []Speaker{}, Desks: []Desk{}, Faults: []Fault{},
		Items: []Item{}, Overrides: []Override{}}
}

// Apply folds one event into the state. It returns the new state and the orders to the devices that follow from the
// difference, or the old state and the reason why the event is refused. The same state and event always give the same
// answer. The state passed in is never changed.
func Apply(s State, e Event) (State, []Effect, error) { return Repeat(s, e, RulesVersion) }

// Repeat folds an event of a record by the version of the rules that accepted it: what they allowed stays done, and the
// orders are those that they gave.
func Repeat(s State, e Event, version int) (State, []Effect, error) {
	if version < 1 || version > RulesVersion {
		return s, nil, fmt.Errorf("%w: there are no rules of version %d here", ErrInvalid, version)
	}
	if err := permit(s, e, version); err != nil {
		return s, nil, err
	}
	next := s.clone()
	extra, err := next.handle(e)
	if err != nil {
		return s, nil, err
	}
	return next, asOf(version, append(difference(s, next), extra...)), nil
}

// handle changes a fresh copy. Effects it returns are orders that do not follow from the change of state alone.
func (s *State) handle(e Event) ([]Effect, error) {
	switch e.Kind {
	case KindRoster:
		return nil, s.setRoster(e)
	case KindOpen:
		return nil, s.open(e)
	case KindClose:
		return nil, s.close(e)
	case KindSeat:
		return s.seat(e)
	case KindLeg:
		return nil, s.leg(e)
	case KindDesk:
		return s.desk(e)
	case KindMic:
		return s.mic(e)
	case KindMicFail:
		return nil, s.micFailed(e)
	case KindAlarm:
		return s.alarm(e)
	case KindAllClear:
		return nil, s.allClear(e)
	case KindItems:
		return nil, s.setItems(e)
	case KindItem:
		return nil, s.setItem(e)
	}
	if s.Phase != PhaseOpen {
		return nil, ErrNotOpen
	}
	switch e.Kind {
	case KindRules:
		return nil, s.setRules(e)
	case KindRequest:
		return nil, s.request(e)
	case KindLower, KindRefuse:
		return nil, s.strike(e)
	case KindMove:
		return nil, s.move(e)
	case KindGrant:
		return nil, s.grant(e, RuleChair)
	case KindNext:
		return nil, s.callNext(e)
	case KindWithdraw, KindYield:
		return nil, s.endWord(e)
	case KindPriority:
		return s.priority(e)
	}
	return nil, fmt.Errorf("%w: unknown kind %q", ErrInvalid, e.Kind)
}

func (s State) clone() State {
	s.Roster = slices.Clone(s.Roster)
	s.Requests = slices.Clone(s.Requests)
	s.Speakers = slices.Clone(s.Speakers)
	s.Desks = slices.Clone(s.Desks)
	s.Faults = slices.Clone(s.Faults)
	s.Alarm = s.Alarm.clone()
	s.Items = slices.Clone(s.Items)
	s.Overrides = slices.Clone(s.Overrides)
	return s
}

func (s *State) open(e Event) error {
	switch {
	case s.Phase == PhaseOpen:
		return ErrAlreadyOpen
	case s.Alarm != nil:
		return ErrAlarm
	}
	if !slices.ContainsFunc(s.Roster, func(p Person) bool { return p.Role == RoleChair }) {
		return fmt.Errorf("%w: nobody on the roster is the chair", ErrInvalid)
	}
	over, err := s.gate(e)
	if err != nil {
		return err
	}
	s.Phase, s.OpenedAt, s.Silenced, s.Overrides = PhaseOpen, e.At, false, over
	s.Requests, s.Speakers = s.Requests[:0], s.Speakers[:0]
	return nil
}

func (s *State) close(e Event) error {
	if s.Phase != PhaseOpen {
		return ErrNotOpen
	}
	s.Phase, s.ClosedAt, s.Silenced = PhaseClosed, e.At, false
	s.Requests, s.Speakers = s.Requests[:0], s.Speakers[:0]
	return nil
}

func (s *State) setRules(e Event) error {
	switch {
	case !e.Mode.valid():
		return fmt.Errorf("%w: unknown mode %q", ErrInvalid, e.Mode)
	case e.Limit < 1 || e.Limit > s.MaxLimit:
		return fmt.Errorf("%w: the limit must be 1 to %d", ErrInvalid, s.MaxLimit)
	case e.Limit < s.Counted():
		return ErrLimit // nobody loses the word by the way
	case e.Mode == s.Mode && e.Limit == s.Limit:
		return ErrNothingChanged
	}
	s.Mode, s.Limit = e.Mode, e.Limit
	s.fill(e)
	return nil
}

func (m Mode) valid() bool {
	return m == ModeChairGrants || m == ModeFirstCome || m == ModeOverride
}
