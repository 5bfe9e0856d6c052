package quinta

import (
	"bytes"
	"time"
)

// maxLine is longer than any line of the protocol; the longest seen are name lists of about 70 characters.
const maxLine = 200

// DecoderStats counts what a driver had to throw away.
type DecoderStats struct {
	Lines    uint64 // lines and prompts taken
	Damaged  uint64 // lines with bytes that are not printable ASCII
	Overlong uint64 // lines beyond the length limit, dropped up to their end
}

// decoder cuts the unit's byte stream into messages. The zero value is ready and drops what comes before the first line
// end, for we may have joined in the middle of a line; each block of the unit begins with one. It never fails and never grows: what is
// damaged is dropped up to the next line end and counted.
type decoder struct {
	Stats DecoderStats

	line    []byte
	at      time.Time // arrival of the line's first byte
	damaged bool
	overrun bool
	joined  bool
	telnet  telnetState
}

// telnetState follows the option negotiation (RFC 854) with which a unit's TCP port may begin.
type telnetState uint8

const (
	telnetText   telnetState = iota
	telnetIAC                // 255 came
	telnetOption             // 255 and WILL, WONT, DO or DONT came
)

// Feed takes bytes that arrived at one moment and calls emit for each message that they complete, in order.
func (d *decoder) Feed(p []byte, at time.Time, emit func(message)) {
	for _, b := range p {
		if d.skipTelnet(b) {
			continue
		}
		switch b {
		case '\r', '\n':
			d.endLine(emit)
		case '>':
			// No line holds one, so it is a prompt even when the line end before it was damaged.
			d.damaged = d.damaged || len(d.line) > 0
			d.endLine(emit)
			d.Stats.Lines++
			emit(message{Kind: kindPrompt, At: at})
		case 0: // padding
		default:
			d.add(b, at)
		}
	}
}

// skipTelnet tells whether b belongs to a negotiation. A lone 255 is noise and goes on as such.
func (d *decoder) skipTelnet(b byte) bool {
	switch {
	case d.telnet == telnetOption:
		d.telnet = telnetText
		return true
	case d.telnet == telnetIAC && b >= 251 && b <= 254:
		d.telnet = telnetOption
		return true
	case d.telnet == telnetIAC:
		d.telnet, d.damaged = telnetText, true
	}
	if b == 255 {
		d.telnet = telnetIAC
		return true
	}
	return false
}

func (d *decoder) add(b byte, at time.Time) {
	if len(d.line) == 0 && !d.damaged {
		d.at = at
	}
	switch {
	case b < ' ' || b > '~':
		d.damaged = true
	case len(d.line) >= maxLine:
		d.overrun = true
	default:
		d.line = append(d.line, b)
	}
}

func (d *decoder) endLine(emit func(message)) {
	line := d.line
	damaged, overrun, joined := d.damaged, d.overrun, d.joined
	d.line, d.damaged, d.overrun, d.joined = d.line[:0], false, false, true
	switch {
	case !joined:
	case overrun:
		d.Stats.Overlong++
	case damaged:
		d.Stats.Damaged++
	case len(line) > 0:
		d.Stats.Lines++
		m := parse(line)
		m.At, m.Raw = d.at, bytes.Clone(line)
		emit(m)
	}
}
