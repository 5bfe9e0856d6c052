package clerk

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"plenum/device/journal"
	"plenum/device/sitting"
)

// want checks that the disk holds exactly the records 1 to n, in order.
func (m *memory) want(t *testing.T, n uint64) {
	t.Helper()
	rs := m.held()
	for i, r := range rs {
		if r.Seq != uint64(i)+1 {
			t.Fatalf("record %d at place %d", r.Seq, i+1)
		}
	}
	if len(rs) != int(n) {
		t.Fatalf("%d records instead of %d", len(rs), n)
	}
}

// A slow disk holds a microphone up for as long as the clerk has patience, the next one not at all; and everything is
// written in the end.
func TestSlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &memory{}
		var log page
		type opening struct {
			seq   uint64
			after time.Duration
		}
		var openings []opening
		start := time.Now()
		c, _ := running(t, Options{Journal: disk, Log: log.logger(), Effects: func(seq uint64, es []sitting.Effect) {
			for _, e := range es {
				if e.Kind == sitting.EffectMic && e.On {
					openings = append(openings, opening{seq, time.Since(start)})
				}
			}
		}})
		opened(t, c)
		n := c.Snapshot().Seq
		disk.on(slow(3 * time.Second))
		if r := do(t, c, "", grant("p2")); r != (Receipt{Seq: n + 1}) || time.Since(start) != 250*time.Millisecond {
			t.Fatal(r, time.Since(start))
		}
		if s := c.Snapshot(); s.Recorded || s.State.Speaking("p2") != 0 {
			t.Fatalf("%+v", s)
		}
		if r := do(t, c, "k", grant("p3")); r != (Receipt{Seq: n + 2}) || time.Since(start) != 250*time.Millisecond {
			t.Fatal(r, time.Since(start))
		}
		if r := do(t, c, "k", grant("p3")); r != (Receipt{Seq: n + 2, Repeated: true}) {
			t.Fatal(r)
		}
		if d := cmp.Diff([]opening{{n + 1, 250 * time.Millisecond}, {n + 2, 250 * time.Millisecond}}, openings, cmp.AllowUnexported(opening{})); d != "" {
			t.Fatal(d)
		}
		changes, stop := c.Watch()
		defer stop()
		<-changes
		if s := <-changes; !s.Recorded || s.Seq != n+2 {
			t.Fatalf("%+v", s)
		}
		// The record being written, the one behind it, and the note, 3 s each.
		if d := time.Since(start); d != 9*time.Second {
			t.Fatal(d)
		}
		disk.on(nil)
		if r := do(t, c, "", withdraw("p2")); !r.Recorded {
			t.Fatal(r)
		}
		disk.want(t, n+3)
		g := []journal.Gap{{First: n + 1, Last: n + 2, From: start.Add(250 * time.Millisecond), Until: start.Add(6 * time.Second), Reason: tooSlow}}
		if d := cmp.Diff(g, disk.gaps); d != "" {
			t.Fatal(d)
		}
		if log.count("is not being recorded") != 1 || log.count("recorded again") != 1 {
			t.Fatal(log.buf.String())
		}
	})
}

// A disk that fails is tried again; what was decided meanwhile is written in order when it is back.
func TestFailingDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &memory{}
		var log page
		c, _ := running(t, Options{Journal: disk, Log: log.logger()})
		opened(t, c)
		n := c.Snapshot().Seq
		disk.on(full)
		for range 50 {
			do(t, c, "", press("2"))
			do(t, c, "", release("2"))
			time.Sleep(100 * time.Millisecond)
		}
		disk.want(t, n)
		if log.count("no space left") != 2 { // once from the writer, once with the reason
			t.Fatal(log.buf.String())
		}
		disk.on(nil)
		time.Sleep(2 * retryMost)
		if !c.Snapshot().Recorded {
			t.Fatal("still not recorded")
		}
		disk.want(t, n+100)
		want := []journal.Gap{{First: n + 1, Last: n + 100, Reason: errDisk.Error()}}
		if d := cmp.Diff(want, disk.gaps, cmpopts.IgnoreFields(journal.Gap{}, "From", "Until")); d != "" {
			t.Fatal(d)
		}
		// A restart gives the same state.
		again, err := New(Options{Journal: disk})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.Snapshot(), again.Snapshot()); d != "" {
			t.Fatal(d)
		}
	})
}

// A hiccup shorter than the patience is nobody's business.
func TestHiccup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &memory{}
		c, _ := running(t, Options{Journal: disk})
		opened(t, c)
		tries := 0
		disk.on(func(context.Context) error {
			if tries++; tries < 3 {
				return errDisk
			}
			return nil
		})
		if r := do(t, c, "", press("2")); !r.Recorded || !c.Snapshot().Recorded {
			t.Fatal(r)
		}
		if tries != 3 || len(disk.gaps) != 0 {
			t.Fatal(tries, disk.gaps)
		}
	})
}

// An error of a write that got through all the same does not double anything.
func TestErrorAfterCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &memory{}
		c, end := running(t, Options{Journal: disk})
		opened(t, c)
		n := c.Snapshot().Seq
		once := errDisk
		disk.after = func() error {
			err := once
			once = nil
			return err
		}
		if r := do(t, c, "", press("2")); r != (Receipt{Seq: n + 1, Recorded: true}) {
			t.Fatal(r)
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
		disk.want(t, n+1)
	})
}

// Events that come while the note on a gap is written belong to the next one, and none is left out.
func TestGapsJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &memory{}
		c, _ := running(t, Options{Journal: disk})
		opened(t, c)
		n := c.Snapshot().Seq
		disk.on(slow(time.Second))
		do(t, c, "", press("2")) // written at 1 s, note until 2 s
		time.Sleep(1250 * time.Millisecond)
		if r := do(t, c, "", press("3")); r.Recorded { // written at 3 s, note until 4 s
			t.Fatal(r)
		}
		time.Sleep(10 * time.Second)
		if !c.Snapshot().Recorded {
			t.Fatal("still not recorded")
		}
		disk.want(t, n+2)
		want := []journal.Gap{{First: n + 1, Last: n + 1, Reason: tooSlow}, {First: n + 2, Last: n + 2, Reason: tooSlow}}
		if d := cmp.Diff(want, disk.gaps, cmpopts.IgnoreFields(journal.Gap{}, "From", "Until")); d != "" {
			t.Fatal(d)
		}
		if !disk.gaps[0].Until.Equal(disk.gaps[1].From) {
			t.Fatal(disk.gaps)
		}
	})
}

// When the backlog is full the sitting goes on, says so once, and keeps what it has in one piece.
func TestBacklogOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &memory{}
		var log page
		c, end := running(t, Options{Journal: disk, Log: log.logger(), Backlog: 10})
		opened(t, c)
		n := c.Snapshot().Seq
		disk.on(full)
		for range 10 {
			do(t, c, "", press("2"))
			do(t, c, "", release("2"))
		}
		do(t, c, "", grant("p2"))
		disk.on(nil)
		time.Sleep(time.Minute)
		if r := do(t, c, "", grant("p3")); r.Recorded || c.Snapshot().Recorded {
			t.Fatal("recorded again although some were lost")
		}
		time.Sleep(time.Minute)
		disk.want(t, n+10)
		want := []journal.Gap{{First: n + 1, Last: n + 10, Reason: errDisk.Error()}}
		if d := cmp.Diff(want, disk.gaps, cmpopts.IgnoreFields(journal.Gap{}, "From")); d != "" {
			t.Fatal(d)
		}
		if log.count("backlog is full") != 1 || log.count("recorded again") != 0 {
			t.Fatal(log.buf.String())
		}
		if err := end(); !errors.Is(err, ErrUnrecorded) || !strings.Contains(err.Error(), "0 not written, 12 not kept") {
			t.Fatal(err)
		}
		again, err := New(Options{Journal: disk})
		if err != nil || again.Snapshot().Seq != n+10 {
			t.Fatal(err)
		}
	})
}

// At its end the clerk waits for the disk, but not for ever.
func TestFlush(t *testing.T) {
	for name, x := range map[string]struct {
		disk func(context.Context) error
		back time.Duration // when the disk is well again
		err  error
		took time.Duration
	}{
		"well":        {nil, 0, nil, 0},
		"slow":        {slow(2 * time.Second), time.Hour, nil, 4*time.Second - 250*time.Millisecond}, // record and note
		"back soon":   {full, 2 * time.Second, nil, 2290 * time.Millisecond},
		"gone":        {full, time.Hour, ErrUnrecorded, 5 * time.Second},
		"hanging":     {func(context.Context) error { time.Sleep(time.Minute); return errDisk }, time.Hour, ErrUnrecorded, 6 * time.Second},
		"interrupted": {slow(time.Hour), time.Hour, ErrUnrecorded, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				disk := &memory{}
				c, end := running(t, Options{Journal: disk})
				opened(t, c)
				n := c.Snapshot().Seq
				disk.on(x.disk)
				do(t, c, "", press("2"))
				time.AfterFunc(x.back, func() { disk.on(nil) })
				start := time.Now()
				err := end()
				if !errors.Is(err, x.err) || time.Since(start) != x.took {
					t.Fatal(err, time.Since(start))
				}
				if x.err == nil {
					disk.want(t, n+1)
				}
				time.Sleep(time.Hour) // lets a hanging write end inside the bubble
			})
		})
	}
}

// Shutting down in the middle of a commit still answers whoever waits for it.
func TestEndDuringCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &memory{}
		c, end := running(t, Options{Journal: disk})
		opened(t, c)
		disk.on(slow(100 * time.Millisecond))
		got := make(chan error, 2)
		for range 2 {
			go func() {
				_, err := c.Do(t.Context(), "same", press("2"))
				got <- err
			}()
			synctest.Wait()
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if a, b := <-got, <-got; a != nil && b != nil {
			t.Fatal(a, b)
		}
	})
}
