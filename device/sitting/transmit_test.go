package sitting

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Sound and picture go out in an open sitting and in no other phase, those that are to come included.
func TestTransmitsInAnOpenSittingOnly(t *testing.T) {
	open := house(t, ModeChairGrants, 2)
	for _, phase := range []Phase{PhaseReady, PhaseOpen, PhaseClosed, "interrupted", "non_public", ""} {
		s := open
		s.Phase = phase
		want := phase == PhaseOpen
		if s.Transmits() != want || slices.Contains(Outputs(s), Effect{Kind: EffectTransmit, On: true}) != want {
			t.Errorf("in phase %q: transmits %v, ordered %+v", phase, s.Transmits(), Outputs(s))
		}
	}
}

// The order comes once with the opening and once with the close: there before anything else, so that nothing of what
// the close ends is still transmitted.
func TestTheOrderToTransmit(t *testing.T) {
	orders := func(es []Effect) (got []Effect) {
		for _, e := range es {
			if e.Kind == EffectTransmit {
				got = append(got, e)
			}
		}
		return got
	}
	on, off := []Effect{{Kind: EffectTransmit, On: true}}, []Effect{{Kind: EffectTransmit}}
	s, es := step(t, New(), roster(ModeChairGrants, 2, 8))
	if got := orders(es); got != nil {
		t.Errorf("a roster ordered %+v", got)
	}
	s = must(t, s, Event{Kind: KindLeg, By: box, Person: "anna", Leg: &working})
	s, es = step(t, s, Event{Kind: KindOpen, By: chair})
	if d := cmp.Diff(on, orders(es)); d != "" {
		t.Error("opening: ", d)
	}
	for _, e := range []Event{
		lead(KindGrant, "anna"), {Kind: KindPriority, By: chair, Priority: PriorityHold},
		{Kind: KindAlarm, By: box, On: true, Reason: "fire"}, {Kind: KindAlarm, By: box, Reason: "fire"},
		{Kind: KindAllClear, By: chair}, lead(KindGrant, "anna"),
	} {
		if s, es = step(t, s, e); orders(es) != nil {
			t.Errorf("%s ordered %+v", e.Kind, orders(es))
		}
	}
	s, es = step(t, s, Event{Kind: KindClose, By: chair})
	if d := cmp.Diff(off, orders(es)); d != "" || es[0].Kind != EffectTransmit {
		t.Errorf("close: %+v", es)
	}
	if got := orders(Outputs(s)); got != nil {
		t.Errorf("a closed sitting wants %+v", got)
	}
}
