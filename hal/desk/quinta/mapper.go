package quinta

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"plenum/hal/desk"
)

// Times of the mapper.
const (
	offlineAfter = 60 * time.Second // three missed x lines (Quinta control protocol, chapter 5.1)
	echoWindow   = 5 * time.Second  // how long what follows an order of ours is its echo
	clearWindow  = time.Second      // copies of one press of the chair's key
	freeWindow   = 2 * time.Second  // from the report "microphone off" to the stream being free
	maxStrangers = 32               // unit numbers seen once and not believed yet
)

// mapper knows what the unit has said so far and turns lines into events. It is owned by one goroutine at a time.
type mapper struct {
	units     map[uint32]*unit
	positions map[desk.Key]*position
	strangers map[uint32]message
	orders    map[desk.Key]expectation
	out       []desk.Event

	allOff      time.Time // our last order to close everything
	clearing    bool      // that order is being carried out
	cleared     time.Time // the chair's last clear
	quiet       bool      // nothing was asked for or opened since
	long        time.Time // the chair's last long press
	standalone  bool      // the unit grants by itself
	repeated    time.Time // the last a line: at that moment the host granted
	suspect     uint64    // lines that speak of units nobody has heard of
	taken       int       // streams in use when the unit was last asked
	wantCompare bool      // what we know and what the unit does may differ
}

// unit is one microphone unit, single or double.
type unit struct {
	number uint32
	typ    uint16 // hardware type, zone, allocation mode as last reported
	known  bool   // typ was reported
	doubt  uint16 // a type that contradicts typ, seen once
	seen   time.Time
	online bool
	health string
}

// position is one key and its microphone.
type position struct {
	unit    *unit
	open    bool
	request bool
	told    bool      // the unit has said something about it since the login
	opened  time.Time // last
	freed   time.Time // the unit says off, the stream is not free yet; zero: nothing to wait for
	edge    edge
}

// expectation is what an order of ours will make the unit say.
type expectation struct {
	on bool
	at time.Time
}

func newMapper() *mapper {
	return &mapper{
		units: map[uint32]*unit{}, positions: map[desk.Key]*position{},
		strangers: map[uint32]message{}, orders: map[desk.Key]expectation{},
	}
}

// apply takes one line and gives the events it makes.
func (m *mapper) apply(msg message) []desk.Event {
	m.out = nil
	switch msg.Kind {
	case kindPress, kindRepeat:
		m.line(msg)
	case kindAlloc:
		m.alloc(msg)
	case kindStatus:
		m.status(msg)
	case kindClear:
		if !m.clearing { // else it is the echo of our own command
			m.clear(msg)
		}
	case kindPriority:
		m.priority(msg)
	}
	return m.out
}

func (m *mapper) emit(e desk.Event) { m.out = append(m.out, e) }

// line takes a q or a line. A unit never heard of, or one that has become double or single all of a sudden, is believed
// on the second line that says the same.
func (m *mapper) line(msg message) {
	if msg.Kind == kindRepeat {
		m.standalone, m.repeated = false, msg.At
	}
	u := m.units[msg.Unit]
	if u == nil || u.known && isDouble(u.typ) != isDouble(msg.Type) {
		first, ok := m.strangers[msg.Unit]
		if !ok || first.On != msg.On || first.Type != msg.Type || msg.At.Sub(first.At) > copyWindow {
			if len(m.strangers) >= maxStrangers {
				clear(m.strangers)
			}
			m.strangers[msg.Unit] = msg
			return
		}
		delete(m.strangers, msg.Unit)
		m.learn(first)
		m.press(first)
	} else {
		m.learn(msg)
	}
	m.press(msg)
}

// press turns the key's edges into requests and reports of closed microphones.
func (m *mapper) press(msg message) {
	key := keyOf(msg.Unit, msg.Type)
	p := m.position(key)
	first, fresh := p.edge.take(msg)
	if !fresh {
		return
	}
	p.told = true
	e := desk.Event{Key: key, On: msg.On, Origin: desk.OriginButton, At: first.At, Raw: first.Raw}
	switch {
	case msg.On && p.open:
		m.wantCompare = true // an open unit's key closes: late copies, or we have missed something
	case msg.On && !p.request:
		p.request, m.quiet, e.Kind = true, false, desk.KindRequest
		m.emit(e)
	case !msg.On && p.open:
		p.open, p.freed = false, msg.At
		e.Kind, e.Origin = desk.KindMic, m.offOrigin(key, msg.At)
		m.emit(e)
	case !msg.On && p.request:
		p.request, e.Kind = false, desk.KindRequest
		m.emit(e)
	}
}

// alloc takes the control unit's word that a microphone got a stream or lost it.
func (m *mapper) alloc(msg message) {
	key := m.sideOf(msg.Unit, msg.Right)
	_, ordered := m.orders[key]
	if m.units[msg.Unit] == nil {
		first, stranger := m.strangers[msg.Unit]
		switch {
		case stranger: // two lines speak of it
			delete(m.strangers, msg.Unit)
			m.learn(first)
			m.press(first)
			key = m.sideOf(msg.Unit, msg.Right)
		case !ordered:
			m.suspect++
			m.wantCompare = true
			return
		}
	}
	p := m.position(key)
	m.alive(p.unit, msg.At)
	e := desk.Event{Kind: desk.KindMic, Key: key, On: msg.On, At: msg.At, Raw: msg.Raw}
	p.freed, p.told = time.Time{}, p.told || msg.On
	switch {
	case msg.On && !p.open:
		e.Origin = m.onOrigin(key, p, msg.At)
		p.open, p.opened, p.request, m.quiet = true, msg.At, false, false
		m.emit(e)
	case !msg.On && p.open:
		e.Origin = m.offOrigin(key, msg.At)
		p.open = false
		m.emit(e)
	}
	if want, ok := m.orders[key]; ok && want.on == msg.On {
		delete(m.orders, key)
	}
}

// onOrigin tells who opened a microphone. One that opens upon its key alone, with none of the a lines that
// PC-controlled mode adds, was opened by the unit: then the unit grants, and not the host.
func (m *mapper) onOrigin(key desk.Key, p *position, at time.Time) desk.Origin {
	if want, ok := m.orders[key]; ok && want.on {
		return desk.OriginEcho
	}
	if !p.edge.recent(true, at) {
		return desk.OriginOther
	}
	if m.alone(p.edge) {
		m.standalone = true
	}
	return desk.OriginButton
}

// alone tells whether a press was left without the a lines that PC-controlled mode adds. An a line of any key that came
// later is the newer truth: somebody has set the mode meanwhile.
func (m *mapper) alone(e edge) bool { return e.repeats == 0 && e.last.After(m.repeated) }

func (m *mapper) offOrigin(key desk.Key, at time.Time) desk.Origin {
	want, ok := m.orders[key]
	p := m.position(key)
	// What was opened after a clear is not closed by it.
	by := func(clear time.Time) bool { return at.Sub(clear) <= echoWindow && !p.opened.After(clear) }
	switch {
	case ok && !want.on, by(m.allOff):
		return desk.OriginEcho
	case by(m.cleared), p.edge.recent(false, at):
		return desk.OriginButton
	}
	return desk.OriginOther
}

// clear takes the chair's Clear key. Copies of one press are one, but a press after anybody asked or opened counts.
func (m *mapper) clear(msg message) {
	again := m.quiet && msg.At.Sub(m.cleared) <= clearWindow
	m.cleared, m.quiet = msg.At, true
	if !again {
		m.emitPriority(desk.PriorityClear, msg)
	}
}

// priority takes the chair's priority key. What its eight modes do is set at the unit; to the house a short press is a
// clear, and a long one silences all others or lets them be heard again. Which of the two, the sitting knows: the chair
// may have done the other at the panel.
func (m *mapper) priority(msg message) {
	if !msg.On {
		m.clear(msg)
		return
	}
	copied := msg.At.Sub(m.long) <= clearWindow
	m.long = msg.At
	if !copied {
		m.emitPriority(desk.PriorityToggle, msg)
	}
}

func (m *mapper) emitPriority(p desk.Priority, msg message) {
	m.emit(desk.Event{
		Kind: desk.KindPriority, Key: m.chair(), Priority: p, Origin: desk.OriginButton, At: msg.At, Raw: msg.Raw,
	})
}

// chair gives the chair's unit if there is exactly one: the line does not say whose key it was.
func (m *mapper) chair() desk.Key {
	var found []desk.Key
	for n, u := range m.units {
		if u.known && u.typ&modeMask == modeChair {
			found = append(found, keyOf(n, u.typ))
		}
	}
	if len(found) != 1 {
		return desk.Key{}
	}
	return found[0]
}

// compare takes the unit's own list of streams, in answer to S 0. It gives the events of what differs from what we knew,
// and the positions whose stream the unit has kept although their key switched off: these need an order to be freed.
func (m *mapper) compare(streams []message, complete bool, at time.Time) (events []desk.Event, free []desk.Key) {
	m.out, m.wantCompare = nil, false
	held := map[desk.Key]bool{}
	for _, s := range streams {
		if s.Left {
			held[m.streamKey(s, false)] = true
		}
		if s.Right {
			held[m.streamKey(s, true)] = true
		}
	}
	m.taken = len(held)
	for key := range held {
		p := m.position(key)
		want, ordered := m.orders[key]
		switch {
		case !p.freed.IsZero() && !(ordered && want.on):
			free = append(free, key)
		case !p.open: // listed is open, whatever its key said before we ordered it
			p.open, p.request, p.freed = true, false, time.Time{}
			m.emit(desk.Event{Kind: desk.KindMic, Key: key, On: true, Origin: m.lateOrigin(key, true), At: at})
		}
	}
	if complete {
		for key, p := range m.positions {
			if held[key] {
				continue
			}
			p.freed = time.Time{}
			if p.open {
				p.open = false
				m.emit(desk.Event{Kind: desk.KindMic, Key: key, Origin: m.lateOrigin(key, false), At: at})
			}
		}
	}
	slices.SortFunc(m.out, func(a, b desk.Event) int { return strings.Compare(a.Key.String(), b.Key.String()) })
	return m.out, free
}

func (m *mapper) lateOrigin(key desk.Key, on bool) desk.Origin {
	if want, ok := m.orders[key]; ok && want.on == on {
		return desk.OriginEcho
	}
	return desk.OriginOther
}

func (m *mapper) streamKey(s message, right bool) desk.Key {
	key := m.sideOf(s.Unit, right)
	u := m.units[s.Unit]
	if u != nil && u.known || key.Side != "" || m.positions[key] != nil || !isDouble(s.Type) {
		return key
	}
	key.Side = "L"
	return key
}

// sideOf names the position of a line that tells the right key of a double unit from all others.
func (m *mapper) sideOf(n uint32, right bool) desk.Key {
	key := desk.Key{ID: idOf(n)}
	if right {
		key.Side = "R"
		return key
	}
	if u := m.units[n]; u != nil && u.known {
		return keyOf(n, u.typ&^modeMask|u.typ&7) // the left one, if it is double
	}
	left := desk.Key{ID: key.ID, Side: "L"}
	if _, ok := m.orders[left]; ok || m.positions[left] != nil {
		return left
	}
	return key
}

// position gives a position, making it and its unit if need be.
func (m *mapper) position(key desk.Key) *position {
	p := m.positions[key]
	if p == nil {
		n, _ := strconv.ParseUint(key.ID, 16, 32) // our own spelling
		u := m.units[uint32(n)]
		if u == nil {
			u = &unit{number: uint32(n)}
			m.units[u.number] = u
		}
		p = &position{unit: u}
		m.positions[key] = p
	}
	return p
}

func isDouble(typ uint16) bool { return typ&modeMask == modeLeft || typ&modeMask == modeRight }

func idOf(n uint32) string { return fmt.Sprintf("%06X", n) }

func keyOf(n uint32, typ uint16) desk.Key {
	switch typ & modeMask {
	case modeLeft:
		return desk.Key{ID: idOf(n), Side: "L"}
	case modeRight:
		return desk.Key{ID: idOf(n), Side: "R"}
	}
	return desk.Key{ID: idOf(n)}
}
