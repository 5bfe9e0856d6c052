package e2e

import (
	"testing"
	"time"
)

// TestKilledInMidSitting: the daemon dies as in a crash; the list and the speakers are the same, desks and browser come
// back by themselves, nobody is listed twice.
func TestKilledInMidSitting(t *testing.T) {
	h := openHouse(t)
	for i, seat := range []string{"7", "3", "12"} {
		h.ctl("demo", "press", seat)
		eventually(t, "desk "+seat+" on the list", func() bool { return len(h.list().Requests) == i+1 })
	}
	h.member.click(`[data-action="raise"]`)
	eventually(t, "four on the list", func() bool { return len(h.list().Requests) == 4 })
	h.ctl("grant", "7")
	h.ctl("grant", aylin)
	eventually(t, "desk 7 is open", func() bool { open, _ := h.desk("7"); return open })
	eventually(t, "the member's voice", func() bool { return h.other.voices() > 10 })
	waiting, speaking := h.waiting(), h.speaking()

	killed := time.Now()
	h.kill()
	if w, s := h.waiting(), h.speaking(); w != waiting || s != speaking {
		t.Fatalf("before: %q speak, %q wait; after: %q speak, %q wait", speaking, waiting, s, w)
	}
	t.Logf("the same list %v after kill -9 (starting the daemon included)", time.Since(killed).Round(10*time.Millisecond))
	eventually(t, "desk 7 opens again", func() bool { open, _ := h.desk("7"); return open })
	if open, _ := h.desk("3"); open {
		t.Fatal("desk 3 is open without the word")
	}
	h.member.until("the browser is connected again", `window.__plenum.connections.whip > 1 && window.__plenum.connections.whep > 1`)
	h.member.until("the member is present again", presence("a.demir", "remote"))
	again := h.listen(h.Members[1].Token, 4)
	eventually(t, "the member is carried again", func() bool { return again.voices() > 25 })

	// The desks work: a key still counts, and nobody is listed twice.
	h.ctl("demo", "press", "9")
	eventually(t, "desk 9 is on the list", func() bool { return len(h.list().Requests) == 3 })
	seen := map[string]bool{}
	for _, e := range append(h.list().Requests, h.list().Speakers...) {
		if seen[e.Name] {
			t.Errorf("%s is listed twice", e.Name)
		}
		seen[e.Name] = true
	}
}
