package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestEveryDeskPresses: 200 desks press as fast as a 57600-baud line carries it. The list has the order of arrival,
// nobody is lost, nobody is doubled; the times rise.
func TestEveryDeskPresses(t *testing.T) {
	t.Parallel()
	d := startDemo(t, "--desks", "200")
	// The chair's own key at seat 1 does not queue. A stride that shares no factor with 199 mixes the order.
	want := make([]string, 0, 199)
	for i := range 199 {
		seat := fmt.Sprint(2 + i*83%199)
		want = append(want, seat)
		d.press(seat)
	}
	eventually(t, "199 on the list", func() bool { return len(d.list().Requests) >= 199 })
	// Copies of the last press may still be on the line. It has an end: what is pressed now comes behind them.
	d.press("1")
	eventually(t, "the chair's microphone", func() bool { open, _ := d.desk("1"); return open })
	var got []string
	l := d.list()
	for i, r := range l.Requests {
		got = append(got, r.Seat)
		if i > 0 && r.At.Before(l.Requests[i-1].At) {
			t.Errorf("seat %s came at %v, after seat %s at %v", r.Seat, r.At, l.Requests[i-1].Seat, l.Requests[i-1].At)
		}
	}
	if g, w := strings.Join(got, " "), strings.Join(want, " "); g != w {
		t.Fatalf("the list is\n%s\npressed was\n%s", g, w)
	}
	first, last := l.Requests[0].At, l.Requests[198].At
	t.Logf("199 presses arrived within %v", last.Sub(first).Round(time.Millisecond))
}

// TestTheChairLeadsFromTheDesk: the chair's own key speaks at once, beside the limit.
func TestTheChairLeadsFromTheDesk(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	d.press("1")
	eventually(t, "the chair's microphone", func() bool { open, _ := d.desk("1"); return open })
	if d.waiting() != "" || d.speaking() != "Clara Hoffmann" {
		t.Fatalf("%q speak, %q wait", d.speaking(), d.waiting())
	}
	d.press("1")
	eventually(t, "it is off again", func() bool { open, _ := d.desk("1"); return !open && d.speaking() == "" })
}
