package setup

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"plenum/device/config"
	spell "plenum/device/names"
	"plenum/device/sitting"
)

// Row is one person of roster.csv and the line it stands in.
type Row struct {
	config.Member
	Line int // from 1
}

// maxRows is how many people a roster may have.
const maxRows = 1000

var idPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,39}$`)

// columns are the headings of roster.csv by column, English and German; the first of a line is the key in our order.
func columns() [][]string {
	return [][]string{
		{"id", "kennung"}, {"name"}, {"group", "gruppe", "fraktion"}, {"role", "rolle"}, {"seat", "platz"}, {"remote", "fern", "zugeschaltet"},
	}
}

// ParseRoster reads roster.csv: id;name;group;role;seat;remote, with semicolons, commas or tabs, quoted or not, in UTF-8 with
// or without a byte order mark, as spreadsheets write it. With a heading the columns may stand in any order, a title may
// stand above it, and columns that are none of ours are left out, which the notes tell. Every fault is named with its line.
// The error is a *Refusal.
func ParseRoster(text []byte) (rows []Row, notes []Line, err error) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		return nil, nil, refuse(say("roster.csv: die Zeichen sind nicht in UTF-8; bitte in der Tabellenkalkulation als „CSV UTF-8“ speichern.",
			"roster.csv: the characters are not in UTF-8; save it in the spreadsheet as \"CSV UTF-8\"."))
	}
	if bytes.IndexByte(text, '\n') < 0 { // an old Mac's ends of lines
		text = bytes.ReplaceAll(text, []byte("\r"), []byte("\n"))
	}
	p := &rosterParser{at: []int{0, 1, 2, 3, 4, 5}, width: 6}
	records := p.records(text)
	if n := p.headingOf(records); n >= 0 {
		p.heading(records[n])
		records = records[n+1:]
	} else if len(records) > 0 && records[0].filled() == 1 {
		return nil, nil, refuse(say("roster.csv, Zeile %d: keine Überschrift gefunden. Bitte in die erste Zeile schreiben: id;name;group;role;seat;remote",
			"roster.csv, line %d: no heading found. Write into the first line: id;name;group;role;seat;remote", records[0].line))
	}
	if len(records) > maxRows {
		p.add(records[maxRows].line, "mehr als %[2]d Personen sind nicht möglich.", "more than %[2]d people are not possible.", maxRows)
		return nil, nil, refuse(p.bad...)
	}
	for _, r := range records {
		p.row(r.line, r.fields)
	}
	p.whole()
	if err := refuse(p.bad...); err != nil {
		return nil, nil, err
	}
	return p.rows, p.notes, nil
}

// record is one row of the file that is not empty.
type record struct {
	line   int
	fields []string
}

func (r record) filled() (n int) {
	for _, f := range r.fields {
		if f != "" {
			n++
		}
	}
	return n
}

// records reads all rows, up to the first that cannot be read. Empty ones are left out: spreadsheets leave some.
func (p *rosterParser) records(text []byte) (all []record) {
	sep, skipped := separator(text), 0
	if first, rest, _ := bytes.Cut(text, []byte("\n")); bytes.HasPrefix(first, []byte("sep=")) {
		text, skipped = rest, 1 // a spreadsheet's own line
		if own := strings.TrimRight(string(first[4:]), "\r"); own == ";" || own == "," || own == "\t" {
			sep = rune(own[0])
		}
	}
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord, r.Comma = -1, sep
	for len(all) <= maxRows+titleRows {
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
		if rec := (record{line + skipped, fields}); rec.filled() > 0 {
			all = append(all, rec)
		}
	}
	return all
}

// titleRows is how many rows may stand above the heading.
const titleRows = 5

// headingOf finds the heading: the first row that names the id, or the name and one more of our columns. What stands above
// it is a title, of one field; -1: there is none.
func (p *rosterParser) headingOf(records []record) int {
	for n, r := range records[:min(len(records), titleRows+1)] {
		known, id, name := 0, false, false
		for _, f := range r.fields {
			col := column(f)
			if col >= 0 {
				known++
			}
			id, name = id || col == 0, name || col == 1
		}
		if id || name && known > 1 {
			return n
		}
		if r.filled() > 1 {
			return -1
		}
	}
	return -1
}

// column is which of our columns a heading means; -1: none.
func column(heading string) int {
	return slices.IndexFunc(columns(), func(names []string) bool { return slices.Contains(names, strings.ToLower(heading)) })
}

// separator guesses what separates the fields: what there is most of in the first lines, a semicolon rather than others.
func separator(text []byte) rune {
	rest := text
	for range titleRows + 1 {
		_, rest, _ = bytes.Cut(rest, []byte("\n"))
	}
	head := text[:len(text)-len(rest)]
	best, most := ';', bytes.Count(head, []byte(";"))
	for _, sep := range ",\t" {
		if n := bytes.Count(head, []byte(string(sep))); n > most {
			best, most = sep, n
		}
	}
	return best
}

type rosterParser struct {
	at    []int // where each of our columns stands; -1: nowhere
	width int   // how many columns there are
	rows  []Row
	notes []Line
	bad   []Line
}

// add notes a fault; the line's number is %[1]d of the format.
func (p *rosterParser) add(line int, de, en string, args ...any) {
	p.bad = append(p.bad, say("roster.csv, Zeile %[1]d: "+de, "roster.csv, line %[1]d: "+en, append([]any{line}, args...)...))
}

func (p *rosterParser) heading(r record) {
	p.at, p.width = []int{-1, -1, -1, -1, -1, -1}, len(r.fields)
	var left []string
	for i, f := range r.fields {
		switch col := column(f); {
		case f == "":
		case col < 0:
			left = append(left, f)
		case p.at[col] >= 0:
			p.add(r.line, "die Spalte „%[2]s“ steht zweimal da.", "the column %[2]q stands there twice.", shown(f))
		default:
			p.at[col] = i
		}
	}
	for col, missing := range []string{"id", "name"} {
		if p.at[col] < 0 {
			p.add(r.line, "die Spalte „%[2]s“ fehlt; jede Person braucht eine Kennung (id), die bleibt, und einen Namen (name).",
				"the column %[2]q is missing; everybody needs an id that stays, and a name.", missing)
		}
	}
	if len(left) > 0 {
		de, en := some(left)
		p.notes = append(p.notes, Line{DE: "Hinweis: roster.csv: nicht übernommene Spalten: " + de, EN: "Note: roster.csv: columns left out: " + en})
	}
}

func (p *rosterParser) row(line int, fields []string) {
	get := func(col int) string {
		if i := p.at[col]; i >= 0 && i < len(fields) {
			return fields[i]
		}
		return ""
	}
	if len(fields) > p.width && strings.Join(fields[p.width:], "") != "" {
		p.add(line, "es sind %[2]d Felder statt %[3]d; ein Komma oder Semikolon im Namen braucht Anführungszeichen.",
			"there are %[2]d fields instead of %[3]d; a comma or semicolon in a name needs quotes.", len(fields), p.width)
		return
	}
	if p.at[0] < 0 || p.at[1] < 0 {
		return // told of the heading, once
	}
	m := config.Member{ID: get(0), Name: p.clean(line, get(1), spell.Person), Group: p.clean(line, get(2), spell.Clean), Seat: p.clean(line, get(4), spell.Clean)}
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
	if m.Role == sitting.RoleChair && m.Remote {
		p.add(line, "die Sitzungsleitung sitzt im Saal; bitte remote leeren.", "the chair leads from the hall; leave remote empty.")
	}
	p.rows = append(p.rows, Row{Member: m, Line: line})
}

// clean is a field as people may read it.
func (p *rosterParser) clean(line int, field string, how func(string) (string, error)) string {
	clean, err := how(field)
	if bad, ok := errors.AsType[*spell.Fault](err); ok {
		where := say("roster.csv, Zeile %d: ", "roster.csv, line %d: ", line)
		if field != "" {
			where = say("roster.csv, Zeile %d: „%s“: ", "roster.csv, line %d: %q: ", line, shown(field))
		}
		p.bad = append(p.bad, Line{DE: where.DE + bad.DE, EN: where.EN + bad.EN})
	}
	return clean
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
