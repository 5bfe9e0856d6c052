package sim

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"
)

const (
	slice      = 8                      // bytes sent at a time: 1.4 ms at 57600 bit/s
	maxCommand = 64                     // longest command of a controller
	writeLimit = 200 * time.Millisecond // nobody listens: the bytes are lost, as on a real line
)

// serve speaks over one wire until it is closed.
func (s *Sim) serve(ctx context.Context, wire Wire) {
	ctx, stop := context.WithCancel(ctx)
	var writer sync.WaitGroup
	writer.Go(func() { s.write(ctx, wire) })
	s.read(ctx, wire)
	stop()
	writer.Wait()
}

// read takes commands at the line's speed.
func (s *Sim) read(ctx context.Context, wire Wire) {
	pace := s.pace()
	buf := make([]byte, slice)
	var line []byte
	for {
		n, err := wire.Read(buf)
		if err != nil || pace.pass(ctx, n) != nil {
			return
		}
		if s.unheard(buf[:n]) {
			line = nil
			continue
		}
		for _, b := range buf[:n] {
			switch {
			case b == '\r':
				s.command(string(line))
				line = nil
			case b >= ' ' && len(line) < maxCommand:
				line = append(line, b)
			}
		}
	}
}

// unheard tells whether what came does not reach the unit.
func (s *Sim) unheard(b []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults.echo && !s.faults.away {
		s.put(b)
	}
	return s.faults.away || s.faults.echo
}

// write sends what waits at the line's speed.
func (s *Sim) write(ctx context.Context, wire Wire) {
	pace := s.pace()
	for {
		s.mu.Lock()
		n := min(slice, len(s.out))
		piece := s.out[:n:n]
		s.out = s.out[n:]
		away := s.faults.away
		s.mu.Unlock()
		if n == 0 {
			select {
			case <-s.outWake:
				continue
			case <-ctx.Done():
				return
			}
		}
		if pace.pass(ctx, n) != nil {
			return
		}
		if away {
			continue
		}
		if err := wire.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
			return
		}
		switch _, err := wire.Write(piece); {
		case errors.Is(err, os.ErrDeadlineExceeded):
			s.mu.Lock()
			s.lost += len(s.out)
			s.out = nil
			s.mu.Unlock()
		case err != nil:
			return
		}
	}
}
