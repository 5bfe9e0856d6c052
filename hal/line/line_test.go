package line

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCheck(t *testing.T) {
	fire := Input{Name: "fire", Line: "DI3", Bias: BiasUp, Debounce: 20 * time.Millisecond}
	lamp := Output{Name: "on-air", Line: "DO1"}
	for name, c := range map[string]struct {
		opt Options
		ok  bool
	}{
		"good":           {Options{Inputs: []Input{fire}, Outputs: []Output{lamp}}, true},
		"none":           {Options{}, true},
		"name twice":     {Options{Inputs: []Input{fire, {Name: "fire", Line: "DI4"}}}, false},
		"line twice":     {Options{Inputs: []Input{fire}, Outputs: []Output{{Name: "x", Line: "DI3"}}}, false},
		"no line":        {Options{Outputs: []Output{{Name: "x"}}}, false},
		"no name":        {Options{Inputs: []Input{{Line: "x"}}}, false},
		"new line in it": {Options{Inputs: []Input{{Name: "x", Line: "a\nb"}}}, false},
		"bias":           {Options{Inputs: []Input{{Name: "x", Line: "y", Bias: "sideways"}}}, false},
		"debouncing":     {Options{Inputs: []Input{{Name: "x", Line: "y", Debounce: time.Hour}}}, false},
	} {
		if _, err := New(c.opt); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFind(t *testing.T) {
	c := catalogue{lines: map[string][]place{"a": {{"gpiochip0", 1}}, "b": {{"gpiochip0", 3}, {"gpiochip1", 5}}}}
	for _, one := range []struct {
		name string
		c    catalogue
		want error
		text string
	}{
		{"a", c, nil, ""},
		{"b", c, ErrTwice, "two lines have this name: give one of them another in the device tree: gpiochip0 line 3 and gpiochip1 line 5"},
		{"x", c, ErrMissing, `no such line: there are ["a" "b"]`},
		{"x", catalogue{denied: []string{"/dev/gpiochip0"}}, ErrPermission, ErrPermission.Error() + " (/dev/gpiochip0)"},
		{"x", catalogue{}, ErrMissing, "no such line: there is no chip with named lines; is it plugged in, its driver loaded?"},
	} {
		_, err := one.c.find(one.name)
		if !errors.Is(err, one.want) || err != nil && err.Error() != one.text {
			t.Errorf("%s: %v, want %s", one.name, err, one.text)
		}
	}
}

func TestQueueKeepsTheLastState(t *testing.T) {
	var q queue
	for i := range 3 * queueSize {
		q.push(Event{Name: "a", On: i%2 == 0, Seq: uint32(i)})
	}
	q.push(Event{Name: "b", On: true})
	if len(q.waiting) != queueSize+1 || q.dropped != 2*queueSize {
		t.Fatalf("%d wait, %d dropped", len(q.waiting), q.dropped)
	}
	out := make(chan Event, 1)
	for i := range queueSize {
		_, e := q.head(out)
		if last := i == queueSize-1; e.Lost != last || last && (e.Seq != 3*queueSize-1 || e.On) {
			t.Fatalf("event %d is %+v", i, e)
		}
		q.pop()
	}
	if _, e := q.head(out); e.Name != "b" {
		t.Errorf("the other line's event is %+v", e)
	}
	q.pop()
	if ch, _ := q.head(out); ch != nil {
		t.Error("an empty queue offers something")
	}
}

// serving is a Lines with sensors in the test's hand, within a bubble of fake time.
type serving struct {
	*Lines
	t     *testing.T
	keys  []*fakeSensor
	ended chan error
}

func serve(t *testing.T, on ...bool) *serving {
	s := &serving{t: t, ended: make(chan error, 1)}
	opt := Options{Log: testLog(t)}
	for i, on := range on {
		opt.Inputs = append(opt.Inputs, Input{Name: fmt.Sprint("i", i), Line: fmt.Sprint("l", i)})
		s.keys = append(s.keys, newSensor(on))
	}
	var err error
	if s.Lines, err = New(opt); err != nil {
		t.Fatal(err)
	}
	s.claim = func([]Input) (claimed []sensor, _ error) {
		for _, k := range s.keys {
			claimed = append(claimed, k)
		}
		return claimed, nil
	}
	go func() { s.ended <- s.Run(t.Context()) }()
	return s
}

// drain gives what was reported so far, in short.
func (s *serving) drain() (got []string) {
	s.t.Helper()
	for {
		synctest.Wait()
		select {
		case e := <-s.Events():
			text := fmt.Sprint(e.Name, "=", flag(e.On), " ", e.Seq)
			if e.Lost {
				text += " lost"
			}
			got = append(got, text)
		default:
			return got
		}
	}
}

func (s *serving) want(what string, want ...string) {
	s.t.Helper()
	if diff := cmp.Diff(want, s.drain()); diff != "" {
		s.t.Errorf("%s: %s", what, diff)
	}
}

func TestInputs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, true, false)
		a, b := s.keys[0], s.keys[1]
		s.want("present states", "i0=1 0", "i1=0 0")
		a.edges <- []edge{{on: false, seq: 1}, {on: true, seq: 2}}
		b.edges <- []edge{{on: false, seq: 1}}                                 // before the first look: no news
		a.edges <- []edge{{on: true, seq: 3, at: time.Now().Add(time.Second)}} // off in between was too short for the kernel
		s.want("changes in order", "i0=0 1", "i0=1 2", "i0=1 3 lost")
		b.be(true, nil)
		b.edges <- []edge{{on: true, seq: 9}, {on: false, seq: 10}}
		s.want("after a gap the real state counts", "i1=1 9 lost", "i1=0 10", "i1=1 10 lost")
		b.be(false, nil)
		time.Sleep(probeEvery)
		b.edges <- []edge{{on: false, seq: 11}}
		s.want("a change seen before its notice", "i1=0 11")
		a.be(false, nil)
		time.Sleep(2 * probeEvery)
		s.want("a change without notice", "i0=0 3 lost")
		if diff := cmp.Diff(map[string]bool{"i0": false, "i1": false}, s.Read()); diff != "" {
			t.Error(diff)
		}
		if err := s.Run(t.Context()); !errors.Is(err, ErrRunning) {
			t.Errorf("second Run: %v", err)
		}
		gone := fmt.Errorf("%w: its chip was unplugged", ErrMissing)
		a.be(false, gone)
		start := time.Now()
		if err := <-s.ended; !errors.Is(err, gone) || err.Error() != `input "i0" on line "l0": no such line: its chip was unplugged` {
			t.Errorf("Run = %v", err)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("that took %v", took)
		}
		if len(s.Read()) != 0 {
			t.Error("lines are read that nobody holds")
		}
	})
}

func TestInputsSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, false)
		for i := range uint32(1000) {
			s.keys[0].edges <- []edge{{on: i%2 == 0, seq: i + 1}}
		}
		time.Sleep(2 * probeEvery)
		got := s.drain()
		if n := len(got); n > queueSize+16+1 || got[n-1] != "i0=0 1000 lost" {
			t.Errorf("%d events, the last %s", n, got[n-1])
		}
		s.keys[0].be(false, errors.New("broken"))
		<-s.ended
	})
}

func TestClaimFails(t *testing.T) {
	l, err := New(Options{Inputs: []Input{{Name: "a", Line: "b"}}, Outputs: []Output{{Name: "c", Line: "d"}}})
	if err != nil {
		t.Fatal(err)
	}
	l.claim = func([]Input) ([]sensor, error) { return nil, ErrBusy }
	if err := l.Run(t.Context()); !errors.Is(err, ErrBusy) {
		t.Errorf("Run = %v", err)
	}
	if err := l.Set("c", true); !errors.Is(err, ErrDown) {
		t.Errorf("Set = %v", err)
	}
	if err := l.Set("a", true); !errors.Is(err, ErrConfig) {
		t.Errorf("Set of an input = %v", err)
	}
	if first := l.first(); !first[0] {
		t.Error("the wish is forgotten")
	}
}

// rawEdge is struct gpio_v2_line_event.
func rawEdge(stamp uint64, id, seq uint32) []byte {
	b := make([]byte, edgeSize)
	binary.NativeEndian.PutUint64(b, stamp)
	binary.NativeEndian.PutUint32(b[8:], id)
	binary.NativeEndian.PutUint32(b[12:], 5) // offset
	binary.NativeEndian.PutUint32(b[16:], 77)
	binary.NativeEndian.PutUint32(b[20:], seq)
	return b
}

func TestParseEdges(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	b := append(rawEdge(uint64(8*time.Second), 1, 1), rawEdge(uint64(9*time.Second), 2, 2)...)
	got, err := parseEdges(b, now, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	want := []edge{{true, now.Add(-2 * time.Second), 1}, {false, now.Add(-time.Second), 2}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(edge{})); diff != "" {
		t.Error(diff)
	}
	for name, b := range map[string][]byte{"cut off": b[:50], "unknown kind": rawEdge(1, 3, 1)} {
		if got, err := parseEdges(b, now, 0); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func FuzzParseEdges(f *testing.F) {
	f.Add(rawEdge(1, 1, 1), int64(2))
	f.Fuzz(func(t *testing.T, b []byte, mono int64) {
		if edges, err := parseEdges(b, time.Unix(0, 0), time.Duration(mono)); err == nil && len(edges)*edgeSize != len(b) {
			t.Errorf("%d edges of %d bytes", len(edges), len(b))
		}
	})
}
