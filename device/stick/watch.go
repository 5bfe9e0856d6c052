package stick

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	beat     = time.Second      // how often it is asked whether a sitting is open
	again    = 5 * time.Second  // after the drives could not be listed
	slow     = 30 * time.Second // the longest a stick may take to be mounted or given back
	breather = time.Second      // between tries to give a stick back
	tries    = 5                // of giving a stick back
)

// Watcher looks after the sticks.
type Watcher struct {
	opt   Options
	log   *slog.Logger
	ended chan *stick // those whose attendance is over
	wg    sync.WaitGroup

	// Run's own.
	quiet  bool
	marks  marks
	failed time.Time // when listing failed last

	mu       sync.Mutex
	sticks   map[string]*stick // those that are plugged in, by volume id
	leaving  map[string]*stick // pulled, with somebody still at work: the id must not be mounted meanwhile
	views    []View
	watchers map[chan struct{}]struct{}
}

// stick is one volume from its coming to its going. The Watcher's lock guards it.
type stick struct {
	volume Volume
	kind   Kind
	said   code
	due    bool // is to be looked at as soon as no sitting is open
	busy   bool // its attendance is under way
	given  Kind // what kind of handler knows of it
	cancel context.CancelCauseFunc
}

// New makes a Watcher.
func New(opt Options) *Watcher {
	if opt.Quiet == nil {
		opt.Quiet = func() bool { return false }
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	return &Watcher{
		opt: opt, log: opt.Log, marks: marks{dir: opt.Dir, log: opt.Log}, ended: make(chan *stick),
		sticks: map[string]*stick{}, leaving: map[string]*stick{}, watchers: map[chan struct{}]struct{}{},
	}
}

// Run looks after the sticks until ctx ends, and gives all of them back before it returns nil.
func (w *Watcher) Run(ctx context.Context) error {
	changed, stop := w.opt.Mounter.Watch()
	defer stop()
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	w.quiet = w.opt.Quiet()
	w.marks.load()
	w.list(ctx)
	for {
		w.attend(ctx)
		w.publish()
		select {
		case <-ctx.Done():
			w.close()
			return nil
		case <-changed:
			// When listing failed, asking at once would only be the next thing that changes: the ticker asks again.
			if w.failed.IsZero() {
				w.list(ctx)
			}
		case s := <-w.ended:
			w.over(s)
		case <-ticker.C:
			w.hush(w.opt.Quiet())
			if !w.failed.IsZero() && time.Since(w.failed) >= again {
				w.list(ctx)
			}
		}
	}
}

// close waits until every stick is given back. The contexts of all attendances have ended with Run's.
func (w *Watcher) close() {
	go func() {
		w.wg.Wait()
		close(w.ended)
	}()
	for s := range w.ended {
		w.over(s)
	}
	w.publish()
}

// list compares the sticks with those there were.
func (w *Watcher) list(ctx context.Context) {
	asked, cancel := context.WithTimeout(ctx, slow)
	defer cancel()
	volumes, err := w.opt.Mounter.Volumes(asked)
	if err != nil {
		if w.failed.IsZero() && ctx.Err() == nil {
			w.log.Warn("USB drives cannot be listed, trying again", "error", err)
		}
		w.failed = time.Now()
		return
	}
	w.failed = time.Time{}
	now := map[string]Volume{}
	for _, v := range volumes {
		now[v.ID] = v
	}
	w.mu.Lock()
	var gone []*stick
	for id, s := range w.sticks {
		if v, there := now[id]; !there || v != s.volume {
			gone = append(gone, s)
			delete(w.sticks, id)
		}
	}
	for id, v := range now {
		if _, known := w.sticks[id]; !known {
			w.sticks[id] = w.arrived(v)
			w.log.Info("USB stick", "device", v.Device, "label", v.Label, "file system", v.Filesystem, "drive", v.Drive)
		}
	}
	w.mu.Unlock()
	for _, s := range gone {
		w.pulled(s)
	}
}

// arrived is a stick that was not there before.
func (w *Watcher) arrived(v Volume) *stick {
	switch {
	case w.marks.failed[mark(v)]:
		return &stick{volume: v, kind: Other, said: saidFailed}
	case v.Filesystem == "":
		return &stick{volume: v, kind: Other, said: saidUnformatted}
	case !readable(v.Filesystem):
		return &stick{volume: v, kind: Other, said: saidFilesystem}
	}
	return &stick{volume: v, said: saidWaiting, due: true}
}

// pulled lets go of a stick. Its id may come again at once, with another stick.
func (w *Watcher) pulled(s *stick) {
	w.log.Info("USB stick was pulled", "device", s.volume.Device, "label", s.volume.Label)
	w.mu.Lock()
	if s.busy {
		w.leaving[s.volume.ID] = s
		s.cancel(ErrPulled)
		w.mu.Unlock()
		return
	}
	_, again := w.sticks[s.volume.ID] // it was not pulled, but says something else of itself
	w.mu.Unlock()
	if s.said == saidFailed && !again {
		delete(w.marks.failed, mark(s.volume))
		w.marks.clear(s.volume)
	}
	w.forget(s)
}

// forget tells the room that knows of the stick that it is gone.
func (w *Watcher) forget(s *stick) {
	if h := w.opt.Handlers[s.given]; h != nil {
		h.Remove(s.volume.ID)
	}
}

// hush takes note of a sitting that opened or closed. What is being looked at is given back, and is due afterwards.
func (w *Watcher) hush(quiet bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if quiet && !w.quiet {
		for _, s := range w.sticks {
			if s.busy {
				s.due = true
				s.cancel(ErrSitting)
			}
		}
	}
	w.quiet = quiet
}

// attend begins with every stick that is due.
func (w *Watcher) attend(ctx context.Context) {
	if w.quiet || ctx.Err() != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, s := range w.sticks {
		if !s.due || s.busy || w.leaving[id] != nil {
			continue
		}
		s.due, s.busy, s.kind, s.said = false, true, Unknown, saidLooking
		mine, cancel := context.WithCancelCause(ctx)
		s.cancel = cancel
		w.wg.Go(func() {
			w.work(mine, s)
			w.ended <- s
		})
	}
}

// over takes note of an attendance that has ended.
func (w *Watcher) over(s *stick) {
	w.mu.Lock()
	s.cancel(nil)
	s.busy = false
	if s.due {
		s.kind, s.said = Unknown, saidWaiting
	}
	left := w.leaving[s.volume.ID] == s
	if left {
		delete(w.leaving, s.volume.ID)
	}
	w.mu.Unlock()
	if left {
		w.forget(s)
	}
}
