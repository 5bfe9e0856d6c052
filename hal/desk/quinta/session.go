package quinta

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"plenum/hal/desk"
	"plenum/hal/port"
)

// Times of a session.
const (
	keepAlive   = 5 * time.Second  // without any other command the login and the streams are asked for
	troubleTime = 30 * time.Second // how long a link stays degraded after the last trouble
	compareGap  = time.Second      // shortest time between two comparisons out of suspicion
	weakGrace   = 300 * time.Millisecond
	maxMissed   = 3               // commands in a row without a prompt before the unit counts as gone
	maxDead     = 2               // the same when not even a byte came
	partTime    = 2 * time.Second // for closing the microphones at the end
)

// errNoPrompt: the unit left a command without a prompt. The next one may be sent.
var errNoPrompt = errors.New("no prompt within 5 s")

// chunk is what one Read brought.
type chunk struct {
	data []byte
	at   time.Time
}

// session is one Run: it owns the line, and all of it happens in one goroutine but the reading.
type session struct {
	d       *Driver
	line    port.Port
	chunks  chan chunk
	readErr error // valid when chunks is closed
	second  *time.Ticker

	decoder decoder
	answers
	watch func(message) // an order looks for its confirmation

	heard    heard
	came     int  // chunks since the start
	answered bool // any command
	live     bool
	relogin  bool
	waiting  bool      // our last command has had no prompt yet
	missed   int       // commands in a row without a prompt
	dead     int       // those of them after which not a byte came
	asked    time.Time // last command with a prompt
	compared time.Time
	trouble  time.Time
	reported Stats
}

func newSession(d *Driver, line port.Port) *session {
	return &session{d: d, line: line, chunks: make(chan chunk, 64)}
}

// serve runs the session to its end, which is never nil.
func (s *session) serve(ctx context.Context) error {
	reading, stop := context.WithCancel(context.WithoutCancel(ctx)) // until the microphones are closed
	var reader sync.WaitGroup
	reader.Go(func() { s.read(reading) })
	s.second = time.NewTicker(time.Second)
	defer func() {
		s.second.Stop()
		stop()
		if err := s.line.Close(); err != nil {
			s.d.log.Warn("close desk line", "err", err)
		}
		reader.Wait()
	}()
	if err := s.wipe(ctx); err != nil {
		return err
	}
	if err := s.sync(ctx); err != nil {
		return err
	}
	for {
		if err := s.next(ctx); err != nil {
			if ctx.Err() != nil {
				s.part(ctx)
			}
			return err
		}
	}
}

// part leaves a unit that goes on without us. Nobody can order its microphones closed any more, so they close now, unless
// they are to be left to the people at the desks. What a unit opened by itself is not ours.
func (s *session) part(ctx context.Context) {
	alone := known(s.d, func(m *mapper) bool { return m.standalone })
	if s.d.opt.LeaveOpen || alone || !s.live || s.missed > 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), partTime)
	defer cancel()
	if s.waiting { // our last command has had no prompt yet
		n := s.prompts
		if err := s.wait(ctx, partTime/2, func() bool { return s.prompts > n }); err != nil && !errors.Is(err, errTime) {
			s.d.log.Warn("microphones may be left open at the desk", "err", err)
			return
		}
	}
	if r, err := s.allOff(ctx); err != nil || r.Outcome != desk.Confirmed {
		s.d.log.Warn("microphones may be left open at the desk", "reason", r.Reason, "err", err)
	}
}

// wipe ends what a line that broke in mid-command left half-said at the desk: the login must not become the rest of it, for
// then nothing is answered and nothing may be sent for promptTimeout. What the desk says to it is of no interest.
func (s *session) wipe(ctx context.Context) error {
	if _, err := s.line.Write([]byte("\r")); err != nil {
		return fmt.Errorf("greet the desk: %w", err)
	}
	if err := s.wait(ctx, weakGrace, func() bool { return false }); !errors.Is(err, errTime) {
		return err
	}
	return nil
}

// read hands on what arrives, with the time of arrival, until the line ends.
func (s *session) read(ctx context.Context) {
	defer close(s.chunks)
	buf := make([]byte, 1024)
	for {
		n, err := s.line.Read(buf)
		at := time.Now()
		if err != nil {
			s.readErr = err
			return
		}
		select {
		case s.chunks <- chunk{bytes.Clone(buf[:n]), at}:
		case <-ctx.Done():
			s.readErr = ctx.Err()
			return
		}
	}
}

// next does the one thing that is due, or waits for something to be due.
func (s *session) next(ctx context.Context) error {
	if s.relogin {
		return s.sync(ctx)
	}
	if o := s.d.orders.take(); o != nil {
		return s.execute(ctx, o)
	}
	wanted := known(s.d, func(m *mapper) bool { return m.wantCompare })
	if wanted && time.Since(s.compared) >= compareGap {
		return s.compare(ctx)
	}
	due := time.Until(s.asked.Add(keepAlive))
	if due <= 0 || s.missed > 0 { // a silence is looked into at once
		return s.checkAlive(ctx)
	}
	if wanted {
		due = min(due, compareGap)
	}
	err := s.wait(ctx, due, func() bool { return s.relogin || !s.d.orders.empty() || s.suspects() })
	if errors.Is(err, errTime) {
		return nil
	}
	return err
}

func (s *session) suspects() bool {
	return time.Since(s.compared) >= compareGap && known(s.d, func(m *mapper) bool { return m.wantCompare })
}

// errTime: the time of a wait is over.
var errTime = errors.New("time is over")

// wait serves the line until done, the end of the time (errTime), or the end of the line.
func (s *session) wait(ctx context.Context, limit time.Duration, done func() bool) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for !done() {
		select {
		case c, ok := <-s.chunks:
			if !ok {
				return s.ended(ctx)
			}
			s.feed(c)
		case <-s.second.C:
			s.tick(time.Now())
		case <-s.d.orders.wake:
		case <-timer.C:
			return errTime
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (s *session) ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return fmt.Errorf("desk line: %w", s.readErr)
}

// feed takes what arrived.
func (s *session) feed(c chunk) {
	s.heard.bytes = true
	s.came++
	before := s.decoder.Stats
	s.decoder.Feed(c.data, c.at, s.take)
	after := s.decoder.Stats
	s.d.mu.Lock()
	s.d.stats.DecoderStats = after
	s.d.mu.Unlock()
	if after.Damaged != before.Damaged || after.Overlong != before.Overlong {
		s.trouble = c.at
		s.heard.damaged++
	}
	if s.resting {
		s.weak = c.at
	}
	s.showLink()
}

// take takes one message.
func (s *session) take(m message) {
	if s.d.log.Enabled(context.Background(), slog.LevelDebug) {
		s.d.log.Debug("desk says", "line", string(m.Raw), "prompt", m.Kind == kindPrompt)
	}
	if m.Kind == kindPrompt {
		s.prompt(m.At)
		return
	}
	echo := s.isEcho(m)
	s.heard.line(m, echo)
	if echo { // some converters give back what they send
		return
	}
	s.answers.line(m)
	if s.watch != nil {
		s.watch(m)
	}
	if m.Kind == kindUnknown {
		s.count(func(st *Stats) { st.Unknown++ })
	}
	s.d.publish(func(state *mapper) []desk.Event { return state.apply(m) })
}

func (s *session) count(add func(*Stats)) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	add(&s.d.stats)
}

// exchange sends a command and waits for its prompt. errNoPrompt is no end of the session, every other error is.
func (s *session) exchange(ctx context.Context, cmd string, fits func(block) fit) (block, error) {
	s.d.log.Debug("to desk", "line", cmd)
	s.await(cmd, fits, time.Now())
	defer s.giveUp()
	came := s.came
	if s.missed == 0 {
		s.heard = heard{}
	}
	if _, err := s.line.Write([]byte(cmd + "\r")); err != nil {
		return nil, fmt.Errorf("send %q to the desk: %w", cmd, err)
	}
	s.waiting = true
	err := s.answerIn(ctx, promptTimeout)
	if ctx.Err() == nil {
		s.waiting = false
	}
	s.asked = time.Now()
	switch {
	case err == nil:
		s.missed, s.dead, s.answered = 0, 0, true
		return s.answer, nil
	case !errors.Is(err, errTime):
		return nil, err
	}
	s.count(func(st *Stats) { st.PromptTimeouts++ })
	s.trouble = s.asked
	s.missed++
	if s.came == came {
		s.dead++
	}
	if s.missed >= maxMissed || s.dead >= maxDead {
		return nil, s.silent()
	}
	return nil, errNoPrompt
}

// answerIn waits for the answer to the command sent: a good one at once, a weak one when no better follows.
func (s *session) answerIn(ctx context.Context, limit time.Duration) error {
	end := time.Now().Add(limit)
	for s.fits != nil {
		weak, left := s.weak, time.Until(end)
		if !weak.IsZero() {
			left = min(left, time.Until(weak.Add(weakGrace)))
		}
		err := s.wait(ctx, left, func() bool { return s.fits == nil || s.weak != weak })
		switch {
		case err == nil:
		case errors.Is(err, errTime) && !weak.IsZero() && (!s.resting || time.Since(weak) >= weakGrace):
			return nil
		default:
			return err
		}
	}
	return nil
}

// insist sends a command until its prompt comes; the third silence in a row ends the session.
func (s *session) insist(ctx context.Context, cmd string, fits func(block) fit) (block, error) {
	for {
		b, err := s.exchange(ctx, cmd, fits)
		if !errors.Is(err, errNoPrompt) {
			return b, err
		}
	}
}

// tick is called once a second.
func (s *session) tick(now time.Time) {
	s.d.publish(func(m *mapper) []desk.Event { return m.tick(now) })
	s.showLink()
	st := s.d.Stats()
	st.Lines, st.Logins = 0, 0 // these are no trouble
	if st != s.reported {
		s.d.log.Warn("trouble on the desk line since start", "damaged", st.Damaged, "overlong", st.Overlong,
			"unknown", st.Unknown, "suspect", st.Suspect, "no_prompt", st.PromptTimeouts, "dropped_events", st.DroppedEvents)
		s.reported = st
	}
}

// showLink reports how good the link is.
func (s *session) showLink() {
	switch {
	case !s.live:
	case known(s.d, func(m *mapper) bool { return m.standalone }):
		s.d.setLink(desk.LinkStandalone, "the desk unit opens microphones by itself: set it to PC-controlled mode")
	case !s.trouble.IsZero() && time.Since(s.trouble) < troubleTime:
		s.d.setLink(desk.LinkDegraded, "time-outs or damaged lines")
	default:
		s.d.setLink(desk.LinkLive, "")
	}
}
