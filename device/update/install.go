package update

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"
)

const (
	// limit is how long an installation may take before it counts as failed. RAUC may still finish: then it counts.
	limit = 30 * time.Minute
	// lag is how long after RAUC's read error it may take until the drive is known to be gone.
	lag = 3 * time.Second
)

// Install begins to install the bundle that is offered, and returns. How far it is, View says. Somebody must have the
// right to ask for it; that is the caller's to know.
func (u *Updater) Install(ctx context.Context) error {
	m, err := u.choose()
	if err != nil {
		return err
	}
	// Busy is true before Allowed is asked: a sitting that is being opened at the same moment meets one or the other.
	err = u.opt.Allowed()
	if err == nil {
		select {
		case u.jobs <- m:
			return nil
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.phase, u.chosen = Idle, nil
	u.tell()
	return fmt.Errorf("installing the update: %w", err)
}

// choose takes the one medium that is offered.
func (u *Updater) choose() (*medium, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch u.phase {
	case Installing, Rebooting:
		return nil, ErrBusy
	case Installed:
		return nil, ErrInstalled
	}
	offers := u.offers()
	switch {
	case u.trial != nil && u.unsure:
		return nil, ErrUnproven
	case len(offers) == 0:
		return nil, ErrNothing
	case len(offers) > 1:
		return nil, ErrTwo
	}
	u.phase, u.reason, u.chosen, u.percent, u.step = Installing, "", offers[0], 0, ""
	u.tell()
	return offers[0], nil
}

// install carries one installation out. Whatever happens, the truth is found afterwards by what RAUC then says.
func (u *Updater) install(ctx context.Context, m *medium) {
	u.log.Info("installing an update", "file", m.file, "version", m.bundle.Version, "from", u.opt.Release.Version)
	err := u.begin(ctx, m)
	if err == nil {
		err = u.write(ctx, m)
	}
	if ctx.Err() != nil {
		return // the daemon ends; trial.json stays for its next life
	}
	if err != nil {
		u.fail(ctx, m, err)
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	t := *u.trial
	t.State = StageInstalled
	u.revise(t)
	u.phase, u.unsure, u.percent = Installed, false, 100
	u.log.Info("update installed, waiting for a restart", "version", t.Version, "slot", t.ToSlot)
	u.tell()
}

// errChanged says that the stick does not hold what was offered.
var errChanged = errors.New("the bundle is not the one that was offered")

// begin checks that the bundle is still the one that was offered, and notes what is about to happen.
func (u *Updater) begin(ctx context.Context, m *medium) error {
	info, err := os.Stat(m.path)
	if err != nil {
		return fmt.Errorf("looking at the bundle again: %w", err)
	}
	now := &medium{path: m.path}
	if err := u.inspect(ctx, now); err != nil {
		return err
	}
	if info.Size() != m.size || now.bundle != m.bundle || u.weigh(now) != "" {
		return errChanged
	}
	slots, err := u.opt.Installer.Slots(ctx)
	if err != nil {
		return fmt.Errorf("asking for the slots: %w", err)
	}
	i := slices.IndexFunc(slots, func(s Slot) bool { return s.Bootname != "" && s.Bootname != u.opt.Release.Slot })
	if i < 0 || u.opt.Release.Slot == "" {
		return errNoSlot
	}
	t := Trial{
		State: StageInstalling, Version: m.bundle.Version, FromVersion: u.opt.Release.Version, FromSlot: u.opt.Release.Slot,
		ToSlot: slots[i].Bootname, At: time.Now().UTC(), Live: slices.Sorted(slices.Values(u.opt.Live())), Activated: slots[i].Activated,
	}
	if err := u.put(trialFile, t); err != nil {
		return fmt.Errorf("%w: %w", errNote, err)
	}
	u.mu.Lock()
	u.trial, u.unsure, u.own = &t, true, true
	u.mu.Unlock()
	return nil
}

var (
	errNoSlot = errors.New("there is no second slot to install into")
	errNote   = errors.New("what is about to happen cannot be noted")
)

// write has RAUC write the other slot.
func (u *Updater) write(ctx context.Context, m *medium) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := u.opt.Installer.Install(ctx, m.path, func(p Progress) {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.percent, u.step = min(max(u.percent, p.Percent), 100), p.Step
		u.tell()
	})
	if err != nil {
		return fmt.Errorf("installing the bundle: %w", err)
	}
	return nil
}

// fail says why an installation failed, and has it judged by what RAUC says now.
func (u *Updater) fail(ctx context.Context, m *medium, err error) {
	r := broken(err)
	if r == Damaged || r == Trouble || r == Gone {
		select {
		case <-m.ctx.Done():
		case <-time.After(lag):
		}
		if m.pulled() {
			r = Gone
		}
	}
	u.log.Error("the update was not installed", "reason", r, "error", err)
	if ctx.Err() != nil {
		return
	}
	u.mu.Lock()
	u.phase, u.reason, u.chosen = Failed, r, m
	if u.trial == nil {
		// Nothing began. What was written of it, if anything, says what is not so.
		if err := u.disk.remove(trialFile); err != nil {
			u.log.Error("cannot remove the note of an installation that did not begin", "error", err)
			u.unkept = true
		}
	}
	u.tell()
	u.mu.Unlock()
	u.settle(ctx)
}

// Reboot restarts the box into the version that is installed.
func (u *Updater) Reboot(ctx context.Context) error {
	u.mu.Lock()
	if u.phase != Installed {
		u.mu.Unlock()
		return ErrNotReady
	}
	u.phase = Rebooting
	u.tell()
	u.mu.Unlock()
	err := u.opt.Allowed()
	if err == nil {
		err = u.opt.Reboot(ctx)
	}
	if err == nil {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.phase = Installed
	u.tell()
	return fmt.Errorf("restarting into the update: %w", err)
}

// full reports whether a disk takes nothing more.
func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EROFS)
}
