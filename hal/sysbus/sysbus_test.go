package sysbus

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"

	"plenum/hal/sysbus/fake"
)

func TestSockets(t *testing.T) {
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "")
	for _, tt := range []struct {
		address string
		want    []string
	}{
		{"", []string{"/run/dbus/system_bus_socket"}},
		{"unix:path=/tmp/bus,guid=12", []string{"/tmp/bus"}},
		{"unix:guid=12,abstract=/tmp/dbus-x", []string{"@/tmp/dbus-x"}},
		{"unix:path=/tmp/a%20b;tcp:host=x;unix:path=/c", []string{"/tmp/a b", "/c"}},
		{"tcp:host=localhost,port=1", nil},
		{"unix:path=", nil},
		{"unix:path=/a%2", nil},
		{"rubbish", nil},
	} {
		got, err := sockets(tt.address)
		if diff := cmp.Diff(tt.want, got); diff != "" || (err != nil) != (tt.want == nil) {
			t.Errorf("%q: %v %s", tt.address, err, diff)
		}
	}
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/elsewhere")
	if got, _ := sockets(""); len(got) != 1 || got[0] != "/elsewhere" {
		t.Error(got)
	}
}

func TestNoBus(t *testing.T) {
	b := New(Options{Address: "unix:path=/nowhere/bus"})
	if _, err := b.Volumes(t.Context()); !errors.Is(err, ErrAbsent) || !mentions(err, "not connected yet") {
		t.Fatal(err)
	}
	b = run(t, Options{Address: "unix:path=/nowhere/bus"}, nil)
	until(t, b, "reason", func() bool { return b.Services()[0].Reason != "not connected yet" })
	_, err := b.Inspect(t.Context(), "/x")
	for name, err := range map[string]error{"Inspect": err, "Install": b.Install(t.Context(), "/x", nil), "Reboot": b.Reboot(t.Context()),
		"StartUnit": b.StartUnit(t.Context(), "x.service"), "Unmount": b.Unmount(t.Context(), "sdb1")} {
		if !errors.Is(err, ErrAbsent) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, s := range b.Services() {
		if s.Present || s.Reason == "" {
			t.Errorf("%+v", s)
		}
	}
	if err := b.Run(t.Context()); !errors.Is(err, ErrRunning) {
		t.Error(err)
	}
}

func TestServicesComeAndGo(t *testing.T) {
	bus := startBus(t)
	b := connect(t, Options{Address: bus.Address()}, nil)
	until(t, b, "word on rauc", func() bool { _, why := present(b, "rauc"); return why != "" })
	r := closer[*fake.RAUC](t)(fake.ServeRAUC(bus.Address(), "plenum-x86_64", false))
	until(t, b, "rauc", func() bool { ok, _ := present(b, "rauc"); return ok })
	if got := check[string](t)(b.Compatible(t.Context())); got != "plenum-x86_64" {
		t.Fatal(got)
	}
	r.Close()
	until(t, b, "end of rauc", func() bool { ok, _ := present(b, "rauc"); return !ok })
	if _, err := b.Compatible(t.Context()); !errors.Is(err, ErrAbsent) {
		t.Fatal(err)
	}
	if ok, why := present(b, "bus"); !ok || why != "" {
		t.Fatal(ok, why)
	}
	if ok, why := present(b, "timedate1"); ok || why == "" {
		t.Fatal(ok, why)
	}
}

func TestBusRestart(t *testing.T) {
	bus := startBus(t)
	closer[*fake.RAUC](t)(fake.ServeRAUC(bus.Address(), "plenum-x86_64", false))
	b := connect(t, Options{Address: bus.Address()}, nil)
	for range 3 {
		if err := bus.Restart(); err != nil {
			t.Fatal(err)
		}
		until(t, b, "connection without rauc", func() bool { ok, _ := present(b, "rauc"); return b.Services()[0].Present && !ok })
		r := closer[*fake.RAUC](t)(fake.ServeRAUC(bus.Address(), "plenum-x86_64", false))
		until(t, b, "rauc", func() bool { ok, _ := present(b, "rauc"); return ok })
		check[string](t)(b.Compatible(t.Context()))
		r.Close()
	}
	bus.Stop()
	until(t, b, "end of the bus", func() bool { return !b.Services()[0].Present })
	if _, err := b.Compatible(t.Context()); !errors.Is(err, ErrAbsent) {
		t.Fatal(err)
	}
}

// A bus that is there but answers nobody is as good as none; calls that wait get an error, and it comes back.
func TestBusFreezes(t *testing.T) {
	bus := startBus(t)
	r := closer[*fake.RAUC](t)(fake.ServeRAUC(bus.Address(), "plenum-x86_64", false))
	b := connect(t, Options{Address: bus.Address()}, func(l *limits) { l.own, l.connect = 2*time.Second, 2*time.Second })
	until(t, b, "rauc", func() bool { ok, _ := present(b, "rauc"); return ok })
	release := r.Hang("GetSlotStatus")
	defer release()
	waiting := make(chan error, 1)
	go func() {
		_, err := b.Slots(t.Context()) // slow: without the bus it would wait for minutes
		waiting <- err
	}()
	if err := bus.Freeze(); err != nil {
		t.Fatal(err)
	}
	// More than the socket holds: also a caller who is stuck in writing must come free.
	for range 20 {
		go func() { _ = b.Mark(t.Context(), "good", string(make([]byte, 64<<10))) }()
	}
	until(t, b, "notice", func() bool { return !b.Services()[0].Present })
	if err := <-waiting; !errors.Is(err, ErrAbsent) {
		t.Fatal(err)
	}
	if err := bus.Thaw(); err != nil {
		t.Fatal(err)
	}
	until(t, b, "answer", func() bool { _, err := b.Compatible(t.Context()); return err == nil })
}

func TestActivation(t *testing.T) {
	bus := startBus(t)
	self := check[string](t)(os.Executable())
	for name, command := range map[string][]string{
		disksName: {"/usr/bin/env", serveOnly + "=" + disksName, self},
		raucName:  {"/bin/false"},
		timeName:  {"/bin/false"},
	} {
		if err := bus.Activate(name, command...); err != nil {
			t.Fatal(err)
		}
	}
	if err := bus.Restart(); err != nil {
		t.Fatal(err)
	}
	b := connect(t, Options{Address: bus.Address()}, nil)
	until(t, b, "word on rauc", func() bool { ok, _ := present(b, "rauc"); return !ok })
	until(t, b, "udisks2", func() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.services[disksName].owner != "" })
	if ok, why := present(b, "udisks2"); !ok {
		t.Error(why)
	}
	if ok, why := present(b, "timedate1"); !ok { // nobody has tried it
		t.Error(why)
	}
	if _, err := b.Clock(t.Context()); !errors.Is(err, ErrAbsent) {
		t.Error(err)
	}
	if ok, why := present(b, "timedate1"); ok || why == "" {
		t.Error("a failed start counts as present")
	}
	h := closer[*fake.Host](t)(fake.ServeHost(bus.Address(), "box"))
	until(t, b, "timedate1", func() bool { ok, _ := present(b, "timedate1"); return ok })
	h.Close()
}

// A service that hangs is in trouble, and is asked until it answers again.
func TestServiceHangs(t *testing.T) {
	bus := startBus(t)
	h := closer[*fake.Host](t)(fake.ServeHost(bus.Address(), "box"))
	b := connect(t, Options{Address: bus.Address()}, func(l *limits) { l.call = 500 * time.Millisecond })
	release := h.Clock.Hang("GetAll")
	_, err := b.Clock(t.Context())
	if !errors.Is(err, ErrAbsent) || !mentions(err, "no answer within") {
		t.Fatal(err)
	}
	release()
	h.Clock.Restore("GetAll")
	until(t, b, "timedate1", func() bool { ok, _ := present(b, "timedate1"); return ok })
	h.Clock.Vanish("GetAll")
	if _, err := b.Clock(t.Context()); !errors.Is(err, ErrAbsent) {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Clock(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, ErrAbsent) {
		t.Fatal(err)
	}
}

func TestRefusals(t *testing.T) {
	bus := startBus(t)
	l := closer[*fake.Login](t)(fake.ServeLogin(bus.Address(), t.TempDir()))
	b := connect(t, Options{Address: bus.Address()}, nil)
	for _, name := range []string{"org.freedesktop.DBus.Error.AccessDenied", "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
		"org.freedesktop.PolicyKit1.Error.NotAuthorized"} {
		l.Refuse("Reboot", name)
		if err := b.Reboot(t.Context()); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	l.Refuse("Reboot", "org.freedesktop.DBus.Error.Failed")
	if err := b.Reboot(t.Context()); err == nil || errors.Is(err, ErrRefused) || errors.Is(err, ErrAbsent) {
		t.Error(err)
	}
	if ok, why := present(b, "login1"); !ok {
		t.Error(why) // who refuses is there
	}
}

// Signals of anybody but the service itself are nothing.
func TestForeignSignals(t *testing.T) {
	bus := startBus(t)
	closer[*fake.Disks](t)(fake.ServeDisks(bus.Address(), t.TempDir()))
	liar := closer[*fake.Service](t)(fake.Serve(bus.Address(), "org.example.Liar", func(c fake.Call) ([]any, error) { return nil, fake.Unknown(c) }))
	b := connect(t, Options{Address: bus.Address()}, nil)
	l := check[*link](t)(b.connected())
	heard := make(chan struct{}, 1)
	rule := "type='signal',interface='org.freedesktop.DBus.ObjectManager'"
	check[[]any](t)(l.call(t.Context(), theBus(), time.Minute, busName+".AddMatch", rule))
	changed, stop := b.Watch()
	defer stop()
	<-changed
	l.ears.listen(func(*dbus.Signal) { pulse(heard) }) // after the ear of the Bus itself, or before: the lock covers both
	if err := liar.Emit("/org/freedesktop/UDisks2", "org.freedesktop.DBus.ObjectManager.InterfacesAdded"); err != nil {
		t.Fatal(err)
	}
	<-heard
	l.ears.listen(func(*dbus.Signal) {})() // when this returns the signal has been through all ears
	select {
	case <-changed:
		t.Fatal("a foreign signal was believed")
	default:
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{"": "", " a\n\tb ": "a b", "\x1b[31mred\x00": "[31mred", "Grün\xff": "Grün", "–": "–"} {
		if got := clean(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
	if got := clean(string(make([]byte, 1000))); got != "" {
		t.Errorf("%q", got)
	}
	if got := []rune(clean(fmt.Sprintf("%01000d", 7))); len(got) != maxText+1 {
		t.Error(len(got))
	}
}
