package lab

import (
	"bytes"
	"io"
	"strings"
)

// report reads what a test binary prints with -test.v=test2json as it comes. The framing lines begin with ^V, so a
// test that prints "--- PASS" itself is not believed.
type report struct {
	live    io.Writer
	rest    []byte
	current string            // top-level test that runs
	results map[string]string // of top-level tests: PASS, FAIL, SKIP
	said    map[string]string // what top-level tests printed, their subtests included
}

func newReport(live io.Writer) *report {
	return &report{live: live, results: map[string]string{}, said: map[string]string{}}
}

// Write implements io.Writer.
func (r *report) Write(p []byte) (int, error) {
	r.rest = append(r.rest, p...)
	for {
		line, rest, ok := bytes.Cut(r.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		r.line(string(line))
		r.rest = rest
	}
}

// flush takes what came without a line's end, such as the last of a crash.
func (r *report) flush() {
	if len(r.rest) > 0 {
		r.line(string(r.rest))
		r.rest = nil
	}
}

func (r *report) line(line string) {
	// A frame may follow what a test printed without ending the line.
	text, frame, framed := strings.Cut(line, "\x16")
	if text != "" || !framed {
		r.keep(text)
	}
	if !framed {
		return
	}
	switch fields := strings.Fields(frame); {
	case len(fields) >= 2 && fields[0] == "===":
		// Whose output comes next; NAME without a name is what the binary says itself.
		r.current = ""
		if len(fields) >= 3 {
			r.current, _, _ = strings.Cut(fields[2], "/")
		}
		if fields[1] == "RUN" {
			r.keep(frame)
		}
	case len(fields) >= 3 && fields[0] == "---":
		r.keep(frame)
		name := fields[2]
		if !strings.Contains(name, "/") {
			r.results[name] = strings.TrimSuffix(fields[1], ":")
		}
		r.current, _, _ = strings.Cut(name, "/")
	}
}

func (r *report) keep(text string) {
	_, _ = io.WriteString(r.live, text+"\n")
	r.said[r.current] += text + "\n"
}
