package stage

import (
	"math/rand/v2"
	"testing"
)

func TestPaddingClosesUp(t *testing.T) {
	s := testStage(newClock(), 1)
	cam := s.AddSource("camera/wide", Video, "", nil)
	word := watch(t, s, "", Word)
	s.SetWord("camera/wide")
	cam.Write(packet(65534, 0, vp8(true, '1')))
	cam.Write(packet(65535, 0, nil)) // probing
	cam.Write(packet(0, 0, nil))
	cam.Write(packet(1, 3000, vp8(false, '2')))
	cam.Write(packet(0, 0, nil))                // twice
	cam.Write(packet(2, 3000, []byte{0x80}))    // not VP8
	cam.Write(packet(4, 9000, vp8(false, '4'))) // 3 is missing
	cam.Write(packet(6, 9000, vp8(false, '6')))
	cam.Write(packet(3, 6000, vp8(false, '3'))) // comes late, gets its own number
	cam.Write(packet(5, 9000, nil))             // padding that comes late fills its hole
	cam.Write(packet(3, 6000, vp8(false, '!'))) // duplicate

	if want := "12463-"; tags(*word) != want {
		t.Fatalf("got %q, want %q", tags(*word), want)
	}
	first := (*word)[0].h.SequenceNumber
	for i, want := range []uint16{0, 1, 3, 5, 2, 4} {
		if d := (*word)[i].h.SequenceNumber - first; d != want {
			t.Errorf("packet %d has number +%d, want +%d", i, d, want)
		}
	}
}

// Whatever comes in, no outgoing number is used twice.
func TestNumbersAreUsedOnce(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		var n numbers
		used := map[int64]bool{}
		high := int64(0)
		n.begin(0)
		in := uint16(0)
		for range 20_000 {
			switch x := r.IntN(1000); {
			case x < 900:
				in++
			case x < 990:
				in += uint16(r.IntN(40)) - 20
			case x < 998:
				in += uint16(r.IntN(3000))
			default:
				in = uint16(r.Uint32())
			}
			out, v := n.place(in, r.IntN(10) == 0)
			if v == resync {
				n.begin(in)
				continue
			}
			if v != send {
				continue
			}
			full := high + int64(int16(out-uint16(high)))
			high = max(high, full)
			if used[full] {
				t.Fatalf("seed %d: number %d used twice", seed, full)
			}
			used[full] = true
		}
	}
}

func TestSourceThatJumpsStartsAgain(t *testing.T) {
	s := testStage(newClock(), 1)
	hall := s.AddSource("hall", Audio, "", nil)
	sound := watch(t, s, "", HallSound)
	s.SetHall("", "hall")
	next := talk(hall, 10, 20, 'h')
	talk(hall, next+20_000, 20, 'h')         // far ahead
	talk(hall, next+10_000, maxStale+3, 'h') // far back
	checkRun(t, *sound)
	if n := len(*sound); n != 20+19+2 {
		t.Errorf("%d packets came through, want 41", n)
	}
}
