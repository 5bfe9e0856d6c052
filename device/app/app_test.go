package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"plenum/device/config"
	"plenum/device/control"
	"plenum/device/journal"
	"plenum/device/sitting"
	"plenum/hal/desk/sim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// box is a configuration of a small chamber with n desks on a pseudo-terminal.
func box(t *testing.T, n int) (config.Config, *sim.Sim) {
	t.Helper()
	units, err := sim.New(sim.Options{Units: n, Chair: 1, Baud: 10_000_000})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- units.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done; units.Close() })
	dir := t.TempDir()
	c := config.Config{Listen: freePort(t), Data: dir, Socket: filepath.Join(dir, "s"),
		Sitting: config.Sitting{Body: "Rat", Mode: sitting.ModeChairGrants, Limit: 2, MaxLimit: 2, OpenAtStart: true},
		Hall:    config.Hall{Output: config.Playback{Device: "null"}},
		Desks:   []config.Desk{{Name: "saal", Dialect: "quinta", Port: units.Path()}}}
	for i := 1; i <= n; i++ {
		m := config.Member{ID: fmt.Sprintf("p%d", i), Name: fmt.Sprintf("Mitglied %d", i), Role: sitting.RoleMember, Seat: fmt.Sprint(i)}
		if i == 1 {
			m.Role = sitting.RoleChair
		}
		c.Members = append(c.Members, m)
		c.Desks[0].Seats = append(c.Desks[0].Seats, config.Seat{Seat: m.Seat, Unit: units.Key(i, "").ID})
	}
	return c, units
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// running starts an appliance and returns its control socket and a way to end it.
func running(t *testing.T, c config.Config) (*control.Client, func()) {
	t.Helper()
	_, ctl, end := started(t, c)
	return ctl, end
}

// started is for tests that look into it as well.
func started(t *testing.T, c config.Config) (*App, *control.Client, func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	a, err := New(ctx, c, slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	end := func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the appliance ended with %v", err)
		}
		a.Close()
	}
	return a, control.Dial(c.Socket), end
}

// eventually waits for another goroutine or a pseudo-terminal. The limit is for what never comes: a busy machine is slow.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not seen: %s", what)
		}
	}
}

func link(ctl *control.Client) sitting.Desk {
	st, err := ctl.Status(context.Background())
	if err != nil || len(st.Desks) == 0 {
		return sitting.Desk{}
	}
	return st.Desks[0]
}

func TestAFirstSitting(t *testing.T) {
	c, units := box(t, 3)
	ctl, end := running(t, c)
	defer end()
	eventually(t, "a live desk", func() bool { return link(ctl).Link == sitting.LinkLive })
	if err := units.Press(2, ""); err != nil {
		t.Fatal(err)
	}
	eventually(t, "seat 2 waits", func() bool { l, _ := ctl.Speakers(t.Context()); return len(l.Requests) == 1 })
	if _, err := ctl.Grant(t.Context(), "2"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "seat 2 is open", func() bool { return units.State()[1].Open })
	eventually(t, "and confirmed", func() bool {
		l, _ := ctl.Speakers(t.Context())
		return len(l.Speakers) == 1 && l.Speakers[0].Mic == sitting.MicOpen && len(l.Requests) == 0
	})
	if err := units.Press(2, ""); err != nil { // own key ends it
		t.Fatal(err)
	}
	eventually(t, "seat 2 has given the word back", func() bool { l, _ := ctl.Speakers(t.Context()); return len(l.Speakers) == 0 })
}

func TestDeskThatRefuses(t *testing.T) {
	c, units := box(t, 3)
	ctl, end := running(t, c)
	defer end()
	eventually(t, "a live desk", func() bool { return link(ctl).Link == sitting.LinkLive })
	if err := errors.Join(units.Refuse(2, true), units.Press(2, "")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "seat 2 waits", func() bool { l, _ := ctl.Speakers(t.Context()); return len(l.Requests) == 1 })
	if _, err := ctl.Grant(t.Context(), "2"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the fault is told and the request is back", func() bool {
		st, _ := ctl.Status(t.Context())
		l, _ := ctl.Speakers(t.Context())
		return len(st.Faults) == 1 && st.Faults[0].Reason != "" && len(l.Requests) == 1 && len(l.Speakers) == 0
	})
	if err := units.Refuse(2, false); err != nil {
		t.Fatal(err)
	}
	if _, err := ctl.Grant(t.Context(), "2"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second try works and the fault is gone", func() bool {
		st, _ := ctl.Status(t.Context())
		return units.State()[1].Open && len(st.Faults) == 0
	})
}

func TestLineHangsUpAndComesBack(t *testing.T) {
	c, units := box(t, 3)
	ctl, end := running(t, c)
	defer end()
	eventually(t, "a live desk", func() bool { return link(ctl).Link == sitting.LinkLive })
	if err := units.Press(2, ""); err != nil {
		t.Fatal(err)
	}
	eventually(t, "seat 2 waits", func() bool { l, _ := ctl.Speakers(t.Context()); return len(l.Requests) == 1 })
	if _, err := ctl.Grant(t.Context(), "2"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "seat 2 is open", func() bool { return units.State()[1].Open })
	if err := units.HangUp(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the lost line is told", func() bool { d := link(ctl); return d.Link != sitting.LinkLive && d.Reason != "" })
	if err := units.Return(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the desk is live and seat 2 open again", func() bool {
		l, _ := ctl.Speakers(t.Context())
		return units.State()[1].Open && len(l.Speakers) == 1 && l.Speakers[0].Mic == sitting.MicOpen
	})
}

// A unit that opened microphones by itself is brought to order when it stands in PC-controlled mode again.
func TestMicrophonesOpenWithoutTheWord(t *testing.T) {
	c, units := box(t, 4)
	ctl, end := running(t, c)
	defer end()
	eventually(t, "a live desk", func() bool { return link(ctl).Link == sitting.LinkLive })
	units.SetStandalone(true)
	for _, n := range []int{2, 3} {
		if err := units.Press(n, ""); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "a key opens its microphone by itself", func() bool { st := units.State(); return st[1].Presses+st[2].Presses == 2 })
	units.SetStandalone(false)
	if err := units.Press(4, ""); err != nil { // shows the driver that the host grants again
		t.Fatal(err)
	}
	eventually(t, "nobody is open without the word", func() bool {
		for _, u := range units.State() {
			if u.Open {
				return false
			}
		}
		return link(ctl).Link == sitting.LinkLive
	})
}

// Garbage on the line costs no press and no order.
func TestGarbageOnTheLine(t *testing.T) {
	c, units := box(t, 4)
	ctl, end := running(t, c)
	defer end()
	eventually(t, "a live desk", func() bool { return link(ctl).Link == sitting.LinkLive })
	units.Corrupt(6)
	for _, n := range []int{2, 3, 4} {
		if err := units.Press(n, ""); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all three wait", func() bool { l, _ := ctl.Speakers(t.Context()); return len(l.Requests) == 3 })
	if _, err := ctl.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "seat 2 is open", func() bool { return units.State()[1].Open })
}

// What is absent at the start is said and waited for; the sitting goes on without it.
func TestMissingDevices(t *testing.T) {
	c, _ := box(t, 3)
	c.Desks[0].Port = "/dev/serial/by-id/usb-nothing"
	c.Cameras = []config.Camera{{Name: "Totale", Device: "/dev/v4l/by-path/nothing", Shows: config.ShowsHall, Width: 640, Height: 360, FPS: 25, BitRate: 500_000}}
	ctl, end := running(t, c)
	defer end()
	eventually(t, "the missing line is named", func() bool {
		d := link(ctl)
		return d.Link == sitting.LinkDown && strings.Contains(d.Reason, "/dev/serial/by-id/usb-nothing")
	})
	eventually(t, "an open sitting", func() bool {
		st, err := ctl.Status(t.Context())
		return err == nil && st.Phase == sitting.PhaseOpen && st.Recorded
	})
}

func TestWhatCannotStartSaysWhy(t *testing.T) {
	c, _ := box(t, 2)
	taken, err := net.Listen("tcp", c.Listen)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), c, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), c.Listen) {
		t.Fatalf("port in use: %v", err)
	}
	taken.Close()
	wrong := c
	wrong.Hall.Output.Device = "speaker"
	if _, err := New(t.Context(), wrong, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "hall output") {
		t.Fatalf("unknown output: %v", err)
	}
	// Everything was rolled back: it starts now, and a second daemon on the same folder is refused.
	_, end := running(t, c)
	defer end()
	second := c
	second.Listen = freePort(t)
	if _, err := New(t.Context(), second, slog.New(slog.DiscardHandler)); !errors.Is(err, journal.ErrInUse) {
		t.Fatalf("second daemon: %v", err)
	}
}

// Who stops the daemon leaves closed microphones, or open ones if the configuration says so; the word is kept.
func TestMicrophonesAtTheEnd(t *testing.T) {
	for _, stop := range []string{config.StopClose, config.StopLeave} {
		t.Run(stop, func(t *testing.T) {
			c, units := box(t, 3)
			c.Desks[0].AtStop = stop
			ctl, end := running(t, c)
			eventually(t, "a live desk and an open sitting", func() bool {
				st, err := ctl.Status(t.Context())
				return err == nil && st.Phase == sitting.PhaseOpen && link(ctl).Link == sitting.LinkLive
			})
			if err := units.Press(2, ""); err != nil {
				t.Fatal(err)
			}
			eventually(t, "seat 2 waits", func() bool { l, _ := ctl.Speakers(t.Context()); return len(l.Requests) == 1 })
			if _, err := ctl.Grant(t.Context(), "2"); err != nil {
				t.Fatal(err)
			}
			eventually(t, "seat 2 is open", func() bool {
				l, _ := ctl.Speakers(t.Context())
				return units.State()[1].Open && len(l.Speakers) == 1 && l.Speakers[0].Mic == sitting.MicOpen
			})
			end()
			if open := units.State()[1].Open; open != (stop == config.StopLeave) {
				t.Errorf("open after the end: %v", open)
			}
			c.Listen = freePort(t)
			ctl, end = running(t, c)
			defer end()
			eventually(t, "seat 2 speaks again", func() bool {
				l, err := ctl.Speakers(t.Context())
				return err == nil && len(l.Speakers) == 1 && l.Speakers[0].Mic == sitting.MicOpen && units.State()[1].Open
			})
		})
	}
}

func TestTheSameSittingAfterARestart(t *testing.T) {
	c, units := box(t, 4)
	ctl, end := running(t, c)
	eventually(t, "a live desk", func() bool { return link(ctl).Link == sitting.LinkLive })
	for _, n := range []int{3, 2, 4} {
		if err := units.Press(n, ""); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "three wait", func() bool { l, _ := ctl.Speakers(t.Context()); return len(l.Requests) == 3 })
	if _, err := ctl.Grant(t.Context(), "3"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "seat 3 is open", func() bool { return units.State()[2].Open })
	end()
	c.Listen = freePort(t)
	ctl, end = running(t, c)
	defer end()
	eventually(t, "the same list and speaker", func() bool {
		l, err := ctl.Speakers(t.Context())
		return err == nil && len(l.Requests) == 2 && l.Requests[0].Seat == "2" && len(l.Speakers) == 1 && l.Speakers[0].Mic == sitting.MicOpen
	})
}
