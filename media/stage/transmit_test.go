package stage

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtp"
)

// full is a stage where everything stands that can: the hall, and a member who has the word.
type full struct {
	*Stage
	cam, room, face, voice *Source
	n                      uint16
}

func fill(s *Stage) *full {
	f := &full{
		Stage: s,
		cam:   s.AddSource("camera/wide", Video, "", nil),
		room:  s.AddSource("hall", Audio, "", nil),
		face:  s.AddSource("member/anna", Video, "anna", nil),
		voice: s.AddSource("member/anna", Audio, "anna", nil),
	}
	s.SetHall("camera/wide", "hall")
	s.SetWord("member/anna")
	_ = s.Carry("anna", true)
	return f
}

// tell has every source send n packets.
func (f *full) tell(n int) {
	for range n {
		f.n++
		ts := uint32(f.n) * 3000
		f.cam.Write(packet(f.n, ts, vp8(true, 'c')))
		f.face.Write(packet(f.n, ts, vp8(true, 'a')))
		f.room.Write(sound(f.n, ts, []byte{'h'}))
		f.voice.Write(sound(f.n, ts, []byte{'a'}))
	}
}

var slots = [...]SlotID{Word, Hall, HallSound, Programme, Voice(1)}

// Nothing of anything goes out before the first Transmit(true) and after Transmit(false): to those who listened before,
// to those who come later, on request, and whatever else changes meanwhile.
func TestNothingGoesOutUnlessItTransmits(t *testing.T) {
	s := New(Options{Voices: 1, Now: newClock().now})
	f := fill(s)
	var all []*[]got
	for _, id := range slots {
		all = append(all, watch(t, s, "", id))
	}
	silent := func(when string) {
		t.Helper()
		before := make([]int, len(all))
		for i := range all {
			before[i] = len(*all[i])
		}
		f.tell(20)
		s.SetWord("camera/wide")
		s.SetHall("camera/wide", "hall")
		_ = s.Carry("anna", false)
		_ = s.Carry("anna", true)
		f.cam = s.AddSource("camera/wide", Video, "", nil) // a camera that was unplugged and is back
		s.SetWord("member/anna")
		f.tell(20)
		for _, id := range slots {
			s.RequestKey(id)
			late := watch(t, s, "", id)
			f.tell(5)
			if len(*late) != 0 {
				t.Errorf("%s: %d packets of %v to somebody who came then", when, len(*late), id)
			}
		}
		for i, got := range all {
			if n := len(*got) - before[i]; n != 0 {
				t.Errorf("%s: %d packets of %v", when, n, slots[i])
			}
		}
		for _, id := range []SlotID{Word, Hall} {
			if n := s.Resend(id, every(), SinkFunc(func(rtp.Header, []byte) {})); n != 0 {
				t.Errorf("%s: %d packets of %v on request", when, n, id)
			}
		}
	}
	runs := func(when string) {
		t.Helper()
		for i := range all {
			*all[i] = nil
		}
		f.tell(20)
		for i, got := range all {
			if len(*got) < 20 {
				t.Errorf("%s: %d packets of %v", when, len(*got), slots[i])
			}
		}
	}
	silent("before the first")
	s.Transmit(true)
	runs("in the first")
	s.Transmit(false)
	silent("after the first")
	s.Transmit(true)
	runs("in the second")
	for i, got := range all {
		t.Run(slots[i].String(), func(t *testing.T) { checkRun(t, *got) })
	}
}

// A slot is one stream from one sitting to the next, however long the night was: the numbers go on, the timestamp goes on
// with the wall.
func TestTimestampsOverTheNight(t *testing.T) {
	for _, night := range []time.Duration{time.Minute, 7 * time.Hour, 14 * time.Hour, 20 * time.Hour, 21 * 24 * time.Hour} {
		c := newClock()
		s := testStage(c, 1)
		f := fill(s)
		hall, room := watch(t, s, "", Hall), watch(t, s, "", HallSound)
		f.tell(3)
		for range 2 { // the second shows that the first left no wrong mark
			c.pass(time.Second)
			s.Transmit(false)
			c.pass(night - time.Second)
			s.Transmit(true)
			f.tell(3)
		}
		for rate, all := range map[int64][]got{90_000: *hall, 48_000: *room} {
			if len(all) != 9 {
				t.Fatalf("%v: %d packets", night, len(all))
			}
			for i := 1; i < len(all); i++ {
				if d := all[i].h.SequenceNumber - all[i-1].h.SequenceNumber; d != 1 {
					t.Errorf("%v: the number steps by %d", night, d)
				}
			}
			for _, i := range []int{3, 6} {
				want := uint32(int64(night/time.Second) * rate)
				if d := all[i].h.Timestamp - all[i-1].h.Timestamp; d != want {
					t.Errorf("%v at %d Hz: the timestamp steps by %d, want %d", night, rate, d, want)
				}
			}
		}
	}
}

// The end is exact: while sources write as fast as they can, nothing is on its way any more when Transmit(false) returns.
func TestTransmitEndsExactly(t *testing.T) {
	s := open(Options{Voices: 1})
	f := fill(s)
	var shut atomic.Bool
	var total, late atomic.Int64
	for _, id := range slots {
		for range 4 {
			un, err := s.Subscribe("", id, SinkFunc(func(rtp.Header, []byte) {
				total.Add(1)
				if shut.Load() {
					late.Add(1)
				}
			}))
			if err != nil {
				t.Fatal(err)
			}
			defer un()
		}
	}
	var told atomic.Int64
	var done atomic.Bool
	var wg sync.WaitGroup
	defer wg.Wait()
	defer done.Store(true)
	wg.Go(func() {
		for !done.Load() {
			f.tell(1)
			told.Add(1)
		}
	})
	until := func(n *atomic.Int64, more int64) {
		for was := n.Load(); n.Load() < was+more; {
			runtime.Gosched()
		}
	}
	for range 100 {
		s.Transmit(true)
		until(&total, 20)
		s.Transmit(false)
		shut.Store(true)
		until(&told, 2)
		shut.Store(false)
	}
	if n := late.Load(); n != 0 || total.Load() == 0 {
		t.Errorf("of %d packets %d went out after Transmit(false) had returned", total.Load(), n)
	}
}
