package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"plenum/device/health"
	"plenum/device/sitting"
	"plenum/hal/desk"
)

// testTime bounds one line of a self-test. A desk tells of its units one after the other, every 20 s.
const testTime = 21 * time.Second

// verdict is what a probe found. Both texts say the same, one for the chair, one for whoever reads no German.
type verdict struct {
	ok, left bool
	de, en   string
}

func good(de, en string) verdict { return verdict{ok: true, de: de, en: en} }
func poor(de, en string) verdict { return verdict{de: de, en: en} }
func left(de, en string) verdict { return verdict{left: true, de: de, en: en} }

// probe is one line of the self-test.
type probe struct {
	id, name string
	required bool
	run      func(ctx context.Context) verdict
}

// SelfTest tries everything the configuration names and says go or no go, one line each. It takes some seconds. While a
// sitting is open nothing is done that people would hear.
func (a *App) SelfTest(ctx context.Context) (health.Report, error) {
	if !a.testing.TryLock() {
		return health.Report{}, health.ErrTesting
	}
	defer a.testing.Unlock()
	report := health.Report{At: time.Now()}
	probes := a.probes()
	report.Checks = make([]health.Check, len(probes))
	var wg sync.WaitGroup
	for i, p := range probes {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, testTime)
			defer cancel()
			v := p.run(ctx)
			report.Checks[i] = health.Check{ID: p.id, Name: p.name, Required: p.required, OK: v.ok, Left: v.left, DE: v.de, EN: v.en, Took: time.Since(report.At)}
		})
	}
	wg.Wait()
	report.Judge()
	for _, c := range report.Checks {
		if !c.OK && !c.Left {
			a.log.Warn("self-test", "device", c.ID, "found", c.EN)
		}
	}
	a.log.Info("self-test", "go", report.Go, "took", time.Since(report.At).Round(time.Millisecond))
	return report, ctx.Err()
}

// startTest is the technician's button. Not while a sitting is open: nobody asked the chair.
func (a *App) startTest() {
	if a.state().Phase == sitting.PhaseOpen {
		a.log.Info("the self-test button was pressed in an open sitting and ignored")
		return
	}
	go func() {
		if _, err := a.SelfTest(context.Background()); err != nil {
			a.log.Info("the self-test button", "result", err)
		}
	}()
}

// probes are all lines, in the order of the board, and the box itself after them.
func (a *App) probes() []probe {
	var ps []probe
	for _, it := range a.board.List() {
		p := probe{id: it.ID, name: it.Name, required: it.Required}
		switch it.Kind {
		case health.Camera:
			p.run = func(ctx context.Context) verdict { return a.media.tryCamera(ctx, it) }
		case health.Microphone:
			p.run = func(ctx context.Context) verdict { return a.media.tryMicrophone(ctx) }
		case health.Output:
			p.run = func(ctx context.Context) verdict { return a.media.tryOutput(ctx, it, a.state().Phase) }
		case health.Desk:
			p.run = func(ctx context.Context) verdict { return a.tryDesk(ctx, it.Name) }
		case health.Lines:
			p.run = func(context.Context) verdict { return a.lines.try(it, a.clerk.Snapshot()) }
		case health.Record:
			p.run = a.tryRecord
		}
		ps = append(ps, p)
	}
	return append(ps,
		probe{id: "clock", name: "Uhr", required: true, run: func(context.Context) verdict { return tryClock(time.Now(), built(), a.clerk.Snapshot().At) }},
		probe{id: "disk", name: "Datenträger", required: true, run: func(context.Context) verdict { return tryDisk(a.cfg.Data) }})
}

// tryDesk asks the desk for its whole state and looks for every unit of the configuration. One that has just started may
// not have heard of all of them yet.
func (a *App) tryDesk(ctx context.Context, name string) verdict {
	i := slices.IndexFunc(a.desks, func(d *deskSystem) bool { return d.name == name })
	if i < 0 {
		return poor("unbekannt", "unknown")
	}
	for {
		v := a.desks[i].try(ctx)
		if v.ok {
			return v
		}
		select {
		case <-ctx.Done():
			return v
		case <-time.After(lookAgain):
		}
	}
}

// try looks once.
func (d *deskSystem) try(ctx context.Context) verdict {
	snap, err := d.driver.Snapshot(ctx)
	if err != nil {
		return poor("gibt keine Auskunft: "+err.Error(), "gives no answer: "+err.Error())
	}
	if snap.Link != desk.LinkLive && snap.Link != desk.LinkDegraded {
		return poor(fmt.Sprintf("nicht verbunden (%s)", snap.Link), fmt.Sprintf("not connected (%s)", snap.Link))
	}
	var missing []string
	for seat, key := range d.keys {
		if !isOnline(snap, key) {
			missing = append(missing, string(seat))
		}
	}
	online := len(d.keys) - len(missing)
	if len(missing) > 0 {
		list := strings.Join(sorted(missing), ", ")
		return poor(fmt.Sprintf("%d von %d antworten; es fehlen die Plätze %s", online, len(d.keys), list),
			fmt.Sprintf("%d of %d answer; missing are the seats %s", online, len(d.keys), list))
	}
	return good(fmt.Sprintf("alle %d antworten", online), fmt.Sprintf("all %d answer", online))
}
