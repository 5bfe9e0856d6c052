package sitting

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var operator = Actor{Role: RoleOperator}

func fire(on bool) Event   { return Event{Kind: KindAlarm, By: box, On: on, Reason: "fire"} }
func stairs(on bool) Event { return Event{Kind: KindAlarm, By: box, On: on, Reason: "stairs"} }

// loud is a sitting with p2, a remote member and the chair speaking, p4 and ben waiting, and the chair's priority held.
func loud(t *testing.T, mode Mode) State {
	t.Helper()
	s := house(t, mode, 4)
	for i, e := range []Event{lead(KindGrant, "p2"), lead(KindGrant, "anna"), press(1, 0),
		{Kind: KindPriority, By: chair, Priority: PriorityHold}, press(4, 1), hand("ben", 2)} {
		if s = must(t, s, e); i == 0 {
			s = must(t, s, opened(2, s.Speakers[0].Grant))
		}
	}
	return s
}

func TestAlarmSilencesEverybody(t *testing.T) {
	s := loud(t, ModeChairGrants)
	if talk(s) != "p2 anna p1 " || waiting(s) != "p4 ben " || !s.Silenced || !s.OnAir() {
		t.Fatalf("%q %q %v", talk(s), waiting(s), s.Silenced)
	}
	was := s
	s, es := step(t, s, fire(true))
	want := []Effect{{Kind: EffectMic, Seat: "1", Grant: 3}, {Kind: EffectStage, Source: &Source{Kind: SourceHall}},
		{Kind: EffectLamp, Seat: "1", Lamp: LampOff}, {Kind: EffectLamp, Seat: "2", Lamp: LampOff}, {Kind: EffectLamp, Seat: "4", Lamp: LampOff}}
	if d := cmp.Diff(want, es); d != "" {
		t.Fatal(d)
	}
	if talk(s) != "" || waiting(s) != "p4 ben " || s.Silenced || s.OnAir() {
		t.Fatalf("%q %q %v", talk(s), waiting(s), s.Silenced)
	}
	if d := cmp.Diff(&Alarm{Reason: "fire", Since: start, Contacts: []string{"fire"}}, s.Alarm); d != "" {
		t.Fatal(d)
	}
	if was.Alarm != nil || talk(was) != "p2 anna p1 " {
		t.Fatal("the state before was changed")
	}
	// One that did not close is told once more.
	s = must(t, house(t, ModeChairGrants, 2), Event{Kind: KindMicFail, By: box, Seat: "4", Reason: "no answer"})
	if _, es := step(t, s, fire(true)); len(es) != 1 || es[0] != (Effect{Kind: EffectMic, Seat: "4"}) {
		t.Fatalf("%+v", es)
	}
}

func TestNoWayToTheWordDuringAnAlarm(t *testing.T) {
	for _, mode := range []Mode{ModeChairGrants, ModeFirstCome, ModeOverride} {
		s := must(t, house(t, mode, 2), fire(true))
		if err := refused(t, s, lead(KindNext, "")); !errors.Is(err, ErrAlarm) { // whether anybody waits or not
			t.Errorf("%s: next: %v", mode, err)
		}
		for _, e := range []Event{press(5, 0), hand("anna", 1), {Kind: KindRequest, By: chair, Person: "p1", Queue: true, At: start.Add(time.Second)}} {
			s = must(t, s, e)
		}
		for _, e := range []Event{lead(KindGrant, "p5"), lead(KindGrant, "p1"), lead(KindGrant, "p2"), lead(KindNext, ""), press(1, 2),
			{Kind: KindRequest, By: chair, Person: "p1"}, {Kind: KindGrant, By: operator, Person: "anna"},
			{Kind: KindPriority, By: chair, Priority: PriorityHold}, {Kind: KindPriority, By: box, Priority: PriorityToggle},
			{Kind: KindAllClear, By: chair}} {
			if err := refused(t, s, e); !errors.Is(err, ErrAlarm) {
				t.Errorf("%s: %s %s: %v", mode, e.Kind, e.Priority, err)
			}
		}
		next := ModeFirstCome
		if mode == next {
			next = ModeOverride
		}
		s = must(t, s, Event{Kind: KindRules, By: chair, Mode: next, Limit: 3})
		for _, n := range []int{1, 5, 6} { // the chair's desk, one that waits, one that does not
			var es []Effect
			if s, es = step(t, s, Event{Kind: KindMic, By: box, Seat: seat(n), On: true}); len(es) != 1 || es[0] != (Effect{Kind: EffectMic, Seat: seat(n)}) {
				t.Errorf("%s: a microphone opened at the desk stays open: %+v", mode, es)
			}
		}
		s = must(t, s, Event{Kind: KindLower, By: box, Seat: "5"})
		if talk(s) != "" || waiting(s) != "anna p1 " {
			t.Errorf("%s: %q speak, %q wait", mode, talk(s), waiting(s))
		}
		s = must(t, s, Event{Kind: KindAllClear, By: operator})
		if talk(s) != "" || waiting(s) != "anna p1 " || s.LampAt("1") != LampWaiting {
			t.Errorf("%s: after the all-clear %q speak, %q wait", mode, talk(s), waiting(s))
		}
		must(t, s, lead(KindGrant, "anna"))
	}
}

// An answer that was under way when the alarm came changes nothing, and the order to close went out behind it.
func TestAMicrophoneThatOpensIntoTheAlarm(t *testing.T) {
	s := must(t, house(t, ModeFirstCome, 1), press(2, 0))
	grant := s.Speakers[0].Grant
	s = must(t, s, press(3, 1))
	s, es := step(t, s, fire(true))
	if es[0] != (Effect{Kind: EffectMic, Seat: "2", Grant: grant}) {
		t.Fatalf("%+v", es)
	}
	if err := refused(t, s, opened(2, grant)); !errors.Is(err, ErrNothingChanged) {
		t.Fatal(err)
	}
	failed := Event{Kind: KindMicFail, By: box, Seat: "2", On: true, Grant: grant, Reason: "no answer"}
	if err := refused(t, s, failed); !errors.Is(err, ErrNothingChanged) {
		t.Fatal(err)
	}
}

func TestTwoContactsOneAlarm(t *testing.T) {
	s := must(t, house(t, ModeChairGrants, 1), fire(true))
	again := func(e Event) {
		t.Helper()
		if err := refused(t, s, e); !errors.Is(err, ErrNothingChanged) {
			t.Fatal(err)
		}
	}
	again(fire(true))
	again(stairs(false))
	s = must(t, s, stairs(true))
	s = must(t, s, fire(false))
	again(fire(false))
	if s.Alarm.Over || s.Alarm.Reason != "fire" {
		t.Fatalf("%+v", s.Alarm)
	}
	s = must(t, s, stairs(false))
	if !s.Alarm.Over {
		t.Fatalf("%+v", s.Alarm)
	}
	if err := refused(t, s, lead(KindGrant, "p2")); !errors.Is(err, ErrAlarm) {
		t.Fatal("an alarm that is over has not ended")
	}
	late := stairs(true)
	late.At = start.Add(time.Minute)
	s = must(t, s, late)
	if s.Alarm.Over || s.Alarm.Reason != "stairs" || !s.Alarm.Since.Equal(start) {
		t.Fatalf("%+v", s.Alarm)
	}
	s = must(t, s, stairs(false))
	s = must(t, s, Event{Kind: KindAllClear, By: chair})
	again(Event{Kind: KindAllClear, By: chair})
	again(fire(false))
	if s.Alarm != nil {
		t.Fatalf("%+v", s.Alarm)
	}
}

func TestAlarmOutlivesTheSitting(t *testing.T) {
	s := must(t, loud(t, ModeFirstCome), fire(true))
	s = must(t, s, Event{Kind: KindClose, By: chair})
	if s.Alarm == nil || s.Phase != PhaseClosed {
		t.Fatalf("%+v", s)
	}
	if err := refused(t, s, Event{Kind: KindOpen, By: chair}); !errors.Is(err, ErrAlarm) {
		t.Fatal(err)
	}
	s = must(t, s, Event{Kind: KindAllClear, By: operator})
	s = must(t, s, Event{Kind: KindOpen, By: chair})

	s = must(t, must(t, New(), roster(ModeChairGrants, 1, 3)), fire(true)) // before it was opened
	if err := refused(t, s, Event{Kind: KindOpen, By: operator}); !errors.Is(err, ErrAlarm) {
		t.Fatal(err)
	}
}

func TestWhoMaySoundTheAlarm(t *testing.T) {
	s := house(t, ModeChairGrants, 1)
	for _, by := range []Actor{chair, operator, self("anna"), {Role: RoleClerk, Person: "p2"}} {
		e := fire(true)
		e.By = by
		if err := refused(t, s, e); !errors.Is(err, ErrNotAllowed) {
			t.Errorf("%s: %v", by.Role, err)
		}
	}
	s = must(t, must(t, s, fire(true)), fire(false))
	for _, by := range []Actor{box, self("anna"), {Role: RoleChair, Person: "anna"}} {
		if err := refused(t, s, Event{Kind: KindAllClear, By: by}); !errors.Is(err, ErrNotAllowed) {
			t.Errorf("%s: %v", by.Role, err)
		}
	}
}
