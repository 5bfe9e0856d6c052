package strict

import (
	"strconv"
	"strings"
)

// Places gives the line of each key, table and element of an array in a text that Check lets pass: "member[2].name",
// "names[0]", "desk[0].seat[1]". Without its numbers a path has the line of its first place: "member.nmae".
func Places(text []byte) map[string]int {
	s := newScanner(text)
	s.trail = &trail{lines: map[string]int{}, count: map[string]int{}}
	for s.pos < len(s.text) && s.bad == nil {
		s.step()
	}
	return s.trail.lines
}

// trail follows where in the tree a scanner is. A nil one follows nothing.
type trail struct {
	lines map[string]int
	count map[string]int // tables of an array of tables, by its path
	table string         // path of the table in force
	array bool           // the heading being read has two brackets
	key   []string       // parts of the key being read
	value string         // path of the value being read
	open  []place        // arrays and inline tables that are open
}

// place is an array or an inline table.
type place struct {
	path   string
	inline bool
	index  int // of the element that is read, in an array
}

func (p place) element() string { return p.path + "[" + strconv.Itoa(p.index) + "]" }

// note keeps the line of a path, and of the path without its numbers.
func (t *trail) note(path string, line int) {
	var plain strings.Builder
	for i, part := range strings.Split(path, "[") {
		if _, rest, ok := strings.Cut(part, "]"); ok && i > 0 {
			part = rest
		}
		plain.WriteString(part)
	}
	for _, p := range []string{path, plain.String()} {
		if _, known := t.lines[p]; !known {
			t.lines[p] = line
		}
	}
}

// down is the path of a key below another path. Of an array of tables the last table is meant.
func (t *trail) down(path string, key ...string) string {
	for i, k := range key {
		if path != "" {
			path += "."
		}
		path += k
		if n := t.count[path]; n > 0 && i < len(key)-1 {
			path += "[" + strconv.Itoa(n-1) + "]"
		}
	}
	return path
}

// token takes note of a string or word: a part of a key, or an element of an array.
func (t *trail) token(text string, key bool, line int) {
	switch {
	case t == nil:
	case key:
		t.key = append(t.key, strings.Trim(text, `"'`))
	case len(t.open) > 0 && !t.open[len(t.open)-1].inline:
		t.note(t.open[len(t.open)-1].element(), line)
	}
}

// equals ends a key: its value follows.
func (t *trail) equals(line int) {
	if t == nil || len(t.key) == 0 {
		return
	}
	base := t.table
	if n := len(t.open); n > 0 {
		base = t.open[n-1].path
	}
	t.value, t.key = t.down(base, t.key...), nil
	t.note(t.value, line)
}

// heading begins a table's heading, or adds its second bracket.
func (t *trail) heading(second bool) {
	if t != nil {
		t.array, t.key = second, nil
	}
}

// headed ends a table's heading.
func (t *trail) headed(line int) {
	if t == nil || len(t.key) == 0 {
		return
	}
	t.table, t.key = t.down("", t.key...), nil
	if t.array {
		t.count[t.table]++
		t.table += "[" + strconv.Itoa(t.count[t.table]-1) + "]"
	}
	t.note(t.table, line)
}

// enter begins an array or an inline table.
func (t *trail) enter(inline bool, line int) {
	if t == nil {
		return
	}
	path := t.value
	if n := len(t.open); n > 0 && !t.open[n-1].inline {
		path = t.open[n-1].element()
		t.note(path, line)
	}
	t.open, t.key = append(t.open, place{path: path, inline: inline}), nil
}

func (t *trail) leave() {
	if t != nil && len(t.open) > 0 {
		t.open, t.key = t.open[:len(t.open)-1], nil
	}
}

// comma begins the next element of an array, or the next key of an inline table.
func (t *trail) comma() {
	if t != nil && len(t.open) > 0 {
		t.open[len(t.open)-1].index++
		t.key = nil
	}
}

// newline ends what a line at the top may have left unfinished.
func (t *trail) newline() {
	if t != nil {
		t.key = nil
	}
}
