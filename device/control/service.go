package control

import (
	"context"
	"net/http"
	"time"
)

// serviceTime is how long an order of the technician may take. What takes longer, an update, goes on by itself.
const serviceTime = time.Minute

// Service is what the operator needs of the room for technicians: updates, sticks and the owner's PIN. Its refusals are
// those of package service, *access.TooManyError and access.ErrWeakPIN.
type Service interface {
	View() any // the answer of GET /service; it has the fields of ServiceView
	Install(ctx context.Context, pin string) error
	Reboot(ctx context.Context, pin string) error
	Setup(ctx context.Context, pin string) error
	Technician(ctx context.Context, pin string, on bool) error
	Reset(ctx context.Context, pin, confirm string) error
	Acknowledge(ctx context.Context) error
	// SetOwner sets the owner's PIN; who is at the socket is at the box itself, so local is always true.
	SetOwner(ctx context.Context, old, pin string, local bool) error
}

// Order is what POST /service/... takes; every order takes some of it.
type Order struct {
	PIN     string `json:"pin,omitempty"`     // the owner's; of /service/owner the new one
	Old     string `json:"old,omitempty"`     // of /service/owner: the PIN so far
	On      bool   `json:"on,omitempty"`      // of /service/technician
	Confirm string `json:"confirm,omitempty"` // of /service/reset: the box's host name
}

// serviceRoutes are those of the technician's room.
func (s *Server) serviceRoutes() map[string]func(*http.Request) (any, error) {
	return map[string]func(*http.Request) (any, error){
		"GET /service":              s.service,
		"POST /service/install":     s.order(func(ctx context.Context, o Order) error { return s.opts.Service.Install(ctx, o.PIN) }),
		"POST /service/reboot":      s.order(func(ctx context.Context, o Order) error { return s.opts.Service.Reboot(ctx, o.PIN) }),
		"POST /service/setup":       s.order(func(ctx context.Context, o Order) error { return s.opts.Service.Setup(ctx, o.PIN) }),
		"POST /service/technician":  s.order(func(ctx context.Context, o Order) error { return s.opts.Service.Technician(ctx, o.PIN, o.On) }),
		"POST /service/reset":       s.order(func(ctx context.Context, o Order) error { return s.opts.Service.Reset(ctx, o.PIN, o.Confirm) }),
		"POST /service/acknowledge": s.order(func(ctx context.Context, _ Order) error { return s.opts.Service.Acknowledge(ctx) }),
		"POST /service/owner":       s.order(func(ctx context.Context, o Order) error { return s.opts.Service.SetOwner(ctx, o.Old, o.PIN, true) }),
	}
}

func (s *Server) service(*http.Request) (any, error) {
	if s.opts.Service == nil {
		return nil, noAppliance()
	}
	return s.opts.Service.View(), nil
}

// order makes the handler of an order. It is carried out in full, also when the caller goes away, and answered with
// what is so then.
func (s *Server) order(do func(context.Context, Order) error) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		if s.opts.Service == nil {
			return nil, noAppliance()
		}
		var o Order
		if err := read(r, &o); err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), serviceTime)
		defer cancel()
		if err := do(ctx, o); err != nil {
			return nil, err
		}
		s.log.Info("the operator ordered", "what", r.Pattern)
		return s.opts.Service.View(), nil
	}
}

func noAppliance() *Error {
	return &Error{Title: http.StatusText(http.StatusNotFound), Status: http.StatusNotFound,
		Detail: "this daemon runs on no appliance: it has no updates, sticks or owner's PIN"}
}

// ServiceView is the answer of GET /service and of every order.
type ServiceView struct {
	Release    Release      `json:"release"`
	Host       string       `json:"host,omitempty"` // what a reset asks for
	Sticks     []Stick      `json:"sticks"`
	Update     Update       `json:"update"`
	Setup      Setup        `json:"setup"`
	Diagnosis  Diagnosis    `json:"diagnosis"`
	Technician Technician   `json:"technician"`
	Owner      bool         `json:"owner"`   // the owner's PIN has been set
	Sitting    bool         `json:"sitting"` // one is open: sticks are noticed, nothing more
	RefusedUSB []RefusedUSB `json:"refused_usb"`
	Conditions []Condition  `json:"conditions"`
}

// Release is what runs.
type Release struct {
	Version      string `json:"version"`
	Build        string `json:"build"` // when, RFC 3339
	Slot         string `json:"slot"`  // A or B
	Compatible   string `json:"compatible"`
	SupportUntil string `json:"support_until"` // YYYY-MM
}

// Text is a sentence in both languages.
type Text struct {
	DE string `json:"text_de"`
	EN string `json:"text_en"`
}

// Stick is one that is plugged in.
type Stick struct {
	ID    string `json:"id"`
	Label string `json:"label"`
	Drive string `json:"drive"`
	Kind  string `json:"kind"` // update, setup, diagnosis, other; empty: not looked at yet
	Busy  bool   `json:"busy"` // in use, not to be pulled
	Text
}

// States of an update that callers branch on.
const (
	UpdateOffered    = "offered"
	UpdateRefused    = "refused"
	UpdateInstalling = "installing"
	UpdateInstalled  = "installed"
	UpdateFailed     = "failed"
)

// Update is how an update stands.
type Update struct {
	State   string `json:"state"`  // idle, offered, refused, installing, installed, rebooting, failed
	Reason  string `json:"reason"` // why it is refused or failed
	Version string `json:"version"`
	Notes   string `json:"notes"`
	Built   string `json:"built"`
	Current string `json:"current"`
	Size    int64  `json:"size"` // bytes
	Percent int    `json:"percent"`
	Step    string `json:"step"`
	Text
	Last *Outcome `json:"last"` // null: none was tried
}

// Outcome is what became of the last update.
type Outcome struct {
	Result  string    `json:"result"` // updated, went-back, interrupted, trial
	Version string    `json:"version"`
	From    string    `json:"from"`
	At      time.Time `json:"at"`
	Text
	Seen bool `json:"seen"`
}

// Setup is what a setup stick brings.
type Setup struct {
	State  string `json:"state"` // idle, offered, refused, applied
	Signed bool   `json:"signed"`
	Lines  []Text `json:"lines"`
	Text
}

// Diagnosis is what is written onto a diagnosis stick.
type Diagnosis struct {
	State     string `json:"state"` // idle, writing, written, failed
	File      string `json:"file"`
	Encrypted bool   `json:"encrypted"`
	Text
}

// Technician is whether every USB device is let in.
type Technician struct {
	On    bool      `json:"on"`
	Until time.Time `json:"until,omitzero"`
}

// RefusedUSB is a USB device that was not let in.
type RefusedUSB struct {
	Name    string   `json:"name"`
	IDs     string   `json:"ids"` // vvvv:pppp
	Classes []string `json:"classes"`
}

// Condition is something about the box that somebody should know.
type Condition struct {
	Code     string `json:"code"`
	Subject  string `json:"subject,omitempty"` // what it is about where a code can stand several times
	Severity string `json:"severity"`          // info, warning, error, critical
	Text
	Detail string    `json:"detail"`
	Since  time.Time `json:"since"`
}

// Service tells how the box stands as a technician sees it.
func (c *Client) Service(ctx context.Context) (ServiceView, error) {
	var out ServiceView
	return out, c.Call(ctx, http.MethodGet, "/service", nil, &out)
}

func (c *Client) order(ctx context.Context, name string, o Order) (ServiceView, error) {
	var out ServiceView
	return out, c.Call(ctx, http.MethodPost, "/service/"+name, o, &out)
}

// Install begins to install the update that a stick offers; Service tells how far it is.
func (c *Client) Install(ctx context.Context, pin string) (ServiceView, error) {
	return c.order(ctx, "install", Order{PIN: pin})
}

// Reboot restarts the box.
func (c *Client) Reboot(ctx context.Context, pin string) (ServiceView, error) {
	return c.order(ctx, "reboot", Order{PIN: pin})
}

// ApplySetup takes over what the setup stick brings.
func (c *Client) ApplySetup(ctx context.Context, pin string) (ServiceView, error) {
	return c.order(ctx, "setup", Order{PIN: pin})
}

// Technician switches the technician mode, in which every USB device is let in.
func (c *Client) Technician(ctx context.Context, pin string, on bool) (ServiceView, error) {
	return c.order(ctx, "technician", Order{PIN: pin, On: on})
}

// Reset wipes the box and restarts it. Confirm is its host name.
func (c *Client) Reset(ctx context.Context, pin, confirm string) (ServiceView, error) {
	return c.order(ctx, "reset", Order{PIN: pin, Confirm: confirm})
}

// Acknowledge says that the outcome of the last update was seen.
func (c *Client) Acknowledge(ctx context.Context) (ServiceView, error) {
	return c.order(ctx, "acknowledge", Order{})
}

// SetOwner sets the owner's PIN; old is needed once there is one.
func (c *Client) SetOwner(ctx context.Context, old, pin string) (ServiceView, error) {
	return c.order(ctx, "owner", Order{PIN: pin, Old: old})
}
