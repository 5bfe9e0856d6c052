package quinta

import (
	"slices"
	"time"
)

// block is what came between two prompts.
type block []message

func (b block) has(k kind) bool {
	return slices.ContainsFunc(b, func(m message) bool { return m.Kind == k })
}

// unasked tells whether the unit sends such a line by itself only, never as the answer to a command.
func (m message) unasked() bool {
	switch m.Kind {
	case kindPress, kindRepeat, kindStatus, kindPriority, kindService:
		return true
	}
	return false
}

// fit tells whether the prompt after a block answers the command that waits for one. Units send a prompt after their own
// lines, too, and the answer to a command given up may come late; a prompt taken for another command's would shift all
// that follow.
type fit uint8

const (
	fitNo   fit = iota
	fitWeak     // it may: an empty answer where data was asked for. It counts when no better one follows
	fitRest     // it may: only lines of the unit's own came before. It counts when the line is at rest then
	fitYes
)

// plain fits commands that bring no data. Text that nobody has described counts as an answer.
func plain(b block) fit {
	switch {
	case len(b) == 0 || b.has(kindUnknown):
		return fitYes
	case slices.ContainsFunc(b, func(m message) bool { return !m.unasked() }):
		return fitNo
	}
	return fitRest
}

// data fits commands that bring lines of one kind, or nothing when the port is locked.
func data(k kind) func(block) fit {
	return func(b block) fit {
		switch {
		case b.has(k):
			return fitYes
		case plain(b) == fitYes:
			return fitWeak
		}
		return fitNo
	}
}

// maxBlock is more lines than any answer has; a unit that sends no prompts must not fill the memory.
const maxBlock = 64

// answers finds the answer to a command among all that comes. The zero value waits for none.
type answers struct {
	block   block
	sent    string          // the last command
	fits    func(block) fit // a command waits for the prompt after such a block; nil: none waits
	answer  block
	weak    time.Time // when a weak answer came; zero: none did
	resting bool      // it counts when nothing more comes
	prompts int

	// bare: the unit ends its own lines without a prompt, so that they say nothing about the next one. Learnt from two
	// status lines without one between them.
	bare bool
	own  bool // a line of the unit's own came since the last prompt
}

// await begins to wait for the answer to a command. What came before it is none of it, but for the unit's own line whose
// prompt may still be on its way.
func (a *answers) await(cmd string, fits func(block) fit, now time.Time) {
	a.sent, a.fits, a.answer, a.weak, a.resting = cmd, fits, nil, time.Time{}, false
	b := a.block
	a.block = nil
	if n := len(b); n > 0 && b[n-1].unasked() && now.Sub(b[n-1].At) < weakGrace {
		a.block = b[n-1:]
	}
}

func (a *answers) giveUp() { a.fits, a.resting = nil, false }

// isEcho tells whether a line is our own command coming back.
func (a *answers) isEcho(m message) bool { return a.fits != nil && string(m.Raw) == a.sent }

// line takes a line.
func (a *answers) line(m message) {
	if m.unasked() {
		a.own = true
		if m.Kind == kindStatus && a.block.has(kindStatus) {
			a.learn()
		}
		if a.bare {
			return
		}
	}
	if len(a.block) < maxBlock {
		a.block = append(a.block, m)
	}
}

// learn notes that the unit's own lines bring no prompts: one that came after such a line was the command's.
func (a *answers) learn() {
	a.bare = true
	a.block = slices.DeleteFunc(a.block, message.unasked)
	if a.resting {
		a.giveUp()
	}
}

// prompt ends a block, and with it perhaps the wait for an answer.
func (a *answers) prompt(at time.Time) {
	b, own := a.block, a.own
	a.block, a.own = nil, false
	a.prompts++
	if a.fits == nil {
		a.bare = a.bare && !own
		return
	}
	switch f := a.fits(b); f {
	case fitYes:
		a.fits, a.answer, a.resting = nil, b, false
	case fitWeak, fitRest:
		a.weak, a.answer, a.resting = at, b, f == fitRest
	}
}
