package camera

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// How long Read waits before it gives a camera up. Many cameras take more than a second to their first picture.
const (
	firstWait = 4 * time.Second
	stallWait = 2 * time.Second
	checkWait = 500 * time.Millisecond // between looks at the signal while nothing comes
	checkTime = time.Second            // and while frames come: a card without a signal may give noise

	believable = time.Minute // age of a frame: that long it may have waited for a box that stood still
)

// Frame is one picture.
type Frame struct {
	Data    []byte    // in the mode's format; shared with the kernel and valid until Release
	Stride  int       // bytes from line to line of the first plane; 0 for compressed formats
	At      time.Time // the kernel's time of it, with monotonic reading: of its end, or with some drivers of its exposure
	Seq     uint32    // the driver's count
	Lost    uint32    // frames that the driver counted since the one before, and that never came
	Corrupt bool      // the driver says so, or it is shorter than a picture is
	Key     bool      // the driver says that this one stands on its own
	Release func()    // gives the memory back; must be called, calling it again is harmless
}

// stream is a camera that has been started.
type stream struct {
	c       *Camera
	file    *os.File // a second descriptor, on the runtime's poller
	raw     syscall.RawConn
	mode    Mode
	stride  int
	needs   int      // bytes of a whole picture
	timings *timings // of a digital input
	events  bool     // the driver tells of changes

	// For Read alone.
	counting bool
	last     uint32
	checked  time.Time
	measure  bool // nothing comes: measure the signal too

	mu   sync.Mutex
	fd   int // the camera's own; -1 after stop
	maps [][]byte
	held int   // frames not released
	err  error // what ended the stream
}

// Read waits for the next frame. Errors: ErrStalled when none has come for 2 s (4 s for the first one) or the stream broke,
// ErrLost, ErrNoSignal, ErrChanged, ErrPrivacy, and os.ErrClosed after Close, which wakes it. After an error the camera is to
// be closed: Read gives the same error again. Time for which the box itself stood still is none that the camera let pass.
func (c *Camera) Read() (Frame, error) {
	c.mu.RLock()
	s, open := c.stream, c.fd >= 0
	c.mu.RUnlock()
	if !open {
		return Frame{}, fmt.Errorf("read camera %s: %w", c.spec, os.ErrClosed)
	}
	if s == nil {
		return Frame{}, fmt.Errorf("read camera %s: it is not started", c.spec)
	}
	f, err := s.read()
	if err != nil {
		return Frame{}, fmt.Errorf("read camera %s: %w", c.spec, err)
	}
	return f, nil
}

func (s *stream) read() (Frame, error) {
	wait := stallWait
	if !s.counting {
		wait = firstWait
	}
	for waited := time.Duration(0); ; {
		if err := s.failure(); err != nil {
			return Frame{}, err
		}
		begun := time.Now()
		if err := s.check(begun); err != nil {
			return Frame{}, s.fail(err)
		}
		b, err := s.dequeue(time.Now().Add(min(checkWait, wait-waited)))
		if err == nil {
			return s.frame(&b)
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return Frame{}, s.fail(s.broken(err))
		}
		// A wait that took longer than it was to take says that we stood still, and perhaps the camera's driver with us.
		if waited += min(time.Since(begun), 2*checkWait); waited >= wait {
			return Frame{}, s.fail(fmt.Errorf("%w (none for %v)", ErrStalled, wait))
		}
		s.checked, s.measure = time.Time{}, true // nothing comes: look why
	}
}

// dequeue takes the next filled buffer from the driver. At until it gives os.ErrDeadlineExceeded.
func (s *stream) dequeue(until time.Time) (b buffer, err error) {
	if err := s.file.SetReadDeadline(until); err != nil {
		return b, err
	}
	var answer error
	err = s.raw.Read(func(fd uintptr) bool {
		b = buffer{Type: bufCapture, Memory: memoryMMap}
		answer = ioctl(int(fd), dequeueBuf, unsafe.Pointer(&b))
		return !errors.Is(answer, unix.EAGAIN)
	})
	if err == nil {
		return b, answer
	}
	if errors.Is(err, os.ErrDeadlineExceeded) || s.failure() != nil {
		return b, err
	}
	// The poller saw nothing but an error on the descriptor. What it is the driver says when asked; when it says nothing,
	// the stream stands still, and there is nothing to wait on but time.
	if controlErr := s.raw.Control(func(fd uintptr) { answer = ioctl(int(fd), dequeueBuf, unsafe.Pointer(&b)) }); controlErr != nil {
		return b, controlErr
	}
	if errors.Is(answer, unix.EAGAIN) {
		time.Sleep(min(20*time.Millisecond, max(0, time.Until(until))))
		return b, os.ErrDeadlineExceeded
	}
	return b, answer
}

// frame turns a buffer into a Frame.
func (s *stream) frame(b *buffer) (Frame, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd < 0 {
		return Frame{}, os.ErrClosed
	}
	if int(b.Index) >= len(s.maps) {
		return Frame{}, fmt.Errorf("the driver gives buffer %d of %d", b.Index, len(s.maps))
	}
	s.held++
	memory := s.maps[b.Index]
	f := Frame{
		Data: memory[:min(int(b.BytesUsed), len(memory))],
		At:   moment(b), Seq: b.Sequence,
		Corrupt: b.Flags&bufError != 0 || int(b.BytesUsed) < s.needs,
		Key:     b.Flags&bufKeyFrame != 0,
	}
	if s.mode.Format != MJPG && s.mode.Format != H264 {
		f.Stride = s.stride
	}
	f.Lost = gap(s.counting, s.last, b.Sequence)
	s.counting, s.last = true, b.Sequence
	released := false
	index := b.Index
	f.Release = func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !released {
			released = true
			s.giveBack(index)
		}
	}
	return f, nil
}

// gap is the number of frames between two counts; a count that goes back has begun anew.
func gap(counting bool, last, now uint32) uint32 {
	if d := now - last; counting && d > 1 && d < 1<<31 {
		return d - 1
	}
	return 0
}

// moment is the kernel's time of a buffer as a time of Go's, which counts on the same clock.
func moment(b *buffer) time.Time {
	now, mono, err := clocks()
	age := mono - time.Duration(b.Seconds*1e9+b.Micros*1e3)
	if err != nil || b.Flags&stampMask != stampKernels || age < 0 || age > believable {
		return now // not the kernel's clock, or not believable
	}
	return now.Add(-age)
}

// clocks gives both clocks as they stand at one moment. Who is kept from the processor between one and the other would put a
// picture that much too late, behind the next one even, so that is tried again.
func clocks() (now time.Time, mono time.Duration, err error) {
	for range 5 {
		before := time.Now()
		var ts unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
			return before, 0, err
		}
		now, mono = time.Now(), time.Duration(ts.Nano())
		if now.Sub(before) < time.Millisecond {
			break
		}
	}
	return now, mono, nil
}

// giveBack hands a buffer to the driver again, or ends its life when the camera was closed meanwhile. s.mu is held.
func (s *stream) giveBack(index uint32) {
	s.held--
	if s.fd < 0 {
		if s.held == 0 {
			s.unmap()
		}
		return
	}
	b := buffer{Index: index, Type: bufCapture, Memory: memoryMMap}
	if err := ioctl(s.fd, queueBuf, unsafe.Pointer(&b)); err != nil && s.err == nil {
		s.err = fmt.Errorf("handing a buffer back: %w", s.broken(err))
	}
}

// stop ends the stream; fd is the camera's descriptor, which the caller closes afterwards.
func (s *stream) stop(fd int) error {
	s.mu.Lock()
	s.fd = -1
	s.mu.Unlock()
	err := s.file.Close() // returns when Read is out of the kernel
	kind := int32(bufCapture)
	if e := ioctl(fd, streamOff, unsafe.Pointer(&kind)); e != nil && !errors.Is(e, unix.ENODEV) {
		err = errors.Join(err, fmt.Errorf("stopping the stream: %w", e))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held == 0 {
		s.unmap()
	}
	return err
}

func (s *stream) unmap() {
	for _, m := range s.maps {
		_ = unix.Munmap(m) // fails for a bad address only
	}
	s.maps = nil
}

// failure is what ended the stream; nil while it runs.
func (s *stream) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd < 0 {
		return os.ErrClosed
	}
	return s.err
}

// fail keeps the first error, for Read to give it again.
func (s *stream) fail(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd < 0 {
		return os.ErrClosed
	}
	if s.err == nil {
		s.err = err
	}
	return s.err
}

// broken says what an error of a running stream means. The kernel's EIO is everything from a lost signal to a dead USB
// transfer.
func (s *stream) broken(err error) error {
	switch {
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ESHUTDOWN):
		return explain(err)
	case errors.Is(err, unix.EIO), errors.Is(err, unix.EPIPE), errors.Is(err, unix.EINVAL), errors.Is(err, unix.EPROTO):
		return fmt.Errorf("%w (%v)", ErrStalled, err)
	}
	return err
}

// watch asks the driver to tell of changes; not every one can.
func (s *stream) watch() {
	subscribe := func(kind, id uint32) {
		e := eventSubscription{Type: kind, ID: id}
		if s.c.ioctl(subscribeEvent, unsafe.Pointer(&e)) == nil {
			s.events = true
		}
	}
	in, _, _ := s.c.source()
	subscribe(eventSourceChange, in.Index)
	subscribe(eventControl, CtrlPrivacy)
}

// check looks for a signal that is gone or has changed: when the driver tells of it, and from time to time.
func (s *stream) check(now time.Time) error {
	look := s.measure
	s.measure = false
	for s.events {
		var e event
		if s.c.ioctl(dequeueEvent, unsafe.Pointer(&e)) != nil {
			break
		}
		switch {
		case e.Type == eventSourceChange:
			look = true
		case e.Type == eventControl && e.ID == CtrlPrivacy && binary.NativeEndian.Uint32(e.Data[8:]) != 0:
			return ErrPrivacy
		}
	}
	if !look && now.Sub(s.checked) < checkTime {
		return nil
	}
	s.checked = now
	var set *timings
	if look { // measuring can be slow, so not every second
		set = s.timings
	}
	return s.c.checkSource(set)
}
