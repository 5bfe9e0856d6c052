package sysbus

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/godbus/dbus/v5"
)

// errGarbage: an answer has another shape than its interface says.
var errGarbage = errors.New("an answer that makes no sense")

// props are properties by name.
type props = map[string]dbus.Variant

// single takes the one value of an answer. godbus's own Store converts what it can, a number to a string as well.
func single[T any](body []any, err error) (T, error) {
	var none T
	if err != nil {
		return none, err
	}
	if len(body) != 1 {
		return none, fmt.Errorf("%w: %d values instead of one", errGarbage, len(body))
	}
	return as[T](body[0], "the answer")
}

// as takes a value for what it should be. Variants in it are opened, also one within the other.
func as[T any](value any, what string) (T, error) {
	if v, ok := value.(T); ok {
		return v, nil
	}
	for range 8 {
		v, ok := value.(dbus.Variant)
		if !ok {
			break
		}
		value = v.Value()
	}
	v, ok := value.(T)
	if !ok {
		return v, fmt.Errorf("%w: %s is %T, not %T", errGarbage, what, value, v)
	}
	return v, nil
}

// reader takes properties one after the other and keeps the first error.
type reader struct {
	props props
	err   error
}

// take reads a property; one that is missing has its zero value, one of another type is an error.
func take[T any](r *reader, name string) T {
	var none T
	value, ok := r.props[name]
	if !ok || r.err != nil {
		return none
	}
	v, err := as[T](value, name)
	if err != nil {
		r.err = err
	}
	return v
}

// pathText reads a path UDisks2 gives as bytes that end with a zero.
func pathText(b []byte) string { return strings.TrimRight(string(b), "\x00") }

// maxText is how much of a text of others is shown, in runes.
const maxText = 500

// clean makes a text of others fit for one line.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > maxText {
		s = string(r[:maxText]) + "…"
	}
	return s
}
