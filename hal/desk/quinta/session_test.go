package quinta

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"plenum/hal/desk"
	"plenum/hal/desk/sim"
	"plenum/hal/port"
)

// inBubble runs a test with a fake clock against a simulated unit on a pipe, with a live link.
func inBubble(t *testing.T, opt sim.Options, test func(t *testing.T, h *hall)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, opt, true)
		h.start()
		test(t, h)
	})
}

func TestConfirmedBeforeThePrompt(t *testing.T) {
	inBubble(t, sim.Options{Units: 3}, func(t *testing.T, h *hall) {
		h.SwallowPrompts(1)
		began := time.Now()
		wantResult(t, "SetMic", h.SetMic(t.Context(), h.Key(1, ""), true), desk.Confirmed)
		if d := time.Since(began); d > 100*time.Millisecond {
			t.Errorf("the confirmation took %v although the Q line came", d)
		}
		// The prompt is missing, so nothing may be sent before the 5 s are over.
		wantResult(t, "next SetMic", h.SetMic(t.Context(), h.Key(2, ""), true), desk.Confirmed)
		if d := time.Since(began); d < promptTimeout || d > promptTimeout+time.Second {
			t.Errorf("the next order was done after %v, want 5 s", d)
		}
		h.await("degraded link", isLink(desk.LinkDegraded))
		h.await("live link", isLink(desk.LinkLive))
	})
}

func TestSilentUnit(t *testing.T) {
	inBubble(t, sim.Options{Units: 3}, func(t *testing.T, h *hall) {
		h.Away(true)
		began := time.Now()
		r := h.SetMic(t.Context(), h.Key(1, ""), true)
		wantResult(t, "SetMic", r, desk.Unknown)
		if d := time.Since(began).Truncate(100 * time.Millisecond); d != promptTimeout {
			t.Errorf("Unknown after %v, want 5 s", d)
		}
		if err := <-h.end; !errors.Is(err, ErrSilent) || !strings.Contains(err.Error(), "still switched on") {
			t.Errorf("Run = %v, want ErrSilent", err)
		}
		if d := time.Since(began); d > 30*time.Second {
			t.Errorf("the silence was noticed after %v", d)
		}
		wantResult(t, "SetMic on a dead link", h.SetMic(t.Context(), h.Key(1, ""), true), desk.Refused)
		if s, err := h.Snapshot(t.Context()); err != nil || s.Link != desk.LinkDown {
			t.Errorf("Snapshot = %+v, %v; want the last known state of a link that is down", s, err)
		}
	})
}

// A line that is open and brings nothing, or nothing that makes sense, says what to look at.
func TestNeverHeard(t *testing.T) {
	line := port.Settings{Baud: 9600, Parity: port.ParityEven}
	for name, c := range map[string]struct{ garbage, want string }{
		"echo":     {"echo", port.HintEcho("/dev/ttyX")},
		"deaf":     {"\r\nx 00021E 0131 7A 241100\r\n", "(TX) break off, or another control program hold it?"},
		"stranger": {"\r\nlogin:\r\n", "no Quinta sends: is another device on this line?"},
		"silent":   {"", port.HintSilent("/dev/ttyX", line)},
		"garbled":  {"\xfe\x80\xf8", port.HintGarbled("/dev/ttyX", line)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				d := New(Options{
					Name: "test", Port: "/dev/ttyX", Line: line,
					Open: func(context.Context) (port.Port, error) { return near, nil },
				})
				go func() {
					for buf := make([]byte, 64); ; {
						n, err := far.Read(buf)
						if err != nil {
							return
						}
						back := []byte(c.garbage)
						if c.garbage == "echo" {
							back = buf[:n]
						}
						if len(back) > 0 {
							_, _ = far.Write(back) // the driver closes it
						}
					}
				}()
				err := d.Run(t.Context())
				if !errors.Is(err, ErrSilent) || !strings.HasSuffix(err.Error(), c.want) {
					t.Errorf("Run = %v, want %s", err, c.want)
				}
				var text string
				for len(d.Events()) > 0 {
					if e := <-d.Events(); e.Link == desk.LinkDown {
						text = e.Text
					}
				}
				if !strings.Contains(text, c.want) || strings.Contains(c.want, "speed") != strings.Contains(text, "9600 8E1") {
					t.Errorf("the link's reason is %q", text)
				}
			})
		})
	}
}

func TestRefusedOrders(t *testing.T) {
	inBubble(t, sim.Options{Units: 8, Doubles: []int{8}, Status: time.Second}, func(t *testing.T, h *hall) {
		time.Sleep(2 * time.Second) // all units have been heard of
		if err := h.Refuse(1, true); err != nil {
			t.Fatal(err)
		}
		wantResult(t, "unit that refuses", h.SetMic(t.Context(), h.Key(1, ""), true), desk.Refused)
		for n := 2; n <= 5; n++ {
			wantResult(t, "free stream", h.SetMic(t.Context(), h.Key(n, ""), true), desk.Confirmed)
		}
		fifth := h.SetMic(t.Context(), h.Key(6, ""), true)
		wantResult(t, "fifth microphone", fifth, desk.Refused)
		if want := "all 4 streams of the desk are taken, by 000220, 000221, 000222, 000223"; !strings.Contains(fifth.Reason, want) {
			t.Errorf("the fifth was refused because %q, want %q", fifth.Reason, want)
		}
		wantResult(t, "open already", h.SetMic(t.Context(), h.Key(2, ""), true), desk.Confirmed)
		wantResult(t, "off", h.SetMic(t.Context(), h.Key(2, ""), false), desk.Confirmed)
		wantResult(t, "off already", h.SetMic(t.Context(), h.Key(2, ""), false), desk.Confirmed)
		wantResult(t, "double unit without side", h.SetMic(t.Context(), desk.Key{ID: h.Key(8, "L").ID}, true), desk.Refused)
		wantResult(t, "double unit", h.SetMic(t.Context(), h.Key(8, "R"), true), desk.Confirmed)
		wantResult(t, "no unit", h.SetMic(t.Context(), desk.Key{ID: "xyz"}, true), desk.Refused)
		wantResult(t, "request up", h.SetRequest(t.Context(), h.Key(3, ""), true), desk.Refused)
		if err := h.UnitLost(7, true); err != nil {
			t.Fatal(err)
		}
		wantResult(t, "off", h.SetMic(t.Context(), h.Key(3, ""), false), desk.Confirmed)
		time.Sleep(10 * time.Second)
		for _, want := range []string{"in range? It was heard 1", "000225 is not heard: is it switched on"} {
			r := h.SetMic(t.Context(), h.Key(7, ""), true)
			wantResult(t, "lost unit", r, desk.Refused)
			if !strings.Contains(r.Reason, want) {
				t.Errorf("a lost unit was refused because %q, want %q", r.Reason, want)
			}
			time.Sleep(time.Minute)
		}
	})
}

func TestDropOneRequest(t *testing.T) {
	inBubble(t, sim.Options{Units: 3, Doubles: []int{3}}, func(t *testing.T, h *hall) {
		for _, k := range []desk.Key{h.Key(1, ""), h.Key(2, ""), h.Key(3, "L"), h.Key(3, "R")} {
			n := slices.IndexFunc(h.State(), func(s sim.UnitState) bool { return s.ID == k.ID })
			h.press(h.State()[n].Unit, k.Side)
			h.await("request", is(desk.KindRequest, k, true))
		}
		wantResult(t, "SetRequest off", h.SetRequest(t.Context(), h.Key(3, "R"), false), desk.Confirmed)
		wantResult(t, "SetRequest off", h.SetRequest(t.Context(), h.Key(1, ""), false), desk.Confirmed)
		for _, s := range h.State() {
			if want := s.Unit == 2 || s.Side == "L"; s.Requesting != want {
				t.Errorf("unit %d%s asks: %v, want %v", s.Unit, s.Side, s.Requesting, want)
			}
		}
		h.press(1, "") // a new press counts again
		h.await("request", is(desk.KindRequest, h.Key(1, ""), true))
		h.press(1, "")
		h.await("taken back", is(desk.KindRequest, h.Key(1, ""), false))
		wantResult(t, "SetRequest off where nobody asks", h.SetRequest(t.Context(), h.Key(1, ""), false), desk.Confirmed)
	})
}

func TestAllOff(t *testing.T) {
	inBubble(t, sim.Options{Units: 4}, func(t *testing.T, h *hall) {
		h.press(4, "")
		for n := 1; n <= 3; n++ {
			wantResult(t, "SetMic", h.SetMic(t.Context(), h.Key(n, ""), true), desk.Confirmed)
		}
		wantResult(t, "AllOff", h.AllOff(t.Context()), desk.Confirmed)
		for _, s := range h.State() {
			if s.Open || s.Requesting != (s.Unit == 4) {
				t.Errorf("after AllOff: %+v; want only the request of 4", s)
			}
		}
		events := h.settle(time.Second)
		if p := only(events, desk.KindPriority); len(p) != 0 {
			t.Errorf("our own order was taken for the chair's key: %+v", p)
		}
		for _, e := range only(events, desk.KindMic) {
			if e.Origin != desk.OriginEcho {
				t.Errorf("%+v is not called an echo", e)
			}
		}
	})
}

func TestChairsKeys(t *testing.T) {
	inBubble(t, sim.Options{Units: 4, Chair: 1, Status: time.Second}, func(t *testing.T, h *hall) {
		time.Sleep(2 * time.Second)
		wantResult(t, "SetMic", h.SetMic(t.Context(), h.Key(2, ""), true), desk.Confirmed)
		h.settle(100 * time.Millisecond)
		h.Clear()
		h.await("clear", func(e desk.Event) bool { return e.Priority == desk.PriorityClear && e.Key == h.Key(1, "") })
		off := h.await("microphone off", is(desk.KindMic, h.Key(2, ""), false))
		if e := off[len(off)-1]; e.Origin != desk.OriginButton {
			t.Errorf("%+v, want origin button", e)
		}
		for _, want := range []desk.Priority{desk.PriorityToggle, desk.PriorityToggle} {
			time.Sleep(2 * time.Second)
			h.Priority(true)
			h.await(string(want), func(e desk.Event) bool { return e.Priority == want })
		}
		h.press(1, "") // the chair's speak key is a request like any other
		h.await("request", is(desk.KindRequest, h.Key(1, ""), true))
	})
}

func TestPowerCycle(t *testing.T) {
	inBubble(t, sim.Options{Units: 3}, func(t *testing.T, h *hall) {
		wantResult(t, "SetMic", h.SetMic(t.Context(), h.Key(1, ""), true), desk.Confirmed)
		h.PowerCycle()
		began := time.Now()
		h.await("syncing", isLink(desk.LinkSyncing))
		h.await("live", isLink(desk.LinkLive))
		if d := time.Since(began); d > keepAlive+2*time.Second {
			t.Errorf("the lost login was noticed after %v", d)
		}
		if s, err := h.Snapshot(t.Context()); err != nil || slices.ContainsFunc(s.Seats, func(s desk.Seat) bool { return s.Open }) {
			t.Errorf("Snapshot = %+v, %v; want all closed", s, err)
		}
		wantResult(t, "SetMic", h.SetMic(t.Context(), h.Key(1, ""), true), desk.Confirmed)
	})
}

func TestPresence(t *testing.T) {
	inBubble(t, sim.Options{Units: 4}, func(t *testing.T, h *hall) {
		h.await("health of the last", func(e desk.Event) bool { return e.Kind == desk.KindHealth && e.Key == h.Key(4, "") })
		s, err := h.Snapshot(t.Context())
		if err != nil || len(s.Seats) != 4 || slices.ContainsFunc(s.Seats, func(s desk.Seat) bool { return !s.Online }) {
			t.Fatalf("Snapshot = %+v, %v; want four units online", s, err)
		}
		if err := h.UnitLost(2, true); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		h.await("seat lost", is(desk.KindSeat, h.Key(2, ""), false))
		if d := time.Since(began); d < 40*time.Second || d > 62*time.Second {
			t.Errorf("lost after %v, want three missed lines", d)
		}
		if err := h.UnitLost(2, false); err != nil {
			t.Fatal(err)
		}
		h.await("seat back", is(desk.KindSeat, h.Key(2, ""), true))
		if extra := only(h.settle(5*time.Minute), desk.KindSeat, desk.KindHealth, desk.KindLink); len(extra) > 1 {
			t.Errorf("in quiet times: %+v", extra)
		}
	})
}

func TestUnitThatGrantsItself(t *testing.T) {
	inBubble(t, sim.Options{Units: 3, Standalone: true, Status: time.Second}, func(t *testing.T, h *hall) {
		time.Sleep(2 * time.Second)
		h.press(1, "")
		h.await("microphone", is(desk.KindMic, h.Key(1, ""), true))
		events := h.await("standalone link", isLink(desk.LinkStandalone))
		if text := events[len(events)-1].Text; !strings.Contains(text, "PC-controlled") {
			t.Errorf("the link does not say what to do: %q", text)
		}
		h.SetStandalone(false)
		h.press(2, "")
		h.await("live link", isLink(desk.LinkLive))
	})
}

// One damaged line costs neither a request nor its place, and makes none.
func TestDamagedLines(t *testing.T) {
	inBubble(t, sim.Options{Units: 3, Status: 100 * time.Hour}, func(t *testing.T, h *hall) {
		key := h.Key(1, "")
		h.press(1, "")
		h.await("request", is(desk.KindRequest, key, true))
		for i := range 200 {
			time.Sleep(5 * time.Second)
			h.Corrupt(1)
			h.press(1, "")
			events := only(h.settle(2*time.Second), desk.KindRequest, desk.KindMic)
			if len(events) != 1 || events[0].Key != key || events[0].On != (i%2 == 1) {
				t.Fatalf("round %d: %+v", i, events)
			}
		}
	})
}

// An allocation that was damaged on its way is found out by asking.
func TestDamagedConfirmation(t *testing.T) {
	inBubble(t, sim.Options{Units: 3, Status: 100 * time.Hour}, func(t *testing.T, h *hall) {
		for i := range 100 {
			on := i%2 == 0
			h.Corrupt(1)
			if r := h.SetMic(t.Context(), h.Key(1, ""), on); r.Outcome == desk.Refused {
				t.Fatalf("round %d: %+v", i, r)
			}
			if h.seat(1, "").Open != on {
				t.Fatalf("round %d: the unit is not switched", i)
			}
			if s, err := h.Snapshot(t.Context()); err != nil || !slices.ContainsFunc(s.Seats, func(s desk.Seat) bool {
				return s.Key == h.Key(1, "") && s.Open == on
			}) {
				t.Fatalf("round %d: snapshot %+v, %v", i, s, err)
			}
		}
	})
}

func TestWaitingOrders(t *testing.T) {
	inBubble(t, sim.Options{Units: 3}, func(t *testing.T, h *hall) {
		h.Away(true)
		first := make(chan desk.Result, 1)
		go func() { first <- h.SetMic(t.Context(), h.Key(1, ""), true) }() // occupies the line for 5 s
		time.Sleep(100 * time.Millisecond)
		results := make(chan desk.Result, maxOrders)
		for range maxOrders {
			go func() { results <- h.SetMic(t.Context(), h.Key(2, ""), true) }()
		}
		synctest.Wait()
		wantResult(t, "one too many", h.SetMic(t.Context(), h.Key(2, ""), true), desk.Refused)
		h.Away(false)
		wantResult(t, "AllOff goes first", h.AllOff(t.Context()), desk.Confirmed)
		for range maxOrders {
			wantResult(t, "overtaken order to open", <-results, desk.Refused)
		}
		wantResult(t, "order without an answer", <-first, desk.Unknown)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		h.Away(true)
		wantResult(t, "caller gives up", h.SetMic(ctx, h.Key(3, ""), true), desk.Unknown)
	})
}

func TestLockedUnit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		d := New(Options{Open: func(context.Context) (port.Port, error) { return near, nil }})
		var unit sync.WaitGroup
		unit.Go(func() {
			buf := make([]byte, 64)
			for {
				if _, err := far.Read(buf); err != nil {
					return
				}
				if _, err := far.Write([]byte("\r\n>")); err != nil {
					return
				}
			}
		})
		if err := d.Run(t.Context()); !errors.Is(err, ErrLocked) {
			t.Errorf("Run = %v, want ErrLocked", err)
		}
		unit.Wait()
	})
}

func TestSlowReader(t *testing.T) {
	d := New(Options{})
	for range eventQueue + 10 {
		d.publish(func(*mapper) []desk.Event { return []desk.Event{{Kind: desk.KindHealth}} })
	}
	if got := d.Stats().DroppedEvents; got != 10 {
		t.Errorf("%d events dropped, want 10", got)
	}
	for want := range uint64(eventQueue) {
		if e := <-d.Events(); e.Seq != want+1 {
			t.Fatalf("event %d has number %d", want+1, e.Seq)
		}
	}
	d.publish(func(*mapper) []desk.Event { return []desk.Event{{Kind: desk.KindHealth}} })
	if e := <-d.Events(); e.Seq != eventQueue+11 {
		t.Errorf("after the gap: number %d", e.Seq)
	}
}

func TestOnlyOneRun(t *testing.T) {
	inBubble(t, sim.Options{Units: 1}, func(t *testing.T, h *hall) {
		if err := h.Driver.Run(t.Context()); !errors.Is(err, ErrRunning) {
			t.Errorf("second Run = %v, want ErrRunning", err)
		}
	})
}
