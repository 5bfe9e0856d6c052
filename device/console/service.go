package console

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"plenum/device/access"
	"plenum/device/service"
	"plenum/device/sitting"
)

// serviceTime is how long an order of the technician may take. What takes longer, an update, goes on by itself.
const serviceTime = 20 * time.Second

// Service is what the console needs of the room for technicians: updates, sticks and the owner's PIN. Its refusals are
// those of package service, *access.TooManyError and access.ErrWeakPIN.
type Service interface {
	View() any      // the answer of GET /api/v1/service
	HasOwner() bool // the owner's PIN has been set
	Install(ctx context.Context, pin string) error
	Reboot(ctx context.Context, pin string) error
	Setup(ctx context.Context, pin string) error
	Technician(ctx context.Context, pin string, on bool) error
	Reset(ctx context.Context, pin, confirm string) error
	Acknowledge(ctx context.Context) error
	// SetOwner sets the owner's PIN. Local says that the caller sits at the box itself: only there can the first one be
	// set, and then old counts for nothing.
	SetOwner(ctx context.Context, old, pin string, local bool) error
}

// First is what a browser is told before anybody can log in: what the box still lacks.
type First struct {
	Owner bool `json:"owner"` // the owner's PIN has been set
	Chair bool `json:"chair"` // the chair's PIN has been set
	Local bool `json:"local"` // the caller sits at the box itself, where both can be set first
}

// serviceRoutes are those of the technician. Without a Service each answers that this is no appliance.
func (c *Console) serviceRoutes() []route {
	return []route{
		{"GET", "/api/v1/service", false, c.showService},
		{"GET", "/api/v1/service/first", true, c.first},
		{"POST", "/api/v1/service/owner", true, c.setOwner},
		{"POST", "/api/v1/service/chair", true, c.setChair},
		{"POST", "/api/v1/service/install", false, c.order(Service.Install)},
		{"POST", "/api/v1/service/reboot", false, c.order(Service.Reboot)},
		{"POST", "/api/v1/service/setup", false, c.order(Service.Setup)},
		{"POST", "/api/v1/service/technician", false, c.technician},
		{"POST", "/api/v1/service/reset", false, c.reset},
		{"POST", "/api/v1/service/acknowledge", false, c.acknowledge},
	}
}

// mayServe lets the chair's session at the technician's room; what changes anything asks for the owner's PIN too.
func (c *Console) mayServe(id access.Identity) error {
	if err := c.appliance(); err != nil {
		return err
	}
	if id.Role != sitting.RoleChair {
		return sitting.ErrNotAllowed
	}
	return nil
}

func (c *Console) appliance() error {
	if c.opts.Service == nil {
		return newProblem(http.StatusNotFound, "not_appliance",
			"This is not an appliance: it has no updates, sticks or owner's PIN; look after the machine itself.")
	}
	return nil
}

func (c *Console) showService(w http.ResponseWriter, _ *http.Request, id access.Identity) error {
	if err := c.mayServe(id); err != nil {
		return err
	}
	return writeJSON(w, c.opts.Service.View())
}

// serviceContext goes on when the browser goes away, and says where the order comes from.
func serviceContext(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(service.From(context.WithoutCancel(r.Context()), source(r)), serviceTime)
}

// served does what was asked for, in full even when the browser goes away meanwhile, and answers with what is so now.
func (c *Console) served(w http.ResponseWriter, r *http.Request, what string, do func(context.Context) error) error {
	ctx, cancel := serviceContext(r)
	defer cancel()
	if err := do(ctx); err != nil {
		if errors.Is(err, service.ErrWrongPIN) {
			c.log.Warn("a wrong PIN of the owner", "from", source(r).String(), "what", what)
		}
		return tooMany(w, err)
	}
	c.log.Info("the technician ordered", "what", what, "from", source(r).String())
	return writeJSON(w, c.opts.Service.View())
}

// order makes the handler of what needs nothing but the owner's PIN.
func (c *Console) order(do func(Service, context.Context, string) error) func(http.ResponseWriter, *http.Request, access.Identity) error {
	return func(w http.ResponseWriter, r *http.Request, id access.Identity) error {
		if err := c.mayServe(id); err != nil {
			return err
		}
		var body struct {
			PIN *string `json:"pin"`
		}
		if err := readNeeded(r, &body, func() bool { return body.PIN != nil }); err != nil {
			return err
		}
		return c.served(w, r, r.Pattern, func(ctx context.Context) error { return do(c.opts.Service, ctx, *body.PIN) })
	}
}

func (c *Console) technician(w http.ResponseWriter, r *http.Request, id access.Identity) error {
	if err := c.mayServe(id); err != nil {
		return err
	}
	var body struct {
		PIN *string `json:"pin"`
		On  *bool   `json:"on"`
	}
	if err := readNeeded(r, &body, func() bool { return body.PIN != nil && body.On != nil }); err != nil {
		return err
	}
	return c.served(w, r, "technician mode", func(ctx context.Context) error {
		return c.opts.Service.Technician(ctx, *body.PIN, *body.On)
	})
}

func (c *Console) reset(w http.ResponseWriter, r *http.Request, id access.Identity) error {
	if err := c.mayServe(id); err != nil {
		return err
	}
	var body struct {
		PIN     *string `json:"pin"`
		Confirm *string `json:"confirm"`
	}
	if err := readNeeded(r, &body, func() bool { return body.PIN != nil && body.Confirm != nil }); err != nil {
		return err
	}
	return c.served(w, r, "factory reset", func(ctx context.Context) error {
		return c.opts.Service.Reset(ctx, *body.PIN, *body.Confirm)
	})
}

func (c *Console) acknowledge(w http.ResponseWriter, r *http.Request, id access.Identity) error {
	if err := c.mayServe(id); err != nil {
		return err
	}
	if err := readNeeded(r, &struct{}{}, func() bool { return true }); err != nil {
		return err
	}
	return c.served(w, r, "acknowledge", c.opts.Service.Acknowledge)
}

// first tells a browser that nobody is logged in at what the box still lacks.
func (c *Console) first(w http.ResponseWriter, r *http.Request, _ access.Identity) error {
	if err := c.appliance(); err != nil {
		return err
	}
	return writeJSON(w, First{Owner: c.opts.Service.HasOwner(), Chair: c.opts.Access.HasPIN(), Local: local(r)})
}

// setOwner takes the owner's first PIN from the box itself, where nobody can be logged in yet; a later one needs the
// chair's session and the old PIN.
func (c *Console) setOwner(w http.ResponseWriter, r *http.Request, _ access.Identity) error {
	if err := c.appliance(); err != nil {
		return err
	}
	if c.opts.Service.HasOwner() {
		id, err := c.Authenticate(r)
		if err != nil {
			return err
		}
		if err := c.mayServe(id); err != nil {
			return err
		}
	} else if !local(r) {
		return service.ErrNotLocal
	}
	var body struct {
		PIN *string `json:"pin"`
		Old string  `json:"old"`
	}
	if err := readNeeded(r, &body, func() bool { return body.PIN != nil }); err != nil {
		return err
	}
	ctx, cancel := serviceContext(r)
	defer cancel()
	if err := c.opts.Service.SetOwner(ctx, body.Old, *body.PIN, local(r)); err != nil {
		return tooMany(w, err)
	}
	c.log.Info("the owner's PIN was set", "from", source(r).String())
	return c.first(w, r, access.Identity{})
}

// setChair takes the chair's first PIN from the box itself: an appliance has no keyboard for plenumctl.
func (c *Console) setChair(w http.ResponseWriter, r *http.Request, _ access.Identity) error {
	if err := c.appliance(); err != nil {
		return err
	}
	switch {
	case !c.opts.Service.HasOwner():
		return service.ErrNoOwner
	case c.opts.Access.HasPIN():
		return newProblem(http.StatusConflict, "pin_set", "The chair's PIN is set already; the technician changes it with plenumctl pin.")
	case !local(r):
		return service.ErrNotLocal
	}
	var body struct {
		PIN *string `json:"pin"`
	}
	if err := readNeeded(r, &body, func() bool { return body.PIN != nil }); err != nil {
		return err
	}
	if err := c.opts.Access.SetPIN(*body.PIN); err != nil {
		return err
	}
	c.log.Info("the chair's first PIN was set at the box")
	return c.first(w, r, access.Identity{})
}

// local reports whether a request comes from the box itself: from its own screen.
func local(r *http.Request) bool {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && at.Addr().Unmap().IsLoopback()
}

// readNeeded reads a body whose needed fields are there.
func readNeeded(r *http.Request, into any, complete func() bool) error {
	if err := readJSON(r, into); err != nil {
		return err
	}
	if !complete() {
		return invalid("A field is missing; openapi.yaml says what " + r.URL.Path + " takes.")
	}
	return nil
}

// tooMany adds to an answer how long to wait before the next try, when that is why.
func tooMany(w http.ResponseWriter, err error) error {
	many, ok := errors.AsType[*access.TooManyError](err)
	if !ok {
		return err
	}
	seconds := strconv.Itoa(int(math.Ceil(many.Wait.Seconds())))
	w.Header().Set("Retry-After", seconds)
	detail := "Too many wrong PINs; wait " + seconds + " seconds and try again."
	if many.Others {
		detail = "Others are guessing the PIN; wait " + seconds + " seconds and try again, or enter it at the box's own screen " +
			"or at a place where it was right before."
	}
	return newProblem(http.StatusTooManyRequests, "too_many_tries", detail)
}
