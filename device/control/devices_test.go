package control

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plenum/device/health"
	"plenum/device/sitting"
)

// workshop is who looks after the devices.
type workshop struct {
	board *health.Board
	err   error
}

func (w *workshop) List() []health.Item { return w.board.List() }

func (w *workshop) SelfTest(context.Context) (health.Report, error) {
	return health.Report{At: time.Now(), Checks: []health.Check{{ID: "disk", Name: "Platte", Required: true, EN: "full"}}}, w.err
}

// tended is a box with a camera.
func tended(t *testing.T) (*box, *workshop) {
	t.Helper()
	w := &workshop{board: health.NewBoard(nil)}
	w.board.Add(health.Camera, "Totale", "usb:4F2A01", true)
	return newBox(t, io.Discard, func(o *Options) { o.Devices = w }), w
}

func TestDevices(t *testing.T) {
	b, w := tended(t)
	list, err := b.ctl.Devices(t.Context())
	if err != nil || len(list.Devices) != 1 {
		t.Fatalf("%+v %v", list, err)
	}
	if d := list.Devices[0]; d.ID != "camera/Totale" || d.State != health.Starting || d.Since.IsZero() {
		t.Errorf("%+v", d)
	}
	report, err := b.ctl.SelfTest(t.Context())
	if err != nil || report.Go || len(report.Checks) != 1 || report.Checks[0].EN != "full" {
		t.Fatalf("%+v %v", report, err)
	}
	for _, tt := range []struct {
		err    error
		status int
	}{{health.ErrTesting, 409}, {context.DeadlineExceeded, 503}, {errors.New("on fire"), 500}} {
		w.err = tt.err
		if e, ok := errors.AsType[*Error](second(b.ctl.SelfTest(t.Context()))); !ok || e.Status != tt.status {
			t.Errorf("%v: %+v", tt.err, e)
		}
	}
	without := newBox(t, io.Discard)
	for _, err := range []error{second(without.ctl.Devices(t.Context())), second(without.ctl.SelfTest(t.Context()))} {
		if e, ok := errors.AsType[*Error](err); !ok || e.Status != 404 {
			t.Errorf("without devices: %v", err)
		}
	}
}

func TestOpenAndClose(t *testing.T) {
	b, _ := tended(t)
	ctx := t.Context()
	byBox := func(e sitting.Event) {
		t.Helper()
		e.By = sitting.Actor{Role: sitting.RoleBox}
		if _, err := b.desk.Do(ctx, "", e); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(err error, status int, detail string) {
		t.Helper()
		if e, ok := errors.AsType[*Error](err); !ok || e.Status != status || !strings.Contains(e.Detail, detail) {
			t.Errorf("got %v, want %d %q", err, status, detail)
		}
	}
	ordered := func(d Done, err error) {
		t.Helper()
		if err != nil || d.Seq != b.desk.Snapshot().Seq {
			t.Errorf("%+v %v", d, err)
		}
	}
	red := sitting.Item{ID: "camera/Totale", Name: "Kamera Totale", Required: true, Red: true, Reason: "plug it in"}
	refused(second(b.ctl.AllClear(ctx)), 409, sitting.ErrNothingChanged.Error())
	ordered(b.ctl.CloseSitting(ctx))
	refused(second(b.ctl.CloseSitting(ctx)), 409, sitting.ErrNotOpen.Error())
	byBox(sitting.Event{Kind: sitting.KindItems, Items: []sitting.Item{red}})
	refused(second(b.ctl.OpenSitting(ctx)), 409, "camera/Totale (plug it in)")
	refused(b.ctl.Call(ctx, "POST", "/open", map[string]string{"override": "camera/Totale"}, nil), 400, "unknown field")
	ordered(b.ctl.OpenSitting(ctx, "camera/Totale"))
	byBox(sitting.Event{Kind: sitting.KindAlarm, On: true, Reason: "fire"})
	refused(second(b.ctl.Grant(ctx, "7")), 409, sitting.ErrAlarm.Error())
	st, err := b.ctl.Status(ctx)
	if err != nil || st.Alarm == nil || st.Alarm.Reason != "fire" || st.Alarm.Over || len(st.Overrides) != 1 || st.Overrides[0].By.Role != sitting.RoleOperator {
		t.Errorf("%+v %v", st, err)
	}
	if d := cmp.Diff([]sitting.Item{red}, st.Items); d != "" {
		t.Error(d)
	}
	ordered(b.ctl.AllClear(ctx)) // the contact is broken: the technician knows
	if st, err := b.ctl.Status(ctx); err != nil || st.Alarm != nil {
		t.Errorf("%+v %v", st, err)
	}
}
