// Package port is the one place where the house meets a byte stream: a serial line, or a TCP connection that stands for one.
//
// Everything above it may rely on this: Read ends at its deadline with os.ErrDeadlineExceeded, never with (0, nil); Write
// ends within Settings.WriteTimeout even when nobody takes the bytes; a line that broke says ErrHangup and is told apart
// from our own Close, which says os.ErrClosed; Close returns at once and leaves no goroutine and no blocked thread behind.
package port

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Errors of Open and of an open port. Each says what to do about it.
var (
	// ErrSpec: the port was neither an absolute path nor tcp://host:port.
	ErrSpec = errors.New("not a port: write a path such as /dev/serial/by-id/usb-…-port0, usb:SERIAL or usb:SERIAL,IF with the " +
		"adapter's USB serial number, or tcp://host:port")
	// ErrMissing: there is no such device. What there is follows in the text.
	ErrMissing = errors.New("no such device: is the cable or adapter plugged in?")
	// ErrSeveral: more than one line has this USB serial number.
	ErrSeveral = errors.New("several lines have this USB serial number: add the interface (usb:SERIAL,IF), or write a path under " +
		"/dev/serial/by-path")
	// ErrPermission: the user may not open the device.
	ErrPermission = errors.New("no permission: the daemon's user must be in the group of the device, usually dialout")
	// ErrBusy: somebody else holds the line.
	ErrBusy = errors.New("in use by another program: stop it first (see fuser -v on the device)")
	// ErrNotSerial: the path is no terminal device, or it refuses the line settings.
	ErrNotSerial = errors.New("not a serial line, or it refuses these line settings")
	// ErrDirection: the line's driver does no RS-485.
	ErrDirection = errors.New("this adapter cannot switch direction by itself as told: one that always switches needs no rs485 in the line " +
		"settings, else take a UART whose driver does RS-485")
	// ErrHangup: the far end or the adapter is gone. Close the port and open it again.
	ErrHangup = errors.New("the line hung up")
)

// Port is an open byte stream. Read, Write and Close may be called from different goroutines.
type Port interface {
	// Read returns at least one byte or an error: os.ErrDeadlineExceeded, ErrHangup or os.ErrClosed.
	Read(p []byte) (int, error)
	// Write returns within the write timeout. A short write comes with an error of the same kinds as Read's.
	Write(p []byte) (int, error)
	// SetReadDeadline ends the present and later Reads at t; the zero time takes the deadline away.
	SetReadDeadline(t time.Time) error
	// Close ends all Reads and Writes. Calling it again is harmless.
	Close() error
}

// Open opens spec, which is an absolute path of a terminal device, usb:SERIAL[,IF] for an adapter by its USB serial number
// at whatever socket, or tcp://host:port. ctx bounds the opening only.
// A serial line is opened for exclusive use and what its buffers held from before is thrown away, since nobody can say
// when those bytes came.
func Open(ctx context.Context, spec string, s Settings) (Port, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("open %s: %w", spec, err)
	}
	s.WriteTimeout = cmp.Or(s.WriteTimeout, DefaultWriteTimeout)
	if host, ok := strings.CutPrefix(spec, "tcp://"); ok {
		return openTCP(ctx, host, s)
	}
	path, err := Resolve(spec)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", spec, err)
	}
	return openTTY(path, s)
}

// stream is what files and sockets have in common; both stand on the runtime's poller.
type stream interface {
	io.ReadWriteCloser
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// line gives a stream the manners of a Port.
type line struct {
	stream       stream
	writeTimeout time.Duration
	closed       atomic.Bool
}

func (l *line) Read(p []byte) (int, error) {
	n, err := l.stream.Read(p)
	if n > 0 {
		return n, nil // an error that came with bytes comes again
	}
	return 0, l.explain("read", err)
}

func (l *line) Write(p []byte) (int, error) {
	if err := l.stream.SetWriteDeadline(time.Now().Add(l.writeTimeout)); err != nil {
		return 0, l.explain("write", err)
	}
	n, err := l.stream.Write(p)
	return n, l.explain("write", err)
}

func (l *line) SetReadDeadline(t time.Time) error {
	return l.explain("set read deadline", l.stream.SetReadDeadline(t))
}

func (l *line) Close() error {
	if l.closed.Swap(true) {
		return nil
	}
	if err := l.stream.Close(); err != nil {
		return fmt.Errorf("close port: %w", err)
	}
	return nil
}

// explain turns the many ways in which kernels and packages say "gone" into ErrHangup, and what follows from our own
// Close into os.ErrClosed. The original error stays in the text.
func (l *line) explain(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case l.closed.Load():
		return fmt.Errorf("%s: %w", what, os.ErrClosed)
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%s: %w", what, ErrHangup)
	case errors.Is(err, syscall.EIO), errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.ENODEV),
		errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.ETIMEDOUT):
		return fmt.Errorf("%s: %w (%v)", what, ErrHangup, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}
