package sitting

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func items(list ...Item) Event { return Event{Kind: KindItems, By: box, Items: list} }
func item(it Item) Event       { return Event{Kind: KindItem, By: box, Item: &it} }
func openBy(by Actor, ids ...string) Event {
	return Event{Kind: KindOpen, By: by, Overrides: ids}
}

// closed is a house that is ready to open but for a camera, an output, and a screen that nobody needs.
func closed(t *testing.T) State {
	t.Helper()
	s := must(t, New(), roster(ModeChairGrants, 1, 3))
	return must(t, s, items(Item{ID: "camera/hall", Name: "hall", Required: true, Red: true, Reason: "plug it in"},
		Item{ID: "output/hall", Name: "loudspeakers", Required: true, Red: true}, Item{ID: "camera/old", Name: "old", Red: true}))
}

func TestTheGate(t *testing.T) {
	s := closed(t)
	for _, tt := range []struct {
		e    Event
		want error
		text string
	}{
		{openBy(chair), ErrNotReady, "camera/hall (plug it in), output/hall"},
		{openBy(box), ErrNotReady, "camera/hall"},
		{openBy(operator, "camera/hall"), ErrNotReady, ": output/hall"},
		{openBy(chair, "hall", "camera/old"), ErrNotReady, "camera/hall"},
		{openBy(box, "camera/hall", "output/hall"), ErrNotAllowed, ""},
		{openBy(self("anna"), "camera/hall", "output/hall"), ErrNotAllowed, ""},
		{openBy(Actor{Role: RoleChair, Person: "anna"}, "camera/hall", "output/hall"), ErrNotAllowed, ""},
	} {
		if err := refused(t, s, tt.e); !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) || strings.Contains(err.Error(), "camera/old") {
			t.Errorf("%s with %v: %v", tt.e.By.Role, tt.e.Overrides, err)
		}
	}
	s = must(t, s, item(Item{ID: "output/hall", Name: "loudspeakers", Required: true}))
	s = must(t, s, openBy(chair, "output/hall", "camera/hall", "nothing/of-the-kind"))
	want := []Override{{Item: "camera/hall", Name: "hall", Reason: "plug it in", By: chair, At: start}}
	if d := cmp.Diff(want, s.Overrides); d != "" {
		t.Fatal(d)
	}
	// What turns red while it is open is told and changes nothing else.
	next, es := step(t, s, item(Item{ID: "output/hall", Name: "loudspeakers", Required: true, Red: true, Reason: "gone"}))
	if len(es) != 0 || next.Phase != PhaseOpen || !next.Items[1].Red || s.Items[1].Red {
		t.Fatalf("%+v %+v", es, next.Items)
	}
	s = must(t, next, Event{Kind: KindClose, By: chair})
	if len(s.Overrides) != 1 || len(s.Items) != 3 {
		t.Fatalf("%+v", s)
	}
	for _, id := range []string{"camera/hall", "output/hall"} {
		s = must(t, s, item(Item{ID: id, Name: id, Required: true}))
	}
	if s = must(t, s, openBy(box)); len(s.Overrides) != 0 {
		t.Fatalf("those of the sitting before stay: %+v", s.Overrides)
	}
}

// Nobody opens a sitting on a box that is not ready to be used at all, whatever they name.
func TestFirm(t *testing.T) {
	s := must(t, New(), roster(ModeChairGrants, 1, 3))
	pin := Item{ID: "box/owner", Name: "the owner's PIN", Required: true, Firm: true, Red: true, Reason: "set it"}
	s = must(t, s, items(pin))
	for _, by := range []Actor{chair, operator, box} {
		if err := refused(t, s, openBy(by)); !errors.Is(err, ErrNotReady) {
			t.Errorf("%s: %v", by.Role, err)
		}
	}
	if err := refused(t, s, openBy(chair, pin.ID)); !errors.Is(err, ErrNotReady) || !strings.Contains(err.Error(), "set it") {
		t.Error(err)
	}
	pin.Red = false
	if s = must(t, must(t, s, item(pin)), openBy(chair)); s.Phase != PhaseOpen || len(s.Overrides) != 0 {
		t.Fatalf("%+v", s)
	}
}

func TestItems(t *testing.T) {
	s := closed(t)
	s = must(t, s, item(Item{ID: "camera/hall", Name: "hall", Required: true, Reason: "dark"}))
	same := items(slices.Clone(s.Items)...)
	same.Items[0].Red, same.Items[0].Reason = true, "starting"
	for _, tt := range []struct {
		e    Event
		want error
	}{
		{same, ErrNothingChanged},
		{item(Item{ID: "camera/old", Name: "old", Red: true}), ErrNothingChanged},
		{item(Item{ID: "camera/new", Name: "new"}), ErrInvalid},
		{Event{Kind: KindItem, By: box}, ErrInvalid},
		{items(Item{Name: "nameless"}), ErrInvalid},
		{items(Item{ID: "x"}, Item{ID: "x"}), ErrInvalid},
		{Event{Kind: KindItems, By: chair}, ErrNotAllowed},
		{Event{Kind: KindItem, By: operator, Item: &Item{ID: "camera/hall"}}, ErrNotAllowed},
	} {
		if err := refused(t, s, tt.e); !errors.Is(err, tt.want) {
			t.Errorf("%+v: %v", tt.e, err)
		}
	}
	s = must(t, s, items(Item{ID: "desk/q", Name: "q", Red: true}, Item{ID: "camera/hall", Name: "wide", Red: true, Reason: "starting"}))
	want := []Item{{ID: "desk/q", Name: "q", Red: true}, {ID: "camera/hall", Name: "wide", Reason: "dark"}}
	if d := cmp.Diff(want, s.Items); d != "" {
		t.Fatal(d)
	}
	if s = must(t, s, items()); len(s.Items) != 0 {
		t.Fatalf("%+v", s.Items)
	}
}
