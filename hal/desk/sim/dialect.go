package sim

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxOut is how many bytes may wait for the slow line; more are lost, as in a real unit.
const maxOut = 1 << 20

// block sends lines and the prompt that ends them; s.mu is held. Units report keys only to a port that is logged in.
func (s *Sim) block(lines ...string) {
	if s.loggedIn {
		s.send(!s.bare, lines...)
	}
}

// answer sends what a command brings. Only answers lose prompts; s.mu is held.
func (s *Sim) answer(lines ...string) {
	prompt := s.faults.swallow == 0
	if !prompt {
		s.faults.swallow--
	}
	s.send(prompt, lines...)
}

func (s *Sim) send(prompt bool, lines ...string) {
	if s.faults.echo {
		return
	}
	text := []byte("\r\n")
	for _, line := range lines {
		text = append(text, s.damage(line)...)
		text = append(text, "\r\n"...)
	}
	if prompt {
		text = append(text, '>')
	}
	s.put(text)
}

// put queues bytes for the line; s.mu is held.
func (s *Sim) put(text []byte) {
	if len(s.out)+len(text) > maxOut {
		s.lost += len(text)
		return
	}
	s.out = append(s.out, text...)
	select {
	case s.outWake <- struct{}{}:
	default:
	}
}

// damage flips a bit of a line while that fault is on.
func (s *Sim) damage(line string) string {
	if s.faults.corrupt == 0 || line == "" {
		return line
	}
	s.faults.corrupt--
	s.faults.seed = s.faults.seed*1664525 + 1013904223 // any fixed sequence will do
	b := []byte(line)
	b[int(s.faults.seed>>16)%len(b)] ^= 1 << (s.faults.seed >> 8 & 7)
	return string(b)
}

// command carries out one line from the controller.
func (s *Sim) command(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.Debug("simulated desk hears", "line", line)
	if line == "" && s.bare {
		return // such a unit sends prompts only when it must
	}
	word, rest, _ := strings.Cut(line, " ")
	if word == "U" {
		s.loggedIn = rest != "B"
		s.answer()
		return
	}
	if !s.loggedIn {
		s.answer() // no data without a login
		return
	}
	switch line {
	case "V":
		s.answer("CUFW", "V3.0.00")
	case "j 3 D":
		s.answer("Full mode")
	case "S 0":
		s.answer(s.streamList()...)
	case "i 00":
		s.answer()
		s.closeAll()
	case "~Q 00", "~Q 10":
		s.dropRequests(line == "~Q 10")
		s.answer()
	default:
		s.unitCommand(word, strings.Fields(rest))
	}
}

// unitCommand carries out commands that name a unit. What is no valid command gets no prompt.
func (s *Sim) unitCommand(word string, f []string) {
	switch {
	case word == "M" && len(f) == 1:
		n, err := strconv.ParseUint(f[0], 16, 32)
		if err != nil {
			return
		}
		s.address = uint32(n)
		s.answer(fmt.Sprintf("MUAD=0x%08X", n))
	case word == "A" && len(f) == 3 && (f[1] == "0" || f[1] == "1"):
		n, err1 := strconv.ParseUint(f[0], 16, 32)
		typ, err2 := strconv.ParseUint(f[2], 16, 16)
		if err1 == nil && err2 == nil {
			s.switchMic(uint32(n), f[1] == "1", uint16(typ))
		}
	}
}

// switchMic is the A command: the microphone gets a stream or loses it, told by a Q line, or nothing happens.
func (s *Sim) switchMic(number uint32, on bool, typ uint16) {
	right := typ&0xF == 9
	i := slices.IndexFunc(s.seats, func(t *seat) bool { return t.number == number && (t.Side == "R") == right })
	if i < 0 || s.seats[i].Lost || s.seats[i].refuse || s.seats[i].Open == on {
		s.answer()
		return
	}
	t := s.seats[i]
	if !on {
		s.answer(fmt.Sprintf("Q %08X %02X %02X", number, t.bit4(), s.free(t)))
		s.report(t, false)
		s.changed()
		return
	}
	stream, ok := s.take(t)
	if !ok {
		s.answer()
		return
	}
	s.answer(fmt.Sprintf("Q %08X %02X %02X", number, t.bit4()|1, stream))
}

// dropRequests is the ~Q command, to the unit addressed or to all.
func (s *Sim) dropRequests(right bool) {
	for _, t := range s.seats {
		if (s.address == 0 || t.number == s.address) && (t.Side == "R") == right {
			t.Requesting = false
		}
	}
	s.changed()
}

// streamList is the answer to S 0.
func (s *Sim) streamList() []string {
	var lines []string
	for i, t := range s.streams {
		number, flags, mode := uint32(0), 1, uint16(0)
		if t != nil {
			number, mode = t.number, t.typ&0x7F
			flags |= 2
			if t.Side == "R" {
				flags ^= 2 | 4
			}
		}
		lines = append(lines, fmt.Sprintf("Str%c %08X %02X %02X", 'C'+i, number, flags, mode))
	}
	return lines
}

// sendStatus sends each unit's status line in its turn, with or without a login.
func (s *Sim) sendStatus(ctx context.Context) {
	units := s.State()
	units = slices.DeleteFunc(units, func(u UnitState) bool { return u.Side == "R" }) // one line for both sides
	turn := time.NewTicker(s.status / time.Duration(len(units)))
	defer turn.Stop()
	for i := 0; ; i = (i + 1) % len(units) {
		s.mu.Lock()
		if t := s.find(units[i].Unit, units[i].Side); !t.Lost {
			s.send(!s.bare, fmt.Sprintf("x %06X %04X 7A 241100", t.number, t.typ))
		}
		s.mu.Unlock()
		select {
		case <-turn.C:
		case <-ctx.Done():
			return
		}
	}
}
