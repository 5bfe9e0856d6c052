// Package qmp speaks QEMU's machine protocol (QMP, docs/interop/qmp-spec in QEMU's sources) over its unix socket: as
// much of it as plugging, unplugging and asking for states takes.
package qmp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// ErrClosed: QEMU or we have closed the connection.
var ErrClosed = errors.New("the connection to QEMU is closed")

// Error is a command that QEMU refused.
type Error struct {
	Command string
	Class   string `json:"class"`
	Desc    string `json:"desc"`
}

// Error gives QEMU's own words.
func (e *Error) Error() string { return fmt.Sprintf("QEMU refuses %s: %s", e.Command, e.Desc) }

// Event is something QEMU says by itself.
type Event struct {
	Name string         // such as DEVICE_DELETED
	Data map[string]any // may be nil
}

// Conn is a connection in command mode. Its methods may be called from several goroutines.
type Conn struct {
	conn net.Conn
	done chan struct{} // closed when the reader has ended

	mu      sync.Mutex
	next    int
	waiting map[int]chan reply
	events  map[chan Event]struct{}
}

type reply struct {
	Return json.RawMessage `json:"return"`
	Error  *Error          `json:"error"`
}

type message struct {
	reply
	ID    *int           `json:"id"`
	Event string         `json:"event"`
	Data  map[string]any `json:"data"`
}

// Dial connects to QEMU's socket and leaves negotiation mode. QEMU may not have made the socket yet: it is tried until
// ctx ends.
func Dial(ctx context.Context, path string) (*Conn, error) {
	for {
		c, err := new(net.Dialer).DialContext(ctx, "unix", path)
		if err == nil {
			return New(ctx, c)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("connecting to QEMU: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// New takes over a connection on which QEMU is about to greet.
func New(ctx context.Context, c net.Conn) (*Conn, error) {
	stop := context.AfterFunc(ctx, func() { c.Close() })
	dec := json.NewDecoder(c)
	var greeting struct{ QMP *json.RawMessage }
	err := dec.Decode(&greeting)
	if !stop() {
		return nil, fmt.Errorf("QEMU's greeting: %w", ctx.Err())
	}
	if err == nil && greeting.QMP == nil {
		err = errors.New("something else answers")
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("QEMU's greeting: %w", err)
	}
	q := &Conn{conn: c, done: make(chan struct{}), waiting: map[int]chan reply{}, events: map[chan Event]struct{}{}}
	go q.read(dec)
	if err := q.Do(ctx, "qmp_capabilities", nil, nil); err != nil {
		q.Close()
		return nil, err
	}
	return q, nil
}

// Close ends the connection and waits for its reader.
func (q *Conn) Close() {
	q.conn.Close()
	<-q.done
}

// Done is closed when the connection has ended; all events have been handed out then.
func (q *Conn) Done() <-chan struct{} { return q.done }

// Do executes a command. args is what goes into "arguments" (nil: none); the answer is put into out (nil: not wanted).
func (q *Conn) Do(ctx context.Context, command string, args, out any) error {
	q.mu.Lock()
	q.next++
	id, answer := q.next, make(chan reply, 1)
	q.waiting[id] = answer
	q.mu.Unlock()
	defer func() {
		q.mu.Lock()
		delete(q.waiting, id)
		q.mu.Unlock()
	}()
	b, err := json.Marshal(struct {
		Execute   string `json:"execute"`
		Arguments any    `json:"arguments,omitempty"`
		ID        int    `json:"id"`
	}{command, args, id})
	if err != nil {
		return err
	}
	// net.Conn writes one slice whole, whoever else writes at the same time.
	if _, err := q.conn.Write(b); err != nil {
		return fmt.Errorf("%s: %w", command, ErrClosed)
	}
	select {
	case r := <-answer:
		if r.Error != nil {
			r.Error.Command = command
			return r.Error
		}
		if out != nil {
			return json.Unmarshal(r.Return, out)
		}
		return nil
	case <-q.done:
		return fmt.Errorf("%s: %w", command, ErrClosed)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", command, ctx.Err())
	}
}

// Subscribe gives the events from now on. Up to 64 are kept for a slow reader, further ones are dropped. stop ends it.
func (q *Conn) Subscribe() (events <-chan Event, stop func()) {
	c := make(chan Event, 64)
	q.mu.Lock()
	q.events[c] = struct{}{}
	q.mu.Unlock()
	return c, func() {
		q.mu.Lock()
		delete(q.events, c)
		q.mu.Unlock()
	}
}

// Human executes a line of QEMU's monitor for people and gives what it prints.
func (q *Conn) Human(ctx context.Context, line string) (string, error) {
	var out string
	err := q.Do(ctx, "human-monitor-command", map[string]any{"command-line": line}, &out)
	return out, err
}

// Status says what the machine does: "running", "paused", "shutdown" and so on.
func (q *Conn) Status(ctx context.Context) (string, error) {
	var out struct{ Status string }
	err := q.Do(ctx, "query-status", nil, &out)
	return out.Status, err
}

// Add plugs a device in. args are its driver, id and properties.
func (q *Conn) Add(ctx context.Context, args map[string]any) error {
	return q.Do(ctx, "device_add", args, nil)
}

// Del unplugs the device id and waits until the guest has let go of it.
func (q *Conn) Del(ctx context.Context, id string) error {
	events, stop := q.Subscribe()
	defer stop()
	if err := q.Do(ctx, "device_del", map[string]any{"id": id}, nil); err != nil {
		return err
	}
	for {
		select {
		case e := <-events:
			if e.Name == "DEVICE_DELETED" && e.Data["device"] == id {
				return nil
			}
		case <-q.done:
			return fmt.Errorf("unplugging %s: %w", id, ErrClosed)
		case <-ctx.Done():
			return fmt.Errorf("unplugging %s: the guest does not let go: %w", id, ctx.Err())
		}
	}
}

func (q *Conn) read(dec *json.Decoder) {
	defer close(q.done)
	for {
		var m message
		if dec.Decode(&m) != nil {
			q.conn.Close()
			return
		}
		q.mu.Lock()
		switch {
		case m.Event != "":
			for c := range q.events {
				select {
				case c <- Event{m.Event, m.Data}:
				default:
				}
			}
		case m.ID != nil && q.waiting[*m.ID] != nil:
			q.waiting[*m.ID] <- m.reply
			delete(q.waiting, *m.ID)
		}
		q.mu.Unlock()
	}
}
