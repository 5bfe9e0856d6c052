package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"plenum/device/access"
	"plenum/device/service"
	"plenum/device/sitting"
)

// owned is the answer of a box with everything in it, as the technician's room gives it.
const owned = `{"release":{"version":"1.3.0","build":"2026-11-01T10:00:00Z","slot":"A","compatible":"plenum-x86_64","support_until":"2031-12"},
	"sticks":[{"id":"s1","label":"STICK","drive":"Acme","kind":"update","busy":false,"text_de":"Update","text_en":"Update"}],
	"update":{"state":"offered","reason":"","version":"1.4.0","notes":"n","built":"2026-11-20T10:00:00Z","current":"1.3.0","size":1,"percent":0,"step":"","text_de":"d","text_en":"e",
		"last":{"result":"updated","version":"1.3.0","from":"1.2.0","at":"2026-11-01T11:00:00Z","text_de":"d","text_en":"e","seen":true}},
	"setup":{"state":"offered","signed":false,"lines":[{"text_de":"d","text_en":"e"}],"text_de":"","text_en":""},
	"diagnosis":{"state":"idle","file":"","encrypted":false,"text_de":"","text_en":""},
	"technician":{"on":true,"until":"2026-11-23T18:00:00Z"},"owner":true,"sitting":false,
	"refused_usb":[{"name":"Keyboard","ids":"046d:c31c","classes":["03"]}],
	"conditions":[{"code":"disk-full","subject":"data","severity":"error","text_de":"d","text_en":"e","detail":"","since":"2026-11-23T17:00:00Z"}],"host":"saal"}`

// room is a technician's room that notes what was ordered.
type room struct {
	mu    sync.Mutex
	owner string
	open  func() bool // a sitting is open; nil: none is
	fail  error
	did   []string
	from  netip.Addr // of the latest order
}

func (r *room) do(ctx context.Context, pin, what string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.from = service.Source(ctx)
	if end, ok := ctx.Deadline(); !ok || time.Until(end) > serviceTime {
		return errors.New("it may last for ever")
	}
	if r.fail != nil {
		return r.fail
	}
	switch {
	case r.open != nil && r.open() && what != "acknowledge" && !strings.HasPrefix(what, "owner"):
		return service.ErrSittingOpen
	case pin != r.owner:
		return service.ErrWrongPIN
	}
	r.did = append(r.did, what)
	return nil
}

func (r *room) View() any { return json.RawMessage(owned) }

func (r *room) HasOwner() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.owner != ""
}

func (r *room) Install(ctx context.Context, pin string) error { return r.do(ctx, pin, "install") }
func (r *room) Reboot(ctx context.Context, pin string) error  { return r.do(ctx, pin, "reboot") }
func (r *room) Setup(ctx context.Context, pin string) error   { return r.do(ctx, pin, "setup") }

func (r *room) Technician(ctx context.Context, pin string, on bool) error {
	return r.do(ctx, pin, fmt.Sprint("technician ", on))
}

func (r *room) Reset(ctx context.Context, pin, confirm string) error {
	if confirm != "saal" {
		return service.ErrConfirm
	}
	return r.do(ctx, pin, "reset")
}

func (r *room) Acknowledge(ctx context.Context) error { return r.do(ctx, r.owner, "acknowledge") }

func (r *room) SetOwner(ctx context.Context, old, pin string, local bool) error {
	if err := r.do(ctx, old, fmt.Sprint("owner ", local)); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.owner = pin
	return nil
}

// appliance starts a box that belongs to somebody.
func appliance(t *testing.T, change ...func(*Options)) (*box, *room) {
	t.Helper()
	r := &room{owner: "730164"}
	return newBox(t, append([]func(*Options){func(o *Options) { o.Service = r }}, change...)...), r
}

func serviceOrders() map[string]string {
	return map[string]string{
		"install": `{"pin":"730164"}`, "reboot": `{"pin":"730164"}`, "setup": `{"pin":"730164"}`, "technician": `{"pin":"730164","on":true}`,
		"reset": `{"pin":"730164","confirm":"saal"}`, "acknowledge": `{}`,
	}
}

func TestService(t *testing.T) {
	b, r := appliance(t)
	chair, anna := b.chair(), b.link("p-anna", sitting.RoleMember)
	if got := b.ask("GET", "/api/v1/service", chair, ""); got.status != 200 || !strings.Contains(string(got.body), `"1.4.0"`) {
		t.Errorf("%d %s", got.status, got.body)
	}
	for _, token := range []string{anna, b.link("screen", access.RoleScreen)} {
		if got := b.ask("GET", "/api/v1/service", token, ""); got.status != 403 || got.code() != "not_allowed" {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	for name, body := range serviceOrders() {
		path := "/api/v1/service/" + name
		if got := b.ask("POST", path, "", body); got.status != 401 {
			t.Errorf("%s without a token: %d", name, got.status)
		}
		if got := b.ask("POST", path, anna, body); got.code() != "not_allowed" {
			t.Errorf("%s by a member: %s", name, got.body)
		}
		if got := b.ask("POST", path, chair, body); got.status != 200 || !json.Valid(got.body) {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
		if want := netip.MustParseAddr("127.0.0.1"); r.from != want {
			t.Errorf("%s comes from %v, want %v", name, r.from, want)
		}
		for _, bad := range []string{`{"applause":1}`, `[]`, `{"pin":7}`} {
			if got := b.ask("POST", path, chair, bad); got.status != 400 || got.code() != "invalid" {
				t.Errorf("%s %s: %d %s", name, bad, got.status, got.body)
			}
		}
		if name != "acknowledge" {
			if got := b.ask("POST", path, chair, `{}`); got.code() != "invalid" || !strings.Contains(string(got.body), "missing") {
				t.Errorf("%s without its fields: %s", name, got.body)
			}
		}
	}
	if len(r.did) != len(serviceOrders()) {
		t.Errorf("did %q", r.did)
	}
	if got := b.ask("POST", "/api/v1/service/technician", chair, `{"pin":"730164","on":false}`); got.status != 200 || r.did[len(r.did)-1] != "technician false" {
		t.Errorf("%d, did %q", got.status, r.did)
	}
	if log := b.log.String(); strings.Contains(log, "730164") {
		t.Error("a PIN stands in the log")
	}
}

func TestServiceRefusals(t *testing.T) {
	b, r := appliance(t)
	chair := b.chair()
	for _, tt := range []struct {
		fail   error
		status int
		code   string
	}{
		{service.ErrSittingOpen, 409, "sitting_open"},
		{service.ErrNothingOffered, 409, "nothing_offered"},
		{service.ErrWrongPIN, 403, "wrong_pin"},
		{service.ErrNotLocal, 403, "not_local"},
		{service.ErrOwnerSet, 409, "owner_set"},
		{service.ErrNoOwner, 409, "no_owner"},
		{service.ErrConfirm, 400, "confirm"},
		{service.ErrBusy, 409, "service_busy"},
		{service.ErrAbsent, 503, "absent"},
		{access.ErrWeakPIN, 400, "weak_pin"},
		{&access.TooManyError{Wait: 3500 * time.Millisecond}, 429, "too_many_tries"},
		{errBroken, 500, "internal"},
	} {
		r.fail = fmt.Errorf("install: %w", tt.fail)
		got := b.ask("POST", "/api/v1/service/install", chair, `{"pin":"730164"}`)
		if got.status != tt.status || got.code() != tt.code || strings.Contains(string(got.body), "/var") {
			t.Errorf("%v: %d %s", tt.fail, got.status, got.body)
		}
		if wait := got.header.Get("Retry-After"); (wait == "4") != (tt.status == 429) {
			t.Errorf("%v: wait %q", tt.fail, wait)
		}
	}
	r.fail = nil
	if got := b.ask("POST", "/api/v1/service/reset", chair, `{"pin":"730164","confirm":"Saal 1"}`); got.code() != "confirm" {
		t.Errorf("%s", got.body)
	}
}

func TestNoAppliance(t *testing.T) {
	b := newBox(t)
	chair := b.chair()
	for name, body := range serviceOrders() {
		if got := b.ask("POST", "/api/v1/service/"+name, chair, body); got.status != 404 || got.code() != "not_appliance" {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	for path, method := range map[string]string{"": "GET", "/first": "GET", "/owner": "POST", "/chair": "POST"} {
		if got := b.ask(method, "/api/v1/service"+path, chair, ""); got.status != 404 || got.code() != "not_appliance" {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}

// Who comes first sets the owner's PIN at the box, then the chair's, and then the chair logs in.
func TestFirstBoot(t *testing.T) {
	r := new(room)
	b := newBox(t, func(o *Options) { o.Service = r })
	fresh, err := access.Open(t.TempDir(), access.Options{Hash: access.Hash{Memory: 64, Rounds: 1, Threads: 1}})
	if err != nil {
		t.Fatal(err)
	}
	b.con.opts.Access = fresh

	first := func() First {
		t.Helper()
		var f First
		if got := b.ask("GET", "/api/v1/service/first", "", ""); got.status != 200 || json.Unmarshal(got.body, &f) != nil {
			t.Fatalf("%d %s", got.status, got.body)
		}
		return f
	}
	post := func(path, token, body, code string) {
		t.Helper()
		if got := b.ask("POST", "/api/v1/"+path, token, body); got.code() != code || (code == "") != (got.status == 200) {
			t.Errorf("%s %s: %d %s, want %q", path, body, got.status, got.body, code)
		}
	}
	if f := first(); f != (First{Local: true}) {
		t.Errorf("%+v", f)
	}
	post("session", "", `{"pin":"402917"}`, "no_owner")
	post("service/chair", "", `{"pin":"402917"}`, "no_owner")
	post("service/owner", "", `{}`, "invalid")
	r.fail = access.ErrWeakPIN
	post("service/owner", "", `{"pin":"111111"}`, "weak_pin")
	r.fail = nil
	post("service/owner", "", `{"pin":"730164"}`, "")
	if f := first(); f != (First{Owner: true, Local: true}) {
		t.Errorf("%+v", f)
	}
	post("session", "", `{"pin":"402917"}`, "no_pin")
	post("service/chair", "", `{"pin":"123456"}`, "weak_pin")
	post("service/chair", "", `{"pin":"402917"}`, "")
	post("service/chair", "", `{"pin":"402918"}`, "pin_set")
	if f := first(); f != (First{Owner: true, Chair: true, Local: true}) {
		t.Errorf("%+v", f)
	}
	token, _, err := fresh.Login(t.Context(), source(httptest.NewRequest("GET", "/", nil)), "402917", "p-chair")
	if err != nil {
		t.Fatal(err)
	}
	post("service/owner", "", `{"pin":"518402"}`, "unauthorized") // no longer without a session
	post("service/owner", token, `{"pin":"518402"}`, "wrong_pin")
	post("service/owner", token, `{"pin":"518402","old":"730164"}`, "")
	if r.owner != "518402" || strings.Join(r.did, ",") != "owner true,owner true" {
		t.Errorf("%q, did %q", r.owner, r.did)
	}
}

// The first PINs are nobody's business from elsewhere.
func TestFirstBootFromElsewhere(t *testing.T) {
	r := new(room)
	b := newBox(t, func(o *Options) { o.Service = r })
	from := func(remote, path string) *httptest.ResponseRecorder {
		req := httptest.NewRequest("POST", "https://box"+path, strings.NewReader(`{"pin":"730164"}`))
		req.RemoteAddr = remote
		w := httptest.NewRecorder()
		b.con.guard(b.con.mux).ServeHTTP(w, req)
		return w
	}
	for remote, ok := range map[string]bool{
		"192.0.2.7:50000": false, "[2001:db8::1]:50000": false, "[::ffff:192.0.2.7]:50000": false, "@": false, "": false,
		"127.0.0.1:50000": true, "[::1]:50000": true, "[::ffff:127.0.0.1]:50000": true,
	} {
		r.owner = ""
		if w := from(remote, "/api/v1/service/owner"); (w.Code == 200) != ok || !ok && !strings.Contains(w.Body.String(), "not_local") {
			t.Errorf("%q: %d %s", remote, w.Code, w.Body)
		}
	}
	r.owner = "730164"
	fresh, err := access.Open(t.TempDir(), access.Options{Hash: access.Hash{Memory: 64, Rounds: 1, Threads: 1}})
	if err != nil {
		t.Fatal(err)
	}
	b.con.opts.Access = fresh
	if w := from("192.0.2.7:50000", "/api/v1/service/chair"); w.Code != 403 || fresh.HasPIN() {
		t.Errorf("the chair's PIN from elsewhere: %d %s", w.Code, w.Body)
	}
}

// An order is carried out in full although its browser went away.
func TestServiceOutlivesItsCaller(t *testing.T) {
	r := &room{owner: "730164"}
	c := &Console{opts: Options{Service: r}, log: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := c.served(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "POST", "/", nil), "x", func(ctx context.Context) error {
		return ctx.Err()
	})
	if err != nil {
		t.Error(err)
	}
}
