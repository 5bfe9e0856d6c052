package line

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// probeEvery is how often each line is looked at without cause. A kernel before 6.6 wakes nobody when a chip goes, and an
// interrupt that was lost on the board shows as a state nobody announced.
const probeEvery = 500 * time.Millisecond

// sensor is a claimed input.
type sensor interface {
	// wait gives the next changes, in order, or the error that ended the line. close wakes it.
	wait() ([]edge, error)
	// get reads the present state.
	get() (bool, error)
	close() error
}

// edge is one change of an input as the kernel tells it.
type edge struct {
	on  bool
	at  time.Time
	seq uint32 // from 1 per claim and line; a gap means that the kernel had no room
}

// Run claims all lines, reports the present state of every input, and serves until ctx ends (then the error is ctx.Err())
// or a line is gone. It is one attempt: a line that is missing at the start ends it, too. When Run returns, the outputs
// have their safe states and nothing is held.
func (l *Lines) Run(ctx context.Context) error {
	if l.running.Swap(true) {
		return ErrRunning
	}
	defer l.running.Store(false)
	sensors, err := l.claim(l.opt.Inputs)
	if err != nil {
		return err
	}
	l.setSensors(sensors)
	ctx, stop := context.WithCancel(ctx)
	s := &server{l: l, states: make([]state, len(sensors)), reports: make(chan report), guarded: make(chan error, 1)}
	var workers sync.WaitGroup
	for i, one := range sensors {
		workers.Go(func() { s.watch(ctx, i, one) })
	}
	if len(l.opt.Outputs) > 0 {
		workers.Go(func() { s.guarded <- l.keep(ctx) })
	}
	err = s.serve(ctx, sensors)
	l.setSensors(nil)
	stop()
	for _, one := range sensors {
		if err := one.close(); err != nil {
			l.log.Warn("close input", "err", err)
		}
	}
	workers.Wait()
	return err
}

func (l *Lines) setSensors(s []sensor) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sensors = s
}

// server is one Run. All of it happens in one goroutine but the waiting.
type server struct {
	l       *Lines
	states  []state
	queue   queue
	reports chan report
	guarded chan error
	gaps    uint64 // in the kernel's numbers
	told    uint64 // gaps and dropped events when last logged
}

// state is what is known of one input.
type state struct {
	on      bool
	seq     uint32
	looked  time.Time // when the state was last looked up and reported; notices from before are no news
	lost    bool      // changes are missing since then, and the state is to be looked up again
	suspect bool      // the last look found a state nobody had announced
}

// report is what one sensor said.
type report struct {
	i     int
	edges []edge
	err   error
}

func (s *server) watch(ctx context.Context, i int, from sensor) {
	for {
		edges, err := from.wait()
		select {
		case s.reports <- report{i, edges, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

func (s *server) serve(ctx context.Context, sensors []sensor) error {
	for i, one := range sensors {
		on, err := one.get()
		if err != nil {
			return s.l.failed(i, err)
		}
		s.found(i, on, 0, false)
	}
	look := time.NewTicker(probeEvery)
	defer look.Stop()
	for {
		out, head := s.queue.head(s.l.events)
		select {
		case out <- head:
			s.queue.pop()
		case r := <-s.reports:
			if r.err != nil {
				return s.l.failed(r.i, r.err)
			}
			if err := s.take(r.i, r.edges, sensors[r.i]); err != nil {
				return err
			}
		case <-look.C:
			if err := s.look(sensors); err != nil {
				return err
			}
		case err := <-s.guarded:
			if ctx.Err() == nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (l *Lines) failed(i int, err error) error {
	in := l.opt.Inputs[i]
	return fmt.Errorf("input %q on line %q: %w", in.Name, in.Line, err)
}

func (s *server) push(i int, e Event) {
	e.Name = s.l.opt.Inputs[i].Name
	s.queue.push(e)
}

// found reports a state that was looked up.
func (s *server) found(i int, on bool, seq uint32, lost bool) {
	now := time.Now()
	s.states[i].on, s.states[i].looked = on, now
	s.push(i, Event{On: on, At: now, Seq: seq, Lost: lost})
}

// take hands changes on. After a gap in the numbers the real state is looked up, since the changes that are left need not
// end where the line ended. Two changes to the same state mean that one between them was too short for the kernel, which
// reads the level only after the interrupt.
func (s *server) take(i int, edges []edge, from sensor) error {
	st := &s.states[i]
	st.suspect = false
	for _, e := range edges {
		gap := e.seq != st.seq+1
		st.seq = e.seq
		switch {
		case gap:
			st.lost = true
			s.gaps++
		case e.on == st.on && e.at.Before(st.looked):
			continue
		}
		lost := gap || e.on == st.on
		st.on = e.on
		s.push(i, Event{On: e.on, At: e.at, Seq: e.seq, Lost: lost})
	}
	if !st.lost {
		return nil
	}
	st.lost = false
	on, err := from.get()
	if err != nil {
		return s.l.failed(i, err)
	}
	if on != st.on {
		s.found(i, on, st.seq, true)
	}
	return nil
}

// look reads all inputs. A state that nobody announced is believed when it is still there at the next look; before that
// its announcement may be on the way.
func (s *server) look(sensors []sensor) error {
	for i, one := range sensors {
		on, err := one.get()
		if err != nil {
			return s.l.failed(i, err)
		}
		st := &s.states[i]
		if on == st.on {
			st.suspect = false
			continue
		}
		if st.suspect {
			s.found(i, on, st.seq, true)
			s.l.log.Warn("input changed without a notice of the kernel", "input", s.l.opt.Inputs[i].Name, "on", on)
		}
		st.suspect = !st.suspect
	}
	if sum := s.queue.dropped + s.gaps; sum != s.told {
		s.told = sum
		s.l.log.Warn("input changes lost since start", "gaps_of_the_kernel", s.gaps, "dropped_for_a_slow_reader", s.queue.dropped)
	}
	return nil
}

// keep holds the outputs by a guard until ctx ends or the guard does. It returns when the guard is gone.
func (l *Lines) keep(ctx context.Context) error {
	first := l.first()
	k, err := startGuard(ctx, l.opt.Guard, l.opt.Outputs, first)
	if err != nil {
		return err
	}
	if err := l.install(k, first); err != nil {
		return errors.Join(err, k.stop())
	}
	select {
	case <-k.gone:
		err = k.failure()
	case <-ctx.Done():
		err = ctx.Err()
	}
	l.mu.Lock()
	l.guard = nil
	l.mu.Unlock()
	if stopped := k.stop(); stopped != nil && ctx.Err() != nil {
		l.log.Error("outputs may not be in their safe states", "err", stopped)
	}
	return err
}

// install makes a guard the one that Set speaks to, and repeats to it the wishes that came while it was starting.
func (l *Lines) install(k *keeper, first []bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, o := range l.opt.Outputs {
		if on, wished := l.wish[o.Name]; wished && on != first[i] {
			if _, err := k.send(order{verb: verbSet, name: o.Name, on: on}); err != nil {
				return err
			}
		}
	}
	l.guard = k
	return nil
}
