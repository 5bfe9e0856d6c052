package sitting

import "slices"

// Outputs are the orders that bring devices from nothing to what the state wants: after a restart, or when a device
// came back.
func Outputs(s State) []Effect {
	return difference(New(), s)
}

// heard reports whether a speaker is to be heard now.
func (s State) heard(sp Speaker) bool {
	return s.Phase == PhaseOpen && (sp.Chair || !s.Silenced)
}

// Transmits reports whether anybody may be sent sound or picture now, of the hall or of a member: in an open sitting, and
// in no other phase there is or will be.
func (s State) Transmits() bool { return s.Phase == PhaseOpen }

// asOf leaves out of orders what rules of an older version did not give.
func asOf(version int, es []Effect) []Effect {
	if version >= transmitRules {
		return es
	}
	return slices.DeleteFunc(es, func(e Effect) bool { return e.Kind == EffectTransmit })
}

// difference is what devices must do to get from one state to the next. Everything that is closed comes before
// anything that is opened, so that never more is open than either state allows.
func difference(was, now State) []Effect {
	var off, on []Effect
	if was.Transmits() && !now.Transmits() {
		off = append(off, Effect{Kind: EffectTransmit})
	}
	for _, sp := range was.Speakers {
		if was.heard(sp) && !now.Hears(sp.Grant) {
			off = append(off, order(sp, false))
		}
	}
	for _, sp := range now.Speakers {
		if now.heard(sp) && !was.Hears(sp.Grant) {
			on = append(on, order(sp, true))
		}
	}
	es := append(off, on...)
	if src := now.source(); src != was.source() || (len(was.Roster) == 0 && len(now.Roster) > 0) {
		es = append(es, Effect{Kind: EffectStage, Source: &src})
	}
	if now.Transmits() && !was.Transmits() {
		es = append(es, Effect{Kind: EffectTransmit, On: true})
	}
	return append(es, lamps(was, now)...)
}

func order(sp Speaker, on bool) Effect {
	if sp.Origin == OriginDesk {
		return Effect{Kind: EffectMic, Seat: sp.Seat, On: on, Grant: sp.Grant}
	}
	return Effect{Kind: EffectCarry, Person: sp.Person, On: on, Grant: sp.Grant}
}

// source is who stands in the word slot: the latest speaker, the chair only when nobody else speaks.
func (s State) source() Source {
	var found *Speaker
	for i := range s.Speakers {
		sp := &s.Speakers[i]
		if s.heard(*sp) && (found == nil || !sp.Chair || found.Chair) {
			found = sp
		}
	}
	switch {
	case found == nil:
		return Source{Kind: SourceHall}
	case found.Origin == OriginDesk:
		return Source{Kind: SourceSeat, Seat: found.Seat, Person: found.Person}
	}
	return Source{Kind: SourceRemote, Person: found.Person}
}

// Hears reports whether the grant with this number is heard now: an order that brings anything else is overtaken.
func (s State) Hears(grant uint64) bool {
	return slices.ContainsFunc(s.Speakers, func(sp Speaker) bool { return sp.Grant == grant && s.heard(sp) })
}

// LampAt is what the desk at a seat shows now.
func (s State) LampAt(seat SeatID) Lamp {
	if p, ok := s.AtSeat(seat); ok {
		return s.lamp(p)
	}
	return LampOff
}

// OnAir reports whether anybody is to be heard now: a sitting is open and somebody has the word who is not silenced.
// It follows the decision, not the device: it is true from the moment the microphone is ordered.
func (s State) OnAir() bool { return slices.ContainsFunc(s.Speakers, s.heard) }

// Word is who stands in the word slot now.
func (s State) Word() Source { return s.source() }

// lamp is what the desk in front of a person shows.
func (s State) lamp(p Person) Lamp {
	switch {
	case s.Alarm != nil:
		return LampOff // nobody is to wait at a desk for the word
	case s.Speaking(p.ID) >= 0:
		return LampSpeaking
	}
	switch s.Waiting(p.ID) {
	case -1:
		return LampOff
	case 0:
		return LampNext
	}
	return LampWaiting
}

func lamps(was, now State) []Effect {
	var es []Effect
	for _, p := range now.Roster {
		if p.Seat == "" {
			continue
		}
		before := LampOff
		if old, ok := was.AtSeat(p.Seat); ok {
			before = was.lamp(old)
		}
		if l := now.lamp(p); l != before {
			es = append(es, Effect{Kind: EffectLamp, Seat: p.Seat, Lamp: l})
		}
	}
	return es
}
