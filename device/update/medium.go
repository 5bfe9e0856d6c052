package update

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/semver"

	"plenum/device/stick"
)

// patient is the longest RAUC may take for an answer: a slow stick, a signature, a slow disk.
const patient = time.Minute

// medium is a stick with one bundle or more.
type medium struct {
	id     string
	ctx    context.Context // ends when the stick is pulled or a sitting opens
	path   string          // of the bundle
	file   string          // its name
	size   int64           // bytes
	bundle Bundle
	want   string // the box's own kind, for the sentence
	reason Reason // why it is refused; empty: it may be installed
}

// pulled reports whether the stick is gone.
func (m *medium) pulled() bool { return errors.Is(context.Cause(m.ctx), stick.ErrPulled) }

// Insert implements stick.Handler: it looks at the stick and offers what is on it. It returns when the stick is not
// needed any more: nothing on it may be installed, or it is installed, or ctx has ended. An installation under way
// keeps it to the end.
func (u *Updater) Insert(ctx context.Context, s stick.Medium) {
	// Installing overwrites the slot that a version on trial would fall back to, so nothing is offered before it is
	// judged. Another stick is not looked at while one is being installed: RAUC does one thing at a time.
	if !u.await(ctx, func() bool { return u.phase != Installing && (u.trial == nil || !u.unsure) }) {
		return
	}
	for {
		m := u.look(ctx, s)
		if ctx.Err() != nil || !u.present(m) {
			return
		}
		if m.reason != "" && !m.reason.passing() {
			return
		}
		if m.reason == "" {
			u.offer(ctx, m)
			return
		}
		select {
		case <-time.After(recheck):
		case <-ctx.Done():
			u.Remove(m.id)
			return
		}
	}
}

// Remove implements stick.Handler: the stick is gone, and so is what was said of it.
func (u *Updater) Remove(id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.media, id)
	u.tell()
}

// present puts a medium on the screens. It reports false when an update waits for its restart already: that comes first.
func (u *Updater) present(m *medium) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.phase == Installed || u.phase == Rebooting {
		return false
	}
	if u.phase == Failed {
		u.phase, u.chosen = Idle, nil
	}
	if old := u.media[m.id]; m.reason != "" && (old == nil || old.reason != m.reason) {
		u.log.Warn("update refused", "file", m.file, "reason", m.reason, "version", m.bundle.Version)
	}
	u.media[m.id] = m
	u.tell()
	return true
}

// offer keeps a medium until it is installed or its ctx ends.
func (u *Updater) offer(ctx context.Context, m *medium) {
	u.await(ctx, func() bool { return u.chosen == m && (u.phase == Installed || u.phase == Failed && u.reason.final()) })
	// Not ctx: the stick stays mounted until RAUC has let go of it.
	u.await(context.WithoutCancel(ctx), func() bool { return u.ended || u.phase != Installing || u.chosen != m })
	u.Remove(m.id)
}

// look finds the one bundle of a stick and checks all that can be checked without installing it.
func (u *Updater) look(ctx context.Context, s stick.Medium) *medium {
	m := &medium{id: s.ID, ctx: ctx}
	names, err := stick.Bundles(s.Path)
	switch {
	case err != nil:
		return m.refuse(Unreadable)
	case len(names) == 0:
		return m.refuse(NoBundle)
	case len(names) > 1:
		return m.refuse(TwoBundles)
	}
	m.file, m.path = names[0], filepath.Join(s.Path, names[0])
	info, err := os.Stat(m.path)
	if err != nil {
		return m.refuse(Unreadable)
	}
	m.size = info.Size()
	if err := u.inspect(ctx, m); err != nil {
		u.log.Warn("bundle refused by RAUC", "file", m.file, "error", err)
		return m.refuse(seen(err, m.path))
	}
	return m.refuse(u.weigh(m))
}

func (m *medium) refuse(r Reason) *medium {
	m.reason = r
	return m
}

// inspect asks RAUC for the bundle and for the kind of box this is.
func (u *Updater) inspect(ctx context.Context, m *medium) (err error) {
	ctx, cancel := context.WithTimeout(ctx, patient)
	defer cancel()
	if m.bundle, err = u.opt.Installer.Inspect(ctx, m.path); err != nil {
		return fmt.Errorf("inspecting the bundle: %w", err)
	}
	if m.want, err = u.opt.Installer.Compatible(ctx); err != nil {
		return fmt.Errorf("asking for the kind of this box: %w", err)
	}
	if m.bundle.Description != "" && m.bundle.Build != "" {
		return nil
	}
	// RAUC has checked the signature over the manifest; it only does not tell all of it over the bus.
	if f, err := readManifest(m.path); err == nil && f.Compatible == m.bundle.Compatible && f.Version == m.bundle.Version {
		m.bundle = f
	}
	return nil
}

// weigh compares a bundle with what runs.
func (u *Updater) weigh(m *medium) Reason {
	have, offered := "v"+u.opt.Release.Version, "v"+m.bundle.Version
	switch {
	case m.bundle.Compatible != m.want:
		return WrongBox
	case !semver.IsValid(offered):
		return NoVersion
	case !semver.IsValid(have):
		return "" // a version built by hand: anything with a number is newer
	}
	switch semver.Compare(offered, have) {
	case 0:
		return SameVersion
	case -1:
		return Older
	}
	return ""
}

// offers are the media that may be installed. The lock is held.
func (u *Updater) offers() []*medium {
	var all []*medium
	for _, m := range u.media {
		if m.reason == "" {
			all = append(all, m)
		}
	}
	return all
}
