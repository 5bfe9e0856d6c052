package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"plenum/device/access"
	"plenum/device/clerk"
	"plenum/device/sitting"
)

func TestLogin(t *testing.T) {
	b := newBox(t)
	got := b.ask("POST", "/api/v1/session", "", `{"pin":"`+pin+`"}`, "Content-Type", "application/json")
	var s session
	if err := json.Unmarshal(got.body, &s); err != nil || got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	expires, err := time.Parse(time.RFC3339, s.Expires)
	if err != nil || s.Role != sitting.RoleChair || s.Name != "Clara Vorsitz" || time.Until(expires) < 11*time.Hour {
		t.Errorf("got %+v", s)
	}
	if got := b.ask("GET", "/api/v1/state", s.Token, ""); got.status != 200 {
		t.Errorf("the session's token: %d %s", got.status, got.body)
	}
	for i, want := range []string{"wrong_pin", "wrong_pin", "wrong_pin", "too_many_tries", "too_many_tries"} {
		got := b.ask("POST", "/api/v1/session", "", `{"pin":"111222"}`)
		if got.code() != want {
			t.Errorf("wrong PIN %d: %d %s, want %s", i+1, got.status, got.body, want)
		}
		if wait, err := strconv.Atoi(got.header.Get("Retry-After")); want == "too_many_tries" && (err != nil || wait < 1) {
			t.Errorf("Retry-After %q", got.header.Get("Retry-After"))
		}
		if got.header.Get("WWW-Authenticate") != "" {
			t.Error("a wrong PIN would make a browser ask for a password")
		}
	}
}

func TestLoginRefuses(t *testing.T) {
	b := newBox(t)
	for _, tt := range []struct {
		body, header, code string
		status             int
	}{
		{`{"pin":402917}`, "application/json", "invalid", 400},
		{`{"pin":"402917","name":"x"}`, "application/json", "invalid", 400},
		{`[]`, "application/json", "invalid", 400},
		{`{"pin":"402917"}{}`, "application/json", "invalid", 400},
		{`{"pin":"402917"}`, "text/plain", "invalid", 400},
		{`{"pin":"` + strings.Repeat("1", maxBody) + `"}`, "application/json", "invalid", 413},
		{``, "application/json", "wrong_pin", 401},
	} {
		got := b.ask("POST", "/api/v1/session", "", tt.body, "Content-Type", tt.header)
		if got.status != tt.status || got.code() != tt.code {
			t.Errorf("%.40q: got %d %s, want %d %s", tt.body, got.status, got.body, tt.status, tt.code)
		}
	}
	b.desk.set(func(d *desk) { d.state.Roster = nil })
	if got := b.ask("POST", "/api/v1/session", "", `{"pin":"402917"}`); got.status != 503 {
		t.Errorf("without a chair on the roster: %d %s", got.status, got.body)
	}
}

func TestNoPINYet(t *testing.T) {
	b := newBox(t)
	b.stop()
	b.dir = t.TempDir()
	b.openAccess()
	b.start()
	if got := b.ask("POST", "/api/v1/session", "", `{"pin":"402917"}`); got.status != 409 || got.code() != "no_pin" {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

func TestUnauthorized(t *testing.T) {
	b := newBox(t)
	revoked := b.link("p-ben", sitting.RoleMember)
	if err := b.access.Revoke("p-ben"); err != nil {
		t.Fatal(err)
	}
	good := b.link("p-anna", sitting.RoleMember)
	for _, header := range []string{"", "Bearer", "Bearer ", "Basic " + good, good, "Bearer " + revoked, "Bearer " + good + "x"} {
		for _, rt := range b.con.routes() {
			if rt.open {
				continue
			}
			path := strings.NewReplacer("{name}", "grant", "{session...}", "1").Replace(rt.path)
			got := b.ask(rt.method, path+"?token="+good, "", "", "Authorization", header)
			if got.status != 401 || got.code() != "unauthorized" || got.header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s %s with %.12q: %d %s", rt.method, path, header, got.status, got.body)
			}
		}
	}
	if got := b.ask("GET", "/api/v1/state", "", "", "Authorization", "bearer "+good); got.status != 200 {
		t.Errorf("the scheme in small letters: %d", got.status)
	}
}

// A whole small sitting by commands, with what each role may not do.
func TestCommands(t *testing.T) {
	b := newBox(t)
	chair, anna := b.chair(), b.link("p-anna", sitting.RoleMember)
	screen := b.link("screen", access.RoleScreen)
	b.desk.must(t, sitting.Event{Kind: sitting.KindLeg, By: sitting.Actor{Role: sitting.RoleBox}, Person: "p-anna",
		Leg: &sitting.Leg{Publishes: true, Plays: true, Audio: true, Video: true, DTLS: "1.2"}})
	steps := []struct {
		name, token, body string
		status            int
		code              string
	}{
		{"request", anna, `{}`, 409, "not_open"},
		{"open", anna, `{}`, 403, "not_allowed"},
		{"open", screen, `{}`, 403, "not_allowed"},
		{"open", chair, ``, 200, ""},
		{"open", chair, `{}`, 409, "already_open"},
		{"request", anna, `{}`, 200, ""},
		{"request", anna, `{}`, 409, "already_listed"},
		{"request", anna, `{"person":"p-ben"}`, 403, "not_allowed"},
		{"request", anna, `{"queue":true}`, 403, "not_allowed"},
		{"request", screen, `{}`, 403, "not_allowed"},
		{"request", chair, `{"person":"p-ben"}`, 200, ""},
		{"move", chair, `{"person":"p-ben","index":0}`, 200, ""},
		{"move", chair, `{"person":"p-ben","index":0}`, 409, "nothing_changed"},
		{"move", chair, `{"person":"p-ben","index":5}`, 400, "invalid"},
		{"grant", anna, `{"person":"p-anna"}`, 403, "not_allowed"},
		{"grant", chair, `{"person":"p-nobody"}`, 404, "unknown_person"},
		{"grant", chair, `{"person":"p-anna"}`, 200, ""},
		{"grant", chair, `{"person":"p-anna"}`, 409, "already_speaks"},
		{"withdraw", chair, `{"person":"p-ben"}`, 409, "not_speaking"},
		{"next", chair, `{}`, 200, ""},
		{"next", chair, `{}`, 409, "list_empty"},
		{"priority", chair, `{"priority":"hold"}`, 200, ""},
		{"grant", chair, `{"person":"p-anna"}`, 409, "silenced"},
		{"priority", chair, `{"priority":"release"}`, 200, ""},
		{"rules", chair, `{"mode":"chair_grants","limit":1}`, 200, ""},
		{"grant", chair, `{"person":"p-anna"}`, 409, "limit"},
		{"lower", anna, `{}`, 409, "not_listed"},
		{"withdraw", chair, `{"person":"p-ben"}`, 200, ""},
		{"request", anna, `{}`, 200, ""},
		{"refuse", chair, `{"person":"p-anna","reason":"spoke twice"}`, 200, ""},
		{"yield", anna, `{}`, 409, "not_speaking"},
		{"close", chair, `{}`, 200, ""},
	}
	for i, s := range steps {
		got := b.command(s.name, s.token, s.body)
		if got.status != s.status || s.code != "" && got.code() != s.code {
			t.Errorf("step %d, %s %s: got %d %s, want %d %s", i, s.name, s.body, got.status, got.body, s.status, s.code)
		}
	}
}

func TestCommandRefuses(t *testing.T) {
	b := newBox(t)
	chair := b.chair()
	for _, tt := range []struct {
		name, key, body string
		status          int
		code            string
	}{
		{"grant", "", `{"person":"p-anna"}`, 400, "invalid"},
		{"grant", "a b", `{"person":"p-anna"}`, 400, "invalid"},
		{"grant", strings.Repeat("k", 65), `{"person":"p-anna"}`, 400, "invalid"},
		{"grant", "k1", `{}`, 400, "invalid"},
		{"grant", "k1", `{"person":null}`, 400, "invalid"},
		{"grant", "k1", `{"person":"p-anna","index":0}`, 400, "invalid"},
		{"grant", "k1", `{"person":"p-anna","by":"chair"}`, 400, "invalid"},
		{"grant", "k1", `{"person":7}`, 400, "invalid"},
		{"move", "k1", `{"person":"p-anna","index":"0"}`, 400, "invalid"},
		{"open", "k1", `{"person":"p-chair"}`, 400, "invalid"},
		{"rules", "k1", `{"mode":"chair_grants"}`, 400, "invalid"},
		{"open", "k1", `nonsense`, 400, "invalid"},
		{"seat", "k1", `{}`, 404, "not_found"},
	} {
		got := b.ask("POST", "/api/v1/commands/"+tt.name, chair, tt.body, "Idempotency-Key", tt.key)
		if got.status != tt.status || got.code() != tt.code || strings.Contains(string(got.body), "Go ") {
			t.Errorf("%s %s: got %d %s, want %d %s", tt.name, tt.body, got.status, got.body, tt.status, tt.code)
		}
	}
	for _, tt := range []struct {
		err    error
		status int
		code   string
	}{
		{clerk.ErrBusy, 503, "busy"}, {clerk.ErrStopped, 503, "busy"}, {clerk.ErrKeyReused, 409, "key_reused"},
		{errBroken, 500, "internal"},
	} {
		b.desk.set(func(d *desk) { d.fail = tt.err })
		got := b.command("open", chair, `{}`)
		if got.status != tt.status || got.code() != tt.code || strings.Contains(string(got.body), "/var") {
			t.Errorf("%v: got %d %s, want %d %s", tt.err, got.status, got.body, tt.status, tt.code)
		}
	}
	if !strings.Contains(b.log.String(), errBroken.Error()) {
		t.Error("the box's own fault is not in the log")
	}
}

func TestIdempotency(t *testing.T) {
	b := newBox(t)
	chair, again, anna, ben := b.chair(), b.chair(), b.link("p-anna", sitting.RoleMember), b.link("p-ben", sitting.RoleMember)
	ask := func(token, name string) reply {
		return b.ask("POST", "/api/v1/commands/"+name, token, `{}`, "Idempotency-Key", "the-same_key")
	}
	first, second := ask(chair, "open"), ask(again, "open") // a panel that logged in anew repeats
	if first.status != 200 || second.status != 200 || !strings.Contains(string(second.body), `"repeated":true`) {
		t.Errorf("got %s and %s", first.body, second.body)
	}
	for _, token := range []string{anna, ben} {
		if got := ask(token, "request"); got.status != 200 || strings.Contains(string(got.body), `"repeated":true`) {
			t.Errorf("keys of different people meet: %s", got.body)
		}
	}
	long := ownKey(access.Identity{Person: sitting.PersonID(strings.Repeat("p", 200)), Role: sitting.RoleMember}, strings.Repeat("k", 64))
	if len(long) > clerk.MaxKey {
		t.Errorf("a key of %d bytes, the clerk takes %d", len(long), clerk.MaxKey)
	}
}

// The event says who asked for it, and no body can change that.
func TestActorIsTheTokens(t *testing.T) {
	b := newBox(t)
	b.command("open", b.chair(), `{}`)
	b.command("request", b.link("p-anna", sitting.RoleMember), `{}`)
	last := b.desk.events[len(b.desk.events)-1]
	if last.By != (sitting.Actor{Role: sitting.RoleMember, Person: "p-anna"}) || last.Person != "p-anna" || last.Origin != sitting.OriginRemote {
		t.Errorf("got %+v", last)
	}
}

// The record never says that a member gave the word back or took the hand down when the chair did it.
func TestNobodyActsInAnothersName(t *testing.T) {
	b := newBox(t)
	chair := b.chair()
	b.command("open", chair, `{}`)
	b.command("request", chair, `{"person":"p-ben"}`)
	for _, name := range []string{"lower", "yield"} {
		if name == "yield" {
			b.command("grant", chair, `{"person":"p-ben"}`)
		}
		last := b.desk.Snapshot().Seq
		got := b.command(name, chair, `{"person":"p-ben"}`)
		if got.status != 403 || got.code() != "not_allowed" || !strings.Contains(string(got.body), "withdraw") || b.desk.Snapshot().Seq != last {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	if got := b.command("withdraw", chair, `{"person":"p-ben"}`); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestAuthenticate(t *testing.T) {
	b := newBox(t)
	r, err := http.NewRequest("POST", "/whip", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+b.link("p-anna", sitting.RoleMember))
	if id, err := b.con.Authenticate(r); err != nil || id.Person != "p-anna" {
		t.Errorf("got %q, %v", id.Person, err)
	}
	r.Header.Add("Authorization", "Bearer x")
	if _, err := b.con.Authenticate(r); err == nil {
		t.Error("two tokens were taken")
	} else if p, ok := errors.AsType[*Problem](err); !ok || p.Status != 401 {
		t.Errorf("got %v", err)
	}
}

func TestMediaDoor(t *testing.T) {
	b := newBox(t)
	chair, anna, ben := b.chair(), b.link("p-anna", sitting.RoleMember), b.link("p-ben", sitting.RoleMember)
	screen, guest := b.link("screen", access.RoleScreen), b.link("p-nobody", sitting.RoleGuest)
	for _, tt := range []struct {
		who, token, method, path string
		status                   int
	}{
		{"remote member", anna, "POST", "/whip", 201},
		{"remote member", anna, "DELETE", "/whip/1", 200},
		{"remote member", anna, "PATCH", "/whip/1", 200},
		{"remote member", anna, "POST", "/whep", 201},
		{"member in the hall", ben, "POST", "/whip", 403},
		{"chair", chair, "POST", "/whip", 403},
		{"chair", chair, "POST", "/whep", 403},
		{"screen", screen, "POST", "/whip", 403},
		{"screen", screen, "POST", "/whep", 201},
		{"not on the roster", guest, "POST", "/whip", 401},
		{"not on the roster", guest, "POST", "/whep", 401},
		{"not on the roster", guest, "GET", "/api/v1/state", 401},
		{"anybody", "", "OPTIONS", "/whip", 204},
		{"remote member", anna, "GET", "/whip", 405},
	} {
		if got := b.ask(tt.method, tt.path, tt.token, ""); got.status != tt.status {
			t.Errorf("%s, %s %s: got %d %s, want %d", tt.who, tt.method, tt.path, got.status, got.body, tt.status)
		}
	}
}
