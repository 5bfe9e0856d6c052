package hall

import (
	"encoding/binary"
	"testing"

	"github.com/pion/rtp"

	"plenum/media/codec"
)

// celt is the first byte of a one-frame packet of 20, 10 and 2.5 ms
// (RFC 6716, table 2); no decoder is asked in these tests.
var (
	celt20 = []byte{31 << 3}
	celt10 = []byte{30 << 3}
)

func TestJitterSteps(t *testing.T) {
	type push struct {
		at      int64 // ms
		ts      uint32
		payload []byte
	}
	type want struct {
		at      int64 // ms
		step    step
		samples int
	}
	for _, c := range []struct {
		name  string
		push  []push
		want  []want
		count Counters
	}{
		{"the first packet waits 40 ms",
			[]push{{0, 100, celt20}},
			[]want{{39, stepSilence, 0}, {40, stepPacket, 960}, {60, stepConceal, 480}},
			Counters{Received: 1}},
		{"order is put right before the begin",
			[]push{{0, 960, celt20}, {5, 0, celt20}},
			[]want{{44, stepPacket, 960}, {64, stepPacket, 960}},
			Counters{Received: 2}},
		{"timestamps wrap",
			[]push{{0, 0xfffffe00, celt20}, {20, (0xfffffe00 + 960) & 0xffffffff, celt20}},
			[]want{{40, stepPacket, 960}, {60, stepPacket, 960}},
			Counters{Received: 2}},
		{"a lost packet is recovered from the next",
			[]push{{0, 0, celt20}, {40, 1920, celt20}},
			[]want{{40, stepPacket, 960}, {60, stepRecover, 960}, {80, stepPacket, 960}},
			Counters{Received: 2, Lost: 1, Recovered: 1}},
		{"two lost packets",
			[]push{{0, 0, celt20}, {30, 2880, celt20}},
			[]want{{40, stepPacket, 960}, {60, stepConceal, 960}, {80, stepRecover, 960}, {100, stepPacket, 960}},
			Counters{Received: 2, Lost: 2, Recovered: 1}},
		{"packets of 10 ms",
			[]push{{0, 0, celt10}, {10, 480, celt10}, {30, 1440, celt10}},
			[]want{{40, stepPacket, 480}, {50, stepPacket, 480}, {60, stepRecover, 480}, {70, stepPacket, 480}},
			Counters{Received: 3, Lost: 1, Recovered: 1}},
		{"doubled, padding only, too long, not Opus",
			[]push{{0, 0, celt20}, {1, 0, celt20}, {2, 960, nil}, {3, 960, make([]byte, 2000)}, {4, 1920, []byte{3}}},
			[]want{{40, stepPacket, 960}},
			Counters{Received: 4, Doubled: 1, Bad: 2}},
		{"a gap that no frame fills is stepped over",
			[]push{{0, 0, celt20}, {1, 1000, celt20}},
			[]want{{40, stepPacket, 960}, {60, stepPacket, 960}},
			Counters{Received: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var j jitter
			var buf [codec.MaxPacket]byte
			for _, p := range c.push {
				j.push(p.at*ms, &rtp.Header{SSRC: 1, Timestamp: p.ts}, p.payload)
			}
			for _, w := range c.want {
				if s, _, n := j.take(w.at*ms, &buf); s != w.step || n != w.samples {
					t.Errorf("at %d ms: step %d of %d samples, want step %d of %d", w.at, s, n, w.step, w.samples)
				}
			}
			if j.count != c.count {
				t.Errorf("counters %+v, want %+v", j.count, c.count)
			}
		})
	}
}

func TestJitterLate(t *testing.T) {
	var j jitter
	var buf [codec.MaxPacket]byte
	push := func(at int64, ts uint32) { j.push(at*ms, &rtp.Header{Timestamp: ts}, celt20) }
	push(0, 0)
	push(20, 960)
	push(60, 2880)
	for at := int64(40); at <= 100; at += 20 {
		j.take(at*ms, &buf)
	}
	push(101, 1920) // its place was made up
	push(102, 960)  // was played
	push(103, 3840)
	push(104, 2880) // was played
	if want := (Counters{Received: 7, Lost: 1, Recovered: 1, Late: 3}); j.count != want {
		t.Errorf("counters %+v, want %+v", j.count, want)
	}
	if s, _, _ := j.take(120*ms, &buf); s != stepPacket {
		t.Errorf("step %d, want the packet that is in time", s)
	}
	// The buffer runs dry; the packet that came too late is played all the
	// same, and what follows waits as long as the line has shown to be needed.
	j.take(140*ms, &buf)
	push(180, 4800)
	if s, _, _ := j.take(180*ms, &buf); s != stepSilence || j.phase != waiting || j.count.Underruns != 1 {
		t.Errorf("step %d in phase %d after running dry", s, j.phase)
	}
	if s, _, _ := j.take(j.due, &buf); s != stepPacket || j.due < 180*ms {
		t.Errorf("step %d at %d ms", s, j.due/ms)
	}
}

// Delay follows the spread of transit times and comes back after 10 s.
func TestJitterDelayAdapts(t *testing.T) {
	var j jitter
	var buf [codec.MaxPacket]byte
	at := int64(0)
	send := func(n int, extra func(i int) int64) {
		for i := range n {
			j.push(at+extra(i), &rtp.Header{Timestamp: uint32(at)}, celt20)
			j.take(at, &buf)
			at += codec.Frame
		}
	}
	calm := func(int) int64 { return 0 }
	for _, c := range []struct {
		n     int
		extra func(int) int64
		want  int64
	}{
		{50, calm, 40 * ms},
		{50, func(i int) int64 { return int64(i%7) * 15 * ms }, 110 * ms},
		{50, func(i int) int64 { return int64(i%7) * 60 * ms }, 200 * ms},
		{600, calm, 40 * ms},
	} {
		send(c.n, c.extra)
		if got := j.delay(); got != c.want {
			t.Errorf("delay %d ms, want %d ms", got/ms, c.want/ms)
		}
	}
}

// FuzzJitter lets arbitrary packets, times and cuts at a voice with its real
// decoder; each of 12 bytes is one act.
func FuzzJitter(f *testing.F) {
	f.Add([]byte{0, 5, 0, 0, 0, 0, 0, 1, 0xf8, 1, 2, 3, 1, 20, 0, 0, 3, 0xc0, 0, 1, 0xf8, 1, 2, 3})
	f.Add([]byte{0, 5, 0xff, 0xff, 0xff, 0xff, 0, 1, 0x78, 1, 2, 3, 9, 200, 0, 0, 0, 0, 0, 2, 3, 0x81, 2, 3})
	f.Fuzz(func(t *testing.T, acts []byte) {
		v, err := newVoice()
		if err != nil {
			t.Fatal(err)
		}
		at, frames := int64(0), 0
		for ; len(acts) >= 12 && frames < 2000; acts = acts[12:] {
			at += int64(acts[1]) * ms
			switch acts[0] % 8 {
			case 0:
				if err := v.cut(); err != nil {
					t.Fatal(err)
				}
				if _, sound := v.next(at); sound {
					t.Fatal("sound after a cut")
				}
			case 1, 2:
				for range acts[2] % 32 {
					if pcm, sound := v.next(at); sound && len(pcm) != Frame {
						t.Fatalf("a frame of %d samples", len(pcm))
					}
					at += Frame
					frames++
				}
			default:
				h := &rtp.Header{Timestamp: binary.BigEndian.Uint32(acts[2:]), SSRC: uint32(acts[6] & 1), SequenceNumber: uint16(acts[7])}
				v.push(at, h, acts[8:12])
			}
			if len(v.held) > 2*codec.MaxSamples {
				t.Fatalf("%d samples held", len(v.held))
			}
			if d := v.state().Delay; d < 0 || d > span(mostDelay) {
				t.Fatalf("delay %v", d)
			}
		}
	})
}
