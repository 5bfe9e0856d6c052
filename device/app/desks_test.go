package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"plenum/device/config"
	"plenum/device/health"
	"plenum/device/sitting"
	"plenum/hal/desk"
)

// fakeDesk notes orders and says what the test makes it say.
type fakeDesk struct {
	events chan desk.Event
	gate   chan struct{} // an order waits until it can read; nil: no wait

	mu     sync.Mutex
	orders []string
	snap   desk.Snapshot
	result desk.Result
	silent error // of a snapshot
}

func newFakeDesk() *fakeDesk {
	return &fakeDesk{events: make(chan desk.Event, 8), result: desk.Result{Outcome: desk.Confirmed}, snap: desk.Snapshot{Link: desk.LinkLive}}
}

func (f *fakeDesk) Run(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
func (f *fakeDesk) Caps() desk.Caps               { return desk.Caps{} }
func (f *fakeDesk) Events() <-chan desk.Event     { return f.events }

func (f *fakeDesk) Snapshot(context.Context) (desk.Snapshot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.snap, f.silent
}

func (f *fakeDesk) note(ctx context.Context, what string) desk.Result {
	if f.gate != nil {
		select {
		case <-f.gate:
		case <-ctx.Done():
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.orders = append(f.orders, what)
	return f.result
}

func (f *fakeDesk) SetMic(ctx context.Context, k desk.Key, on bool) desk.Result {
	return f.note(ctx, fmt.Sprintf("mic %s %v", k, on))
}

func (f *fakeDesk) SetRequest(ctx context.Context, k desk.Key, on bool) desk.Result {
	return f.note(ctx, fmt.Sprintf("request %s %v", k, on))
}

func (f *fakeDesk) AllOff(ctx context.Context) desk.Result { return f.note(ctx, "all off") }

func (f *fakeDesk) done() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.orders
}

// bench is a desk system between a fake desk and a state that does not change.
type bench struct {
	*deskSystem
	desk *fakeDesk
	told func() []sitting.Event
}

func onBench(t *testing.T, s sitting.State) bench {
	t.Helper()
	f := newFakeDesk()
	var mu sync.Mutex
	var all []sitting.Event
	do := func(_ context.Context, e sitting.Event) error {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, e)
		return nil
	}
	c := config.Desk{Name: "q"}
	for i := 1; i <= 9; i++ {
		c.Seats = append(c.Seats, config.Seat{Seat: fmt.Sprint(i), Unit: fmt.Sprintf("00000%d", i)})
	}
	d := newDeskSystem(c, f, do, func() sitting.State { return s }, health.NewBoard(nil), slog.New(slog.DiscardHandler))
	d.live.Store(true)
	return bench{d, f, func() []sitting.Event {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}}
}

// speaking is a state in which seat 4 has the word and seats 2 and 3 are known to be there.
func speaking() sitting.State {
	s := sitting.New()
	s.Phase = sitting.PhaseOpen
	for i := 1; i <= 9; i++ {
		s.Roster = append(s.Roster, sitting.Person{Member: sitting.Member{ID: sitting.PersonID(fmt.Sprintf("p%d", i)), Seat: sitting.SeatID(fmt.Sprint(i)), Desk: "q"},
			SeatOnline: i == 2 || i == 3})
	}
	s.Speakers = []sitting.Speaker{{Person: "p4", Seat: "4", Origin: sitting.OriginDesk, Grant: 7}}
	return s
}

func TestLostOrdersAreMadeGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := onBench(t, speaking())
		for range orderQueue + 1 {
			b.order(sitting.Effect{Kind: sitting.EffectLamp, Seat: "1", Lamp: sitting.LampOff})
		}
		ctx, cancel := context.WithCancel(t.Context())
		go b.work(ctx)
		synctest.Wait()
		if d := cmp.Diff([]string{"all off", "mic 000004 true"}, b.desk.done()[:2]); d != "" {
			t.Error(d)
		}
		cancel()
		synctest.Wait()
	})
}

func TestMicrophonesGoBeforeLamps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := onBench(t, speaking())
		b.desk.gate = make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		go b.work(ctx)
		for _, seat := range []sitting.SeatID{"1", "2", "3"} {
			b.order(sitting.Effect{Kind: sitting.EffectLamp, Seat: seat, Lamp: sitting.LampOff})
		}
		synctest.Wait() // the first lamp is under way
		b.order(sitting.Effect{Kind: sitting.EffectMic, Seat: "9", Grant: 3})
		close(b.desk.gate)
		synctest.Wait()
		if d := cmp.Diff([]string{"request 000001 false", "mic 000009 false", "request 000002 false", "request 000003 false"}, b.desk.done()); d != "" {
			t.Error(d)
		}
		cancel()
		synctest.Wait()
	})
}

func TestUnitsNotHeardOfSinceARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := onBench(t, speaking())
		b.desk.snap.Seats = []desk.Seat{{Key: desk.Key{ID: "000002"}, Online: true}}
		ctx, cancel := context.WithCancel(t.Context())
		go b.listen(ctx)
		time.Sleep(heardBy - time.Second)
		synctest.Wait()
		if len(b.told()) != 0 {
			t.Errorf("told too early: %+v", b.told())
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(b.told()) != 1 || b.told()[0].Kind != sitting.KindSeat || b.told()[0].Seat != "3" || b.told()[0].On {
			t.Errorf("%+v", b.told())
		}
		cancel()
		synctest.Wait()
	})
}

// What a desk shows when it comes back is compared with who has the word.
func TestDifferences(t *testing.T) {
	s := speaking()
	s.Speakers[0].Mic = sitting.MicOpen
	s.Faults = []sitting.Fault{{Seat: "6"}}
	for _, tt := range []struct {
		name string
		seat desk.Seat
		id   sitting.SeatID
		lost bool
		want []sitting.Event
	}{
		{"as it should be", desk.Seat{Online: true}, "2", false, nil},
		{"open without the word", desk.Seat{Online: true, Open: true}, "3", false, []sitting.Event{{Kind: sitting.KindMic, Seat: "3", On: true}}},
		{"away", desk.Seat{}, "3", false, []sitting.Event{{Kind: sitting.KindSeat, Seat: "3"}}},
		{"closed at last", desk.Seat{}, "6", false, []sitting.Event{{Kind: sitting.KindMic, Seat: "6"}}},
		{"a request from before the line was lost", desk.Seat{Request: true}, "7", false, nil},
		{"a request that was missed", desk.Seat{Request: true}, "7", true, []sitting.Event{{Kind: sitting.KindRequest, Origin: sitting.OriginDesk, Seat: "7"}}},
		{"closed while nobody listened", desk.Seat{}, "4", true, []sitting.Event{{Kind: sitting.KindMic, Seat: "4"}}},
		{"closed with the line, ordered again", desk.Seat{}, "4", false, nil},
	} {
		if d := cmp.Diff(tt.want, differences(s, tt.id, tt.seat, tt.lost)); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
	}
}

// Orders that were overtaken while they waited for a slow line are not carried out.
func TestOvertakenOrders(t *testing.T) {
	b := onBench(t, speaking())
	b.mic(t.Context(), sitting.Effect{Kind: sitting.EffectMic, Seat: "5", On: true, Grant: 3})
	b.lamp(t.Context(), sitting.Effect{Kind: sitting.EffectLamp, Seat: "4", Lamp: sitting.LampOff})
	if got := b.desk.done(); len(got) != 0 {
		t.Fatalf("%q", got)
	}
}

// An order that fails because the line went away is no refusal; one that fails on a live line is.
func TestRefusedOrBroken(t *testing.T) {
	b := onBench(t, speaking())
	b.desk.result = desk.Result{Outcome: desk.Unknown, Reason: "no answer"}
	b.desk.snap.Link = desk.LinkDown
	on := sitting.Effect{Kind: sitting.EffectMic, Seat: "4", On: true, Grant: 7}
	b.mic(t.Context(), on)
	if len(b.told()) != 0 {
		t.Fatalf("a lost line was told as a refusal: %+v", b.told())
	}
	b.desk.snap.Link = desk.LinkLive
	b.mic(t.Context(), on)
	if len(b.told()) != 1 || b.told()[0].Kind != sitting.KindMicFail || b.told()[0].Grant != 7 {
		t.Fatalf("%+v", b.told())
	}
	for _, e := range []sitting.Effect{on, {Kind: sitting.EffectMic, Seat: "4", Grant: 7}} {
		b.desk.orders = nil
		b.mic(t.Context(), e)
		if len(b.desk.done()) != tries {
			t.Fatalf("a microphone was told %d times: on=%v", len(b.desk.done()), e.On)
		}
	}
}

// An order without an answer is compared with what the desk says of the seat: what is as it should be has not failed.
func TestTheSeatCounts(t *testing.T) {
	on := sitting.Effect{Kind: sitting.EffectMic, Seat: "4", On: true, Grant: 7}
	off := sitting.Effect{Kind: sitting.EffectMic, Seat: "4", Grant: 7}
	listed := func(open bool) []desk.Seat {
		return []desk.Seat{{Key: desk.Key{ID: "000004"}, Online: true, Open: open}}
	}
	silent := errors.New("no answer")
	for _, tt := range []struct {
		name   string
		order  sitting.Effect
		seats  []desk.Seat
		err    error
		orders int
		kind   sitting.Kind
	}{
		{"opens and is listed as open", on, listed(true), nil, 1, sitting.KindMic},
		{"opens, said so and is silent since", on, listed(true), silent, 1, sitting.KindMic},
		{"opens and is listed as closed", on, listed(false), nil, tries, sitting.KindMicFail},
		{"opens and is not listed", on, nil, nil, tries, sitting.KindMicFail},
		{"closes and is listed as closed", off, listed(false), nil, 1, sitting.KindMic},
		{"closes and nobody says so", off, listed(false), silent, tries, sitting.KindMicFail},
		{"closes and is listed as open", off, listed(true), nil, tries, sitting.KindMicFail},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := onBench(t, speaking())
			b.desk.result = desk.Result{Outcome: desk.Unknown}
			b.desk.snap.Seats, b.desk.silent = tt.seats, tt.err
			b.mic(t.Context(), tt.order)
			want := sitting.Event{Kind: tt.kind, Seat: "4", On: tt.order.On, Grant: 7, By: sitting.Actor{Role: sitting.RoleBox}}
			if tt.kind == sitting.KindMicFail {
				want.Reason = "the desk's answer: unknown"
			}
			if d := cmp.Diff([]sitting.Event{want}, b.told()); d != "" || len(b.desk.done()) != tt.orders {
				t.Errorf("%d orders; %s", len(b.desk.done()), d)
			}
		})
	}
}

// Whose word is taken while the order is tried again is not ordered once more.
func TestNoSecondTryWithoutTheWord(t *testing.T) {
	b := onBench(t, speaking())
	b.desk.result = desk.Result{Outcome: desk.Refused, Reason: "no"}
	state := speaking()
	b.state = func() sitting.State {
		if len(b.desk.done()) > 0 {
			state.Speakers = nil
		}
		return state
	}
	b.mic(t.Context(), sitting.Effect{Kind: sitting.EffectMic, Seat: "4", On: true, Grant: 7})
	if len(b.desk.done()) != 1 || len(b.told()) != 0 {
		t.Errorf("%q, told %+v", b.desk.done(), b.told())
	}
}
