package quinta

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"plenum/hal/desk"
)

// status takes a unit's x line: it is in range, and how it is.
func (m *mapper) status(msg message) {
	u := m.units[msg.Unit]
	if u != nil && u.known && isDouble(u.typ) != isDouble(msg.Type) && u.doubt != msg.Type {
		u.doubt = msg.Type // believed when the next line says so too: it takes positions away
		m.alive(u, msg.At)
		return
	}
	m.learn(msg)
	u = m.units[msg.Unit]
	health := healthText(msg.Status)
	if health == u.health {
		return
	}
	u.health = health
	for _, key := range u.keys() {
		m.emit(desk.Event{Kind: desk.KindHealth, Key: key, Text: health, At: msg.At, Raw: msg.Raw})
	}
}

// healthText reads the status flags of an x line (Quinta control protocol, chapter 2.6).
func healthText(f uint8) string {
	battery := min(20*(int(f&7)+1), 100)
	text := fmt.Sprintf("battery %d %%, radio %d of 3", battery, f>>3&3)
	if f&0x20 == 0 {
		text += ", charging"
	}
	if f&0x40 == 0 {
		text += ", charging error"
	}
	return text
}

// learn notes what kind of unit sent a line, and that it is there.
func (m *mapper) learn(msg message) {
	u := m.units[msg.Unit]
	if u == nil {
		u = &unit{number: msg.Unit}
		m.units[msg.Unit] = u
	}
	if u.known && isDouble(u.typ) != isDouble(msg.Type) || !u.known {
		m.dropKeys(u, msg.Type)
	}
	u.typ, u.known, u.doubt = msg.Type, true, msg.Type
	m.alive(u, msg.At)
}

// dropKeys forgets the positions that a unit does not have any more (or never had: a microphone that was ordered before
// the unit's kind was known).
func (m *mapper) dropKeys(u *unit, typ uint16) {
	next := &unit{number: u.number, typ: typ, known: true}
	for key, p := range m.positions {
		if p.unit != u || slices.Contains(next.keys(), key) {
			continue
		}
		if u.online {
			m.emit(desk.Event{Kind: desk.KindSeat, Key: key, At: u.seen})
		}
		delete(m.positions, key)
	}
	u.online = false
}

// alive notes that a unit gave a sign of life.
func (m *mapper) alive(u *unit, at time.Time) {
	u.seen = at
	if u.online || !u.known {
		return
	}
	u.online = true
	for _, key := range u.keys() {
		m.position(key)
		m.emit(desk.Event{Kind: desk.KindSeat, Key: key, On: true, At: at})
	}
}

// keys are the positions of a unit.
func (u *unit) keys() []desk.Key {
	if !u.known || !isDouble(u.typ) {
		return []desk.Key{{ID: idOf(u.number)}}
	}
	return []desk.Key{{ID: idOf(u.number), Side: "L"}, {ID: idOf(u.number), Side: "R"}}
}

// tick takes the units off the list that have been silent too long, and looks after what should have happened by now.
func (m *mapper) tick(now time.Time) []desk.Event {
	m.out = nil
	for _, u := range m.units {
		if !u.online || now.Sub(u.seen) < offlineAfter {
			continue
		}
		u.online, u.health = false, ""
		for _, key := range u.keys() {
			m.emit(desk.Event{Kind: desk.KindSeat, Key: key, At: now})
		}
	}
	for key, p := range m.positions {
		if !p.freed.IsZero() && now.Sub(p.freed) > freeWindow {
			m.wantCompare = true
		}
		// In PC-controlled mode each q line has its a line right behind it.
		if e := p.edge; e.on && e.presses >= copies && m.alone(e) && now.Sub(e.last) > time.Second {
			m.standalone = true
		}
		if want, ok := m.orders[key]; ok && now.Sub(want.at) > 6*echoWindow {
			delete(m.orders, key)
		}
	}
	slices.SortFunc(m.out, func(a, b desk.Event) int { return strings.Compare(a.Key.String(), b.Key.String()) })
	return m.out
}

// resume forgets what was going on when the line broke. What stood is kept, to be compared: who is there, who asks. Who
// grants is not: the mode may have been set meanwhile, and the next press tells.
func (m *mapper) resume(now time.Time) {
	clear(m.strangers)
	clear(m.orders)
	m.standalone = false
	for _, u := range m.units {
		u.seen = now // silence of the line is not silence of the units
	}
	for _, p := range m.positions {
		p.edge, p.freed, p.told = edge{}, time.Time{}, false
	}
}

// seats lists all positions for a snapshot, by key.
func (m *mapper) seats() []desk.Seat {
	seats := make([]desk.Seat, 0, len(m.positions))
	for key, p := range m.positions {
		seats = append(seats, desk.Seat{
			Key: key, Online: p.unit.online, Open: p.open, Request: p.request,
			Chair: p.unit.known && p.unit.typ&modeMask == modeChair,
		})
	}
	slices.SortFunc(seats, func(a, b desk.Seat) int { return strings.Compare(a.Key.String(), b.Key.String()) })
	return seats
}

// anyOpen tells whether a microphone is open as far as we know.
func (m *mapper) anyOpen() bool {
	for _, p := range m.positions {
		if p.open {
			return true
		}
	}
	return false
}

// isOpen tells whether this microphone is open as far as we know.
func (m *mapper) isOpen(key desk.Key) bool {
	p := m.positions[key]
	return p != nil && p.open
}

// whyShut tells why an order to open was answered and opened nothing.
func (m *mapper) whyShut(n uint32, now time.Time) string {
	u := m.units[n]
	switch {
	case m.taken >= maxOpen:
		var open []string
		for _, s := range m.seats() {
			if s.Open {
				open = append(open, s.Key.String())
			}
		}
		return fmt.Sprintf("all %d streams of the desk are taken, by %s: one of them must close first", maxOpen, strings.Join(open, ", "))
	case u == nil || !u.online:
		return fmt.Sprintf("unit %s is not heard: is it switched on, charged and in range?", idOf(n))
	}
	return fmt.Sprintf("the desk opened nothing although a stream is free: is unit %s in range? It was heard %v ago", idOf(n),
		now.Sub(u.seen).Round(time.Second))
}

// asksNot tells whether the unit has said since the login that it does not ask for the word.
func (m *mapper) asksNot(key desk.Key) bool {
	p := m.positions[key]
	return p != nil && p.told && !p.request
}

// dropRequest notes that our order took a request back.
func (m *mapper) dropRequest(key desk.Key, at time.Time) []desk.Event {
	m.out = nil
	p := m.position(key)
	p.told = true
	if p.request {
		p.request = false
		m.emit(desk.Event{Kind: desk.KindRequest, Key: key, Origin: desk.OriginEcho, At: at})
	}
	return m.out
}
