package setup

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"plenum/device/config"
	"plenum/device/sitting"
)

// Row is one person of roster.csv and the line it stands in.
type Row struct {
	config.Member
	Line int // from 1
}

// Bounds of a roster.
const (
	maxRows = 1000
	maxName = 100 // characters of a name, group or seat
)

var idPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,39}$`)

// columns are the headings of roster.csv by column, English and German; the first of a line is the key in our order.
func columns() [][]string {
	return [][]string{
		{"id", "kennung"}, {"name"}, {"group", "gruppe", "fraktion"}, {"role", "rolle"}, {"seat", "platz"}, {"remote", "fern", "zugeschaltet"},
	}
}

// ParseRoster reads roster.csv: id;name;group;role;seat;remote, with semicolons or commas, quoted or not, in UTF-8 with
// or without a byte order mark, as a spreadsheet writes it. With a heading the columns may stand in any order. Every
// fault is named with its line. The error is a *Refusal.
func ParseRoster(text []byte) ([]Row, error) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		return nil, refuse(say("roster.csv: die Zeichen sind nicht in UTF-8; bitte in der Tabellenkalkulation als „CSV UTF-8“ speichern.",
			"roster.csv: the characters are not in UTF-8; save it in the spreadsheet as \"CSV UTF-8\"."))
	}
	skipped := 0
	if first, rest, _ := bytes.Cut(text, []byte("\n")); strings.HasPrefix(string(first), "sep=") {
		text, skipped = rest, 1 // a spreadsheet's own line
	}
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord, r.Comma = -1, comma(text)
	p := &rosterParser{at: []int{0, 1, 2, 3, 4, 5}}
	for first := true; ; first = false {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if pe, ok := errors.AsType[*csv.ParseError](err); ok {
			p.add(pe.StartLine+skipped, "die Anführungszeichen passen nicht zusammen.", "the quotes do not match.")
			break
		}
		line, _ := r.FieldPos(0)
		for i := range fields {
			fields[i] = strings.TrimSpace(fields[i])
		}
		switch {
		case strings.Join(fields, "") == "": // a spreadsheet leaves such lines at the end
		case first && slices.ContainsFunc(fields, func(f string) bool { return slices.Contains([]string{"id", "kennung"}, strings.ToLower(f)) }):
			p.heading(line+skipped, fields)
		case len(p.rows) == maxRows:
			p.add(line+skipped, "mehr als %[2]d Personen sind nicht möglich.", "more than %[2]d people are not possible.", maxRows)
			return nil, refuse(p.bad...)
		default:
			p.row(line+skipped, fields)
		}
	}
	p.whole()
	if err := refuse(p.bad...); err != nil {
		return nil, err
	}
	return p.rows, nil
}

// comma guesses the separator by the first line: semicolon unless there are more commas.
func comma(text []byte) rune {
	first, _, _ := bytes.Cut(text, []byte("\n"))
	if bytes.Count(first, []byte(",")) > bytes.Count(first, []byte(";")) {
		return ','
	}
	return ';'
}

type rosterParser struct {
	at   []int // where each of our columns stands; -1: nowhere
	rows []Row
	bad  []Line
}

// add notes a fault; the line's number is %[1]d of the format.
func (p *rosterParser) add(line int, de, en string, args ...any) {
	p.bad = append(p.bad, say("roster.csv, Zeile %[1]d: "+de, "roster.csv, line %[1]d: "+en, append([]any{line}, args...)...))
}

func (p *rosterParser) heading(line int, fields []string) {
	p.at = []int{-1, -1, -1, -1, -1, -1}
	for i, f := range fields {
		col := slices.IndexFunc(columns(), func(names []string) bool { return slices.Contains(names, strings.ToLower(f)) })
		switch {
		case f == "":
		case col < 0:
			p.add(line, "unbekannte Spalte „%[2]s“; möglich sind id, name, group, role, seat, remote.",
				"unknown column %[2]q; possible are id, name, group, role, seat, remote.", shown(f))
		case p.at[col] >= 0:
			p.add(line, "die Spalte „%[2]s“ steht zweimal da.", "the column %[2]q stands there twice.", shown(f))
		default:
			p.at[col] = i
		}
	}
	if p.at[1] < 0 {
		p.add(line, "die Spalte „name“ fehlt.", "the column \"name\" is missing.")
	}
}

func (p *rosterParser) row(line int, fields []string) {
	get := func(col int) string {
		if i := p.at[col]; i >= 0 && i < len(fields) {
			return fields[i]
		}
		return ""
	}
	if width := slices.Max(p.at) + 1; len(fields) > width && strings.Join(fields[width:], "") != "" {
		p.add(line, "es sind %[2]d Felder statt %[3]d; ein Komma oder Semikolon im Namen braucht Anführungszeichen.",
			"there are %[2]d fields instead of %[3]d; a comma or semicolon in a name needs quotes.", len(fields), width)
		return
	}
	m := config.Member{ID: get(0), Name: get(1), Group: get(2), Seat: get(4)}
	var known bool
	if m.Role, known = role(get(3)); !known {
		p.add(line, "Rolle „%[2]s“; möglich sind member, chair, clerk, guest.", "role %[2]q; possible are member, chair, clerk, guest.", shown(get(3)))
	}
	if m.Remote, known = truth(get(5)); !known {
		p.add(line, "remote „%[2]s“; möglich sind ja, nein oder nichts.", "remote %[2]q; possible are yes, no or nothing.", shown(get(5)))
	}
	if !idPattern.MatchString(m.ID) || m.ID == config.ScreenID {
		p.add(line, "id „%[2]s“; möglich sind Kleinbuchstaben, Ziffern, Punkt, Strich, Unterstrich, zum Beispiel a.muster (nicht screen).",
			"id %[2]q; possible are small letters, digits, dot, dash, underscore, for example a.muster (not screen).", shown(m.ID))
	}
	if m.Name == "" {
		p.add(line, "der Name fehlt.", "the name is missing.")
	}
	for _, s := range []string{m.Name, m.Group, m.Seat} {
		if utf8.RuneCountInString(s) > maxName || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
			p.add(line, "„%[2]s“ ist zu lang oder enthält Zeichen, die man nicht drucken kann.", "%[2]q is too long or has characters that cannot be printed.", shown(s))
		}
	}
	if m.Role == sitting.RoleChair && m.Remote {
		p.add(line, "die Sitzungsleitung sitzt im Saal; bitte remote leeren.", "the chair leads from the hall; leave remote empty.")
	}
	p.rows = append(p.rows, Row{Member: m, Line: line})
}

func role(s string) (sitting.Role, bool) {
	switch strings.ToLower(s) {
	case "", "member", "mitglied":
		return sitting.RoleMember, true
	case "chair", "sitzungsleitung", "leitung":
		return sitting.RoleChair, true
	case "clerk", "schriftführung":
		return sitting.RoleClerk, true
	case "guest", "gast":
		return sitting.RoleGuest, true
	}
	return "", false
}

func truth(s string) (value, known bool) {
	switch strings.ToLower(s) {
	case "", "0", "no", "nein", "false", "falsch":
		return false, true
	case "1", "x", "yes", "ja", "true", "wahr":
		return true, true
	}
	return false, false
}

// whole checks what single rows cannot tell.
func (p *rosterParser) whole() {
	ids, people, seats := map[string]int{}, map[string]int{}, map[string]int{}
	chairs := 0
	for _, r := range p.rows {
		p.once(ids, r.ID, r.Line, "die id „%[2]s“ steht schon in Zeile %[3]d.", "the id %[2]q stands in line %[3]d already.")
		p.once(people, r.Name, r.Line, "der Name „%[2]s“ steht schon in Zeile %[3]d; bitte mit Vornamen oder Titel unterscheiden.",
			"the name %[2]q stands in line %[3]d already; add a first name or title.")
		p.once(seats, r.Seat, r.Line, "der Platz „%[2]s“ ist schon in Zeile %[3]d vergeben.", "the seat %[2]q is taken in line %[3]d already.")
		if r.Role == sitting.RoleChair {
			chairs++
		}
	}
	if len(p.bad) > 0 {
		return // one fault less to explain; it may be a consequence
	}
	if len(p.rows) == 0 {
		p.bad = append(p.bad, say("roster.csv: es steht niemand darin.", "roster.csv: there is nobody in it."))
	} else if chairs != 1 {
		p.bad = append(p.bad, say("roster.csv: genau eine Person braucht die Rolle chair, es sind %d.", "roster.csv: exactly one person needs the role chair, there are %d.", chairs))
	}
}

func (p *rosterParser) once(seen map[string]int, value string, line int, de, en string) {
	if value == "" {
		return
	}
	if before, twice := seen[value]; twice {
		p.add(line, de, en, shown(value), before)
		return
	}
	seen[value] = line
}

// seated checks that a desk stands at every seat of the roster.
func seated(rows []Row, desks []config.Desk) []Line {
	stands := map[string]bool{"": true}
	for _, d := range desks {
		for _, s := range d.Seats {
			stands[s.Seat] = true
		}
	}
	var bad []Line
	for _, r := range rows {
		if !stands[r.Seat] {
			bad = append(bad, say("roster.csv, Zeile %d: am Platz „%s“ steht keine Sprechstelle; bitte den Platz leeren oder die Sprechstelle in plenum.toml nennen.",
				"roster.csv, line %d: no desk stands at seat %q; leave the seat empty or name the desk in plenum.toml.", r.Line, shown(r.Seat)))
		}
	}
	return bad
}
