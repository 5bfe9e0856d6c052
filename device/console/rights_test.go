package console

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plenum/device/access"
	"plenum/device/health"
	"plenum/device/sitting"
)

var rewrite = flag.Bool("update", false, "write the tables into docs/rights.md instead of comparing them")

const document = "../../docs/rights.md"

// inDocument compares a table with the one that docs/rights.md has between two marks.
func inDocument(t *testing.T, mark, table string) {
	t.Helper()
	raw, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+mark+" -->\n", "<!-- /"+mark+" -->\n"
	before, rest, found := strings.Cut(string(raw), begin)
	have, after, ended := strings.Cut(rest, end)
	switch {
	case !found || !ended:
		t.Fatalf("%s has no table between %s and %s", document, begin, end)
	case *rewrite:
		if err := os.WriteFile(document, []byte(before+begin+table+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	case have != table:
		t.Errorf("docs/rights.md (-) and the box (+) differ. Is it meant so? Then go test ./device/console -run Rights -update writes it:\n%s",
			cmp.Diff(have, table))
	}
}

// call is one thing that can be asked for over the network.
type call struct {
	id    string // as in openapi.yaml, with the name of the command; behind a blank what is special
	body  string
	ready func(me sitting.PersonID) []sitting.Event // what makes it possible in an open sitting
	alarm bool                                      // an alarm is over and stands still
}

func (c call) documented() string {
	method, rest, _ := strings.Cut(c.id, " ")
	path, _, _ := strings.Cut(rest, " ")
	return method + " " + path
}

// calls are all of them. Each would be done for whoever may ask for it.
func calls() []call {
	other := `{"person":"p-dora"}`
	dora := func(sitting.PersonID) []sitting.Event { return []sitting.Event{press("10")} }
	speaks := func(sitting.PersonID) []sitting.Event { return []sitting.Event{word("p-dora")} }
	list := []call{
		{id: "GET /"}, {id: "GET /panel"}, {id: "GET /member"}, {id: "GET /screen"}, {id: "GET /assets/{file}"}, {id: "GET /{file}"},
		{id: "GET /api/v1/ca.pem"}, {id: "GET /api/v1/openapi.yaml"}, {id: "GET /api/v1/health"},
		{id: "GET /api/v1/state"}, {id: "GET /api/v1/events"},
		{id: "POST /api/v1/commands/open"}, {id: "POST /api/v1/commands/close"},
		{id: "POST /api/v1/commands/request"}, {id: "POST /api/v1/commands/request (another)", body: other},
		{id: "POST /api/v1/commands/lower", ready: hand}, {id: "POST /api/v1/commands/lower (another)", body: other, ready: dora},
		{id: "POST /api/v1/commands/refuse", body: other, ready: dora},
		{id: "POST /api/v1/commands/move", body: `{"person":"p-dora","index":0}`, ready: func(sitting.PersonID) []sitting.Event {
			return []sitting.Event{press("11"), press("10")}
		}},
		{id: "POST /api/v1/commands/grant", body: other}, {id: "POST /api/v1/commands/next", ready: dora},
		{id: "POST /api/v1/commands/withdraw", body: other, ready: speaks},
		{id: "POST /api/v1/commands/yield", ready: func(me sitting.PersonID) []sitting.Event { return []sitting.Event{word(me)} }},
		{id: "POST /api/v1/commands/yield (another)", body: other, ready: speaks},
		{id: "POST /api/v1/commands/priority", body: `{"priority":"hold"}`},
		{id: "POST /api/v1/commands/all_clear", alarm: true},
		{id: "POST /api/v1/commands/rules", body: `{"mode":"first_come","limit":1}`},
		{id: "GET /api/v1/devices"}, {id: "POST /api/v1/selftest"},
		{id: "GET /api/v1/service"}, {id: "GET /api/v1/service/first"},
		{id: "POST /api/v1/service/owner", body: `{"pin":"918273","old":"730164"}`},
		{id: "POST /api/v1/service/chair", body: `{"pin":"918273"}`},
	}
	for _, name := range []string{"install", "reboot", "setup", "technician", "reset", "acknowledge"} {
		list = append(list, call{id: "POST /api/v1/service/" + name, body: serviceOrders()[name]})
	}
	for _, root := range []string{"/whip", "/whep"} {
		list = append(list, call{id: "OPTIONS " + root}, call{id: "POST " + root},
			call{id: "PATCH " + root + "/{session}"}, call{id: "DELETE " + root + "/{session}"})
	}
	return append(list, call{id: "POST /api/v1/session", body: `{"pin":"` + pin + `"}`}) // last: so many sessions end those of the chair before
}

func press(seat sitting.SeatID) sitting.Event {
	return byBox(sitting.Event{Kind: sitting.KindRequest, Seat: seat})
}

// hand raises the hand of a caller who is somebody.
func hand(me sitting.PersonID) []sitting.Event {
	return []sitting.Event{{Kind: sitting.KindRequest, By: sitting.Actor{Role: sitting.RoleChair, Person: "p-chair"}, Person: me, Queue: true}}
}

func word(id sitting.PersonID) sitting.Event {
	return sitting.Event{Kind: sitting.KindGrant, By: sitting.Actor{Role: sitting.RoleChair, Person: "p-chair"}, Person: id}
}

// full is a council in which everybody is there whom a column of the table is about.
func full() []sitting.Event {
	e := sitting.Event{Kind: sitting.KindRoster, Body: "Rat", Mode: sitting.ModeChairGrants, Limit: 2, MaxLimit: 4}
	for i, m := range []sitting.Member{
		{ID: "p-chair", Role: sitting.RoleChair}, {ID: "p-anna", Role: sitting.RoleMember, Remote: true}, {ID: "p-ben", Role: sitting.RoleMember},
		{ID: "p-gast", Role: sitting.RoleGuest}, {ID: "p-clerk", Role: sitting.RoleClerk}, {ID: "p-old", Role: sitting.RoleMember, Remote: true},
		{ID: "p-dora", Role: sitting.RoleMember, Seat: "10"}, {ID: "p-emil", Role: sitting.RoleMember, Seat: "11"},
	} {
		if m.Name = string(m.ID); !m.Remote && m.Seat == "" {
			m.Seat = sitting.SeatID(fmt.Sprint(i))
		}
		if m.Seat != "" {
			m.Desk = "saal"
		}
		e.Roster = append(e.Roster, m)
	}
	all := []sitting.Event{byBox(e), byBox(sitting.Event{Kind: sitting.KindDesk, Desk: &sitting.Desk{Name: "saal", Link: sitting.LinkLive}})}
	for _, m := range e.Roster {
		if m.Remote {
			leg := sitting.Leg{Publishes: true, Plays: true, Audio: true, Video: true}
			all = append(all, byBox(sitting.Event{Kind: sitting.KindLeg, Person: m.ID, Leg: &leg}))
		} else {
			all = append(all, byBox(sitting.Event{Kind: sitting.KindSeat, Seat: m.Seat, On: true}))
		}
	}
	return all
}

// prepared is a sitting in which a call would be done for a caller who may ask for it.
func (c call) prepared(t *testing.T, me sitting.PersonID, open bool) sitting.State {
	t.Helper()
	all := full()
	if open {
		all = append(all, sitting.Event{Kind: sitting.KindOpen, By: sitting.Actor{Role: sitting.RoleOperator}})
	}
	if open && c.ready != nil && me != "" && me != "screen" {
		all = append(all, c.ready(me)...)
	}
	if c.alarm {
		all = append(all, byBox(sitting.Event{Kind: sitting.KindAlarm, On: true, Reason: "fire"}), byBox(sitting.Event{Kind: sitting.KindAlarm, Reason: "fire"}))
	}
	s := sitting.New()
	for _, e := range all {
		e.At = time.Now()
		next, _, err := sitting.Apply(s, e)
		if err != nil {
			t.Fatalf("%s for %s: %s: %v", c.id, me, e.Kind, err)
		}
		s = next
	}
	return s
}

// caller is somebody at the door.
type caller struct {
	column string
	who    string
	me     sitting.PersonID
	token  string
}

// callers are all kinds of people. Of those whose right has ended there are several, and all are alike.
func callers(b *box) []caller {
	session := func(id sitting.PersonID) string {
		token, _, err := b.access.Login(b.t.Context(), netip.MustParseAddr("127.0.0.1"), pin, id)
		if err != nil {
			b.t.Fatal(err)
		}
		return token
	}
	revoked, before := b.link("p-emil", sitting.RoleMember), session("p-chair")
	if err := b.access.Revoke("p-emil"); err != nil {
		b.t.Fatal(err)
	}
	if err := b.access.SetPIN(pin); err != nil { // ends the sessions
		b.t.Fatal(err)
	}
	now := b.born
	b.born = now.Add(-2 * time.Hour)
	expired := b.link("p-dora", sitting.RoleMember)
	b.born = now
	return []caller{
		{"nobody", "without a token", "", ""},
		{"ended", "with a link that was revoked", "", revoked},
		{"ended", "with a link that has expired", "", expired},
		{"ended", "with a session of before the PIN was set anew", "", before},
		{"ended", "with the link of somebody who left", "", b.link("p-left", sitting.RoleMember)},
		{"ended", "with a link of another role than the roster's", "", b.link("p-old", sitting.RoleClerk)},
		{"ended", "with the session of the chair before", "", session("p-ben")},
		{"screen", "by a screen", "screen", b.link("screen", access.RoleScreen)},
		{"guest", "by a guest", "p-gast", b.link("p-gast", sitting.RoleGuest)},
		{"clerk", "by the clerk", "p-clerk", b.link("p-clerk", sitting.RoleClerk)},
		{"member", "by a member in the hall", "p-ben", b.link("p-ben", sitting.RoleMember)},
		{"remote", "by a remote member", "p-anna", b.link("p-anna", sitting.RoleMember)},
		{"chair", "by the chair", "p-chair", session("p-chair")},
	}
}

func columns() []string {
	return []string{"nobody", "ended", "screen", "guest", "clerk", "member", "remote", "chair"}
}

// outcome is what became of a call: with no sitting open, and with one.
type outcome struct{ shut, open reply }

func (o outcome) cell() string {
	return map[[2]bool]string{{false, false}: "–", {true, false}: "shut", {false, true}: "open", {true, true}: "+"}[[2]bool{o.shut.ok(), o.open.ok()}]
}

func (r reply) ok() bool { return r.status >= 200 && r.status < 300 }

// make makes a call, and does not wait for the end of a stream.
func (c call) make(b *box, token string, key int) reply {
	b.t.Helper()
	method, path, _ := strings.Cut(c.documented(), " ")
	path = strings.NewReplacer("/assets/{file}", "/assets/main-Ab12cd.js", "/{file}", "/icon.svg", "{session}", "1").Replace(path)
	if path != "/api/v1/events" {
		return b.ask(method, path, token, c.body, "Idempotency-Key", fmt.Sprint("k", key))
	}
	ctx, cancel := context.WithCancel(b.t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, b.url+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	res.Body.Close()
	return reply{status: res.StatusCode}
}

// settled starts a box that is set up, whose callers are where told.
func settled(t *testing.T, from string) (*box, func()) {
	t.Helper()
	board := health.NewBoard(nil)
	b, r := appliance(t, func(o *Options) {
		o.Devices = workshop{board, func(context.Context) (health.Report, error) { return health.Report{}, nil }}
	})
	r.open = func() bool { return b.desk.Snapshot().State.Phase == sitting.PhaseOpen }
	b.stop()
	b.from = from
	b.start()
	return b, func() { r.owner = "730164" }
}

// TestRightsAtTheDoor makes every call that openapi.yaml names, in every role, with no sitting open and with one. What is
// done for whom is what docs/rights.md says; who is refused in both cases is refused because of who they are, and not by
// the way.
func TestRightsAtTheDoor(t *testing.T) {
	var table strings.Builder
	table.WriteString("| call | " + strings.Join(columns(), " | ") + " |\n|" + strings.Repeat("---|", len(columns())+1) + "\n")
	far, resetFar := settled(t, "192.0.2.7:50000")
	near, resetNear := settled(t, "")
	outside, inside := callers(far), callers(near)
	key := 0
	try := func(b *box, reset func(), c call, who caller) (o outcome) {
		for open, into := range map[bool]*reply{false: &o.shut, true: &o.open} {
			state := c.prepared(t, who.me, open)
			b.desk.set(func(d *desk) { d.state = state })
			reset()
			key++
			*into = c.make(b, who.token, key)
		}
		return o
	}
	for _, c := range calls() {
		cells := map[string]string{}
		for i, who := range outside {
			o := try(far, resetFar, c, who)
			cell := o.cell()
			if was, seen := cells[who.column]; seen && was != cell {
				t.Errorf("%s %s: %s, others of %s: %s", c.id, who.who, cell, who.column, was)
			}
			cells[who.column] = cell
			if again := try(near, resetNear, c, inside[i]); again.cell() != cell {
				t.Errorf("%s %s: %s at the box, %s elsewhere", c.id, who.who, again.cell(), cell)
			}
			for _, r := range []reply{o.shut, o.open} {
				right := r.status == http.StatusUnauthorized || r.status == http.StatusForbidden || r.code() == "pin_set"
				if wrong := cell == "–" && !right || cell != "–" && !r.ok() && r.status != http.StatusConflict; wrong {
					t.Errorf("%s %s is refused by the way: %d %s", c.id, who.who, r.status, r.body)
				}
			}
		}
		table.WriteString("| `" + strings.Replace(c.id, " (another)", "` for another", 1))
		if !strings.HasSuffix(c.id, " (another)") {
			table.WriteString("`")
		}
		for _, column := range columns() {
			table.WriteString(" | " + cells[column])
		}
		table.WriteString(" |\n")
	}
	inDocument(t, "calls", table.String())
}

// A call without a row is a right that nobody thought of.
func TestRightsOfEveryCall(t *testing.T) {
	s := loadSpec(t)
	var want, have []string
	for path, item := range s.at("paths").(map[string]any) {
		for method := range item.(map[string]any) {
			if method = strings.ToUpper(method); method != "PARAMETERS" && path != "/api/v1/commands/{name}" {
				want = append(want, method+" "+path)
			}
		}
	}
	for _, o := range orders() {
		want = append(want, "POST /api/v1/commands/"+o.name)
		if slices.Contains(o.optional, "person") {
			want = append(want, "POST /api/v1/commands/"+o.name+" (another)")
		}
	}
	for _, c := range calls() {
		have = append(have, c.id)
	}
	slices.Sort(want)
	slices.Sort(have)
	if d := cmp.Diff(want, have); d != "" {
		t.Errorf("calls of openapi.yaml (-) and rows of the table (+) differ; say in calls() what makes the new one possible:\n%s", d)
	}
}

// A box that is not set up yet is nobody's, and whoever stands at it makes it theirs.
func TestRightsBeforeTheFirstPINs(t *testing.T) {
	table := "| call | what is missing | elsewhere | at the box |\n|---|---|---|---|\n"
	for _, row := range []struct{ id, missing, owner, body string }{
		{"POST /api/v1/session", "owner", "", `{"pin":"` + pin + `"}`},
		{"POST /api/v1/service/owner", "owner", "", `{"pin":"918273"}`},
		{"POST /api/v1/service/chair", "owner", "", `{"pin":"918273"}`},
		{"POST /api/v1/session", "chair", "730164", `{"pin":"` + pin + `"}`},
		{"POST /api/v1/service/owner", "chair", "730164", `{"pin":"918273","old":"730164"}`},
		{"POST /api/v1/service/chair", "chair", "730164", `{"pin":"918273"}`},
	} {
		table += "| `" + row.id + "` | " + row.missing + " |"
		for _, from := range []string{"192.0.2.7:50000", ""} {
			b, r := appliance(t)
			b.stop()
			r.owner, b.from, b.dir = row.owner, from, t.TempDir()
			b.openAccess()
			b.start()
			table += " " + map[bool]string{true: "+", false: "–"}[call{id: row.id, body: row.body}.make(b, "", 1).ok()] + " |"
		}
		table += "\n"
	}
	inDocument(t, "first", table)
}
