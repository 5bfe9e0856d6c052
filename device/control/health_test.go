package control

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plenum/device/health"
)

// keeper watches over a box.
type keeper struct {
	conditions *health.Conditions
	board      *health.Board
	trial      bool
	err        error
}

func (k *keeper) Judge() health.Judgement { return k.conditions.Judge(k.board.List()) }

func (k *keeper) JudgeBoot() health.Judgement {
	return k.conditions.JudgeBoot(k.board.List(), k.trial, []string{"camera/Totale"})
}

func (k *keeper) WriteMetrics(w io.Writer) error {
	return errors.Join(health.WriteMetrics(w, k.conditions.Gather, k.board.Gather), k.err)
}

func TestHealth(t *testing.T) {
	var log strings.Builder
	k := &keeper{conditions: health.NewConditions(nil), board: health.NewBoard(nil), trial: true}
	id := k.board.Add(health.Camera, "Totale", "usb:4F2A01", true)
	b := newBox(t, &log, func(o *Options) { o.Health = k })
	for _, boot := range []bool{false, true} {
		j, err := b.ctl.Health(t.Context(), boot)
		if d := cmp.Diff([]string{id}, j.Pending); err != nil || d != "" || j.Good || len(j.Items) != 1 {
			t.Errorf("boot %v: %+v %v %s", boot, j, err, d)
		}
	}
	k.board.Set(id, health.Lost, "", "plug it in") // not shown yet, but known
	if j, err := b.ctl.Health(t.Context(), true); err != nil || j.Good || len(j.Conditions) != 1 || j.Conditions[0].Detail != "plug it in" {
		t.Errorf("%+v %v", j, err)
	}
	k.board.Set(id, health.Live, "", "")
	k.conditions.Set(health.DiskFull, "", "3 MB")
	j, err := b.ctl.Health(t.Context(), false)
	if err != nil || j.Good || len(j.Conditions) != 1 {
		t.Fatalf("%+v %v", j, err)
	}
	if c := j.Conditions[0]; c.Code != health.DiskFull || c.Severity != health.Critical || c.DE == "" || c.EN == "" || c.Detail != "3 MB" || c.Since.IsZero() {
		t.Errorf("%+v", c)
	}
	if j, err := b.ctl.Health(t.Context(), true); err != nil || !j.Good {
		t.Errorf("a full disk is no fault of the version: %+v %v", j, err)
	}
	if e, ok := errors.AsType[*Error](b.ctl.Call(t.Context(), "GET", "/health?boot=perhaps", nil, nil)); !ok || e.Status != 400 {
		t.Errorf("%+v", e)
	}

	text, err := b.ctl.Metrics(t.Context())
	if err != nil || !strings.Contains(text, `plenum_condition{code="disk-full",severity="critical"} 1`+"\n") {
		t.Errorf("%v\n%s", err, text)
	}
	k.err = errors.New("the clerk hangs")
	if text, err = b.ctl.Metrics(t.Context()); err != nil || !strings.Contains(text, "plenum_device_state") {
		t.Errorf("%v\n%s", err, text)
	}
	res, err := b.ctl.send(t.Context(), http.MethodGet, "/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if kind := res.Header.Get("Content-Type"); kind != "text/plain; version=0.0.4; charset=utf-8" {
		t.Error(kind)
	}
	b.stop()
	if !strings.Contains(log.String(), "the clerk hangs") {
		t.Errorf("nobody said that metrics are missing:\n%s", &log)
	}
}

func TestWithoutHealth(t *testing.T) {
	b := newBox(t, io.Discard)
	for _, err := range []error{second(b.ctl.Health(t.Context(), false)), second(b.ctl.Metrics(t.Context()))} {
		if e, ok := errors.AsType[*Error](err); !ok || e.Status != 404 {
			t.Error(err)
		}
	}
}
