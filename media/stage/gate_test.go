package stage

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtp"
)

// rounds grants and withdraws while two goroutines write as fast as they can,
// and counts the packets of the member that a sink made by wrap sees after
// Carry(false) has returned. picture makes the member's pictures, all of them key frames.
func rounds(t *testing.T, n int, picture func(uint16) *rtp.Packet, wrap func(Sink) (Sink, func())) (inAll, after int64) {
	t.Helper()
	opus := func(seq uint16) *rtp.Packet { return sound(seq, uint32(seq)*960, []byte{1, 'a'}) }
	s := open(Options{Voices: 1})
	video := s.AddSource("member/anna", Video, "anna", nil)
	voice := s.AddSource("member/anna", Audio, "anna", nil)
	s.SetWord("member/anna")
	var cut atomic.Bool
	var total, late atomic.Int64
	count := SinkFunc(func(rtp.Header, []byte) {
		total.Add(1)
		if cut.Load() {
			late.Add(1)
		}
	})
	for range 8 {
		for _, id := range []SlotID{Word, Voice(1)} {
			sink, stop := wrap(count)
			un, err := s.Subscribe("", id, sink)
			if err != nil {
				t.Fatal(err)
			}
			defer stop()
			defer un()
		}
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	var done atomic.Bool
	defer done.Store(true)
	var written [2]atomic.Int64
	write := func(src *Source, next func(uint16) *rtp.Packet, written *atomic.Int64) {
		for seq := uint16(0); !done.Load(); seq++ {
			src.Write(next(seq))
			written.Add(1)
			time.Sleep(20 * time.Microsecond)
		}
	}
	wg.Go(func() { write(video, picture, &written[0]) })
	wg.Go(func() { write(voice, opus, &written[1]) })
	for range n {
		cut.Store(false)
		if err := s.Carry("anna", true); err != nil {
			t.Fatal(err)
		}
		seen := total.Load()
		for total.Load() < seen+20 {
			time.Sleep(50 * time.Microsecond)
		}
		if err := s.Carry("anna", false); err != nil {
			t.Fatal(err)
		}
		cut.Store(true)
		s.Resend(Word, every(), count)
		for i := range written { // what was being written at the cut has gone out, and one more came after it
			for n := written[i].Load(); written[i].Load() < n+2; {
				time.Sleep(50 * time.Microsecond)
			}
		}
	}
	return total.Load(), late.Load()
}

func every() []uint16 {
	all := make([]uint16, 1<<16)
	for i := range all {
		all[i] = uint16(i)
	}
	return all
}

func TestWithdrawIsExact(t *testing.T) {
	for codec, picture := range map[Codec]func(uint16) *rtp.Packet{VP8: keyVP8, H264: keyH264} {
		inAll, after := rounds(t, 200, picture, func(s Sink) (Sink, func()) { return s, func() {} })
		t.Logf("%v: %d packets delivered, %d after 200 withdrawals", codec, inAll, after)
		if after != 0 {
			t.Errorf("%v: %d packets went out after Carry(false) had returned", codec, after)
		}
	}
}

func keyVP8(seq uint16) *rtp.Packet { return packet(seq, uint32(seq)*3000, vp8(true, 'a')) }

// keyH264 makes parameter sets and their IDR picture in turns.
func keyH264(seq uint16) *rtp.Packet {
	if seq%2 == 0 {
		return h264(seq, uint32(seq)*3000, sets()...)
	}
	return h264(seq, uint32(seq-1)*3000, idr('a')...)
}

// The negative control: a queue behind the gate must be caught by the same count.
func TestWithdrawCountCanFail(t *testing.T) {
	queued := func(s Sink) (Sink, func()) {
		ch := make(chan rtp.Header, 64)
		var wg sync.WaitGroup
		wg.Go(func() {
			for h := range ch {
				time.Sleep(100 * time.Microsecond)
				s.Deliver(h, nil)
			}
		})
		late := SinkFunc(func(h rtp.Header, _ []byte) {
			select {
			case ch <- h:
			default:
			}
		})
		return late, func() { close(ch); wg.Wait() }
	}
	inAll, after := rounds(t, 30, keyVP8, queued)
	t.Logf("%d packets delivered, %d after 30 withdrawals", inAll, after)
	if after == 0 {
		t.Error("packets queued behind the gate were not noticed: the count proves nothing")
	}
}

// A NACK after the withdrawal brings nothing of the member, but the hall's own
// packets asked for in the same NACK come, even when the slot had been switched
// softly before the word was taken.
func TestNackAfterWithdrawal(t *testing.T) {
	s := testStage(newClock(), 1)
	anna := s.AddSource("member/anna", Video, "anna", nil)
	cam := s.AddSource("camera/wide", Video, "", nil)
	word := watch(t, s, "", Word)
	_ = s.Carry("anna", true)
	s.SetWord("member/anna")
	for i := range uint16(387) {
		anna.Write(packet(i, uint32(i), vp8(i == 0, 'a')))
	}
	s.SetWord("camera/wide")
	for i := range uint16(9) {
		cam.Write(packet(i, uint32(i), vp8(i == 0, 'c')))
	}
	var seqs []uint16
	for _, g := range *word {
		seqs = append(seqs, g.h.SequenceNumber)
	}
	resend := func() (n map[byte]int) {
		n = map[byte]int{}
		s.Resend(Word, seqs, SinkFunc(func(_ rtp.Header, p []byte) { n[p[len(p)-1]]++ }))
		return n
	}
	if n := resend(); n['a'] != 387 || n['c'] != 9 {
		t.Fatalf("before the withdrawal: %d of anna's and %d of the hall's packets, want 387 and 9", n['a'], n['c'])
	}
	_ = s.Carry("anna", false)
	if n := resend(); n['a'] != 0 || n['c'] != 9 {
		t.Errorf("after the withdrawal: %d of anna's and %d of the hall's packets, want 0 and 9", n['a'], n['c'])
	}
}

func TestKeyFrameRequests(t *testing.T) {
	c := newClock()
	s := testStage(c, 1)
	asked := 0
	cam := s.AddSource("camera/wide", Video, "", func() { asked++ })
	s.SetWord("camera/wide") // 1: the switch
	check := func(want int, what string) {
		t.Helper()
		if asked != want {
			t.Errorf("%s: asked %d times, want %d", what, asked, want)
		}
	}
	check(1, "switch")
	seq := uint16(0)
	write := func(key bool) {
		cam.Write(packet(seq, uint32(seq)*3000, vp8(key, 'c')))
		seq++
	}
	write(false)
	check(1, "no patience lost yet")
	c.pass(keyPatience)
	write(false)
	check(2, "the key frame did not come")
	write(true)
	for range 50 {
		s.RequestKey(Word)
		write(false)
	}
	check(2, "50 wishes within the limit are put off")
	c.pass(keyInterval)
	write(false)
	check(3, "... and passed on as one")
	write(true)
	c.pass(keyInterval)
	write(false)
	check(3, "a key frame settles it")
	s.RequestKey(Word)
	check(4, "a wish after a quiet time is passed on at once")
	c.pass(keyInterval)
	watch(t, s, "", Word)
	check(5, "a new viewer")
}
