package setup

import (
	"errors"
	"fmt"
	"strings"

	"plenum/device/strict"
)

// Line is one sentence for the technician, in both languages. It never holds a secret, and of what stands on the stick
// only printable text.
type Line struct {
	DE string `json:"text_de"`
	EN string `json:"text_en"`
}

// say fills both languages with the same values; a format that needs them in another order counts them (%[2]s).
func say(de, en string, args ...any) Line {
	return Line{DE: fmt.Sprintf(de, args...), EN: fmt.Sprintf(en, args...)}
}

// Refusal says why something is not taken: a line for each fault, with what to do.
type Refusal struct{ Lines []Line }

// Error gives the English lines.
func (r *Refusal) Error() string {
	texts := make([]string, 0, len(r.Lines))
	for _, l := range r.Lines {
		texts = append(texts, l.EN)
	}
	return strings.Join(texts, "\n")
}

// maxLines bounds how many faults of one file are told; a file of another kind has one in every line.
const maxLines = 20

// refuse makes an error of the lines, or nil when there are none.
func refuse(lines ...Line) error {
	if len(lines) == 0 {
		return nil
	}
	if n := len(lines); n > maxLines {
		lines = append(lines[:maxLines:maxLines], say("… und %d weitere Fehler.", "… and %d more faults.", n-maxLines))
	}
	return &Refusal{Lines: lines}
}

// faults gives the lines of a refusal; any other error becomes one line about the file.
func faults(name string, err error) []Line {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r.Lines
	}
	if bad, ok := errors.AsType[*strict.Error](err); ok {
		return []Line{{DE: name + ": " + bad.German(), EN: name + ": " + bad.Error()}}
	}
	var lines []Line
	for text := range strings.Lines(err.Error()) {
		text = clip(text, 300)
		lines = append(lines, Line{DE: name + ": " + text, EN: name + ": " + text})
	}
	return lines
}

// shown makes text from the stick fit for a screen or a terminal: what cannot be printed is a question mark, and
// nothing is longer than a name can be.
func shown(text string) string { return clip(text, 60) }

func clip(text string, most int) string { return strict.Printable(strings.TrimSpace(text), most) }

// some lists a few of the names and counts the rest.
func some(names []string) (de, en string) {
	const most = 5
	short := make([]string, 0, most)
	for _, n := range names[:min(most, len(names))] {
		short = append(short, shown(n))
	}
	text := strings.Join(short, ", ")
	if rest := len(names) - len(short); rest > 0 {
		return fmt.Sprintf("%s und %d weitere", text, rest), fmt.Sprintf("%s and %d more", text, rest)
	}
	return text, text
}
