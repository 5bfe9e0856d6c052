package quinta

import (
	"context"
	"errors"
	"slices"
	"time"

	"plenum/hal/desk"
)

// sync logs in and brings unit and driver to one state: all microphones closed, requests as they were.
func (s *session) sync(ctx context.Context) error {
	s.live, s.relogin = false, false
	s.d.setLink(desk.LinkSyncing, "")
	s.d.publish(func(m *mapper) []desk.Event { m.resume(time.Now()); return nil })
	s.count(func(st *Stats) { st.Logins++ })
	if _, err := s.insist(ctx, cmdLogin, plain); err != nil {
		return err
	}
	b, err := s.insist(ctx, cmdVersion, data(kindVersion))
	if err != nil {
		return err
	}
	if !b.has(kindVersion) {
		return ErrLocked
	}
	model, err := s.insist(ctx, cmdModel, data(kindModel))
	if err != nil {
		return err
	}
	s.d.log.Info("desk logged in", "version", b.texts(kindVersion), "model", model.texts(kindModel))
	// An earlier session may have ended between M and M 0.
	if _, err := s.insist(ctx, cmdBroadcast, data(kindAddress)); err != nil {
		return err
	}
	if r, err := s.allOff(ctx); err != nil {
		return err
	} else if r.Outcome != desk.Confirmed {
		s.trouble = time.Now()
		s.d.log.Warn("microphones may be open that nobody ordered", "reason", r.Reason)
	}
	s.live = true
	s.showLink()
	return nil
}

func (b block) texts(k kind) []string {
	var texts []string
	for _, m := range b {
		if m.Kind == k {
			texts = append(texts, m.Text)
		}
	}
	return texts
}

// checkAlive finds out whether the unit is there and still has us logged in: a power cut or another port's login ends that.
func (s *session) checkAlive(ctx context.Context) error {
	b, err := s.exchange(ctx, cmdVersion, data(kindVersion))
	switch {
	case errors.Is(err, errNoPrompt):
		return nil
	case err != nil:
		return err
	case !b.has(kindVersion):
		s.d.log.Warn("the desk unit has forgotten our login")
		s.relogin = true
		return nil
	}
	return s.compare(ctx)
}

// compare asks for the streams and reports what differs. It is no order; a missing prompt is only noted.
func (s *session) compare(ctx context.Context) error {
	_, err := s.streams(ctx)
	if errors.Is(err, errNoPrompt) {
		return nil
	}
	return err
}

// streams compares our state with the unit's list of streams. It gives whether that list was complete.
func (s *session) streams(ctx context.Context) (complete bool, err error) {
	b, err := s.exchange(ctx, cmdStreams, data(kindStream))
	s.compared = time.Now()
	if err != nil {
		return false, err
	}
	b = slices.DeleteFunc(b, func(m message) bool { return m.Kind != kindStream })
	var seen [maxOpen]bool
	for _, m := range b {
		seen[m.Stream-0x0C] = true
	}
	complete = !slices.Contains(seen[:], false)
	var free []desk.Key
	s.d.publish(func(m *mapper) (events []desk.Event) {
		events, free = m.compare(b, complete, s.compared)
		return events
	})
	for _, key := range free {
		n, _, _ := parseKey(key) // our own spelling
		typ, _ := known2(s.d, func(m *mapper) (uint16, string) { return m.typeFor(n, key) })
		if _, err := s.exchange(ctx, cmdMic(n, false, typ), s.answersMic(key)); err != nil {
			return complete, err
		}
	}
	return complete, nil
}

// execute carries one order out. The order has its result before execute returns.
func (s *session) execute(ctx context.Context, o *order) error {
	var r desk.Result
	var err error
	switch o.what {
	case orderMic:
		r, err = s.mic(ctx, o)
	case orderDropRequest:
		r, err = s.dropRequest(ctx, o)
	case orderAllOff:
		r, err = s.allOff(ctx)
	case orderCompare:
		_, err = s.streams(ctx)
		r = desk.Result{Outcome: desk.Confirmed}
	}
	switch {
	case errors.Is(err, errNoPrompt):
		o.done(unknown("the desk did not answer within 5 s"))
		if o.what == orderCompare {
			return nil
		}
		// What comes now is news to whoever was told "unknown", and no echo.
		s.d.publish(func(m *mapper) []desk.Event { delete(m.orders, o.key); return nil })
		return s.compare(ctx)
	case err != nil:
		o.done(unknown("the line to the desk broke: " + err.Error()))
		return err
	}
	o.done(r)
	return nil
}

// answersMic tells the prompt that answers a microphone order: after nothing, after text, or after its Q line.
func (s *session) answersMic(key desk.Key) func(block) fit {
	return func(b block) fit {
		if slices.ContainsFunc(b, func(m message) bool { return s.allocates(m, key) }) {
			return fitYes
		}
		return plain(b)
	}
}

func (s *session) allocates(m message, key desk.Key) bool {
	return m.Kind == kindAlloc && key == known(s.d, func(state *mapper) desk.Key { return state.sideOf(m.Unit, m.Right) })
}

// mic opens or closes a microphone. The caller has the result as soon as the Q line is there.
func (s *session) mic(ctx context.Context, o *order) (desk.Result, error) {
	typ, why := known2(s.d, func(m *mapper) (uint16, string) { return m.typeFor(o.unit, o.key) })
	if why != "" {
		return refused(why), nil
	}
	s.d.publish(func(m *mapper) []desk.Event {
		m.orders[o.key] = expectation{on: o.on, at: time.Now()}
		return nil
	})
	confirmed := false
	s.watch = func(m message) {
		if m.On == o.on && s.allocates(m, o.key) {
			confirmed = true
			o.done(desk.Result{Outcome: desk.Confirmed})
		}
	}
	defer func() { s.watch = nil }()
	_, err := s.exchange(ctx, cmdMic(o.unit, o.on, typ), s.answersMic(o.key))
	is := func() bool { return known(s.d, func(m *mapper) bool { return m.isOpen(o.key) }) }
	if err == nil && !confirmed {
		err = s.wait(ctx, allocGrace, func() bool { return confirmed || is() == o.on })
		if err == nil && !confirmed || errors.Is(err, errTime) {
			_, err = s.streams(ctx)
		}
	}
	if err != nil {
		return desk.Result{}, err
	}
	if confirmed || is() == o.on {
		return desk.Result{Outcome: desk.Confirmed}, nil
	}
	s.d.publish(func(m *mapper) []desk.Event { delete(m.orders, o.key); return nil })
	if o.on {
		return refused(known(s.d, func(m *mapper) string { return m.whyShut(o.unit, time.Now()) })), nil
	}
	return refused("the desk did not close the microphone"), nil
}

// typeFor gives the third parameter of an A command, or why there is none.
func (m *mapper) typeFor(n uint32, key desk.Key) (typ uint16, why string) {
	u := m.units[n]
	if u == nil || !u.known { // not heard of since start: the plain kind of its shape, zone 1
		switch key.Side {
		case "L":
			return 0x0100 | modeLeft, ""
		case "R":
			return 0x0100 | modeRight, ""
		}
		return modeSingle, ""
	}
	switch {
	case isDouble(u.typ) != (key.Side != "") && key.Side == "":
		return 0, "this is a double unit: say which side, L or R"
	case isDouble(u.typ) != (key.Side != ""):
		return 0, "this is a single unit: it has no sides"
	case key.Side == "R":
		return u.typ&^modeMask | modeRight, ""
	case key.Side == "L":
		return u.typ&^modeMask | modeLeft, ""
	}
	return u.typ, ""
}

// dropRequest takes a request back. The command goes to all units unless one is addressed before, so it is sent only
// when the unit's own number came back; and afterwards all are addressed again, or the session ends.
//
// When the unit itself has said that it does not ask, nothing is sent: it would only catch a press made meanwhile.
func (s *session) dropRequest(ctx context.Context, o *order) (desk.Result, error) {
	if known(s.d, func(m *mapper) bool { return m.asksNot(o.key) }) {
		return desk.Result{Outcome: desk.Confirmed}, nil
	}
	b, err := s.exchange(ctx, cmdAddress(o.unit), data(kindAddress))
	if err != nil && !errors.Is(err, errNoPrompt) {
		return desk.Result{}, err
	}
	r := refused("the desk does not know this unit")
	if slices.ContainsFunc(b, func(m message) bool { return m.Kind == kindAddress && m.Unit == o.unit }) {
		_, err = s.exchange(ctx, cmdDropRequest(o.key.Side == "R"), plain)
		switch {
		case err == nil:
			r = desk.Result{Outcome: desk.Confirmed}
			s.d.publish(func(m *mapper) []desk.Event { return m.dropRequest(o.key, time.Now()) })
		case errors.Is(err, errNoPrompt):
			r = unknown("the desk did not answer within 5 s")
		default:
			return desk.Result{}, err
		}
	}
	o.done(r)
	_, err = s.insist(ctx, cmdBroadcast, data(kindAddress))
	return r, err
}

// allOff closes all microphones. Their Q lines may come before or after the prompt.
func (s *session) allOff(ctx context.Context) (desk.Result, error) {
	s.d.publish(func(m *mapper) []desk.Event { m.allOff, m.clearing = time.Now(), true; return nil })
	defer s.d.publish(func(m *mapper) []desk.Event { m.clearing = false; return nil })
	_, err := s.exchange(ctx, cmdAllOff, func(b block) fit {
		if b.has(kindClear) || b.has(kindAlloc) {
			return fitYes
		}
		return plain(b)
	})
	if err != nil && !errors.Is(err, errNoPrompt) {
		return desk.Result{}, err
	}
	silent := err != nil
	anyOpen := func() bool { return known(s.d, (*mapper).anyOpen) }
	if err := s.wait(ctx, allocGrace, func() bool { return !anyOpen() }); err != nil && !errors.Is(err, errTime) {
		return desk.Result{}, err
	}
	// What the unit lists is what counts: it may hold microphones open that we have never heard of.
	complete, err := s.streams(ctx)
	switch {
	case err != nil && !errors.Is(err, errNoPrompt):
		return desk.Result{}, err
	case err != nil, silent && !complete:
		return unknown("the desk did not answer within 5 s"), nil
	case anyOpen():
		return refused("the desk keeps a microphone open"), nil
	}
	return desk.Result{Outcome: desk.Confirmed}, nil
}

// known2 is known for two results.
func known2[A, B any](d *Driver, read func(*mapper) (A, B)) (A, B) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return read(d.state)
}
