package stick

import (
	"maps"
	"slices"
)

// View lists the sticks that are plugged in. A part of a stick that holds nothing is left out when another part of the
// same stick is of use: many sticks carry a small system partition.
func (w *Watcher) View() []View {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.views)
}

// Watch returns a channel that gets a value after View changed; several may come as one. It has one already.
func (w *Watcher) Watch() (changed <-chan struct{}, stop func()) {
	ch := make(chan struct{}, 1)
	ch <- struct{}{}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watchers[ch] = struct{}{}
	return ch, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.watchers, ch)
	}
}

// publish makes the views anew, and wakes those who watch when something changed.
func (w *Watcher) publish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	useful := map[string]bool{}
	for _, s := range w.sticks {
		if s.kind != Other && s.kind != Unknown {
			useful[disk(s.volume.Device)] = true
		}
	}
	views := []View{}
	for _, id := range slices.Sorted(maps.Keys(w.sticks)) {
		s := w.sticks[id]
		if s.kind == Other && useful[disk(s.volume.Device)] {
			continue
		}
		text := say(s.said, s.volume)
		views = append(views, View{id, s.volume.Label, s.volume.Drive, s.kind, s.busy, text.de, text.en})
	}
	if slices.Equal(views, w.views) {
		return
	}
	w.views = views
	for ch := range w.watchers {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}
