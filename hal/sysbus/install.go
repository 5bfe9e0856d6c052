package sysbus

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"
)

// Progress is how far an installation is.
type Progress struct {
	Percent int    // 0 to 100
	Step    string // what RAUC is doing, in its words
}

// Install has RAUC install a bundle and waits until it is done. told gets the progress, on the same goroutine; it may miss
// steps, but not the last one. The error carries RAUC's own words. When RAUC or the bus goes away meanwhile, or RAUC falls
// silent, the error is ErrAbsent and nobody knows how far it came: the slots tell. When ctx ends, RAUC goes on by itself:
// it cannot be stopped.
func (b *Bus) Install(ctx context.Context, path string, told func(Progress)) error {
	l, err := b.connected()
	if err != nil {
		return fmt.Errorf("install %s: %w", path, err)
	}
	// Asking first starts RAUC when it does not run, so that its owner is known when the signals come.
	doing, err := b.raucText(ctx, "Operation")
	if err != nil {
		return fmt.Errorf("install %s: %w", path, err)
	}
	if doing != "idle" {
		return fmt.Errorf("install %s: %w: %s", path, ErrBusy, clean(doing))
	}
	w := &installation{bus: b, link: l, told: told, pulse: make(chan struct{}, 1)}
	defer l.ears.listen(w.hear)()
	if _, err := b.callSlowly(ctx, rauc(), raucFace+".InstallBundle", path, props{}); err != nil {
		return fmt.Errorf("install %s: %w", path, err)
	}
	if err := w.wait(ctx); err != nil {
		return fmt.Errorf("install %s: %w", path, err)
	}
	return nil
}

// installation follows RAUC from outside.
type installation struct {
	bus  *Bus
	link *link
	told func(Progress)

	pulse chan struct{} // something below changed
	mu    sync.Mutex    // guards what follows
	fresh bool          // progress was not told yet
	last  Progress
	done  bool
	code  int32 // of Completed; 0: well
	err   error // RAUC is gone, or speaks nonsense
}

// hear takes RAUC's signals. It runs on the bus's goroutine and only notes.
func (w *installation) hear(s *dbus.Signal) {
	name, before, _, moved := ownerChange(s)
	if !(moved && name == raucName && before != "") && !w.bus.from(raucName, s) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.done || w.err != nil:
		return
	case moved:
		w.err = fmt.Errorf("%w: RAUC ended in the middle of it", ErrAbsent)
	case s.Name == raucFace+".Completed":
		w.code, w.err = single[int32](s.Body, nil)
		w.done = w.err == nil
	case s.Name == busProps+"PropertiesChanged" && len(s.Body) == 3 && s.Body[0] == raucFace:
		changed, _ := s.Body[1].(props)
		p, ok := readProgress(changed["Progress"])
		if !ok {
			return
		}
		w.last, w.fresh = p, true
	}
	pulse(w.pulse)
}

// readProgress reads RAUC's (percentage, message, depth). What makes no sense is left out: it is only for the eye.
func readProgress(v dbus.Variant) (Progress, bool) {
	row, _ := v.Value().([]any)
	if len(row) != 3 {
		return Progress{}, false
	}
	percent, ok1 := row[0].(int32)
	step, ok2 := row[1].(string)
	return Progress{Percent: int(min(max(percent, 0), 100)), Step: clean(step)}, ok1 && ok2
}

// wait follows the installation to its end.
func (w *installation) wait(ctx context.Context) error {
	look := time.NewTicker(w.bus.limits.poll)
	defer look.Stop()
	idle, silent := 0, 0
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; RAUC goes on by itself", ctx.Err())
		case <-w.link.dead():
			return fmt.Errorf("%w: the system bus went away in the middle of it", ErrAbsent)
		case <-w.pulse:
			if done, err := w.look(ctx); done {
				return err
			}
		case <-look.C:
			// A signal may be missing, or RAUC may hang: it is asked as well.
			switch doing, err := w.bus.raucText(ctx, "Operation"); {
			case err != nil && ctx.Err() == nil:
				idle, silent = 0, silent+1
			case doing == "idle":
				idle, silent = idle+1, 0
			default:
				idle, silent = 0, 0
			}
			if silent == 3 {
				return fmt.Errorf("%w: RAUC does not answer any more", ErrAbsent)
			}
			if idle == 2 {
				return fmt.Errorf("%w: RAUC stopped without a result: %s", ErrAbsent, w.lastError(ctx))
			}
		}
	}
}

// look tells the progress and reports whether it is over.
func (w *installation) look(ctx context.Context) (done bool, err error) {
	w.mu.Lock()
	p, fresh := w.last, w.fresh
	w.fresh = false
	done, code, err := w.done, w.code, w.err
	w.mu.Unlock()
	if fresh && w.told != nil {
		w.told(p)
	}
	if err != nil || !done {
		return err != nil, err
	}
	if code != 0 {
		return true, fmt.Errorf("RAUC: %s", w.lastError(ctx))
	}
	return true, nil
}

// lastError gives RAUC's own words for what went wrong.
func (w *installation) lastError(ctx context.Context) string {
	text, err := w.bus.raucText(ctx, "LastError")
	if err != nil || clean(text) == "" {
		return "it does not say why"
	}
	return clean(text)
}
