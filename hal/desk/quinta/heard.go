package quinta

import (
	"fmt"

	"plenum/hal/port"
)

// heard counts what came since the first command without an answer, to tell what keeps a unit from answering.
type heard struct {
	bytes   bool
	echoes  int // our own commands came back
	own     int // lines of the protocol
	strange int // whole lines that are not of the protocol
	damaged uint64
}

func (h *heard) line(m message, echo bool) {
	switch {
	case echo:
		h.echoes++
	case m.Kind == kindUnknown:
		h.strange++
	default:
		h.own++
	}
}

// silent is ErrSilent with what to look at.
func (s *session) silent() error {
	h, opt := s.heard, s.d.opt
	switch {
	case h.own > 0:
		return fmt.Errorf("%w, but it is heard: does the wire from the box to the unit (TX) break off, or another control program hold it?", ErrSilent)
	case h.echoes > 0 && h.strange == 0:
		return fmt.Errorf("%w: %s", ErrSilent, port.HintEcho(opt.Port))
	case s.answered:
		return fmt.Errorf("%w any more: is it still switched on, the cable still plugged in?", ErrSilent)
	case h.strange > 0 && h.damaged == 0:
		return fmt.Errorf("%w: text comes that no Quinta sends: is another device on this line?", ErrSilent)
	case h.bytes:
		return fmt.Errorf("%w: %s", ErrSilent, port.HintGarbled(opt.Port, opt.Line))
	}
	return fmt.Errorf("%w: %s", ErrSilent, port.HintSilent(opt.Port, opt.Line))
}
