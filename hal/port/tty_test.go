package port

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"plenum/hal/port/pty"
)

// What root cannot provoke is checked on the errno.
func TestReason(t *testing.T) {
	for errno, want := range map[unix.Errno]error{
		unix.EACCES: ErrPermission, unix.EPERM: ErrPermission, unix.EBUSY: ErrBusy, unix.ENOENT: ErrMissing,
		unix.ENODEV: ErrMissing, unix.ENOTTY: ErrNotSerial, unix.EMFILE: unix.EMFILE,
	} {
		if got := reason(errno); !errors.Is(got, want) {
			t.Errorf("%v is explained as %v, want %v", errno, got, want)
		}
	}
}

// A foreign opener, who knows nothing of our lock, has marked the line: that holds for root, too.
func TestForeignExclusive(t *testing.T) {
	f, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	foreign, err := unix.Open(f.Path(), unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(foreign)
	if err := unix.IoctlSetInt(foreign, unix.TIOCEXCL, 0); err != nil {
		t.Fatal(err)
	}
	if p, err := Open(t.Context(), f.Path(), Settings{Baud: 9600}); !errors.Is(err, ErrBusy) {
		t.Fatalf("Open = %v, %v; want ErrBusy", p, err)
	}
	if err := unix.IoctlSetInt(foreign, unix.TIOCNXCL, 0); err != nil {
		t.Fatal(err)
	}
	p, err := Open(t.Context(), f.Path(), Settings{Baud: 9600, Flow: FlowRTSCTS})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	termios, err := unix.IoctlGetTermios(foreign, unix.TCGETS)
	if err != nil || termios.Cflag&unix.CRTSCTS == 0 {
		t.Errorf("RTS/CTS is not on: %+v, %v", termios, err)
	}
}

// A pseudo-terminal switches no direction, and says so in one line.
func TestNoDirection(t *testing.T) {
	f, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, err := ParseSettings("9600 rs485", Settings{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), f.Path(), s)
	if !errors.Is(err, ErrDirection) || strings.Contains(err.Error(), "\n") {
		t.Errorf("Open = %v, want ErrDirection", err)
	}
	s.Flow = FlowRTSCTS
	if _, err := Open(t.Context(), f.Path(), s); !errors.Is(err, ErrNotSerial) {
		t.Errorf("Open with RTS for two purposes = %v, want ErrNotSerial", err)
	}
	s = Settings{Baud: 9600, Flow: 7}
	if _, err := Open(t.Context(), f.Path(), s); !errors.Is(err, ErrNotSerial) {
		t.Errorf("Open with unknown flow control = %v, want ErrNotSerial", err)
	}
	p, err := Open(t.Context(), f.Path(), Settings{Baud: 9600}) // none of them kept the line
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}
