package sysbus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"
)

// systemBus is where the system bus listens (D-Bus specification, "Well-known Message Bus Instances").
const systemBus = "unix:path=/run/dbus/system_bus_socket"

// The bus itself, as an object on it.
const (
	busName  = "org.freedesktop.DBus"
	busProps = "org.freedesktop.DBus.Properties."
)

// object is something on the bus that can be called.
type object struct {
	name string // of the service
	path dbus.ObjectPath
}

func theBus() object { return object{busName, "/org/freedesktop/DBus"} }

// link is one connection. It dies with its socket and is not used again.
type link struct {
	conn *dbus.Conn
	raw  net.Conn
	ears *ears
}

// dial connects and greets. hear gets every signal from the start. limit holds for all of it.
func dial(ctx context.Context, address string, limit time.Duration, hear func(*dbus.Signal)) (*link, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it does not answer within %s", limit))
	defer cancel()
	names, err := sockets(address)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		var l *link
		if l, err = greet(ctx, name, hear); err == nil {
			return l, nil
		}
	}
	return nil, err
}

// greet connects to one socket. godbus has no time limit for this, so the socket is closed under it; and its own Close
// waits for a write that may be stuck, so the socket stays in our hands (DialUnix instead of Dial).
func greet(ctx context.Context, name string, hear func(*dbus.Signal)) (*link, error) {
	raw, err := (&net.Dialer{}).DialContext(ctx, "unix", name)
	if err != nil {
		return nil, fmt.Errorf("connect to the bus: %w", err)
	}
	unhook := context.AfterFunc(ctx, func() { raw.Close() })
	e := &ears{fs: map[int]func(*dbus.Signal){}}
	e.listen(hear)
	conn, err := dbus.ConnectUnix(raw.(*net.UnixConn), dbus.WithSignalHandler(e), dbus.WithHandler(nobody{}))
	if !unhook() {
		err = context.Cause(ctx)
	}
	if err != nil {
		raw.Close()
		return nil, fmt.Errorf("greet the bus at %s: %w", name, err)
	}
	return &link{conn: conn, raw: raw, ears: e}, nil
}

// close ends the connection, also one that is stuck, and every call on it.
func (l *link) close() {
	l.raw.Close()
	<-l.dead()
}

// dead is closed when the connection is.
func (l *link) dead() <-chan struct{} { return l.conn.Context().Done() }

// sockets reads a list of addresses and gives the sockets they name, in the form of package net. Only unix sockets are
// spoken: RAUC, UDisks2 and login1 pass descriptors or check the caller's user.
func sockets(address string) ([]string, error) {
	if address == "" {
		address = os.Getenv("DBUS_SYSTEM_BUS_ADDRESS")
	}
	if address == "" {
		address = systemBus
	}
	var found []string
	for a := range strings.SplitSeq(address, ";") {
		rest, ok := strings.CutPrefix(a, "unix:")
		for field := range strings.SplitSeq(rest, ",") {
			key, value, _ := strings.Cut(field, "=")
			value, err := dbus.UnescapeBusAddressValue(value)
			switch {
			case !ok || err != nil || value == "":
			case key == "path":
				found = append(found, value)
			case key == "abstract":
				found = append(found, "@"+value)
			}
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("bus address %q names no unix socket", address)
	}
	return found, nil
}

// nobody answers calls of others: nothing here is for them.
type nobody struct{}

// LookupObject is called by godbus.
func (nobody) LookupObject(dbus.ObjectPath) (dbus.ServerObject, bool) { return nil, false }

// ears hands signals to those who listen, in the order of their coming and on godbus's own goroutine. Its own handler
// starts a goroutine for each signal that finds no place, without limit and order.
type ears struct {
	mu   sync.Mutex
	next int
	fs   map[int]func(*dbus.Signal)
}

// DeliverSignal is called by godbus.
func (e *ears) DeliverSignal(_, _ string, s *dbus.Signal) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, f := range e.fs {
		f(s)
	}
}

// listen adds a function that must return at once and may not call listen. After stop it is not called any more.
func (e *ears) listen(f func(*dbus.Signal)) (stop func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := e.next
	e.next++
	e.fs[n] = f
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.fs, n)
	}
}

// call calls a method and gives what it returned.
func (l *link) call(ctx context.Context, o object, limit time.Duration, method string, args ...any) ([]any, error) {
	in, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c := l.conn.Object(o.name, o.path).CallWithContext(in, method, 0, args...)
	if c.Err == nil {
		return c.Body, nil
	}
	return nil, l.explain(ctx, c.Err, o.name, method, limit)
}

// explain says what went wrong with a call in terms callers can branch on.
func (l *link) explain(ctx context.Context, err error, name, method string, limit time.Duration) error {
	short := method[strings.LastIndexByte(method, '.')+1:]
	var answer dbus.Error
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s of %s: %w", short, name, ctx.Err())
	case errors.As(err, &answer):
		return &busError{kind: kindOf(answer.Name), name: answer.Name, text: fmt.Sprintf("%s of %s: %s", short, name, clean(answer.Error()))}
	case l.conn.Context().Err() != nil:
		return &busError{kind: ErrAbsent, text: fmt.Sprintf("%s of %s: the system bus went away", short, name)}
	case errors.Is(err, context.DeadlineExceeded):
		return &busError{kind: ErrAbsent, name: errNoAnswer, text: fmt.Sprintf("%s of %s: no answer within %s", short, name, limit)}
	}
	return fmt.Errorf("%s of %s: %w", short, name, err)
}

// busError is an error a service or the bus answered with.
type busError struct {
	kind error  // one of the sentinels, or nil
	name string // such as "org.freedesktop.DBus.Error.AccessDenied"; "" for none
	text string
}

func (e *busError) Error() string {
	if e.kind != nil {
		return e.kind.Error() + ": " + e.text
	}
	return e.text
}

func (e *busError) Unwrap() error { return e.kind }

// errNoAnswer is the bus's own name for an answer that does not come.
const errNoAnswer = "org.freedesktop.DBus.Error.NoReply"

// kindOf sorts the errors services answer with.
func kindOf(name string) error {
	switch name {
	case "org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner", errNoAnswer,
		"org.freedesktop.DBus.Error.Disconnected", "org.freedesktop.DBus.Error.TimedOut", "org.freedesktop.DBus.Error.Timeout",
		"org.freedesktop.DBus.Error.NoServer":
		return ErrAbsent
	case "org.freedesktop.DBus.Error.AccessDenied", "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
		"org.freedesktop.DBus.Error.AuthFailed", "org.freedesktop.UDisks2.Error.NotAuthorized",
		"org.freedesktop.UDisks2.Error.NotAuthorizedCanObtain", "org.freedesktop.UDisks2.Error.NotAuthorizedDismissed",
		"org.freedesktop.UDisks2.Error.OptionNotPermitted", "org.freedesktop.PolicyKit1.Error.NotAuthorized",
		"org.freedesktop.login1.BlockedByInhibitorLock":
		return ErrRefused
	}
	// The bus could not start the service, or systemd could not on its behalf.
	if strings.HasPrefix(name, "org.freedesktop.DBus.Error.Spawn.") || strings.HasPrefix(name, systemdName+".") {
		return ErrAbsent
	}
	return nil
}

// errorName gives the name of the error a service answered with, "" when it was none.
func errorName(err error) string {
	if e, ok := errors.AsType[*busError](err); ok {
		return e.name
	}
	return ""
}
