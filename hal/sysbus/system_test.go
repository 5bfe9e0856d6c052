package sysbus

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"

	"plenum/hal/sysbus/fake"
)

func TestStartUnit(t *testing.T) {
	bus := startBus(t)
	s := closer[*fake.Systemd](t)(fake.ServeSystemd(bus.Address()))
	b := connect(t, Options{Address: bus.Address()}, nil)
	if err := b.StartUnit(t.Context(), "plenum-usb.service"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]any{"plenum-usb.service", "replace"}, s.Calls("StartUnit")[0].Args); diff != "" {
		t.Error(diff)
	}
	s.SetResult("bad.service", "failed")
	if err := b.StartUnit(t.Context(), "bad.service"); !mentions(err, `"failed"`) {
		t.Error(err)
	}
	s.SetResult("slow.service", "")
	end := make(chan error, 1)
	go func() { end <- b.StartUnit(t.Context(), "slow.service") }()
	for len(s.Calls("StartUnit")) < 3 {
		time.Sleep(time.Millisecond)
	}
	for _, e := range []error{s.Finish(2, "slow.service", "failed"), s.Finish(3, "other.service", "failed"), s.Finish(3, "slow.service", "done")} {
		if e != nil {
			t.Fatal(e)
		}
	}
	if err := <-end; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := b.StartUnit(ctx, "slow.service"); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	s.Refuse("StartUnit", "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired")
	if err := b.StartUnit(t.Context(), "x.service"); !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
	s.Refuse("StartUnit", "org.freedesktop.systemd1.NoSuchUnit")
	if err := b.StartUnit(t.Context(), "x.service"); !errors.Is(err, ErrAbsent) {
		t.Error(err)
	}
	if ok, why := present(b, "systemd"); !ok {
		t.Error(why) // it is the unit that is missing
	}
	s.Answer("StartUnit", "/job/1")
	if err := b.StartUnit(t.Context(), "x.service"); !errors.Is(err, errGarbage) {
		t.Error(err)
	}
}

func TestStartUnitEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(*fake.Systemd, *fake.Bus)
		job  time.Duration
		want error
	}{
		{"systemd is started anew", func(s *fake.Systemd, _ *fake.Bus) { s.Close() }, time.Hour, ErrAbsent},
		{"the bus dies", func(_ *fake.Systemd, bus *fake.Bus) { bus.Stop() }, time.Hour, ErrAbsent},
		{"the job never ends", func(*fake.Systemd, *fake.Bus) {}, 200 * time.Millisecond, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bus := startBus(t)
			s := closer[*fake.Systemd](t)(fake.ServeSystemd(bus.Address()))
			b := connect(t, Options{Address: bus.Address()}, func(l *limits) { l.job = tt.job })
			s.SetResult("slow.service", "")
			end := make(chan error, 1)
			go func() { end <- b.StartUnit(t.Context(), "slow.service") }()
			for len(s.Calls("StartUnit")) == 0 {
				time.Sleep(time.Millisecond)
			}
			tt.do(s, bus)
			if err := <-end; err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Fatal(err)
			}
		})
	}
}

func TestInhibit(t *testing.T) {
	bus := startBus(t)
	l := closer[*fake.Login](t)(fake.ServeLogin(bus.Address(), t.TempDir()))
	t.Cleanup(l.Free)
	b := connect(t, Options{Address: bus.Address()}, nil)
	release := check[func()](t)(b.Inhibit(t.Context(), "shutdown:sleep", "a sitting is open"))
	if diff := cmp.Diff([]any{"shutdown:sleep", "plenum", "a sitting is open", "block"}, l.Calls("Inhibit")[0].Args); diff != "" {
		t.Error(diff)
	}
	if n := l.Held(); n != 1 {
		t.Fatal(n)
	}
	if err := bus.Restart(); err != nil { // the lock is not the bus's
		t.Fatal(err)
	}
	if n := l.Held(); n != 1 {
		t.Fatal(n)
	}
	release()
	release()
	if n := l.Held(); n != 0 {
		t.Fatal(n)
	}
	l2 := closer[*fake.Login](t)(fake.ServeLogin(bus.Address(), t.TempDir()))
	t.Cleanup(l2.Free)
	until(t, b, "login1", func() bool { ok, _ := present(b, "login1"); return ok })
	l2.Refuse("Inhibit", "org.freedesktop.DBus.Error.AccessDenied")
	if _, err := b.Inhibit(t.Context(), "shutdown", "x"); !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
	l2.Answer("Inhibit", uint32(3))
	if _, err := b.Inhibit(t.Context(), "shutdown", "x"); !errors.Is(err, errGarbage) {
		t.Error(err)
	}
	l2.Vanish("Inhibit")
	if _, err := b.Inhibit(t.Context(), "shutdown", "x"); !errors.Is(err, ErrAbsent) {
		t.Error(err)
	}
}

// A lock that comes when nobody waits for it any more is given back.
func TestInhibitTooLate(t *testing.T) {
	bus := startBus(t)
	l := closer[*fake.Login](t)(fake.ServeLogin(bus.Address(), t.TempDir()))
	t.Cleanup(l.Free)
	b := connect(t, Options{Address: bus.Address()}, func(l *limits) { l.call = 500 * time.Millisecond })
	wait := make(chan struct{})
	l.AnswerBy("Inhibit", func() ([]any, error) {
		<-wait
		return l.Lock()
	})
	if _, err := b.Inhibit(t.Context(), "shutdown", "x"); !errors.Is(err, ErrAbsent) {
		t.Fatal(err)
	}
	close(wait)
	l.Restore("Inhibit")
	until(t, b, "login1", func() bool { ok, _ := present(b, "login1"); return ok })
	until(t, b, "second lock", func() bool { // its answer comes after the late one; and may be too late itself
		release, err := b.Inhibit(t.Context(), "shutdown", "y")
		if err == nil {
			release()
		}
		return err == nil
	})
	until(t, b, "end of the locks", func() bool { return l.Held() == 0 })
}

func TestPower(t *testing.T) {
	bus := startBus(t)
	l := closer[*fake.Login](t)(fake.ServeLogin(bus.Address(), t.TempDir()))
	b := connect(t, Options{Address: bus.Address()}, nil)
	for member, do := range map[string]func(context.Context) error{"Reboot": b.Reboot, "PowerOff": b.PowerOff} {
		if err := do(t.Context()); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]any{false}, l.Calls(member)[0].Args); diff != "" { // nobody to ask
			t.Error(diff)
		}
	}
	l.Refuse("PowerOff", "org.freedesktop.login1.BlockedByInhibitorLock")
	if err := b.PowerOff(t.Context()); !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
}

func TestHost(t *testing.T) {
	bus := startBus(t)
	h := closer[*fake.Host](t)(fake.ServeHost(bus.Address(), "plenum"))
	b := connect(t, Options{Address: bus.Address()}, nil)
	if got := check[Clock](t)(b.Clock(t.Context())); got != (Clock{NTP: true}) {
		t.Error(got)
	}
	h.Synchronize(true)
	if got := check[Clock](t)(b.Clock(t.Context())); got != (Clock{Synchronized: true, NTP: true}) {
		t.Error(got)
	}
	h.Clock.Answer("GetAll", props{"NTP": dbus.MakeVariant("yes")})
	if _, err := b.Clock(t.Context()); !errors.Is(err, errGarbage) {
		t.Error(err)
	}
	for _, protect := range []bool{false, true} {
		h.Protect(protect)
		name := map[bool]string{false: "ratssaal", true: "ratssaal-2"}[protect]
		if err := b.SetHostname(t.Context(), name); err != nil || h.Hostname() != name {
			t.Error(err, h.Hostname())
		}
	}
	h.Name.Answer("SetHostname")
	if err := b.SetHostname(t.Context(), "another"); !mentions(err, `"ratssaal-2" still`) {
		t.Error(err)
	}
	h.Name.Refuse("SetStaticHostname", "org.freedesktop.DBus.Error.AccessDenied")
	if err := b.SetHostname(t.Context(), "another"); !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
	if err := b.ReloadNetwork(t.Context()); err != nil {
		t.Error(err)
	}
	h.Network.Close()
	if err := b.ReloadNetwork(t.Context()); !errors.Is(err, ErrAbsent) {
		t.Error(err)
	}
}

func TestNotify(t *testing.T) {
	var none *Notifier
	if none.Ready() != nil || none.Alive() != nil || none.Status("x") != nil || none.Stopping() != nil || none.Interval() != 0 {
		t.Error("nobody to tell is an error")
	}
	for _, socket := range []string{filepath.Join(t.TempDir(), "notify"), "@plenum-test-" + filepath.Base(t.TempDir()) + t.Name()} {
		systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv("NOTIFY_SOCKET", socket)
		n := Notify()
		for _, tt := range []struct {
			send func() error
			want string
		}{
			{n.Ready, "READY=1"}, {n.Alive, "WATCHDOG=1"}, {n.Stopping, "STOPPING=1"},
			{func() error { return n.Status("two\nREADY=1 lines") }, "STATUS=two READY=1 lines"},
		} {
			if err := tt.send(); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 100)
			size := check[int](t)(systemd.Read(buf))
			if got := string(buf[:size]); got != tt.want {
				t.Errorf("%q", got)
			}
		}
		systemd.Close()
		if err := n.Alive(); err == nil {
			t.Error("nobody listens, and that was well")
		}
	}
}

func TestWatchdogInterval(t *testing.T) {
	for _, tt := range []struct {
		socket, usec, pid string
		want              time.Duration
		none              bool
	}{
		{"", "15000000", "", 0, true},
		{"vsock:2:1234", "15000000", "", 0, true},
		{"/run/systemd/notify", "", "", 0, false},
		{"/run/systemd/notify", "15000000", "", 7500 * time.Millisecond, false},
		{"/run/systemd/notify", "15000000", "1", 0, false},
		{"/run/systemd/notify", "-1", "", 0, false},
		{"/run/systemd/notify", "soon", "", 0, false},
		{"/run/systemd/notify", "9223372036854775807", "", 0, false},
	} {
		t.Setenv("NOTIFY_SOCKET", tt.socket)
		t.Setenv("WATCHDOG_USEC", tt.usec)
		t.Setenv("WATCHDOG_PID", tt.pid)
		if n := Notify(); n.Interval() != tt.want || (n == nil) != tt.none {
			t.Errorf("%+v: %v", tt, n.Interval())
		}
	}
}
