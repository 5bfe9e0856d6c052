package strict

import (
	"bytes"
	"fmt"
	"iter"
	"unicode/utf8"
)

// Check looks at a text without decoding it: once from front to back, with memory for MaxDepth brackets. It does not judge
// whether the text is TOML; what it lets pass, the decoder decodes or refuses in bounded time and memory. The error is an
// *Error.
func Check(text []byte) error {
	if len(text) > MaxSize {
		return tooLarge()
	}
	if bad := encoding(text); bad != nil {
		return bad
	}
	s := newScanner(text)
	for s.pos < len(s.text) && s.bad == nil {
		s.step()
	}
	if s.bad != nil {
		return s.bad
	}
	return nil
}

// encoding checks that a text is UTF-8 without NUL, which a text in UTF-16 has in every second place.
func encoding(text []byte) *Error {
	at := 0
	for at < len(text) {
		r, n := utf8.DecodeRune(text[at:])
		if r == 0 || r == utf8.RuneError && n == 1 {
			return &Error{Line: 1 + bytes.Count(text[:at], []byte("\n")), DE: "die Zeichen sind nicht in UTF-8; bitte die Datei als UTF-8 speichern.",
				EN: "the characters are not in UTF-8; save the file as UTF-8."}
		}
		at += n
	}
	return nil
}

// Lines gives the lines of a text with their ends, and for each whether it begins at the top: outside of every string of
// several lines and of every bracket of a value.
func Lines(text []byte) iter.Seq2[[]byte, bool] {
	return func(yield func([]byte, bool) bool) {
		s := newScanner(text)
		end := 0
		for line := range bytes.Lines(text) {
			top := end == 0 || s.pos == end && len(s.open) == 0 // a string that goes on has been stepped over
			if !yield(line, top) {
				return
			}
			for end += len(line); s.pos < end; {
				s.step()
			}
		}
	}
}

// scanner follows a TOML text as far as strings, comments, keys and brackets go. Where a text is no TOML it may see something
// else in it than the decoder does; that is of no consequence, for there the decoder ends.
type scanner struct {
	text []byte
	pos  int
	line int

	key     bool      // a key is being read, not a value
	heading bool      // and it is that of a table
	depth   int       // names and arrays from the top down to here
	table   int       // depth of the table in force
	open    []bracket // arrays and inline tables
	keys    int
	bad     *Error // the first limit that was passed
	trail   *trail // nil: nobody asks for places
}

// bracket is an array or an inline table that is being read.
type bracket struct {
	inline bool // an inline table
	depth  int  // outside of it
}

func newScanner(text []byte) *scanner {
	s := &scanner{text: text, line: 1, key: true}
	if bytes.HasPrefix(text, []byte("\xef\xbb\xbf")) {
		s.pos = 3 // a byte order mark, which the decoder leaves out as well
	}
	return s
}

// refuse notes the first fault.
func (s *scanner) refuse(de, en string, args ...any) {
	if s.bad == nil {
		s.bad = &Error{Line: s.line, DE: fmt.Sprintf(de, args...), EN: fmt.Sprintf(en, args...)}
	}
}

// step reads one token.
func (s *scanner) step() {
	c := s.text[s.pos]
	switch c {
	case '"', '\'':
		from, line := s.pos, s.line
		s.quoted(c)
		s.trail.token(string(s.text[from:s.pos]), s.key, line)
		s.named(s.pos - from - 2) // without its quotes
		return
	case '#':
		s.pos = s.until(s.pos, "\n")
		return
	case '\n':
		s.line++
		s.newline()
	case '[', '{':
		s.enter(c == '{')
	case ']', '}':
		s.leave()
	case '=':
		if s.key {
			s.counted()
			s.trail.equals(s.line)
		}
		s.key = false
	case ',':
		if n := len(s.open); n > 0 {
			s.trail.comma()
			s.key = s.open[n-1].inline
			if s.depth = s.open[n-1].depth; !s.key {
				s.depth++
			}
		}
	case '.', ' ', '\t', '\r':
	default:
		from := s.pos
		s.pos = s.until(from, " \t\r\n=.,#\"'[]{}")
		s.trail.token(string(s.text[from:s.pos]), s.key, s.line)
		s.named(s.pos - from)
		return
	}
	s.pos++
}

// until is the place of the first of these characters, or the end.
func (s *scanner) until(from int, stop string) int {
	if n := bytes.IndexAny(s.text[from:], stop); n >= 0 {
		return from + n
	}
	return len(s.text)
}

// named takes note of one part of a key, of so many bytes.
func (s *scanner) named(size int) {
	if !s.key {
		return
	}
	if size > MaxKey {
		s.refuse("ein Schlüssel ist länger als %d Zeichen; „plenumd --example“ zeigt alle, die es gibt.", "a key is longer than %d characters; \"plenumd --example\" shows all there are.", MaxKey)
	}
	s.deeper()
}

func (s *scanner) deeper() {
	if s.depth++; s.depth > MaxDepth {
		s.refuse("Klammern oder Punkte im Schlüssel sind tiefer als %d Ebenen verschachtelt; „plenumd --example“ zeigt, wie die Datei aussieht.",
			"brackets or dots of a key are nested deeper than %d levels; \"plenumd --example\" shows what the file looks like.", MaxDepth)
	}
}

// counted takes note of a key or a table's heading.
func (s *scanner) counted() {
	if s.keys++; s.keys > MaxKeys {
		s.refuse("die Datei hat mehr als %d Schlüssel; bitte kürzen.", "the file has more than %d keys; shorten it.", MaxKeys)
	}
}

// newline ends a key and its value, unless a bracket is open.
func (s *scanner) newline() {
	if len(s.open) == 0 {
		s.trail.newline()
		s.key, s.heading, s.depth = true, false, s.table
	}
}

func (s *scanner) enter(inline bool) {
	if s.key && !inline && len(s.open) == 0 {
		s.trail.heading(s.heading)
		if !s.heading {
			s.counted()
			s.heading, s.depth = true, 0
		}
		return // also for the second bracket of [[
	}
	s.trail.enter(inline, s.line)
	s.open = append(s.open, bracket{inline, s.depth})
	if s.key = inline; !inline { // of a table the names count that stand in it
		s.deeper()
	}
}

func (s *scanner) leave() {
	if n := len(s.open); n > 0 {
		s.trail.leave()
		s.key, s.depth, s.open = false, s.open[n-1].depth, s.open[:n-1]
		return
	}
	if s.heading {
		s.trail.headed(s.line)
		s.key, s.heading, s.table = false, false, s.depth
	}
}

// quoted steps over a string, of one line or, with three quotes, of several.
func (s *scanner) quoted(quote byte) {
	three := bytes.Repeat([]byte{quote}, 3)
	if !bytes.HasPrefix(s.text[s.pos:], three) {
		s.pos++
		s.single(quote)
		return
	}
	for s.pos += 3; s.pos < len(s.text); s.pos++ {
		switch c := s.text[s.pos]; {
		case c == '\n':
			s.line++
		case c == '\\' && quote == '"':
			if s.pos++; s.pos < len(s.text) && s.text[s.pos] == '\n' {
				s.line++
			}
		case bytes.HasPrefix(s.text[s.pos:], three):
			// Up to two more quotes before the three at the end belong to the string.
			for s.pos < len(s.text) && s.text[s.pos] == quote {
				s.pos++
			}
			return
		}
	}
	s.pos = len(s.text)
}

// single steps over the rest of a string of one line.
func (s *scanner) single(quote byte) {
	for ; s.pos < len(s.text); s.pos++ {
		switch c := s.text[s.pos]; {
		case c == quote:
			s.pos++
			return
		case c == '\n':
			return // no string goes on in the next line
		case c == '\\' && quote == '"' && s.pos+1 < len(s.text) && s.text[s.pos+1] != '\n':
			s.pos++
		}
	}
}
