package port

import (
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Flags of struct serial_rs485 (linux/serial.h).
const (
	rs485Enabled      = 1 << 0
	rs485RTSOnSend    = 1 << 1
	rs485RTSAfterSend = 1 << 2
)

// serialRS485 is struct serial_rs485.
type serialRS485 struct {
	flags       uint32
	delayBefore uint32 // ms
	delayAfter  uint32 // ms
	_           [5]uint32
}

// setRS485 has the driver switch the direction. Where it is not configured nothing is touched: a board that is wired for
// RS-485 has its UART in that mode from the start.
func setRS485(fd int, r RS485) error {
	if !r.Enabled {
		return nil
	}
	want := serialRS485{
		flags: rs485Enabled, delayBefore: uint32(r.DelayBefore / time.Millisecond), delayAfter: uint32(r.DelayAfter / time.Millisecond),
	}
	if r.RTSOnSend {
		want.flags |= rs485RTSOnSend
	}
	if r.RTSAfterSend {
		want.flags |= rs485RTSAfterSend
	}
	set := want
	if err := ioctlRS485(fd, unix.TIOCSRS485, &set); err != nil {
		return fmt.Errorf("%w (%v)", ErrDirection, err)
	}
	// Drivers leave out silently what their UART cannot do.
	var got serialRS485
	if err := ioctlRS485(fd, unix.TIOCGRS485, &got); err != nil {
		return fmt.Errorf("%w (%v)", ErrDirection, err)
	}
	const levels = rs485Enabled | rs485RTSOnSend | rs485RTSAfterSend
	if got.flags&levels != want.flags {
		return fmt.Errorf("%w (asked for flags %#x, it does %#x: try rs485 or rs485-inverted)", ErrDirection, want.flags, got.flags&levels)
	}
	return nil
}

func ioctlRS485(fd int, request uint, r *serialRS485) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(unsafe.Pointer(r))); errno != 0 {
		return errno
	}
	return nil
}

// setFlow switches hardware flow control on; the library has switched it off.
func setFlow(fd int, f Flow) error {
	if f != FlowRTSCTS {
		return nil
	}
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err == nil {
		t.Cflag |= unix.CRTSCTS
		err = unix.IoctlSetTermios(fd, unix.TCSETS, t)
	}
	if err == nil {
		t, err = unix.IoctlGetTermios(fd, unix.TCGETS)
	}
	switch {
	case err != nil:
		return fmt.Errorf("set RTS/CTS: %w", err)
	case t.Cflag&unix.CRTSCTS == 0:
		return fmt.Errorf("%w: it has no RTS/CTS", ErrNotSerial)
	}
	return nil
}
