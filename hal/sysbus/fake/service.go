package fake

import (
	"fmt"
	"slices"
	"sync"

	"github.com/godbus/dbus/v5"
)

// Call is a method call that came in.
type Call struct {
	Path      dbus.ObjectPath
	Interface string
	Member    string
	Sender    string
	Args      []any
}

// Service has a name on the bus and answers calls. Its answers can be replaced, member by member.
type Service struct {
	answer func(Call) ([]any, error)

	mu      sync.Mutex // guards what follows
	conn    *dbus.Conn
	calls   []Call
	instead map[string]func() ([]any, error)
	hanging chan struct{} // closed by Close: what hangs goes on
	closed  bool
}

// Serve takes a name on the bus at address and answers calls until Close. What answer does not know it refuses with
// Unknown.
func Serve(address, name string, answer func(Call) ([]any, error)) (*Service, error) {
	s := prepare(answer)
	if err := s.join(address, name); err != nil {
		return nil, err
	}
	return s, nil
}

// prepare makes a service that is not on the bus yet: who embeds one has it in its place before the first call comes.
func prepare(answer func(Call) ([]any, error)) *Service {
	return &Service{answer: answer, instead: map[string]func() ([]any, error){}, hanging: make(chan struct{})}
}

// join takes the name.
func (s *Service) join(address, name string) error {
	conn, err := dbus.Connect(address, dbus.WithHandler(s))
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.conn = conn
	s.mu.Unlock()
	got, err := conn.RequestName(name, dbus.NameFlagDoNotQueue)
	if err == nil && got != dbus.RequestNameReplyPrimaryOwner {
		err = fmt.Errorf("reply %d", got)
	}
	if err != nil {
		s.Close()
		return fmt.Errorf("take the name %s: %w", name, err)
	}
	return nil
}

// Close leaves the bus.
func (s *Service) Close() {
	s.mu.Lock()
	closed, conn := s.closed, s.conn
	s.closed = true
	s.mu.Unlock()
	if closed {
		return
	}
	close(s.hanging)
	conn.Close()
}

// Unknown is the answer to a method that is not there.
func Unknown(c Call) error { return Error("org.freedesktop.DBus.Error.UnknownMethod", "no "+c.Member) }

// Error is an answer by name and text.
func Error(name, text string) error { return dbus.NewError(name, []any{text}) }

// Refuse has calls of a member fail with an error.
func (s *Service) Refuse(member, name string) {
	s.AnswerBy(member, func() ([]any, error) { return nil, Error(name, member+" was refused") })
}

// Answer has calls of a member answered with these values, whatever they are.
func (s *Service) Answer(member string, values ...any) {
	s.AnswerBy(member, func() ([]any, error) { return values, nil })
}

// Hang has calls of a member go without an answer until Release.
func (s *Service) Hang(member string) (release func()) {
	done := make(chan struct{})
	s.AnswerBy(member, func() ([]any, error) {
		select {
		case <-done:
		case <-s.hanging:
		}
		return nil, Error("org.freedesktop.DBus.Error.Failed", "it hung")
	})
	return sync.OnceFunc(func() { close(done) })
}

// Vanish has the service die when a member is called.
func (s *Service) Vanish(member string) {
	s.AnswerBy(member, func() ([]any, error) {
		s.Close()
		return nil, nil
	})
}

// Restore ends Refuse, Answer, Hang and Vanish of a member.
func (s *Service) Restore(member string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.instead, member)
}

// AnswerBy has calls of a member answered by a function.
func (s *Service) AnswerBy(member string, f func() ([]any, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.instead[member] = f
}

// Calls lists the calls of a member that came in.
func (s *Service) Calls(member string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.calls), func(c Call) bool { return c.Member != member })
}

// Emit sends a signal to all who asked for it.
func (s *Service) Emit(path dbus.ObjectPath, name string, values ...any) error {
	s.mu.Lock()
	conn := s.conn
	s.mu.Unlock()
	return conn.Emit(path, name, values...)
}

// Changed sends org.freedesktop.DBus.Properties.PropertiesChanged.
func (s *Service) Changed(path dbus.ObjectPath, face string, changed map[string]dbus.Variant) error {
	return s.Emit(path, "org.freedesktop.DBus.Properties.PropertiesChanged", face, changed, []string{})
}

// LookupObject, LookupInterface and LookupMethod make every object and method of every interface this service's.
func (s *Service) LookupObject(path dbus.ObjectPath) (dbus.ServerObject, bool) {
	return target{s: s, call: Call{Path: path}}, true
}

// target is the way of one call through godbus.
type target struct {
	s    *Service
	call Call
}

func (t target) LookupInterface(name string) (dbus.Interface, bool) {
	t.call.Interface = name
	return t, true
}

func (t target) LookupMethod(name string) (dbus.Method, bool) {
	t.call.Member = name
	return t, true
}

// DecodeArguments takes the arguments as they are.
func (t target) DecodeArguments(_ *dbus.Conn, sender string, _ *dbus.Message, args []any) ([]any, error) {
	t.call.Sender, t.call.Args = sender, args
	return []any{t.call}, nil
}

// Call answers.
func (t target) Call(args ...any) ([]any, error) {
	c := args[0].(Call)
	t.s.mu.Lock()
	t.s.calls = append(t.s.calls, c)
	f := t.s.instead[c.Member]
	t.s.mu.Unlock()
	if f != nil {
		return f()
	}
	return t.s.answer(c)
}

// NumArguments, NumReturns, ArgumentValue and ReturnValue are not asked, since DecodeArguments is there.
func (t target) NumArguments() int     { return 1 }
func (t target) NumReturns() int       { return 0 }
func (t target) ArgumentValue(int) any { return nil }
func (t target) ReturnValue(int) any   { return nil }

// variants are properties by name.
type variants = map[string]dbus.Variant

func variant(v any) dbus.Variant { return dbus.MakeVariant(v) }

func truth(v dbus.Variant) bool {
	b, _ := v.Value().(bool)
	return b
}

// text and options take an argument of a call; one that is missing or of another type is empty.
func text(c Call, i int) string {
	s, _ := value(c, i).(string)
	return s
}

func options(c Call, i int) variants {
	m, _ := value(c, i).(variants)
	return m
}

func value(c Call, i int) any {
	if i >= len(c.Args) {
		return nil
	}
	return c.Args[i]
}

// get answers for properties.
func get(c Call, p variants) ([]any, error) {
	switch c.Member {
	case "GetAll":
		return []any{p}, nil
	case "Get":
		if v, ok := p[text(c, 1)]; ok {
			return []any{v}, nil
		}
		return nil, Error("org.freedesktop.DBus.Error.UnknownProperty", text(c, 1))
	}
	return nil, Unknown(c)
}
