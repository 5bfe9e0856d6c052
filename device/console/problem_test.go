package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"plenum/device/clerk"
	"plenum/device/service"
	"plenum/device/sitting"
)

// promised are the errors by name, as the API promises their codes.
func promised() map[string]struct {
	err    error
	status int
	code   string
} {
	type want = struct {
		err    error
		status int
		code   string
	}
	return map[string]want{
		"sitting.ErrNotAllowed":     {sitting.ErrNotAllowed, 403, "not_allowed"},
		"sitting.ErrNotOpen":        {sitting.ErrNotOpen, 409, "not_open"},
		"sitting.ErrAlreadyOpen":    {sitting.ErrAlreadyOpen, 409, "already_open"},
		"sitting.ErrUnknownPerson":  {sitting.ErrUnknownPerson, 404, "unknown_person"},
		"sitting.ErrUnknownSeat":    {sitting.ErrUnknownSeat, 404, "unknown_person"},
		"sitting.ErrAlreadyListed":  {sitting.ErrAlreadyListed, 409, "already_listed"},
		"sitting.ErrNotListed":      {sitting.ErrNotListed, 409, "not_listed"},
		"sitting.ErrTheirOwn":       {sitting.ErrTheirOwn, 403, "not_allowed"},
		"sitting.ErrAlreadySpeaks":  {sitting.ErrAlreadySpeaks, 409, "already_speaks"},
		"sitting.ErrNotSpeaking":    {sitting.ErrNotSpeaking, 409, "not_speaking"},
		"sitting.ErrLimit":          {sitting.ErrLimit, 409, "limit"},
		"sitting.ErrSilenced":       {sitting.ErrSilenced, 409, "silenced"},
		"sitting.ErrListEmpty":      {sitting.ErrListEmpty, 409, "list_empty"},
		"sitting.ErrNoWay":          {sitting.ErrNoWay, 409, "no_way"},
		"sitting.ErrInvalid":        {sitting.ErrInvalid, 400, "invalid"},
		"sitting.ErrAlarm":          {sitting.ErrAlarm, 409, "alarm"},
		"sitting.ErrNotReady":       {sitting.ErrNotReady, 409, "not_ready"},
		"sitting.ErrNothingChanged": {sitting.ErrNothingChanged, 409, "nothing_changed"},
		"clerk.ErrBusy":             {clerk.ErrBusy, 503, "busy"},
		"clerk.ErrKeyReused":        {clerk.ErrKeyReused, 409, "key_reused"},
		"clerk.ErrKeyTooLong":       {clerk.ErrKeyTooLong, 400, "invalid"},
		"clerk.ErrStopped":          {clerk.ErrStopped, 503, "busy"},
		"service.ErrSittingOpen":    {service.ErrSittingOpen, 409, "sitting_open"},
		"service.ErrNothingOffered": {service.ErrNothingOffered, 409, "nothing_offered"},
		"service.ErrWrongPIN":       {service.ErrWrongPIN, 403, "wrong_pin"},
		"service.ErrNotLocal":       {service.ErrNotLocal, 403, "not_local"},
		"service.ErrOwnerSet":       {service.ErrOwnerSet, 409, "owner_set"},
		"service.ErrNoOwner":        {service.ErrNoOwner, 409, "no_owner"},
		"service.ErrConfirm":        {service.ErrConfirm, 400, "confirm"},
		"service.ErrBusy":           {service.ErrBusy, 409, "service_busy"},
		"service.ErrAbsent":         {service.ErrAbsent, 503, "absent"},
	}
}

// Every error that sitting, clerk and service export is mapped, or named here as none that a command can end with.
func TestEveryErrorIsMapped(t *testing.T) {
	notByCommand := map[string]bool{
		"clerk.ErrUnrecorded": true, // ends Run
		"clerk.ErrDeviates":   true, // found by New
	}
	want := promised()
	for _, pkg := range []string{"sitting", "clerk", "service"} {
		names := exportedErrors(t, pkg)
		if len(names) < 5 {
			t.Fatalf("only %v found in %s", names, pkg)
		}
		for _, name := range names {
			w, ok := want[name]
			if !ok {
				if !notByCommand[name] {
					t.Errorf("%s has no answer", name)
				}
				continue
			}
			got := problemOf(fmt.Errorf("doing something: %w", w.err))
			if got.Status != w.status || got.Code != w.code || got.Detail == "" || got.Title == "" {
				t.Errorf("%s: got %+v, want %d %s", name, got, w.status, w.code)
			}
		}
	}
}

func exportedErrors(t *testing.T, pkg string) []string {
	t.Helper()
	files, err := filepath.Glob("../" + pkg + "/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, path := range files {
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok {
				for _, id := range spec.Names {
					if strings.HasPrefix(id.Name, "Err") {
						names = append(names, pkg+"."+id.Name)
					}
				}
			}
			return true
		})
	}
	return names
}

func TestOf(t *testing.T) {
	if p := problemOf(errors.New("disk on fire at /var/lib/x")); p.Code != "internal" || p.Status != 500 || strings.Contains(p.Detail, "/var") {
		t.Errorf("got %+v", p)
	}
	own := newProblem(http.StatusTeapot, "tea", "Have some.")
	if p := problemOf(fmt.Errorf("wrapped: %w", own)); p != own {
		t.Errorf("got %+v", p)
	}
	if p := problemOf(fmt.Errorf("%w: the limit must be 1 to 4", sitting.ErrInvalid)); !strings.Contains(p.Detail, "1 to 4") {
		t.Errorf("got %+v", p)
	}
}

func TestProblemWrite(t *testing.T) {
	w := httptest.NewRecorder()
	invalid("Say what.").write(w)
	var got Problem
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := Problem{Type: "about:blank", Title: "Bad Request", Status: 400, Code: "invalid", Detail: "Say what."}
	if w.Code != 400 || got != want || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("got %d %+v %v", w.Code, got, w.Header())
	}
}
