package clerk

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"plenum/device/journal"
	"plenum/device/sitting"
)

func TestDo(t *testing.T) {
	disk := &memory{}
	c, end := running(t, Options{Journal: disk, Patience: patient})
	opened(t, c)
	n := c.Snapshot().Seq
	if r := do(t, c, "", press("3")); r != (Receipt{Seq: n + 1, Recorded: true}) {
		t.Fatal(r)
	}
	s := c.Snapshot()
	if s.State.Waiting("p3") != 0 || s.Seq != n+1 || s.Sitting != 1 || !s.Recorded || s.At.IsZero() {
		t.Fatalf("%+v", s)
	}
	for name, x := range map[string]struct {
		e   sitting.Event
		err error
	}{
		"twice":           {press("3"), sitting.ErrAlreadyListed},
		"stranger":        {press("99"), sitting.ErrUnknownSeat},
		"not allowed":     {sitting.Event{Kind: sitting.KindClose, By: member("p5")}, sitting.ErrNotAllowed},
		"nothing":         {sitting.Event{Kind: sitting.KindSeat, By: box(), Seat: "3", On: true}, sitting.ErrNothingChanged},
		"time of a dream": {sitting.Event{Kind: sitting.KindNext, By: operator(), At: time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)}, sitting.ErrInvalid},
	} {
		if r, err := c.Do(t.Context(), "", x.e); !errors.Is(err, x.err) || r != (Receipt{}) {
			t.Errorf("%s: %v %v", name, r, err)
		}
	}
	if got := len(disk.held()); got != int(n)+1 {
		t.Fatalf("%d records of %d accepted events", got, n+1)
	}
	if err := end(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Do(t.Context(), "", press("4")); !errors.Is(err, ErrStopped) {
		t.Fatal(err)
	}
}

func TestKeys(t *testing.T) {
	disk := &memory{}
	c, end := running(t, Options{Journal: disk, Patience: patient})
	opened(t, c)
	first := do(t, c, "p3/1", press("3"))
	for range 2 {
		again := do(t, c, "p3/1", press("3"))
		if want := (Receipt{Seq: first.Seq, Repeated: true, Recorded: true}); again != want {
			t.Fatal(again)
		}
		if _, err := c.Do(t.Context(), "p3/1", press("4")); !errors.Is(err, ErrKeyReused) {
			t.Fatal(err)
		}
		// What was refused is decided anew.
		if _, err := c.Do(t.Context(), "p9/1", press("9")); !errors.Is(err, sitting.ErrUnknownSeat) {
			t.Fatal(err)
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
		c, end = running(t, Options{Journal: disk, Patience: patient})
	}
	if _, err := c.Do(t.Context(), strings.Repeat("k", MaxKey+1), press("4")); !errors.Is(err, ErrKeyTooLong) {
		t.Fatal(err)
	}
}

func TestKeysAreForgotten(t *testing.T) {
	k := newKeys(3)
	for i := range uint64(10) {
		k.put(fmt.Sprint("k", i), digest{byte(i)}, i+1)
		if i == 5 {
			k.put("k1", digest{1}, 100) // came again after it was forgotten
		}
	}
	if len(k.known) != 3 {
		t.Fatal(k.known)
	}
	if seq, same, known := k.find("k8", digest{8}); seq != 9 || !same || !known {
		t.Fatal(seq, same, known)
	}
	if _, _, known := k.find("k1", digest{1}); known {
		t.Fatal("k1 is still there")
	}
}

// Nothing of an event is to be seen before it is on the disk.
func TestJournalBeforeEffect(t *testing.T) {
	disk := &memory{}
	var onDisk, early atomic.Uint64
	disk.after = func() error {
		onDisk.Store(uint64(len(disk.records)))
		return nil
	}
	see := func(seq uint64) {
		if seq > onDisk.Load() {
			early.Add(1)
		}
	}
	var effects []uint64
	c, end := running(t, Options{Journal: disk, Patience: patient, Effects: func(seq uint64, _ []sitting.Effect) {
		see(seq)
		effects = append(effects, seq)
	}})
	opened(t, c)
	entries, _ := c.Follow()
	snapshots, _ := c.Watch()
	var watching sync.WaitGroup
	watching.Go(func() {
		for s := range snapshots {
			see(s.Seq)
		}
	})
	watching.Go(func() {
		for e := range entries {
			see(e.Seq)
		}
	})
	crowd(c, 200, func(r Receipt) {
		see(r.Seq)
		see(c.Snapshot().Seq)
	})
	if err := end(); err != nil {
		t.Fatal(err)
	}
	watching.Wait()
	if n := early.Load(); n > 0 || len(effects) == 0 {
		t.Fatal(n, "seen too early,", len(effects), "effects")
	}
	if !slices.IsSorted(effects) {
		t.Fatal("effects out of order:", effects)
	}
}

// crowd lets eight people press four keys and release them, and shows what was accepted.
func crowd(c *Clerk, times int, accepted func(Receipt)) {
	var people sync.WaitGroup
	for i := range 8 {
		people.Go(func() {
			seat := sitting.SeatID(fmt.Sprint(1 + i%4))
			for n := range times {
				e := press(seat)
				if n%2 == 1 {
					e = release(seat)
				}
				if r, err := c.Do(context.Background(), "", e); err == nil {
					accepted(r)
				}
			}
		})
	}
	people.Wait()
}

// What waits while a commit runs goes into one commit together.
func TestGroupCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &memory{}
		c, _ := running(t, Options{Journal: disk, Batch: 64})
		opened(t, c)
		before := disk.appends
		disk.on(slow(10 * time.Millisecond))
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				e := sitting.Event{Kind: sitting.KindDesk, By: box(), Desk: &sitting.Desk{Name: fmt.Sprint("d", i)}}
				if _, err := c.Do(t.Context(), "", e); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		// The first may go alone; the others in batches of 64.
		if n := disk.appends - before; n > 5 {
			t.Fatal(n, "commits for 200 events")
		}
	})
}

func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &memory{}
		c, _ := running(t, Options{Journal: disk, Inbox: 2, Batch: 1, Patience: time.Minute})
		opened(t, c)
		disk.on(slow(time.Second))
		var wg sync.WaitGroup
		for _, seat := range []sitting.SeatID{"1", "2", "3", "4"} { // one at work, two in the inbox, one before the door
			wg.Go(func() { do(t, c, "", press(seat)) })
			synctest.Wait()
		}
		if _, err := c.Do(t.Context(), "", grant("p2")); !errors.Is(err, ErrBusy) {
			t.Error(err)
		}
		gone, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if _, err := c.Do(gone, "", press("2")); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		wg.Wait()
		if got := len(c.Snapshot().State.Requests); got != 3 { // the chair speaks at once
			t.Error(got, "requests")
		}
	})
}

// Whoever has gone is not served any more.
// A ping is a turn and nothing else; a clerk that hangs in an effect does not answer it.
func TestPing(t *testing.T) {
	hang, hanging := make(chan struct{}), make(chan struct{}, 1)
	c, _ := running(t, Options{Journal: &memory{}, Effects: func(uint64, []sitting.Effect) {
		select {
		case hanging <- struct{}{}:
		default:
		}
		<-hang
	}})
	before := c.Snapshot().Seq
	if err := c.Ping(t.Context()); err != nil || c.Snapshot().Seq != before {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		opened(t, c)
		do(t, c, "", press("2"))
	}()
	<-hanging
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := c.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error("it hangs and answers:", err)
	}
	close(hang)
	if err := c.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	<-done
}

func TestCallerGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &memory{}
		c, _ := running(t, Options{Journal: disk, Batch: 1, Patience: time.Minute})
		opened(t, c)
		disk.on(slow(time.Second))
		go do(t, c, "", press("2"))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := c.Do(ctx, "", press("3")); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		time.Sleep(5 * time.Second)
		if s := c.Snapshot().State; s.Waiting("p2") != 0 || s.Waiting("p3") != -1 {
			t.Error(s.Requests)
		}
	})
}

func TestOpenAgain(t *testing.T) {
	disk := &memory{}
	c, end := running(t, Options{Journal: disk, Patience: patient})
	opened(t, c)
	do(t, c, "key of the first", press("3"))
	open := sitting.Event{Kind: sitting.KindOpen, By: operator()}
	if _, err := c.Do(t.Context(), "", open); !errors.Is(err, sitting.ErrAlreadyOpen) {
		t.Fatal(err)
	}
	do(t, c, "", sitting.Event{Kind: sitting.KindClose, By: operator()})
	if _, err := c.Do(t.Context(), "", sitting.Event{Kind: sitting.KindOpen, By: member("p5"), Person: "p5"}); !errors.Is(err, sitting.ErrNotAllowed) {
		t.Fatal(err)
	}
	was := c.Snapshot()
	r := do(t, c, "", open)
	if r.Seq != was.Seq+9 {
		t.Fatal(r)
	}
	now := c.Snapshot()
	if now.Sitting != 2 || now.State.Phase != sitting.PhaseOpen || len(now.State.Requests) != 0 {
		t.Fatalf("%+v", now)
	}
	if d := cmp.Diff([]any{was.State.Roster, was.State.Desks, was.State.Body, was.State.Limit, was.State.MaxLimit},
		[]any{now.State.Roster, now.State.Desks, now.State.Body, now.State.Limit, now.State.MaxLimit}); d != "" {
		t.Fatal(d)
	}
	do(t, c, "", press("4"))
	before := c.Snapshot()
	if err := end(); err != nil {
		t.Fatal(err)
	}
	c, _ = running(t, Options{Journal: disk, Patience: patient})
	if d := cmp.Diff(before, c.Snapshot()); d != "" {
		t.Fatal(d)
	}
	if got := c.Replayed(); got.Records != 10 || got.Deviations != 0 {
		t.Fatalf("%+v", got)
	}
	if r := do(t, c, "key of the first", press("3")); !r.Repeated {
		t.Fatal("a key of the sitting before is not known")
	}
}

// At the start the devices are told all that the restored state wants.
func TestOutputsAtStart(t *testing.T) {
	disk := &memory{}
	c, end := running(t, Options{Journal: disk, Patience: patient})
	opened(t, c)
	r := do(t, c, "", grant("p5"))
	if err := end(); err != nil {
		t.Fatal(err)
	}
	got := make(chan []sitting.Effect, 1)
	c, _ = running(t, Options{Journal: disk, Patience: patient, Effects: func(seq uint64, es []sitting.Effect) {
		if seq != r.Seq {
			t.Error(seq)
		}
		got <- es
	}})
	if d := cmp.Diff(sitting.Outputs(c.Snapshot().State), <-got); d != "" {
		t.Fatal(d)
	}
}

func TestDeviation(t *testing.T) {
	disk := &memory{}
	c, end := running(t, Options{Journal: disk, Patience: patient})
	opened(t, c)
	do(t, c, "", press("2"))
	if err := end(); err != nil {
		t.Fatal(err)
	}
	n := len(disk.records)
	disk.records[n-1].Effects = []byte(`[{"kind":"mic","seat":"2","on":true}]`)
	disk.records = append(disk.records, journal.Record{Seq: uint64(n) + 1, Sitting: 1, Rules: 1, Effects: []byte("[]"),
		Event: []byte(`{"kind":"grant","at":"2026-01-01T00:00:00Z","by":{"role":"operator"},"person":"nobody"}`)})
	var log page
	c, err := New(Options{Journal: disk, Log: log.logger()})
	if err != nil || c.Replayed().Deviations != 2 || c.Snapshot().Seq != uint64(n)+1 {
		t.Fatal(err, c.Replayed())
	}
	if log.count(ErrDeviates.Error()) != 3 || log.count("seq=10") != 1 || log.count("seq=11") != 1 {
		t.Fatal(log.buf.String())
	}
	disk.records[2].Event = []byte("nonsense")
	if _, err := New(Options{Journal: disk}); !errors.Is(err, journal.ErrCorrupt) {
		t.Fatal(err)
	}
}

// What JSON does not carry over takes no part in the decision, and the caller keeps no hand on the state.
func TestCanonical(t *testing.T) {
	disk := &memory{}
	c, _ := running(t, Options{Journal: disk, Patience: patient})
	opened(t, c)
	roster := council()
	roster.MaxLimit++
	do(t, c, "", roster)
	roster.Roster[1].Name = "somebody else"
	garbage := sitting.Event{Kind: sitting.KindMicFail, By: box(), Seat: "2", Reason: "\xff\xfe on the line", At: time.Now().In(time.FixedZone("CET", 3600))}
	do(t, c, "", garbage)
	now := c.Snapshot()
	if p, _ := now.State.Person("p2"); p.Name != "Person 2" || now.At.Location() != time.UTC || !now.At.Equal(garbage.At) {
		t.Fatal(p, now.At)
	}
	again, err := New(Options{Journal: disk})
	if err != nil || !reflect.DeepEqual(again.Snapshot(), now) {
		t.Fatal(err, cmp.Diff(now, again.Snapshot()))
	}
}
