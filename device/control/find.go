package control

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"plenum/device/sitting"
)

const candidates = 8 // named in an answer that asks which one is meant

// find tells which person of the roster is meant. A name is tried as id, as full name, as seat, and at last as a part
// of a name in whatever case; the first of these that fits anybody decides.
func find(s sitting.State, who Who) (sitting.Person, error) {
	given := 0
	for _, text := range []string{who.Person, who.Name, who.Seat} {
		if text != "" {
			given++
		}
	}
	if given != 1 {
		return sitting.Person{}, bad(`say who is meant by one of person, name and seat`)
	}
	id := func(p sitting.Person) bool { return string(p.ID) == who.Person+who.Name }
	name := func(p sitting.Person) bool { return p.Name == who.Name }
	seat := func(p sitting.Person) bool { return p.Seat != "" && string(p.Seat) == who.Seat+who.Name }
	part := func(p sitting.Person) bool {
		return strings.Contains(strings.ToLower(p.Name), strings.ToLower(who.Name))
	}
	ways := []func(sitting.Person) bool{id, name, seat, part}
	switch {
	case who.Person != "":
		ways = ways[:1]
	case who.Seat != "":
		ways = ways[2:3]
	}
	for _, fits := range ways {
		found := slices.DeleteFunc(slices.Clone(s.Roster), func(p sitting.Person) bool { return !fits(p) })
		if len(found) == 1 {
			return found[0], nil
		}
		if len(found) > 1 {
			return sitting.Person{}, &Error{Title: http.StatusText(http.StatusConflict), Status: http.StatusConflict,
				Detail: fmt.Sprintf("%q may be %s; say which one by id or seat", who.Name, list(found))}
		}
	}
	return sitting.Person{}, &Error{Title: http.StatusText(http.StatusNotFound), Status: http.StatusNotFound,
		Detail: fmt.Sprintf("nobody on the roster is %q; plenumctl status lists everybody", who.Person+who.Name+who.Seat)}
}

// list names people so that they can be told apart.
func list(people []sitting.Person) string {
	var names []string
	for _, p := range people[:min(len(people), candidates)] {
		text := p.Name + " (" + string(p.ID)
		if p.Seat != "" {
			text += ", seat " + string(p.Seat)
		}
		names = append(names, text+")")
	}
	if more := len(people) - candidates; more > 0 {
		names = append(names, fmt.Sprintf("%d others", more))
	}
	return strings.Join(names, " or ")
}
