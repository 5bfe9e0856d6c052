// Package sysbus is where the house speaks with the system it runs on, over D-Bus: systemd starts units, login1 keeps the
// power on while a sitting is open, UDisks2 mounts sticks, RAUC installs updates, timedate1 and hostname1 know clock and
// name. It decides nothing: who may update, and when, is the business of the rooms above.
//
// The bus and every service on it may go and come back at any time. Run keeps the connection; calls made without one fail
// at once with ErrAbsent; Watch tells when to look again. Every call has a time limit, and no answer is believed before its
// type was looked at.
package sysbus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Errors callers branch on.
var (
	ErrAbsent   = errors.New("the service is not there")
	ErrRefused  = errors.New("not authorised")
	ErrGone     = errors.New("the stick was pulled")
	ErrUnsafe   = errors.New("the mount lacks its safeguards")
	ErrReadOnly = errors.New("the stick is write-protected")
	ErrBusy     = errors.New("the installer is busy")
	ErrRunning  = errors.New("the bus connection is being kept already")
)

// Options say where everything is.
type Options struct {
	Address   string       // of the bus, in the form of the D-Bus specification; "": the system bus
	Mountinfo string       // "": /proc/self/mountinfo
	Sys       string       // "": /sys
	Log       *slog.Logger // nil: none
}

// Bus is the connection to the system bus. It is safe for use by many goroutines.
type Bus struct {
	opts     Options
	log      *slog.Logger
	limits   limits
	running  atomic.Bool
	mounting chan struct{} // one place: mounts and unmounts come one after the other
	nudge    chan struct{} // wakes the keeper

	mu       sync.Mutex // guards what follows
	link     *link      // nil: no connection
	reason   string     // why there is none
	services map[string]*service
	watchers map[chan struct{}]struct{}
}

// limits are the patience with others; tests have less.
type limits struct {
	connect time.Duration // dialling, authentication, greeting
	own     time.Duration // an answer of the bus itself; without it the connection is given up
	call    time.Duration // an ordinary answer of a service; longer than the 25 s the bus gives a service to start
	slow    time.Duration // an answer that waits for a slow stick
	job     time.Duration // a unit's job; longer than systemd's own 90 s
	ping    time.Duration // between two looks at the bus
	poll    time.Duration // between two looks at an installation
	first   time.Duration // wait before the second try of something; doubles
	last    time.Duration // the longest wait between two tries
}

func usual() limits {
	return limits{
		connect: 15 * time.Second, own: 30 * time.Second, call: 30 * time.Second, slow: 3 * time.Minute, job: 3 * time.Minute,
		ping: 10 * time.Second, poll: 5 * time.Second, first: 500 * time.Millisecond, last: 10 * time.Second,
	}
}

// New makes a Bus that is not connected yet: Run does that.
func New(o Options) *Bus {
	if o.Mountinfo == "" {
		o.Mountinfo = "/proc/self/mountinfo"
	}
	if o.Sys == "" {
		o.Sys = "/sys"
	}
	b := &Bus{
		opts: o, log: o.Log, limits: usual(), reason: "not connected yet", services: newServices(),
		mounting: make(chan struct{}, 1), nudge: make(chan struct{}, 1), watchers: map[chan struct{}]struct{}{},
	}
	if b.log == nil {
		b.log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	return b
}

// Run keeps the connection until ctx ends; the error is then ctx.Err(). When the bus dies or freezes, Run connects anew.
func (b *Bus) Run(ctx context.Context) error {
	if b.running.Swap(true) {
		return ErrRunning
	}
	defer b.running.Store(false)
	wait, told := b.limits.first, ""
	for {
		held, err := b.hold(ctx)
		if ctx.Err() != nil {
			b.lose("the daemon stops")
			return ctx.Err()
		}
		if held {
			wait, told = b.limits.first, ""
		}
		if text := err.Error(); text != told { // the same trouble is told once
			b.log.Warn("no connection to the system bus", "error", err)
			told = text
		}
		b.lose(err.Error())
		if sleep(ctx, wait/2+rand.N(wait)) != nil {
			return ctx.Err()
		}
		wait = min(2*wait, b.limits.last)
	}
}

// hold connects and stays until the connection is lost. held says whether there was one.
func (b *Bus) hold(ctx context.Context) (held bool, err error) {
	l, err := dial(ctx, b.opts.Address, b.limits.connect, b.hear)
	if err != nil {
		return false, err
	}
	defer l.close()
	b.forget()
	if err := b.enter(ctx, l); err != nil {
		return false, err
	}
	b.mu.Lock()
	b.link, b.reason = l, ""
	b.mu.Unlock()
	b.log.Info("connected to the system bus")
	b.tell()
	return true, b.keep(ctx, l)
}

// lose notes that there is no connection.
func (b *Bus) lose(reason string) {
	b.mu.Lock()
	changed := b.link != nil || b.reason != reason
	b.link, b.reason = nil, reason
	b.mu.Unlock()
	if changed {
		b.tell()
	}
}

// connected gives the connection, or ErrAbsent.
func (b *Bus) connected() (*link, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.link == nil {
		return nil, fmt.Errorf("%w: system bus: %s", ErrAbsent, b.reason)
	}
	return b.link, nil
}

// Watch returns a channel that gets a value after changes of services or volumes; several may come as one. It has one
// already. What changed is not said: look anew.
func (b *Bus) Watch() (changed <-chan struct{}, stop func()) {
	ch := make(chan struct{}, 1)
	ch <- struct{}{}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watchers[ch] = struct{}{}
	return ch, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.watchers, ch)
	}
}

// tell wakes those who watch.
func (b *Bus) tell() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for ch := range b.watchers {
		pulse(ch)
	}
}

// pulse leaves a value in a channel with one place.
func pulse(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// sleep waits, but not longer than ctx lives.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
