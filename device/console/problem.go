package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"plenum/device/access"
	"plenum/device/clerk"
	"plenum/device/health"
	"plenum/device/service"
	"plenum/device/sitting"
)

// Problem is the answer that something was not done: application/problem+json (RFC 9457) with a stable code that
// programs branch on and a sentence that says what to do. It is an error, so that handlers can return it.
type Problem struct {
	Type   string `json:"type"` // always about:blank
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// newProblem makes a problem. The detail is one English sentence that says what to do.
func newProblem(status int, code, detail string) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: detail}
}

// invalid is the answer to a request that is wrong in itself.
func invalid(detail string) *Problem { return newProblem(http.StatusBadRequest, "invalid", detail) }

// Error implements error.
func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// write sends the problem.
func (p *Problem) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	// The client may be gone; nobody is left to tell.
	_ = json.NewEncoder(w).Encode(p)
}

// problemOf finds the answer to an error of the clerk or of the rules. What is not in the table is the box's own fault.
func problemOf(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	for _, row := range refusals() {
		if errors.Is(err, row.err) {
			return newProblem(row.status, row.code, row.detail(err))
		}
	}
	return newProblem(http.StatusInternalServerError, "internal", "The box has a fault; call the technician, the log says more.")
}

type refusal struct {
	err    error
	status int
	code   string
	text   string // empty: the error's own words, which name what is wrong with the request
}

func (r refusal) detail(err error) string {
	if r.text == "" {
		return err.Error()
	}
	return r.text
}

// refusals lists every refusal there is, the more special ones first.
func refusals() []refusal {
	const conflict = http.StatusConflict
	return []refusal{
		{sitting.ErrTheirOwn, http.StatusForbidden, "not_allowed",
			"Only they do this themselves; take the word from them with withdraw, strike their request with refuse."},
		{sitting.ErrNotAllowed, http.StatusForbidden, "not_allowed", "This is not for you to do; ask the chair."},
		{sitting.ErrNotOpen, conflict, "not_open", "The sitting is not open; the chair opens it first."},
		{sitting.ErrAlreadyOpen, conflict, "already_open", "The sitting is open already."},
		{sitting.ErrUnknownPerson, http.StatusNotFound, "unknown_person", "Nobody on the roster has this id; look at the list of people."},
		{sitting.ErrUnknownSeat, http.StatusNotFound, "unknown_person", "Nobody on the roster sits at this seat; look at the list of people."},
		{sitting.ErrAlreadyListed, conflict, "already_listed", "This person is on the list already."},
		{sitting.ErrNotListed, conflict, "not_listed", "This person is not on the list."},
		{sitting.ErrAlreadySpeaks, conflict, "already_speaks", "This person has the word already."},
		{sitting.ErrNotSpeaking, conflict, "not_speaking", "This person does not have the word."},
		{sitting.ErrLimit, conflict, "limit", "As many people as allowed have the word; take it from one of them first."},
		{sitting.ErrSilenced, conflict, "silenced", "The chair holds priority; release it first."},
		{sitting.ErrListEmpty, conflict, "list_empty", "Nobody is waiting."},
		{sitting.ErrNoWay, conflict, "no_way", "This person has neither a desk that answers nor a remote connection; wait until one is there."},
		{sitting.ErrNothingChanged, conflict, "nothing_changed", "It is so already."},
		{sitting.ErrAlarm, conflict, "alarm", ""},
		{sitting.ErrNotReady, conflict, "not_ready", ""},
		{health.ErrTesting, conflict, "selftest_running", "A self-test is running already; wait for its result."},
		{service.ErrSittingOpen, conflict, "sitting_open", "A sitting is open; close it first."},
		{service.ErrNothingOffered, conflict, "nothing_offered", "No stick offers this; plug one in and wait until it was looked at."},
		{service.ErrWrongPIN, http.StatusForbidden, "wrong_pin", "The owner's PIN is wrong."},
		{service.ErrNotLocal, http.StatusForbidden, "not_local", "The first PINs are set at the box itself, on its own screen or with plenumctl."},
		{service.ErrOwnerSet, conflict, "owner_set", "The owner's PIN is set already; give it as old to change it."},
		{service.ErrNoOwner, conflict, "no_owner", "The owner's PIN has not been set; set it at the box itself first."},
		{service.ErrConfirm, http.StatusBadRequest, "confirm", "This is not the name of the box; type its host name."},
		{service.ErrBusy, conflict, "service_busy", "An update, a setup or a reset is under way; wait until it is done."},
		{service.ErrAbsent, http.StatusServiceUnavailable, "absent", "The part of the box that does this does not answer; look at the conditions and try again."},
		{access.ErrWeakPIN, http.StatusBadRequest, "weak_pin", ""},
		{sitting.ErrInvalid, http.StatusBadRequest, "invalid", ""},
		{clerk.ErrKeyReused, conflict, "key_reused", "This Idempotency-Key was used for another command; use a new one."},
		{clerk.ErrKeyTooLong, http.StatusBadRequest, "invalid", "The Idempotency-Key is too long."},
		{clerk.ErrBusy, http.StatusServiceUnavailable, "busy", "The box has too much to do; try again in a moment."},
		{clerk.ErrStopped, http.StatusServiceUnavailable, "busy", "The box is restarting; try again in a moment."},
		{context.DeadlineExceeded, http.StatusServiceUnavailable, "busy", "The box did not answer in time; look whether it happened, then try again."},
		{context.Canceled, http.StatusServiceUnavailable, "busy", "The box is restarting; look whether it happened, then try again."},
	}
}
