package sim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"plenum/hal/port/pty"
)

// cable is the line's device: a pseudo-terminal behind a stable name, which can be pulled and plugged in again.
type cable struct {
	path string
	temp string // folder to be removed, if it is ours

	mu     sync.Mutex
	wire   Wire // nil while pulled
	fixed  bool // the wire was given and cannot be renewed
	closed bool
	news   chan struct{} // a token: wire has changed
}

func newCable(given Wire, link string) (*cable, error) {
	c := &cable{path: link, wire: given, fixed: given != nil, news: make(chan struct{}, 1)}
	if c.fixed {
		return c, nil
	}
	if link == "" {
		dir, err := os.MkdirTemp("", "desk")
		if err != nil {
			return nil, err
		}
		c.temp, c.path = dir, filepath.Join(dir, "tty")
	}
	if err := c.plugIn(); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// plugIn makes the device appear.
func (c *cable) plugIn() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.wire != nil || c.fixed {
		return nil
	}
	p, err := pty.Open()
	if err != nil {
		return err
	}
	// The name changes in one step, so that a driver never finds half a link.
	next := c.path + ".new"
	_ = os.Remove(next) // left over from a crash, or not there
	if err := os.Symlink(p.Path(), next); err != nil {
		return errors.Join(fmt.Errorf("name of the simulated line: %w", err), p.Close())
	}
	if err := os.Rename(next, c.path); err != nil {
		return errors.Join(fmt.Errorf("name of the simulated line: %w", err), p.Close())
	}
	c.wire = p
	c.tell()
	return nil
}

// hangUp makes the device disappear, for whoever has it open too.
func (c *cable) hangUp() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wire == nil {
		return nil
	}
	err := c.wire.Close()
	c.wire = nil
	if !c.fixed {
		err = errors.Join(err, os.Remove(c.path))
	}
	c.tell()
	return err
}

func (c *cable) close() error {
	err := c.hangUp()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.temp == "" {
		return err
	}
	temp := c.temp
	c.temp = ""
	return errors.Join(err, os.RemoveAll(temp))
}

func (c *cable) tell() {
	select {
	case c.news <- struct{}{}:
	default:
	}
}

// run serves each wire in turn. serve returns when its wire is closed.
func (c *cable) run(ctx context.Context, serve func(context.Context, Wire)) {
	for ctx.Err() == nil {
		c.mu.Lock()
		wire := c.wire
		c.mu.Unlock()
		if wire != nil {
			serve(ctx, wire)
		}
		select {
		case <-c.news:
		case <-ctx.Done():
		}
	}
}

// pacer lets bytes pass as fast as a serial line carries them, 10 bits a byte.
type pacer struct {
	perByte time.Duration
	due     time.Time // when the last byte should have passed
	passed  time.Time // when pass last came back
}

func newPacer(baud int) *pacer { return &pacer{perByte: 10 * time.Second / time.Duration(baud)} }

// burst is how many bytes of sleeping too long may be caught up with while the line is busy: about the FIFO of a UART.
const burst = 16

// pass waits until n more bytes have passed.
func (p *pacer) pass(ctx context.Context, n int) error {
	now := time.Now()
	floor := now.Add(-burst * p.perByte)
	if p.passed.Before(floor) { // the line was idle, and time not used is not saved up
		p.due = now
	} else if p.due.Before(floor) {
		p.due = floor
	}
	p.due = p.due.Add(time.Duration(n) * p.perByte)
	timer := time.NewTimer(max(p.due.Sub(now), 0))
	defer timer.Stop()
	select {
	case <-timer.C:
		p.passed = time.Now()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
