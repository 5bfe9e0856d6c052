package setup

import (
	"bytes"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/BurntSushi/toml"

	"plenum/device/config"
	"plenum/device/sitting"
	"plenum/device/strict"
)

// merge puts the roster in place of the members of a configuration's text and returns the new text, checked. The rest
// of the text stays as it is, with its comments. Only where the members are not written as [[member]] tables is the
// whole written anew, without comments: then kept is false.
func merge(text []byte, rows []Row) (merged []byte, cfg config.Config, kept bool, err error) {
	members := make([]config.Member, 0, len(rows))
	for _, r := range rows {
		members = append(members, r.Member)
	}
	head, tail := cutMembers(text)
	base, err := config.Parse(concat(head, tail))
	if err == nil && len(base.Members) == 0 {
		if err := refuse(seated(rows, base.Desks)...); err != nil {
			return nil, config.Config{}, false, err
		}
		merged = concat(head, render(members), bytes.TrimLeft(tail, "\r\n"))
		if err := fits(merged); err != nil {
			return nil, config.Config{}, false, err
		}
		base.Members = members
		if cfg, err = config.Parse(merged); err != nil || reflect.DeepEqual(cfg, base) {
			return merged, cfg, true, err
		}
	}
	return rewrite(text, rows, members)
}

// rewrite encodes the whole configuration anew.
func rewrite(text []byte, rows []Row, members []config.Member) ([]byte, config.Config, bool, error) {
	base, err := config.Parse(text)
	if err != nil {
		return nil, config.Config{}, false, err
	}
	if err := refuse(seated(rows, base.Desks)...); err != nil {
		return nil, config.Config{}, false, err
	}
	base.Members = members
	var b bytes.Buffer
	b.WriteString("# Written by Plenum from a setup stick. \"plenumd --example\" explains every key.\n\n")
	enc := toml.NewEncoder(&b)
	enc.Indent = ""
	if err := enc.Encode(base); err != nil {
		return nil, config.Config{}, false, fmt.Errorf("writing the configuration: %w", err)
	}
	if err := fits(b.Bytes()); err != nil {
		return nil, config.Config{}, false, err
	}
	cfg, err := config.Parse(b.Bytes())
	if err == nil && !reflect.DeepEqual(cfg, base) {
		err = fmt.Errorf("writing the configuration: it would mean something else than before")
	}
	return b.Bytes(), cfg, false, err
}

// fits checks that a configuration with the roster's people can be read again.
func fits(text []byte) error {
	if len(text) <= strict.MaxSize {
		return nil
	}
	return refuse(say("roster.csv: mit diesen Personen wird plenum.toml größer als %d KiB; bitte Personen weglassen oder Kommentare in plenum.toml kürzen.",
		"roster.csv: with these people plenum.toml is larger than %d KiB; leave people out, or shorten the comments in plenum.toml.", strict.MaxSize>>10))
}

func concat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// render writes members as [[member]] tables, each with an empty line behind it.
func render(members []config.Member) []byte {
	type row struct { // as config.Member, but what is empty is left out
		ID     string       `toml:"id"`
		Name   string       `toml:"name"`
		Group  string       `toml:"group,omitempty"`
		Role   sitting.Role `toml:"role"`
		Seat   string       `toml:"seat,omitempty"`
		Remote bool         `toml:"remote,omitempty"`
	}
	var b bytes.Buffer
	for _, m := range members {
		b.WriteString("[[member]]\n")
		// Texts and one truth value into memory: this cannot fail.
		_ = toml.NewEncoder(&b).Encode(row(m))
		b.WriteString("\n")
	}
	return b.Bytes()
}

var (
	memberHeader = regexp.MustCompile(`^\s*\[\[\s*(member|"member"|'member')\s*\]\]\s*(#.*)?$`)
	anyHeader    = regexp.MustCompile(`^\s*\[`)
)

// cutMembers takes the [[member]] tables out of a text and returns what stands before the first of them and what
// stands behind. Comments behind the last key of a table belong to what follows and stay.
func cutMembers(text []byte) (head, tail []byte) {
	var before, after, loose []byte // loose: comments and empty lines of which we do not know yet whose they are
	inside, found := false, false
	keep := func(b []byte) {
		if found {
			after = append(after, b...)
		} else {
			before = append(before, b...)
		}
	}
	for line, top := range strict.Lines(text) {
		plain := strings.TrimSpace(string(line))
		switch {
		case top && memberHeader.MatchString(plain):
			if inside {
				loose = nil // between two people: goes with them
			}
			keep(loose)
			inside, found, loose = true, true, nil
		case top && anyHeader.MatchString(plain):
			keep(loose)
			keep(line)
			inside, loose = false, nil
		case inside && top && (plain == "" || plain[0] == '#'):
			loose = append(loose, line...)
		case inside:
			loose = nil
		default:
			keep(line)
		}
	}
	keep(loose)
	if !found && len(before) > 0 {
		before = append(bytes.TrimRight(before, "\n"), "\n\n"...)
	}
	return before, after
}
