package sim

import "fmt"

// Press presses a speak key: it asks for the word, takes the request back, or closes the open microphone.
func (s *Sim) Press(unit int, side string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.find(unit, side)
	switch {
	case t == nil:
		return fmt.Errorf("press unit %d %s: %w", unit, side, ErrNoUnit)
	case t.Lost:
		return fmt.Errorf("press unit %d %s: %w", unit, side, ErrUnitLost)
	}
	t.Presses++
	switch {
	case t.Open:
		stream := s.free(t)
		s.report(t, false)
		s.block(fmt.Sprintf("Q %08X %02X %02X", t.number, t.bit4(), stream))
	case t.Requesting:
		t.Requesting = false
		s.report(t, false)
	case s.standalone:
		s.grantSelf(t)
	default:
		t.Requesting = true
		s.report(t, true)
	}
	s.changed()
	return nil
}

// report sends a key's state as often as the radio does. In PC-controlled mode each line is followed by its repetition.
func (s *Sim) report(t *seat, on bool) {
	line := fmt.Sprintf("%08X %02X %04X", t.number, bit(on), t.typ)
	for range 4 {
		if s.standalone {
			s.block("q " + line)
		} else {
			s.block("q "+line, "a "+line)
		}
	}
}

// grantSelf is what a control unit does on its own: a free stream goes to whoever asks, else the press is forgotten.
func (s *Sim) grantSelf(t *seat) {
	line := fmt.Sprintf("q %08X 01 %04X", t.number, t.typ)
	if stream, ok := s.take(t); ok {
		s.block(line, fmt.Sprintf("Q %08X %02X %02X", t.number, t.bit4()|1, stream))
	} else {
		s.block(line)
	}
	for range 3 {
		s.block(line)
	}
}

// Priority presses the chair's priority key, briefly or for long.
func (s *Sim) Priority(long bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.block(fmt.Sprintf("l %02X", bit(long)))
}

// Clear presses the chair's Clear key: all microphones close.
func (s *Sim) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.block("i 00")
	s.closeAll()
}

// closeAll frees all streams and reports each; s.mu is held.
func (s *Sim) closeAll() {
	for _, t := range s.streams {
		if t == nil {
			continue
		}
		s.block(fmt.Sprintf("Q %08X %02X %02X", t.number, t.bit4(), s.free(t)))
		s.report(t, false)
	}
	s.changed()
}

// take gives a key the first free stream, or the one it has; s.mu is held.
func (s *Sim) take(t *seat) (stream int, ok bool) {
	for i, holder := range s.streams {
		if holder == nil {
			s.streams[i] = t
			t.Open, t.Requesting = true, false
			s.changed()
			return 0x0C + i, true
		}
	}
	return 0, false
}

// free takes a key's stream and gives its number; s.mu is held.
func (s *Sim) free(t *seat) (stream int) {
	for i, holder := range s.streams {
		if holder == t {
			s.streams[i] = nil
			stream = 0x0C + i
		}
	}
	t.Open = false
	return stream
}

// SwallowPrompts lets the answers to the next n commands lose their prompt.
func (s *Sim) SwallowPrompts(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.swallow = n
}

// Corrupt flips one bit in each of the next n lines.
func (s *Sim) Corrupt(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.corrupt = n
}

// Away makes the line silent and deaf while the device stays, as when the cable is pulled at the far end.
func (s *Sim) Away(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.away = away
}

// Echo makes the line give back what it is sent and nothing else, as when TX and RX are bridged at the far end.
func (s *Sim) Echo(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.echo, s.out = on, nil
}

// HangUp takes the device itself away, as when a USB adapter is pulled. Return brings it back under the same Path.
func (s *Sim) HangUp() error { return s.cable.hangUp() }

// Return brings the device back after HangUp. What the unit said meanwhile is lost.
func (s *Sim) Return() error {
	s.mu.Lock()
	s.out = nil
	s.mu.Unlock()
	return s.cable.plugIn()
}

// PowerCycle cuts the control unit's power for a moment: login, requests and open microphones are gone without a word.
func (s *Sim) PowerCycle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loggedIn, s.address, s.out = false, 0, nil
	for _, t := range s.seats {
		s.free(t)
		t.Requesting = false
	}
	s.changed()
}

// SetStandalone changes the unit's mode: true lets it grant by itself, false waits for the host.
func (s *Sim) SetStandalone(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.standalone = on
}

// UnitLost takes a unit out of radio range, or brings it back. Its open microphone closes.
func (s *Sim) UnitLost(unit int, lost bool) error {
	return s.each(unit, func(t *seat) {
		t.Lost = lost
		if lost && t.Open {
			s.block(fmt.Sprintf("Q %08X %02X %02X", t.number, t.bit4(), s.free(t)))
		}
	})
}

// Refuse makes the control unit answer orders for a unit with a prompt and do nothing.
func (s *Sim) Refuse(unit int, refuse bool) error {
	return s.each(unit, func(t *seat) { t.refuse = refuse })
}

// each does something to all keys of a unit.
func (s *Sim) each(unit int, do func(*seat)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := false
	for _, t := range s.seats {
		if t.Unit == unit {
			found = true
			do(t)
		}
	}
	if !found {
		return fmt.Errorf("unit %d: %w", unit, ErrNoUnit)
	}
	s.changed()
	return nil
}

// bit4 is the flag of the right key.
func (t *seat) bit4() int {
	if t.Side == "R" {
		return 0x10
	}
	return 0
}

func bit(on bool) int {
	if on {
		return 1
	}
	return 0
}
