package update

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"plenum/device/stick"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rauc is an Installer of functions; what is not set is as on a healthy box that runs from A.
type rauc struct {
	mu       sync.Mutex
	bundle   Bundle
	inspect  func(path string) error
	install  func(ctx context.Context, path string, told func(Progress)) error
	asked    int // how often to install
	slots    []Slot
	next     string
	broken   error // what everything answers
	slow     time.Duration
	free     chan struct{} // holds one while nothing is being answered
	seemPath string
}

func healthy() *rauc {
	return &rauc{
		bundle: Bundle{Compatible: "plenum-x86_64", Version: "1.3.0", Description: "Schneller.", Build: "2026-11-20T08:00:00Z"},
		slots: []Slot{
			{Name: "rootfs.0", Bootname: "A", Booted: true, Good: true, Version: "1.2.0"},
			{Name: "rootfs.1", Bootname: "B", Good: true, Version: "1.1.0"},
			{Name: "esp.0"},
		},
		next: "A", free: make(chan struct{}, 1),
	}
}

func (r *rauc) with(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

func (r *rauc) err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.broken
}

func (r *rauc) Inspect(_ context.Context, path string) (Bundle, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seemPath = path
	if r.inspect != nil {
		if err := r.inspect(path); err != nil {
			return Bundle{}, err
		}
	}
	return r.bundle, r.broken
}

func (r *rauc) Install(ctx context.Context, path string, told func(Progress)) error {
	r.mu.Lock()
	r.asked++
	install, err := r.install, r.broken
	r.mu.Unlock()
	if err != nil {
		return err
	}
	if install != nil {
		return install(ctx, path, told)
	}
	r.finish()
	return nil
}

// finish is RAUC's last step: the other slot is the next to start.
func (r *rauc) finish() {
	r.with(func() {
		r.next, r.slots[1].Activated, r.slots[1].Version = "B", time.Now().Truncate(time.Second), r.bundle.Version
	})
}

// take is the time that a question takes, after those that came before: RAUC goes on also when nobody waits any more.
func (r *rauc) take(ctx context.Context) error {
	if r.slow == 0 {
		return r.err()
	}
	done := make(chan struct{})
	go func() {
		<-r.free
		time.Sleep(r.slow)
		r.free <- struct{}{}
		close(done)
	}()
	select {
	case <-done:
		return r.err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *rauc) Slots(ctx context.Context) ([]Slot, error) {
	if err := r.take(ctx); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Slot(nil), r.slots...), nil
}

func (r *rauc) Compatible(context.Context) (string, error) { return "plenum-x86_64", r.err() }

func (r *rauc) Primary(ctx context.Context) (string, error) {
	if err := r.take(ctx); err != nil {
		return "", err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.slots {
		if s.Bootname == r.next {
			return s.Name, nil
		}
	}
	return "", nil
}

// shelf is a disk in memory.
type shelf struct {
	mu    sync.Mutex
	files map[string][]byte
	err   error // what writing and removing answer
}

func (d *shelf) read(name string) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	raw, ok := d.files[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return raw, nil
}

func (d *shelf) write(name string, raw []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.files[name] = raw
	}
	return d.err
}

func (d *shelf) remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		delete(d.files, name)
	}
	return d.err
}

func (d *shelf) has(name string) bool {
	_, err := d.read(name)
	return err == nil
}

func (d *shelf) fails(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
}

// house is a box with an Updater.
type house struct {
	t       *testing.T
	u       *Updater
	rauc    *rauc
	disk    *shelf
	opt     Options
	sitting error
	stop    func()
	reboots int
	inside  sync.WaitGroup  // Inserts
	ctx     context.Context // of this life
}

var errSitting = errors.New("a sitting is open")

func newHouse(t *testing.T, change ...func(*house)) *house {
	t.Helper()
	h := &house{t: t, rauc: healthy(), disk: &shelf{files: map[string][]byte{}}}
	h.opt = Options{
		Release: Release{Version: "1.2.0", Compatible: "plenum-x86_64", Slot: "A"},
		Live:    func() []string { return []string{"desk/saal", "camera/Totale"} },
		Allowed: func() error { return h.sitting },
		Reboot:  func(context.Context) error { h.reboots++; return nil },
	}
	for _, c := range change {
		c(h)
	}
	h.start()
	return h
}

// start begins a life of the daemon.
func (h *house) start() {
	h.opt.Installer = h.rauc
	h.u = open(h.opt, h.disk)
	ctx, cancel := context.WithCancel(h.t.Context())
	h.ctx = ctx
	ended := make(chan error, 1)
	go func() { ended <- h.u.Run(ctx) }()
	h.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			h.t.Error(err)
		}
		h.inside.Wait()
	}
	synctest.Wait()
}

// plugged is a stick in the box.
type plugged struct {
	medium stick.Medium
	cancel context.CancelCauseFunc
	ended  chan struct{} // closed when Insert has returned
}

// plug puts a stick with files in; each holds its own name.
func (h *house) plug(id string, files ...string) *plugged {
	h.t.Helper()
	dir := h.t.TempDir()
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f), []byte(f), 0o600); err != nil {
			h.t.Fatal(err)
		}
	}
	return h.insert(stick.Medium{ID: id, Kind: stick.Update, Path: dir, ReadOnly: true})
}

func (h *house) insert(m stick.Medium) *plugged {
	ctx, cancel := context.WithCancelCause(h.ctx)
	p := &plugged{m, cancel, make(chan struct{})}
	u := h.u
	h.inside.Go(func() {
		defer close(p.ended)
		u.Insert(ctx, m)
	})
	synctest.Wait()
	return p
}

// pull takes a stick out, as the watcher of sticks tells it.
func (h *house) pull(p *plugged) {
	p.cancel(stick.ErrPulled)
	<-p.ended
	h.u.Remove(p.medium.ID)
	synctest.Wait()
}

// free reports whether the stick may be unmounted.
func (p *plugged) free() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

func (h *house) want(s State, r Reason) View {
	h.t.Helper()
	synctest.Wait()
	v := h.u.View()
	if v.State != s || v.Reason != r || v.DE == "" || v.EN == "" {
		h.t.Fatalf("wanted %s %s, got %+v", s, r, v)
	}
	return v
}

// bubble runs a test in fake time, and ends the box with it.
func bubble(t *testing.T, test func(t *testing.T, h *house), change ...func(*house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, change...)
		test(t, h)
		h.stop()
	})
}

// pass lets time pass until everything has come to rest.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
