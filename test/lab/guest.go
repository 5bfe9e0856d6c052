package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"plenum/test/lab/frame"
)

// ExitError is a command that ran in the guest and did not end well.
type ExitError struct {
	Command  string
	Code     int    // exit code; -1 when a signal ended it
	Signal   string // which
	TimedOut bool   // it ran out of time and was killed in the guest
	Output   string // the last of what it printed
}

// Error tells the command, how it ended and the last of what it printed.
func (e *ExitError) Error() string {
	how := fmt.Sprintf("ended with code %d", e.Code)
	switch {
	case e.TimedOut:
		how = "took too long and was killed"
	case e.Signal != "":
		how = "was ended by a signal: " + e.Signal
	}
	return fmt.Sprintf("%q in the guest %s: %s", e.Command, how, e.Output)
}

// Run runs a command in the guest's bash as root and gives what it printed, on both outputs in the order it came. Its
// time is the context's, else Patience; it is kept in the guest too, where the whole process group is killed.
func (v *VM) Run(ctx context.Context, command string) (string, error) {
	var out bytes.Buffer
	err := v.Stream(ctx, command, &out, &out)
	return out.String(), err
}

// Must runs a command that has to end well and gives what it printed, without the white space around it.
func (v *VM) Must(t testing.TB, command string) string {
	t.Helper()
	out, err := v.Run(t.Context(), command)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// Stream is Run that hands the output on as it comes. The writers are called by one goroutine.
func (v *VM) Stream(ctx context.Context, command string, stdout, stderr io.Writer) error {
	limit := Patience
	if d, ok := ctx.Deadline(); ok {
		limit = max(time.Until(d), time.Millisecond)
	}
	// The guest is to end it first: then it is known that it was the time, and nothing of it is left.
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit+time.Minute)
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.Canceled) {
			cancel()
		}
	})()
	last := &ring{limit: 2000}
	out, err := v.exchange(late, frame.Call{Op: frame.Run, Command: command, Timeout: limit}, nil, map[frame.Kind]io.Writer{
		frame.Stdout: io.MultiWriter(stdout, last), frame.Stderr: io.MultiWriter(stderr, last),
	})
	if err != nil {
		return fmt.Errorf("%q in the guest: %w", command, err)
	}
	if out.Code != 0 || out.Signal != "" || out.TimedOut {
		return &ExitError{command, out.Code, out.Signal, out.TimedOut, strings.TrimSpace(string(last.b))}
	}
	return nil
}

// Put writes a file of the guest, with its folders. A file that is there is replaced when the new one is whole.
func (v *VM) Put(ctx context.Context, path string, mode os.FileMode, data io.Reader) error {
	err := v.call(ctx, frame.Call{Op: frame.Put, Path: path, Mode: uint32(mode.Perm())}, data)
	if err != nil {
		return fmt.Errorf("putting %s into the guest: %w", path, err)
	}
	return nil
}

// PutFile copies a file of the host into the guest, with its mode.
func (v *VM) PutFile(ctx context.Context, from, to string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return v.Put(ctx, to, info.Mode(), f)
}

// Get reads a file of the guest, of sysfs too.
func (v *VM) Get(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := v.within(ctx)
	defer cancel()
	var b bytes.Buffer
	_, err := v.exchange(ctx, frame.Call{Op: frame.Get, Path: path}, nil, map[frame.Kind]io.Writer{frame.Data: &b})
	if err != nil {
		return nil, fmt.Errorf("getting %s from the guest: %w", path, err)
	}
	return b.Bytes(), nil
}

// within gives a call without a deadline one.
func (v *VM) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, Patience)
}

func (v *VM) call(ctx context.Context, c frame.Call, data io.Reader) error {
	ctx, cancel := v.within(ctx)
	defer cancel()
	_, err := v.exchange(ctx, c, data, nil)
	return err
}

// connect opens a connection to the agent that ends with ctx and with QEMU.
func (v *VM) connect(ctx context.Context) (conn net.Conn, done func(), err error) {
	p := v.process()
	if p == nil {
		return nil, nil, ErrOff
	}
	conn, err = new(net.Dialer).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", v.Port("tcp", agentPort)))
	if err != nil {
		return nil, nil, fmt.Errorf("no way to the agent: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-p.exited:
		case <-ctx.Done():
		}
		conn.Close()
	})
	return conn, func() { cancel(); watch.Wait() }, nil
}

// exchange makes one call: sends data if there is any, hands what comes to the writer of its kind, gives the outcome.
func (v *VM) exchange(ctx context.Context, c frame.Call, data io.Reader, to map[frame.Kind]io.Writer) (frame.Outcome, error) {
	conn, done, err := v.connect(ctx)
	if err != nil {
		return frame.Outcome{}, err
	}
	defer done()
	if err := frame.WriteJSON(conn, frame.Request, c); err != nil {
		return frame.Outcome{}, v.broken(ctx, err)
	}
	if data != nil {
		// An agent that cannot write says so and hangs up: its answer is worth more than the broken pipe.
		if err := send(conn, data); err != nil && !errors.Is(err, net.ErrClosed) && !isBroken(err) {
			return frame.Outcome{}, v.broken(ctx, err)
		}
	}
	for {
		kind, payload, err := frame.Read(conn)
		if err != nil {
			return frame.Outcome{}, v.broken(ctx, err)
		}
		if w := to[kind]; w != nil {
			if _, err := w.Write(payload); err != nil {
				return frame.Outcome{}, err
			}
		}
		if kind == frame.Result {
			var out frame.Outcome
			if err := json.Unmarshal(payload, &out); err != nil {
				return out, fmt.Errorf("the agent's answer: %w", err)
			}
			if out.Error != "" {
				return out, errors.New(out.Error)
			}
			return out, nil
		}
	}
}

func send(conn net.Conn, data io.Reader) error {
	if _, err := io.CopyBuffer(frame.Writer{To: conn, Kind: frame.Data}, struct{ io.Reader }{data}, make([]byte, 256<<10)); err != nil {
		return err
	}
	return frame.Write(conn, frame.End, nil)
}

func isBroken(err error) bool {
	_, ok := errors.AsType[*net.OpError](err)
	return ok
}

// broken says why a connection to the agent broke.
func (v *VM) broken(ctx context.Context, err error) error {
	p := v.process()
	off := p == nil
	if p != nil {
		select {
		case <-p.exited:
			off = true
		default:
		}
	}
	switch {
	case off:
		return v.off()
	case ctx.Err() != nil:
		return fmt.Errorf("no answer from the agent: %w", ctx.Err())
	}
	return fmt.Errorf("the connection to the agent broke: %w", err)
}

// ring keeps the last bytes.
type ring struct {
	limit int
	b     []byte
}

func (r *ring) Write(p []byte) (int, error) {
	r.b = append(r.b, p...)
	if len(r.b) > r.limit {
		r.b = append(r.b[:0], r.b[len(r.b)-r.limit:]...)
	}
	return len(p), nil
}
