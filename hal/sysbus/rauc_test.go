package sysbus

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"

	"plenum/hal/sysbus/fake"
)

// installer is a bus with RAUC.
func installer(t *testing.T, old bool, change func(*limits)) (*Bus, *fake.RAUC, *fake.Bus) {
	t.Helper()
	bus := startBus(t)
	r := closer[*fake.RAUC](t)(fake.ServeRAUC(bus.Address(), "plenum-x86_64", old))
	b := connect(t, Options{Address: bus.Address()}, change)
	until(t, b, "rauc", func() bool { ok, _ := present(b, "rauc"); return ok })
	return b, r, bus
}

func TestInspect(t *testing.T) {
	good := fake.Bundle{Compatible: "plenum-x86_64", Version: "1.3.0", Description: "Notes:\none\ttwo", Build: "2026-11-20"}
	b, r, _ := installer(t, false, nil)
	r.Put("/good", good)
	r.Put("/foreign", fake.Bundle{Refusal: "signature verification failed: self-signed certificate"})
	want := Bundle{Compatible: "plenum-x86_64", Version: "1.3.0", Description: "Notes: one two", Build: "2026-11-20"}
	if diff := cmp.Diff(want, check[Bundle](t)(b.Inspect(t.Context(), "/good"))); diff != "" {
		t.Error(diff)
	}
	if _, err := b.Inspect(t.Context(), "/foreign"); !mentions(err, "signature verification failed") || errors.Is(err, ErrAbsent) {
		t.Error(err)
	}
	b, r, _ = installer(t, true, nil)
	r.Put("/good", good)
	if diff := cmp.Diff(Bundle{Compatible: "plenum-x86_64", Version: "1.3.0"}, check[Bundle](t)(b.Inspect(t.Context(), "/good"))); diff != "" {
		t.Error(diff)
	}
	if _, err := b.Inspect(t.Context(), "/foreign"); !mentions(err, "rauc info error") {
		t.Error(err)
	}
	r.Answer("Info", "plenum")
	if _, err := b.Inspect(t.Context(), "/good"); !errors.Is(err, errGarbage) {
		t.Error(err)
	}
	r.Answer("Info", "plenum", uint32(7))
	if _, err := b.Inspect(t.Context(), "/good"); !errors.Is(err, errGarbage) {
		t.Error(err)
	}
}

func TestInspectGarbage(t *testing.T) {
	b, r, _ := installer(t, false, nil)
	for name, answer := range map[string][]any{
		"nothing": {}, "a text": {"x"}, "no update": {props{}},
		"update is a number":  {props{"update": dbus.MakeVariant(uint32(1))}},
		"version is a number": {props{"update": dbus.MakeVariant(props{"version": dbus.MakeVariant(uint32(66))})}},
	} {
		r.Answer("InspectBundle", answer...)
		if got, err := b.Inspect(t.Context(), "/x"); !errors.Is(err, errGarbage) {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
}

func TestSlots(t *testing.T) {
	b, r, _ := installer(t, false, nil)
	want := []Slot{
		{Name: "rootfs.0", Bootname: "A", Device: "/dev/disk/by-partlabel/rootfs-a", Booted: true, Good: true},
		{Name: "rootfs.1", Bootname: "B", Device: "/dev/disk/by-partlabel/rootfs-b", Version: "1.2.0",
			Installed: time.Date(2026, 11, 20, 8, 30, 0, 0, time.UTC), Activated: time.Date(2026, 11, 20, 8, 31, 0, 0, time.UTC)},
	}
	if diff := cmp.Diff(want, check[[]Slot](t)(b.Slots(t.Context()))); diff != "" {
		t.Error(diff)
	}
	if got := check[string](t)(b.Primary(t.Context())); got != "rootfs.0" {
		t.Error(got)
	}
	if got := check[string](t)(b.Compatible(t.Context())); got != "plenum-x86_64" {
		t.Error(got)
	}
	if err := b.Mark(t.Context(), "good", "booted"); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]any{"good", "booted"}, r.Calls("Mark")[0].Args); diff != "" {
		t.Error(diff)
	}
	r.Refuse("Mark", "org.freedesktop.DBus.Error.AccessDenied")
	if err := b.Mark(t.Context(), "good", "booted"); !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
	r.Answer("GetPrimary", uint32(7))
	if _, err := b.Primary(t.Context()); !errors.Is(err, errGarbage) {
		t.Error(err)
	}
	for name, answer := range map[string]any{
		"a text": "x", "texts": []string{"x"}, "short rows": []struct{ Name string }{{"rootfs.0"}},
		"a number for a name": []struct {
			Name   uint32
			Status props
		}{{1, props{}}},
		"a number for a version": []fake.Slot{{Name: "rootfs.0", Status: props{"bundle.version": dbus.MakeVariant(uint32(1))}}},
		"no properties":          []struct{ Name, Status string }{{"rootfs.0", "good"}},
	} {
		r.Answer("GetSlotStatus", answer)
		if got, err := b.Slots(t.Context()); !errors.Is(err, errGarbage) {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
	r.SetSlots("rootfs.0", fake.Slot{Name: "rootfs.0", Status: props{"installed.timestamp": dbus.MakeVariant("yesterday")}})
	r.Restore("GetSlotStatus")
	if got := check[[]Slot](t)(b.Slots(t.Context())); !got[0].Installed.IsZero() {
		t.Error(got)
	}
}

// RAUC says that it is busy for a moment after it said Completed.
func TestRAUCIsBusy(t *testing.T) {
	b, r, _ := installer(t, false, nil)
	var busy atomic.Int32 // how often it says so
	busy.Store(3)
	r.AnswerBy("GetSlotStatus", func() ([]any, error) {
		if busy.Add(-1) >= 0 {
			return nil, fake.Error("org.gtk.GDBus.UnmappedGError", "already processing a different method")
		}
		return []any{[]fake.Slot{{Name: "rootfs.0", Status: props{}}}}, nil
	})
	if got := check[[]Slot](t)(b.Slots(t.Context())); len(got) != 1 || busy.Load() != -1 {
		t.Error(got, busy.Load())
	}
	busy.Store(1000)
	if _, err := b.Slots(t.Context()); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
}

func TestInstall(t *testing.T) {
	b, r, _ := installer(t, false, nil)
	r.OnInstall(func(path string) {
		for _, p := range []int{0, 40, 80, 100, 170} {
			_ = r.Progress(p, path+" copying")
		}
		_ = r.Complete(0, "")
	})
	var last Progress
	if err := b.Install(t.Context(), "/good", func(p Progress) { last = p }); err != nil {
		t.Fatal(err)
	}
	if want := (Progress{100, "/good copying"}); last != want {
		t.Errorf("%+v", last)
	}
	r.OnInstall(func(string) {
		_ = r.Changed("/", raucFace, props{"Progress": dbus.MakeVariant("half"), "Operation": dbus.MakeVariant(int32(1))})
		_ = r.Changed("/", raucFace, props{"Progress": dbus.MakeVariant(struct{ A, B, C string }{})})
		_ = r.Complete(1, "Installation error: no space\nleft on device")
	})
	err := b.Install(t.Context(), "/full", nil)
	if !mentions(err, "no space left on device") || errors.Is(err, ErrAbsent) {
		t.Fatal(err)
	}
	r.OnInstall(func(string) { _ = r.Complete(1, "") })
	if err := b.Install(t.Context(), "/x", nil); !mentions(err, "does not say why") {
		t.Fatal(err)
	}
	r.Refuse("InstallBundle", "org.freedesktop.DBus.Error.AccessDenied")
	if err := b.Install(t.Context(), "/x", nil); !errors.Is(err, ErrRefused) {
		t.Fatal(err)
	}
	r.Set("Operation", "installing")
	if err := b.Install(t.Context(), "/x", nil); !errors.Is(err, ErrBusy) {
		t.Fatal(err)
	}
	r.Set("Operation", uint32(65))
	if err := b.Install(t.Context(), "/x", nil); !errors.Is(err, errGarbage) {
		t.Fatal(err)
	}
}

// Whatever happens to RAUC, Install ends.
func TestInstallEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(r *fake.RAUC, bus *fake.Bus)
		want error
		text string
	}{
		{"RAUC dies", func(r *fake.RAUC, _ *fake.Bus) { r.Close() }, ErrAbsent, ""}, // before or after it has answered
		{"the bus is started anew", func(_ *fake.RAUC, bus *fake.Bus) { _ = bus.Restart() }, ErrAbsent, "bus went away"},
		{"the bus dies", func(_ *fake.RAUC, bus *fake.Bus) { bus.Stop() }, ErrAbsent, "bus went away"},
		{"RAUC hangs", func(r *fake.RAUC, _ *fake.Bus) { r.Hang("Get") }, ErrAbsent, "does not answer any more"},
		{"RAUC is idle and said nothing", func(r *fake.RAUC, _ *fake.Bus) { r.Set("LastError", "lost"); r.Set("Operation", "idle") }, ErrAbsent, "without a result: lost"},
		{"nonsense for a result", func(r *fake.RAUC, _ *fake.Bus) { _ = r.Emit("/", raucFace+".Completed", "well") }, errGarbage, ""},
		{"no result in it", func(r *fake.RAUC, _ *fake.Bus) { _ = r.Emit("/", raucFace+".Completed") }, errGarbage, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, r, bus := installer(t, false, func(l *limits) {
				if tt.name == "RAUC hangs" {
					l.call = 500 * time.Millisecond
				}
			})
			started := make(chan struct{})
			r.OnInstall(func(string) { close(started) })
			end := make(chan error, 1)
			go func() { end <- b.Install(t.Context(), "/x", nil) }()
			<-started
			tt.do(r, bus)
			if err := <-end; !errors.Is(err, tt.want) || !mentions(err, tt.text) {
				t.Fatal(err)
			}
		})
	}
	t.Run("nobody waits any more", func(t *testing.T) {
		b, r, _ := installer(t, false, nil)
		ctx, cancel := context.WithCancel(t.Context())
		r.OnInstall(func(string) { cancel() })
		if err := b.Install(ctx, "/x", nil); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	})
	t.Run("RAUC dies in mid-call", func(t *testing.T) {
		b, r, _ := installer(t, false, nil)
		r.Vanish("InstallBundle")
		if err := b.Install(t.Context(), "/x", nil); !errors.Is(err, ErrAbsent) {
			t.Fatal(err)
		}
	})
}

// Somebody who says that RAUC is done is not believed.
func TestInstallForged(t *testing.T) {
	b, r, bus := installer(t, false, nil)
	liar := closer[*fake.Service](t)(fake.Serve(bus.Address(), "org.example.Liar", func(c fake.Call) ([]any, error) { return nil, fake.Unknown(c) }))
	l := check[*link](t)(b.connected())
	check[[]any](t)(l.call(t.Context(), theBus(), time.Minute, busName+".AddMatch", "type='signal',interface='"+raucFace+"'"))
	r.OnInstall(func(string) {
		_ = liar.Emit("/", raucFace+".Completed", int32(0))
		_ = liar.Emit("/", raucFace+".Completed", int32(0))
		_ = r.Complete(1, "it failed")
	})
	if err := b.Install(t.Context(), "/x", nil); !mentions(err, "it failed") {
		t.Fatal(err)
	}
}
