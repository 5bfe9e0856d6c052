package service

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"plenum/device/access"
	"plenum/device/diag"
	"plenum/device/health"
	"plenum/device/setup"
	"plenum/device/stick"
	"plenum/device/update"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// box is the machine, with everything that was ordered of it.
type box struct {
	mu   sync.Mutex
	did  []string
	fail error
}

func (b *box) do(what string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.did = append(b.did, what)
	return b.fail
}

func (b *box) Restart(context.Context) error { return b.do("restart") }
func (b *box) Reset(context.Context) error   { return b.do("reset") }
func (b *box) Name() string                  { return "saal-1" }
func (b *box) Refused() []Refused            { return nil }
func (b *box) Technician(_ context.Context, on bool) error {
	if on {
		return b.do("technician on")
	}
	return b.do("technician off")
}

func (b *box) ordered() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.did)
}

// nothing is drives and RAUC of a box without either.
type nothing struct{}

func (nothing) Volumes(context.Context) ([]stick.Volume, error)     { return nil, nil }
func (nothing) Watch() (<-chan struct{}, func())                    { return make(chan struct{}), func() {} }
func (nothing) Mount(context.Context, string, bool) (string, error) { return "", update.ErrGone }
func (nothing) Unmount(context.Context, string) error               { return nil }
func (nothing) Inspect(context.Context, string) (update.Bundle, error) {
	return update.Bundle{}, update.ErrAbsent
}
func (nothing) Install(context.Context, string, func(update.Progress)) error { return update.ErrAbsent }
func (nothing) Slots(context.Context) ([]update.Slot, error)                 { return nil, update.ErrAbsent }
func (nothing) Compatible(context.Context) (string, error)                   { return "", update.ErrAbsent }
func (nothing) Primary(context.Context) (string, error)                      { return "", update.ErrAbsent }

type room struct {
	*Service
	box  *box
	open atomic.Bool
	late atomic.Bool // a sitting opens after the next look whether one is open
}

func (r *room) sitting() bool {
	if r.late.CompareAndSwap(true, false) {
		r.open.Store(true)
		return false
	}
	return r.open.Load()
}

func newRoom(t *testing.T) *room {
	t.Helper()
	dir := t.TempDir()
	owner, err := access.OpenOwner(dir, access.Options{Hash: access.Hash{Memory: 64, Rounds: 1, Threads: 1}})
	if err != nil {
		t.Fatal(err)
	}
	r := &room{box: &box{}}
	r.Service, err = New(Options{
		Owner: owner, Sticks: stick.New(stick.Options{Mounter: nothing{}}), Conditions: health.NewConditions(nil),
		Updates: update.New(update.Options{Installer: nothing{}, Dir: filepath.Join(dir, "update"), Release: update.Release{Version: "1.0.0"}}),
		Setup:   setup.New(setup.Options{Dir: dir}), Diagnosis: diag.New(diag.Options{Host: "saal-1"}),
		System: r.box, Open: r.sitting,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const pin = "271828"

func TestOrders(t *testing.T) {
	orders := map[string]func(*room, string) error{
		"install":    func(r *room, pin string) error { return r.Install(t.Context(), pin) },
		"reboot":     func(r *room, pin string) error { return r.Reboot(t.Context(), pin) },
		"setup":      func(r *room, pin string) error { return r.Setup(t.Context(), pin) },
		"technician": func(r *room, pin string) error { return r.Technician(t.Context(), pin, true) },
		"reset":      func(r *room, pin string) error { return r.Reset(t.Context(), pin, "saal-1") },
	}
	want := map[string]struct {
		err error
		did []string
	}{
		"install":    {err: ErrNothingOffered},
		"reboot":     {did: []string{"restart"}},
		"setup":      {err: ErrNothingOffered},
		"technician": {did: []string{"technician on"}},
		"reset":      {did: []string{"reset"}},
	}
	for name, order := range orders {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t)
			if err := order(r, pin); !errors.Is(err, ErrNoOwner) {
				t.Error("before anybody owns the box:", err)
			}
			if err := r.SetOwner(t.Context(), "", pin, true); err != nil {
				t.Fatal(err)
			}
			if err := order(r, "314159"); !errors.Is(err, ErrWrongPIN) {
				t.Error("with a wrong PIN:", err)
			}
			r.open.Store(true)
			if err := order(r, pin); !errors.Is(err, ErrSittingOpen) {
				t.Error("in a sitting:", err)
			}
			r.open.Store(false)
			r.late.Store(true)
			if err := order(r, pin); !errors.Is(err, ErrSittingOpen) {
				t.Error("a sitting opens while the PIN is checked:", err)
			}
			if did := r.box.ordered(); len(did) != 0 {
				t.Fatal("it was done all the same:", did)
			}
			r.open.Store(false)
			if err := order(r, pin); !errors.Is(err, want[name].err) || !slices.Equal(r.box.ordered(), want[name].did) {
				t.Errorf("%v %v", err, r.box.ordered())
			}
		})
	}
}

func TestOwner(t *testing.T) {
	r := newRoom(t)
	told := 0
	r.opts.Changed = func() { told++ }
	if err := r.SetOwner(t.Context(), "", pin, false); !errors.Is(err, ErrNotLocal) {
		t.Error("the first one from afar:", err)
	}
	if err := r.SetOwner(t.Context(), "", "111111", true); !errors.Is(err, access.ErrWeakPIN) {
		t.Error(err)
	}
	if err := r.SetOwner(t.Context(), "", pin, true); err != nil || !r.HasOwner() || told != 1 {
		t.Fatal(err, told)
	}
	if err := r.SetOwner(t.Context(), "", "314159", true); !errors.Is(err, ErrOwnerSet) {
		t.Error("again without the old one:", err)
	}
	if err := r.SetOwner(t.Context(), pin, "314159", false); err != nil {
		t.Error("from afar with the old one:", err)
	}
}

// Whoever guesses the owner's PIN from afar waits for it, and the technician at the box itself does not.
func TestGuessesFromAfar(t *testing.T) {
	r := newRoom(t)
	if err := r.SetOwner(t.Context(), "", pin, true); err != nil {
		t.Fatal(err)
	}
	afar := From(t.Context(), netip.MustParseAddr("192.0.2.10"))
	for i := range 4 {
		err := r.Reset(afar, "314159", "saal-1")
		if many := errors.As(err, new(*access.TooManyError)); many != (i == 3) || !many && !errors.Is(err, ErrWrongPIN) {
			t.Errorf("guess %d: %v", i+1, err)
		}
	}
	if err := r.SetOwner(afar, "314159", "402917", false); !errors.As(err, new(*access.TooManyError)) {
		t.Error("another way to guess:", err)
	}
	if err := r.Technician(t.Context(), pin, true); err != nil {
		t.Error("at the box itself:", err)
	}
}

// A reset of the wrong box is refused, and so is one whose name nobody typed.
func TestConfirm(t *testing.T) {
	r := newRoom(t)
	if err := r.SetOwner(t.Context(), "", pin, true); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "saal-2", "SAAL-1"} {
		if err := r.Reset(t.Context(), pin, name); !errors.Is(err, ErrConfirm) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// Technician mode ends by its time, when a sitting opens and with the daemon; and it is off at every start, tried until
// the bus is there.
func TestTechnicianMode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		r.box.fail = errors.New("no bus yet")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		time.Sleep(3500 * time.Millisecond)
		r.box.mu.Lock()
		if len(r.box.did) < 3 {
			t.Error("it was not tried again:", r.box.did)
		}
		r.box.did, r.box.fail = nil, nil
		r.box.mu.Unlock()
		time.Sleep(time.Second)
		if err := r.SetOwner(ctx, "", pin, true); err != nil {
			t.Fatal(err)
		}
		on := func() {
			t.Helper()
			r.box.mu.Lock()
			r.box.did = nil
			r.box.mu.Unlock()
			if err := r.Technician(ctx, pin, true); err != nil || !r.mode().On {
				t.Fatal(err)
			}
		}
		off := func(when string) {
			t.Helper()
			if r.mode().On || !slices.Equal(r.box.ordered(), []string{"technician on", "technician off"}) {
				t.Errorf("%s: %v %v", when, r.mode(), r.box.ordered())
			}
		}
		on()
		time.Sleep(29 * time.Minute)
		if !r.mode().On {
			t.Error("too early")
		}
		time.Sleep(2 * time.Minute)
		off("after its time")
		on()
		r.open.Store(true)
		time.Sleep(2 * time.Second)
		off("in a sitting")
		r.open.Store(false)
		on()
		if err := r.Technician(ctx, pin, false); err != nil {
			t.Error(err)
		}
		off("by hand")
		on()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		off("with the daemon")
	})
}
