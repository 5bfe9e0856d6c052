package port

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"go.bug.st/serial"
	"golang.org/x/sys/unix"
)

// openTTY opens a terminal device.
//
// go.bug.st/serial v1.8.0 sets the line, but its handle cannot carry the traffic: its Write blocks in the kernel without
// a deadline and stays there after Close, its read time-out is (0, nil), and it closes the descriptor before it wakes its
// readers. So we hold a non-blocking descriptor of our own, which the runtime's poller serves with deadlines and wakes on
// Close; the library opens the same device a second time, sets raw mode, speed and framing (these belong to the device,
// not to the descriptor), and is closed again.
func openTTY(path string, s Settings) (Port, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		err = reason(err)
		if errors.Is(err, ErrMissing) {
			err = system{"/sys", "/dev"}.missing()
		}
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	if err := setUp(fd, s); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return &line{stream: &tty{File: os.NewFile(uintptr(fd), path), flow: s.Flow}, writeTimeout: s.WriteTimeout}, nil
}

// setUp takes the line for ourselves, sets it and empties its buffers.
func setUp(fd int, s Settings) error {
	// Root may open what others hold for exclusive use, and would share its bytes.
	if held, err := unix.IoctlGetInt(fd, unix.TIOCGEXCL); err == nil && held != 0 {
		return ErrBusy
	}
	// TIOCEXCL does not stop root, a lock does; TIOCEXCL stops those who know nothing of our lock.
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return reason(err)
	}
	if err := setLine(fd, s); err != nil {
		return err
	}
	// A pseudo-terminal keeps the mark as long as its far end is open, beyond the death of who set it: after a crash nobody
	// could open it again. It is no line that strangers look for.
	if !isPTY(fd) {
		if err := unix.IoctlSetInt(fd, unix.TIOCEXCL, 0); err != nil {
			return fmt.Errorf("take the line for exclusive use: %w", err)
		}
	}
	if err := setFlow(fd, s.Flow); err != nil {
		return err
	}
	if err := setRS485(fd, s.RS485); err != nil {
		return err
	}
	if err := unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIOFLUSH); err != nil {
		return fmt.Errorf("empty the line's buffers: %w", err)
	}
	return nil
}

// isPTY tells whether fd is a pseudo-terminal (majors 136 to 143).
func isPTY(fd int) bool {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return false
	}
	major := unix.Major(uint64(st.Rdev))
	return major >= 136 && major <= 143
}

func setLine(fd int, s Settings) error {
	mode := &serial.Mode{BaudRate: s.Baud, DataBits: cmp.Or(s.DataBits, 8)}
	switch s.Parity {
	case ParityNone:
		mode.Parity = serial.NoParity
	case ParityOdd:
		mode.Parity = serial.OddParity
	case ParityEven:
		mode.Parity = serial.EvenParity
	default:
		return fmt.Errorf("%w: parity %d", ErrNotSerial, s.Parity)
	}
	switch cmp.Or(s.StopBits, 1) {
	case 1:
		mode.StopBits = serial.OneStopBit
	case 2:
		mode.StopBits = serial.TwoStopBits
	default:
		return fmt.Errorf("%w: %d stop bits", ErrNotSerial, s.StopBits)
	}
	if s.Baud <= 0 {
		return fmt.Errorf("%w: %d bit/s", ErrNotSerial, s.Baud)
	}
	if s.Flow > FlowRTSCTS || s.Flow != FlowNone && s.RS485.Enabled {
		return fmt.Errorf("%w: flow control %d with RS-485 %v", ErrNotSerial, s.Flow, s.RS485.Enabled)
	}
	// By way of our descriptor it is the same device for certain, even if the name points elsewhere by now.
	set, err := serial.Open(fmt.Sprintf("/proc/self/fd/%d", fd), mode)
	if err != nil {
		return settingsError(err)
	}
	if err := set.Close(); err != nil {
		return fmt.Errorf("set the line: %w", err)
	}
	return nil
}

// settingsError sorts what the library says.
func settingsError(err error) error {
	var pe *serial.PortError
	if !errors.As(err, &pe) {
		return reason(err)
	}
	switch pe.Code() {
	case serial.PortBusy:
		return ErrBusy
	case serial.PermissionDenied:
		return ErrPermission
	}
	return fmt.Errorf("%w: %v", ErrNotSerial, err)
}

// reason turns an open's errno into one of the package's errors.
func reason(err error) error {
	var errno unix.Errno
	if !errors.As(err, &errno) {
		return err
	}
	switch errno {
	case unix.ENOENT, unix.ENXIO, unix.ENODEV, unix.ENOTDIR, unix.EIO:
		return ErrMissing
	case unix.EACCES, unix.EPERM:
		return ErrPermission
	case unix.EBUSY, unix.EAGAIN:
		return ErrBusy
	case unix.ENOTTY, unix.EISDIR:
		return ErrNotSerial
	}
	return err
}

// tty is a terminal device on the runtime's poller.
type tty struct {
	*os.File
	flow  Flow
	stuck atomic.Bool // a Write timed out: bytes are waiting that nobody takes
}

func (t *tty) Write(p []byte) (int, error) {
	n, err := t.File.Write(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.stuck.Store(true)
	}
	return n, err
}

// Close gives the line back. Bytes that could not be sent are thrown away, or a UART driver would hold the last close up
// to 30 s in the hope of sending them.
func (t *tty) Close() error {
	if raw, err := t.SyscallConn(); err == nil {
		// An error here means that the device is gone, and its state with it.
		_ = raw.Control(func(fd uintptr) {
			if t.stuck.Load() || t.flow == FlowRTSCTS && !clearToSend(int(fd)) {
				_ = unix.IoctlSetInt(int(fd), unix.TCFLSH, unix.TCOFLUSH)
			}
			_ = unix.IoctlSetInt(int(fd), unix.TIOCNXCL, 0)
		})
	}
	return t.File.Close()
}

// clearToSend tells whether the far end lets us send.
func clearToSend(fd int) bool {
	bits, err := unix.IoctlGetInt(fd, unix.TIOCMGET)
	return err == nil && bits&unix.TIOCM_CTS != 0
}
