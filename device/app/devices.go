package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"plenum/device/health"
	"plenum/device/sitting"
	"plenum/hal/uevent"
)

// addDevices puts up everything the configuration names, before anything is tried.
func (a *App) addDevices() {
	for _, c := range a.cfg.Cameras {
		a.board.Add(health.Camera, c.Name, c.Device, c.Required)
	}
	if mic := a.cfg.Hall.Microphone; mic.Device != "" {
		a.board.Add(health.Microphone, hallName, mic.Device, mic.Required)
	}
	if out := a.cfg.Hall.Output; out.Device != "null" {
		a.board.Add(health.Output, hallName, out.Device, out.Required)
	}
	for _, d := range a.cfg.Desks {
		a.board.Add(health.Desk, d.Name, d.Port, d.Required)
	}
	for _, in := range a.cfg.Inputs {
		a.board.Add(health.Lines, in.Name, in.Line, in.Required)
	}
	for _, out := range a.cfg.Outputs {
		a.board.Add(health.Lines, out.Name, out.Line, out.Required)
	}
	// What is decided and not written down is worth nothing afterwards (B18).
	a.board.Add(health.Record, recordName, a.cfg.Data, true)
}

// Names of devices that the configuration does not name.
const (
	hallName   = "Saal"
	recordName = "Protokoll"
)

// items are the devices as the sitting knows them.
func (a *App) items() []sitting.Item {
	var items []sitting.Item
	for _, it := range a.board.List() {
		item := sitting.Item{ID: it.ID, Name: title(it), Required: it.Required, Red: it.State.Red()}
		if item.Red { // how a working device is not at its best changes by the second, and stands on the board
			item.Reason = it.Reason
		}
		items = append(items, item)
	}
	if a.box != nil {
		items = append(items, a.box.items()...)
	}
	return items
}

// title is what people call a device.
func title(it health.Item) string {
	kind := map[health.Kind]string{health.Camera: "Kamera", health.Microphone: "Mikrofone", health.Output: "Lautsprecher",
		health.Desk: "Sprechstellen", health.Lines: "Leitung"}[it.Kind]
	if kind == "" {
		return it.Name
	}
	return kind + " " + it.Name
}

const (
	settle   = 200 * time.Millisecond // of the board, before the sitting is told
	patience = 5 * time.Second        // with a slow disk, before it counts as broken
)

// follow tells the sitting what changed on the board, and opens it at the start when the configuration wants that and
// nothing required is red.
func (a *App) follow(ctx context.Context) error {
	changed, stop := a.board.Watch()
	defer stop()
	told := map[string]sitting.Item{}
	opening := a.cfg.Sitting.OpenAtStart
	box := a.boxChanges()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-box:
		}
		if !opening { // what goes and comes within a moment is one change for the record, or none
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(settle):
			}
		}
		box = a.boxChanges() // before it is looked at: what changes meanwhile is seen by the next round
		red := false
		for _, it := range a.items() {
			red = red || it.Required && it.Red
			if told[it.ID] == it {
				continue
			}
			told[it.ID] = it
			if err := a.report(ctx, sitting.Event{Kind: sitting.KindItem, Item: &it}); err != nil && !errors.Is(err, sitting.ErrNothingChanged) {
				a.log.Error("the sitting was not told of a device", "device", it.ID, "error", err)
				delete(told, it.ID)
			}
		}
		if opening && !red {
			opening = false
			if err := a.open(ctx); err != nil {
				a.log.Warn("the sitting does not open by itself", "error", err)
			}
		}
	}
}

// boxChanges ends with the next change of what the box itself makes a sitting wait for; nil: there is nothing.
func (a *App) boxChanges() <-chan struct{} {
	if a.box == nil {
		return nil
	}
	return a.box.changed.next()
}

// open opens a sitting when none was open.
func (a *App) open(ctx context.Context) error {
	if a.state().Phase != sitting.PhaseReady {
		return nil
	}
	err := a.report(ctx, sitting.Event{Kind: sitting.KindOpen})
	if errors.Is(err, sitting.ErrAlreadyOpen) {
		return nil
	}
	return err
}

// watchRecord notes whether what is decided is on the disk. A disk that is slow for a moment is on every screen at once;
// here it counts when it stays so, for each change here is one more thing to write.
func (a *App) watchRecord(ctx context.Context) error {
	snaps, stop := a.clerk.Watch()
	defer stop()
	id := health.ID(health.Record, recordName)
	late := time.NewTimer(0)
	defer late.Stop()
	written := true
	for {
		if now := a.clerk.Snapshot().Recorded; now != written {
			written = now
			late.Reset(patience)
		}
		if written {
			a.board.Set(id, health.Live, "", "")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
			if !written {
				a.board.Set(id, health.Lost, "", "the journal cannot be written: is the disk full or broken? (see the log)")
			}
		case _, ok := <-snaps:
			if !ok {
				return nil
			}
		}
	}
}

// plugs wakes all who wait for a device when the kernel reports one.
func (a *App) plugs(ctx context.Context) error {
	m, err := uevent.New()
	if err != nil {
		return fmt.Errorf("listening for plugs: %w", err)
	}
	events, stop := m.Subscribe()
	defer stop()
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	for {
		select {
		case err := <-done:
			return err
		case e := <-events:
			if e.Lost || slices.Contains([]string{"video4linux", "sound", "tty", "gpio", "usb", "usb-serial"}, e.Subsystem) {
				a.log.Debug("plug", "action", e.Action, "subsystem", e.Subsystem, "device", cmp.Or(e.DevName, e.DevPath))
				a.plugged.give()
			}
		}
	}
}

// List is the devices as they are now.
func (a *App) List() []health.Item { return a.board.List() }
