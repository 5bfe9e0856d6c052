package sysbus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// Service says whether a service can be counted on.
type Service struct {
	Name    string // bus, systemd, login1, udisks2, rauc, timedate1, hostname1
	Present bool   // it runs, or is started when it is called
	Reason  string // why not; "" when it is present
}

// Names of the services on the bus.
const (
	systemdName = "org.freedesktop.systemd1"
	loginName   = "org.freedesktop.login1"
	disksName   = "org.freedesktop.UDisks2"
	raucName    = "de.pengutronix.rauc"
	timeName    = "org.freedesktop.timedate1"
	hostName    = "org.freedesktop.hostname1"
	networkName = "org.freedesktop.network1"
)

// service is what is known of one.
type service struct {
	short   string
	kept    bool      // started by us when it does not run: its signals are wanted, or its absence must be known
	owner   string    // its own name on the bus, such as ":1.7"; "" when it does not run
	told    bool      // the bus announced a change since the connection, so a question asked at its start is out of date
	startup bool      // the bus can start it
	trouble string    // why it could not be started, or did not answer
	said    time.Time // when that was logged last
}

// order is how services are listed.
func order() []string {
	return []string{systemdName, loginName, disksName, raucName, timeName, hostName}
}

func newServices() map[string]*service {
	return map[string]*service{
		systemdName: {short: "systemd"}, loginName: {short: "login1"}, disksName: {short: "udisks2", kept: true},
		raucName: {short: "rauc", kept: true}, timeName: {short: "timedate1"}, hostName: {short: "hostname1"},
	}
}

// Services lists the bus and the services on it. One that is started when it is called counts as present, until starting
// it fails.
func (b *Bus) Services() []Service {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := []Service{{Name: "bus", Present: b.link != nil, Reason: b.reason}}
	for _, name := range order() {
		s := b.services[name]
		v := Service{Name: s.short, Reason: s.trouble}
		switch {
		case b.link == nil:
			v.Reason = "the system bus is gone"
		case s.trouble != "":
		case s.owner != "" || s.startup:
			v.Present = true
		default:
			v.Reason = "it does not run, and nothing starts it"
		}
		list = append(list, v)
	}
	return list
}

// forget drops what was known of the services on an earlier connection.
func (b *Bus) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.services = newServices()
}

// rules are the signals that are wanted.
func rules() []string {
	list := []string{
		"type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',member='NameOwnerChanged'",
		"type='signal',sender='" + disksName + "',interface='org.freedesktop.DBus.ObjectManager'",
		"type='signal',sender='" + raucName + "',path='/'",
		"type='signal',sender='" + systemdName + "',interface='org.freedesktop.systemd1.Manager',member='JobRemoved'",
	}
	// Not of its jobs, and nothing but what can change a volume.
	for _, i := range []string{blockFace, driveFace, filesystemFace} {
		list = append(list, "type='signal',sender='"+disksName+"',interface='org.freedesktop.DBus.Properties',arg0='"+i+"'")
	}
	return list
}

// enter asks for signals and learns who is there. Signals first: so nothing is missed in between.
func (b *Bus) enter(ctx context.Context, l *link) error {
	for _, rule := range rules() {
		if _, err := l.call(ctx, theBus(), b.limits.own, busName+".AddMatch", rule); err != nil {
			return err
		}
	}
	for _, name := range order() {
		owner, err := single[string](l.call(ctx, theBus(), b.limits.own, busName+".GetNameOwner", name))
		if err != nil && errorName(err) != busName+".Error.NameHasNoOwner" {
			return err
		}
		b.mu.Lock()
		if s := b.services[name]; !s.told {
			s.owner = owner
		}
		b.mu.Unlock()
	}
	return b.startable(ctx, l)
}

// startable learns which services the bus can start.
func (b *Bus) startable(ctx context.Context, l *link) error {
	names, err := single[[]string](l.call(ctx, theBus(), b.limits.own, busName+".ListActivatableNames"))
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, s := range b.services {
		s.startup = slices.Contains(names, name)
	}
	return nil
}

// hear is the ear of the Bus itself.
func (b *Bus) hear(s *dbus.Signal) {
	if name, _, owner, ok := ownerChange(s); ok {
		b.moved(name, owner)
		return
	}
	if b.from(disksName, s) {
		b.tell()
	}
}

// moved notes a new owner of a name; "": none.
func (b *Bus) moved(name, owner string) {
	b.mu.Lock()
	s := b.services[name]
	if s != nil {
		s.owner, s.told = owner, true
		if owner != "" {
			s.trouble = ""
		}
	}
	b.mu.Unlock()
	if s != nil {
		b.tell()
		pulse(b.nudge)
	}
}

// ownerChange reads the bus's own signal that a name changed hands.
func ownerChange(s *dbus.Signal) (name, before, after string, ok bool) {
	if s.Sender != busName || s.Name != busName+".NameOwnerChanged" || len(s.Body) != 3 {
		return "", "", "", false
	}
	name, ok1 := s.Body[0].(string)
	before, ok2 := s.Body[1].(string)
	after, ok3 := s.Body[2].(string)
	return name, before, after, ok1 && ok2 && ok3
}

// from reports whether a signal is the service's own: anybody may send signals.
func (b *Bus) from(name string, s *dbus.Signal) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return s.Sender != "" && b.services[name].owner == s.Sender
}

// keep watches over the bus and its services until the connection is lost.
func (b *Bus) keep(ctx context.Context, l *link) error {
	wait := b.limits.first
	for {
		down := b.revive(ctx, l)
		if _, err := l.call(ctx, theBus(), b.limits.own, busName+".GetId"); err != nil {
			return err
		}
		pause := b.limits.ping
		if down {
			pause, wait = wait, min(2*wait, b.limits.last)
		} else {
			wait = b.limits.first
		}
		round, cancel := context.WithTimeout(ctx, pause)
		select {
		case <-l.dead():
			cancel()
			return fmt.Errorf("%w: it closed the connection", ErrAbsent)
		case <-b.nudge:
			if sleep(round, b.limits.first) != nil && ctx.Err() != nil {
				cancel()
				return ctx.Err()
			}
		case <-round.Done():
		}
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// revive starts services that should run and asks those that did not answer. It reports whether some are still down.
func (b *Bus) revive(ctx context.Context, l *link) (down bool) {
	b.mu.Lock()
	var starts, asks []string
	for _, name := range order() {
		switch s := b.services[name]; {
		case s.owner != "" && s.trouble != "":
			asks = append(asks, name)
		case s.owner == "" && (s.kept || s.trouble != ""):
			starts = append(starts, name)
		}
	}
	b.mu.Unlock()
	if len(starts) > 0 && b.startable(ctx, l) != nil {
		return true
	}
	for _, name := range starts {
		if !b.canStart(name) {
			b.trouble(name, nil)
			down = true
			continue
		}
		_, err := l.call(ctx, theBus(), b.limits.call, busName+".StartServiceByName", name, uint32(0))
		b.trouble(name, err)
		down = down || err != nil
	}
	for _, name := range asks {
		_, err := l.call(ctx, object{name, "/"}, b.limits.call, busName+".Peer.Ping")
		if !errors.Is(err, ErrAbsent) {
			err = nil // an error is an answer as well; and the bus may not let us ping
		}
		b.trouble(name, err)
		down = down || err != nil
	}
	return down
}

func (b *Bus) canStart(name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.services[name].startup
}

// sayAgain is how long trouble that comes and goes is not logged again.
const sayAgain = time.Minute

// trouble notes why a service could not be started or did not answer; nil: it did.
func (b *Bus) trouble(name string, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	b.mu.Lock()
	s := b.services[name]
	// Only whether there is trouble is news: its words differ with every call that fails, and whoever hears of it calls.
	changed := s != nil && (s.trouble == "") != (text == "")
	var said time.Time
	if s != nil {
		said, s.trouble = s.said, text
		if changed && text != "" && time.Since(said) > sayAgain {
			s.said = time.Now()
		}
	}
	b.mu.Unlock()
	if !changed {
		return
	}
	if text != "" && time.Since(said) > sayAgain {
		b.log.Warn("a system service is in trouble", "service", name, "reason", text)
	}
	b.tell()
	pulse(b.nudge)
}

// call calls a method of a service and notes whether the service is there.
func (b *Bus) call(ctx context.Context, o object, method string, args ...any) ([]any, error) {
	return b.callWithin(ctx, b.limits, o, method, args...)
}

// callSlowly is call for answers that wait for a slow stick.
func (b *Bus) callSlowly(ctx context.Context, o object, method string, args ...any) ([]any, error) {
	patient := b.limits
	patient.call = b.limits.slow
	return b.callWithin(ctx, patient, o, method, args...)
}

func (b *Bus) callWithin(ctx context.Context, within limits, o object, method string, args ...any) ([]any, error) {
	l, err := b.connected()
	if err != nil {
		return nil, err
	}
	body, err := l.call(ctx, o, within.call, method, args...)
	switch {
	case err == nil, ctx.Err() == nil && !errors.Is(err, ErrAbsent), strings.HasPrefix(errorName(err), o.name+"."):
		b.trouble(o.name, nil) // also its error is an answer
	case ctx.Err() == nil && l.conn.Context().Err() == nil:
		b.trouble(o.name, err)
	}
	return body, err
}

// properties reads all properties of an interface.
func (b *Bus) properties(ctx context.Context, o object, face string) (props, error) {
	return single[props](b.call(ctx, o, busProps+"GetAll", face))
}
