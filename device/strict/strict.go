// Package strict reads TOML that may come from anybody: it looks at size, depth and keys before the decoder does, whose
// time and memory grow with the square of the depth (40 KB of nested tables take gigabytes). Whatever is decoded from a
// stick, or from a file that a stick can replace, goes through here and nowhere else.
package strict

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"unicode"

	"github.com/BurntSushi/toml"
)

// Bounds of a file. The box's own configuration has names of up to 10 letters, two levels of tables and, for a council of
// 300 people, some 30 KB.
const (
	MaxSize  = 64 << 10 // bytes
	MaxDepth = 8        // names and arrays between the top of the file and a value
	MaxKey   = 64       // bytes of one part of a key, as written
	MaxKeys  = 8192     // keys and table headings
)

// Error says what is wrong with a file, and where, in both languages.
type Error struct {
	Line   int // from 1; 0: the whole file
	DE, EN string
}

// Error gives the English text.
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.EN
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.EN)
}

// German gives the German text.
func (e *Error) German() string {
	if e.Line == 0 {
		return e.DE
	}
	return fmt.Sprintf("Zeile %d: %s", e.Line, e.DE)
}

// Decode checks a text and decodes it into a struct. It returns the keys for which the struct has no place. The error is an
// *Error.
func Decode(text []byte, into any) (unknown []string, err error) {
	if err := Check(text); err != nil {
		return nil, err
	}
	// The decoder panics where it finds itself in a state that its authors held to be impossible. A file must not be able to
	// end the daemon.
	defer func() {
		if p := recover(); p != nil {
			unknown, err = nil, &Error{DE: "die Datei ist kein gültiges TOML.", EN: "the file is no valid TOML."}
		}
	}()
	meta, err := toml.NewDecoder(bytes.NewReader(text)).Decode(into)
	if err != nil {
		bad := &Error{}
		if pe, ok := errors.AsType[toml.ParseError](err); ok {
			bad.Line, err = pe.Position.Line, errors.New(pe.Message)
		}
		bad.EN = Printable(err.Error(), 200)
		bad.DE = bad.EN // the decoder speaks English only
		return nil, bad
	}
	for _, k := range meta.Undecoded() {
		unknown = append(unknown, k.String())
	}
	return unknown, nil
}

// Printable makes a text that may quote a file fit for a screen or a terminal: what cannot be printed, and what turns the
// direction of writing round, is a question mark, and nothing has more than so many characters.
func Printable(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
	if r := []rune(text); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return text
}

// ReadFile reads a file of at most MaxSize bytes. Only a plain file counts: a pipe would hold the reader up, a device never
// ends.
func ReadFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: &Error{DE: "das ist keine einfache Datei; bitte den Text in eine schreiben.", EN: "this is no plain file; write the text into one."}}
	}
	text, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, err
	}
	if len(text) > MaxSize {
		return nil, &fs.PathError{Op: "read", Path: path, Err: tooLarge()}
	}
	return text, nil
}

func tooLarge() *Error {
	return &Error{DE: fmt.Sprintf("die Datei ist zu groß; möglich sind bis zu %d KiB. Bitte kürzen, zuerst die Kommentare.", MaxSize>>10),
		EN: fmt.Sprintf("the file is too large; up to %d KiB are possible. Shorten it, the comments first.", MaxSize>>10)}
}
