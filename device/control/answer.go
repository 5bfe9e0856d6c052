package control

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"plenum/device/access"
	"plenum/device/clerk"
	"plenum/device/health"
	"plenum/device/service"
	"plenum/device/sitting"
)

// Screen is the person by which the hall's screens are invited.
const Screen = "screen"

// Status is the answer of GET /status.
type Status struct {
	Version  string         `json:"version"`
	Body     string         `json:"body"`
	Phase    sitting.Phase  `json:"phase"`
	OpenedAt time.Time      `json:"opened_at,omitzero"`
	Seq      uint64         `json:"seq"`      // number of the last event
	Recorded bool           `json:"recorded"` // false: the journal cannot be written
	Mode     sitting.Mode   `json:"mode"`
	Limit    int            `json:"limit"`
	MaxLimit int            `json:"max_limit"`
	Silenced bool           `json:"silenced"`
	PIN      bool           `json:"pin"` // the chair's PIN has been set
	Desks    []sitting.Desk `json:"desks"`
	// Faults are microphones that did not do what the sitting decided.
	Faults []sitting.Fault `json:"faults"`
	People []Person        `json:"people"`

	Alarm     *sitting.Alarm     `json:"alarm"` // null: none stands
	Items     []sitting.Item     `json:"items"` // what the sitting counts on
	Overrides []sitting.Override `json:"overrides"`
}

// Person is a line of the roster.
type Person struct {
	ID       sitting.PersonID `json:"id"`
	Name     string           `json:"name"`
	Role     sitting.Role     `json:"role"`
	Seat     sitting.SeatID   `json:"seat"`
	Presence sitting.Presence `json:"presence"`
}

// Speakers is the answer of GET /speakers.
type Speakers struct {
	Speakers []Speaker `json:"speakers"` // in the order of their grants
	Requests []Request `json:"requests"` // in the order of the list
}

// Speaker is somebody who has the word.
type Speaker struct {
	Person sitting.PersonID `json:"person"`
	Name   string           `json:"name"`
	Seat   sitting.SeatID   `json:"seat"` // empty when remote
	Origin sitting.Origin   `json:"origin"`
	Since  time.Time        `json:"since"`
	Rule   sitting.Rule     `json:"rule"`
	Mic    sitting.Mic      `json:"mic"`
	Chair  bool             `json:"chair"`
}

// Request is a raised hand.
type Request struct {
	Person sitting.PersonID `json:"person"`
	Name   string           `json:"name"`
	Seat   sitting.SeatID   `json:"seat"` // empty when remote
	Origin sitting.Origin   `json:"origin"`
	At     time.Time        `json:"at"`
}

// Who names a person in one of three ways. A name may be an id, a full name, a seat, or a part that only one has.
type Who struct {
	Person string `json:"person,omitempty"`
	Name   string `json:"name,omitempty"`
	Seat   string `json:"seat,omitempty"`
}

// Done is the answer to an order.
type Done struct {
	Seq    uint64           `json:"seq"` // number of the event in the journal
	Person sitting.PersonID `json:"person,omitempty"`
	Name   string           `json:"name,omitempty"`
}

// Invitation is the answer of POST /invite. The token is nowhere else.
type Invitation struct {
	Person  sitting.PersonID `json:"person"`
	Name    string           `json:"name"`
	Role    sitting.Role     `json:"role"`
	Token   string           `json:"token"`
	Link    string           `json:"link"`
	Expires time.Time        `json:"expires"`
}

// Error is a refusal: application/problem+json (RFC 9457) on the wire.
type Error struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"` // what to tell the technician
}

// Error implements error.
func (e *Error) Error() string { return e.Detail }

func bad(detail string) *Error {
	return &Error{Title: http.StatusText(http.StatusBadRequest), Status: http.StatusBadRequest, Detail: detail}
}

// refuse answers with the reason. The technician gets the error in full, as from a command line.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		status := statusOf(err)
		e = &Error{Title: http.StatusText(status), Status: status, Detail: err.Error()}
	}
	if e.Status == http.StatusInternalServerError {
		s.log.Error("the operator's request failed", "method", r.Method, "route", r.Pattern, "err", err)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(e.Status)
	_ = json.NewEncoder(w).Encode(e) // the client may be gone
}

// statusOf sorts the errors of the rules, the clerk and the door.
func statusOf(err error) int {
	is := func(list ...error) bool {
		return slices.ContainsFunc(list, func(e error) bool { return errors.Is(err, e) })
	}
	switch {
	case is(sitting.ErrUnknownPerson, sitting.ErrUnknownSeat, access.ErrUnknown):
		return http.StatusNotFound
	case is(sitting.ErrNotAllowed, access.ErrRole, service.ErrWrongPIN, service.ErrNotLocal):
		return http.StatusForbidden
	case is(sitting.ErrInvalid, access.ErrWeakPIN, service.ErrConfirm):
		return http.StatusBadRequest
	case is(clerk.ErrBusy, clerk.ErrStopped, service.ErrAbsent, context.DeadlineExceeded, context.Canceled):
		return http.StatusServiceUnavailable
	case is(sitting.ErrNotOpen, sitting.ErrAlreadyOpen, sitting.ErrAlreadyListed, sitting.ErrNotListed, sitting.ErrAlreadySpeaks,
		sitting.ErrNotSpeaking, sitting.ErrLimit, sitting.ErrSilenced, sitting.ErrListEmpty, sitting.ErrNoWay, sitting.ErrNothingChanged,
		sitting.ErrAlarm, sitting.ErrNotReady, health.ErrTesting,
		service.ErrSittingOpen, service.ErrNothingOffered, service.ErrOwnerSet, service.ErrNoOwner, service.ErrBusy):
		return http.StatusConflict
	case errors.As(err, new(*access.TooManyError)):
		return http.StatusTooManyRequests
	}
	return http.StatusInternalServerError
}

func (s *Server) status(*http.Request) (any, error) {
	snap := s.opts.Clerk.Snapshot()
	st := snap.State
	out := Status{
		Version: s.opts.Version, Body: st.Body, Phase: st.Phase, OpenedAt: st.OpenedAt, Seq: snap.Seq, Recorded: snap.Recorded,
		Mode: st.Mode, Limit: st.Limit, MaxLimit: st.MaxLimit, Silenced: st.Silenced, PIN: s.opts.Access.HasPIN(),
		Desks: append([]sitting.Desk{}, st.Desks...), Faults: append([]sitting.Fault{}, st.Faults...), People: []Person{},
		Alarm: st.Alarm, Items: append([]sitting.Item{}, st.Items...), Overrides: append([]sitting.Override{}, st.Overrides...),
	}
	for _, p := range st.Roster {
		out.People = append(out.People, Person{ID: p.ID, Name: p.Name, Role: p.Role, Seat: p.Seat, Presence: st.Presence(p)})
	}
	return out, nil
}

func (s *Server) speakers(*http.Request) (any, error) {
	st := s.opts.Clerk.Snapshot().State
	out := Speakers{Speakers: []Speaker{}, Requests: []Request{}}
	for _, sp := range st.Speakers {
		p, _ := st.Person(sp.Person)
		out.Speakers = append(out.Speakers, Speaker{
			Person: sp.Person, Name: p.Name, Seat: sp.Seat, Origin: sp.Origin, Since: sp.Since, Rule: sp.Rule, Mic: sp.Mic, Chair: sp.Chair,
		})
	}
	for _, r := range st.Requests {
		p, _ := st.Person(r.Person)
		out.Requests = append(out.Requests, Request{Person: r.Person, Name: p.Name, Seat: r.Seat, Origin: r.Origin, At: r.At})
	}
	return out, nil
}
