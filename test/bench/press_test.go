package bench

import (
	"context"
	"fmt"
	"testing"
	"time"

	"plenum/device/config"
	"plenum/device/sitting"
	"plenum/hal/desk/sim"
)

const (
	desks    = 24
	realBaud = 57600 // Quinta's RS-232
)

// BenchmarkPressToEffect: from a pressed desk key to the desk carrying out the order that opens its microphone, first
// come, first served. Between: the line, the driver, the sitting, a commit on the disk, the driver, the line.
//
// limit-us is the same bytes echoed over a line of the same speed by another process, and one commit; wire-us what the
// bytes take at 57600 bit/s by calculation.
func BenchmarkPressToEffect(b *testing.B) {
	b.Run("wire=none", func(b *testing.B) { pressToEffect(b, 0) })
	b.Run("wire=57600", func(b *testing.B) { pressToEffect(b, realBaud) })
}

func pressToEffect(b *testing.B, baud int) {
	units := startDesks(b, baud)
	d := startDaemon(b, deskConfig(units))
	within(b, 30*time.Second, "all desks are there", func() bool { return d.present(b, "hall") == desks })
	l := newLimits(b, baud)
	changed, stop := units.Subscribe()
	defer stop()
	var took series
	unit := 1 // the chair's, who needs nobody's leave
	for b.Loop() {
		unit = unit%desks + 1
		if unit == 1 {
			unit = 2
		}
		took.add(press(b, units.Sim, changed, unit))
		within(b, 5*time.Second, "the sitting knows of the open microphone", func() bool { return d.speaker(b) == string(sitting.MicOpen) })
		if err := units.Press(unit, ""); err != nil {
			b.Fatal(err)
		}
		within(b, 5*time.Second, "the sitting knows of the closed microphone", func() bool { return d.speaker(b) == "" })
		if baud > 0 {
			time.Sleep(onWire(512, baud)) // the repeated reports have passed, the line is free
		}
		l.measure(b)
	}
	limit := l.lines.median() + l.commits.median()
	onlyOurs(b)
	took.report(b, "")
	b.ReportMetric(micros(limit), "limit-us")
	b.ReportMetric(micros(l.lines.median()), "limit-pty-us")
	b.ReportMetric(micros(l.commits.median()), "limit-commit-us")
	if baud > 0 {
		b.ReportMetric(micros(onWire(pressBytes+orderBytes, baud)), "wire-us")
		b.ReportMetric(micros(took.median()-onWire(pressBytes+orderBytes, baud)), "software-p50-us")
	}
	b.ReportMetric(float64(took.median())/float64(limit), "x-limit")
	b.ReportMetric(float64(len(took)), "presses")
}

// press gives the time until the microphone is open.
func press(b *testing.B, units *sim.Sim, changed <-chan struct{}, unit int) time.Duration {
	b.Helper()
	began := time.Now()
	if err := units.Press(unit, ""); err != nil {
		b.Fatal(err)
	}
	patience := time.NewTimer(5 * time.Second)
	defer patience.Stop()
	for {
		select {
		case <-changed:
			at := time.Since(began)
			if units.State()[unit-1].Open {
				return at
			}
		case <-patience.C:
			b.Fatalf("the microphone of unit %d does not open", unit)
		}
	}
}

// startDesks puts a hall of desks on a line; baud 0 makes it as fast as the machine is.
func startDesks(b *testing.B, baud int) *deskLine {
	b.Helper()
	line := newCable(b, baud)
	s, err := sim.New(sim.Options{Units: desks, Chair: 1, Baud: 1_000_000_000, Status: 5 * time.Second, Wire: line})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	return &deskLine{Sim: s, path: line.Path()}
}

// deskLine is the desks and where a driver finds them.
type deskLine struct {
	*sim.Sim
	path string
}

func deskConfig(units *deskLine) config.Config {
	c := config.Config{Sitting: config.Sitting{Mode: sitting.ModeFirstCome, Limit: 1, MaxLimit: 4}}
	d := config.Desk{Name: "saal", Dialect: "quinta", Port: units.path}
	for n := 1; n <= desks; n++ {
		m := config.Member{ID: fmt.Sprintf("p%d", n), Name: fmt.Sprintf("Member %d", n), Seat: fmt.Sprint(n), Role: sitting.RoleMember}
		if n == 1 {
			m.Role = sitting.RoleChair
		}
		c.Members = append(c.Members, m)
		d.Seats = append(d.Seats, config.Seat{Seat: m.Seat, Unit: units.Key(n, "").ID})
	}
	c.Desks = []config.Desk{d}
	return c
}
