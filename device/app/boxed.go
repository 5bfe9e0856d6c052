package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"plenum/device/access"
	"plenum/device/diag"
	"plenum/device/journal"
	"plenum/device/service"
	"plenum/device/setup"
	"plenum/device/sitting"
	"plenum/device/stick"
	"plenum/device/update"
	"plenum/hal/sysbus"
	"plenum/hal/usb"
)

// boxed is the appliance at work: what the daemon does for the machine it runs on.
type boxed struct {
	Box
	fault   error // what is wrong with the configuration file; nil: nothing
	app     *App
	log     *slog.Logger
	release release
	slot    string // "A" or "B"; empty: the kernel does not say

	bus       *sysbus.Bus
	notify    *sysbus.Notifier
	owner     *access.Owner
	updates   *update.Updater
	setups    *setup.Setup
	diagnosis *diag.Diag
	sticks    *stick.Watcher
	service   *service.Service
	changed   *nudge // owner's PIN, updates: what a sitting may not open without

	lock func() // releases what keeps the power on; nil: nothing does. keepPower's own
}

// Units that the daemon may start, and what they do (systemd/).
const (
	usbUnit   = "plenum-usb.service"   // applies the USB policy anew
	resetUnit = "plenum-reset.service" // marks the data partition to be wiped, and restarts
)

// beforeName is the journal as it was before a version on trial opened it.
const beforeName = "journal.before.db"

// open makes what has to be there before the journal is opened.
func (b *boxed) open(ctx context.Context, a *App) error {
	b.app, b.log, b.changed = a, a.log, newNudge()
	var err error
	if b.release, err = readRelease(b.Release); err != nil {
		b.log.Warn("the image says nothing of itself", "error", err)
	}
	b.slot = slotOf(b.Cmdline)
	b.bus = sysbus.New(sysbus.Options{Address: b.Bus, Mountinfo: b.Mountinfo, Sys: b.Sys, Log: b.log})
	b.notify = sysbus.Notify()
	for _, dir := range []string{b.State, b.updateDir(), b.kept(), b.crashes()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("making the box's folders: %w", err)
		}
	}
	if b.owner, err = access.OpenOwner(b.State, access.Options{Hash: b.PINs, Log: b.log}); err != nil {
		return fmt.Errorf("reading the owner's PIN: %w", err)
	}
	b.updates = update.New(update.Options{
		Installer: installer{b.bus}, Dir: b.updateDir(), Live: a.before, Allowed: a.closed, Reboot: b.Restart, Good: b.good, Log: b.log,
		Release: update.Release{Version: b.release.version, Compatible: b.release.compatible, Slot: b.slot},
	})
	if _, trial := b.updates.Trial(); trial {
		if err := journal.Save(ctx, a.cfg.Data, b.journalBefore()); err != nil {
			return fmt.Errorf("a new version is on trial: %w", err)
		}
	}
	return nil
}

// good reports whether this boot was marked good. RAUC cannot say so of every boot loader: with U-Boot a slot counts as
// good while it has tries left.
func (b *boxed) good(context.Context) (bool, error) {
	_, err := os.Stat(b.Good)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (b *boxed) journalBefore() string { return filepath.Join(b.updateDir(), beforeName) }
func (b *boxed) certificates() string  { return filepath.Join(b.etc(), "tls") }

// older puts the journal of before a failed update back when that update left one which we cannot read.
func (b *boxed) older(ctx context.Context, err error) error {
	if _, trial := b.updates.Trial(); trial || !errors.Is(err, journal.ErrNewer) {
		return err
	}
	if back := journal.Restore(ctx, b.app.cfg.Data, b.journalBefore()); errors.Is(back, fs.ErrNotExist) {
		return err
	} else if back != nil {
		return errors.Join(err, back)
	}
	b.log.Warn("a newer version left a journal that this one cannot read; the one from before it is in force again")
	return nil
}

// join makes the technician's room, when everything it joins is there.
func (b *boxed) join(a *App) error {
	b.setups = setup.New(setup.Options{Dir: b.etc(), Data: a.cfg.Data, Socket: a.cfg.Socket, Allowed: a.idle,
		Hostname: b.bus.SetHostname, Network: b.bus.ReloadNetwork, Restart: a.restart, Log: b.log,
		USB: func(ctx context.Context) error { return b.bus.StartUnit(ctx, usbUnit) }})
	b.diagnosis = b.newDiagnosis(a)
	b.sticks = stick.New(stick.Options{Mounter: drives{b.bus}, Quiet: a.sitting, Dir: filepath.Join(b.State, "sticks"), Log: b.log, Handlers: map[stick.Kind]stick.Handler{
		stick.Update: b.updates, stick.Setup: setupSticks{b.setups, b.log}, stick.Diagnosis: diagSticks{b.diagnosis, b.log},
	}})
	var err error
	b.service, err = service.New(service.Options{
		Owner: b.owner, Sticks: b.sticks, Updates: b.updates, Setup: b.setups, Diagnosis: b.diagnosis, Conditions: a.named, System: b,
		Open: a.sitting, Log: b.log, Release: service.Release{Version: b.release.version, Build: b.release.build, Slot: b.slot,
			Compatible: b.release.compatible, Support: b.release.support}, Changed: b.changed.give,
	})
	return err
}

// run keeps the box's own parts going.
func (b *boxed) run(ctx context.Context, vital func(string, func(context.Context) error)) {
	for name, run := range map[string]func(context.Context) error{
		"metrics": b.metrics, "system bus": b.bus.Run, "updates": b.updates.Run, "USB sticks": b.sticks.Run, "technician's room": b.service.Run,
		"box": b.watch, "slots": b.spare, "power": b.keepPower, "start": b.ready, "watchdog": b.feed,
	} {
		vital(name, run)
	}
}

// items are what no sitting opens without on this box, whoever wants it.
func (b *boxed) items() []sitting.Item {
	owner := sitting.Item{ID: "box/owner", Name: "PIN des Eigentümers", Required: true, Firm: true}
	if !b.owner.HasPIN() {
		owner.Red, owner.Reason = true, "set the owner's PIN at the box's own panel"
	}
	version := sitting.Item{ID: "box/update", Name: "Update", Required: true, Firm: true}
	if _, trial := b.updates.Trial(); trial {
		version.Red, version.Reason = true, "the new version is on trial for a moment more"
	} else if b.updates.Busy() {
		version.Red, version.Reason = true, "an update is being installed"
	}
	return []sitting.Item{owner, version}
}

// synchronised tells whether a time server sets the clock.
func (b *boxed) synchronised(ctx context.Context) (known, yes bool) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	c, err := b.bus.Clock(ctx)
	return err == nil, c.Synchronized
}

// Restart implements service.System.
func (b *boxed) Restart(ctx context.Context) error { return b.bus.Reboot(ctx) }

// Technician implements service.System: the file is what udev's rule looks at.
func (b *boxed) Technician(ctx context.Context, on bool) error {
	var err error
	if on {
		err = os.WriteFile(b.Box.Technician, nil, 0o644)
	} else if err = os.Remove(b.Box.Technician); errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("technician mode: %w", err)
	}
	if err := b.bus.StartUnit(ctx, usbUnit); err != nil {
		if on { // nobody is told that it is on, so what is plugged in next is not let in
			err = errors.Join(err, os.Remove(b.Box.Technician))
		}
		return fmt.Errorf("technician mode: %w", ofService(err))
	}
	return nil
}

// Reset implements service.System.
func (b *boxed) Reset(ctx context.Context) error { return ofService(b.bus.StartUnit(ctx, resetUnit)) }

// Name implements service.System.
func (b *boxed) Name() string {
	name, err := os.Hostname()
	if err != nil {
		return "plenum"
	}
	return name
}

// Refused implements service.System.
func (b *boxed) Refused() []service.Refused {
	devices, err := usb.Refused(b.Sys)
	if err != nil {
		b.log.Debug("USB devices cannot be listed", "error", err)
	}
	var out []service.Refused
	for _, d := range devices {
		out = append(out, service.Refused{Name: d.Name, IDs: d.IDs, Classes: d.Classes})
	}
	return out
}

// setupSticks lets package stick hand over to package setup.
type setupSticks struct {
	*setup.Setup
	log *slog.Logger
}

func (s setupSticks) Insert(ctx context.Context, m stick.Medium) {
	if err := s.Setup.Insert(ctx, setup.Medium{ID: m.ID, Label: m.Label, Path: m.Path, ReadOnly: m.ReadOnly, Checked: m.Checked}); err != nil {
		s.log.Error("a setup stick", "error", err)
	}
}

// ofService says the bus's errors in the technician's words.
func ofService(err error) error {
	if errors.Is(err, sysbus.ErrAbsent) {
		return errors.Join(service.ErrAbsent, err)
	}
	return err
}
