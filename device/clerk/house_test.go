package clerk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"plenum/device/journal"
	"plenum/device/sitting"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" {
		child(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// memory is a journal that can be told to be slow, to fail and to lie.
type memory struct {
	mu      sync.Mutex
	records []journal.Record
	gaps    []journal.Gap
	appends int
	before  func(ctx context.Context) error // runs ahead of Append and Note; an error is theirs
	after   func() error                    // runs when Append has stored; an error is reported all the same
}

func (m *memory) hook(ctx context.Context) error {
	m.mu.Lock()
	f := m.before
	m.mu.Unlock()
	if f == nil {
		return nil
	}
	return f(ctx)
}

func (m *memory) Append(ctx context.Context, rs []journal.Record) error {
	if err := m.hook(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.appends++
	for _, r := range rs {
		if r.Seq <= uint64(len(m.records)) {
			continue
		}
		if r.Seq != uint64(len(m.records))+1 {
			return fmt.Errorf("%w: record %d after %d", journal.ErrChain, r.Seq, len(m.records))
		}
		r.At = r.At.UTC()
		m.records = append(m.records, r)
	}
	if m.after != nil {
		return m.after()
	}
	return nil
}

func (m *memory) Note(ctx context.Context, g journal.Gap) error {
	if err := m.hook(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gaps = append(m.gaps, g)
	return nil
}

func (m *memory) Head(context.Context) (last, number, first uint64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.records) == 0 {
		return 0, 0, 0, nil
	}
	end := m.records[len(m.records)-1]
	i := slices.IndexFunc(m.records, func(r journal.Record) bool { return r.Sitting == end.Sitting })
	return end.Seq, end.Sitting, uint64(i) + 1, nil
}

func (m *memory) ReplayFrom(_ context.Context, seq uint64, fn func(journal.Record) error) error {
	for _, r := range m.held() {
		if r.Seq < seq {
			continue
		}
		if err := fn(r); err != nil {
			return err
		}
	}
	return nil
}

// held is what is on this disk.
func (m *memory) held() []journal.Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.records)
}

// on changes how the disk behaves.
func (m *memory) on(before func(ctx context.Context) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.before = before
}

// slow is a disk that takes its time.
func slow(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		sleep(ctx, d)
		return ctx.Err()
	}
}

var errDisk = errors.New("no space left on device")

func full(context.Context) error { return errDisk }

// page is a log that tests read.
type page struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (p *page) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buf.Write(b)
}

func (p *page) count(s string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return bytes.Count(p.buf.Bytes(), []byte(s))
}

func (p *page) logger() *slog.Logger { return slog.New(slog.NewTextHandler(p, nil)) }

// patient is the patience of tests that run by the real clock, where the machine may be slow and the disk is not.
const patient = time.Hour

// running starts a clerk. end stops it and returns what Run said; it is called at the end of the test if not before.
func running(t testing.TB, o Options) (c *Clerk, end func() error) {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	end = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { _ = end() })
	return c, end
}

func box() sitting.Actor      { return sitting.Actor{Role: sitting.RoleBox} }
func operator() sitting.Actor { return sitting.Actor{Role: sitting.RoleOperator} }
func chair() sitting.Actor    { return sitting.Actor{Role: sitting.RoleChair, Person: "p1"} }
func member(id sitting.PersonID) sitting.Actor {
	return sitting.Actor{Role: sitting.RoleMember, Person: id}
}

// council is a roster: the chair at seat 1, members at seats 2 to 4, two more from outside.
func council() sitting.Event {
	e := sitting.Event{Kind: sitting.KindRoster, By: box(), Body: "Rat", Mode: sitting.ModeChairGrants, Limit: 2, MaxLimit: 4}
	for i := range 6 {
		m := sitting.Member{ID: sitting.PersonID(fmt.Sprint("p", i+1)), Name: fmt.Sprint("Person ", i+1), Role: sitting.RoleMember}
		if i < 4 {
			m.Seat, m.Desk = sitting.SeatID(fmt.Sprint(i+1)), "hall"
		} else {
			m.Remote = true
		}
		if i == 0 {
			m.Role = sitting.RoleChair
		}
		e.Roster = append(e.Roster, m)
	}
	return e
}

// gather lists the events after which everybody is there and the sitting is open.
func gather() []sitting.Event {
	es := []sitting.Event{council(), {Kind: sitting.KindDesk, By: box(), Desk: &sitting.Desk{Name: "hall", Link: sitting.LinkLive}}}
	for _, s := range []sitting.SeatID{"1", "2", "3", "4"} {
		es = append(es, sitting.Event{Kind: sitting.KindSeat, By: box(), Seat: s, On: true})
	}
	for _, p := range []sitting.PersonID{"p5", "p6"} {
		es = append(es, sitting.Event{Kind: sitting.KindLeg, By: box(), Person: p, Leg: &sitting.Leg{Publishes: true, Plays: true, Audio: true, Video: true}})
	}
	return append(es, sitting.Event{Kind: sitting.KindOpen, By: operator()})
}

// opened gathers and opens.
func opened(t testing.TB, c *Clerk) {
	t.Helper()
	for _, e := range gather() {
		do(t, c, "", e)
	}
}

// do expects an event to be accepted.
func do(t testing.TB, c *Clerk, key string, e sitting.Event) Receipt {
	t.Helper()
	r, err := c.Do(context.Background(), key, e)
	if err != nil {
		t.Errorf("%s: %v", e.Kind, err) // not Fatal: it is called from other goroutines too
	}
	return r
}

// press is a desk's key, release the key pressed again.
func press(seat sitting.SeatID) sitting.Event {
	return sitting.Event{Kind: sitting.KindRequest, By: box(), Seat: seat}
}

func release(seat sitting.SeatID) sitting.Event {
	return sitting.Event{Kind: sitting.KindLower, By: box(), Seat: seat}
}

func grant(id sitting.PersonID) sitting.Event {
	return sitting.Event{Kind: sitting.KindGrant, By: operator(), Person: id}
}

func withdraw(id sitting.PersonID) sitting.Event {
	return sitting.Event{Kind: sitting.KindWithdraw, By: operator(), Person: id}
}

// anything is some event of a lively sitting; pick(n) gives a number below n.
func anything(pick func(n int) int) sitting.Event {
	seat := sitting.SeatID(fmt.Sprint(pick(5) + 1)) // one too many
	id := sitting.PersonID(fmt.Sprint("p", pick(7)+1))
	on := pick(3) > 0
	switch pick(22) {
	case 0, 1, 2, 3:
		return press(seat)
	case 4, 5:
		return sitting.Event{Kind: sitting.KindRequest, By: member(id), Person: id, Origin: sitting.OriginRemote}
	case 6, 7, 8:
		return grant(id)
	case 9:
		return withdraw(id)
	case 10:
		return sitting.Event{Kind: sitting.KindNext, By: operator()}
	case 11:
		return release(seat)
	case 12:
		return sitting.Event{Kind: sitting.KindMic, By: box(), Seat: seat, On: on}
	case 13:
		return sitting.Event{Kind: sitting.KindMicFail, By: box(), Seat: seat, On: on, Reason: "kaputt"}
	case 14:
		return sitting.Event{Kind: sitting.KindSeat, By: box(), Seat: seat, On: on}
	case 15:
		return sitting.Event{Kind: sitting.KindLeg, By: box(), Person: id, Leg: &sitting.Leg{Publishes: on, Plays: on, Audio: on}}
	case 16:
		p := []sitting.Priority{sitting.PriorityClear, sitting.PriorityHold, sitting.PriorityRelease, sitting.PriorityRelease}[pick(4)]
		return sitting.Event{Kind: sitting.KindPriority, By: chair(), Priority: p}
	}
	if pick(3) == 0 {
		m := []sitting.Mode{sitting.ModeChairGrants, sitting.ModeFirstCome, sitting.ModeOverride}[pick(3)]
		return sitting.Event{Kind: sitting.KindRules, By: chair(), Mode: m, Limit: pick(4) + 1}
	}
	return ofTheHouse(pick, on)
}

// ofTheHouse is what the house itself brings.
func ofTheHouse(pick func(n int) int, on bool) sitting.Event {
	item := sitting.Item{ID: fmt.Sprint("camera/", pick(3)), Name: "camera", Required: true, Red: on, Reason: "unplugged"}
	switch pick(5) {
	case 0:
		return sitting.Event{Kind: sitting.KindAlarm, By: box(), On: on, Reason: fmt.Sprint("contact ", pick(2))}
	case 1, 2:
		return sitting.Event{Kind: sitting.KindAllClear, By: operator()}
	case 3:
		return sitting.Event{Kind: sitting.KindItems, By: box(), Items: []sitting.Item{item, {ID: "output/hall"}}}
	}
	return sitting.Event{Kind: sitting.KindItem, By: box(), Item: &item}
}
