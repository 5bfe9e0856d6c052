package setup

import (
	"reflect"
	"slices"

	"plenum/device/config"
)

// differences says what a new configuration changes. Values of devices are not told: an address may hold a password.
func differences(was, is config.Config) []Line {
	var lines []Line
	old, fresh := reflect.ValueOf(was), reflect.ValueOf(is)
	for f := range reflect.TypeFor[config.Config]().Fields() { // every key, so that nothing changes untold
		if !reflect.DeepEqual(old.FieldByIndex(f.Index).Interface(), fresh.FieldByIndex(f.Index).Interface()) {
			lines = append(lines, difference(f.Tag.Get("toml"), was, is)...)
		}
	}
	if len(lines) == 0 {
		lines = append(lines, say("plenum.toml: nur Kommentare oder Schreibweise", "plenum.toml: only comments or spelling"))
	}
	return lines
}

// difference says what one key of the file changes.
func difference(key string, was, is config.Config) []Line {
	switch key {
	case "member":
		return people(was.Members, is.Members)
	case "sitting":
		return rules(was.Sitting, is.Sitting)
	case "desk":
		return []Line{count("Sprechstellen: %[1]d Plätze", "Desks: %[1]d seats", seats(was), seats(is))}
	case "camera":
		return []Line{count("Kameras: %[1]d", "Cameras: %[1]d", len(was.Cameras), len(is.Cameras))}
	case "input":
		return []Line{count("Kontakte: %[1]d", "Contacts: %[1]d", len(was.Inputs), len(is.Inputs))}
	case "output":
		return []Line{count("Lampen und Relais: %[1]d", "Lamps and relays: %[1]d", len(was.Outputs), len(is.Outputs))}
	case "listen":
		return []Line{say("Seiten auf %s statt %s", "Pages on %s instead of %s", is.Listen, was.Listen)}
	case "names":
		de, en := some(is.Names)
		return []Line{{DE: "Erreichbar als: " + de, EN: "Reached as: " + en}}
	case "hall":
		return []Line{say("Ton im Saal: geändert", "Sound of the hall: changed")}
	}
	return []Line{say("plenum.toml: %s geändert", "plenum.toml: %s changed", key)}
}

func rules(was, is config.Sitting) (lines []Line) {
	if was.Body != is.Body {
		lines = append(lines, say("Gremium: „%s“ statt „%s“", "Body: %q instead of %q", shown(is.Body), shown(was.Body)))
	}
	if was.Body = is.Body; was != is {
		lines = append(lines, say("Regeln der Sitzung: %s, bis zu %d gleichzeitig (bisher %s, %d)", "Rules of the sitting: %s, up to %d at the same time (before %s, %d)",
			is.Mode, is.Limit, was.Mode, was.Limit))
	}
	return lines
}

func seats(c config.Config) (n int) {
	for _, d := range c.Desks {
		n += len(d.Seats)
	}
	return n
}

// count says a number and the one before it.
func count(de, en string, was, is int) Line {
	if was == is {
		return say(de+", geändert", en+", changed", is)
	}
	return say(de+" statt %[2]d", en+" instead of %[2]d", is, was)
}

// people says who comes and who goes.
func people(was, is []config.Member) []Line {
	var added, gone []string
	changed := 0
	for _, m := range is {
		i := slices.IndexFunc(was, func(o config.Member) bool { return o.ID == m.ID })
		switch {
		case i < 0:
			added = append(added, m.Name)
		case was[i] != m:
			changed++
		}
	}
	for _, m := range was {
		if !slices.ContainsFunc(is, func(o config.Member) bool { return o.ID == m.ID }) {
			gone = append(gone, m.Name)
		}
	}
	total := say("Mitgliederliste: %d Personen statt %d", "Roster: %d people instead of %d", len(is), len(was))
	if len(is) == len(was) {
		total = say("Mitgliederliste: %d Personen wie bisher", "Roster: %d people as before", len(is))
	}
	lines := []Line{total}
	if len(added) > 0 {
		de, en := some(added)
		lines = append(lines, Line{DE: "Neu dabei: " + de, EN: "New: " + en})
	}
	if len(gone) > 0 {
		de, en := some(gone)
		lines = append(lines, Line{DE: "Nicht mehr dabei: " + de, EN: "No longer there: " + en})
	}
	if changed > 0 {
		lines = append(lines, say("Geänderte Angaben (Name, Gruppe, Rolle, Platz, Zuschaltung): %d", "Changed details (name, group, role, seat, remote): %d", changed))
	}
	return lines
}
