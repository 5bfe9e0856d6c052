package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plenum/device/access"
	"plenum/device/health"
	"plenum/device/service"
	"plenum/device/setup"
	"plenum/device/stick"
	"plenum/device/update"
)

// room is a technician's room that notes what was ordered.
type room struct {
	mu   sync.Mutex
	view any
	fail error
	did  []string
}

func (r *room) do(ctx context.Context, what ...any) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if end, ok := ctx.Deadline(); !ok || time.Until(end) > serviceTime {
		return errors.New("it may last for ever")
	}
	r.did = append(r.did, fmt.Sprint(what...))
	return r.fail
}

func (r *room) View() any { return r.view }

func (r *room) Install(ctx context.Context, pin string) error { return r.do(ctx, "install ", pin) }
func (r *room) Reboot(ctx context.Context, pin string) error  { return r.do(ctx, "reboot ", pin) }
func (r *room) Setup(ctx context.Context, pin string) error   { return r.do(ctx, "setup ", pin) }
func (r *room) Acknowledge(ctx context.Context) error         { return r.do(ctx, "acknowledge") }

func (r *room) Technician(ctx context.Context, pin string, on bool) error {
	return r.do(ctx, "technician ", pin, " ", on)
}

func (r *room) Reset(ctx context.Context, pin, confirm string) error {
	return r.do(ctx, "reset ", pin, " ", confirm)
}

func (r *room) SetOwner(ctx context.Context, old, pin string, local bool) error {
	return r.do(ctx, "owner ", old, " ", pin, " ", local)
}

// seen is a view with everything in it.
func seen() ServiceView {
	at := time.Date(2026, 11, 23, 17, 0, 0, 0, time.UTC)
	says := Text{DE: "so", EN: "thus"}
	return ServiceView{
		Release: Release{"1.3.0", "2026-11-01T10:00:00Z", "A", "plenum-x86_64", "2031-12"}, Host: "saal", Owner: true, Sitting: true,
		Sticks:     []Stick{{"s1", "STICK", "Acme", "update", true, says}},
		Update:     Update{State: UpdateOffered, Version: "1.4.0", Size: 7, Percent: 3, Text: says, Last: &Outcome{Result: "went-back", At: at, Text: says}},
		Setup:      Setup{State: "offered", Lines: []Text{says}, Text: says},
		Diagnosis:  Diagnosis{State: "written", File: "plenum.tar.gz", Encrypted: true, Text: says},
		Technician: Technician{On: true, Until: at},
		RefusedUSB: []RefusedUSB{{"Keyboard", "046d:c31c", []string{"03"}}},
		Conditions: []Condition{{"disk-full", "data", "error", says, "95 %", at}},
	}
}

func TestService(t *testing.T) {
	r := &room{view: seen()}
	var log strings.Builder
	b := newBox(t, &log, func(o *Options) { o.Service = r })
	ctx := t.Context()
	got, err := b.ctl.Service(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(seen(), got); d != "" {
		t.Error(d)
	}
	for _, order := range []func() (ServiceView, error){
		func() (ServiceView, error) { return b.ctl.Install(ctx, "730164") },
		func() (ServiceView, error) { return b.ctl.Reboot(ctx, "730164") },
		func() (ServiceView, error) { return b.ctl.ApplySetup(ctx, "730164") },
		func() (ServiceView, error) { return b.ctl.Technician(ctx, "730164", true) },
		func() (ServiceView, error) { return b.ctl.Technician(ctx, "730164", false) },
		func() (ServiceView, error) { return b.ctl.Reset(ctx, "730164", "saal") },
		func() (ServiceView, error) { return b.ctl.Acknowledge(ctx) },
		func() (ServiceView, error) { return b.ctl.SetOwner(ctx, "730164", "518402") },
	} {
		if got, err := order(); err != nil || got.Update.Version != "1.4.0" {
			t.Errorf("%+v %v", got, err)
		}
	}
	want := []string{"install 730164", "reboot 730164", "setup 730164", "technician 730164 true", "technician 730164 false",
		"reset 730164 saal", "acknowledge", "owner 730164 518402 true"}
	if d := cmp.Diff(want, r.did); d != "" {
		t.Error(d)
	}
	b.stop()
	if strings.Contains(log.String(), "730164") || !strings.Contains(log.String(), "POST /service/reset") {
		t.Errorf("the log says %s", &log)
	}
}

// The view has the fields that are promised, and sentences stand beside them.
func TestServiceFields(t *testing.T) {
	raw, err := json.Marshal(seen())
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(new(service.View)); err != nil {
		t.Errorf("the room does not know it: %v", err)
	}
	theirs, err := json.Marshal(service.View{Sticks: make([]stick.View, 1), Refused: make([]service.Refused, 1), Conditions: make([]health.Condition, 1),
		Setup: setup.View{Lines: make([]setup.Line, 1)}, Update: update.View{Last: new(update.Outcome)}})
	if err != nil {
		t.Fatal(err)
	}
	dec = json.NewDecoder(bytes.NewReader(theirs))
	dec.DisallowUnknownFields()
	if err := dec.Decode(new(ServiceView)); err != nil {
		t.Errorf("the client does not know what the room says: %v", err)
	}
	var top map[string]json.RawMessage
	if err := json.Unmarshal(raw, &top); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"release", "sticks", "update", "setup", "diagnosis", "technician", "owner", "sitting", "refused_usb", "conditions"} {
		if top[name] == nil {
			t.Errorf("no %s", name)
		}
	}
	var update map[string]any
	if json.Unmarshal(top["update"], &update) != nil || update["text_de"] != "so" {
		t.Errorf("%s", top["update"])
	}
}

func TestServiceRefusals(t *testing.T) {
	r := &room{view: seen()}
	b := newBox(t, io.Discard, func(o *Options) { o.Service = r })
	for _, tt := range []struct {
		fail   error
		status int
	}{
		{service.ErrSittingOpen, 409}, {service.ErrNothingOffered, 409}, {service.ErrWrongPIN, 403}, {service.ErrNotLocal, 403},
		{service.ErrOwnerSet, 409}, {service.ErrNoOwner, 409}, {service.ErrConfirm, 400}, {service.ErrBusy, 409}, {service.ErrAbsent, 503},
		{access.ErrWeakPIN, 400}, {&access.TooManyError{Wait: 4 * time.Second}, 429}, {errors.New("on fire"), 500},
	} {
		r.fail = fmt.Errorf("install: %w", tt.fail)
		e, ok := errors.AsType[*Error](second(b.ctl.Install(t.Context(), "730164")))
		if !ok || e.Status != tt.status || e.Detail != r.fail.Error() {
			t.Errorf("%v: %+v", tt.fail, e)
		}
	}
	if e, ok := errors.AsType[*Error](b.ctl.Call(t.Context(), http.MethodPost, "/service/install", map[string]int{"pin": 7}, nil)); !ok || e.Status != 400 {
		t.Errorf("%+v", e)
	}
	without := newBox(t, io.Discard)
	for _, err := range []error{second(without.ctl.Service(t.Context())), second(without.ctl.Reset(t.Context(), "1", "saal"))} {
		if e, ok := errors.AsType[*Error](err); !ok || e.Status != 404 {
			t.Errorf("without an appliance: %v", err)
		}
	}
}
