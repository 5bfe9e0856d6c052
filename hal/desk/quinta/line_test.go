package quinta

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"plenum/hal/desk"
	"plenum/hal/desk/sim"
)

// Lines of the units that end without a prompt keep nobody from giving orders, however many units there are.
func TestLinesWithoutAPrompt(t *testing.T) {
	for _, units := range []int{1, 60, 200} {
		t.Run(fmt.Sprint(units), func(t *testing.T) {
			inBubble(t, sim.Options{Units: units, Chair: 1, Bare: true}, func(t *testing.T, h *hall) {
				key := h.Key(units, "")
				for range 20 {
					time.Sleep(3137 * time.Millisecond)
					wantResult(t, "SetMic on", h.SetMic(t.Context(), key, true), desk.Confirmed)
					wantResult(t, "SetMic off", h.SetMic(t.Context(), key, false), desk.Confirmed)
				}
				time.Sleep(4 * time.Second)
				h.press(units, "")
				h.await("request", is(desk.KindRequest, key, true))
				wantResult(t, "SetRequest off", h.SetRequest(t.Context(), key, false), desk.Confirmed)
				if st := h.Stats(); st.Logins != 1 || st.PromptTimeouts != 0 {
					t.Errorf("after the orders: %+v", st)
				}
			})
		})
	}
}

// Nor do they keep anybody from logging in, whenever they come. Units whose lines do end with one are no worse off.
func TestLoginAmongLines(t *testing.T) {
	for _, units := range []int{60, 200} {
		for _, bare := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d units, bare %v", units, bare), func(t *testing.T) {
				for phase := range 12 {
					synctest.Test(t, func(t *testing.T) {
						h := newHall(t, sim.Options{Units: units, Chair: 1, Bare: bare}, true)
						time.Sleep(100*time.Millisecond + time.Duration(phase)*8300*time.Microsecond)
						h.start()
						if st := h.Stats(); st.Logins != 1 || st.PromptTimeouts != 0 {
							t.Fatalf("phase %d: %+v", phase, st)
						}
					})
				}
			})
		}
	}
}

// While all press at once an order is carried out, and none of their prompts is taken for its answer.
func TestOrderInAStorm(t *testing.T) {
	for _, bare := range []bool{false, true} {
		t.Run(fmt.Sprint("bare ", bare), func(t *testing.T) {
			inBubble(t, sim.Options{Units: 60, Chair: 1, Bare: bare}, func(t *testing.T, h *hall) {
				for n := 2; n <= 60; n++ {
					h.press(n, "")
				}
				for n := 2; n <= 4; n++ {
					wantResult(t, "SetMic", h.SetMic(t.Context(), h.Key(n, ""), true), desk.Confirmed)
					if !h.seat(n, "").Open {
						t.Errorf("unit %d is not open", n)
					}
				}
				if st := h.Stats(); st.PromptTimeouts != 0 || st.Logins != 1 {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}

// A cable that is pulled at the far end is told in a quarter of a minute, whenever that happens and whoever is silent.
func TestPulledCable(t *testing.T) {
	for _, units := range []int{1, 200} {
		for _, after := range []time.Duration{0, time.Second, 4900 * time.Millisecond, 5100 * time.Millisecond, 12 * time.Second} {
			t.Run(fmt.Sprintf("%d units after %v", units, after), func(t *testing.T) {
				inBubble(t, sim.Options{Units: units}, func(t *testing.T, h *hall) {
					time.Sleep(after)
					h.Away(true)
					began := time.Now()
					events := h.await("down", isLink(desk.LinkDown))
					if took := time.Since(began); took > keepAlive+maxDead*promptTimeout+time.Second {
						t.Errorf("told after %v", took)
					}
					if text := events[len(events)-1].Text; !strings.Contains(text, "cable") {
						t.Errorf("the reason is %q", text)
					}
					if err := <-h.end; !errors.Is(err, ErrSilent) {
						t.Errorf("Run = %v", err)
					}
				})
			})
		}
	}
}

// A prompt that is lost in a quiet hall is no pulled cable.
func TestOneLostPrompt(t *testing.T) {
	inBubble(t, sim.Options{Units: 1, Status: 100 * time.Hour}, func(t *testing.T, h *hall) {
		for range 10 {
			h.SwallowPrompts(1)
			time.Sleep(time.Minute)
		}
		if st := h.Stats(); st.Logins != 1 || st.PromptTimeouts != 10 {
			t.Errorf("%+v", st)
		}
	})
}

// A line that only gives back what it is sent, at the start or later, is named so.
func TestEcho(t *testing.T) {
	inBubble(t, sim.Options{Units: 3}, func(t *testing.T, h *hall) {
		h.Echo(true)
		events := h.await("down", isLink(desk.LinkDown))
		if text := events[len(events)-1].Text; !strings.Contains(text, "echo") || strings.Contains(text, "speed") {
			t.Errorf("the reason is %q", text)
		}
		if st := h.Stats(); st.Unknown != 0 {
			t.Errorf("our own lines count as unknown: %+v", st)
		}
	})
}

// Whoever stops the driver gets closed microphones, or open ones if they asked for that.
func TestStopClosesOrLeaves(t *testing.T) {
	for _, c := range []struct {
		name  string
		leave bool
		after func(*hall)
		open  bool
	}{
		{"closed", false, nil, false},
		{"left", true, nil, true},
		{"closed in mid-order", false, func(h *hall) {
			h.SwallowPrompts(1) // the line is not free for 5 s
			wantResult(h.t, "SetMic", h.SetMic(h.t.Context(), h.Key(3, ""), true), desk.Confirmed)
		}, false},
		{"a unit that grants by itself keeps its own", false, func(h *hall) {
			h.SetStandalone(true)
			h.press(3, "")
			h.await("standalone", isLink(desk.LinkStandalone))
		}, true},
		{"a unit that is gone holds nobody up", false, func(h *hall) { h.Away(true) }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			inStopped(t, c.leave, func(h *hall) {
				wantResult(t, "SetMic", h.SetMic(h.t.Context(), h.Key(2, ""), true), desk.Confirmed)
				if c.after != nil {
					c.after(h)
				}
			}, func(h *hall, took time.Duration) {
				if took > 2*partTime {
					t.Errorf("stopped after %v", took)
				}
				if got := h.seat(2, "").Open; got != c.open {
					t.Errorf("open after the end: %v, want %v", got, c.open)
				}
			})
		})
	}
}
