package port

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// DefaultWriteTimeout is used when Settings.WriteTimeout is zero. At 9600 bit/s it still carries 1900 bytes.
const DefaultWriteTimeout = 2 * time.Second

// maxDelay is what Linux allows before and after sending over RS-485.
const maxDelay = 100 * time.Millisecond

// Parity of a serial line.
type Parity byte

// Parities.
const (
	ParityNone Parity = iota
	ParityOdd
	ParityEven
)

// Flow is who may stop the sender.
type Flow byte

// Kinds of flow control. XON/XOFF is not among them: desks send binary bytes.
const (
	FlowNone   Flow = iota
	FlowRTSCTS      // by the RTS and CTS wires
)

// RS485 tells how the driver switches the direction of a two-wire line. It is the UART's driver that must do it: only it
// knows when the last bit has left. An adapter that switches by itself needs none of this.
type RS485 struct {
	Enabled      bool
	RTSOnSend    bool          // level of RTS while sending
	RTSAfterSend bool          // level of RTS while receiving; the opposite of RTSOnSend
	DelayBefore  time.Duration // from switching to the first bit; whole ms, 100 at most
	DelayAfter   time.Duration // from the last bit to switching back; whole ms, 100 at most
}

// Settings are the line settings, for TCP only WriteTimeout counts. The zero value of each field but Baud is a usable
// default, so Settings{Baud: 57600} is 57600 8N1.
type Settings struct {
	Baud         int           // bit/s, required for a serial line
	DataBits     int           // 5 to 8; 0: 8
	Parity       Parity        // ParityNone by default
	StopBits     int           // 1 or 2; 0: 1
	Flow         Flow          // FlowNone by default
	RS485        RS485         // not used by default, which leaves the line as the board has it
	WriteTimeout time.Duration // longest time of one Write; 0: DefaultWriteTimeout
}

// ErrSettings: a text is no line settings.
var ErrSettings = errors.New(`not line settings: write for example "57600 8N1", and after it what is needed of ` +
	`rtscts, rs485, rs485-inverted, before=2ms, after=1ms`)

// ParseSettings reads line settings as people write them and lays them over base, the settings of a driver:
//
//	57600 8N1 rtscts
//	9600 rs485 before=1ms after=2ms
//
// The words may stand in any order and each may be left out: speed in bit/s, framing (data bits, parity N, O or E, stop
// bits), rtscts or noflow, rs485 (RTS high while sending), rs485-inverted or nors485, and the delays of RS-485.
func ParseSettings(text string, base Settings) (Settings, error) {
	s, seen := base, map[string]bool{}
	for word := range strings.FieldsSeq(text) {
		what, err := s.take(strings.ToLower(word))
		if err != nil {
			return Settings{}, fmt.Errorf("%q: %w: %q is %s", text, ErrSettings, word, err.Error())
		}
		if seen[what] {
			return Settings{}, fmt.Errorf("%q: %w: %s stands there twice", text, ErrSettings, what)
		}
		seen[what] = true
	}
	if (seen["before="] || seen["after="]) && !s.RS485.Enabled {
		return Settings{}, fmt.Errorf("%q: %w: before= and after= go with rs485", text, ErrSettings)
	}
	if s.Flow != FlowNone && s.RS485.Enabled {
		return Settings{}, fmt.Errorf("%q: %w: RTS cannot serve both rtscts and rs485", text, ErrSettings)
	}
	return s, nil
}

var errUnknownWord = errors.New("no such setting")

// take takes one word and tells what it was about.
func (s *Settings) take(word string) (what string, err error) {
	switch word {
	case "rtscts":
		s.Flow = FlowRTSCTS
		return "flow control", nil
	case "noflow":
		s.Flow = FlowNone
		return "flow control", nil
	case "rs485", "rs485-inverted":
		s.RS485.Enabled, s.RS485.RTSOnSend, s.RS485.RTSAfterSend = true, word == "rs485", word != "rs485"
		return "rs485", nil
	case "nors485":
		s.RS485 = RS485{}
		return "rs485", nil
	}
	for key, to := range map[string]*time.Duration{"before=": &s.RS485.DelayBefore, "after=": &s.RS485.DelayAfter} {
		if value, ok := strings.CutPrefix(word, key); ok {
			d, err := time.ParseDuration(value)
			if err != nil || d < 0 || d > maxDelay || d%time.Millisecond != 0 {
				return "", errors.New("no delay of 0 to 100 whole ms")
			}
			*to = d
			return key, nil
		}
	}
	if len(word) == 3 && strings.Contains("noe", word[1:2]) {
		return "framing", s.frame(word)
	}
	if word[0] < '0' || word[0] > '9' {
		return "", errUnknownWord
	}
	baud, err := strconv.Atoi(word)
	if err != nil || baud < 50 || baud > 4_000_000 {
		return "", errors.New("no speed of 50 to 4000000 bit/s")
	}
	s.Baud = baud
	return "speed", nil
}

// frame takes a framing such as 8n1.
func (s *Settings) frame(word string) error {
	if word[0] < '5' || word[0] > '8' || word[2] < '1' || word[2] > '2' {
		return errors.New("no framing of 5 to 8 data bits and 1 or 2 stop bits")
	}
	s.DataBits, s.StopBits = int(word[0]-'0'), int(word[2]-'0')
	s.Parity = map[byte]Parity{'n': ParityNone, 'o': ParityOdd, 'e': ParityEven}[word[1]]
	return nil
}

// String gives the settings as ParseSettings reads them. The write time-out is no part of it.
func (s Settings) String() string {
	parity := "?"
	if s.Parity <= ParityEven {
		parity = "NOE"[s.Parity : s.Parity+1]
	}
	text := fmt.Sprintf("%d %d%s%d", s.Baud, cmp.Or(s.DataBits, 8), parity, cmp.Or(s.StopBits, 1))
	if s.Flow == FlowRTSCTS {
		text += " rtscts"
	}
	if s.RS485.Enabled {
		text += " rs485"
		if !s.RS485.RTSOnSend {
			text += "-inverted"
		}
		for _, d := range []struct {
			key   string
			delay time.Duration
		}{{"before", s.RS485.DelayBefore}, {"after", s.RS485.DelayAfter}} {
			if d.delay != 0 {
				text += fmt.Sprintf(" %s=%dms", d.key, d.delay.Milliseconds())
			}
		}
	}
	return text
}
