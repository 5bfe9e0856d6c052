//go:build lab

package port

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// These run in the lab guest, which is emulated on a machine that may be busy: nothing here judges how long something takes.

// patience is how long a condition is waited for.
const patience = 2 * time.Minute

// adapter gives the guest's USB serial adapter (FTDI).
func adapter(t *testing.T) Adapter {
	t.Helper()
	for _, a := range Adapters() {
		if a.Serial == "DESK24" {
			return a
		}
	}
	t.Fatalf("no adapter with the serial number DESK24 among %+v", Adapters())
	return Adapter{}
}

// uart gives a serial port of the guest's PCI card (16550A).
func uart(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob("/sys/class/tty/ttyS*/device")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		if to, err := filepath.EvalSymlinks(path); err == nil && strings.Contains(to, "/pci") {
			return "/dev/" + filepath.Base(filepath.Dir(path))
		}
	}
	t.Fatalf("no PCI serial port among %v", found)
	return ""
}

// realLines gives the real lines there are.
func realLines(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{"FTDI": adapter(t).Node, "16550A": uart(t)}
}

func TestLabUSB(t *testing.T) {
	a := adapter(t)
	if a.Interface != 0 || !strings.HasPrefix(a.Node, "/dev/ttyUSB") || !strings.HasPrefix(a.Link, "/dev/serial/by-id/usb-") {
		t.Errorf("%+v", a)
	}
	for _, spec := range []string{"usb:DESK24", "usb:DESK24,0", a.Link} {
		p, err := Open(t.Context(), spec, Settings{Baud: 57600})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Write([]byte("x")); err != nil {
			t.Error(err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, spec := range []string{"usb:DESK24,1", "usb:NONE", "/dev/ttyUSB77"} {
		_, err := Open(t.Context(), spec, Settings{Baud: 57600})
		if !errors.Is(err, ErrMissing) || !strings.HasSuffix(err.Error(), "; plugged in are "+a.Link) {
			t.Errorf("%s: %v", spec, err)
		}
	}
}

func TestLabNoDirection(t *testing.T) {
	for name, node := range realLines(t) {
		s, err := ParseSettings("9600 rs485", Settings{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = Open(t.Context(), node, s)
		if !errors.Is(err, ErrDirection) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
		t.Log(err)
		if p, err := Open(t.Context(), node, Settings{Baud: 9600}); err != nil { // it kept nothing
			t.Error(err)
		} else if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Root can open what somebody else holds for exclusive use; we do not share it. Nor does it stay marked after a crash.
func TestLabExclusiveAsRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("this test is about root")
	}
	for name, node := range realLines(t) {
		foreign, err := unix.Open(node, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.IoctlSetInt(foreign, unix.TIOCEXCL, 0); err != nil {
			t.Fatal(err)
		}
		if p, err := Open(t.Context(), node, Settings{Baud: 9600}); !errors.Is(err, ErrBusy) {
			t.Errorf("%s: Open = %v, %v; want ErrBusy", name, p, err)
		}
		if err := unix.Close(foreign); err != nil { // without giving the mark back
			t.Fatal(err)
		}
		p, err := Open(t.Context(), node, Settings{Baud: 9600})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), node, Settings{Baud: 9600}); !errors.Is(err, ErrBusy) {
			t.Errorf("%s: second Open: %v, want ErrBusy", name, err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

// muted is a line with flow control whose far end is never ready: the UART is put into loopback, where CTS is its own RTS, and
// RTS is taken away.
type muted struct {
	Port
	t     *testing.T
	other int // a second descriptor, to look at the line with
}

func withoutCTS(t *testing.T) muted {
	t.Helper()
	const loopback = 0x8000 // TIOCM_LOOP (asm-generic/termios.h)
	node := uart(t)
	p, err := Open(t.Context(), node, Settings{Baud: 57600, Flow: FlowRTSCTS, WriteTimeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(node, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(unix.IoctlSetPointerInt(fd, unix.TIOCMBIC, loopback), unix.Close(fd)); err != nil {
			t.Error(err)
		}
	})
	err = errors.Join(unix.IoctlSetPointerInt(fd, unix.TIOCMBIS, loopback),
		unix.IoctlSetPointerInt(fd, unix.TIOCMBIC, unix.TIOCM_RTS)) // each opening raises it
	// The emulated UART gives no interrupt for this; the driver looks at CTS when flow control is switched on.
	for _, flow := range []uint32{0, unix.CRTSCTS} {
		termios, failed := unix.IoctlGetTermios(fd, unix.TCGETS)
		if failed != nil {
			t.Fatal(failed)
		}
		termios.Cflag = termios.Cflag&^unix.CRTSCTS | flow
		err = errors.Join(err, unix.IoctlSetTermios(fd, unix.TCSETS, termios))
	}
	if err != nil {
		t.Fatal(err)
	}
	if clearToSend(fd) {
		t.Fatal("CTS is not low")
	}
	return muted{p, t, fd}
}

// queued is how many bytes wait in the driver for CTS.
func (m muted) queued() int {
	m.t.Helper()
	n, err := unix.IoctlGetInt(m.other, unix.TIOCOUTQ)
	if err != nil {
		m.t.Fatal(err)
	}
	return n
}

// discard closes a line and sees that it throws away what waits in it. For that the driver would wait 30 s when the last
// descriptor is closed.
func (m muted) discard() {
	m.t.Helper()
	if m.queued() == 0 {
		m.t.Error("no bytes wait for CTS")
	}
	if err := m.Close(); err != nil {
		m.t.Error(err)
	}
	if n := m.queued(); n != 0 {
		m.t.Errorf("%d bytes wait for CTS after Close", n)
	}
}

func TestLabWriteWithoutCTS(t *testing.T) {
	p := withoutCTS(t)
	began, sent := time.Now(), 0
	var err error
	for err == nil && sent < 1<<20 {
		var n int
		n, err = p.Write(make([]byte, 1024))
		sent += n
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Write after %d bytes: %v, want deadline exceeded", sent, err)
	}
	t.Logf("%d bytes went into the buffer, the write gave up after %v", sent, time.Since(began).Round(time.Millisecond))
	p.discard()
}

// A few bytes find room in the driver's buffer, so that no write fails.
func TestLabCloseWithoutCTS(t *testing.T) {
	p := withoutCTS(t)
	if _, err := p.Write([]byte("A 21E 1\r")); err != nil {
		t.Error(err)
	}
	p.discard()
}

// waiting says whether a goroutine waits for the kernel in a function.
func waiting(function string) bool {
	all := make([]byte, 1<<20)
	for _, one := range strings.Split(string(all[:runtime.Stack(all, true)]), "\n\n") {
		if head, calls, _ := strings.Cut(one, "\n"); strings.Contains(head, "[IO wait") && strings.Contains(calls, function) {
			return true
		}
	}
	return false
}

// The adapter is pulled while somebody reads, and comes back.
func TestLabUnplug(t *testing.T) {
	a := adapter(t)
	device, err := filepath.EvalSymlinks("/sys/class/tty/" + filepath.Base(a.Node) + "/device")
	if err != nil {
		t.Fatal(err)
	}
	iface := filepath.Base(filepath.Dir(device))
	driver := func(action string) {
		t.Helper()
		if err := os.WriteFile("/sys/bus/usb/drivers/ftdi_sio/"+action, []byte(iface), 0); err != nil {
			t.Fatal(err)
		}
	}
	p, err := Open(t.Context(), "usb:DESK24", Settings{Baud: 57600})
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan error, 1)
	go func() {
		_, err := p.Read(make([]byte, 16))
		read <- err
	}()
	for end := time.Now().Add(patience); !waiting("(*line).Read"); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nobody reads")
		}
	}
	driver("unbind")
	select {
	case err := <-read:
		if !errors.Is(err, ErrHangup) {
			t.Errorf("Read = %v, want ErrHangup", err)
		}
	case <-time.After(patience):
		t.Fatal("Read does not notice that the adapter is gone")
	}
	if _, err := p.Write([]byte("x")); !errors.Is(err, ErrHangup) {
		t.Errorf("Write = %v, want ErrHangup", err)
	}
	if _, err := Resolve("usb:DESK24"); !errors.Is(err, ErrMissing) {
		t.Errorf("Resolve = %v, want ErrMissing", err)
	}
	driver("bind") // before the old one is closed, so that it gets another number
	again, err := Open(t.Context(), "usb:DESK24", Settings{Baud: 57600})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("was %s, is %s", a.Node, adapter(t).Node)
	for _, one := range []Port{p, again} {
		if err := one.Close(); err != nil {
			t.Error(err)
		}
	}
}
