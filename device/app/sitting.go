package app

import (
	"context"
	"errors"
	"fmt"

	"plenum/device/config"
	"plenum/device/sitting"
	"plenum/hal/desk"
	"plenum/hal/desk/quinta"
	"plenum/hal/port"

	"log/slog"
)

// newDriver makes the driver of a desk system.
func newDriver(c config.Desk, log *slog.Logger) (desk.Driver, error) {
	switch c.Dialect {
	case "quinta":
		settings, err := port.ParseSettings(c.Line, quinta.Settings())
		if err != nil {
			return nil, fmt.Errorf("desk %s: line: %w", c.Name, err)
		}
		return quinta.New(quinta.Options{Name: c.Name, Port: c.Port, Line: settings,
			LeaveOpen: c.AtStop == config.StopLeave, Log: log}), nil
	}
	return nil, fmt.Errorf("desk %s: there is no driver for the dialect %q", c.Name, c.Dialect)
}

func (a *App) state() sitting.State { return a.clerk.Snapshot().State }

// report takes what the box itself noticed into the sitting.
func (a *App) report(ctx context.Context, e sitting.Event) error {
	e.By = sitting.Actor{Role: sitting.RoleBox}
	_, err := a.clerk.Do(ctx, "", e)
	return err
}

// begin brings a sitting restored from the journal in line with the present: the roster of the configuration, no desk
// and no remote member connected yet. What they had stays theirs: they come back by themselves.
func (a *App) begin(ctx context.Context) error {
	s := a.cfg.Sitting
	events := []sitting.Event{{Kind: sitting.KindRoster, Body: s.Body, Roster: a.cfg.Roster(), Mode: s.Mode, Limit: s.Limit, MaxLimit: s.MaxLimit}}
	for _, p := range a.state().Roster {
		if p.Leg != (sitting.Leg{}) {
			events = append(events, sitting.Event{Kind: sitting.KindLeg, Person: p.ID, Leg: &sitting.Leg{}})
		}
	}
	for _, d := range a.cfg.Desks {
		events = append(events, sitting.Event{Kind: sitting.KindDesk,
			Desk: &sitting.Desk{Name: d.Name, Link: sitting.LinkConnecting}})
	}
	events = append(events, sitting.Event{Kind: sitting.KindItems, Items: a.items()})
	if a.box != nil { // the list keeps what was known of an item; what the box itself wants holds from the first moment
		for _, it := range a.box.items() {
			events = append(events, sitting.Event{Kind: sitting.KindItem, Item: &it})
		}
	}
	for _, e := range events {
		err := a.report(ctx, e)
		// A person who left the roster is unknown by now.
		if err != nil && !errors.Is(err, sitting.ErrNothingChanged) && !errors.Is(err, sitting.ErrUnknownPerson) {
			return fmt.Errorf("starting the sitting (%s): %w", e.Kind, err)
		}
	}
	return nil
}

// carryOut hands effects to the devices. It runs in the clerk's goroutine after the commit and blocks on nothing.
func (a *App) carryOut(_ uint64, es []sitting.Effect) {
	for _, e := range es {
		switch e.Kind {
		case sitting.EffectMic, sitting.EffectLamp:
			for _, d := range a.desks {
				if d.serves(e.Seat) {
					d.order(e)
				}
			}
		case sitting.EffectCarry:
			a.media.carry(string(e.Person), e.On)
		case sitting.EffectTransmit:
			a.media.stage.Transmit(e.On)
		case sitting.EffectStage:
			a.media.show(*e.Source, a.state())
		}
	}
	a.media.seats(a.state())
}
