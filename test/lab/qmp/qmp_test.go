package qmp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is QEMU's side: what answers to a command, line by line; %d becomes the command's id.
func fake(t *testing.T, answers map[string][]string) net.Conn {
	t.Helper()
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	go func() {
		fmt.Fprintln(theirs, `{"QMP": {"version": {"qemu": {"major": 7}}, "capabilities": []}}`)
		for dec := json.NewDecoder(theirs); ; {
			var cmd struct {
				Execute string
				ID      int
			}
			if dec.Decode(&cmd) != nil {
				return
			}
			lines, ok := answers[cmd.Execute]
			if !ok {
				lines = []string{`{"return": {}, "id": %d}`}
			}
			for _, l := range lines {
				if l == "hang up" {
					theirs.Close()
					return
				}
				fmt.Fprintln(theirs, strings.ReplaceAll(l, "%d", fmt.Sprint(cmd.ID)))
			}
		}
	}()
	return ours
}

func connect(t *testing.T, answers map[string][]string) *Conn {
	t.Helper()
	q, err := New(t.Context(), fake(t, answers))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Close)
	return q
}

func TestAnswersFindTheirCommand(t *testing.T) {
	q := connect(t, map[string][]string{
		"query-status": {`{"event": "RESUME"}`, `{"return": {"status": "running"}, "id": %d}`},
		"nonsense":     {`{"id": %d, "error": {"class": "CommandNotFound", "desc": "no such command"}}`},
	})
	events, stop := q.Subscribe()
	defer stop()
	if s, err := q.Status(t.Context()); s != "running" || err != nil {
		t.Errorf("status %q, %v", s, err)
	}
	if e := <-events; e.Name != "RESUME" {
		t.Errorf("event %v", e)
	}
	err := q.Do(t.Context(), "nonsense", nil, nil)
	if refused, ok := errors.AsType[*Error](err); !ok || refused.Class != "CommandNotFound" || refused.Command != "nonsense" {
		t.Errorf("refusal: %v", err)
	}
}

func TestUnpluggingWaitsForTheGuest(t *testing.T) {
	q := connect(t, map[string][]string{"device_del": {
		`{"return": {}, "id": %d}`,
		`{"event": "DEVICE_DELETED", "data": {"path": "/machine/peripheral/other"}}`,
		`{"event": "DEVICE_DELETED", "data": {"device": "stick", "path": "/machine/peripheral/stick"}}`,
	}})
	if err := q.Del(t.Context(), "stick"); err != nil {
		t.Error(err)
	}
	synctest.Test(t, func(t *testing.T) {
		q := connect(t, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := q.Del(ctx, "stick"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a guest that holds on: %v", err)
		}
		q.Close()
	})
}

func TestAHangUpEndsWhoWaits(t *testing.T) {
	q := connect(t, map[string][]string{"quit": {"hang up"}})
	if err := q.Do(t.Context(), "quit", nil, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("hang up: %v", err)
	}
	if err := q.Do(t.Context(), "quit", nil, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("after it: %v", err)
	}
}

func TestSomethingElseIsNotTakenForQEMU(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	go fmt.Fprintln(theirs, `{"hello": 1}`)
	if _, err := New(t.Context(), ours); err == nil {
		t.Error("it was")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Dial(ctx, t.TempDir()+"/none"); !errors.Is(err, context.DeadlineExceeded) && err == nil {
		t.Errorf("no socket: %v", err)
	}
}
