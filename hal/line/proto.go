package line

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Daemon and guard speak in lines of text, over two pipes:
//
//	daemon                                    guard
//	line "on-air" "DO1" 0 0 1                 (one per output: active low, safe state, state to begin with)
//	go                                        held                  all lines are claimed
//	set 7 "on-air" 1                          done 7 1              what was read back
//	                                          refused 7 missing "…"
//	get 8                                     state 8 "on-air" 1 …
//	bye                                       safe                  all have their safe state; the guard ends
//	                                          failed busy "…"       the guard cannot go on and ends
//
// A closed pipe means that the daemon is gone.

// verb is the first word of a line.
type verb string

const (
	verbLine verb = "line"
	verbGo   verb = "go"
	verbSet  verb = "set"
	verbGet  verb = "get"
	verbBye  verb = "bye"

	verbHeld    verb = "held"
	verbDone    verb = "done"
	verbRefused verb = "refused"
	verbState   verb = "state"
	verbSafe    verb = "safe"
	verbFailed  verb = "failed"
)

// order is a line from the daemon.
type order struct {
	verb   verb
	seq    uint64 // set, get
	name   string // set
	on     bool   // set
	output Output // line
	now    bool   // line: the state to begin with
}

// answer is a line from the guard.
type answer struct {
	verb   verb
	seq    uint64  // done, refused, state
	on     bool    // done
	states []named // state
	kind   string  // refused, failed: which of the package's errors it is
	text   string  // refused, failed
}

// named is the state of one output.
type named struct {
	name string
	on   bool
}

// errProtocol: a line that nobody should have sent.
var errProtocol = errors.New("not the language of daemon and guard")

func (o order) String() string {
	switch o.verb {
	case verbLine:
		return fmt.Sprintf("line %q %q %s %s %s", o.output.Name, o.output.Line, flag(o.output.ActiveLow), flag(o.output.Safe), flag(o.now))
	case verbSet:
		return fmt.Sprintf("set %d %q %s", o.seq, o.name, flag(o.on))
	case verbGet:
		return fmt.Sprintf("get %d", o.seq)
	}
	return string(o.verb)
}

func (a answer) String() string {
	switch a.verb {
	case verbDone:
		return fmt.Sprintf("done %d %s", a.seq, flag(a.on))
	case verbRefused:
		return fmt.Sprintf("refused %d %s %q", a.seq, a.kind, a.text)
	case verbState:
		var b strings.Builder
		fmt.Fprintf(&b, "state %d", a.seq)
		for _, s := range a.states {
			fmt.Fprintf(&b, " %q %s", s.name, flag(s.on))
		}
		return b.String()
	case verbFailed:
		return fmt.Sprintf("failed %s %q", a.kind, a.text)
	}
	return string(a.verb)
}

func flag(on bool) string {
	if on {
		return "1"
	}
	return "0"
}

// parseOrder reads a line without its end.
func parseOrder(line string) (order, error) {
	in := &reader{rest: line}
	o := order{verb: verb(in.word())}
	switch o.verb {
	case verbLine:
		o.output = Output{Name: in.text(), Line: in.text(), ActiveLow: in.flag(), Safe: in.flag()}
		o.now = in.flag()
	case verbSet:
		o.seq, o.name, o.on = in.number(), in.text(), in.flag()
	case verbGet:
		o.seq = in.number()
	case verbGo, verbBye:
	default:
		in.bad = true
	}
	return o, in.end(line)
}

// parseAnswer reads a line without its end.
func parseAnswer(line string) (answer, error) {
	in := &reader{rest: line}
	a := answer{verb: verb(in.word())}
	switch a.verb {
	case verbDone:
		a.seq, a.on = in.number(), in.flag()
	case verbRefused:
		a.seq, a.kind, a.text = in.number(), in.word(), in.text()
	case verbState:
		for a.seq = in.number(); in.rest != "" && !in.bad; {
			a.states = append(a.states, named{in.text(), in.flag()})
		}
	case verbFailed:
		a.kind, a.text = in.word(), in.text()
	case verbHeld, verbSafe:
	default:
		in.bad = true
	}
	return a, in.end(line)
}

// reader takes a line apart. After something unexpected it gives zero values and remembers.
type reader struct {
	rest string
	bad  bool
}

func (r *reader) word() string {
	word, rest, _ := strings.Cut(r.rest, " ")
	r.rest, r.bad = rest, r.bad || word == ""
	return word
}

func (r *reader) text() string {
	quoted, err := strconv.QuotedPrefix(r.rest)
	if err != nil {
		r.bad = true
		return ""
	}
	rest := r.rest[len(quoted):]
	if rest != "" && rest[0] != ' ' {
		r.bad = true
	}
	r.rest = strings.TrimPrefix(rest, " ")
	text, err := strconv.Unquote(quoted)
	r.bad = r.bad || err != nil
	return text
}

func (r *reader) number() uint64 {
	n, err := strconv.ParseUint(r.word(), 10, 64)
	r.bad = r.bad || err != nil
	return n
}

func (r *reader) flag() bool {
	word := r.word()
	r.bad = r.bad || word != "0" && word != "1"
	return word == "1"
}

func (r *reader) end(line string) error {
	if r.bad || r.rest != "" {
		return fmt.Errorf("%w: %.200q", errProtocol, line)
	}
	return nil
}

// kind is one of the package's errors and its name between daemon and guard.
type kind struct {
	name string
	err  error
}

func kinds() []kind {
	return []kind{
		{"config", ErrConfig}, {"missing", ErrMissing}, {"twice", ErrTwice}, {"busy", ErrBusy}, {"permission", ErrPermission}, {"readback", ErrReadback},
	}
}

// kindOf names an error so that it is still the same one on the other side.
func kindOf(err error) string {
	for _, k := range kinds() {
		if errors.Is(err, k.err) {
			return k.name
		}
	}
	return "other"
}

// err gives the error that a guard's answer carries. Its text is whole already, and repeats the sentinel's.
func (a answer) err() error {
	for _, k := range kinds() {
		if k.name == a.kind {
			return told{a.text, k.err}
		}
	}
	return errors.New(a.text)
}

// told is an error the other side spoke of.
type told struct {
	text string
	is   error
}

func (t told) Error() string { return t.text }
func (t told) Unwrap() error { return t.is }
