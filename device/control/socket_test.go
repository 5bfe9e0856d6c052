package control

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"plenum/device/clerk"
	"plenum/device/health"
	"plenum/device/sitting"
)

func TestSocket(t *testing.T) {
	b := newBox(t, io.Discard)
	info, err := os.Stat(b.opts.Socket)
	if err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := New(b.opts); err == nil || !strings.Contains(err.Error(), "another daemon") {
		t.Errorf("a second daemon: %v", err)
	}
	b.stop()
	if _, err := os.Stat(b.opts.Socket); !os.IsNotExist(err) {
		t.Errorf("the socket is left behind: %v", err)
	}
	if _, err := b.ctl.Status(t.Context()); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("without a daemon: %v", err)
	}

	l, err := net.Listen("unix", b.opts.Socket) // as after kill -9
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	s, err := New(b.opts)
	if err != nil {
		t.Fatalf("over a dead socket: %v", err)
	}
	s.Close()
	if err := os.WriteFile(b.opts.Socket, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(b.opts); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("over a file: %v", err)
	}
}

// Every refusal of the rules has a status of its own kind, none is a fault of the box.
func TestEveryRefusalIsSorted(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "../sitting/event.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	declared := 0
	ast.Inspect(f, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "Err") {
			declared++
		}
		return true
	})
	all := []error{
		sitting.ErrNotAllowed, sitting.ErrNotOpen, sitting.ErrAlreadyOpen, sitting.ErrUnknownPerson, sitting.ErrUnknownSeat,
		sitting.ErrAlreadyListed, sitting.ErrNotListed, sitting.ErrAlreadySpeaks, sitting.ErrNotSpeaking, sitting.ErrLimit,
		sitting.ErrSilenced, sitting.ErrListEmpty, sitting.ErrNoWay, sitting.ErrInvalid, sitting.ErrNothingChanged,
		sitting.ErrAlarm, sitting.ErrNotReady, sitting.ErrTheirOwn,
	}
	if declared != len(all) {
		t.Errorf("package sitting has %d reasons, this test %d", declared, len(all))
	}
	for _, err := range append(all, clerk.ErrBusy, clerk.ErrStopped, health.ErrTesting) {
		if statusOf(err) == http.StatusInternalServerError {
			t.Errorf("%v counts as a fault of the box", err)
		}
	}
	if statusOf(errors.New("disk on fire")) != http.StatusInternalServerError {
		t.Error("a fault of the box counts as a refusal")
	}
}

func FuzzWho(f *testing.F) {
	f.Add(`{"name":"Anna"}`)
	f.Add(`{"seat":"7","person":""}`)
	f.Add(`{"name":"\ud800"}{}`)
	s := sitting.State{}
	for _, m := range people() {
		s.Roster = append(s.Roster, sitting.Person{Member: m})
	}
	f.Fuzz(func(t *testing.T, body string) {
		var who Who
		r, err := http.NewRequest("POST", "/grant", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if read(r, &who) != nil {
			return
		}
		if p, err := find(s, who); err == nil && p.ID == "" {
			t.Fatalf("%q found nobody without an error", body)
		}
	})
}
