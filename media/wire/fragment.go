package wire

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pion/sdp/v3"
)

const (
	maxFragment   = 16 << 10 // bytes
	maxCandidates = 64
)

var errFragment = errors.New("malformed trickle-ice-sdpfrag")

// fragment is what matters of an application/trickle-ice-sdpfrag body, RFC 8840.
type fragment struct {
	ufrag, pwd string
	candidates int  // how many the peer named
	end        bool // no more will come
}

// parseFragment reads a fragment. Lines that are not attributes or media lines
// are an error; attributes nobody here needs are passed over.
func parseFragment(body string) (fragment, error) {
	var f fragment
	if len(body) > maxFragment {
		return f, fmt.Errorf("%w: longer than %d bytes", errFragment, maxFragment)
	}
	for line := range strings.Lines(body) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case line == "", strings.HasPrefix(line, "m="):
		case strings.HasPrefix(line, "a="):
			if err := f.attribute(line[2:]); err != nil {
				return fragment{}, err
			}
		default:
			return fragment{}, fmt.Errorf("%w: line %.40q", errFragment, line)
		}
	}
	if (f.ufrag == "") != (f.pwd == "") {
		return fragment{}, fmt.Errorf("%w: ice-ufrag and ice-pwd come together", errFragment)
	}
	return f, nil
}

func (f *fragment) attribute(a string) error {
	key, value, _ := strings.Cut(a, ":")
	switch key {
	case "ice-ufrag":
		return same(&f.ufrag, value, 4)
	case "ice-pwd":
		return same(&f.pwd, value, 22)
	case "end-of-candidates":
		f.end = true
	case "candidate":
		f.candidates++
		if f.candidates > maxCandidates {
			return fmt.Errorf("%w: more than %d candidates", errFragment, maxCandidates)
		}
		if len(strings.Fields(value)) < 8 { // RFC 8839 5.1: foundation .. "typ" type
			return fmt.Errorf("%w: candidate %.60q", errFragment, value)
		}
	}
	return nil
}

// same notes an ICE credential, which must be of 4 (ufrag) or 22 (password) to
// 256 ice-chars and the same on every media line, RFC 8839 section 5.4.
func same(field *string, value string, least int) error {
	if len(value) < least || len(value) > 256 || strings.ContainsFunc(value, notIceChar) {
		return fmt.Errorf("%w: ICE credential of %d characters", errFragment, len(value))
	}
	if *field != "" && *field != value {
		return fmt.Errorf("%w: different ICE credentials", errFragment)
	}
	*field = value
	return nil
}

func notIceChar(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '+', r == '/':
		return false
	}
	return true
}

// formatFragment writes our side of an ICE restart from the answer to it: the
// credentials and the candidates of the bundle's first line.
func formatFragment(answer string) (string, error) {
	var desc sdp.SessionDescription
	if err := desc.UnmarshalString(answer); err != nil {
		return "", fmt.Errorf("reading our own answer: %w", err)
	}
	if len(desc.MediaDescriptions) == 0 {
		return "", errors.New("our own answer has no media line")
	}
	ufrag, pwd := credentials(&desc)
	m := desc.MediaDescriptions[0]
	var b strings.Builder
	fmt.Fprintf(&b, "a=ice-lite\r\na=ice-ufrag:%s\r\na=ice-pwd:%s\r\nm=%s\r\n", ufrag, pwd, m.MediaName.String())
	for _, a := range m.Attributes {
		switch a.Key {
		case "mid", "candidate", "end-of-candidates":
			fmt.Fprintf(&b, "a=%s\r\n", a.String())
		}
	}
	return b.String(), nil
}
