package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"plenum/device/clerk"
	"plenum/device/config"
	"plenum/device/health"
	"plenum/device/sitting"
	"plenum/hal/line"
)

// lines translates between contacts, lamps and the sitting. It decides nothing.
//
// Every contact is claimed by itself, so that a lamp or key that is missing does not cost the fire contact. All lamps and
// relays are held together, by one guard process.
type lines struct {
	contacts []contact
	lamps    *line.Lines
	outputs  []config.Output
	board    *health.Board
	do       doer
	test     func() // starts a self-test
	log      *slog.Logger
}

type contact struct {
	config.Input
	line *line.Lines
}

func newLines(cfg config.Config, board *health.Board, do doer, test func(), log *slog.Logger) (*lines, error) {
	l := &lines{outputs: cfg.Outputs, board: board, do: do, test: test, log: log}
	for _, in := range cfg.Inputs {
		bias := map[string]line.Bias{"pull-up": line.BiasUp, "pull-down": line.BiasDown, "disabled": line.BiasDisabled}[in.Bias]
		one, err := line.New(line.Options{Log: log, Inputs: []line.Input{{Name: in.Name, Line: in.Line, ActiveLow: in.ActiveLow,
			Bias: bias, Debounce: ms(in.Debounce)}}})
		if err != nil {
			return nil, err
		}
		l.contacts = append(l.contacts, contact{in, one})
	}
	o := line.Options{Log: log}
	for _, out := range cfg.Outputs {
		o.Outputs = append(o.Outputs, line.Output{Name: out.Name, Line: out.Line, ActiveLow: out.ActiveLow, Safe: out.Safe})
	}
	var err error
	l.lamps, err = line.New(o)
	return l, err
}

// run keeps the lines claimed, hands contacts to the sitting and shows its state on the lamps.
func (l *lines) run(ctx context.Context, sup *supervisor, c *clerk.Clerk) {
	for _, in := range l.contacts {
		sup.keep(ctx, device{id: health.ID(health.Lines, in.Name), name: "contact " + in.Name, run: in.line.Run})
		sup.wg.Go(func() { l.listen(ctx, in) })
	}
	if len(l.outputs) == 0 {
		return
	}
	sup.keep(ctx, device{name: "lamps", run: func(ctx context.Context) error {
		err := l.lamps.Run(ctx)
		if ctx.Err() == nil && err != nil {
			for _, out := range l.outputs {
				l.board.Set(health.ID(health.Lines, out.Name), health.Lost, "", err.Error())
			}
		}
		return err
	}})
	sup.wg.Go(func() { l.show(ctx, c) })
}

// listen hands a contact to the sitting whenever it changed.
func (l *lines) listen(ctx context.Context, in contact) {
	known := false
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-in.line.Events():
			l.board.Set(health.ID(health.Lines, in.Name), health.Live, onOff(e.On, "on", "off"), "")
			l.pass(ctx, in, e, known)
			known = true
		}
	}
}

// pass translates one state of a contact. known: it is a change, and not the state in which the contact was found.
func (l *lines) pass(ctx context.Context, in contact, e line.Event, known bool) {
	ev := sitting.Event{At: e.At, Reason: e.Name}
	switch in.Does {
	case config.DoesAlarm:
		ev.Kind, ev.On = sitting.KindAlarm, e.On
	case config.DoesPriority:
		if !known && !e.On {
			return // nobody let it go
		}
		ev.Kind, ev.Priority = sitting.KindPriority, sitting.PriorityRelease
		if e.On {
			ev.Priority = sitting.PriorityHold
		}
	case config.DoesSelfTest:
		if e.On && known {
			l.test()
		}
		return
	}
	if err := l.do(ctx, ev); err != nil && !errors.Is(err, sitting.ErrNothingChanged) && ctx.Err() == nil {
		l.log.Warn("the sitting did not take a contact", "input", e.Name, "on", e.On, "reason", err)
	}
}

// lookAgain is how often lamps and relays are read back.
const lookAgain = time.Second

// show sets lamps and relays after every decision, and reads them back between.
func (l *lines) show(ctx context.Context, c *clerk.Clerk) {
	snaps, stop := c.Watch()
	defer stop()
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	shown := map[string]bool{}
	for {
		snap := c.Snapshot()
		for _, out := range l.outputs {
			want := wanted(out.Shows, snap)
			if was, set := shown[out.Name]; set && was == want {
				continue
			}
			// One that cannot be set now is on the board already, and set as soon as it is held again.
			if err := l.lamps.Set(out.Name, want); err != nil && !errors.Is(err, line.ErrDown) {
				l.log.Warn("a lamp or relay does not follow", "output", out.Name, "error", err)
				continue
			}
			shown[out.Name] = want
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			l.readBack(c.Snapshot(), shown)
		case _, ok := <-snaps:
			if !ok {
				return
			}
		}
	}
}

// readBack puts on the board what lamps and relays really show; one that differs is set again.
func (l *lines) readBack(snap clerk.Snapshot, shown map[string]bool) {
	state := l.lamps.Read()
	for _, out := range l.outputs {
		id := health.ID(health.Lines, out.Name)
		on, held := state[out.Name]
		switch {
		case !held: // the supervisor says why
		case on != wanted(out.Shows, snap):
			delete(shown, out.Name)
			l.board.Set(id, health.Degraded, onOff(on, "on", "off"), line.ErrReadback.Error())
		default:
			l.board.Set(id, health.Live, onOff(on, "on", "off"), "")
		}
	}
}

// wanted is what a lamp or relay shows of a sitting.
func wanted(shows string, snap clerk.Snapshot) bool {
	switch shows {
	case config.ShowsOnAir:
		return snap.State.OnAir()
	case config.ShowsRecording:
		return snap.State.Phase == sitting.PhaseOpen && snap.Recorded
	case config.ShowsMute:
		return !snap.State.OnAir()
	case config.ShowsAlarm:
		return snap.State.Alarm != nil
	}
	return false
}

func onOff(on bool, yes, no string) string {
	if on {
		return yes
	}
	return no
}

// try reads a contact, or compares a lamp with what it should show.
func (l *lines) try(it health.Item, snap clerk.Snapshot) verdict {
	for _, in := range l.contacts {
		if in.Name != it.Name {
			continue
		}
		on, known := in.line.Read()[it.Name]
		switch {
		case !known:
			return poor("nicht lesbar: "+it.Reason, "cannot be read: "+it.Reason)
		case on && in.Does == config.DoesAlarm:
			return poor("der Alarmkontakt meldet Alarm", "the alarm contact reports an alarm")
		}
		return good("gelesen: "+onOff(on, "ein", "aus"), "reads "+onOff(on, "on", "off"))
	}
	for _, out := range l.outputs {
		if out.Name != it.Name {
			continue
		}
		on, held := l.lamps.Read()[it.Name]
		want := wanted(out.Shows, snap)
		switch {
		case !held:
			return poor("nicht schaltbar: "+it.Reason, "cannot be switched: "+it.Reason)
		case on != want:
			return poor("steht auf "+onOff(on, "ein", "aus")+" statt "+onOff(want, "ein", "aus"),
				"reads "+onOff(on, "on", "off")+" instead of "+onOff(want, "on", "off"))
		}
		return good("zurückgelesen: "+onOff(on, "ein", "aus"), "reads back "+onOff(on, "on", "off"))
	}
	return poor("unbekannt", "unknown")
}
