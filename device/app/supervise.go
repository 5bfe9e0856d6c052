package app

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"plenum/device/health"
)

// Restart delays of a device: doubling from first to last, each by half to one and a half, so that what fell over
// together does not come back together. A plug pushed in anywhere ends the wait at once; the last delay is for what
// comes back without a word from the kernel.
const (
	firstDelay = 200 * time.Millisecond
	lastDelay  = 2 * time.Second
	settled    = 20 * time.Second // a device that ran this long starts again without delay growing
)

// supervisor keeps devices running. Absent at boot is the same case as lost later.
type supervisor struct {
	log     *slog.Logger
	board   *health.Board
	plugged *nudge
	wg      sync.WaitGroup
}

// device is what the supervisor needs of one.
type device struct {
	id        string // on the board; empty: not there
	name      string // for the log
	run       func(context.Context) error
	meanwhile func(ctx context.Context) // runs while the device is waited for; nil: nothing
}

// keep runs a device again and again until ctx ends. Each run has ended before the next one starts.
func (s *supervisor) keep(ctx context.Context, d device) {
	s.wg.Go(func() {
		log, delay, last := s.log.With("device", d.name), firstDelay, ""
		for {
			began, wake := time.Now(), s.plugged.next()
			err := d.run(ctx)
			if ctx.Err() != nil {
				return
			}
			if time.Since(began) > settled {
				delay = firstDelay
			}
			if err == nil {
				err = errors.New("it ended by itself")
			}
			// A device that is absent for a week says so once.
			if msg := err.Error(); msg != last {
				log.Warn("device failed, trying again until it is back", "error", msg)
				last = msg
			}
			s.board.Set(d.id, health.Lost, "", err.Error())
			if s.pause(ctx, d, delay/2+rand.N(delay), wake) {
				delay = firstDelay
			} else {
				delay = min(2*delay, lastDelay)
			}
			if ctx.Err() != nil {
				return
			}
		}
	})
}

// pause waits before the next try. It reports whether something was plugged in or out meanwhile.
func (s *supervisor) pause(ctx context.Context, d device, delay time.Duration, wake <-chan struct{}) (woken bool) {
	wait, cancel := context.WithTimeout(ctx, delay)
	defer cancel()
	if d.meanwhile == nil {
		select {
		case <-wake:
			return true
		case <-wait.Done():
			return false
		}
	}
	ended := make(chan bool, 1)
	go func() {
		defer cancel()
		select {
		case <-wake:
			ended <- true
		case <-wait.Done():
			ended <- false
		}
	}()
	d.meanwhile(wait)
	<-wait.Done()
	return <-ended
}

// wait returns when every device has ended.
func (s *supervisor) wait() { s.wg.Wait() }

// nudge wakes all who wait for a plug.
type nudge struct {
	mu sync.Mutex
	ch chan struct{}
}

func newNudge() *nudge { return &nudge{ch: make(chan struct{})} }

// next returns a channel that is closed by the next give.
func (n *nudge) next() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ch
}

func (n *nudge) give() {
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.ch)
	n.ch = make(chan struct{})
}
