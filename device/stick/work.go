package stick

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// work attends to one stick: mounts it, sees what it is, lets the room of that kind work on it, and gives it back.
func (w *Watcher) work(ctx context.Context, s *stick) {
	v := s.volume
	w.marks.set(v)
	checked := sync.OnceFunc(func() { w.marks.clear(v) })
	kind, said := w.attendTo(ctx, s, checked)
	checked() // not deferred: the mark of a stick that made us panic stays
	w.note(s, kind, said)
}

// attendTo does the work, and returns what there is to say afterwards. It calls checked when the stick's content can do no
// harm any more.
func (w *Watcher) attendTo(ctx context.Context, s *stick, checked func()) (Kind, code) {
	v := s.volume
	kind := labelled(v.Label)
	m := Medium{ID: v.ID, Label: v.Label, Drive: v.Drive, Kind: kind, ReadOnly: kind != Diagnosis || v.ReadOnly, checked: checked}
	var err error
	m.Path, err = w.mount(ctx, v.ID, !m.ReadOnly)
	if err != nil && !m.ReadOnly {
		// Write protection that the drive does not tell of: the room for diagnosis says it in its own words.
		m.ReadOnly = true
		m.Path, err = w.mount(ctx, v.ID, false)
	}
	if err != nil {
		if ctx.Err() == nil {
			w.log.Warn("USB stick cannot be mounted", "device", v.Device, "error", err)
		} else {
			_ = w.opt.Mounter.Unmount(context.WithoutCancel(ctx), v.ID) // it may have been mounted nevertheless
		}
		return Other, saidUnreadable
	}
	kind, said := w.handle(ctx, s, m)
	if err := w.unmount(ctx, v.ID); err != nil {
		w.log.Warn("USB stick could not be given back", "device", v.Device, "error", err)
		said = saidStuck
	}
	return kind, said
}

// handle finds out what a mounted stick is and has it worked on. It returns what there is to say afterwards.
func (w *Watcher) handle(ctx context.Context, s *stick, m Medium) (Kind, code) {
	if m.Kind == Unknown {
		bundles, err := Bundles(m.Path)
		switch {
		case err != nil:
			w.log.Warn("USB stick cannot be read", "device", s.volume.Device, "error", err)
			return Other, saidUnreadable
		case len(bundles) == 0:
			return Other, saidOther
		}
		m.Kind = Update
	}
	h := w.opt.Handlers[m.Kind]
	if h == nil {
		return Other, saidOther
	}
	w.mu.Lock()
	s.given = m.Kind
	w.mu.Unlock()
	w.note(s, m.Kind, map[Kind]code{Update: saidUpdate, Setup: saidSetup, Diagnosis: saidDiagnosis}[m.Kind])
	if m.Kind != Setup { // a bundle is read by RAUC, and waits for people; a diagnosis is written
		m.Checked()
	}
	h.Insert(ctx, m)
	return m.Kind, saidDone
}

// note sets what is said of a stick.
func (w *Watcher) note(s *stick, kind Kind, said code) {
	w.mu.Lock()
	s.kind, s.said = kind, said
	w.mu.Unlock()
	w.publish()
}

// mount mounts a stick. One that is mounted already was left behind by a daemon that died: it is given back first.
func (w *Watcher) mount(ctx context.Context, id string, write bool) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, slow)
	defer cancel()
	path, err := w.opt.Mounter.Mount(ctx, id, write)
	if err == nil || ctx.Err() != nil || w.opt.Mounter.Unmount(ctx, id) != nil {
		return path, err
	}
	if path, err = w.opt.Mounter.Mount(ctx, id, write); err != nil {
		return "", fmt.Errorf("mounting once more: %w", err)
	}
	return path, nil
}

// unmount gives a stick back, also when the daemon ends. A file that is still open gets some time to be closed.
func (w *Watcher) unmount(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), slow)
	defer cancel()
	for n := 1; ; n++ {
		err := w.opt.Mounter.Unmount(ctx, id)
		if err == nil || n == tries {
			return err
		}
		select {
		case <-time.After(breather):
		case <-ctx.Done():
			return err
		}
	}
}
