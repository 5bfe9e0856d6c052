package console

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"plenum/device/access"
	"plenum/device/sitting"
)

// tlsClient completes a handshake.
func tlsClient(t *testing.T, c net.Conn, cfg *tls.Config) *tls.Conn {
	t.Helper()
	tc := tls.Client(c, cfg)
	if err := tc.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return tc
}

func TestTransport(t *testing.T) {
	b := newBox(t)
	for _, tt := range []struct {
		name string
		edit func(*tls.Config)
		ok   bool
	}{
		{"as a browser that has the root", func(*tls.Config) {}, true},
		{"P-384", func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.CurveP384} }, true},
		{"TLS 1.2", func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, false},
		{"X25519 only", func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.X25519} }, false},
		{"another authority", func(c *tls.Config) { c.RootCAs = nil }, false},
	} {
		cfg := b.trust()
		tt.edit(cfg)
		c, err := tls.Dial("tcp", b.addr, cfg)
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err == nil {
			if v := c.ConnectionState().Version; v != tls.VersionTLS13 {
				t.Errorf("%s: version %x", tt.name, v)
			}
			c.Close()
		}
	}
}

func TestPlainHTTP(t *testing.T) {
	b := newBox(t)
	c, err := net.Dial("tcp", b.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 400 || !strings.Contains(string(text), "HTTPS") {
		t.Errorf("got %d %q, %v", res.StatusCode, text, err)
	}
}

func TestPages(t *testing.T) {
	b := newBox(t)
	for _, tt := range []struct {
		method, path string
		status       int
		kind, cache  string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8", "no-cache"},
		{"GET", "/panel", 200, "text/html; charset=utf-8", "no-cache"},
		{"GET", "/member", 200, "text/html; charset=utf-8", "no-cache"},
		{"HEAD", "/screen", 200, "text/html; charset=utf-8", "no-cache"},
		{"GET", "/assets/main-Ab12cd.js", 200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"},
		{"GET", "/assets/main-Ab12cd.css", 200, "text/css; charset=utf-8", "public, max-age=31536000, immutable"},
		{"GET", "/icon.svg", 200, "image/svg+xml", "public, max-age=3600"},
		{"GET", "/api/v1/ca.pem", 200, "application/x-pem-file", "no-cache"},
		{"GET", "/api/v1/openapi.yaml", 200, "application/yaml", "no-cache"},
		{"GET", "/api/v1/health", 200, "application/json", "no-store"},
		{"GET", "/.keep", 404, "application/problem+json", "no-store"},
		{"GET", "/panel.html", 404, "application/problem+json", "no-store"},
		{"GET", "/assets/", 404, "application/problem+json", "no-store"},
		{"GET", "/assets/..%2f.keep", 404, "application/problem+json", "no-store"},
		{"GET", "/assets/none.js", 404, "application/problem+json", "no-store"},
		{"GET", "/api/v2/state", 404, "application/problem+json", "no-store"},
		{"POST", "/panel", 405, "application/problem+json", "no-store"},
		{"OPTIONS", "/api/v1/state", 405, "application/problem+json", "no-store"},
	} {
		got := b.ask(tt.method, tt.path, "", "", "Origin", "https://elsewhere.example")
		h := got.header
		if got.status != tt.status || h.Get("Content-Type") != tt.kind || h.Get("Cache-Control") != tt.cache {
			t.Errorf("%s %s: got %d, %s, %s", tt.method, tt.path, got.status, h.Get("Content-Type"), h.Get("Cache-Control"))
		}
		csp := h.Get("Content-Security-Policy")
		if !strings.HasPrefix(csp, "default-src 'self'; img-src 'self' data:; media-src 'self' blob:;") || strings.Contains(csp, "unsafe") ||
			h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" ||
			h.Get("Cross-Origin-Opener-Policy") != "same-origin" || !strings.HasPrefix(h.Get("Strict-Transport-Security"), "max-age=") ||
			!strings.HasPrefix(h.Get("Permissions-Policy"), "camera=(self), microphone=(self)") {
			t.Errorf("%s %s: headers %v", tt.method, tt.path, h)
		}
		if h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s %s: other sites may read it", tt.method, tt.path)
		}
	}
}

func TestPagesNotBuilt(t *testing.T) {
	b := newBox(t, func(o *Options) { o.Pages = fstest.MapFS{".keep": {}} })
	if got := b.ask("GET", "/panel", "", ""); got.status != 503 || !strings.Contains(string(got.body), "make web") {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if _, err := builtPages(); err != nil {
		t.Error(err)
	}
}

// No token and no PIN gets into the log, even when somebody puts it where it does not belong.
func TestNoSecretInTheLog(t *testing.T) {
	b := newBox(t)
	chair, anna := b.chair(), b.link("p-anna", sitting.RoleMember)
	v := b.watch(anna)
	v.must()
	for _, token := range []string{chair, anna} {
		for _, path := range []string{"/api/v1/state", "/member/" + token, "/" + token, "/assets/" + token, "/panel?t=" + token,
			"/whip/" + token, "/api/v1/commands/" + token, "/api/v1/state?access_token=" + token} {
			b.ask("GET", path, token, "")
			b.ask("POST", path, token, `{"token":"`+token+`"}`, "Idempotency-Key", token)
		}
	}
	b.ask("POST", "/api/v1/session", "", `{"pin":"777111"}`)
	b.ask("POST", "/api/v1/session", "", `{"pin":"`+pin+`"}`)
	b.desk.set(func(d *desk) { d.panics = true })
	b.command("open", chair, `{}`)
	b.stop()
	log := b.log.String()
	for _, secret := range []string{chair, anna, pin, "777111"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	for _, want := range []string{"a wrong PIN", "the chair logged in", "a handler panicked", "level=DEBUG msg=request"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not hold %q: the test looks at nothing", want)
		}
	}
}

// A handler that panics takes its own request down only.
func TestPanic(t *testing.T) {
	b := newBox(t)
	chair := b.chair()
	b.desk.set(func(d *desk) { d.panics = true })
	if got := b.command("open", chair, `{}`); got.status != 500 || got.code() != "internal" {
		t.Errorf("got %d %s", got.status, got.body)
	}
	b.desk.set(func(d *desk) { d.panics = false })
	if got := b.command("open", chair, `{}`); got.status != 200 {
		t.Errorf("after a panic: %d %s", got.status, got.body)
	}
}

// Connections that come to nothing are counted, not logged one by one.
func TestPortScan(t *testing.T) {
	b := newBox(t)
	for range 50 {
		c, err := net.Dial("tcp", b.addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("\x16\x03\x01garbage")); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	if got := b.ask("GET", "/api/v1/health", "", ""); got.status != 200 {
		t.Errorf("got %d", got.status)
	}
	b.stop()
	if n := strings.Count(b.log.String(), "came to nothing"); n < 1 || n > 5 {
		t.Errorf("%d lines in the log: %s", n, b.log)
	}
}

func TestRunErrors(t *testing.T) {
	b := newBox(t)
	o := b.opts
	o.Listener, o.Listen = nil, b.addr
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("a port in use: %v", err)
	}
	for _, o := range []Options{{}, {Clerk: b.desk, Access: b.access, TLS: b.opts.TLS}} {
		if _, err := New(o); err == nil {
			t.Errorf("made from %+v", o)
		}
	}
}

// Run serves again after it has ended: the supervisor starts it anew.
func TestRunAgain(t *testing.T) {
	b := newBox(t)
	o := b.opts
	b.stop()
	o.Listener, o.Listen = nil, b.addr
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	b.con = c
	anna := b.link("p-anna", sitting.RoleMember)
	for range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		for { // until it listens
			probe, err := net.Dial("tcp", b.addr)
			if err == nil {
				probe.Close()
				break
			}
			time.Sleep(time.Millisecond)
		}
		v := b.watch(anna)
		v.must()
		cancel()
		if code := v.ends(); code != "closing" {
			t.Errorf("ended with %q", code)
		}
		b.client.CloseIdleConnections()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestLocalhostKeepsPlainHTTP(t *testing.T) {
	for host, want := range map[string]bool{"localhost": false, "localhost:8443": false, "saal.example.de": true, "127.0.0.1:8443": true} {
		h := make(http.Header)
		secure(h, host)
		if got := h.Get("Strict-Transport-Security") != ""; got != want {
			t.Errorf("%s: %v, want %v", host, got, want)
		}
	}
}

// FuzzCommand throws bodies at every command: an answer is an event that says who asked, or a refusal.
func FuzzCommand(f *testing.F) {
	for _, body := range []string{``, `{}`, `{"person":"p-anna"}`, `{"person":"p-anna","index":-1}`, `{"mode":"override","limit":3}`,
		`{"priority":"hold"}`, `{"by":{"role":"box"}}`, `[{}]`, `{"person":"p-anna"}{}`, `{"index":1e99}`, "\xff"} {
		f.Add(uint8(6), body)
	}
	id := access.Identity{Person: "p-anna", Role: sitting.RoleMember}
	f.Fuzz(func(t *testing.T, which uint8, body string) {
		o := orders()[int(which)%len(orders())]
		var args arguments
		if err := decodeJSON([]byte(body), &args); err != nil {
			if p := problemOf(err); p.Status != 400 {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		e, err := o.event(args, id)
		if err != nil {
			if p := problemOf(err); p.Status != 400 {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		if e.By != (sitting.Actor{Role: id.Role, Person: id.Person}) || e.Kind != o.kind || e.Seat != "" || e.Roster != nil || e.Leg != nil || e.On {
			t.Fatalf("%q became %+v", body, e)
		}
		if _, err := json.Marshal(e); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzKey(f *testing.F) {
	f.Add("abc-DEF_019")
	f.Add("a b")
	f.Fuzz(func(t *testing.T, key string) {
		if validKey(key) && (len(key) == 0 || len(key) > 64 || url.PathEscape(key) != key) {
			t.Fatalf("%q is taken", key)
		}
	})
}
