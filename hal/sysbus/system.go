package sysbus

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

// Objects and interfaces of systemd (org.freedesktop.systemd1(5), .login1(5), .timedate1(5), .hostname1(5), .network1(5)).
const (
	systemdFace = "org.freedesktop.systemd1.Manager"
	loginFace   = "org.freedesktop.login1.Manager"
)

func systemd() object  { return object{systemdName, "/org/freedesktop/systemd1"} }
func login() object    { return object{loginName, "/org/freedesktop/login1"} }
func clock() object    { return object{timeName, "/org/freedesktop/timedate1"} }
func hostname() object { return object{hostName, "/org/freedesktop/hostname1"} }

// Inhibit takes a lock of login1 against what ("shutdown", "sleep", several with colons between), in the name of plenum.
// It holds until release is called or the process ends, also when bus or login1 are started anew.
func (b *Bus) Inhibit(ctx context.Context, what, why string) (release func(), err error) {
	l, err := b.connected()
	if err != nil {
		return nil, fmt.Errorf("inhibit %s: %w", what, err)
	}
	// Not by call: an answer that comes too late brings a lock as well, and somebody must give it back.
	in, cancel := context.WithTimeout(ctx, b.limits.call)
	defer cancel()
	answer := make(chan *dbus.Call, 1)
	l.conn.Object(loginName, login().path).Go(loginFace+".Inhibit", 0, answer, what, "plenum", why, "block")
	select {
	case c := <-answer:
		if c.Err != nil {
			return nil, fmt.Errorf("inhibit %s: %w", what, l.explain(ctx, c.Err, loginName, "Inhibit", b.limits.call))
		}
		fd, err := single[dbus.UnixFD](c.Body, nil)
		if err != nil {
			return nil, fmt.Errorf("inhibit %s: %w", what, err)
		}
		b.trouble(loginName, nil)
		return sync.OnceFunc(func() { unix.Close(int(fd)) }), nil
	case <-in.Done():
		go func() { // ends with the connection at the latest
			if fd, err := single[dbus.UnixFD]((<-answer).Body, nil); err == nil {
				unix.Close(int(fd))
			}
		}()
		err := l.explain(ctx, in.Err(), loginName, "Inhibit", b.limits.call)
		if ctx.Err() == nil {
			b.trouble(loginName, err)
		}
		return nil, fmt.Errorf("inhibit %s: %w", what, err)
	}
}

// Reboot restarts the box. Locks taken by Inhibit are in its way and must be released before.
func (b *Bus) Reboot(ctx context.Context) error {
	if _, err := b.call(ctx, login(), loginFace+".Reboot", false); err != nil {
		return fmt.Errorf("reboot: %w", err)
	}
	return nil
}

// PowerOff switches the box off. Locks taken by Inhibit are in its way and must be released before.
func (b *Bus) PowerOff(ctx context.Context) error {
	if _, err := b.call(ctx, login(), loginFace+".PowerOff", false); err != nil {
		return fmt.Errorf("power off: %w", err)
	}
	return nil
}

// StartUnit starts a unit and waits for the result of its job: for a oneshot that is its end.
func (b *Bus) StartUnit(ctx context.Context, unit string) error {
	if err := b.startUnit(ctx, unit); err != nil {
		return fmt.Errorf("start %s: %w", unit, err)
	}
	return nil
}

func (b *Bus) startUnit(ctx context.Context, unit string) error {
	l, err := b.connected()
	if err != nil {
		return err
	}
	j := &jobs{bus: b, unit: unit, results: map[dbus.ObjectPath]string{}, pulse: make(chan struct{}, 1)}
	defer l.ears.listen(j.hear)()
	path, err := single[dbus.ObjectPath](b.call(ctx, systemd(), systemdFace+".StartUnit", unit, "replace"))
	if err != nil {
		return err
	}
	in, cancel := context.WithTimeout(ctx, b.limits.job)
	defer cancel()
	for {
		if result, gone := j.result(path); gone {
			return fmt.Errorf("%w: systemd was started anew meanwhile", ErrAbsent)
		} else if result == "done" || result == "skipped" {
			return nil
		} else if result != "" {
			return fmt.Errorf("its job ended with %q", result)
		}
		select {
		case <-j.pulse:
		case <-l.dead():
			return fmt.Errorf("%w: the system bus went away meanwhile", ErrAbsent)
		case <-in.Done():
			if ctx.Err() == nil {
				return fmt.Errorf("its job did not end within %s", b.limits.job)
			}
			return ctx.Err()
		}
	}
}

// jobs collects how the jobs of one unit ended: the end may be announced before the answer that names the job is read.
type jobs struct {
	bus  *Bus
	unit string

	pulse   chan struct{}
	mu      sync.Mutex
	gone    bool
	results map[dbus.ObjectPath]string
}

// hear takes JobRemoved(id, job, unit, result). It runs on the bus's goroutine and only notes.
func (j *jobs) hear(s *dbus.Signal) {
	name, before, _, moved := ownerChange(s)
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case moved && name == systemdName && before != "":
		j.gone = true
	case s.Name == systemdFace+".JobRemoved" && len(s.Body) == 4 && s.Body[2] == j.unit && j.bus.from(systemdName, s):
		job, ok1 := s.Body[1].(dbus.ObjectPath)
		result, ok2 := s.Body[3].(string)
		if !ok1 || !ok2 || len(j.results) >= 64 {
			return
		}
		j.results[job] = result
	default:
		return
	}
	pulse(j.pulse)
}

func (j *jobs) result(job dbus.ObjectPath) (result string, gone bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	result = j.results[job]
	return result, result == "" && j.gone
}

// Clock is the state of the system's clock.
type Clock struct {
	Synchronized bool // set by a time server since boot
	NTP          bool // a time server is asked
}

// Clock asks for the state of the clock.
func (b *Bus) Clock(ctx context.Context) (Clock, error) {
	p, err := b.properties(ctx, clock(), timeName)
	r := &reader{props: p, err: err}
	c := Clock{Synchronized: take[bool](r, "NTPSynchronized"), NTP: take[bool](r, "NTP")}
	if r.err != nil {
		return Clock{}, fmt.Errorf("read the clock's state: %w", r.err)
	}
	return c, nil
}

// SetHostname names the box. Where /etc cannot be written the name holds until the next boot, and is set again then.
func (b *Bus) SetHostname(ctx context.Context, name string) error {
	_, err := b.call(ctx, hostname(), hostName+".SetStaticHostname", name, false)
	// That /etc is read-only is said differently by every version of hostnamed.
	if err != nil && !errors.Is(err, ErrAbsent) && !errors.Is(err, ErrRefused) {
		if _, again := b.call(ctx, hostname(), hostName+".SetHostname", name, false); again != nil {
			err = errors.Join(err, again)
		} else {
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("set the host name: %w", err)
	}
	p, err := b.properties(ctx, hostname(), hostName)
	r := &reader{props: p, err: err}
	if now := take[string](r, "Hostname"); r.err == nil && now != name {
		return fmt.Errorf("set the host name: it is %q still; is there one in /etc/hostname?", now)
	}
	if r.err != nil {
		return fmt.Errorf("read the host name back: %w", r.err)
	}
	return nil
}

// ReloadNetwork has networkd read its files and set up the interfaces they change.
func (b *Bus) ReloadNetwork(ctx context.Context) error {
	_, err := b.call(ctx, object{networkName, "/org/freedesktop/network1"}, networkName+".Manager.Reload")
	if err != nil {
		return fmt.Errorf("reload the network: %w", err)
	}
	return nil
}
