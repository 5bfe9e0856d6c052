package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plenum/device/access"
	"plenum/device/health"
	"plenum/device/sitting"
)

// workshop is who looks after the devices.
type workshop struct {
	board *health.Board
	test  func(context.Context) (health.Report, error)
}

func (w workshop) List() []health.Item { return w.board.List() }

func (w workshop) SelfTest(ctx context.Context) (health.Report, error) { return w.test(ctx) }

// tended starts a box with a camera, whose self-tests do what is told.
func tended(t *testing.T, test func(context.Context) (health.Report, error)) (*box, *health.Board) {
	board := health.NewBoard(nil)
	board.Add(health.Camera, "Totale", "usb:4F2A01", true)
	return newBox(t, func(o *Options) { o.Devices = workshop{board, test} }), board
}

func byBox(e sitting.Event) sitting.Event {
	e.By = sitting.Actor{Role: sitting.RoleBox}
	return e
}

func (b *box) view(token string) View {
	b.t.Helper()
	got := b.ask("GET", "/api/v1/state", token, "")
	var v View
	if err := json.Unmarshal(got.body, &v); err != nil || got.status != 200 {
		b.t.Fatalf("%d %s", got.status, got.body)
	}
	return v
}

func TestDevices(t *testing.T) {
	b, board := tended(t, nil)
	board.Set("camera/Totale", health.Degraded, "YUYV 640x360 at 12/s", "the cable carries too little")
	got := b.ask("GET", "/api/v1/devices", b.chair(), "")
	var list struct{ Devices []health.Item }
	if err := json.Unmarshal(got.body, &list); err != nil || got.status != 200 || len(list.Devices) != 1 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if d := list.Devices[0]; d.ID != "camera/Totale" || d.State != health.Degraded || d.Mode != "YUYV 640x360 at 12/s" || d.Since.IsZero() {
		t.Errorf("%+v", d)
	}
	for _, token := range []string{b.link("p-anna", sitting.RoleMember), b.link("screen", access.RoleScreen)} {
		for method, path := range map[string]string{"GET": "/api/v1/devices", "POST": "/api/v1/selftest"} {
			if got := b.ask(method, path, token, ""); got.status != 403 || got.code() != "not_allowed" {
				t.Errorf("%s: %d %s", path, got.status, got.body)
			}
		}
	}
	without := newBox(t)
	for method, path := range map[string]string{"GET": "/api/v1/devices", "POST": "/api/v1/selftest"} {
		if got := without.ask(method, path, without.chair(), ""); got.status != 404 || got.code() != "not_found" {
			t.Errorf("%s without devices: %d %s", path, got.status, got.body)
		}
	}
}

func TestSelfTest(t *testing.T) {
	var fail error
	b, _ := tended(t, func(ctx context.Context) (health.Report, error) {
		if end, ok := ctx.Deadline(); !ok || time.Until(end) > selfTestTime {
			t.Error("it may last for ever")
		}
		r := health.Report{At: time.Now(), Checks: []health.Check{{ID: "disk", Name: "Platte", Required: true, OK: true, DE: "frei", EN: "free"}}}
		if r.Judge(); fail == nil {
			return r, nil
		}
		return health.Report{}, fail
	})
	chair := b.chair()
	got := b.ask("POST", "/api/v1/selftest", chair, "")
	var r health.Report
	if err := json.Unmarshal(got.body, &r); err != nil || got.status != 200 || !r.Go || len(r.Checks) != 1 || r.Checks[0].EN != "free" {
		t.Errorf("%d %s", got.status, got.body)
	}
	for _, tt := range []struct {
		fail   error
		status int
		code   string
	}{
		{health.ErrTesting, 409, "selftest_running"},
		{context.DeadlineExceeded, 503, "busy"},
		{errBroken, 500, "internal"},
	} {
		fail = tt.fail
		if got := b.ask("POST", "/api/v1/selftest", chair, ""); got.status != tt.status || got.code() != tt.code || strings.Contains(string(got.body), "/var") {
			t.Errorf("%v: %d %s", tt.fail, got.status, got.body)
		}
	}
}

// Who asked for a self-test and went away does not leave it running.
func TestSelfTestEndsWithItsCaller(t *testing.T) {
	began, ended := make(chan struct{}), make(chan error, 1)
	b, _ := tended(t, func(ctx context.Context) (health.Report, error) {
		close(began)
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return health.Report{}, ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "POST", b.url+"/api/v1/selftest", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+b.chair())
	go func() {
		<-began
		cancel()
	}()
	if res, err := b.client.Do(req); err == nil {
		res.Body.Close()
		t.Error("there was an answer")
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestAlarmOnEveryPage(t *testing.T) {
	b := newBox(t)
	chair, anna, screen := b.chair(), b.link("p-anna", sitting.RoleMember), b.link("screen", access.RoleScreen)
	if got := b.command("open", chair, `{}`); got.status != 200 {
		t.Fatalf("%s", got.body)
	}
	stream := b.watch(screen)
	if first := stream.must(); first.data["alarm"] != nil {
		t.Fatalf("%v", first.data["alarm"])
	}
	b.desk.must(t, byBox(sitting.Event{Kind: sitting.KindAlarm, On: true, Reason: "Brandmelder"}))
	for _, token := range []string{chair, anna, screen} {
		if a := b.view(token).Alarm; a == nil || a.Reason != "Brandmelder" || a.Since == "" || a.Over {
			t.Errorf("%+v", a)
		}
	}
	stream.until(b.desk.Snapshot().Seq)
	if a, _ := stream.view["alarm"].(map[string]any); len(a) != 3 || a["over"] != false {
		t.Errorf("%+v", stream.view["alarm"])
	}
	for _, step := range []struct {
		name, token, body, code, detail string
		before                          sitting.Event
	}{
		{name: "grant", token: chair, body: `{"person":"p-ben"}`, code: "alarm", detail: "until it is ended"},
		{name: "request", token: chair, body: `{}`, code: "alarm"},
		{name: "all_clear", token: anna, body: `{}`, code: "not_allowed"},
		{name: "all_clear", token: chair, body: `{}`, code: "alarm", detail: "Brandmelder"},
		{name: "all_clear", token: chair, body: `{"person":"p-ben"}`, code: "invalid"},
		{name: "close", token: chair, body: `{}`},
		{name: "open", token: chair, body: `{}`, code: "alarm"},
		{name: "all_clear", token: chair, body: `{}`, before: byBox(sitting.Event{Kind: sitting.KindAlarm, Reason: "Brandmelder"})},
		{name: "all_clear", token: chair, body: `{}`, code: "nothing_changed"},
	} {
		if step.before.Kind != "" {
			b.desk.must(t, step.before)
			if a := b.view(screen).Alarm; a == nil || !a.Over {
				t.Errorf("%+v", a)
			}
		}
		if got := b.command(step.name, step.token, step.body); got.code() != step.code || !strings.Contains(string(got.body), step.detail) {
			t.Errorf("%s: %d %s, want %q", step.name, got.status, got.body, step.code)
		}
	}
	stream.until(b.desk.Snapshot().Seq)
	if a, there := stream.view["alarm"]; a != nil || !there {
		t.Errorf("the screen still shows %v", a)
	}
}

func TestOpenInSpiteOfSomething(t *testing.T) {
	b := newBox(t)
	chair, anna := b.chair(), b.link("p-anna", sitting.RoleMember)
	b.desk.must(t, byBox(sitting.Event{Kind: sitting.KindItems, Items: []sitting.Item{
		{ID: "camera/Totale", Name: "Kamera Totale", Required: true, Red: true, Reason: "plug it in"}, {ID: "desk/saal", Name: "Sprechstellen"}}}))
	want := []Item{{ID: "camera/Totale", Name: "Kamera Totale", Required: true, Red: true, Reason: "plug it in"}, {ID: "desk/saal", Name: "Sprechstellen"}}
	if d := cmp.Diff(want, b.view(chair).Items); d != "" {
		t.Error(d)
	}
	for _, body := range []string{``, `{}`, `{"overrides":[]}`, `{"overrides":["desk/saal"]}`} {
		got := b.command("open", chair, body)
		if got.status != 409 || got.code() != "not_ready" || !strings.Contains(string(got.body), "camera/Totale (plug it in)") || strings.Contains(string(got.body), "ready to open: desk") {
			t.Errorf("%s: %d %s", body, got.status, got.body)
		}
	}
	for _, body := range []string{`{"overrides":"camera/Totale"}`, `{"overrides":[7]}`} {
		if got := b.command("open", chair, body); got.code() != "invalid" {
			t.Errorf("%s: %d %s", body, got.status, got.body)
		}
	}
	if got := b.command("open", anna, `{"overrides":["camera/Totale"]}`); got.code() != "not_allowed" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := b.command("open", chair, `{"overrides":["camera/Totale"]}`); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	v := b.view(chair)
	if len(v.Overrides) != 1 || v.Overrides[0].Item != "camera/Totale" || v.Overrides[0].By != "Clara Vorsitz" || v.Overrides[0].Reason != "plug it in" || v.Overrides[0].At == "" {
		t.Errorf("%+v", v.Overrides)
	}
	if v := b.view(anna); len(v.Items) != 0 || len(v.Overrides) != 0 {
		t.Errorf("a member sees %+v %+v", v.Items, v.Overrides)
	}
}
