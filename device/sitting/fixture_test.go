package sitting

import (
	"fmt"
	"time"
)

// tester is what *testing.T and *rapid.T have in common here.
type tester interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// house is a small council: a chair at seat 1, members at seats 2 to n, two remote members, in an open sitting.
func house(t tester, mode Mode, limit int) State {
	t.Helper()
	s := New()
	s = must(t, s, roster(mode, limit, 8))
	s = must(t, s, Event{Kind: KindDesk, By: box, Desk: &Desk{Name: "q", Link: LinkLive}})
	for i := range 8 {
		s = must(t, s, Event{Kind: KindSeat, By: box, Seat: seat(i + 1), On: true})
	}
	for _, id := range []PersonID{"anna", "ben"} {
		s = must(t, s, Event{Kind: KindLeg, By: box, Person: id, Leg: &working})
	}
	return must(t, s, Event{Kind: KindOpen, By: chair})
}

var (
	box     = Actor{Role: RoleBox}
	chair   = Actor{Role: RoleChair, Person: "p1"}
	working = Leg{Publishes: true, Plays: true, Audio: true, Video: true}
	start   = time.Date(2026, 11, 23, 17, 0, 0, 0, time.UTC)
)

func seat(n int) SeatID { return SeatID(fmt.Sprint(n)) }

func roster(mode Mode, limit, seats int) Event {
	e := Event{Kind: KindRoster, At: start, By: box, Body: "Rat", Mode: mode, Limit: limit, MaxLimit: 4}
	for i := range seats {
		m := Member{ID: PersonID(fmt.Sprintf("p%d", i+1)), Name: fmt.Sprintf("Mitglied %d", i+1), Role: RoleMember, Seat: seat(i + 1), Desk: "q"}
		if i == 0 {
			m.Role = RoleChair
		}
		e.Roster = append(e.Roster, m)
	}
	e.Roster = append(e.Roster, Member{ID: "anna", Name: "Anna", Role: RoleMember, Remote: true},
		Member{ID: "ben", Name: "Ben", Role: RoleMember, Remote: true})
	return e
}

func self(id PersonID) Actor { return Actor{Role: RoleMember, Person: id} }

// press and hand are the two ways into the list.
func press(n int, ms int) Event {
	return Event{Kind: KindRequest, By: box, Seat: seat(n), At: start.Add(time.Duration(ms) * time.Millisecond)}
}

func hand(id PersonID, ms int) Event {
	return Event{Kind: KindRequest, By: self(id), Person: id, Origin: OriginRemote, At: start.Add(time.Duration(ms) * time.Millisecond)}
}

func lead(k Kind, id PersonID) Event { return Event{Kind: k, By: chair, Person: id} }

func opened(n int, grant uint64) Event {
	return Event{Kind: KindMic, By: box, Seat: seat(n), On: true, Grant: grant}
}

func must(t tester, s State, e Event) State {
	t.Helper()
	s, _ = step(t, s, e)
	return s
}

func step(t tester, s State, e Event) (State, []Effect) {
	t.Helper()
	if e.At.IsZero() {
		e.At = start
	}
	next, es, err := Apply(s, e)
	if err != nil {
		t.Fatalf("%s %s%s: %v", e.Kind, e.Person, e.Seat, err)
	}
	return next, es
}

func refused(t tester, s State, e Event) error {
	t.Helper()
	if e.At.IsZero() {
		e.At = start
	}
	_, _, err := Apply(s, e)
	if err == nil {
		t.Fatalf("%s %s%s was accepted", e.Kind, e.Person, e.Seat)
	}
	return err
}

func waiting(s State) string {
	out := ""
	for _, r := range s.Requests {
		out += string(r.Person) + " "
	}
	return out
}

func talk(s State) string {
	out := ""
	for _, sp := range s.Speakers {
		out += string(sp.Person) + " "
	}
	return out
}
