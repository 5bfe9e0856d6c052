package control

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"plenum/device/access"
	"plenum/device/clerk"
	"plenum/device/sitting"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// desk is a clerk without a disk: the real rules, one event at a time.
type desk struct {
	mu        sync.Mutex
	state     sitting.State
	seq       uint64
	followers map[chan clerk.Entry]bool
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	d := &desk{state: sitting.New(), followers: make(map[chan clerk.Entry]bool)}
	box := sitting.Actor{Role: sitting.RoleBox}
	for _, e := range []sitting.Event{
		{Kind: sitting.KindRoster, By: box, Body: "Rat", Mode: sitting.ModeChairGrants, Limit: 2, MaxLimit: 4, Roster: people()},
		{Kind: sitting.KindDesk, By: box, Desk: &sitting.Desk{Name: "saal", Link: sitting.LinkLive}},
		{Kind: sitting.KindSeat, By: box, Seat: "7", On: true},
		{Kind: sitting.KindOpen, By: box},
	} {
		if _, err := d.Do(context.Background(), "", e); err != nil {
			t.Fatalf("%s: %v", e.Kind, err)
		}
	}
	return d
}

func people() []sitting.Member {
	return []sitting.Member{
		{ID: "p-chair", Name: "Clara Vorsitz", Role: sitting.RoleChair, Seat: "1", Desk: "saal"},
		{ID: "p-anna", Name: "Anna Müller", Role: sitting.RoleMember, Remote: true},
		{ID: "p-ben", Name: "Ben Müller", Role: sitting.RoleMember, Seat: "7", Desk: "saal"},
		{ID: "p-17", Name: "Mitglied 7", Role: sitting.RoleMember, Seat: "17", Desk: "saal"},
		{ID: "p-clerk", Name: "Schrift Führer", Role: sitting.RoleClerk},
	}
}

func (d *desk) Do(_ context.Context, _ string, e sitting.Event) (clerk.Receipt, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e.At = time.Now()
	next, es, err := sitting.Apply(d.state, e)
	if err != nil {
		return clerk.Receipt{}, err
	}
	d.state = next
	d.seq++
	for ch := range d.followers {
		ch <- clerk.Entry{Seq: d.seq, At: e.At, Event: e, Effects: es, Recorded: true}
	}
	return clerk.Receipt{Seq: d.seq}, nil
}

func (d *desk) Snapshot() clerk.Snapshot {
	d.mu.Lock()
	defer d.mu.Unlock()
	return clerk.Snapshot{Seq: d.seq, State: d.state, Recorded: true}
}

func (d *desk) Follow() (<-chan clerk.Entry, func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	ch := make(chan clerk.Entry, 64)
	d.followers[ch] = true
	return ch, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.followers, ch)
	}
}

// box is a running control socket.
type box struct {
	desk   *desk
	access *access.Access
	opts   Options
	ctl    *Client
	stop   func()
}

func newBox(t *testing.T, log io.Writer, change ...func(*Options)) *box {
	t.Helper()
	dir := t.TempDir()
	a, err := access.Open(dir, access.Options{Hash: access.Hash{Memory: 64, Rounds: 1, Threads: 1}})
	if err != nil {
		t.Fatal(err)
	}
	b := &box{desk: newDesk(t), access: a}
	b.opts = Options{
		Socket: filepath.Join(dir, "s"), Clerk: b.desk, Access: a, Base: "https://saal.example.de/", Version: "1.2.3",
		Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, c := range change {
		c(&b.opts)
	}
	s, err := New(b.opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		s.Close()
	})
	t.Cleanup(b.stop)
	b.ctl = Dial(b.opts.Socket)
	return b
}

func TestOperator(t *testing.T) {
	b := newBox(t, io.Discard)
	ctx := t.Context()
	done, err := b.ctl.Grant(ctx, "7")
	if err != nil || done.Person != "p-ben" || done.Name != "Ben Müller" || done.Seq == 0 {
		t.Fatalf("grant: %+v, %v", done, err)
	}
	by := sitting.Actor{Role: sitting.RoleMember, Person: "p-anna"}
	if _, err := b.desk.Do(ctx, "", sitting.Event{Kind: sitting.KindRequest, By: by, Person: "p-anna", Origin: sitting.OriginRemote}); err != nil {
		t.Fatal(err)
	}
	list, err := b.ctl.Speakers(ctx)
	if err != nil || len(list.Speakers) != 1 || len(list.Requests) != 1 {
		t.Fatalf("speakers: %+v, %v", list, err)
	}
	if s := list.Speakers[0]; s.Name != "Ben Müller" || s.Seat != "7" || s.Origin != sitting.OriginDesk || s.Since.IsZero() {
		t.Errorf("speaker: %+v", s)
	}
	if r := list.Requests[0]; r.Name != "Anna Müller" || r.Seat != "" || r.Origin != sitting.OriginRemote || r.At.IsZero() {
		t.Errorf("request: %+v", r)
	}
	status, err := b.ctl.Status(ctx)
	if err != nil || status.Version != "1.2.3" || status.Phase != sitting.PhaseOpen || !status.Recorded || status.PIN ||
		len(status.People) != 5 || len(status.Desks) != 1 || status.Faults == nil {
		t.Errorf("status: %+v, %v", status, err)
	}
	if _, err := b.ctl.Withdraw(ctx, "ben müller"); err != nil {
		t.Error(err)
	}
	done, err = b.ctl.Next(ctx)
	if err != nil || done.Person != "p-anna" {
		t.Errorf("next: %+v, %v", done, err)
	}
}

func TestRefusals(t *testing.T) {
	b := newBox(t, io.Discard)
	call := func(name string) error { _, err := b.ctl.Grant(t.Context(), name); return err }
	for _, tt := range []struct {
		name   string
		err    error
		status int
		detail string
	}{
		{"two people", call("müller"), 409, "Anna Müller (p-anna) or Ben Müller (p-ben, seat 7)"},
		{"nobody", call("Zoé"), 404, `nobody on the roster is "Zoé"`},
		{"no name", call(""), 400, "one of person, name and seat"},
		{"a desk that is silent", call("Mitglied 7"), 409, sitting.ErrNoWay.Error()},
		{"nobody waits", func() error { _, err := b.ctl.Next(t.Context()); return err }(), 409, sitting.ErrListEmpty.Error()},
		{"no word to take", func() error { _, err := b.ctl.Withdraw(t.Context(), "p-ben"); return err }(), 409, sitting.ErrNotSpeaking.Error()},
		{"weak PIN", b.ctl.SetPIN(t.Context(), "111111"), 400, "one digit repeated"},
		{"chair by link", func() error { _, err := b.ctl.Invite(t.Context(), "Clara"); return err }(), 403, access.ErrRole.Error()},
		{"unknown field", b.ctl.Call(t.Context(), "POST", "/grant", map[string]string{"who": "x"}, nil), 400, "unknown field"},
		{"too long", b.ctl.Call(t.Context(), "POST", "/grant", Who{Name: strings.Repeat("x", maxBody)}, nil), 400, "too large"},
		{"two ways at once", b.ctl.Call(t.Context(), "POST", "/grant", Who{Name: "x", Seat: "7"}, nil), 400, "one of person"},
		{"the past", b.ctl.Call(t.Context(), "GET", "/events", nil, nil), 400, "/events?follow"},
		{"nothing there", b.ctl.Call(t.Context(), "GET", "/nothing", nil, nil), 404, "404"},
	} {
		e, ok := errors.AsType[*Error](tt.err)
		if !ok || e.Status != tt.status || !strings.Contains(e.Detail, tt.detail) {
			t.Errorf("%s: got %v (%+v), want %d %q", tt.name, tt.err, e, tt.status, tt.detail)
		}
	}
}

func TestFind(t *testing.T) {
	s := sitting.State{}
	for _, m := range people() {
		s.Roster = append(s.Roster, sitting.Person{Member: m})
	}
	s.Roster = append(s.Roster, sitting.Person{Member: sitting.Member{ID: "Ben Müller", Name: "Verwirrung"}})
	for _, tt := range []struct {
		who  Who
		want sitting.PersonID
	}{
		{Who{Name: "p-anna"}, "p-anna"},
		{Who{Name: "Anna Müller"}, "p-anna"},
		{Who{Name: "ANNA"}, "p-anna"},
		{Who{Name: "FÜHRER"}, "p-clerk"},
		{Who{Name: "7"}, "p-ben"},               // the seat before a part of "Mitglied 7"
		{Who{Name: "Mitglied 7"}, "p-17"},       // the full name
		{Who{Name: "Ben Müller"}, "Ben Müller"}, // the id before the name
		{Who{Seat: "17"}, "p-17"},
		{Who{Person: "p-chair"}, "p-chair"},
		{Who{Person: "Clara"}, ""},
		{Who{Seat: "Clara"}, ""},
		{Who{}, ""},
	} {
		p, err := find(s, tt.who)
		if p.ID != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%+v: got %q, %v, want %q", tt.who, p.ID, err, tt.want)
		}
	}
	for range 20 {
		s.Roster = append(s.Roster, sitting.Person{Member: sitting.Member{ID: "x", Name: "Müller"}})
	}
	if _, err := find(s, Who{Name: "mü"}); err == nil || !strings.Contains(err.Error(), "14 others") {
		t.Errorf("got %v", err)
	}
}

func TestInvite(t *testing.T) {
	var log strings.Builder
	b := newBox(t, &log)
	for _, tt := range []struct {
		who, link string
		role      sitting.Role
	}{
		{"Anna", "https://saal.example.de/member#", sitting.RoleMember},
		{"p-clerk", "https://saal.example.de/member#", sitting.RoleClerk},
		{Screen, "https://saal.example.de/screen#", access.RoleScreen},
	} {
		got, err := b.ctl.Invite(t.Context(), tt.who)
		if err != nil || got.Link != tt.link+got.Token || got.Role != tt.role || time.Until(got.Expires) < 29*24*time.Hour {
			t.Errorf("%s: %+v, %v", tt.who, got, err)
		}
		id, err := b.access.Resolve(got.Token)
		if err != nil || id.Person != got.Person || id.Role != tt.role {
			t.Errorf("%s: resolves to %+v, %v", tt.who, id, err)
		}
		defer func() {
			if strings.Contains(log.String(), got.Token) {
				t.Error("a token is in the log")
			}
		}()
	}
	if err := b.ctl.SetPIN(t.Context(), "402917"); err != nil {
		t.Fatal(err)
	}
	if err := b.access.CheckPIN(t.Context(), netip.Addr{}, "402917"); err != nil {
		t.Error(err)
	}
	b.stop()
	if strings.Contains(log.String(), "402917") || !strings.Contains(log.String(), "PIN") {
		t.Errorf("the log: %s", &log)
	}
}

func TestRevoke(t *testing.T) {
	b := newBox(t, io.Discard)
	for _, who := range []string{"Anna", Screen} {
		link, err := b.ctl.Invite(t.Context(), who)
		if err != nil {
			t.Fatal(err)
		}
		id, err := b.access.Resolve(link.Token)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.ctl.Revoke(t.Context(), who); err != nil {
			t.Fatal(err)
		}
		select {
		case <-id.Gone:
		default:
			t.Errorf("%s: who is connected by the link is not told", who)
		}
		if _, err := b.access.Resolve(link.Token); !errors.Is(err, access.ErrUnknown) {
			t.Errorf("%s: the link still opens: %v", who, err)
		}
		if e, ok := errors.AsType[*Error](second(b.ctl.Revoke(t.Context(), who))); !ok || e.Status != 404 {
			t.Errorf("%s: a second time: %v", who, e)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestFollow(t *testing.T) {
	b := newBox(t, io.Discard)
	enough := errors.New("enough")
	var got []clerk.Entry
	done := make(chan error, 1)
	go func() {
		done <- b.ctl.Follow(t.Context(), func(e clerk.Entry) error {
			if got = append(got, e); len(got) == 2 {
				return enough
			}
			return nil
		})
	}()
	b.following(1)
	for _, do := range []func(context.Context, string) (Done, error){b.ctl.Grant, b.ctl.Withdraw} {
		if _, err := do(t.Context(), "p-ben"); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; !errors.Is(err, enough) {
		t.Fatal(err)
	}
	if got[0].Event.Kind != sitting.KindGrant || got[0].Event.By.Role != sitting.RoleOperator || len(got[0].Effects) == 0 || got[1].Event.Kind != sitting.KindWithdraw {
		t.Errorf("got %+v", got)
	}
	b.following(0) // the server let go of a reader that went

	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- b.ctl.Follow(ctx, func(clerk.Entry) error { return nil }) }()
	b.following(1)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	b.following(0)
	go func() { done <- b.ctl.Follow(t.Context(), func(clerk.Entry) error { return nil }) }()
	b.following(1)
	b.stop()
	if err := <-done; !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the daemon ended: %v", err)
	}
}

// following waits until as many follow.
func (b *box) following(n int) {
	for {
		b.desk.mu.Lock()
		now := len(b.desk.followers)
		b.desk.mu.Unlock()
		if now == n {
			return
		}
		time.Sleep(time.Millisecond)
	}
}
