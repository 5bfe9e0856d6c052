package bench

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"plenum/hal/port/pty"
)

// cable is a pseudo-terminal as slow as a serial line, byte for byte. The simulator's own pace lets the first 16 bytes
// after a pause through at once, so that it catches up when it has slept too long; here each byte counts.
type cable struct {
	*pty.PTY
	perByte    time.Duration // 10 bits; 0: as fast as the machine
	down, back direction
}

// newCable opens a line of a speed in bit/s; 0: as fast as the machine.
func newCable(b *testing.B, baud int) *cable {
	b.Helper()
	p, err := pty.Open()
	if err != nil {
		b.Fatal(err)
	}
	c := &cable{PTY: p}
	if baud > 0 {
		c.perByte = onWire(1, baud)
	}
	return c
}

// direction is one way of the line.
type direction struct {
	due  time.Time // when the last byte has passed
	left time.Time // when the last byte was handed on, which is a little later
}

// idle is a pause after which the next byte starts anew; a shorter one is the time that passes between two pieces of
// what goes back to back.
const idle = 300 * time.Microsecond

// onWire is how long n bytes take on a line with 8 data bits, no parity, one stop bit.
func onWire(n, baud int) time.Duration {
	return time.Duration(n) * 10 * time.Second / time.Duration(baud)
}

// begin notes that bytes are there to be carried.
func (d *direction) begin() {
	if now := time.Now(); now.Sub(d.left) > idle {
		d.due = now
	}
}

// pass waits until as many bytes more have passed as take t.
func (d *direction) pass(t time.Duration) {
	d.due = d.due.Add(t)
	// Not time.Sleep: in an idle program it oversleeps by up to 1 ms, which is six bytes.
	for rest := time.Until(d.due); rest > 0; rest = time.Until(d.due) {
		ts := unix.NsecToTimespec(rest.Nanoseconds())
		_ = unix.Nanosleep(&ts, nil) // a signal may end it early
	}
	d.left = time.Now()
}

// Write sends byte by byte. One goroutine at a time may write.
func (w *cable) Write(p []byte) (int, error) {
	if w.perByte == 0 {
		return w.PTY.Write(p)
	}
	w.down.begin()
	for i := range p {
		w.down.pass(w.perByte)
		if _, err := w.PTY.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

// Read gives bytes when they have passed. One goroutine at a time may read.
func (w *cable) Read(p []byte) (int, error) {
	n, err := w.PTY.Read(p)
	if n > 0 && w.perByte > 0 {
		w.back.begin()
		w.back.pass(time.Duration(n) * w.perByte)
	}
	return n, err
}
