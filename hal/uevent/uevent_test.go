package uevent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// captured gives messages as they came: kernel 6.1 and systemd 252, an FTDI serial adapter unbound and bound again.
func captured(t testing.TB) []message {
	t.Helper()
	f, err := os.Open("testdata/usb-serial.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []message
	for in := bufio.NewScanner(f); in.Scan(); {
		var group, pid int
		var text string
		if _, err := fmt.Sscanf(in.Text(), "%d %d %q", &group, &pid, &text); err != nil {
			t.Fatal(err)
		}
		all = append(all, message{data: text, from: sender{kernel: group == groupKernel, root: group == groupUdev}})
	}
	return all
}

func TestParseCaptured(t *testing.T) {
	const iface = "/devices/pci0000:00/0000:00:04.0/usb1/1-1/1-1:1.0"
	want := []Event{
		{Source: Kernel, Action: "remove", Subsystem: "tty", DevPath: iface + "/ttyUSB0/tty/ttyUSB0", DevName: "/dev/ttyUSB0"},
		{Source: Kernel, Action: "unbind", Subsystem: "usb-serial", DevPath: iface + "/ttyUSB0"},
		{Source: Kernel, Action: "remove", Subsystem: "usb-serial", DevPath: iface + "/ttyUSB0"},
		{Source: Kernel, Action: "unbind", Subsystem: "usb", DevPath: iface},
		{Source: Udev, Action: "remove", Subsystem: "tty", DevPath: iface + "/ttyUSB0/tty/ttyUSB0", DevName: "/dev/ttyUSB0"},
		{Source: Udev, Action: "unbind", Subsystem: "usb-serial", DevPath: iface + "/ttyUSB0"},
		{Source: Udev, Action: "remove", Subsystem: "usb-serial", DevPath: iface + "/ttyUSB0"},
		{Source: Udev, Action: "unbind", Subsystem: "usb", DevPath: iface},
		{Source: Kernel, Action: "add", Subsystem: "usb-serial", DevPath: iface + "/ttyUSB0"},
		{Source: Kernel, Action: "add", Subsystem: "tty", DevPath: iface + "/ttyUSB0/tty/ttyUSB0", DevName: "/dev/ttyUSB0"},
		{Source: Kernel, Action: "bind", Subsystem: "usb-serial", DevPath: iface + "/ttyUSB0"},
		{Source: Kernel, Action: "bind", Subsystem: "usb", DevPath: iface},
		{Source: Udev, Action: "add", Subsystem: "usb-serial", DevPath: iface + "/ttyUSB0"},
		{Source: Udev, Action: "add", Subsystem: "tty", DevPath: iface + "/ttyUSB0/tty/ttyUSB0", DevName: "/dev/ttyUSB0"},
		{Source: Udev, Action: "bind", Subsystem: "usb-serial", DevPath: iface + "/ttyUSB0"},
		{Source: Udev, Action: "bind", Subsystem: "usb", DevPath: iface},
	}
	var got []Event
	for _, m := range captured(t) {
		e, err := parse([]byte(m.data), m.from.kernel)
		if err != nil {
			t.Fatalf("%.60q: %v", m.data, err)
		}
		if e.Props["SEQNUM"] == "" {
			t.Errorf("%s %s has no number", e.Action, e.DevPath)
		}
		if link := "/dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_DESK24-if00-port0"; e.Source == Udev && e.Subsystem == "tty" &&
			(!strings.Contains(e.Props["DEVLINKS"], link) || e.Props["ID_SERIAL_SHORT"] != "DESK24") {
			t.Errorf("%s of udev has no stable names: %v", e.Action, e.Props)
		}
		e.Props = nil
		got = append(got, e)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseDamaged(t *testing.T) {
	good := captured(t)
	kernel, udev := good[0].data, good[4].data
	for name, c := range map[string]struct {
		text   string
		kernel bool
	}{
		"empty":                    {"", true},
		"no head":                  {"ACTION=add\x00DEVPATH=/x\x00", true},
		"cut off":                  {kernel[:len(kernel)-1], true},
		"head says otherwise":      {"add@/y\x00ACTION=add\x00DEVPATH=/x\x00", true},
		"no path":                  {"add@\x00ACTION=add\x00", true},
		"relative path":            {"add@x\x00ACTION=add\x00DEVPATH=x\x00", true},
		"nameless property":        {"add@/x\x00ACTION=add\x00DEVPATH=/x\x00=7\x00", true},
		"udev's in kernel's name":  {udev, true},
		"kernel's from a process":  {kernel, false},
		"udev's, short":            {udev[:20], false},
		"udev's, cut off":          {udev[:200], false},
		"udev's, magic":            {strings.Replace(udev, "\xfe\xed", "\xfe\xee", 1), false},
		"udev's, properties' head": {udev[:16] + "\x04\x00\x00\x00" + udev[20:], false},
		"udev's, wrapping length":  {udev[:16] + "\xff\xff\xff\xff\xff\xff\xff\xff" + udev[24:], false},
	} {
		if e, err := parse([]byte(c.text), c.kernel); !errors.Is(err, errDamaged) {
			t.Errorf("%s: %+v, %v; want it refused", name, e, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, m := range captured(f) {
		f.Add([]byte(m.data), m.from.kernel)
	}
	f.Fuzz(func(t *testing.T, b []byte, kernel bool) {
		e, err := parse(b, kernel)
		if err == nil && (e.Action == "" || e.DevPath == "" || e.Source == "" || e.DevName != "" && e.DevName[0] != '/') {
			t.Errorf("accepted %+v", e)
		}
	})
}

// message is one step of a fake source.
type message struct {
	data string
	from sender
	err  error
}

// fake is a source that gives what it is fed.
type fake struct {
	feed chan message
	stop chan struct{}
}

func newFake() *fake { return &fake{feed: make(chan message), stop: make(chan struct{})} }

func (f *fake) receive(buf []byte) (int, sender, error) {
	select {
	case m := <-f.feed:
		return copy(buf, m.data), m.from, m.err
	case <-f.stop:
		return 0, sender{}, os.ErrDeadlineExceeded
	}
}
func (f *fake) interrupt()   { close(f.stop) }
func (f *fake) close() error { return nil }

func TestRunHandsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := newFake(), newFake()
		m := &Monitor{next: first, subs: map[*subscriber]struct{}{}, open: func() (source, error) { return second, nil }}
		events, stop := m.Subscribe()
		defer stop()
		ended := make(chan error, 1)
		go func() { ended <- m.Run(t.Context()) }()
		good := captured(t)
		first.feed <- good[0]
		first.feed <- message{data: good[4].data}                             // anybody's
		first.feed <- message{data: "rubbish", from: sender{root: true}}      // root's, but no announcement
		first.feed <- message{data: good[4].data, from: sender{kernel: true}} // the kernel does not speak like this
		first.feed <- message{err: errOverrun}
		first.feed <- good[4]
		synctest.Wait()
		if err := m.Run(t.Context()); !errors.Is(err, ErrRunning) {
			t.Errorf("second Run: %v", err)
		}
		broken := errors.New("broken")
		first.feed <- message{err: broken}
		if err := <-ended; !errors.Is(err, broken) {
			t.Errorf("Run: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { ended <- m.Run(ctx) }()
		second.feed <- good[9]
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
		var got []string
		for len(events) > 0 {
			e := <-events
			got = append(got, fmt.Sprint(e.Source, " ", e.Action, " ", e.Lost))
		}
		want := []string{"kernel remove false", "  true", "udev remove false", "  true", "kernel add false"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(Stats{Received: 3, Damaged: 2, Foreign: 1, Overruns: 1}, m.Stats()); diff != "" {
			t.Error(diff)
		}
	})
}

// A subscriber who is too slow finds the mark at the place of the gap, and others are not held up.
func TestSlowSubscriber(t *testing.T) {
	m := &Monitor{subs: map[*subscriber]struct{}{}}
	events, stop := m.Subscribe()
	for range queueSize + 100 {
		m.publish(Event{Action: "add"})
	}
	for i := range queueSize - 1 {
		if e := <-events; e.Lost {
			t.Fatalf("event %d is missing", i)
		}
	}
	if e := <-events; !e.Lost {
		t.Fatal("nothing tells of the gap")
	}
	m.publish(Event{Action: "remove"})
	if e := <-events; e.Lost || e.Action != "remove" {
		t.Errorf("after the gap: %+v", e)
	}
	if got := m.Stats().Dropped; got != 101 {
		t.Errorf("%d dropped, want 101", got)
	}
	stop()
	stop()
	if _, open := <-events; open {
		t.Error("the channel is still open")
	}
	m.publish(Event{Action: "add"}) // nobody hears it
}

// The real socket opens without privileges, waits on the runtime's poller and is woken by ctx.
func TestSocket(t *testing.T) {
	m, err := New()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if m, err = New(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(m.Close(), m.Close()); err != nil {
		t.Error(err)
	}
}
