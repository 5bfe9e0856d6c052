package sitting

import (
	"errors"
	"testing"
)

// The key at the desk knows no state: what it asks for follows from the sitting, whoever changed it last.
func TestTheLongKeyToggles(t *testing.T) {
	s := house(t, ModeChairGrants, 1)
	long := Event{Kind: KindPriority, By: box, Priority: PriorityToggle}
	s = must(t, s, long)
	s = must(t, s, Event{Kind: KindPriority, By: chair, Priority: PriorityRelease}) // at the panel
	s = must(t, s, long)
	if !s.Silenced {
		t.Fatal("the second long press does not silence")
	}
	if s = must(t, s, long); s.Silenced {
		t.Fatal("the third does not release")
	}
}

// Somebody in the hall who watches on a tablet speaks at the desk, whichever hand they raise.
func TestAHandInTheHallMeansTheDesk(t *testing.T) {
	s := house(t, ModeChairGrants, 2)
	s = must(t, s, Event{Kind: KindLeg, By: box, Person: "p5", Leg: &Leg{Plays: true}})
	p, _ := s.Person("p5")
	if s.Presence(p) != PresenceHall {
		t.Errorf("present: %s", s.Presence(p))
	}
	s = must(t, s, hand("p5", 0))
	s, es := step(t, s, lead(KindGrant, "p5"))
	if es[0] != (Effect{Kind: EffectMic, Seat: "5", On: true, Grant: s.Speakers[0].Grant}) {
		t.Fatalf("%+v", es)
	}
	s = must(t, s, Event{Kind: KindSeat, By: box, Seat: "6"})
	if err := refused(t, s, hand("p6", 1)); !errors.Is(err, ErrNoWay) {
		t.Fatal(err)
	}
}

// A request whose microphone failed goes back to where it stood.
func TestWhereAFailedRequestGoes(t *testing.T) {
	fail := func(s State, id PersonID, seat SeatID) State {
		s = must(t, s, lead(KindGrant, id))
		return must(t, s, Event{Kind: KindMicFail, By: box, Seat: seat, On: true, Grant: s.Speakers[0].Grant, Reason: "no"})
	}
	s := house(t, ModeChairGrants, 2)
	for i, n := range []int{2, 3, 4} {
		s = must(t, s, press(n, i))
	}
	s = must(t, s, Event{Kind: KindMove, By: chair, Person: "p4", Index: 0})
	if got := waiting(fail(s, "p3", "3")); got != "p4 p2 p3 " {
		t.Errorf("list is %q", got)
	}
	if got := waiting(fail(s, "p2", "2")); got != "p4 p2 p3 " {
		t.Errorf("list is %q", got)
	}
	if got := waiting(fail(s, "p4", "4")); got != "p4 p2 p3 " {
		t.Errorf("list is %q", got)
	}
	s = must(t, s, Event{Kind: KindMove, By: chair, Person: "p4", Index: 2})
	if got := waiting(fail(s, "p4", "4")); got != "p2 p3 p4 " {
		t.Errorf("list is %q", got)
	}
}

func TestFaultsLastAsLongAsTheyAreTrue(t *testing.T) {
	stuck := Event{Kind: KindMicFail, By: box, Seat: "4", Reason: "no answer"}
	s := must(t, house(t, ModeChairGrants, 2), stuck)
	s = must(t, s, press(4, 0))
	s = must(t, s, lead(KindRefuse, "p4"))
	s = must(t, s, Event{Kind: KindDesk, By: box, Desk: &Desk{Name: "q", Link: LinkDown}})
	s = must(t, s, Event{Kind: KindDesk, By: box, Desk: &Desk{Name: "q", Link: LinkLive}})
	if len(s.Faults) != 1 {
		t.Fatal("nobody said that it is closed")
	}
	s = must(t, s, press(4, 5))
	s = must(t, s, lead(KindGrant, "p4")) // now it has the word, and is not closed by the way
	if _, es := step(t, s, Event{Kind: KindPriority, By: chair, Priority: PriorityClear}); len(es) == 0 || es[0].Grant != s.Speakers[0].Grant {
		t.Fatalf("%+v", es)
	}
	overtaken := Event{Kind: KindMicFail, By: box, Seat: "5", On: true, Grant: 99, Reason: "no"}
	if err := refused(t, s, overtaken); !errors.Is(err, ErrNothingChanged) {
		t.Fatal(err)
	}
}

func TestTheChairIsWhoTheRosterSays(t *testing.T) {
	s := house(t, ModeChairGrants, 2)
	s = must(t, s, press(1, 0))
	s = must(t, s, lead(KindGrant, "p2"))
	s = must(t, s, lead(KindGrant, "anna"))
	e := roster(ModeChairGrants, 2, 8)
	e.Roster[0].Role, e.Roster[1].Role = RoleMember, RoleChair
	e.Roster[8].Remote = false // anna
	s = must(t, s, e)
	if talk(s) != "p1 p2 " || s.Speakers[0].Chair || !s.Speakers[1].Chair {
		t.Fatalf("%+v", s.Speakers)
	}
}
