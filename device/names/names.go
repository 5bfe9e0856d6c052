// Package names makes what people are called, and what else a file says for people to read, fit for a screen, a terminal and the
// record: one spelling for what looks the same, and nothing that hides, turns round or commands.
package names

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of a name.
const (
	Max      = 100 // characters
	maxMarks = 3   // on one letter; more cover the lines above and below
)

// Fault says what is wrong with a name, in both languages, without the name.
type Fault struct{ DE, EN string }

// Error gives the English text.
func (f *Fault) Error() string { return f.EN }

func fault(de, en string, args ...any) *Fault {
	return &Fault{DE: fmt.Sprintf(de, args...), EN: fmt.Sprintf(en, args...)}
}

// Clean gives a text the one spelling it is compared and shown by: blanks of every kind are one blank, none stand at the ends,
// what cannot be seen is left out, and a letter with its marks is one character (Unicode's NFC, for Latin, Greek and
// Cyrillic). The error is a *Fault: a control character, one that turns the direction of writing round, one that no screen
// shows, or too many. Empty stays empty.
func Clean(text string) (string, error) {
	var kept []rune
	place := 0
	for _, r := range text {
		place++
		switch {
		case unicode.Is(unicode.Zs, r) || r == '\t' || r == '\n' || r == '\r': // a spreadsheet's field may have lines
			r = ' '
		case turns(r):
			return "", fault("das %d. Zeichen (U+%04X) kehrt die Schreibrichtung um; bitte löschen.", "character %d (U+%04X) turns the direction of writing round; delete it.", place, r)
		case unseen(r):
			continue
		case r == utf8.RuneError || !unicode.IsPrint(r):
			return "", fault("das %d. Zeichen (U+%04X) lässt sich nicht darstellen; bitte löschen.", "character %d (U+%04X) cannot be shown; delete it.", place, r)
		}
		kept = append(kept, r)
	}
	clean := compose(strings.Join(strings.Fields(string(kept)), " "))
	if n := utf8.RuneCountInString(clean); n > Max {
		return "", fault("%d Zeichen sind zu lang; möglich sind bis zu %d.", "%d characters are too long; up to %d are possible.", n, Max)
	}
	marks := 0
	for _, r := range clean {
		if marks++; !unicode.Is(unicode.M, r) {
			marks = 0
		}
		if marks > maxMarks {
			return "", fault("mehr als %d Zeichen (das letzte U+%04X) stehen auf einem Buchstaben; bitte löschen.", "more than %d marks (the last is U+%04X) stand on one letter; delete them.", maxMarks, r)
		}
	}
	return clean, nil
}

// Person is Clean for the name of a person, which must have a letter or a digit.
func Person(text string) (string, error) {
	clean, err := Clean(text)
	if err == nil && !strings.ContainsFunc(clean, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
		return "", fault("der Name fehlt oder besteht nur aus Leer- und Satzzeichen; bitte den Namen schreiben.", "the name is missing or has only blanks and punctuation; write the name.")
	}
	return clean, err
}

// turns reports whether a character steers the direction in which others are written (UAX #9, 2).
func turns(r rune) bool {
	return r == 0x061C || r == 0x200E || r == 0x200F || r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069
}

// unseen reports whether a character is not seen at all: those Unicode lets a display leave out, fillers, and the empty
// pattern of Braille. Word processors and websites put some of them into names.
func unseen(r rune) bool {
	switch r {
	case 0x00AD, 0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180E, 0x200B, 0x200C, 0x200D, 0x2060, 0x2061, 0x2062, 0x2063, 0x2064, 0x2800, 0x3164, 0xFEFF, 0xFFA0:
		return true
	}
	return unicode.Is(unicode.Variation_Selector, r) || r >= 0xE0000 && r <= 0xE007F
}
