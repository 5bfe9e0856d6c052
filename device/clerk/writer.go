package clerk

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"plenum/device/journal"
)

const (
	writeMost  = 1024                   // records of one transaction when a backlog is written
	retryFirst = 20 * time.Millisecond  // first pause after a failed write …
	retryMost  = 2 * time.Second        // … doubled up to this
	complain   = time.Minute            // a disk that goes on failing is logged this often
	tooSlow    = "the disk is too slow" // reason of a gap without an error
)

// writer is the only one who writes to the journal. It keeps records until they are on the disk, in order.
type writer struct {
	journal Journal
	log     *slog.Logger
	now     func() time.Time
	limit   int

	wake  chan struct{} // capacity 1: there is something to write
	clean chan struct{} // capacity 1: all is on the disk
	quit  chan struct{} // closed: write what is left, then end
	done  chan struct{} // closed: ended

	mu      sync.Mutex
	pending []journal.Record // not on the disk yet
	gap     *journal.Gap     // open while the sitting does not wait for the disk
	noted   bool             // a gap that cannot end any more is on the disk
	lost    int              // records that the backlog did not hold
	stored  uint64           // number of the last record on the disk
	reason  string           // why the last write failed
}

func newWriter(o Options) *writer {
	return &writer{
		journal: o.Journal, log: o.Log, now: o.Now, limit: o.Backlog,
		wake: make(chan struct{}, 1), clean: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
	}
}

// add hands over records that somebody waits for.
func (w *writer) add(records []journal.Record) {
	w.mu.Lock()
	w.pending = append(w.pending, records...)
	w.mu.Unlock()
	signal(w.wake)
}

// addLate hands over records that nobody waits for. From the first one that finds no room none is taken any more: what
// is kept has to be one piece from the beginning.
func (w *writer) addLate(records []journal.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.openGap(records[0].Seq)
	if w.lost > 0 || len(w.pending)+len(records) > w.limit {
		if w.lost == 0 {
			w.log.Error("the backlog is full: what is decided from here on will not be recorded before the next start", "from", records[0].Seq)
		}
		w.lost += len(records)
		signal(w.wake)
		return
	}
	w.pending = append(w.pending, records...)
	signal(w.wake)
}

// giveUp opens a gap for what is pending. It reports why, and false when all is on the disk after all.
func (w *writer) giveUp() (reason string, late bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.pending) == 0 {
		return "", false
	}
	w.openGap(w.pending[0].Seq)
	return w.gap.Reason, true
}

// openGap is called with the lock held.
func (w *writer) openGap(first uint64) {
	if w.gap != nil {
		return
	}
	w.gap = &journal.Gap{First: first, From: w.now(), Reason: tooSlow}
	if w.reason != "" {
		w.gap.Reason = w.reason
	}
}

// isClean reports whether all that was handed over is on the disk.
func (w *writer) isClean() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.pending) == 0 && w.gap == nil && w.lost == 0
}

// left counts the records that are kept but not on the disk, and those that were not kept.
func (w *writer) left() (kept, lost int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.pending), w.lost
}

// run writes until quit is closed and all is on the disk, or ctx ends.
func (w *writer) run(ctx context.Context) {
	defer close(w.done)
	var logged time.Time
	pause := retryFirst
	for ctx.Err() == nil {
		worked, err := w.write(ctx)
		switch {
		case err != nil:
			if now := w.now(); now.Sub(logged) >= complain {
				logged = now
				w.log.Error("the journal cannot be written", "err", err)
			}
			sleep(ctx, pause)
			pause = min(2*pause, retryMost)
			continue
		case worked:
			pause, logged = retryFirst, time.Time{}
			continue
		}
		select {
		case <-w.wake:
		case <-ctx.Done():
		case <-w.quit:
			// quit can come before the last wake was taken; nobody adds any more after it.
			if kept, _ := w.left(); kept == 0 {
				return
			}
		}
	}
}

// write does one transaction: the next records, or, when none are left, the note on the gap they were in.
func (w *writer) write(ctx context.Context) (worked bool, err error) {
	w.mu.Lock()
	// A copy: the clerk goes on appending while the journal sets the hashes.
	batch := slices.Clone(w.pending[:min(len(w.pending), writeMost)])
	gap := w.ended()
	w.mu.Unlock()
	switch {
	case len(batch) > 0:
		err = w.journal.Append(ctx, batch)
	case gap != nil:
		err = w.journal.Note(ctx, *gap)
	default:
		return false, nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.reason = err.Error()
		return true, err
	}
	w.reason = ""
	switch {
	case len(batch) > 0:
		w.stored = batch[len(batch)-1].Seq
		w.pending = slices.Delete(w.pending, 0, len(batch))
	case gap.Until.IsZero():
		w.noted = true
	case len(w.pending) > 0 || w.lost > 0:
		// More came while the note was written: another gap joins this one.
		w.gap = &journal.Gap{First: gap.Last + 1, From: gap.Until, Reason: gap.Reason}
	default:
		w.gap = nil
	}
	if len(w.pending) == 0 && w.gap == nil {
		signal(w.clean)
	}
	return true, nil
}

// ended completes the open gap when all that was kept is on the disk; nil when there is none to note. It is called
// with the lock held.
func (w *writer) ended() *journal.Gap {
	if w.gap == nil || w.noted || len(w.pending) > 0 {
		return nil
	}
	g := *w.gap
	g.Last = w.stored
	if w.lost == 0 {
		g.Until = w.now()
	}
	return &g
}

// signal leaves a mark in a channel of capacity 1.
func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
