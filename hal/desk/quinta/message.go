package quinta

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// kind tells what a line from the unit is.
type kind uint8

// Kinds of lines.
const (
	kindUnknown  kind = iota
	kindPress         // q: a unit's key, or its report that the microphone is off
	kindRepeat        // a: the same again, in PC-controlled mode only
	kindStatus        // x: a unit is in range, about every 20 s
	kindPriority      // l: the chair's priority key
	kindService       // zm…, DSP[…]: text for the maker's service, to be skipped
	kindClear         // i: all microphones off, by the chair's Clear key or by our order
	kindAlloc         // Q: a microphone got a stream or lost it
	kindStream        // StrC to StrF: who holds a stream, in answer to S 0
	kindAddress       // MUAD=: which unit the tunnelled commands go to, in answer to M
	kindVersion       // CUFW or V3.0.00, in answer to V
	kindModel         // Full mode or Light mode, in answer to j 3 D
	kindPrompt        // >: the unit is ready
)

// Allocation modes, bits 3 to 0 of message.Type (Quinta control protocol, chapter 4.3).
const (
	modeSingle = 0x0
	modeLeft   = 0x1
	modeChair  = 0x2
	modeRight  = 0x9
	modeMask   = 0xF
)

// message is one line from the unit.
type message struct {
	Kind   kind
	Unit   uint32    // microphone unit, 24 bits; 0: none
	On     bool      // q, a: request; Q: allocated; l: long press
	Right  bool      // Q: the right key of a double unit; Str: the right side holds it
	Left   bool      // Str: the left side, or a single unit, holds it
	Type   uint16    // q, a, x: hardware type, zone, allocation mode; Str: the last two
	Status uint8     // x: battery, radio, charger
	Stream byte      // Q: 0x0C to 0x0F; Str: the same
	Text   string    // V, j and what is unknown
	At     time.Time // when the line's first byte came
	Raw    []byte    // the line without its end; nil for a prompt
}

// parse reads one line without its terminator. A line that is not understood is kindUnknown, never an error: the unit
// also sends service text that nobody has described.
func parse(line []byte) message {
	text := string(line)
	m := message{Text: text}
	word, rest, _ := strings.Cut(text, " ")
	fields := strings.Fields(rest)
	ok := false
	switch word {
	case "q", "a":
		ok = m.parsePress(word, fields)
	case "Q":
		ok = m.parseAlloc(fields)
	case "x", "X": // the manual prints both
		ok = m.parseStatus(fields)
	case "i":
		ok = len(fields) == 1 && fields[0] == "00"
		m.Kind = kindClear
	case "l":
		ok = len(fields) == 1 && (fields[0] == "00" || fields[0] == "01")
		m.Kind, m.On = kindPriority, text == "l 01"
	case "StrC", "StrD", "StrE", "StrF":
		ok = m.parseStream(word, fields)
	default:
		ok = m.parseText()
	}
	if !ok {
		return message{Kind: kindUnknown, Text: text}
	}
	return m
}

// parsePress: muad m tf, e.g. 0000021E 01 0139.
func (m *message) parsePress(word string, f []string) bool {
	if len(f) != 3 {
		return false
	}
	m.Kind = kindPress
	if word == "a" {
		m.Kind = kindRepeat
	}
	unit, ok1 := hexUnit(f[0])
	state, ok2 := hexField(f[1], 2)
	typ, ok3 := hexField(f[2], 4)
	m.Unit, m.On, m.Type = unit, state&1 != 0, uint16(typ)
	// The right key is told by the allocation mode in the published lines; bit 4 means the same in Q and ~Q.
	if state&0x10 != 0 && m.Type&modeMask == modeLeft {
		m.Type = m.Type&^modeMask | modeRight
	}
	return ok1 && ok2 && ok3 && state&^0x11 == 0
}

// parseAlloc: muad m s, e.g. 0000021E 11 0C.
func (m *message) parseAlloc(f []string) bool {
	if len(f) != 3 {
		return false
	}
	unit, ok1 := hexUnit(f[0])
	flags, ok2 := hexField(f[1], 2)
	stream, ok3 := hexField(f[2], 2)
	m.Kind, m.Unit, m.Stream = kindAlloc, unit, byte(stream)
	m.On, m.Right = flags&1 != 0, flags&0x10 != 0
	return ok1 && ok2 && ok3 && flags&^0x11 == 0
}

// parseStatus: muad m f v, e.g. 00021E 0131 7A 241100; some firmware adds a fifth field.
func (m *message) parseStatus(f []string) bool {
	if len(f) != 4 && len(f) != 5 {
		return false
	}
	unit, ok1 := hexUnit(f[0])
	typ, ok2 := hexField(f[1], 4)
	status, ok3 := hexField(f[2], 2)
	_, ok4 := hexField(f[3], 6)
	m.Kind, m.Unit, m.Type, m.Status = kindStatus, unit, uint16(typ), uint8(status)
	return ok1 && ok2 && ok3 && ok4
}

// parseStream: StrX muad m n. Bit 2 of m: the right side holds the stream; bit 1: the left side or a single unit.
func (m *message) parseStream(word string, f []string) bool {
	if len(f) != 3 {
		return false
	}
	unit, ok1 := hexField(f[0], len(f[0])) // a free stream has no unit
	flags, ok2 := hexField(f[1], 2)
	mode, ok3 := hexField(f[2], 2)
	m.Kind, m.Unit, m.Stream = kindStream, uint32(unit), 0x0C+word[3]-'C'
	m.Left, m.Right, m.Type = flags&2 != 0, flags&4 != 0, uint16(mode)
	held := m.Left || m.Right
	return ok1 && ok2 && ok3 && unit <= 0xFFFFFF && (!held || unit != 0)
}

func (m *message) parseText() bool {
	switch {
	case strings.HasPrefix(m.Text, "CUFW"),
		len(m.Text) > 1 && m.Text[0] == 'V' && m.Text[1] >= '0' && m.Text[1] <= '9':
		m.Kind = kindVersion
	case m.Text == "Full mode", m.Text == "Light mode":
		m.Kind = kindModel
	case strings.HasPrefix(m.Text, "zm"), strings.HasPrefix(m.Text, "DSP["):
		m.Kind = kindService
	case strings.HasPrefix(m.Text, "MUAD=0x"):
		unit, ok := hexField(m.Text[len("MUAD=0x"):], 8)
		m.Kind, m.Unit = kindAddress, uint32(unit)
		return ok
	default:
		return false
	}
	return true
}

// hexUnit reads a unit's number, printed with six or eight digits.
func hexUnit(s string) (uint32, bool) {
	if len(s) != 6 && len(s) != 8 {
		return 0, false
	}
	n, ok := hexField(s, len(s))
	return uint32(n), ok && n >= 1 && n <= 0xFFFFFF
}

func hexField(s string, digits int) (uint64, bool) {
	if len(s) != digits || digits > 8 {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 16, 32)
	return n, err == nil
}

// Commands, without the CR that ends them (Quinta control protocol, chapters 2 to 4).
const (
	cmdLogin     = "U 0"   // unlock this port and lock the others
	cmdVersion   = "V"     // answers only on an unlocked port
	cmdModel     = "j 3 D" // CU: Full mode, RS: Light mode
	cmdBroadcast = "M 0"   // tunnelled commands go to all units
	cmdAllOff    = "i 00"  // all open microphones off, requests stay
	cmdStreams   = "S 0"   // who holds the four streams
)

func cmdMic(unit uint32, on bool, typ uint16) string {
	state := 0
	if on {
		state = 1
	}
	return fmt.Sprintf("A %08X %d %04X", unit, state, typ)
}

func cmdAddress(unit uint32) string { return fmt.Sprintf("M %X", unit) }

func cmdDropRequest(right bool) string {
	if right {
		return "~Q 10"
	}
	return "~Q 00"
}
