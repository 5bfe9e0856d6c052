// Package diag writes the box's diagnosis to the technician's stick: logs, health, crash dumps and the configuration
// without its secrets, in one tar.gz of bounded size, encrypted to the vendor's key where one is named. What goes in is
// given from outside; that no secret goes in is seen to here.
package diag

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"filippo.io/age"

	"plenum/device/stick"
)

// Errors callers branch on.
var (
	ErrReadOnly = errors.New("the stick is write-protected")
	ErrFull     = errors.New("the stick is full")
	ErrPulled   = errors.New("the stick was pulled while it was written")
	ErrKey      = errors.New("the vendor's key cannot be used")
	ErrBusy     = errors.New("a diagnosis is being written already")
)

// Medium is a stick.
type Medium struct {
	ID       string // of the medium, until it is pulled
	Label    string
	Path     string // where it is mounted
	ReadOnly bool   // it cannot be written to at all (its switch is set)
}

// Options tell New what it works with.
type Options struct {
	Host      string        // the box's name, for the file's name
	Sources   []Source      // in the order of their importance; logs last, the newest boot first
	Recipient func() string // the vendor's key, age1… (X25519) or age1pq1… (hybrid); nil or empty text: not encrypted
	Max       int64         // bytes of text in the archive; 0: 64 MiB
	// Mount makes a stick writable and tells where; nil: Medium.Path is writable. Unmount ends that, also of a stick
	// that was pulled; nil: whoever mounted it does.
	Mount   func(ctx context.Context, id string) (path string, err error)
	Unmount func(ctx context.Context, id string) error
	Now     func() time.Time // nil: time.Now
	Log     *slog.Logger     // nil: silent

	open func(dir string) (target, error) // nil: the real stick; a test gives a bad one
}

// Diag writes one diagnosis at a time. It is safe for use by many goroutines.
type Diag struct {
	opts Options

	mu      sync.Mutex
	id      string                  // of the stick that the view is about
	cancel  context.CancelCauseFunc // of the writing; nil: nothing is written
	view    View
	changed func()
}

const (
	archiveMax = 64 << 20         // bytes of text, when Options say nothing
	leastFree  = 2 << 20          // bytes without which it is not tried
	unmountFor = 30 * time.Second // a slow stick writes that long what it has promised
)

// New makes an idle Diag.
func New(opts Options) *Diag {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Max == 0 {
		opts.Max = archiveMax
	}
	if opts.open == nil {
		opts.open = openVolume
	}
	return &Diag{opts: opts, view: View{State: Idle}, changed: func() {}}
}

// Changed sets what is called after each change of the view. It is called once, before the first Insert.
func (d *Diag) Changed(f func()) { d.changed = f }

// View tells how far it is.
func (d *Diag) View() View {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.view
}

// Insert writes the diagnosis to the stick and returns when that is done or has failed, with the stick unmounted; the
// view says the same in plain words. ctx may end with the causes of package stick; Remove may be called meanwhile.
// Errors: ErrReadOnly, ErrFull, ErrPulled, ErrKey, ErrBusy, ctx's cause, or what the stick said.
func (d *Diag) Insert(ctx context.Context, m Medium) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	d.mu.Lock()
	if d.cancel != nil {
		d.mu.Unlock()
		return ErrBusy
	}
	d.id, d.cancel = m.ID, cancel
	d.view = View{State: Writing, DE: "Die Diagnose wird auf den Stick geschrieben. Bitte nicht abziehen.", EN: "The diagnosis is being written to the stick. Do not pull it."}
	d.mu.Unlock()
	d.changed()

	res, err := d.mounted(ctx, m)
	if err != nil {
		err = fmt.Errorf("writing the diagnosis: %w", meaning(ctx, err))
		d.opts.Log.Error("no diagnosis was written", "error", err)
	} else {
		d.opts.Log.Info("a diagnosis was written", "file", res.file, "bytes", res.size, "encrypted", res.encrypted)
	}
	d.mu.Lock()
	d.cancel, d.view = nil, res.view(err)
	d.mu.Unlock()
	d.changed()
	return err
}

// Remove notes that a stick was pulled: a writing ends, and that it failed stays to be read until the next stick. What
// else was said about the stick is forgotten.
func (d *Diag) Remove(id string) {
	d.mu.Lock()
	if d.id != id {
		d.mu.Unlock()
		return
	}
	if d.cancel != nil {
		d.cancel(ErrPulled)
		d.mu.Unlock()
		return
	}
	d.id, d.view = "", View{State: Idle}
	d.mu.Unlock()
	d.changed()
}

// result is what was written.
type result struct {
	file      string
	size      int64 // bytes on the stick
	encrypted bool
	cut       bool
}

// mounted writes to a stick between mounting and unmounting it.
func (d *Diag) mounted(ctx context.Context, m Medium) (res result, err error) {
	dir := m.Path
	if d.opts.Unmount != nil {
		defer func() {
			// Also when ctx has ended: a stick is never left mounted.
			within, cancel := context.WithTimeout(context.WithoutCancel(ctx), unmountFor)
			defer cancel()
			if e := d.opts.Unmount(within, m.ID); e != nil {
				d.opts.Log.Warn("the stick was not unmounted", "error", e) // all of it was synced
			}
		}()
	}
	if m.ReadOnly {
		return result{}, ErrReadOnly
	}
	if d.opts.Mount != nil {
		if dir, err = d.opts.Mount(ctx, m.ID); err != nil {
			return result{}, fmt.Errorf("mounting the stick: %w", err)
		}
	}
	t, err := d.opts.open(dir)
	if err != nil {
		return result{}, err
	}
	defer t.close()
	return d.write(ctx, t)
}

// leftover is the name of a file that an earlier writing did not finish.
var leftover = regexp.MustCompile(`^\.plenum-[a-z0-9-]+\.part$`)

// write packs everything into a file that has another name until it is whole and durable.
func (d *Diag) write(ctx context.Context, t target) (result, error) {
	recipients, err := d.recipients()
	if err != nil {
		return result{}, err
	}
	names, err := t.names()
	if err != nil {
		return result{}, err
	}
	for _, n := range names {
		if leftover.MatchString(n) {
			if err := t.remove(n); err != nil {
				return result{}, err
			}
		}
	}
	free, err := t.free()
	if err != nil {
		return result{}, err
	}
	if free < leastFree {
		return result{}, ErrFull
	}
	now := d.opts.Now().UTC()
	stem := "plenum-" + hostName(d.opts.Host) + "-" + now.Format("20060102-150405")
	part := "." + strings.ToLower(stem) + ".part"
	out, err := t.create(part)
	if err != nil {
		return result{}, err
	}
	res, err := d.pack(ctx, out, recipients, free, now)
	if err == nil {
		err = out.Sync()
	}
	if e := out.Close(); err == nil {
		err = e
	}
	if err == nil {
		res.file, err = freeName(t, stem, res.encrypted)
	}
	if err == nil {
		err = t.rename(part, res.file)
	}
	if err == nil {
		return res, t.sync()
	}
	if e := t.remove(part); e != nil {
		d.opts.Log.Debug("the unfinished diagnosis stays on the stick", "error", e)
	}
	if errors.Is(err, syscall.EROFS) { // it could be written to a moment ago: the kernel gave it up
		err = fmt.Errorf("%w: %w", ErrPulled, err)
	}
	return result{}, err
}

// pack streams the sources through tar, gzip and, where there is a recipient, age.
func (d *Diag) pack(ctx context.Context, out io.Writer, recipients []age.Recipient, free int64, now time.Time) (result, error) {
	count := &counter{w: out}
	res := result{encrypted: len(recipients) > 0}
	var w io.WriteCloser = plainText{count}
	if res.encrypted {
		var err error
		if w, err = age.Encrypt(count, recipients...); err != nil {
			if count.err != nil {
				return result{}, count.err
			}
			return result{}, fmt.Errorf("%w: %w", ErrKey, err)
		}
	}
	a := newArchive(w, count, now, d.opts.Max, free)
	for _, s := range d.opts.Sources {
		if err := a.add(ctx, s); err != nil {
			return result{}, err
		}
	}
	if err := a.end(); err != nil {
		return result{}, err
	}
	if err := w.Close(); err != nil {
		return result{}, err
	}
	res.size, res.cut = count.n, a.cut
	return res, nil
}

// plainText has nothing to close.
type plainText struct{ io.Writer }

func (plainText) Close() error { return nil }

// recipients reads the vendor's key. A key that is named and wrong is an error: the diagnosis is then not written in
// the clear.
func (d *Diag) recipients() ([]age.Recipient, error) {
	if d.opts.Recipient == nil {
		return nil, nil
	}
	key := strings.TrimSpace(d.opts.Recipient())
	if key == "" {
		return nil, nil
	}
	r, err := age.ParseRecipients(strings.NewReader(key))
	if err != nil {
		return nil, fmt.Errorf("%w: it must be one that begins with age1: %w", ErrKey, err)
	}
	return r, nil
}

// freeName is the first name that the stick does not have yet: a box without a clock writes the same time twice.
func freeName(t target, stem string, encrypted bool) (string, error) {
	ext := ".tar.gz"
	if encrypted {
		ext += ".age"
	}
	for i := range 1000 {
		name := stem + ext
		if i > 0 {
			name = fmt.Sprintf("%s-%d%s", stem, i+1, ext)
		}
		if there, err := t.has(name); err != nil || !there {
			return name, err
		}
	}
	return "", ErrFull
}

var notInName = regexp.MustCompile(`[^a-z0-9]+`)

func hostName(host string) string {
	host = strings.Trim(notInName.ReplaceAllString(strings.ToLower(host), "-"), "-")
	if host == "" {
		return "box"
	}
	return host[:min(40, len(host))]
}

// meaning finds out what an error says about the stick. One that was pulled answers in many ways.
func meaning(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, ErrPulled):
		return err
	case errors.Is(context.Cause(ctx), ErrPulled) || errors.Is(context.Cause(ctx), stick.ErrPulled):
		return fmt.Errorf("%w: %w", ErrPulled, err)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG):
		return fmt.Errorf("%w: %w", ErrFull, err)
	case errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%w: %w", ErrReadOnly, err)
	case errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ENODEV) || errors.Is(err, syscall.ENXIO) ||
		errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTCONN) || errors.Is(err, syscall.ESHUTDOWN):
		return fmt.Errorf("%w: %w", ErrPulled, err)
	}
	return err
}
