package quinta

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"plenum/hal/desk"
	"plenum/hal/desk/sim"
	"plenum/hal/port"
)

func TestPressGrantAndClose(t *testing.T) {
	h := newHall(t, sim.Options{Units: 24, Chair: 1}, false)
	h.start()
	key := h.Key(7, "")
	h.press(7, "")
	h.await("request", is(desk.KindRequest, key, true))
	wantResult(t, "SetMic on", h.SetMic(t.Context(), key, true), desk.Confirmed)
	h.await("microphone", is(desk.KindMic, key, true))
	if !h.seat(7, "").Open {
		t.Error("the unit's microphone is not open")
	}
	h.press(7, "") // the member switches off
	events := h.await("microphone off", is(desk.KindMic, key, false))
	if e := events[len(events)-1]; e.Origin != desk.OriginButton {
		t.Errorf("origin of the closing is %q, want button", e.Origin)
	}
	// What another key brings stands behind all that this one brought.
	h.press(8, "")
	events = append(events, h.await("another request", is(desk.KindRequest, h.Key(8, ""), true))...)
	if got := only(events, desk.KindRequest, desk.KindMic); len(got) != 2 {
		t.Errorf("events too many: %+v", got)
	}
}

// The brief: 200 desks press as fast as the line carries it; order equals arrival order, nothing lost, nothing doubled.
func TestTwoHundredPressAtOnce(t *testing.T) {
	inBubble(t, sim.Options{Units: 200, Chair: 1, Status: time.Hour}, func(t *testing.T, h *hall) {
		order := rand.New(rand.NewPCG(1, 2)).Perm(200)
		began := time.Now()
		for _, n := range order {
			h.press(n+1, "")
		}
		last := h.Key(order[len(order)-1]+1, "")
		events := h.await("last request", is(desk.KindRequest, last, true))
		took := time.Since(began)
		events = append(events, h.settle(300*time.Millisecond)...)
		got := only(events, desk.KindRequest)
		if len(got) != len(order) {
			t.Fatalf("%d requests, want %d", len(got), len(order))
		}
		for i, n := range order {
			if want := h.Key(n+1, ""); got[i].Key != want || !got[i].On {
				t.Fatalf("request %d is %v, want %v", i, got[i].Key, want)
			}
			if i > 0 && got[i].At.Before(got[i-1].At) {
				t.Fatalf("request %d is earlier than the one before it", i)
			}
		}
		for i := 1; i < len(events); i++ {
			if events[i].Seq != events[i-1].Seq+1 {
				t.Fatalf("event %d is missing", events[i-1].Seq+1)
			}
		}
		t.Logf("200 presses were reported within %v; stats %+v", took, h.Stats())
	})
}

func TestHangUpAndReturn(t *testing.T) {
	h := newHall(t, sim.Options{Units: 3}, false)
	h.start()
	key := h.Key(2, "")
	h.press(2, "")
	h.await("request", is(desk.KindRequest, key, true))
	wantResult(t, "SetMic", h.SetMic(t.Context(), h.Key(1, ""), true), desk.Confirmed)
	if err := h.HangUp(); err != nil {
		t.Fatal(err)
	}
	if err := <-h.end; !errors.Is(err, port.ErrHangup) {
		t.Fatalf("Run = %v, want ErrHangup", err)
	}
	h.await("link down", isLink(desk.LinkDown))
	wantResult(t, "SetMic without a line", h.SetMic(t.Context(), key, true), desk.Refused)
	if err := h.Driver.Run(t.Context()); !errors.Is(err, port.ErrMissing) {
		t.Fatalf("Run without a device = %v, want ErrMissing", err)
	}
	if err := h.Return(); err != nil {
		t.Fatal(err)
	}
	h.start()
	snap, err := h.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range snap.Seats {
		if s.Open || s.Request != (s.Key == key) {
			t.Errorf("after the return %+v; want only the request of %v", s, key)
		}
	}
	for _, s := range h.State() {
		if s.Open {
			t.Errorf("unit %d was left open", s.Unit)
		}
	}
	h.press(3, "") // what it brings stands behind all that the return brought
	if got := only(h.await("another request", is(desk.KindRequest, h.Key(3, ""), true)), desk.KindRequest); len(got) != 1 {
		t.Errorf("the request was replayed: %+v", got)
	}
	wantResult(t, "SetMic", h.SetMic(t.Context(), key, true), desk.Confirmed)
}

// The driver is stopped in the middle of an order: its caller learns that nobody knows, and the next Run finds the unit
// whatever became of the order.
func TestKilledInMidOrder(t *testing.T) {
	h := newHall(t, sim.Options{Units: 3}, false)
	stop := h.start()
	key := h.Key(3, "")
	h.Away(true)
	result := make(chan desk.Result, 1)
	go func() { result <- h.SetMic(context.Background(), key, true) }()
	for sent := false; !sent; {
		time.Sleep(time.Millisecond)
		sent = known(h.Driver, func(m *mapper) bool { _, ok := m.orders[key]; return ok })
	}
	stop()
	if err := <-h.end; !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v, want context.Canceled", err)
	}
	wantResult(t, "SetMic in mid-order", <-result, desk.Unknown)
	h.Away(false)
	h.start()
	for _, s := range h.State() {
		if s.Open {
			t.Errorf("unit %d is open and nobody ordered it", s.Unit)
		}
	}
	wantResult(t, "SetMic", h.SetMic(t.Context(), key, true), desk.Confirmed)
}
