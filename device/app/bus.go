package app

import (
	"context"
	"errors"
	"fmt"

	"plenum/device/stick"
	"plenum/device/update"
	"plenum/hal/sysbus"
)

// drives lets package stick reach UDisks2.
type drives struct{ bus *sysbus.Bus }

func (d drives) Volumes(ctx context.Context) ([]stick.Volume, error) {
	vs, err := d.bus.Volumes(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]stick.Volume, 0, len(vs))
	for _, v := range vs {
		out = append(out, stick.Volume{ID: v.ID, Device: v.Device, Label: v.Label, Filesystem: v.Filesystem, Drive: v.Drive, Serial: v.Serial, Size: v.Size, ReadOnly: v.ReadOnly})
	}
	return out, nil
}

func (d drives) Watch() (changed <-chan struct{}, stop func()) { return d.bus.Watch() }

func (d drives) Mount(ctx context.Context, id string, write bool) (string, error) {
	return d.bus.Mount(ctx, id, write)
}

func (d drives) Unmount(ctx context.Context, id string) error { return d.bus.Unmount(ctx, id) }

// installer lets package update reach RAUC.
type installer struct{ bus *sysbus.Bus }

func (i installer) Inspect(ctx context.Context, path string) (update.Bundle, error) {
	b, err := i.bus.Inspect(ctx, path)
	return update.Bundle{Compatible: b.Compatible, Version: b.Version, Description: b.Description, Build: b.Build}, ofUpdate(err)
}

func (i installer) Install(ctx context.Context, path string, told func(update.Progress)) error {
	return ofUpdate(i.bus.Install(ctx, path, func(p sysbus.Progress) { told(update.Progress{Percent: p.Percent, Step: p.Step}) }))
}

func (i installer) Slots(ctx context.Context) ([]update.Slot, error) {
	ss, err := i.bus.Slots(ctx)
	if err != nil {
		return nil, ofUpdate(err)
	}
	out := make([]update.Slot, 0, len(ss))
	for _, s := range ss {
		out = append(out, update.Slot{Name: s.Name, Bootname: s.Bootname, Booted: s.Booted, Good: s.Good, Version: s.Version,
			Installed: s.Installed, Activated: s.Activated})
	}
	return out, nil
}

func (i installer) Compatible(ctx context.Context) (string, error) {
	c, err := i.bus.Compatible(ctx)
	return c, ofUpdate(err)
}

func (i installer) Primary(ctx context.Context) (string, error) {
	name, err := i.bus.Primary(ctx)
	return name, ofUpdate(err)
}

// ofUpdate says the bus's errors in package update's words, keeping RAUC's own.
func ofUpdate(err error) error {
	for from, to := range map[error]error{sysbus.ErrAbsent: update.ErrAbsent, sysbus.ErrRefused: update.ErrRefused, sysbus.ErrGone: update.ErrGone, sysbus.ErrBusy: update.ErrBusy} {
		if errors.Is(err, from) {
			return fmt.Errorf("%w: %w", to, err)
		}
	}
	return err
}
