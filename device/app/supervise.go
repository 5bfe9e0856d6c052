package app

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// Restart delays of a device: doubling from first to last, each by half to one and a half, so that what fell over
// together does not come back together.
const (
	firstDelay = 200 * time.Millisecond
	lastDelay  = 5 * time.Second
	settled    = 20 * time.Second // a device that ran this long starts again without delay growing
)

// supervisor keeps devices running. Absent at boot is the same case as lost later.
type supervisor struct {
	log *slog.Logger
	wg  sync.WaitGroup
}

// keep runs a device again and again until ctx ends. Each run has ended before the next one starts.
func (s *supervisor) keep(ctx context.Context, name string, run func(context.Context) error) {
	s.wg.Go(func() {
		log, delay, last := s.log.With("device", name), firstDelay, ""
		for {
			began := time.Now()
			err := run(ctx)
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
			select {
			case <-ctx.Done():
				return
			case <-time.After(delay/2 + rand.N(delay)):
			}
			delay = min(2*delay, lastDelay)
		}
	})
}

// wait returns when every device has ended.
func (s *supervisor) wait() { s.wg.Wait() }
