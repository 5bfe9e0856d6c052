package console

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"plenum/device/access"
	"plenum/device/clerk"
	"plenum/device/sitting"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const pin = "402917"

// desk is a clerk without a disk: the real rules, one event at a time.
type desk struct {
	mu       sync.Mutex
	state    sitting.State
	seq      uint64
	keys     map[string]uint64
	events   []sitting.Event
	watchers map[chan clerk.Snapshot]bool
	recorded bool
	fail     error // what Do ends with instead
	panics   bool
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	d := &desk{
		state: sitting.New(), keys: make(map[string]uint64), watchers: make(map[chan clerk.Snapshot]bool), recorded: true,
	}
	box := sitting.Actor{Role: sitting.RoleBox}
	d.must(t, sitting.Event{Kind: sitting.KindRoster, By: box, Body: "Rat der Stadt Musterstadt", Mode: sitting.ModeChairGrants,
		Limit: 2, MaxLimit: 4, Roster: []sitting.Member{
			{ID: "p-chair", Name: "Clara Vorsitz", Role: sitting.RoleChair, Seat: "1", Desk: "saal"},
			{ID: "p-anna", Name: "Anna Fern", Group: "Fraktion A", Role: sitting.RoleMember, Remote: true},
			{ID: "p-ben", Name: "Ben Halle", Role: sitting.RoleMember, Seat: "7", Desk: "saal"},
		}})
	d.must(t, sitting.Event{Kind: sitting.KindDesk, By: box, Desk: &sitting.Desk{Name: "saal", Link: sitting.LinkLive}})
	for _, seat := range []sitting.SeatID{"1", "7"} {
		d.must(t, sitting.Event{Kind: sitting.KindSeat, By: box, Seat: seat, On: true})
	}
	return d
}

func (d *desk) must(t testing.TB, e sitting.Event) {
	t.Helper()
	e.At = time.Now()
	if _, err := d.Do(context.Background(), "", e); err != nil {
		t.Fatalf("%s: %v", e.Kind, err)
	}
}

func (d *desk) Do(_ context.Context, key string, e sitting.Event) (clerk.Receipt, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.panics {
		panic("the clerk is ill")
	}
	if d.fail != nil {
		return clerk.Receipt{}, d.fail
	}
	if seq, ok := d.keys[key]; ok && key != "" {
		return clerk.Receipt{Seq: seq, Repeated: true}, nil
	}
	next, _, err := sitting.Apply(d.state, e)
	if err != nil {
		return clerk.Receipt{}, err
	}
	d.state = next
	d.seq++
	if key != "" {
		d.keys[key] = d.seq
	}
	d.events = append(d.events, e)
	d.tell()
	return clerk.Receipt{Seq: d.seq}, nil
}

func (d *desk) tell() {
	for ch := range d.watchers {
		select {
		case <-ch:
		default:
		}
		ch <- d.snapshot()
	}
}

func (d *desk) snapshot() clerk.Snapshot {
	return clerk.Snapshot{Seq: d.seq, State: d.state, Recorded: d.recorded}
}

func (d *desk) Snapshot() clerk.Snapshot {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.snapshot()
}

func (d *desk) Watch() (<-chan clerk.Snapshot, func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	ch := make(chan clerk.Snapshot, 1)
	ch <- d.snapshot()
	d.watchers[ch] = true
	return ch, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.watchers, ch)
	}
}

// set changes what is no event.
func (d *desk) set(change func(*desk)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(d)
	d.tell()
}

// logbook is a log that may be written from many goroutines.
type logbook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// box is a running console with everything around it.
type box struct {
	t      testing.TB
	born   time.Time   // what the access takes for now
	spec   func() spec // openapi.yaml, read once
	dir    string
	desk   *desk
	access *access.Access
	ca     *access.CA
	opts   Options
	log    *logbook
	url    string
	addr   string
	con    *Console
	client *http.Client
	from   string                          // where its callers are, as they seem to the console; empty: at the box itself
	wrap   func(net.Listener) net.Listener // nil: as it is
	stop   func()                          // ends the console and waits for it
}

func pages() fs.FS {
	return fstest.MapFS{
		"index.html":             {Data: []byte("<!doctype html><title>Plenum</title>")},
		"panel.html":             {Data: []byte("<!doctype html><title>Panel</title>")},
		"member.html":            {Data: []byte("<!doctype html><title>Member</title>")},
		"screen.html":            {Data: []byte("<!doctype html><title>Screen</title>")},
		"icon.svg":               {Data: []byte("<svg/>")},
		".keep":                  {},
		"assets/main-Ab12cd.js":  {Data: []byte("export {};")},
		"assets/main-Ab12cd.css": {Data: []byte("body{}")},
	}
}

// newBox starts a console on a free port of the loopback.
func newBox(t testing.TB, change ...func(*Options)) *box {
	t.Helper()
	b := &box{t: t, born: time.Now(), spec: sync.OnceValue(func() spec { return loadSpec(t) }), dir: t.TempDir(), desk: newDesk(t), log: new(logbook)}
	b.openAccess()
	if err := b.access.SetPIN(pin); err != nil {
		t.Fatal(err)
	}
	b.opts = Options{
		CA: b.ca.PEM(), Clerk: b.desk, Voices: 4, Version: "1.2.3", Pages: pages(),
		Media: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", r.URL.Path+"/1")
			w.Header().Set("ETag", `"1"`)
			w.Header().Set("Content-Type", "application/sdp")
			switch r.Method {
			case "POST":
				w.WriteHeader(http.StatusCreated)
			case "OPTIONS":
				w.WriteHeader(http.StatusNoContent)
			}
		}),
		Log: slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, c := range change {
		c(&b.opts)
	}
	b.start()
	return b
}

func (b *box) openAccess() {
	b.t.Helper()
	var err error
	b.access, err = access.Open(b.dir, access.Options{Hash: access.Hash{Memory: 64, Rounds: 1, Threads: 1},
		Now: func() time.Time { return b.born }}) // it stands still: on a busy machine the wait after a wrong PIN is soon over
	if err != nil {
		b.t.Fatal(err)
	}
	if b.ca, err = access.OpenCA(b.dir, access.CAOptions{Hosts: []string{"127.0.0.1", "localhost"}}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *box) start() {
	b.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	if b.wrap != nil {
		l = b.wrap(l)
	}
	b.opts.Listener, b.opts.Access, b.opts.TLS = away{l, b.from}, b.access, access.Profile(b.ca.GetCertificate)
	if b.con, err = New(b.opts); err != nil {
		b.t.Fatal(err)
	}
	b.addr = l.Addr().String()
	b.url = "https://" + b.addr
	b.client = &http.Client{Transport: &http.Transport{TLSClientConfig: b.trust(), ForceAttemptHTTP2: true}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.con.Run(ctx) }()
	b.stop = sync.OnceFunc(func() {
		b.client.CloseIdleConnections() // else their end is waited for
		cancel()
		if err := <-done; err != nil {
			b.t.Errorf("the console ended with %v", err)
		}
		b.client.CloseIdleConnections()
	})
	b.t.Cleanup(b.stop)
}

// away is a listener whose callers come from another address than they do.
type away struct {
	net.Listener
	from string
}

func (a away) Accept() (net.Conn, error) {
	c, err := a.Listener.Accept()
	if err != nil || a.from == "" {
		return c, err
	}
	return awayConn{c, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(a.from))}, nil
}

type awayConn struct {
	net.Conn
	from net.Addr
}

func (c awayConn) RemoteAddr() net.Addr { return c.from }

// trust is what a browser has that imported the box's root.
func (b *box) trust() *tls.Config {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(b.ca.PEM())
	return &tls.Config{RootCAs: roots}
}

// link makes a personal link and returns its token.
func (b *box) link(person sitting.PersonID, role sitting.Role) string {
	b.t.Helper()
	token, err := b.access.Invite(person, role, time.Hour)
	if err != nil {
		b.t.Fatal(err)
	}
	return token
}

// chair logs the chair in, past the API.
func (b *box) chair() string {
	b.t.Helper()
	token, _, err := b.access.Login(b.t.Context(), netip.MustParseAddr("127.0.0.1"), pin, "p-chair")
	if err != nil {
		b.t.Fatal(err)
	}
	return token
}

// reply is an answer, read to its end.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r reply) code() string {
	var p Problem
	if json.Unmarshal(r.body, &p) != nil {
		return ""
	}
	return p.Code
}

// ask sends a request and holds the answer against openapi.yaml. Headers come in pairs.
func (b *box) ask(method, path, token, body string, header ...string) reply {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	out := reply{res.StatusCode, res.Header, raw}
	if err := b.documented(method, path, out); err != nil {
		b.t.Errorf("%s %s: %v", method, path, err)
	}
	return out
}

// documented holds an answer against openapi.yaml.
func (b *box) documented(method, path string, r reply) error {
	req, err := http.NewRequest(method, b.url+path, nil)
	if err != nil {
		return err
	}
	_, pattern := b.con.mux.Handler(req)
	if pattern == "/" || r.status == http.StatusMethodNotAllowed {
		return nil // nothing of the API
	}
	return b.spec().check(pattern, method, r)
}

// command sends a command with a key of its own.
func (b *box) command(name, token, body string) reply {
	b.t.Helper()
	return b.ask("POST", "/api/v1/commands/"+name, token, body, "Idempotency-Key", fmt.Sprintf("k%d", time.Now().UnixNano()))
}

// errBroken is a fault of the box's own.
var errBroken = errors.New("the disk is on fire at /var/lib/plenum")
