package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"plenum/device/health"
	"plenum/device/journal"
	"plenum/device/service"
	"plenum/device/sitting"
)

const (
	lookEvery   = 10 * time.Second
	clerkLimit  = 6 * time.Second  // without a turn the clerk hangs
	eyesLimit   = 10 * time.Second // without a look whoever watches the devices hangs
	slowCommit  = 500 * time.Millisecond
	notMeasured = -1
	commandTime = 5 * time.Second
)

// timed is the journal with a look at how long its commits take.
type timed struct {
	*journal.Journal
	last, worst atomic.Int64 // ns; worst since it was taken
}

// Append implements clerk.Journal.
func (t *timed) Append(ctx context.Context, records []journal.Record) error {
	began := time.Now()
	err := t.Journal.Append(ctx, records)
	took := int64(time.Since(began))
	t.last.Store(took)
	if took > t.worst.Load() { // one writer only
		t.worst.Store(took)
	}
	return err
}

// lookAfter keeps the named conditions true: what a device cannot tell of itself.
func (a *App) lookAfter(ctx context.Context) error {
	if n := a.clerk.Replayed().Deviations; n > 0 {
		a.named.Set(health.RecordDeviates, "", fmt.Sprintf("%d records", n))
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	said := map[string]bool{}
	for {
		for what, err := range map[string]error{
			"disk":    a.named.CheckDisk(a.cfg.Data),
			"memory":  a.named.CheckMemory("/"),
			"support": a.named.CheckSupport(a.support(), time.Now()),
		} {
			if err != nil && !said[what] {
				said[what] = true
				a.log.Warn("the box could not be looked at", "what", what, "error", err)
			}
		}
		a.named.CheckClock(a.clock(ctx))
		worst := time.Duration(a.commits.worst.Swap(0))
		a.named.Note(health.DiskSlow, worst > slowCommit, fmt.Sprintf("a commit took %v", worst.Round(time.Millisecond)))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// verify reads the whole journal once, so that damage is known before anybody relies on it.
func (a *App) verify(ctx context.Context) error {
	a.named.Await(health.JournalDamaged)
	err := a.journal.Replay(ctx, func(journal.Record) error { return ctx.Err() })
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		a.log.Error("the journal is damaged", "error", err)
		a.named.Set(health.JournalDamaged, "", err.Error())
	} else {
		a.named.Clear(health.JournalDamaged)
	}
	<-ctx.Done()
	return ctx.Err()
}

// clock is what is known of the time.
func (a *App) clock(ctx context.Context) health.Clock {
	// The last record may itself be from a time when the clock was wrong: the latest one known counts.
	if at := a.clerk.Snapshot().At; at.After(a.latest) {
		a.latest = at
	}
	k := health.Clock{Now: time.Now(), Built: built(), Last: a.latest}
	if a.box != nil {
		k.Known, k.Synchronised = a.box.synchronised(ctx)
		if image, err := time.Parse(time.RFC3339, a.box.release.build); err == nil && image.After(k.Built) {
			k.Built = image
		}
	}
	return k
}

func (a *App) support() string {
	if a.box == nil {
		return ""
	}
	return a.box.release.support
}

// beat lets the clerk take a turn once a second, so that one that hangs is found out.
func (a *App) beat(ctx context.Context) error {
	pulse := a.named.Pulse(health.ClerkStuck, "the speakers' list", clerkLimit)
	defer pulse.Rest()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if err := a.clerk.Ping(ctx); err == nil {
			pulse.Beat()
		} else if ctx.Err() != nil {
			return ctx.Err()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Judge tells how the box is.
func (a *App) Judge() health.Judgement { return a.named.Judge(a.board.List()) }

// JudgeBoot tells whether this boot is to be kept: a new version proves itself against what lived before it.
func (a *App) JudgeBoot() health.Judgement {
	trial, before := a.trial()
	return a.named.JudgeBoot(a.board.List(), trial, before)
}

// trial reports whether this boot tries a new version, and what lived before it.
func (a *App) trial() (on bool, before []string) {
	if a.box == nil {
		return false, nil
	}
	t, on := a.box.updates.Trial()
	return on, t.Live
}

// before is what lives now, for the version that comes after this one to be held against.
func (a *App) before() []string { return a.named.Before(a.board.List()) }

// sitting reports whether a sitting is open.
func (a *App) sitting() bool { return a.state().Phase == sitting.PhaseOpen }

// closed is why nothing may be done now that a sitting would suffer from. What the box makes a sitting wait for is told to
// the core first: so a sitting that is being opened at this moment was open before, and is seen, or does not open.
func (a *App) closed() error {
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	for _, it := range a.box.items() {
		if err := a.report(ctx, sitting.Event{Kind: sitting.KindItem, Item: &it}); err != nil && !errors.Is(err, sitting.ErrNothingChanged) {
			return fmt.Errorf("keeping a sitting from opening: %w", err)
		}
	}
	if a.sitting() {
		return service.ErrSittingOpen
	}
	return nil
}

// idle is why the box must not be changed now.
func (a *App) idle() error {
	switch {
	case a.sitting():
		return service.ErrSittingOpen
	case a.box != nil && a.box.updates.Busy():
		return service.ErrBusy
	}
	return nil
}

// restart ends the daemon in order. Who started it starts it again.
func (a *App) restart(context.Context) error {
	select {
	case a.again <- struct{}{}:
	default: // it ends already
	}
	return nil
}

// WriteMetrics writes what Prometheus reads. It names no people.
func (a *App) WriteMetrics(w io.Writer) error {
	return health.WriteMetrics(w, a.named.Gather, a.board.Gather, health.Process(a.began), health.Sitting(a.figures))
}

func (a *App) figures() health.Figures {
	snap := a.clerk.Snapshot()
	f := health.Figures{Phase: string(snap.State.Phase), Speakers: len(snap.State.Speakers), Requests: len(snap.State.Requests),
		Phases: []string{string(sitting.PhaseReady), string(sitting.PhaseOpen), string(sitting.PhaseClosed)},
		Seq:    snap.Seq, Recorded: snap.Recorded, Commit: time.Duration(a.commits.last.Load())}
	if f.Commit == 0 {
		f.Commit = notMeasured
	}
	for _, p := range snap.State.Roster {
		if p.Leg.Plays || p.Leg.Publishes {
			f.Remote++
		}
	}
	return f
}

// running is a file that is there while the daemon runs. Found at a start in the same boot, it tells that the daemon
// before was ended by force; after a power cut it tells nothing new.
const runningName = "running"

// noteStart reports whether the daemon before this one ended by force within this boot, and leaves the mark anew.
func noteStart(dir, bootID string) (forced bool, err error) {
	id, err := os.ReadFile(bootID)
	if err != nil {
		return false, fmt.Errorf("which boot this is: %w", err)
	}
	path := filepath.Join(dir, runningName)
	before, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("how the daemon before ended: %w", err)
	}
	if err := os.WriteFile(path, id, 0o600); err != nil {
		return false, fmt.Errorf("noting that the daemon runs: %w", err)
	}
	return strings.TrimSpace(string(before)) == strings.TrimSpace(string(id)), nil
}

// noteEnd takes the mark away.
func noteEnd(dir string) { _ = os.Remove(filepath.Join(dir, runningName)) }
