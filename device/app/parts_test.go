package app

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"plenum/device/health"
	"plenum/device/sitting"
	"plenum/media/wire"
)

func TestSupervisorWaitsLongerEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		board := health.NewBoard(nil)
		id := board.Add(health.Camera, "x", "nowhere", true)
		sup := &supervisor{log: slog.New(slog.DiscardHandler), board: board, plugged: newNudge()}
		var starts atomic.Int32
		sup.keep(ctx, device{id: id, name: "absent", run: func(context.Context) error { starts.Add(1); return errors.New("not there") }})
		time.Sleep(2 * time.Second)
		early := starts.Load()
		time.Sleep(10 * time.Minute)
		rate := float64(starts.Load()-early) / 600
		if early < 2 || rate > 1.1 || rate < 0.3 {
			t.Errorf("%d starts in 2 s, then %.2f a second", early, rate)
		}
		if it := board.List()[0]; it.State != health.Lost || it.Reason != "not there" {
			t.Errorf("%+v", it)
		}
		cancel()
		sup.wait()
	})
}

// A plug ends the wait at once, and what stands in for the device ends before the device is tried again.
func TestSupervisorWakesWithAPlug(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		sup := &supervisor{log: slog.New(slog.DiscardHandler), board: health.NewBoard(nil), plugged: newNudge()}
		var standsIn atomic.Bool
		runs := make(chan time.Time, 100)
		sup.keep(ctx, device{name: "camera", run: func(context.Context) error {
			if standsIn.Load() {
				t.Error("two write at once")
			}
			runs <- time.Now()
			return errors.New("not there")
		}, meanwhile: func(ctx context.Context) { standsIn.Store(true); <-ctx.Done(); standsIn.Store(false) }})
		time.Sleep(time.Minute)
		for len(runs) > 0 {
			<-runs
		}
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
		for len(runs) > 0 {
			<-runs
		}
		plugged := time.Now()
		sup.plugged.give()
		synctest.Wait()
		if len(runs) != 1 || (<-runs).Sub(plugged) != 0 {
			t.Error("a plug did not wake the device")
		}
		cancel()
		sup.wait()
	})
}

func TestLegsJoinBothDirections(t *testing.T) {
	told := make(chan sitting.Leg, 8)
	l := newLegs(func(_ context.Context, e sitting.Event) error { told <- *e.Leg; return nil }, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.run(ctx) }()
	defer func() { cancel(); <-done }()
	say := func(w wire.Leg) sitting.Leg {
		t.Helper()
		w.Person = "anna"
		l.note(w)
		select {
		case leg := <-told:
			return leg
		case <-time.After(time.Minute):
			t.Fatal("nothing was told")
			return sitting.Leg{}
		}
	}
	say(wire.Leg{Direction: wire.Publish, Session: 1, Up: true, Audio: true, Video: true, SRTP: "GCM"})
	if leg := say(wire.Leg{Direction: wire.Play, Session: 2, Up: true, Arrives: true}); !leg.Complete() || leg.SRTP != "GCM" {
		t.Fatalf("%+v", leg)
	}
	if leg := say(wire.Leg{Direction: wire.Play, Session: 2, Up: true}); leg.Plays || leg.Complete() {
		t.Fatalf("what does not arrive counts as played: %+v", leg)
	}
	say(wire.Leg{Direction: wire.Publish, Session: 3, Up: true, Audio: true, Video: true, SRTP: "GCM"})
	l.note(wire.Leg{Person: "anna", Direction: wire.Publish, Session: 1}) // the replaced session ends late
	if leg := say(wire.Leg{Direction: wire.Play, Session: 2}); !leg.Publishes || leg.Plays {
		t.Fatalf("the end of a replaced session counted: %+v", leg)
	}
	if leg := say(wire.Leg{Direction: wire.Publish, Session: 3}); leg != (sitting.Leg{}) {
		t.Fatalf("%+v", leg)
	}
}
