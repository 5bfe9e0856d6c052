package update

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/mod/semver"
)

// settle finds out what became of an installation whose end nobody has judged yet. It asks what is, not what was
// planned: which slot runs, which one is next, and what RAUC noted. As long as RAUC does not answer nothing is said.
func (u *Updater) settle(ctx context.Context) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.unkept {
		u.keep()
	}
	switch {
	case u.trial == nil && u.last != nil && u.last.Result == Updated && u.last.Trial.ToSlot != u.opt.Release.Slot &&
		semver.Compare("v"+u.opt.Release.Version, "v"+u.last.Version) < 0:
		u.relapsed()
	case u.trial == nil || !u.unsure:
	case u.trying():
		u.prove(ctx)
	case u.trial.ToSlot == u.opt.Release.Slot:
		// Nothing was written, and the boot loader has left the slot that ran for the other one, as it does when the
		// power is cut before a start is marked good. What runs here is what was there before.
		u.conclude(Interrupted)
	case u.trial.FromSlot == u.opt.Release.Slot:
		u.trace(ctx)
	default:
		u.log.Warn("the box runs from a slot that the last installation knows nothing of", "slot", u.opt.Release.Slot)
		u.conclude("")
	}
}

// trying reports whether the version that runs is the one that was installed last, and is not judged yet. The lock is
// held.
func (u *Updater) trying() bool {
	return u.trial != nil && u.trial.ToSlot == u.opt.Release.Slot && same(u.trial.Version, u.opt.Release.Version)
}

func same(a, b string) bool {
	return a == b || semver.IsValid("v"+a) && semver.Compare("v"+a, "v"+b) == 0
}

// prove is for the new version: it is on trial until it was marked good.
func (u *Updater) prove(ctx context.Context) {
	if u.trial.State != StageTrial {
		t := *u.trial
		t.State = StageTrial
		u.revise(t)
	}
	good, ok := u.good(ctx)
	if ok && good {
		u.conclude(Updated)
	}
}

// good asks whether this start was marked good. The lock is held, and let go of meanwhile.
func (u *Updater) good(ctx context.Context) (good, ok bool) {
	u.mu.Unlock()
	defer u.mu.Lock()
	ctx, cancel := context.WithTimeout(ctx, patient)
	defer cancel()
	if u.opt.Good != nil {
		good, err := u.opt.Good(ctx)
		return good, u.heard(err)
	}
	slots, err := u.opt.Installer.Slots(ctx)
	if !u.heard(err) {
		return false, false
	}
	i := slices.IndexFunc(slots, func(s Slot) bool { return s.Bootname == u.opt.Release.Slot })
	return i >= 0 && slots[i].Good, true
}

// trace is for the old version: was the new one never finished, is it still to come, or was it tried in vain?
func (u *Updater) trace(ctx context.Context) {
	t := *u.trial
	if t.State == StageTrial {
		u.conclude(WentBack)
		return
	}
	next, to, ok := u.evidence(ctx, t.ToSlot)
	activated := !to.Activated.Equal(t.Activated)
	switch {
	case !ok:
	case next == t.ToSlot && (activated || same(to.Version, t.Version)):
		// The other slot may also be next with what was in it before: as long as this start is not marked good.
		t.State = StageInstalled
		u.revise(t)
		u.phase, u.unsure, u.percent = Installed, false, 100
		u.tell()
	case u.own:
		u.conclude("") // people were told when it failed
	case t.State == StageInstalled || activated:
		u.conclude(WentBack)
	default:
		u.conclude(Interrupted)
	}
}

// evidence asks RAUC for the boot name of the slot that is next, and for what it noted of the target. The lock is held,
// and let go of meanwhile.
func (u *Updater) evidence(ctx context.Context, target string) (next string, to Slot, ok bool) {
	u.mu.Unlock()
	defer u.mu.Lock()
	// RAUC serves a question to its end, also one that nobody waits for any more: whoever asks again too early only makes
	// the queue longer, until nothing is answered in time.
	ctx, cancel := context.WithTimeout(ctx, patient)
	defer cancel()
	primary := ""
	slots, err := u.opt.Installer.Slots(ctx)
	if err == nil {
		primary, err = u.opt.Installer.Primary(ctx)
	}
	if !u.heard(err) {
		return "", Slot{}, false
	}
	for _, s := range slots {
		if s.Name == primary {
			next = s.Bootname
		}
		if s.Bootname == target {
			to = s
		}
	}
	return next, to, true
}

// heard logs an error of RAUC's once, and reports whether there is none.
func (u *Updater) heard(err error) bool {
	said := ""
	if err != nil {
		said = err.Error()
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if said != "" && said != u.said {
		u.log.Warn("what became of the last installation cannot be told yet", "error", err)
	}
	u.said = said
	return err == nil
}

// revise changes trial.json. What cannot be written is tried again; the truth is found without it, only later.
func (u *Updater) revise(t Trial) {
	u.trial = &t
	u.keep()
}

// conclude ends a trial with a result; none is for what people know already.
func (u *Updater) conclude(r Result) {
	t := *u.trial
	if r != "" && (u.last == nil || !u.last.Trial.At.Equal(t.At) || u.last.Result != r) {
		from := t.FromVersion
		if r != Updated {
			from = u.opt.Release.Version
		}
		u.log.Info("judged the last installation", "result", r, "version", t.Version, "from", from)
		u.last = &record{Outcome: Outcome{Result: r, Version: t.Version, From: from, At: time.Now().UTC()}, Trial: t}
	}
	u.trial, u.unsure, u.own = nil, false, false
	u.keep()
	u.tell()
}

// relapsed is for a version that had been marked good, and that the boot loader has left since.
func (u *Updater) relapsed() {
	u.log.Warn("the box has gone back to an older version", "from", u.last.Version, "to", u.opt.Release.Version)
	r := *u.last
	r.Result, r.Late, r.Seen, r.From, r.At = WentBack, true, false, u.opt.Release.Version, time.Now().UTC()
	u.last = &r
	u.keep()
	u.tell()
}

// keep writes what is known, the outcome before the trial it was made of goes: a power cut between the two only means
// that the same is found out again.
func (u *Updater) keep() {
	u.unkept = false
	if err := u.save(); err != nil {
		u.unkept = true
		u.log.Error("cannot keep what became of the last installation, trying again", "error", err)
	}
}

func (u *Updater) save() error {
	if u.last != nil {
		r := *u.last
		text := outcome(&r)
		r.DE, r.EN = text.de, text.en
		if err := u.put(lastFile, r); err != nil {
			return err
		}
	}
	if u.trial != nil {
		return u.put(trialFile, u.trial)
	}
	if err := u.disk.remove(trialFile); err != nil {
		return fmt.Errorf("removing %s: %w", trialFile, err)
	}
	return nil
}
