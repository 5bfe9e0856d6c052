// Package service is the technician's side of the box: what sticks, updates, setup and diagnosis offer, and who may
// order them. It asks for the owner's PIN, and while a sitting is open it does nothing.
package service

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"plenum/device/access"
	"plenum/device/diag"
	"plenum/device/health"
	"plenum/device/setup"
	"plenum/device/stick"
	"plenum/device/update"
)

// technicianTime is how long technician mode lasts: nobody remembers to end it.
const technicianTime = 30 * time.Minute

// System is what the room needs of the box.
type System interface {
	// Restart restarts the machine.
	Restart(ctx context.Context) error
	// Technician lets every USB device in, or only those that belong to the box.
	Technician(ctx context.Context, on bool) error
	// Reset wipes people, keys and logs and restarts the machine.
	Reset(ctx context.Context) error
	// Refused lists the USB devices that were not let in.
	Refused() []Refused
	// Name is the box's host name.
	Name() string
}

// Refused is a USB device that was not let in.
type Refused struct {
	Name    string   `json:"name"`
	IDs     string   `json:"ids"` // vendor and product, "vvvv:pppp"
	Classes []string `json:"classes"`
}

// Release is what runs.
type Release struct {
	Version    string `json:"version"`
	Build      string `json:"build"` // RFC 3339
	Slot       string `json:"slot"`
	Compatible string `json:"compatible"`
	Support    string `json:"support_until"` // YYYY-MM
}

// Mode is technician mode.
type Mode struct {
	On    bool      `json:"on"`
	Until time.Time `json:"until,omitzero"`
}

// View is the answer of GET /service.
type View struct {
	Release    Release            `json:"release"`
	Host       string             `json:"host"` // the box's host name, which a factory reset asks for
	Sticks     []stick.View       `json:"sticks"`
	Update     update.View        `json:"update"`
	Setup      setup.View         `json:"setup"`
	Diagnosis  diag.View          `json:"diagnosis"`
	Technician Mode               `json:"technician"`
	Owner      bool               `json:"owner"`   // the owner's PIN is set
	Sitting    bool               `json:"sitting"` // a sitting is open: everything waits
	Refused    []Refused          `json:"refused_usb"`
	Conditions []health.Condition `json:"conditions"`
}

// Options are the parts that the room joins. All but Log are needed.
type Options struct {
	Owner      *access.Owner
	Sticks     *stick.Watcher
	Updates    *update.Updater
	Setup      *setup.Setup
	Diagnosis  *diag.Diag
	Conditions *health.Conditions
	System     System
	Release    Release
	Open       func() bool // a sitting is open
	Changed    func()      // called when the owner's PIN was set; nil: nobody is told
	Log        *slog.Logger
}

// Service is the room. It is safe for use by many goroutines.
type Service struct {
	opts Options
	log  *slog.Logger

	mu    sync.Mutex
	until time.Time // technician mode ends; zero: it is off
	said  string    // the last complaint, to log it once
}

// New joins the parts.
func New(o Options) (*Service, error) {
	if o.Owner == nil || o.Sticks == nil || o.Updates == nil || o.Setup == nil || o.Diagnosis == nil || o.Conditions == nil || o.System == nil || o.Open == nil {
		return nil, errors.New("the technician's room lacks a part")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{opts: o, log: o.Log}, nil
}

// Run ends technician mode when its time is over or a sitting opens. At its start and at its end the mode is off.
func (s *Service) Run(ctx context.Context) error {
	begun := false // the bus is not there yet
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			s.end(late, "the daemon ends")
			return nil
		case <-tick.C:
		}
		switch mode := s.mode(); {
		case mode.On && (!time.Now().Before(mode.Until) || s.opts.Open()):
			s.end(ctx, "its time is over or a sitting is open")
		case !mode.On && !begun:
			begun = s.end(ctx, "the daemon starts")
		}
	}
}

func (s *Service) end(ctx context.Context, why string) (ended bool) {
	err := s.opts.System.Technician(ctx, false)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if text := err.Error(); text != s.said {
			s.said = text
			s.log.Warn("technician mode could not be ended, trying again", "error", err)
		}
		return false
	}
	was := !s.until.IsZero()
	s.until = time.Time{}
	s.opts.Conditions.Clear(health.TechnicianMode)
	if was {
		s.log.Info("technician mode is off", "why", why)
	}
	return true
}

func (s *Service) mode() Mode {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Mode{On: !s.until.IsZero(), Until: s.until}
}

// View tells how everything stands.
func (s *Service) View() any { return s.view() }

func (s *Service) view() View {
	refused := s.opts.System.Refused()
	if refused == nil {
		refused = []Refused{}
	}
	return View{
		Release: s.opts.Release, Host: s.opts.System.Name(), Sticks: append([]stick.View{}, s.opts.Sticks.View()...),
		Update: s.opts.Updates.View(), Setup: s.opts.Setup.View(), Diagnosis: s.opts.Diagnosis.View(),
		Technician: s.mode(), Owner: s.opts.Owner.HasPIN(), Sitting: s.opts.Open(), Refused: refused,
		Conditions: s.opts.Conditions.List(),
	}
}

// HasOwner reports whether the owner's PIN has been set.
func (s *Service) HasOwner() bool { return s.opts.Owner.HasPIN() }

// allow asks for the owner's PIN. Everything but a look waits for the end of a sitting.
func (s *Service) allow(ctx context.Context, pin string) error {
	if s.opts.Open() {
		return ErrSittingOpen
	}
	switch err := s.opts.Owner.Check(ctx, Source(ctx), pin); {
	case errors.Is(err, access.ErrNoPIN):
		return ErrNoOwner
	case errors.Is(err, access.ErrWrongPIN):
		return ErrWrongPIN
	case err == nil && s.opts.Open(): // it takes a moment to check a PIN
		return ErrSittingOpen
	default:
		return err
	}
}

type fromKey struct{}

// From says where an order comes from. Wrong PINs make that place wait, and not whoever sits at the box itself.
func From(ctx context.Context, source netip.Addr) context.Context {
	return context.WithValue(ctx, fromKey{}, source)
}

// Source is where an order comes from: the box itself, when nobody said another place.
func Source(ctx context.Context) netip.Addr {
	if source, said := ctx.Value(fromKey{}).(netip.Addr); said {
		return source
	}
	return netip.IPv6Loopback()
}

// Install begins the update that is offered. It goes on by itself; View tells how far it is.
func (s *Service) Install(ctx context.Context, pin string) error {
	if err := s.allow(ctx, pin); err != nil {
		return err
	}
	return s.word(s.opts.Updates.Install(ctx))
}

// Reboot restarts the machine, into the new version when one was installed.
func (s *Service) Reboot(ctx context.Context, pin string) error {
	if err := s.allow(ctx, pin); err != nil {
		return err
	}
	if s.opts.Updates.Busy() {
		return ErrBusy
	}
	err := s.opts.Updates.Reboot(ctx)
	if errors.Is(err, update.ErrNotReady) {
		s.log.Info("the technician restarts the machine")
		return s.word(s.opts.System.Restart(ctx))
	}
	return s.word(err)
}

// Setup puts in place what the setup stick offers.
func (s *Service) Setup(ctx context.Context, pin string) error {
	if err := s.allow(ctx, pin); err != nil {
		return err
	}
	if s.opts.Updates.Busy() {
		return ErrBusy
	}
	return s.word(s.opts.Setup.Apply(ctx))
}

// Technician lets every USB device in for half an hour, or ends that.
func (s *Service) Technician(ctx context.Context, pin string, on bool) error {
	if err := s.allow(ctx, pin); err != nil {
		return err
	}
	if !on {
		s.end(ctx, "the technician ended it")
		if s.mode().On {
			return ErrAbsent
		}
		return nil
	}
	if err := s.opts.System.Technician(ctx, true); err != nil {
		return s.word(err)
	}
	s.mu.Lock()
	s.until = time.Now().Add(technicianTime).Truncate(time.Second)
	s.mu.Unlock()
	s.opts.Conditions.Set(health.TechnicianMode, "", "")
	s.log.Warn("technician mode is on: every USB device is let in", "until", s.mode().Until)
	return nil
}

// Reset wipes people, keys and logs. The box's name is asked for, so that nobody does it to the wrong box.
func (s *Service) Reset(ctx context.Context, pin, confirm string) error {
	if err := s.allow(ctx, pin); err != nil {
		return err
	}
	if confirm != s.opts.System.Name() {
		return ErrConfirm
	}
	if s.opts.Updates.Busy() {
		return ErrBusy
	}
	s.log.Warn("factory reset: people, keys and logs are wiped at the restart")
	return s.word(s.opts.System.Reset(ctx))
}

// Acknowledge takes what became of the last update, and a restart by force, off the screens.
func (s *Service) Acknowledge(context.Context) error {
	s.opts.Updates.Acknowledge()
	s.opts.Conditions.Clear(health.Restarted)
	return nil
}

// SetOwner sets the owner's PIN: the first one at the box itself, another one for the old.
func (s *Service) SetOwner(ctx context.Context, old, pin string, local bool) error {
	if !s.opts.Owner.HasPIN() && !local {
		return ErrNotLocal
	}
	switch err := s.opts.Owner.Set(ctx, Source(ctx), old, pin); {
	case errors.Is(err, access.ErrWrongPIN):
		return ErrWrongPIN
	case errors.Is(err, access.ErrOwnerSet):
		return ErrOwnerSet
	case err != nil:
		return err
	}
	s.opts.Conditions.Clear(health.OwnerPINMissing)
	if s.opts.Changed != nil {
		s.opts.Changed()
	}
	s.log.Info("the owner's PIN was set")
	return nil
}

// word says the parts' refusals in this room's words.
func (s *Service) word(err error) error {
	for from, to := range map[error]error{
		update.ErrNothing: ErrNothingOffered, update.ErrTwo: ErrNothingOffered, setup.ErrNothing: ErrNothingOffered,
		update.ErrBusy: ErrBusy, update.ErrAbsent: ErrAbsent,
	} {
		if errors.Is(err, from) {
			return errors.Join(to, err)
		}
	}
	return err
}
