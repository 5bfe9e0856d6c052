package app

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"plenum/device/config"
	"plenum/device/health"
	"plenum/device/sitting"
	"plenum/hal/desk"
	"plenum/hal/desk/quinta"
	"plenum/hal/desk/sim"
	"plenum/hal/port"
)

// row is a row of desks: a sitting in memory with a real driver and a simulated unit, on a pipe with a fake clock.
type row struct {
	units *sim.Sim
	*deskSystem

	mu    sync.Mutex
	state sitting.State
	log   []sitting.Event
}

// atDesks runs a test with n seats, of which the first is the chair's, while the sitting is open and the desk is live.
func atDesks(t *testing.T, n int, limit int, test func(t *testing.T, c *row)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		units, err := sim.New(sim.Options{Units: n, Chair: 1, Wire: far})
		if err != nil {
			t.Fatal(err)
		}
		driver := quinta.New(quinta.Options{Name: "q", Open: func(context.Context) (port.Port, error) { return near, nil }})
		c := &row{units: units, state: sitting.New()}
		cfg := config.Desk{Name: "q"}
		roster := sitting.Event{Kind: sitting.KindRoster, Mode: sitting.ModeChairGrants, Limit: limit, MaxLimit: 8}
		for i := 1; i <= n; i++ {
			m := sitting.Member{ID: sitting.PersonID(units.Key(i, "").ID), Name: "x", Role: sitting.RoleMember, Seat: sitting.SeatID(units.Key(i, "").ID), Desk: "q"}
			if i == 1 {
				m.Role = sitting.RoleChair
			}
			roster.Roster = append(roster.Roster, m)
			cfg.Seats = append(cfg.Seats, config.Seat{Seat: string(m.Seat), Unit: string(m.ID)})
		}
		c.deskSystem = newDeskSystem(cfg, driver, c.do, c.now, health.NewBoard(nil), slog.New(slog.DiscardHandler))
		ctx, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { _ = units.Run(ctx) })
		all.Go(func() { _ = driver.Run(ctx) })
		all.Go(func() { c.listen(ctx) })
		all.Go(func() { c.work(ctx) })
		c.must(t, roster)
		time.Sleep(30 * time.Second) // all units are heard
		c.must(t, sitting.Event{Kind: sitting.KindOpen, By: sitting.Actor{Role: sitting.RoleChair, Person: roster.Roster[0].ID}})
		test(t, c)
		stop()
		all.Wait()
	})
}

func (c *row) now() sitting.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

func (c *row) do(_ context.Context, e sitting.Event) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.At.IsZero() {
		e.At = time.Now()
	}
	next, effects, err := sitting.Apply(c.state, e)
	if err != nil {
		return err
	}
	c.state, c.log = next, append(c.log, e)
	for _, f := range effects {
		if f.Kind == sitting.EffectMic || f.Kind == sitting.EffectLamp {
			c.order(f)
		}
	}
	return nil
}

// must does something as the box unless e says who does.
func (c *row) must(t *testing.T, e sitting.Event) {
	t.Helper()
	if e.By.Role == "" {
		e.By.Role = sitting.RoleBox
	}
	if err := c.do(t.Context(), e); err != nil {
		t.Fatalf("%s: %v", e.Kind, err)
	}
}

// lead does something as the chair, for whoever sits at a unit.
func (c *row) lead(kind sitting.Kind, n int) error {
	return c.do(context.Background(), sitting.Event{Kind: kind, Person: sitting.PersonID(c.units.Key(n, "").ID),
		By: sitting.Actor{Role: sitting.RoleChair, Person: sitting.PersonID(c.units.Key(1, "").ID)}})
}

// speaks reports whether whoever sits at a unit has the word and the microphone.
func (c *row) speaks(n int) bool {
	s := c.now()
	i := s.Speaking(sitting.PersonID(c.units.Key(n, "").ID))
	return i >= 0 && s.Speakers[i].Mic == sitting.MicOpen && c.units.State()[n-1].Open
}

// The answer to an order is lost on the line, or damaged, while the unit lists the microphone as open: the member speaks.
func TestAnAnswerIsLost(t *testing.T) {
	for _, prompts := range []int{0, 1} {
		for damaged := range 4 {
			atDesks(t, 4, 2, func(t *testing.T, c *row) {
				for n := range 20 {
					seat := 2 + n%3
					c.units.SwallowPrompts(prompts)
					c.units.Corrupt(damaged)
					if err := c.lead(sitting.KindGrant, seat); err != nil {
						t.Fatal(err)
					}
					time.Sleep(20 * time.Second)
					if s := c.now(); !c.speaks(seat) || len(s.Faults) != 0 {
						t.Fatalf("round %d, %d prompts and %d lines lost: %+v, faults %+v", n, prompts, damaged, s.Speakers, s.Faults)
					}
					if err := c.lead(sitting.KindWithdraw, seat); err != nil {
						t.Fatal(err)
					}
					time.Sleep(20 * time.Second)
					if c.units.State()[seat-1].Open {
						t.Fatal("not closed again")
					}
				}
			})
		}
	}
}

// A unit that does not do it at once gets the order again.
func TestAnOrderIsGivenAgain(t *testing.T) {
	atDesks(t, 3, 2, func(t *testing.T, c *row) {
		if err := c.units.Refuse(2, true); err != nil {
			t.Fatal(err)
		}
		if err := c.lead(sitting.KindGrant, 2); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond) // the first try came to nothing
		if err := c.units.Refuse(2, false); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if !c.speaks(2) {
			t.Errorf("%+v", c.now().Speakers)
		}
	})
}

// The link is stand-alone while the unit grants, and live from the first press after the mode was set.
func TestModeIsSetAtTheUnit(t *testing.T) {
	atDesks(t, 4, 2, func(t *testing.T, c *row) {
		link := func() desk.Link { return desk.Link(c.now().Desks[0].Link) }
		c.units.SetStandalone(true)
		if err := c.units.Press(2, ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if link() != desk.LinkStandalone {
			t.Fatalf("link %s", link())
		}
		c.units.SetStandalone(false)
		if err := c.units.Press(3, ""); err != nil {
			t.Fatal(err)
		}
		for range 60 {
			time.Sleep(time.Minute)
			if link() != desk.LinkLive {
				t.Fatalf("link %s", link())
			}
		}
		if s := c.now(); len(s.Requests) != 2 || c.units.State()[1].Open {
			t.Errorf("requests %+v, unit 2 %+v", s.Requests, c.units.State()[1])
		}
	})
}
