package stage

import (
	"errors"
	"testing"
	"time"

	"github.com/pion/rtp"
)

func TestSwitchWaitsForKeyFrame(t *testing.T) {
	c := newClock()
	s := testStage(c, 2)
	asked := map[string]int{}
	add := func(id, person string) *Source {
		return s.AddSource(id, Video, person, func() { asked[id]++ })
	}
	hall, anna := add("camera/wide", ""), add("member/anna", "anna")
	word := watch(t, s, "", Word)

	s.SetWord("camera/wide")
	hall.Write(packet(10, 0, vp8(false, 'x'))) // no key frame yet: nothing
	hall.Write(packet(11, 3000, vp8(true, 'h')))
	hall.Write(packet(12, 6000, vp8(false, 'h')))

	s.SetWord("member/anna") // no word: the hall stays, anna's key frame does not count
	anna.Write(packet(5000, 77, vp8(true, 'a')))
	hall.Write(packet(13, 9000, vp8(false, 'h')))

	before := asked["member/anna"]
	if err := s.Carry("anna", true); err != nil {
		t.Fatal(err)
	}
	if asked["member/anna"] != before+1 {
		t.Errorf("the new source was asked %d times for a key frame, want once", asked["member/anna"]-before)
	}
	anna.Write(packet(5001, 3077, vp8(false, 'a')))
	hall.Write(packet(14, 12000, vp8(false, 'h'))) // held until the key frame
	c.pass(time.Second)
	anna.Write(packet(5002, 6077, vp8(true, 'a')))
	hall.Write(packet(15, 15000, vp8(false, 'h')))
	anna.Write(packet(4999, 10, vp8(false, 'l'))) // older than the mapping
	anna.Write(packet(5003, 9077, vp8(false, 'a')))

	if want := "hhhhaa"; tags(*word) != want {
		t.Errorf("word slot showed %q, want %q", tags(*word), want)
	}
	checkRun(t, *word)
	if d := (*word)[4].h.Timestamp - (*word)[3].h.Timestamp; d != 90_000 {
		t.Errorf("timestamp went on by %d ticks over the switch, want one second", d)
	}
	for _, g := range *word {
		if g.h.Extension || len(g.h.Extensions) > 0 || len(g.h.CSRC) > 0 || g.h.SSRC != 0 {
			t.Fatalf("extensions, CSRCs or SSRC of the source leak: %+v", g.h)
		}
	}
}

func TestWordTakesASourceThatAppearsLater(t *testing.T) {
	c := newClock()
	s := testStage(c, 1)
	s.SetWord("camera/seat")
	word := watch(t, s, "", Word)
	asked := 0
	src := s.AddSource("camera/seat", Video, "", func() { asked++ })
	if asked == 0 {
		t.Error("no key frame asked for")
	}
	src.Write(packet(1, 1, vp8(true, 'c')))
	// The same id again replaces the old source (P7); the old one is silent at once.
	again := s.AddSource("camera/seat", Video, "", nil)
	src.Write(packet(2, 2, vp8(true, 'o')))
	again.Write(packet(900, 9, vp8(true, 'n')))
	src.Close() // the late close of the old one must not take the new one off
	again.Write(packet(901, 10, vp8(false, 'n')))
	if want := "cnn"; tags(*word) != want {
		t.Errorf("word slot showed %q, want %q", tags(*word), want)
	}
	checkRun(t, *word)
	s.SetWord("")
	again.Write(packet(902, 11, vp8(true, 'n')))
	if len(*word) != 3 {
		t.Error("an emptied slot sends")
	}
}

func TestAimAtNothingForgetsTheWaitingSource(t *testing.T) {
	s := testStage(newClock(), 1)
	a := s.AddSource("a", Video, "", nil)
	b := s.AddSource("b", Video, "", nil)
	word := watch(t, s, "", Word)
	s.SetWord("a")
	a.Write(packet(1, 1, vp8(true, 'a')))
	s.SetWord("b")
	s.SetWord("not there") // b is not wanted any more
	b.Write(packet(1, 1, vp8(true, 'b')))
	a.Write(packet(2, 2, vp8(false, 'a')))
	if want := "aa"; tags(*word) != want {
		t.Errorf("word slot showed %q, want %q", tags(*word), want)
	}
}

func TestWithdrawnPictureIsCutNotHeld(t *testing.T) {
	s := testStage(newClock(), 1)
	anna := s.AddSource("member/anna", Video, "anna", nil)
	cam := s.AddSource("camera/wide", Video, "", nil)
	word := watch(t, s, "", Word)
	_ = s.Carry("anna", true)
	s.SetWord("member/anna")
	anna.Write(packet(1, 1, vp8(true, 'a')))
	s.SetWord("camera/wide") // the camera's key frame is still to come
	_ = s.Carry("anna", false)
	anna.Write(packet(2, 2, vp8(true, 'a')))
	cam.Write(packet(50, 50, vp8(false, 'c')))
	if want := "a"; tags(*word) != want {
		t.Fatalf("after the withdrawal the slot showed %q", tags(*word))
	}
	cam.Write(packet(51, 53, vp8(true, 'c')))
	if want := "ac"; tags(*word) != want {
		t.Errorf("word slot showed %q, want %q", tags(*word), want)
	}
	checkRun(t, *word)
}

func TestCarry(t *testing.T) {
	c := newClock()
	s := testStage(c, 2)
	for _, p := range []string{"anna", "ben", "cem"} {
		s.AddSource("member/"+p, Audio, p, nil)
	}
	steps := []struct {
		person string
		on     bool
		want   error
	}{
		{"", true, ErrNoPerson},
		{"anna", true, nil},
		{"anna", true, nil}, // again: no second slot
		{"ben", true, nil},
		{"cem", true, ErrNoVoice},
		{"anna", false, nil},
		{"anna", false, nil},
		{"cem", true, nil},
	}
	if n := s.VoiceOf("") + s.VoiceOf("anna"); n != 0 {
		t.Errorf("nobody is carried, yet somebody has a slot")
	}
	for i, st := range steps {
		if err := s.Carry(st.person, st.on); !errors.Is(err, st.want) {
			t.Errorf("step %d: Carry(%q, %v) = %v, want %v", i, st.person, st.on, err, st.want)
		}
	}
	for person, want := range map[string]int{"anna": 0, "ben": 2, "cem": 1} {
		if n := s.VoiceOf(person); n != want {
			t.Errorf("VoiceOf(%q) = %d, want %d", person, n, want)
		}
	}
}

func TestVoiceGoesOnInWallTime(t *testing.T) {
	c := newClock()
	s := testStage(c, 1)
	anna := s.AddSource("member/anna", Audio, "anna", nil)
	ben := s.AddSource("member/ben", Audio, "ben", nil)
	voice := watch(t, s, "", Voice(1))
	_ = s.Carry("anna", true)
	next := talk(anna, 65530, 10, 'a') // over the wrap
	_ = s.Carry("anna", false)
	next = talk(anna, next, 5, 'a')
	c.pass(10 * time.Second)
	_ = s.Carry("anna", true)
	next = talk(anna, next, 3, 'a')
	_ = s.Carry("anna", false)
	c.pass(time.Millisecond)
	_ = s.Carry("ben", true)
	talk(ben, 1, 2, 'b')
	talk(anna, next, 2, 'a')

	if len(*voice) != 15 {
		t.Fatalf("%d packets came through, want 15", len(*voice))
	}
	checkRun(t, *voice)
	for i, g := range *voice {
		if want := i == 0 || i == 10 || i == 13; g.h.Marker != want {
			t.Errorf("packet %d: marker %v, want %v", i, g.h.Marker, want)
		}
	}
	if d := (*voice)[10].h.Timestamp - (*voice)[9].h.Timestamp; d != 480_000 {
		t.Errorf("10 s of silence took %d ticks, want 480000", d)
	}
	if d := (*voice)[13].h.Timestamp - (*voice)[12].h.Timestamp; d != 960 {
		t.Errorf("a change within 1 ms took %d ticks, want one frame", d)
	}
}

func TestOwnVoiceIsNotReturned(t *testing.T) {
	s := testStage(newClock(), 1)
	anna := s.AddSource("member/anna", Audio, "anna", nil)
	ben := s.AddSource("member/ben", Audio, "ben", nil)
	hall := s.AddSource("hall", Audio, "", nil)
	s.SetHall("", "hall")
	self := watch(t, s, "anna", Voice(1))
	selfOne := watch(t, s, "anna", Programme)
	other := watch(t, s, "ben", Voice(1))
	otherOne := watch(t, s, "ben", Programme)

	_ = s.Carry("anna", true)
	talk(anna, 100, 200, 'a')
	talk(hall, 1, 4, 'h')
	_ = s.Carry("anna", false)
	_ = s.Carry("ben", true)
	talk(ben, 1, 3, 'b')
	_ = s.Carry("ben", false)
	talk(hall, 5, 2, 'h')

	count := func(all []got) (n map[byte]int) {
		n = map[byte]int{}
		for _, g := range all {
			n[g.payload[0]]++
		}
		return n
	}
	for _, tc := range []struct {
		name    string
		all     []got
		a, b, h int
	}{
		{"anna's voice slot", *self, 0, 3, 0},
		{"anna's programme: the hall while she speaks", *selfOne, 0, 3, 6},
		{"ben's voice slot", *other, 200, 0, 0},
		{"ben's programme: anna, then the hall", *otherOne, 200, 0, 2},
	} {
		if n := count(tc.all); n['a'] != tc.a || n['b'] != tc.b || n['h'] != tc.h {
			t.Errorf("%s: got a=%d b=%d h=%d, want %d %d %d", tc.name, n['a'], n['b'], n['h'], tc.a, tc.b, tc.h)
		}
		checkRun(t, tc.all) // the numbers close up over one's own voice
	}
}

func TestHallSlotObeysTheGateToo(t *testing.T) {
	s := testStage(newClock(), 1)
	anna := s.AddSource("member/anna", Video, "anna", nil)
	hall := watch(t, s, "", Hall)
	s.SetHall("member/anna", "")
	anna.Write(packet(1, 1, vp8(true, 'a')))
	if len(*hall) != 0 {
		t.Error("a member without the word is shown in the hall slot")
	}
}

func TestSubscribeUnknownSlot(t *testing.T) {
	s := testStage(newClock(), 1)
	if _, err := s.Subscribe("", Voice(2), SinkFunc(func(rtp.Header, []byte) {})); err == nil {
		t.Error("no error for a voice slot that does not exist")
	}
	if s.Resend(SlotID(-1), []uint16{1}, nil) != 0 {
		t.Error("resent from nowhere")
	}
	s.RequestKey(SlotID(99))
}
