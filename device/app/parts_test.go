package app

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"plenum/device/sitting"
	"plenum/media/wire"
)

func TestSupervisorWaitsLongerEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		sup := &supervisor{log: slog.New(slog.DiscardHandler)}
		var starts atomic.Int32
		sup.keep(ctx, "absent", func(context.Context) error { starts.Add(1); return errors.New("not there") })
		time.Sleep(2 * time.Second)
		early := starts.Load()
		time.Sleep(10 * time.Minute)
		rate := float64(starts.Load()-early) / 600
		if early < 2 || rate > 0.45 || rate < 0.1 {
			t.Errorf("%d starts in 2 s, then %.2f a second", early, rate)
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
		case <-time.After(5 * time.Second):
			t.Fatal("nothing was told")
			return sitting.Leg{}
		}
	}
	say(wire.Leg{Direction: wire.Publish, Session: 1, Up: true, Audio: true, Video: true, SRTP: "GCM"})
	if leg := say(wire.Leg{Direction: wire.Play, Session: 2, Up: true}); !leg.Complete() || leg.SRTP != "GCM" {
		t.Fatalf("%+v", leg)
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
