package quinta

import (
	"context"
	"log/slog"
	"net"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"plenum/hal/desk"
	"plenum/hal/desk/sim"
	"plenum/hal/port"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hall is a driver on a simulated unit.
type hall struct {
	*sim.Sim
	*Driver
	t    *testing.T
	end  chan error // what the last Run gave
	line net.Conn   // the driver's end of the pipe; nil: a pseudo-terminal
}

// newHall starts a simulated unit and makes a driver for it, on a pseudo-terminal or, with a fake clock, on a pipe.
func newHall(t *testing.T, opt sim.Options, piped bool) *hall {
	t.Helper()
	h := &hall{t: t, end: make(chan error, 1)}
	options := Options{Name: "test", Log: testLog(t)}
	if piped {
		near, far := net.Pipe()
		opt.Wire, h.line = far, near
		options.Open = func(context.Context) (port.Port, error) { return near, nil }
	}
	var err error
	if h.Sim, err = sim.New(opt); err != nil {
		t.Fatal(err)
	}
	options.Port = h.Path()
	h.Driver = New(options)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Sim.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error("simulator:", err)
		}
	})
	return h
}

func testLog(t *testing.T) *slog.Logger {
	if !testing.Verbose() || os.Getenv("DESK_DEBUG") == "" {
		return nil
	}
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// start runs the driver until the test's end and waits for a live link. The function stops it before.
func (h *hall) start() (stop func()) {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.t.Context())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		h.end <- h.Driver.Run(ctx)
	}()
	stop = func() { cancel(); <-stopped }
	h.t.Cleanup(stop)
	h.await("live link", func(e desk.Event) bool { return e.Kind == desk.KindLink && e.Link == desk.LinkLive })
	return stop
}

// await takes events until one fits, and gives all taken.
func (h *hall) await(what string, fits func(desk.Event) bool) []desk.Event {
	h.t.Helper()
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	var taken []desk.Event
	for {
		select {
		case e := <-h.Events():
			taken = append(taken, e)
			if fits(e) {
				return taken
			}
		case <-limit.C:
			h.t.Fatalf("no %s; events: %+v", what, taken)
		}
	}
}

// settle takes all events that come until the line has been quiet for a while.
func (h *hall) settle(quiet time.Duration) []desk.Event {
	var taken []desk.Event
	for {
		select {
		case e := <-h.Events():
			taken = append(taken, e)
		case <-time.After(quiet):
			return taken
		}
	}
}

func (h *hall) press(unit int, side string) {
	h.t.Helper()
	if err := h.Press(unit, side); err != nil {
		h.t.Fatal(err)
	}
}

func (h *hall) seat(unit int, side string) sim.UnitState {
	i := slices.IndexFunc(h.State(), func(s sim.UnitState) bool { return s.Unit == unit && s.Side == side })
	return h.State()[i]
}

// isLink fits a change of the link.
func isLink(l desk.Link) func(desk.Event) bool {
	return func(e desk.Event) bool { return e.Kind == desk.KindLink && e.Link == l }
}

// is fits an event about a key.
func is(kind desk.Kind, key desk.Key, on bool) func(desk.Event) bool {
	return func(e desk.Event) bool { return e.Kind == kind && e.Key == key && e.On == on }
}

// only keeps the events of some kinds.
func only(events []desk.Event, kinds ...desk.Kind) []desk.Event {
	return slices.DeleteFunc(slices.Clone(events), func(e desk.Event) bool { return !slices.Contains(kinds, e.Kind) })
}

func wantResult(t *testing.T, what string, got desk.Result, want desk.Outcome) {
	t.Helper()
	if got.Outcome != want {
		t.Errorf("%s: %+v, want %s", what, got, want)
	}
}

// inStopped runs a driver with a fake clock, stops it after one test and judges by another what it left.
func inStopped(t *testing.T, leave bool, before func(*hall), after func(h *hall, took time.Duration)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, sim.Options{Units: 3}, true)
		h.opt.LeaveOpen = leave
		stop := h.start()
		before(h)
		began := time.Now()
		stop()
		after(h, time.Since(began))
	})
}
