package quinta

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plenum/hal/desk"
)

// play gives lines to a mapper. "+2s" lets time pass, "order on 000281" and "order off 000281/R" are orders of ours.
// The result lists the events as text.
func play(m *mapper, script ...string) []string {
	now := time.Unix(1000, 0)
	var told []string
	for _, step := range script {
		if d, err := time.ParseDuration(strings.TrimPrefix(step, "+")); err == nil && step[0] == '+' {
			now = now.Add(d)
			told = append(told, tell(m.tick(now))...)
			continue
		}
		if order, ok := strings.CutPrefix(step, "order "); ok {
			on, id, _ := strings.Cut(order, " ")
			id, side, _ := strings.Cut(id, "/")
			m.orders[desk.Key{ID: id, Side: side}] = expectation{on: on == "on", at: now}
			continue
		}
		now = now.Add(4 * time.Millisecond)
		msg := parse([]byte(step))
		msg.At, msg.Raw = now, []byte(step)
		told = append(told, tell(m.apply(msg))...)
	}
	return told
}

func tell(events []desk.Event) []string {
	var told []string
	for _, e := range events {
		switch e.Kind {
		case desk.KindPriority:
			told = append(told, strings.TrimSpace(fmt.Sprintf("%s %s", e.Priority, e.Key)))
		case desk.KindHealth:
			told = append(told, fmt.Sprintf("%s: %s", e.Key, e.Text))
		case desk.KindSeat:
			told = append(told, fmt.Sprintf("seat %s %v", e.Key, e.On))
		default:
			told = append(told, fmt.Sprintf("%s %s %v %s", e.Kind, e.Key, e.On, e.Origin))
		}
	}
	return told
}

// burst is one press as the unit sends it.
func burst(line string) []string {
	var lines []string
	for range copies {
		lines = append(lines, "q "+line, "a "+line)
	}
	return lines
}

const (
	on281  = "00000281 01 0030"
	off281 = "00000281 00 0030"
)

func join(parts ...any) []string {
	var lines []string
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			lines = append(lines, p)
		case []string:
			lines = append(lines, p...)
		}
	}
	return lines
}

func TestMapper(t *testing.T) {
	status := "x 000281 0030 7A 241100"
	seat := []string{"seat 000281 true", "000281: battery 60 %, radio 3 of 3"}
	for _, c := range []struct {
		name   string
		script []string
		want   []string // after the seat's own events
	}{
		{"a press is one request", burst(on281), []string{"request 000281 true button"}},
		{"all q lines before all a lines", join("q "+on281, "q "+on281, "q "+on281, "q "+on281, "a "+on281, "a "+on281, "a "+on281, "a "+on281),
			[]string{"request 000281 true button"}},
		{"a single line is enough", join("q " + on281), []string{"request 000281 true button"}},
		{"taken back at once", join(burst(on281), burst(off281), burst(on281)), []string{
			"request 000281 true button", "request 000281 false button", "request 000281 true button"}},
		{"copies that come after the grant", join("q "+on281, "order on 000281", "Q 00000281 01 0C", burst(on281)[1:]),
			[]string{"request 000281 true button", "mic 000281 true echo"}},
		{"grant and withdrawal before the last copy", join("q "+on281, "order on 000281", "Q 00000281 01 0C", "order off 000281",
			"Q 00000281 00 0C", burst(on281)[1:]),
			[]string{"request 000281 true button", "mic 000281 true echo", "mic 000281 false echo"}},
		{"same press again after the host took the word", join(burst(on281), "order on 000281", "Q 00000281 01 0C",
			"order off 000281", "Q 00000281 00 0C", burst(off281), "+100ms", burst(on281)), []string{
			"request 000281 true button", "mic 000281 true echo", "mic 000281 false echo", "request 000281 true button"}},
		{"switched off at the unit", join(burst(on281), "order on 000281", "Q 00000281 01 0C", "+30s", status, burst(off281), "Q 00000281 00 0C"),
			[]string{"request 000281 true button", "mic 000281 true echo", "mic 000281 false button"}},
		{"off while nothing was on", burst(off281), nil},
		{"a flipped state in mid-burst", join("q "+on281, "a "+on281, "q "+off281, "a "+on281, burst(on281)[4:]),
			[]string{"request 000281 true button"}},
		{"a flipped unit number", join("q 00000291 01 0030", "a "+on281, burst(on281)[2:]), []string{"request 000281 true button"}},
		{"a flipped allocation mode", join("q 00000281 01 0031", "a "+on281), []string{"request 000281 true button"}},
		{"opened by its own key, without a lines", join("q "+on281, "Q 00000281 01 0C"),
			[]string{"request 000281 true button", "mic 000281 true button"}},
		{"opened by somebody else", join("Q 00000281 01 0C"), []string{"mic 000281 true other"}},
		{"allocation of a stranger", join("Q 00000999 01 0C"), nil},
		{"chair's clear", join("order on 000281", "Q 00000281 01 0C", "i 00", "Q 00000281 00 0C", burst(off281)),
			[]string{"mic 000281 true echo", "clear", "mic 000281 false button"}},
		{"copies of a clear", join("i 00", "i 00", "l 00", "i 00"), []string{"clear"}},
		{"clear again after somebody asked", join("i 00", burst(on281), "i 00"),
			[]string{"clear", "request 000281 true button", "clear"}},
		{"each long press toggles", join("l 01", "l 01", "l 01", "+3s", "l 01", "l 01"), []string{"toggle", "toggle"}},
		{"short press after a long one clears", join("l 01", "+2s", "l 00"), []string{"toggle", "clear"}},
		{"health changes", join("x 000281 0030 79 241100", "x 000281 0030 19 241100"),
			[]string{"000281: battery 40 %, radio 3 of 3", "000281: battery 40 %, radio 3 of 3, charging, charging error"}},
		{"two status lines missed", join("+40s", status, "+59s", status), nil},
		{"three status lines missed", join("+40s", "+19s", "+1s", "+1h"), []string{"seat 000281 false"}},
		{"back again", join("+60s", status), []string{"seat 000281 false", "seat 000281 true", "000281: battery 60 %, radio 3 of 3"}},
		{"service lines and text", join("zm000281_1z2", "DSP[42]=0x04", "Prio mode 3", "CUFW", "Full mode"), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := play(newMapper(), join(status, c.script)...)
			if diff := cmp.Diff(append(append([]string(nil), seat...), c.want...), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestDoubleUnit(t *testing.T) {
	m := newMapper()
	got := play(m, join("x 00021E 0131 7A 241100", burst("0000021E 01 0139"), "order on 00021E/R", "Q 0000021E 11 0C",
		burst("0000021E 01 0131"), "order on 00021E/L", "Q 0000021E 01 0D")...)
	want := []string{
		"seat 00021E/L true", "seat 00021E/R true",
		"00021E/L: battery 60 %, radio 3 of 3", "00021E/R: battery 60 %, radio 3 of 3",
		"request 00021E/R true button", "mic 00021E/R true echo", "request 00021E/L true button", "mic 00021E/L true echo",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for key, want := range map[desk.Key]uint16{{ID: "00021E", Side: "L"}: 0x131, {ID: "00021E", Side: "R"}: 0x139} {
		if typ, why := m.typeFor(0x21E, key); typ != want || why != "" {
			t.Errorf("type of %v: %04X %q, want %04X", key, typ, why, want)
		}
	}
	if _, why := m.typeFor(0x21E, desk.Key{ID: "00021E"}); why == "" {
		t.Error("a double unit without a side has a type")
	}
	if _, why := m.typeFor(0x281, desk.Key{ID: "000281", Side: "L"}); why != "" {
		t.Error("a side of a unit not heard of yet has no type:", why)
	}
}

// A unit nobody has heard of is believed on its second line, with the time of the first.
func TestStranger(t *testing.T) {
	m := newMapper()
	var events []desk.Event
	for i, line := range []string{"q " + on281, "a " + on281} {
		msg := parse([]byte(line))
		msg.At = time.Unix(int64(i), 0)
		events = append(events, m.apply(msg)...)
	}
	if len(events) != 2 || events[1].Kind != desk.KindRequest || events[1].At.Unix() != 0 {
		t.Errorf("%+v", events)
	}
}

func TestChairIsNamed(t *testing.T) {
	got := play(newMapper(), "x 00021F 0232 7A 241100", "l 00")
	if want := "clear 00021F"; got[len(got)-1] != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// 200 units whose copies come in turns: the order of the first copies is the order of the requests.
func TestCopiesInTurns(t *testing.T) {
	m := newMapper()
	var script []string
	for n := range 200 {
		script = append(script, fmt.Sprintf("x %06X 0030 7A 241100", 0x300+n))
	}
	for range copies {
		for n := range 200 {
			script = append(script, fmt.Sprintf("q %08X 01 0030", 0x300+n*7%200), fmt.Sprintf("a %08X 01 0030", 0x300+n*7%200))
		}
	}
	var got []string
	for _, e := range play(m, script...) {
		if strings.HasPrefix(e, "request") {
			got = append(got, e)
		}
	}
	if len(got) != 200 {
		t.Fatalf("%d requests", len(got))
	}
	for n, e := range got {
		if want := fmt.Sprintf("request %06X true button", 0x300+n*7%200); e != want {
			t.Fatalf("%d: %q, want %q", n, e, want)
		}
	}
}

func TestStandalone(t *testing.T) {
	known := "x 000281 0030 7A 241100"
	for _, c := range []struct {
		name   string
		script []string
		want   bool
	}{
		{"host grants", join(burst(on281), "order on 000281", "Q 00000281 01 0C", "+5s"), false},
		{"unit grants", join("q "+on281, "Q 00000281 01 0C"), true},
		{"unit grants but has no stream free", join("q "+on281, "q "+on281, "q "+on281, "q "+on281, "+2s"), true},
		{"set to PC-controlled mode, for good", join("q "+on281, "q "+on281, "q "+on281, "q "+on281, "Q 00000281 01 0C", "+2s",
			burst("00000282 01 0030"), "+2s", "+1h"), false},
		{"set so while the last copies come", join("q "+on281, "q "+on281, "q "+on281, "q "+on281, burst("00000282 01 0030"), "+2s"), false},
		{"set back to stand-alone", join(burst(on281), "+10s", "q "+on281, "q "+on281, "q "+on281, "q "+on281, "+2s"), true},
		{"host came back", join("q "+on281, "Q 00000281 01 0C", burst(off281)), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMapper()
			play(m, join(known, c.script)...)
			if m.standalone != c.want {
				t.Errorf("standalone %v, want %v", m.standalone, c.want)
			}
		})
	}
}

func TestCompare(t *testing.T) {
	stream := func(line string) message { return parse([]byte(line)) }
	all := []message{stream("StrC 00000281 03 30"), stream("StrD 0000021E 05 31"), stream("StrE 00000000 01 00"), stream("StrF 00000000 01 00")}
	m := newMapper()
	play(m, "x 000282 0030 7A 241100", "order on 000282", "Q 00000282 01 0E")
	events, free := m.compare(all, true, time.Unix(2000, 0))
	want := []string{"mic 00021E/R true other", "mic 000281 true other", "mic 000282 false other"}
	if diff := cmp.Diff(want, tell(events)); diff != "" || len(free) != 0 {
		t.Errorf("free %v, -want +got:\n%s", free, diff)
	}
	if events, _ := m.compare(all, true, time.Unix(2001, 0)); len(events) != 0 {
		t.Errorf("the same again: %v", tell(events))
	}
	// The unit's key reported off, yet the stream is held: it must be freed, and no microphone is reported.
	play(m, "q "+off281)
	events, free = m.compare(all, true, time.Unix(2002, 0))
	if len(events) != 0 || len(free) != 1 || free[0].ID != "000281" {
		t.Errorf("kept stream: %v, free %v", tell(events), free)
	}
	// An incomplete list proves nothing about the others.
	if events, _ := m.compare(nil, false, time.Unix(2003, 0)); len(events) != 0 {
		t.Errorf("empty list: %v", tell(events))
	}
}

// The published case: a press in stand-alone mode, then the mode is set. From the first a line on it is live, for good.
func TestStandaloneIsLeft(t *testing.T) {
	text, err := os.ReadFile("testdata/standalone.txt")
	if err != nil {
		t.Fatal(err)
	}
	m, seen := newMapper(), false
	for line := range strings.Lines(string(text)) {
		switch line = strings.TrimSpace(line); {
		case strings.HasPrefix(line, "#"):
			continue
		case line == "--":
			line = "+2s"
		}
		play(m, line)
		seen = seen || m.standalone
	}
	for range 60 {
		if play(m, "+1m"); m.standalone {
			t.Fatal("the link is stand-alone again without a press")
		}
	}
	if !seen {
		t.Error("the press in stand-alone mode was not noticed")
	}
}

// What was known of the mode before the line broke says nothing about it after.
func TestModeIsNotKeptOverABreak(t *testing.T) {
	m := newMapper()
	play(m, "x 000281 0030 7A 241100", "q "+on281, "Q 00000281 01 0C")
	m.resume(time.Unix(1100, 0))
	if play(m, "+1m"); m.standalone {
		t.Error("still stand-alone after a new login")
	}
}

// What the unit lists as open is open, whatever was heard of it before.
func TestListedAsOpen(t *testing.T) {
	free := []string{"StrE 00000000 01 00", "StrF 00000000 01 00", "StrD 00000000 01 00"}
	for _, c := range []struct {
		name   string
		script []string
		list   string
		want   []string
	}{
		{"ordered again while its own key's closing was under way",
			[]string{"x 000281 0030 7A 241100", "order on 000281", "Q 00000281 01 0C", "q " + off281, "order on 000281"},
			"StrC 00000281 03 30", []string{"mic 000281 true echo"}},
		{"left side of a unit not heard of", []string{"order on 00021E/L", "Q 0000021E 01 0C"}, "StrC 0000021E 03 31", nil},
		{"the same, opened by a lost line", []string{"order on 00021E/L"}, "StrC 0000021E 03 31", []string{"mic 00021E/L true echo"}},
		{"right side of a unit not heard of", []string{"order on 00021E/R", "Q 0000021E 11 0C"}, "StrC 0000021E 05 39", nil},
		{"single unit not heard of", []string{"order on 000281", "Q 00000281 01 0C"}, "StrC 00000281 03 30", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMapper()
			play(m, c.script...)
			var list []message
			for _, line := range append([]string{c.list}, free...) {
				list = append(list, parse([]byte(line)))
			}
			events, freed := m.compare(list, true, time.Unix(2000, 0))
			if diff := cmp.Diff(c.want, tell(events)); diff != "" || len(freed) != 0 {
				t.Errorf("freed %v, -want +got:\n%s", freed, diff)
			}
		})
	}
}

// Whatever the line says, no key asks twice without taking back or opening in between, and no microphone opens twice.
func FuzzMapper(f *testing.F) {
	f.Add([]byte(strings.Join(join(burst(on281), "Q 00000281 01 0C", burst(off281)), "\n")))
	f.Add([]byte("x 00021E 0131 7A 241100\nq 0000021E 01 0139\nx 00021E 0030 7A 241100\nx 00021E 0030 7A 241100\nQ 0000021E 11 0C\ni 00\nl 01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := newMapper()
		last := map[string]bool{}
		now := time.Unix(0, 0)
		for line := range strings.Lines(string(data)) {
			msg := parse([]byte(strings.TrimSpace(line)))
			now = now.Add(time.Duration(len(line)) * 20 * time.Millisecond)
			msg.At = now
			for _, e := range append(m.apply(msg), m.tick(now)...) {
				key := string(e.Kind) + e.Key.String()
				switch e.Kind {
				case desk.KindMic:
					delete(last, string(desk.KindRequest)+e.Key.String())
				case desk.KindRequest, desk.KindSeat:
				default:
					continue
				}
				if e.Kind == desk.KindSeat && !e.On {
					delete(last, string(desk.KindRequest)+e.Key.String())
					delete(last, string(desk.KindMic)+e.Key.String())
				}
				if was, ok := last[key]; ok && was == e.On {
					t.Fatalf("%v %v %v twice", e.Kind, e.Key, e.On)
				}
				last[key] = e.On
			}
		}
	})
}
