package sitting

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// world plays the devices: it does what the effects order and knows who is heard in truth.
type world struct {
	mics    map[SeatID]uint64 // open microphones and their grants
	carried map[PersonID]bool
	lamps   map[SeatID]Lamp
	sends   bool // sound and picture go out
}

func (w *world) obey(t *rapid.T, s State, es []Effect) {
	for _, e := range es {
		switch {
		case e.Kind == EffectMic && e.On:
			w.mics[e.Seat] = e.Grant
		case e.Kind == EffectMic:
			delete(w.mics, e.Seat)
		case e.Kind == EffectCarry && e.On:
			w.carried[e.Person] = true
		case e.Kind == EffectCarry:
			delete(w.carried, e.Person)
		case e.Kind == EffectLamp:
			w.lamps[e.Seat] = e.Lamp
		case e.Kind == EffectTransmit:
			w.sends = e.On
		}
	}
	if w.sends != (s.Phase == PhaseOpen) {
		t.Fatalf("%s, and sound and picture go out: %v", s.Phase, w.sends)
	}
	for seat, lamp := range w.lamps {
		if want := s.LampAt(seat); lamp != want {
			t.Fatalf("the lamp at seat %s is %s, not %s", seat, lamp, want)
		}
	}
	heard := map[PersonID]bool{}
	for _, sp := range s.Speakers {
		if s.heard(sp) {
			heard[sp.Person] = true
		}
	}
	for seat := range w.mics {
		if p, ok := s.AtSeat(seat); !ok || !heard[p.ID] {
			t.Fatalf("seat %s is open without the word", seat)
		}
	}
	for id := range w.carried {
		if !heard[id] {
			t.Fatalf("%s is carried without the word", id)
		}
	}
	if len(heard) != len(w.mics)+len(w.carried) {
		t.Fatalf("%d have the word, %d microphones and %d members are open", len(heard), len(w.mics), len(w.carried))
	}
}

func draw(t *rapid.T, s State, ms *int) Event {
	*ms += rapid.IntRange(-40, 400).Draw(t, "later")
	if rapid.IntRange(0, 7).Draw(t, "house") == 0 {
		return drawHouse(t, start.Add(time.Duration(*ms)*time.Millisecond))
	}
	at := start.Add(time.Duration(*ms) * time.Millisecond)
	n := rapid.IntRange(1, 8).Draw(t, "seat")
	id := rapid.SampledFrom([]PersonID{"p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "anna", "ben"}).Draw(t, "person")
	remote := rapid.SampledFrom([]PersonID{"anna", "ben"}).Draw(t, "remote")
	on := rapid.Bool().Draw(t, "on")
	grant := uint64(0)
	if i := s.Speaking(id); i >= 0 && on {
		grant = s.Speakers[i].Grant
	}
	e := rapid.SampledFrom([]Event{
		{Kind: KindRequest, By: box, Seat: seat(n)},
		{Kind: KindRequest, By: box, Seat: seat(n)},
		{Kind: KindRequest, By: self(remote), Person: remote, Origin: OriginRemote},
		{Kind: KindRequest, By: chair, Person: id, Queue: on},
		{Kind: KindLower, By: box, Seat: seat(n)},
		{Kind: KindLower, By: self(remote), Person: remote},
		{Kind: KindRefuse, By: chair, Person: id},
		{Kind: KindMove, By: chair, Person: id, Index: n - 1},
		{Kind: KindGrant, By: chair, Person: id},
		{Kind: KindGrant, By: chair, Person: id},
		{Kind: KindNext, By: chair},
		{Kind: KindWithdraw, By: chair, Person: id},
		{Kind: KindYield, By: self(remote), Person: remote},
		{Kind: KindPriority, By: chair, Priority: rapid.SampledFrom([]Priority{PriorityClear, PriorityHold, PriorityRelease}).Draw(t, "prio")},
		{Kind: KindMic, By: box, Seat: seat(n), On: on, Grant: grant},
		{Kind: KindMicFail, By: box, Seat: seat(n), On: true, Grant: grant},
		{Kind: KindSeat, By: box, Seat: seat(n), On: on},
		{Kind: KindLeg, By: box, Person: remote, Leg: &Leg{Publishes: on, Plays: on, Audio: on, Video: on}},
		{Kind: KindDesk, By: box, Desk: &Desk{Name: "q", Link: rapid.SampledFrom([]Link{LinkLive, LinkDown, LinkDegraded}).Draw(t, "link")}},
		{Kind: KindRules, By: chair, Mode: rapid.SampledFrom([]Mode{ModeChairGrants, ModeFirstCome, ModeOverride}).Draw(t, "mode"), Limit: rapid.IntRange(1, 4).Draw(t, "limit")},
		{Kind: KindClose, By: chair},
		{Kind: KindOpen, By: chair},
	}).Draw(t, "event")
	if e.Kind == KindClose && rapid.IntRange(0, 9).Draw(t, "rarely") != 0 {
		e = Event{Kind: KindNext, By: chair}
	}
	e.At = at
	return e
}

// drawHouse draws what the house itself brings: alarms, items, and an opening in spite of them.
func drawHouse(t *rapid.T, at time.Time) Event {
	contact := rapid.SampledFrom([]string{"fire", "stairs"}).Draw(t, "contact")
	id := rapid.SampledFrom([]string{"camera/hall", "camera/speaker", "output/hall"}).Draw(t, "id")
	on := rapid.Bool().Draw(t, "on")
	item := Item{ID: id, Name: id, Required: id != "output/hall", Red: on, Reason: contact}
	ids := rapid.SliceOfDistinct(rapid.SampledFrom([]string{"camera/hall", "camera/speaker", "output/hall"}), rapid.ID).Draw(t, "ids")
	list := []Item{}
	for _, one := range ids {
		list = append(list, Item{ID: one, Name: one, Required: on, Red: true})
	}
	e := rapid.SampledFrom([]Event{
		{Kind: KindAlarm, By: box, On: true, Reason: contact},
		{Kind: KindAlarm, By: box, Reason: contact},
		{Kind: KindAllClear, By: chair},
		{Kind: KindAllClear, By: Actor{Role: RoleOperator}},
		{Kind: KindItem, By: box, Item: &item},
		{Kind: KindItems, By: box, Items: list},
		{Kind: KindOpen, By: chair, Overrides: ids},
		{Kind: KindClose, By: chair},
	}).Draw(t, "of the house")
	e.At = at
	return e
}

// TestRandomSittings: never more speakers than the limit; nobody is heard without the word; nobody is listed twice or
// both listed and speaking; a request ends only by a way that is meant to end it; nobody speaks during an alarm; nothing
// opens in spite of a required item that is red and not overridden; the same events give the same state.
func TestRandomSittings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := house(t, rapid.SampledFrom([]Mode{ModeChairGrants, ModeFirstCome, ModeOverride}).Draw(t, "mode"), rapid.IntRange(1, 4).Draw(t, "limit"))
		first, journal := s, []Event{}
		w := world{sends: true, mics: map[SeatID]uint64{}, carried: map[PersonID]bool{}, lamps: map[SeatID]Lamp{}}
		ms := 0
		for range rapid.IntRange(1, 80).Draw(t, "events") {
			e := draw(t, s, &ms)
			was := form(t, s)
			next, es, err := Apply(s, e)
			if now := form(t, s); now != was {
				t.Fatalf("%s changed the state it was given:\n%s\n%s", e.Kind, was, now)
			}
			if err != nil {
				if d := cmp.Diff(s, next); d != "" {
					t.Fatalf("refused %s changed the state: %s", e.Kind, d)
				}
				continue
			}
			journal = append(journal, e)
			consistent(t, next)
			kept(t, s, next, e)
			silent(t, next, es)
			gated(t, s, next, e)
			w.obey(t, next, es)
			s = next
		}
		again := first
		for _, e := range journal {
			again, _, _ = Apply(again, e)
		}
		if d := cmp.Diff(s, again); d != "" {
			t.Fatalf("replay differs: %s", d)
		}
	})
}

func consistent(t *rapid.T, s State) {
	if s.Counted() > s.Limit {
		t.Fatalf("%d speak, %d may", s.Counted(), s.Limit)
	}
	seen := map[PersonID]bool{}
	ids := map[uint64]bool{}
	for _, r := range s.Requests {
		if seen[r.Person] || ids[r.ID] {
			t.Fatalf("%s is listed twice", r.Person)
		}
		seen[r.Person], ids[r.ID] = true, true
	}
	for _, sp := range s.Speakers {
		if seen[sp.Person] {
			t.Fatalf("%s has the word twice, or has it and waits", sp.Person)
		}
		seen[sp.Person] = true
	}
}

// kept checks that no request vanished.
func kept(t *rapid.T, was, now State, e Event) {
	for _, r := range was.Requests {
		if now.Waiting(r.Person) >= 0 || now.Speaking(r.Person) >= 0 {
			continue
		}
		p, _ := was.Person(r.Person)
		own := e.Person == r.Person || (e.Seat != "" && e.Seat == p.Seat)
		if e.Kind == KindClose || (own && (e.Kind == KindLower || e.Kind == KindRefuse)) {
			continue
		}
		t.Fatalf("%s lost the request by %s", r.Person, fmt.Sprint(e))
	}
}

// silent checks that during an alarm nothing is open, nothing is opened and no lamp is lit.
func silent(t *rapid.T, s State, es []Effect) {
	if s.OnAir() != slices.ContainsFunc(s.Speakers, s.heard) || s.OnAir() && s.Phase != PhaseOpen {
		t.Fatal("on air without anybody who is heard")
	}
	if s.Alarm == nil {
		return
	}
	if len(s.Speakers) > 0 || s.Silenced || s.OnAir() || s.Word() != (Source{Kind: SourceHall}) {
		t.Fatalf("somebody has the word during an alarm: %+v", s)
	}
	if s.Alarm.Over != (len(s.Alarm.Contacts) == 0) {
		t.Fatalf("it is over or not: %+v", s.Alarm)
	}
	for _, e := range slices.Concat(es, Outputs(s)) {
		if e.On && e.Kind != EffectTransmit || e.Kind == EffectLamp && e.Lamp != LampOff || e.Kind == EffectStage && e.Source.Kind != SourceHall {
			t.Fatalf("ordered during an alarm: %+v", e)
		}
	}
}

// gated checks what an opening takes.
func gated(t *rapid.T, was, now State, e Event) {
	if now.Phase != PhaseOpen || was.Phase == PhaseOpen {
		if d := cmp.Diff(was.Overrides, now.Overrides); d != "" {
			t.Fatalf("%s changed what was overridden: %s", e.Kind, d)
		}
		return
	}
	if was.Alarm != nil {
		t.Fatal("opened during an alarm")
	}
	var named []string
	for _, o := range now.Overrides {
		named = append(named, o.Item)
	}
	for _, it := range was.Items {
		if needed := it.Required && it.Red; needed != slices.Contains(named, it.ID) || needed && !slices.Contains(e.Overrides, it.ID) {
			t.Fatalf("opened with %+v, overridden were %v of %v", it, named, e.Overrides)
		}
	}
}
