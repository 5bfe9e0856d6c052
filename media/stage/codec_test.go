package stage

import (
	"slices"
	"testing"
	"time"

	"github.com/pion/rtp"
)

// runs tells the codecs of the packets in order, each change once.
func runs(all []got) (out []Codec) {
	for _, g := range all {
		out = append(out, Codec(g.h.PayloadType))
	}
	return slices.Compact(out)
}

func TestSwitchOverCodecs(t *testing.T) {
	c := newClock()
	s := testStage(c, 1)
	asked := 0
	anna := s.AddSource("member/anna", Video, "anna", nil)
	cam := s.AddSource("camera/wide", Video, "", func() { asked++ })
	word := watch(t, s, "", Word)
	_ = s.Carry("anna", true)

	s.SetWord("member/anna")
	anna.Write(packet(100, 1000, vp8ids(true, 'a', 500, 7)))
	anna.Write(packet(101, 4000, vp8ids(false, 'a', 501, 8)))
	s.SetWord("camera/wide")
	cam.Write(h264(65534, 9, inter('x')...)) // no key frame yet: anna's picture runs on
	anna.Write(packet(102, 7000, vp8ids(false, 'a', 502, 9)))
	c.pass(time.Second)
	cam.Write(h264(65535, 99, sets()...))
	cam.Write(h264(0, 99, idr('c')...)) // over the wrap
	anna.Write(packet(103, 10000, vp8ids(true, 'x', 503, 10)))
	cam.Write(h264(1, 3099, inter('c')...))
	if st := s.Stats()[Word]; st.Codec != "H264" || st.Source != "camera/wide" {
		t.Errorf("the slot shows %q of %q, want H264 of camera/wide", st.Codec, st.Source)
	}
	s.SetWord("member/anna")
	anna.Write(packet(104, 13000, vp8ids(false, 'x', 504, 11)))
	cam.Write(h264(2, 6099, inter('c')...))
	anna.Write(packet(105, 16000, vp8ids(true, 'a', 505, 12)))
	cam.Write(h264(3, 9099, idr('x')...))
	anna.Write(packet(106, 19000, vp8ids(false, 'a', 506, 13)))

	if want := "aaascccaa"; tags(*word) != want {
		t.Fatalf("word slot showed %q, want %q", tags(*word), want)
	}
	checkRun(t, *word)
	if got := runs(*word); !slices.Equal(got, []Codec{VP8, H264, VP8}) {
		t.Errorf("codecs %v, want VP8, H264, VP8", got)
	}
	if d := (*word)[3].h.Timestamp - (*word)[2].h.Timestamp; d != 90_000 {
		t.Errorf("timestamp went on by %d ticks over the switch, want one second", d)
	}
	before, _ := parseDescriptor((*word)[2].payload)
	after, _ := parseDescriptor((*word)[7].payload)
	if after.picture != before.picture+1 {
		t.Errorf("picture id %d after %d: H.264 has none, so they go on", after.picture, before.picture)
	}
	if got := (*word)[4].payload; string(got) != string(idr('c')) {
		t.Errorf("an H.264 payload was changed to %x", got)
	}
	if asked == 0 {
		t.Error("nobody asked for a key frame")
	}
}

// A camera that fails shows a slate under its own numbers, in another codec.
func TestSourceChangesItsCodec(t *testing.T) {
	c := newClock()
	s := testStage(c, 1)
	asked := 0
	cam := s.AddSource("camera/wide", Video, "", func() { asked++ })
	word := watch(t, s, "", Word)
	s.SetWord("camera/wide")
	cam.Write(h264(10, 0, sets()...))
	cam.Write(h264(11, 0, idr('h')...))
	cam.Write(h264(13, 6000, inter('h')...)) // 12 is missing
	c.pass(2 * time.Second)
	cam.Write(packet(14, 186_000, vp8(true, 'v'))) // begins with a key frame: at once
	cam.Write(h264(12, 3000, inter('x')...))       // comes late, from before the change
	cam.Write(packet(15, 230_000, vp8(false, 'v')))
	before := asked
	cam.Write(h264(16, 300_000, inter('x')...)) // the camera is back, in the midst of pictures
	if asked != before+1 {
		t.Errorf("asked %d times for a key frame, want once", asked-before)
	}
	if st := s.Stats()[Word]; st.Source != "" || st.Next != "camera/wide" || st.Codec != "" {
		t.Errorf("while a key frame is awaited the slot shows %+v", st)
	}
	cam.Write(h264(17, 303_000, sets()...))
	cam.Write(h264(18, 303_000, idr('h')...))
	cam.Write(&rtp.Packet{Header: rtp.Header{PayloadType: 99, SequenceNumber: 19, Timestamp: 306_000}, Payload: []byte("x")})
	cam.Write(h264(20, 306_000, inter('h')...))

	if want := "shhvvshh"; tags(*word) != want {
		t.Fatalf("word slot showed %q, want %q", tags(*word), want)
	}
	first := (*word)[0].h.SequenceNumber
	for i, want := range []uint16{0, 1, 3, 4, 5, 6, 7, 8} {
		if d := (*word)[i].h.SequenceNumber - first; d != want {
			t.Errorf("packet %d has number +%d, want +%d", i, d, want)
		}
	}
	if got := runs(*word); !slices.Equal(got, []Codec{H264, VP8, H264}) {
		t.Errorf("codecs %v", got)
	}
	if st := s.Stats()[Word]; st.Skipped != 1 || st.Late != 1 || st.Switches != 3 {
		t.Errorf("skipped %d, late %d, switches %d, want 1, 1, 3", st.Skipped, st.Late, st.Switches)
	}
}

// A source that starts new numbers while another one is awaited does not push that one out.
func TestRestartKeepsTheOneThatWaits(t *testing.T) {
	s := testStage(newClock(), 1)
	a := s.AddSource("a", Video, "", nil)
	b := s.AddSource("b", Video, "", nil)
	word := watch(t, s, "", Word)
	s.SetWord("a")
	a.Write(packet(1, 1, vp8(true, 'a')))
	s.SetWord("b")
	a.Write(packet(30_000, 1, vp8(false, 'x'))) // new numbers
	a.Write(packet(30_001, 2, vp8(true, 'a')))
	b.Write(packet(1, 1, vp8(true, 'b')))
	a.Write(packet(30_002, 2, vp8(true, 'x')))
	if want := "aab"; tags(*word) != want {
		t.Errorf("word slot showed %q, want %q", tags(*word), want)
	}
	checkRun(t, *word)
}

// What is sent again is the same in every bit, its codec too.
func TestResendTellsTheCodec(t *testing.T) {
	s := testStage(newClock(), 1)
	a := s.AddSource("a", Video, "", nil)
	b := s.AddSource("b", Video, "", nil)
	word := watch(t, s, "", Word)
	s.SetWord("a")
	a.Write(packet(1, 1, vp8ids(true, 'a', 3, 4)))
	s.SetWord("b")
	b.Write(h264(1, 1, sets()...))
	b.Write(h264(2, 1, idr('b')...))
	var again []got
	var seqs []uint16
	for _, g := range *word {
		seqs = append(seqs, g.h.SequenceNumber)
	}
	s.Resend(Word, seqs, SinkFunc(func(h rtp.Header, p []byte) { again = append(again, got{h, slices.Clone(p)}) }))
	if len(again) != 3 || runs(again)[0] != VP8 || runs(again)[1] != H264 {
		t.Fatalf("%d packets again, of %v", len(again), runs(again))
	}
	for i, g := range again {
		if w := (*word)[i]; g.h.Timestamp != w.h.Timestamp || string(g.payload) != string(w.payload) {
			t.Errorf("packet %d: %+v %x first, %+v %x again", i, w.h, w.payload, g.h, g.payload)
		}
	}
}

// Packets held back for a member go with the word, and do not come back with it.
func TestWithdrawalForgetsWhatIsHeldBack(t *testing.T) {
	s := testStage(newClock(), 1)
	anna := s.AddSource("member/anna", Video, "anna", nil)
	cam := s.AddSource("camera/wide", Video, "", nil)
	word := watch(t, s, "", Word)
	for _, gone := range []func(){
		func() { _ = s.Carry("anna", false) },
		func() { s.SetWord(""); s.SetWord("member/anna") },
		func() { s.SetWord("camera/wide"); s.SetWord("member/anna") },
		func() { s.SetWord("camera/wide"); cam.Write(packet(1, 1, vp8(true, 'c'))); s.SetWord("member/anna") },
	} {
		_ = s.Carry("anna", true)
		s.SetWord("member/anna")
		anna.Write(h264(1, 0, sets()...))
		gone()
		if n := len(s.slots[Word].lead); n != 0 {
			t.Errorf("%d packets are held back", n)
		}
		_ = s.Carry("anna", true)
		anna.Write(h264(2, 0, idr('x')...))
	}
	anna.Write(packet(3, 90, vp8(true, 'a')))
	anna.Write(h264(4, 180, sets()...)) // she changes her codec, and loses the word
	_ = s.Carry("anna", false)
	if n := len(s.slots[Word].lead); n != 0 {
		t.Errorf("%d packets are held back after the change", n)
	}
	if want := "ca"; tags(*word) != want {
		t.Errorf("word slot showed %q, want %q", tags(*word), want)
	}
}

// A source that waits, or the one before it, may change its mind about the codec.
func TestLeadIsNotSentInAnotherCodec(t *testing.T) {
	s := testStage(newClock(), 1)
	a := s.AddSource("a", Video, "", nil)
	b := s.AddSource("b", Video, "", nil)
	word := watch(t, s, "", Word)
	s.SetWord("a")
	a.Write(h264(1, 0, sets()...))
	a.Write(packet(2, 0, vp8(true, 'a')))
	s.SetWord("b")
	a.Write(h264(3, 90, sets()...))
	b.Write(packet(4, 90, vp8(true, 'b')))
	a.Write(h264(4, 90, idr('x')...))
	if want := "ab"; tags(*word) != want {
		t.Errorf("word slot showed %q, want %q", tags(*word), want)
	}
	checkRun(t, *word)
}

// A packet of another codec that comes late fills its hole with nothing.
func TestLateJunkIsNotShown(t *testing.T) {
	s := testStage(newClock(), 1)
	cam := s.AddSource("camera/wide", Video, "", nil)
	word := watch(t, s, "", Word)
	s.SetWord("camera/wide")
	cam.Write(packet(1, 0, vp8(true, 'c')))
	cam.Write(packet(3, 90, vp8(false, 'c')))
	unknown := packet(2, 0, []byte{0x10, 0x00, 'x'})
	unknown.PayloadType = 99
	cam.Write(unknown)
	if want := "cc-"; tags(*word) != want {
		t.Errorf("word slot showed %q, want %q", tags(*word), want)
	}
}
