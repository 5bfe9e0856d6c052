package console

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"plenum/device/access"
	"plenum/device/sitting"
)

// viewer is an open event stream.
type viewer struct {
	t    testing.TB
	body io.ReadCloser
	read *bufio.Reader
	view map[string]any
}

// sseEvent is one event of a stream.
type sseEvent struct {
	name, id string
	data     map[string]any
}

// watch opens an event stream with a connection of its own.
func (b *box) watch(token string) *viewer {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), "GET", b.url+"/api/v1/events", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" || res.Header.Get("Cache-Control") != "no-store" {
		b.t.Fatalf("got %d %v", res.StatusCode, res.Header)
	}
	v := &viewer{t: b.t, body: res.Body, read: bufio.NewReader(res.Body)}
	b.t.Cleanup(func() { res.Body.Close() })
	return v
}

// next reads one event. A stream that ended gives io.EOF.
func (v *viewer) next() (sseEvent, error) {
	var e sseEvent
	for {
		line, err := v.read.ReadString('\n')
		if err != nil {
			return e, err
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "event":
			e.name = value
		case "id":
			e.id = value
		case "data":
			if err := json.Unmarshal([]byte(value), &e.data); err != nil {
				return e, err
			}
		case "":
			if e.name != "" {
				v.merge(e)
				return e, nil
			}
		}
	}
}

// merge does what the pages do.
func (v *viewer) merge(e sseEvent) {
	switch e.name {
	case "snapshot":
		v.view = e.data
	case "change":
		for k, value := range e.data {
			v.view[k] = value
		}
	}
}

func (v *viewer) must() sseEvent {
	v.t.Helper()
	e, err := v.next()
	if err != nil {
		v.t.Fatal(err)
	}
	return e
}

// until reads until the sitting stands at an event.
func (v *viewer) until(seq uint64) {
	v.t.Helper()
	for v.view == nil || v.view["seq"].(float64) < float64(seq) {
		v.must()
	}
}

// ends reads to the end of the stream and gives the code it ended with.
func (v *viewer) ends() string {
	v.t.Helper()
	code := ""
	for {
		e, err := v.next()
		if errors.Is(err, io.EOF) {
			return code
		}
		if err != nil {
			v.t.Fatal(err)
		}
		if e.name == "gone" {
			code = e.data["code"].(string)
		}
	}
}

func TestEvents(t *testing.T) {
	b := newBox(t)
	chair, anna := b.chair(), b.link("p-anna", sitting.RoleMember)
	v := b.watch(anna)
	first := v.must()
	if first.name != "snapshot" || first.id != fmt.Sprint(b.desk.Snapshot().Seq) {
		t.Errorf("got %+v", first)
	}
	raw, err := json.Marshal(first.data)
	if err != nil {
		t.Fatal(err)
	}
	if err := loadSpec(t).check("/api/v1/state", "GET", reply{200, http.Header{"Content-Type": {"application/json"}}, raw}); err != nil {
		t.Error(err)
	}
	b.command("open", chair, `{}`)
	change := v.must()
	for _, key := range []string{"seq", "now", "phase", "opened_at"} {
		if change.data[key] == nil {
			t.Errorf("no %s in the change %v", key, change.data)
		}
	}
	if change.name != "change" || len(change.data) != 4 || change.data["phase"] != "open" {
		t.Errorf("got %+v", change)
	}
	b.desk.set(func(d *desk) { d.recorded = false })
	if change := v.must(); change.data["recorded"] != false || len(change.data) != 3 {
		t.Errorf("the disk fails: %+v", change)
	}
}

func TestViewIsForItsViewer(t *testing.T) {
	b := newBox(t)
	b.desk.must(t, sitting.Event{Kind: sitting.KindLeg, By: sitting.Actor{Role: sitting.RoleBox}, Person: "p-anna",
		Leg: &sitting.Leg{Publishes: true, Plays: true, Audio: true, Video: true, SRTP: "AEAD_AES_256_GCM"}})
	for _, tt := range []struct {
		token, role, name string
		sees              bool
	}{
		{b.chair(), "chair", "Clara Vorsitz", true},
		{b.link("p-anna", sitting.RoleMember), "member", "Anna Fern", true},
		{b.link("p-ben", sitting.RoleMember), "member", "Ben Halle", false},
		{b.link("screen", access.RoleScreen), "screen", "", false},
	} {
		got := b.ask("GET", "/api/v1/state", tt.token, "")
		if got.header.Get("Cache-Control") != "no-store" {
			t.Error("a view may be kept by a cache")
		}
		var v View
		if err := json.Unmarshal(got.body, &v); err != nil {
			t.Fatal(err)
		}
		if string(v.Me.Role) != tt.role || v.Me.Name != tt.name {
			t.Errorf("%s: got %+v", tt.role, v.Me)
		}
		if sees := v.People[1].Media != nil; sees != tt.sees {
			t.Errorf("%s %s sees the connection of Anna: %v, want %v", tt.role, tt.name, sees, tt.sees)
		}
		if v.People[1].Presence != sitting.PresenceRemote || v.People[2].Presence != sitting.PresenceHall {
			t.Errorf("presence: %+v", v.People)
		}
	}
}

func TestOneStreamPerLink(t *testing.T) {
	b := newBox(t)
	chair, screen, anna := b.chair(), b.link("screen", access.RoleScreen), b.link("p-anna", sitting.RoleMember)
	panels := []*viewer{b.watch(chair), b.watch(chair), b.watch(screen), b.watch(screen)}
	first := b.watch(anna)
	first.must()
	second := b.watch(anna)
	second.must()
	if code := first.ends(); code != "replaced" {
		t.Errorf("the first stream ended with %q", code)
	}
	third := b.watch(anna)
	third.must()
	if code := second.ends(); code != "replaced" {
		t.Errorf("the second stream ended with %q", code)
	}
	b.command("open", chair, `{}`)
	for _, v := range append(panels, third) {
		v.until(b.desk.Snapshot().Seq)
	}
	if !strings.Contains(b.log.String(), "moved to another place") {
		t.Error("a link that is open twice raised no alarm")
	}
}

func TestRevokeEndsStreams(t *testing.T) {
	b := newBox(t)
	chair, anna, ben := b.chair(), b.link("p-anna", sitting.RoleMember), b.link("p-ben", sitting.RoleMember)
	c, a, n := b.watch(chair), b.watch(anna), b.watch(ben)
	c.must()
	a.must()
	n.must()
	if err := b.access.Revoke("p-anna"); err != nil {
		t.Fatal(err)
	}
	if code := a.ends(); code != "revoked" {
		t.Errorf("revoked link: %q", code)
	}
	b.link("p-ben", sitting.RoleMember)
	if code := n.ends(); code != "revoked" {
		t.Errorf("replaced link: %q", code)
	}
	if err := b.access.SetPIN("918273"); err != nil {
		t.Fatal(err)
	}
	if code := c.ends(); code != "revoked" {
		t.Errorf("PIN set anew: %q", code)
	}
}

// A restart tells the streams, and chair and member come back with what they have.
func TestRestart(t *testing.T) {
	b := newBox(t)
	chair, anna := b.chair(), b.link("p-anna", sitting.RoleMember)
	c, a := b.watch(chair), b.watch(anna)
	c.must()
	a.must()
	b.stop()
	if code := c.ends(); code != "closing" {
		t.Errorf("panel: %q", code)
	}
	if code := a.ends(); code != "closing" {
		t.Errorf("member: %q", code)
	}
	b.openAccess()
	b.start()
	c, a = b.watch(chair), b.watch(anna)
	c.must()
	a.must()
	if got := b.command("open", chair, `{}`); got.status != 200 {
		t.Errorf("the chair after a restart: %d %s", got.status, got.body)
	}
	c.until(b.desk.Snapshot().Seq)
	a.until(b.desk.Snapshot().Seq)
}

// Links and sessions outlive a change of the roster; what they open does not. The chair before sees and does no more than
// what they are now, and signs in anew if it is anything.
func TestTheRosterGivesTheRole(t *testing.T) {
	b := newBox(t, func(o *Options) { o.Service = &room{owner: "730164"} })
	chair, anna, ben := b.chair(), b.link("p-anna", sitting.RoleMember), b.link("p-ben", sitting.RoleMember)
	screen := b.link("screen", access.RoleScreen)
	before, gone, deputy, wall := b.watch(chair), b.watch(anna), b.watch(ben), b.watch(screen)
	for _, v := range []*viewer{before, gone, deputy, wall} {
		v.must()
	}
	b.desk.must(t, byBox(sitting.Event{Kind: sitting.KindRoster, Body: "Rat", Mode: sitting.ModeChairGrants, Limit: 2, MaxLimit: 4,
		Roster: []sitting.Member{
			{ID: "p-chair", Name: "Clara Vorsitz", Role: sitting.RoleMember, Seat: "1", Desk: "saal"},
			{ID: "p-ben", Name: "Ben Halle", Role: sitting.RoleChair, Seat: "7", Desk: "saal"},
		}}))
	for name, v := range map[string]*viewer{"the chair before": before, "who left": gone, "who became the chair": deputy} {
		if code := v.ends(); code != "revoked" {
			t.Errorf("%s: %q", name, code)
		}
	}
	wall.until(b.desk.Snapshot().Seq)
	for _, token := range []string{chair, anna, ben} {
		for method, path := range map[string]string{"GET": "/api/v1/service", "POST": "/api/v1/service/acknowledge", "DELETE": "/whep/1"} {
			if got := b.ask(method, path, token, ""); got.status != 401 || got.code() != "unauthorized" {
				t.Errorf("%s: %d %s", path, got.status, got.body)
			}
		}
	}
	got := b.ask("POST", "/api/v1/session", "", `{"pin":"`+pin+`"}`)
	var s session
	if err := json.Unmarshal(got.body, &s); err != nil || s.Name != "Ben Halle" {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if got := b.command("open", s.Token, `{}`); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// Many viewers over a storm of events all end up with the same, latest state.
func TestManyViewers(t *testing.T) {
	b := newBox(t)
	chair, screen := b.chair(), b.link("screen", access.RoleScreen)
	var viewers []*viewer
	for range 60 {
		v := b.watch(screen)
		v.must()
		viewers = append(viewers, v)
	}
	b.command("open", chair, `{}`)
	by := sitting.Actor{Role: sitting.RoleChair, Person: "p-chair"}
	for i := range 300 {
		kind := sitting.KindRequest
		if i%2 == 1 {
			kind = sitting.KindRefuse
		}
		b.desk.must(t, sitting.Event{Kind: kind, By: by, Person: "p-ben"})
	}
	b.desk.must(t, sitting.Event{Kind: sitting.KindRequest, By: by, Person: "p-ben"})
	last := b.desk.Snapshot().Seq
	var wg sync.WaitGroup
	for _, v := range viewers {
		wg.Go(func() {
			for v.view["seq"].(float64) < float64(last) {
				if _, err := v.next(); err != nil {
					t.Error(err)
					return
				}
			}
			if list := v.view["requests"].([]any); len(list) != 1 {
				t.Errorf("a viewer sees %v", list)
			}
		})
	}
	wg.Wait()
}

// Who does not read holds up neither the others nor the sitting, and is let go when the console ends.
func TestSlowViewer(t *testing.T) {
	b := newBox(t)
	chair, screen := b.chair(), b.link("screen", access.RoleScreen)
	slow, err := net.Dial("tcp", b.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	if err := slow.(*net.TCPConn).SetReadBuffer(1); err != nil {
		t.Fatal(err)
	}
	cfg := b.trust()
	cfg.ServerName = "127.0.0.1"
	tc := tlsClient(t, slow, cfg)
	fmt.Fprintf(tc, "GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", screen)
	good := b.watch(screen)
	good.must()
	b.command("open", chair, `{}`)
	by := sitting.Actor{Role: sitting.RoleChair, Person: "p-chair"}
	for range 50 { // each fills the slow one's buffers further: the body's name is part of the change
		b.desk.set(func(d *desk) { d.state.Body = strings.Repeat("x", 200_000) + d.state.Body[:10]; d.seq++ })
		b.desk.must(t, sitting.Event{Kind: sitting.KindRequest, By: by, Person: "p-ben"})
		b.desk.must(t, sitting.Event{Kind: sitting.KindRefuse, By: by, Person: "p-ben"})
		good.until(b.desk.Snapshot().Seq)
	}
}
