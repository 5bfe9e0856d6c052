// Package camera is the house's eye on the kernel: cameras and capture cards through V4L2, in pure Go.
//
// Everything above it may rely on this: a camera is named by something that stays when it is plugged in again (udev's links or
// the USB serial number), never by its number; what Start returns is what comes, in format, size, stride and rate; a frame
// carries the kernel's time of it; Read ends within 2 s when nothing comes any more and at once when the camera is
// closed; a frame's memory stays until the frame is released, also when the camera is closed meanwhile.
//
// The interface is described in the kernel's user-space API, part I (Video for Linux API).
package camera

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Errors that callers tell apart. Each says what to do about it.
var (
	// ErrSpec: the camera is named in a way that could never work.
	ErrSpec = errors.New("not the name of a camera: write /dev/v4l/by-id/…, /dev/v4l/by-path/… or usb:SERIAL")
	// ErrAbsent: the camera is not there now; it may come back.
	ErrAbsent = errors.New("the camera is not there: is it plugged in and powered?")
	// ErrAmbiguous: two cameras carry this USB serial number.
	ErrAmbiguous = errors.New("several cameras carry this serial number: name it by its /dev/v4l/by-path/… link")
	// ErrPermission: the user may not open the device.
	ErrPermission = errors.New("no permission: the daemon's user must be in the group of the device, usually video")
	// ErrBusy: another program takes pictures from it.
	ErrBusy = errors.New("in use by another program: stop it first (see fuser -v on the device)")
	// ErrNoCamera: the device is something else.
	ErrNoCamera = errors.New("not a camera: name a device that captures video (see v4l2-ctl --list-devices)")
	// ErrFormat: the camera cannot give what is asked for.
	ErrFormat = errors.New("the camera does not give this picture format")
	// ErrStalled: the camera is there but no picture comes any more. Close it and open it again.
	ErrStalled = errors.New("no picture comes any more: open the camera again; if that does not help, unplug it")
	// ErrLost: the camera is gone. Close it; it may come back.
	ErrLost = errors.New("the camera is gone: check its cable and power")
	// ErrNoSignal: a capture card's input has no usable signal.
	ErrNoSignal = errors.New("no usable signal at the input: check the cable and what it comes from")
	// ErrInput: a capture card does not have the input that the spec names.
	ErrInput = errors.New("the camera has no such input")
	// ErrChanged: the signal at a capture card's input has another size or rate than at Start. Start anew.
	ErrChanged = errors.New("the signal at the input has changed: open the camera again")
	// ErrPrivacy: the camera's privacy shutter is closed.
	ErrPrivacy = errors.New("the privacy shutter is closed: open it at the camera")
	// ErrNoControl: the camera does not have this control.
	ErrNoControl = errors.New("the camera has no such control")
)

// Camera is an open device. Start, Read, Close and the controls may be called from different goroutines; one Read at a time.
type Camera struct {
	spec  string
	node  string
	input string // wanted input by name or number; "": the one that is set
	info  Info

	mu     sync.RWMutex // held to read while an ioctl is under way, to write to end them all
	fd     int          // -1 when closed
	stream *stream      // nil before Start
}

// Open opens the camera called spec (see CheckSpec) without starting it. Several programs may have it open, one may start it.
func Open(spec string) (*Camera, error) {
	c, err := system().open(spec)
	if err != nil {
		return nil, fmt.Errorf("open camera %s: %w", spec, err)
	}
	return c, nil
}

func (r root) open(spec string) (*Camera, error) {
	where, err := parseSpec(spec)
	if err != nil {
		return nil, err
	}
	node, err := r.resolve(where)
	if err != nil {
		return nil, err
	}
	c, err := openNode(node)
	if err != nil {
		return nil, err
	}
	c.spec, c.input = spec, where.input
	r.describe(&c.info)
	return c, nil
}

// openNode opens a device node and finds out whether it is a camera.
func openNode(node string) (*Camera, error) {
	// Non-blocking, since only so the runtime's poller may wait for frames. The poller itself comes in at Start: V4L2 takes
	// a poll before streaming for a wish to use read(), and then refuses everything else.
	fd, err := retry(func() (int, error) { return unix.Open(node, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0) })
	switch {
	case err == nil:
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENOENT):
		return nil, fmt.Errorf("%w (%s: %v)", ErrAbsent, node, err)
	default:
		return nil, fmt.Errorf("%s: %w", node, explain(err))
	}
	c := &Camera{spec: node, node: node, fd: fd}
	if err := c.identify(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", node, err), c.Close())
	}
	return c, nil
}

// identify asks the device what it is.
func (c *Camera) identify() error {
	var q capability
	if err := c.ioctl(queryCap, unsafe.Pointer(&q)); err != nil {
		if errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EINVAL) {
			return ErrNoCamera
		}
		return explain(err)
	}
	can := q.Capabilities
	if can&capDeviceCaps != 0 {
		can = q.DeviceCaps // of this node, not of the whole device
	}
	c.info = Info{Node: c.node, Card: text(q.Card[:]), Driver: text(q.Driver[:]), Bus: text(q.Bus[:])}
	switch {
	case can&(capM2M|capM2MMulti) != 0:
		return fmt.Errorf("%w; %s converts pictures and takes none", ErrNoCamera, c.info.Card)
	case can&capCaptureMulti != 0:
		return fmt.Errorf("%w: %s gives pictures in several planes only, which is not supported", ErrFormat, c.info.Card)
	case can&capCapture == 0:
		return fmt.Errorf("%w; this node of %s carries other data, try the link that ends in index0", ErrNoCamera, c.info.Card)
	case can&capStreaming == 0:
		return fmt.Errorf("%w: %s cannot stream into memory", ErrFormat, c.info.Card)
	}
	return nil
}

// Info says which camera this is, without its modes.
func (c *Camera) Info() Info { return c.info }

// Close ends streaming and wakes Read. Frames that are not released yet keep their memory until they are. Calling it again is
// harmless.
func (c *Camera) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fd < 0 {
		return nil
	}
	fd := c.fd
	c.fd = -1
	var err error
	if c.stream != nil {
		err = c.stream.stop(fd)
	}
	if err := errors.Join(err, unix.Close(fd)); err != nil {
		return fmt.Errorf("close camera %s: %w", c.spec, err)
	}
	return nil
}

// ioctl calls the driver; it gives the bare errno, or os.ErrClosed.
func (c *Camera) ioctl(request uintptr, argument unsafe.Pointer) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.fd < 0 {
		return os.ErrClosed
	}
	return ioctl(c.fd, request, argument)
}

func ioctl(fd int, request uintptr, argument unsafe.Pointer) error {
	_, err := retry(func() (int, error) {
		if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(argument)); e != 0 {
			return 0, e
		}
		return 0, nil
	})
	return err
}

// retry repeats a call that a signal has cut short; the Go runtime sends itself signals all the time.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, syscall.EINTR) {
			return n, err
		}
	}
}

// explain says an errno in the words of this package, and keeps the errno in the text.
func explain(err error) error {
	kind := error(nil)
	switch {
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ESHUTDOWN):
		kind = ErrLost
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		kind = ErrPermission
	case errors.Is(err, unix.EBUSY):
		kind = ErrBusy
	case errors.Is(err, unix.ENOTTY):
		kind = ErrNoCamera
	case errors.Is(err, unix.ENOLINK):
		kind = ErrNoSignal
	case errors.Is(err, unix.ENOSPC):
		return fmt.Errorf("the USB bus has no room for this picture: choose a smaller one or MJPG, or another port (%w)", err)
	default:
		return err
	}
	return fmt.Errorf("%w (%v)", kind, err)
}

// text is a string of the kernel's, which ends at a NUL byte.
func text(b []byte) string { return clean(unix.ByteSliceToString(b)) }
