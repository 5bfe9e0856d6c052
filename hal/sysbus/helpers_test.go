package sysbus

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"plenum/hal/sysbus/fake"
)

// serveOnly in the environment makes this program a service the bus starts.
const serveOnly = "PLENUM_TEST_SERVE"

func TestMain(m *testing.M) {
	if name := os.Getenv(serveOnly); name != "" {
		os.Exit(serve(name))
	}
	goleak.VerifyTestMain(m)
}

// serve is a service that does nothing until it is told to end.
func serve(name string) int {
	s, err := fake.Serve(os.Getenv("DBUS_SYSTEM_BUS_ADDRESS"), name, func(c fake.Call) ([]any, error) { return nil, fake.Unknown(c) })
	if err != nil {
		return 1
	}
	defer s.Close()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	t := time.NewTimer(time.Minute)
	select {
	case <-ctx.Done():
	case <-t.C: // an orphan does not stay
	}
	return 0
}

func startBus(t *testing.T) *fake.Bus {
	t.Helper()
	dir, err := os.MkdirTemp("", "bus") // t.TempDir has a long name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if _, err := exec.LookPath("dbus-daemon"); err != nil {
		t.Fatal("these tests need dbus-daemon (Debian package dbus-daemon)")
	}
	b, err := fake.Start(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	return b
}

// quick is less patience, so that the tests of it end.
func quick() limits {
	l := usual()
	l.first, l.last, l.poll, l.ping = 10*time.Millisecond, 100*time.Millisecond, 50*time.Millisecond, 100*time.Millisecond
	return l
}

// run connects a Bus that is impatient as change says.
func run(t *testing.T, o Options, change func(*limits)) *Bus {
	t.Helper()
	o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	b := New(o)
	b.limits = quick()
	if change != nil {
		change(&b.limits)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != context.Canceled {
			t.Errorf("Run ended with %v", err)
		}
	})
	return b
}

// connect is run, and waits until the connection is there.
func connect(t *testing.T, o Options, change func(*limits)) *Bus {
	t.Helper()
	b := run(t, o, change)
	until(t, b, "a connection", func() bool { return b.Services()[0].Present })
	return b
}

// until waits for something, most of it told by Watch.
func until(t *testing.T, b *Bus, what string, ok func() bool) {
	t.Helper()
	changed, stop := b.Watch()
	defer stop()
	late := time.After(2 * time.Minute)
	for !ok() {
		select {
		case <-changed:
		case <-time.After(20 * time.Millisecond): // not all that is waited for is told
		case <-late:
			t.Fatalf("no %s: %+v", what, b.Services())
		}
	}
}

// present finds a service.
func present(b *Bus, name string) (bool, string) {
	for _, s := range b.Services() {
		if s.Name == name {
			return s.Present, s.Reason
		}
	}
	return false, "not listed"
}

// check fails on an error and gives the value.
func check[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// closer ends a fake after the test.
func closer[T interface{ Close() }](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(v.Close)
		return v
	}
}

func mentions(err error, text string) bool { return err != nil && strings.Contains(err.Error(), text) }
