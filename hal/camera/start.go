package camera

import (
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// buffers is how many frames the kernel can fill before one is lost: at 60 frames/s the time of a scheduler's hiccup.
const buffers = 6

// Start makes the camera stream in the mode nearest to want that the driver chooses, and says which that is. The format is
// never another than the wanted one: then the error is ErrFormat. Other errors: ErrBusy, ErrNoSignal, ErrPrivacy, ErrLost.
// A camera is started once; to change its mode close it and open it again.
func (c *Camera) Start(want Mode) (Mode, error) {
	got, err := c.start(want)
	if err != nil {
		return Mode{}, fmt.Errorf("start camera %s in %v: %w", c.spec, want, err)
	}
	return got, nil
}

func (c *Camera) start(want Mode) (Mode, error) {
	if want.Format.code() == 0 || want.Width < 1 || want.Height < 1 || want.Width > 16384 || want.Height > 16384 || want.Rate < 0.1 || want.Rate > 1000 {
		return Mode{}, fmt.Errorf("%w: no camera has such a mode", ErrFormat)
	}
	c.mu.RLock()
	started := c.stream != nil
	c.mu.RUnlock()
	if started {
		return Mode{}, errors.New("it is streaming already")
	}
	if on, err := c.Control(CtrlPrivacy); err == nil && on != 0 {
		return Mode{}, ErrPrivacy
	}
	if err := c.selectInput(); err != nil {
		return Mode{}, err
	}
	if err := c.checkSource(nil); err != nil {
		return Mode{}, err
	}
	s := &stream{c: c, fd: -1}
	var err error
	if s.timings, err = c.followSource(); err != nil {
		return Mode{}, err
	}
	if err := c.setMode(s, want); err != nil {
		return Mode{}, err
	}
	s.watch()
	if err := c.run(s); err != nil {
		c.undo(s)
		return Mode{}, err
	}
	return s.mode, nil
}

// undo takes back what run did, so that the camera can be tried again. What of it was never done, fails, and that is all right.
func (c *Camera) undo(s *stream) {
	kind := int32(bufCapture)
	_ = c.ioctl(streamOff, unsafe.Pointer(&kind))
	s.unmap()
	none := requestBuffers{Type: bufCapture, Memory: memoryMMap}
	_ = c.ioctl(reqBufs, unsafe.Pointer(&none))
}

// setMode agrees with the driver on format, size and rate; the frame interval is always set, since some drivers start at 5/s.
func (c *Camera) setMode(s *stream, want Mode) error {
	f := format{Type: bufCapture, Pix: pixFormat{
		Width: uint32(want.Width), Height: uint32(want.Height), PixelFormat: want.Format.code(), Field: fieldNone,
	}}
	if err := c.ioctl(setFormat, unsafe.Pointer(&f)); errors.Is(err, unix.EINVAL) {
		return c.refused()
	} else if err != nil {
		return fmt.Errorf("setting the format: %w", explain(err))
	}
	if f.Pix.PixelFormat != want.Format.code() {
		return c.refused()
	}
	if f.Pix.Field != fieldNone && f.Pix.Field != fieldInterlaced {
		return fmt.Errorf("%w: it gives half pictures (field %d of %d); set the source to progressive", ErrFormat, f.Pix.Field, fieldAlternate)
	}
	s.mode = Mode{Format: want.Format, Width: int(f.Pix.Width), Height: int(f.Pix.Height), Rate: want.Rate}
	s.stride = int(f.Pix.BytesPerLine)
	if s.needs = s.mode.bytes(s.stride); s.needs > int(f.Pix.SizeImage) {
		return fmt.Errorf("%w: its driver reserves %d bytes for a picture of %d", ErrFormat, f.Pix.SizeImage, s.needs)
	}
	p := streamParm{Type: bufCapture, TimePerFrame: interval(want.Rate)}
	err := c.ioctl(setParm, unsafe.Pointer(&p))
	switch {
	case err == nil && p.TimePerFrame.rate() > 0:
		s.mode.Rate = p.TimePerFrame.rate()
	case s.timings != nil:
		s.mode.Rate = s.timings.rate()
	case err == nil, errors.Is(err, unix.ENOTTY), errors.Is(err, unix.EINVAL): // the camera has one rate and does not say which
	default:
		return fmt.Errorf("setting the frame rate: %w", explain(err))
	}
	return nil
}

// refused says what the camera has instead of the format it does not.
func (c *Camera) refused() error {
	has, err := c.formats()
	if err != nil {
		return explain(err)
	}
	return fmt.Errorf("%w; it has %s", ErrFormat, join(has))
}

// bytes is the least a whole picture has; a compressed one is not empty.
func (m Mode) bytes(stride int) int {
	switch m.Format {
	case YUYV, UYVY:
		return stride*(m.Height-1) + 2*m.Width
	case NV12:
		return stride*m.Height + stride*((m.Height+1)/2-1) + m.Width
	case YU12:
		return stride*m.Height + stride/2*((m.Height+1)/2*2-1) + m.Width/2
	}
	return 1
}

// run maps the kernel's buffers, hands them to the driver and starts it.
func (c *Camera) run(s *stream) error {
	request := requestBuffers{Count: buffers, Type: bufCapture, Memory: memoryMMap}
	if err := c.ioctl(reqBufs, unsafe.Pointer(&request)); err != nil {
		return fmt.Errorf("asking for buffers: %w", explain(err))
	}
	if request.Count < 2 {
		return fmt.Errorf("the driver gives %d buffers, too few to stream", request.Count)
	}
	for i := range request.Count {
		b := buffer{Index: i, Type: bufCapture, Memory: memoryMMap}
		if err := c.ioctl(queryBuf, unsafe.Pointer(&b)); err != nil {
			return fmt.Errorf("asking about buffer %d: %w", i, explain(err))
		}
		if err := c.mapBuffer(s, &b); err != nil {
			return fmt.Errorf("mapping buffer %d: %w", i, err)
		}
		if err := c.ioctl(queueBuf, unsafe.Pointer(&b)); err != nil {
			return fmt.Errorf("handing over buffer %d: %w", i, explain(err))
		}
	}
	kind := int32(bufCapture)
	if err := c.ioctl(streamOn, unsafe.Pointer(&kind)); err != nil {
		return fmt.Errorf("starting the stream: %w", explain(err))
	}
	return c.attach(s)
}

func (c *Camera) mapBuffer(s *stream, b *buffer) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.fd < 0 {
		return os.ErrClosed
	}
	if int(b.Length) < s.needs {
		return fmt.Errorf("%w: it has %d bytes for a picture of %d", ErrFormat, b.Length, s.needs)
	}
	m, err := unix.Mmap(c.fd, int64(b.Offset), int(b.Length), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	s.maps = append(s.maps, m)
	return nil
}

// attach puts a second descriptor of the same stream into the runtime's poller, which then waits for frames; and makes the
// stream the camera's.
func (c *Camera) attach(s *stream) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fd < 0 {
		return os.ErrClosed
	}
	fd, err := unix.FcntlInt(uintptr(c.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("doubling the descriptor: %w", err)
	}
	s.file = os.NewFile(uintptr(fd), c.node)
	if s.raw, err = s.file.SyscallConn(); err == nil {
		err = s.file.SetReadDeadline(time.Time{}) // refused for files that cannot be waited for
	}
	if err != nil {
		return errors.Join(fmt.Errorf("waiting for frames is not possible: %w", err), s.file.Close())
	}
	s.fd = c.fd
	c.stream = s
	return nil
}
