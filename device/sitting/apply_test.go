package sitting

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOneListForDesksAndHands(t *testing.T) {
	s := house(t, ModeChairGrants, 4)
	s = must(t, s, press(7, 0))
	s = must(t, s, hand("anna", 5))
	s = must(t, s, press(3, 9))
	if got := waiting(s); got != "p7 anna p3 " {
		t.Fatalf("list is %q", got)
	}
	s, es := step(t, s, lead(KindGrant, "p7"))
	want := []Effect{{Kind: EffectMic, Seat: "7", On: true, Grant: s.Speakers[0].Grant}, {Kind: EffectStage, Source: &Source{Kind: SourceSeat, Seat: "7", Person: "p7"}},
		{Kind: EffectLamp, Seat: "7", Lamp: LampSpeaking}}
	if d := cmp.Diff(want, es); d != "" {
		t.Fatal(d)
	}
	if waiting(s) != "anna p3 " || s.Speakers[0].Mic != MicOpening {
		t.Fatalf("request not consumed: %q %v", waiting(s), s.Speakers)
	}
	s = must(t, s, opened(7, s.Speakers[0].Grant))
	if s.Speakers[0].Mic != MicOpen {
		t.Fatal("confirmed microphone is not open")
	}
	s, es = step(t, s, lead(KindGrant, "anna"))
	if es[0].Kind != EffectCarry || !es[0].On || es[0].Person != "anna" || s.Speakers[1].Mic != MicOpen {
		t.Fatalf("remote member is not carried: %+v", es)
	}
	if s.Word().Person != "anna" {
		t.Fatalf("the word slot shows %+v", s.Word())
	}
	s, es = step(t, s, lead(KindWithdraw, "anna"))
	if es[0].Kind != EffectCarry || es[0].On || s.Word().Person != "p7" {
		t.Fatalf("withdrawal: %+v, slot %+v", es, s.Word())
	}
}

func TestOrderOfArrival(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   []Event
		want string
	}{
		{"equal times keep the order of the events", []Event{press(5, 0), hand("anna", 0), press(2, 0)}, "p5 anna p2 "},
		{"an earlier press that came in later by a slow line", []Event{hand("anna", 10), press(5, 4)}, "p5 anna "},
		{"a clock set back by an hour overtakes nobody", []Event{hand("anna", 3_600_000), press(5, 0)}, "anna p5 "},
		{"a place given by the chair stays", []Event{press(2, 0), press(3, 1), press(4, 2), {Kind: KindMove, By: chair, Person: "p4"}, press(5, -5)}, "p4 p5 p2 p3 "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := house(t, ModeChairGrants, 2)
			for _, e := range tt.in {
				s = must(t, s, e)
			}
			if got := waiting(s); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestModes(t *testing.T) {
	t.Run("first come", func(t *testing.T) {
		s := house(t, ModeFirstCome, 2)
		for i, e := range []Event{press(2, 0), hand("anna", 1), press(4, 2), press(5, 3)} {
			_ = i
			s = must(t, s, e)
		}
		if talk(s) != "p2 anna " || waiting(s) != "p4 p5 " {
			t.Fatalf("speaking %q waiting %q", talk(s), waiting(s))
		}
		s = must(t, s, Event{Kind: KindYield, By: self("anna"), Person: "anna"})
		if talk(s) != "p2 p4 " {
			t.Fatalf("speaking %q", talk(s))
		}
	})
	t.Run("override", func(t *testing.T) {
		s := house(t, ModeOverride, 2)
		for _, e := range []Event{press(2, 0), hand("anna", 1), press(4, 2)} {
			s = must(t, s, e)
		}
		if talk(s) != "anna p4 " || waiting(s) != "" {
			t.Fatalf("speaking %q waiting %q", talk(s), waiting(s))
		}
	})
	t.Run("next lets the longest speaker give way", func(t *testing.T) {
		s := house(t, ModeChairGrants, 2)
		for _, e := range []Event{press(2, 0), hand("anna", 1), press(4, 2), lead(KindGrant, "p2"), lead(KindGrant, "anna"), lead(KindNext, "")} {
			s = must(t, s, e)
		}
		if talk(s) != "anna p4 " {
			t.Fatalf("speaking %q", talk(s))
		}
	})
}

func TestChair(t *testing.T) {
	s := house(t, ModeChairGrants, 1)
	s = must(t, s, press(2, 0))
	s = must(t, s, lead(KindGrant, "p2"))
	s = must(t, s, press(1, 1)) // the chair's key: at once, beside the limit
	if talk(s) != "p2 p1 " || s.Counted() != 1 || s.Word().Person != "p2" {
		t.Fatalf("speaking %q, counted %d, slot %v", talk(s), s.Counted(), s.Word())
	}
	s, es := step(t, s, Event{Kind: KindPriority, By: chair, Priority: PriorityHold})
	if es[0] != (Effect{Kind: EffectMic, Seat: "2", Grant: s.Speakers[0].Grant}) || s.Word().Person != "p1" {
		t.Fatalf("hold: %+v", es)
	}
	if err := refused(t, s, lead(KindGrant, "anna")); !errors.Is(err, ErrSilenced) {
		t.Fatal(err)
	}
	s, es = step(t, s, Event{Kind: KindMic, By: box, Seat: "2", On: true}) // somebody opens it at the desk
	if len(es) != 1 || es[0].On {
		t.Fatalf("a silenced microphone opened at the desk stays open: %+v", es)
	}
	s, es = step(t, s, Event{Kind: KindPriority, By: chair, Priority: PriorityRelease})
	if es[0] != (Effect{Kind: EffectMic, Seat: "2", On: true, Grant: s.Speakers[0].Grant}) {
		t.Fatalf("release: %+v", es)
	}
	s = must(t, s, Event{Kind: KindPriority, By: box, Priority: PriorityClear})
	if talk(s) != "p1 " {
		t.Fatalf("after clear %q speaks", talk(s))
	}
	s = must(t, s, Event{Kind: KindMic, By: box, Seat: "1", On: true, Grant: s.Speakers[0].Grant})
	s = must(t, s, Event{Kind: KindMic, By: box, Seat: "1"}) // own key again
	s = must(t, s, Event{Kind: KindRequest, By: chair, Person: "p1", Queue: true})
	if talk(s) != "" || waiting(s) != "p1 " {
		t.Fatalf("the chair cannot queue: %q %q", talk(s), waiting(s))
	}
}

func TestMicrophoneThatDoesNotOpen(t *testing.T) {
	s := house(t, ModeFirstCome, 1)
	s = must(t, s, press(2, 0))
	s = must(t, s, press(3, 1))
	s = must(t, s, Event{Kind: KindMicFail, By: box, Seat: "2", On: true, Grant: s.Speakers[0].Grant, Reason: "no answer"})
	if talk(s) != "p3 " || waiting(s) != "p2 " || !s.Requests[0].Failed || len(s.Faults) != 1 {
		t.Fatalf("speaking %q waiting %q faults %v", talk(s), waiting(s), s.Faults)
	}
	s = must(t, s, lead(KindWithdraw, "p3"))
	if talk(s) != "" {
		t.Fatalf("%q was tried again without the chair", talk(s))
	}
	s = must(t, s, lead(KindGrant, "p2"))
	s = must(t, s, opened(2, s.Speakers[0].Grant))
	if len(s.Faults) != 0 {
		t.Fatalf("fault stays: %v", s.Faults)
	}
}

// A microphone that did not close is told again when the chair wants silence, and by nothing less than its closing is
// the fault mended.
func TestMicrophoneThatDoesNotClose(t *testing.T) {
	s := house(t, ModeChairGrants, 2)
	s = must(t, s, Event{Kind: KindMicFail, By: box, Seat: "4", Reason: "no answer"})
	s, es := step(t, s, Event{Kind: KindPriority, By: chair, Priority: PriorityClear})
	if len(es) != 1 || es[0] != (Effect{Kind: EffectMic, Seat: "4"}) || len(s.Faults) != 1 {
		t.Fatalf("%+v %+v", es, s.Faults)
	}
	s = must(t, s, Event{Kind: KindMic, By: box, Seat: "4"})
	if len(s.Faults) != 0 {
		t.Fatalf("%+v", s.Faults)
	}
	s = must(t, s, press(5, 0))
	s = must(t, s, lead(KindGrant, "p5"))
	s = must(t, s, Event{Kind: KindMicFail, By: box, Seat: "5", On: true, Grant: s.Speakers[0].Grant, Reason: "refused"})
	if err := refused(t, s, Event{Kind: KindMic, By: box, Seat: "5"}); !errors.Is(err, ErrNothingChanged) || len(s.Faults) != 1 {
		t.Fatalf("a closed microphone mends one that did not open: %v", err)
	}
	s = must(t, s, lead(KindRefuse, "p5"))
	if len(s.Faults) != 0 {
		t.Fatalf("%+v", s.Faults)
	}
}

func TestAnswersThatCameTooLate(t *testing.T) {
	s := house(t, ModeChairGrants, 2)
	s = must(t, s, lead(KindGrant, "p2"))
	first := s.Speakers[0].Grant
	s = must(t, s, lead(KindWithdraw, "p2"))
	s = must(t, s, lead(KindGrant, "p2"))
	if err := refused(t, s, opened(2, first)); !errors.Is(err, ErrNothingChanged) {
		t.Fatal(err)
	}
	if err := refused(t, s, Event{Kind: KindMic, By: box, Seat: "2", Grant: first}); !errors.Is(err, ErrNothingChanged) {
		t.Fatal(err)
	}
	if talk(s) != "p2 " || s.Speakers[0].Mic != MicOpening {
		t.Fatalf("%+v", s.Speakers)
	}
}

func TestDeskGoneAndBack(t *testing.T) {
	s := house(t, ModeChairGrants, 2)
	s = must(t, s, press(2, 0))
	s = must(t, s, press(3, 0))
	s = must(t, s, lead(KindGrant, "p2"))
	s = must(t, s, opened(2, s.Speakers[0].Grant))
	s = must(t, s, Event{Kind: KindDesk, By: box, Desk: &Desk{Name: "q", Link: LinkDown}})
	p, _ := s.Person("p2")
	if s.Presence(p) != PresenceAbsent || s.Speakers[0].Mic != MicOpening || talk(s) != "p2 " || waiting(s) != "p3 " {
		t.Fatalf("%v %+v %q", s.Presence(p), s.Speakers, waiting(s))
	}
	if err := refused(t, s, lead(KindGrant, "p3")); !errors.Is(err, ErrNoWay) {
		t.Fatal(err)
	}
	s, es := step(t, s, Event{Kind: KindDesk, By: box, Desk: &Desk{Name: "q", Link: LinkLive}})
	if len(es) != 1 || es[0] != (Effect{Kind: EffectMic, Seat: "2", On: true, Grant: s.Speakers[0].Grant}) {
		t.Fatalf("%+v", es)
	}
	s = must(t, s, Event{Kind: KindSeat, By: box, Seat: "2"})
	s, es = step(t, s, Event{Kind: KindSeat, By: box, Seat: "2", On: true})
	if len(es) != 1 || !es[0].On {
		t.Fatalf("%+v", es)
	}
	_, es = step(t, s, Event{Kind: KindMic, By: box, Seat: "5", On: true}) // nobody gave it the word
	if len(es) != 1 || es[0].On || es[0].Seat != "5" {
		t.Fatalf("%+v", es)
	}
}

func TestRefusals(t *testing.T) {
	s := house(t, ModeChairGrants, 1)
	s = must(t, s, press(2, 0))
	s = must(t, s, lead(KindGrant, "p3"))
	ready := must(t, New(), roster(ModeChairGrants, 1, 3))
	twice := roster(ModeChairGrants, 1, 3)
	twice.Roster = append(twice.Roster, twice.Roster[1])
	farChair := roster(ModeChairGrants, 1, 3)
	farChair.Roster[0].Remote = true
	for _, tt := range []struct {
		name string
		s    State
		e    Event
		want error
	}{
		{"a member grants", s, Event{Kind: KindGrant, By: self("anna"), Person: "anna"}, ErrNotAllowed},
		{"a member acts for another", s, Event{Kind: KindRequest, By: self("anna"), Person: "ben", Origin: OriginRemote}, ErrNotAllowed},
		{"a remote token claims the chair", s, Event{Kind: KindGrant, By: Actor{Role: RoleChair, Person: "anna"}, Person: "ben"}, ErrNotAllowed},
		{"a member claims another role", s, Event{Kind: KindRequest, By: Actor{Role: RoleGuest, Person: "anna"}, Person: "anna", Origin: OriginRemote}, ErrNotAllowed},
		{"the chair plays desk", s, Event{Kind: KindMic, By: chair, Seat: "2", On: true}, ErrNotAllowed},
		{"a desk grants", s, Event{Kind: KindGrant, By: box, Person: "p2"}, ErrNotAllowed},
		{"nobody's role", s, Event{Kind: KindNext, By: Actor{Role: "root"}}, ErrNotAllowed},
		{"twice on the list", s, press(2, 4), ErrAlreadyListed},
		{"has the word already", s, press(3, 4), ErrAlreadySpeaks},
		{"granted twice", s, lead(KindGrant, "p3"), ErrAlreadySpeaks},
		{"limit", s, lead(KindGrant, "p2"), ErrLimit},
		{"withdrawn from nobody", s, lead(KindWithdraw, "p2"), ErrNotSpeaking},
		{"refused without a request", s, lead(KindRefuse, "anna"), ErrNotListed},
		{"unknown person", s, lead(KindGrant, "nobody"), ErrUnknownPerson},
		{"unknown seat", s, press(99, 0), ErrUnknownSeat},
		{"moved off the list", s, Event{Kind: KindMove, By: chair, Person: "p2", Index: 1}, ErrInvalid},
		{"moved to where it is", s, lead(KindMove, "p2"), ErrNothingChanged},
		{"no such mode", s, Event{Kind: KindRules, By: chair, Mode: "loudest", Limit: 1}, ErrInvalid},
		{"limit beyond the house", s, Event{Kind: KindRules, By: chair, Mode: ModeOverride, Limit: 5}, ErrInvalid},
		{"same rules", s, Event{Kind: KindRules, By: chair, Mode: ModeChairGrants, Limit: 1}, ErrNothingChanged},
		{"opened twice", s, Event{Kind: KindOpen, By: chair}, ErrAlreadyOpen},
		{"not open", ready, press(2, 0), ErrNotOpen},
		{"closed before it was open", ready, Event{Kind: KindClose, By: chair}, ErrNotOpen},
		{"next without a list", must(t, s, lead(KindRefuse, "p2")), Event{Kind: KindNext, By: chair}, ErrListEmpty},
		{"same roster again", s, roster(ModeChairGrants, 1, 8), ErrNothingChanged},
		{"one person twice", s, twice, ErrInvalid},
		{"a remote chair", s, farChair, ErrInvalid},
		{"no time", s, Event{Kind: KindNext, By: chair, At: time.Time{}}, ErrInvalid},
		{"unknown kind", s, Event{Kind: "applause", By: chair}, ErrInvalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.e.At.IsZero() && tt.name != "no time" {
				tt.e.At = start
			}
			after, es, err := Apply(tt.s, tt.e)
			if !errors.Is(err, tt.want) || es != nil {
				t.Fatalf("got %v, %v; want %v", err, es, tt.want)
			}
			if d := cmp.Diff(tt.s, after); d != "" {
				t.Fatalf("a refused event changed the state: %s", d)
			}
		})
	}
}

func TestRosterChangeInAnOpenSitting(t *testing.T) {
	s := house(t, ModeFirstCome, 2)
	s = must(t, s, press(2, 0))
	s = must(t, s, press(3, 1))
	s = must(t, s, press(4, 2))
	e := roster(ModeChairGrants, 1, 8)
	e.Roster[1].Seat = "9" // p2 changes seats, p4 leaves
	e.Roster = append(e.Roster[:3], e.Roster[4:]...)
	s, es := step(t, s, e)
	if talk(s) != "p3 " || waiting(s) != "" || s.Mode != ModeFirstCome || s.Limit != 2 {
		t.Fatalf("speaking %q waiting %q mode %s", talk(s), waiting(s), s.Mode)
	}
	if es[0] != (Effect{Kind: EffectMic, Seat: "2", Grant: 2}) {
		t.Fatalf("the left seat stays open: %+v", es)
	}
}

func TestJSONForms(t *testing.T) {
	s := house(t, ModeFirstCome, 2)
	s = must(t, s, press(2, 0))
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back State
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(s, back); d != "" {
		t.Fatal(d)
	}
	e := press(3, 7)
	b, _ = json.Marshal(e)
	if got, want := string(b), `{"kind":"request","at":"2026-11-23T17:00:00.007Z","by":{"role":"box"},"seat":"3"}`; got != want {
		t.Fatalf("event is %s", got)
	}
}
