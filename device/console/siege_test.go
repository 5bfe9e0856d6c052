package console

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
)

// anywhere lets connections come from addresses that this machine does not have: the first four bytes of each are the
// address, for the loopback has none but its own.
type anywhere struct{ net.Listener }

func (a anywhere) Accept() (net.Conn, error) {
	c, err := a.Listener.Accept()
	if err != nil {
		return nil, err
	}
	var at [4]byte
	if _, err := io.ReadFull(c, at[:]); err != nil {
		return nil, fmt.Errorf("a test's connection does not say where it comes from: %w", err)
	}
	return awayConn{c, net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4(at), 40000))}, nil
}

// besieged is a box that is asked from anywhere.
func besieged(t *testing.T, change ...func(*Options)) *box {
	t.Helper()
	if _, err := os.Stat("/dev/shm"); err == nil {
		t.Setenv("TMPDIR", "/dev/shm") // each guess is written down; a busy disk would take minutes
	}
	b := newBox(t, change...)
	b.wrap = func(l net.Listener) net.Listener { return anywhere{l} }
	b.restart()
	return b
}

// restart ends the console and starts it with what is on disk.
func (b *box) restart() {
	b.stop()
	b.openAccess()
	b.start()
}

// post asks from an address.
func (b *box) post(from netip.Addr, path, token, body string) reply {
	b.t.Helper()
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		at := from.As4()
		_, err = c.Write(at[:])
		return c, err
	}
	usual := b.client
	defer func() { b.client = usual }()
	own := &http.Transport{TLSClientConfig: b.trust(), DialContext: dial, ForceAttemptHTTP2: true}
	defer own.CloseIdleConnections()
	b.client = &http.Client{Transport: own}
	return b.ask("POST", path, token, body, "Content-Type", "application/json")
}

// Eight strangers guess the chair's PIN at the real door. The panel at the box's own screen, a tablet that signed in
// before and one that never did all come in, before a restart of the box and after it.
func TestSiege(t *testing.T) {
	b := besieged(t)
	const path, right, wrong = "/api/v1/session", `{"pin":"` + pin + `"}`, `{"pin":"111222"}`
	screen, tablet := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("192.0.2.10")
	signIn := func(who string, at netip.Addr) {
		t.Helper()
		if got := b.post(at, path, "", right); got.status != 200 {
			t.Errorf("%s: %d %s", who, got.status, got.body)
		}
	}
	siege := func() (checked int) {
		for range 5 {
			for i := range 8 {
				switch got := b.post(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), path, "", wrong); got.code() {
				case "wrong_pin":
					checked++
				case "too_many_tries":
				default:
					t.Errorf("%d %s", got.status, got.body)
				}
			}
		}
		return checked
	}
	signIn("the tablet, before", tablet)
	if checked := siege(); checked != 24 {
		t.Errorf("%d guesses were checked", checked)
	}
	for i := range 2 {
		signIn("the box's own screen", screen)
		signIn("the tablet", tablet)
		signIn("a new tablet", netip.AddrFrom4([4]byte{192, 0, 2, byte(20 + i)}))
		b.restart()
		if checked := siege(); checked != 0 {
			t.Errorf("%d guesses were checked after a restart", checked)
		}
	}
}

// When there are so many strangers that somebody new has to wait for them, the answer says where they need not.
func TestSiegeByMany(t *testing.T) {
	b := besieged(t)
	for i := range 60 {
		b.post(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), "/api/v1/session", "", `{"pin":"111222"}`)
	}
	got := b.post(netip.MustParseAddr("192.0.2.10"), "/api/v1/session", "", `{"pin":"`+pin+`"}`)
	var p Problem
	if err := json.Unmarshal(got.body, &p); err != nil || got.status != 429 || got.header.Get("Retry-After") != "10" || !strings.Contains(p.Detail, "the box's own screen") {
		t.Errorf("%d %s %v", got.status, got.body, err)
	}
	if got := b.post(netip.MustParseAddr("127.0.0.1"), "/api/v1/session", "", `{"pin":"`+pin+`"}`); got.status != 200 {
		t.Errorf("the box's own screen: %d %s", got.status, got.body)
	}
}

// An order of the technician is told where it comes from, so that guesses from a tablet make only the tablet wait.
func TestOrdersComeFromSomewhere(t *testing.T) {
	r := &room{owner: "730164"}
	b := besieged(t, func(o *Options) { o.Service = r })
	tablet := netip.MustParseAddr("192.0.2.10")
	token, _, err := b.access.Login(t.Context(), tablet, pin, "p-chair")
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range serviceOrders() {
		if got := b.post(tablet, "/api/v1/service/"+name, token, body); got.status != 200 || r.from != tablet {
			t.Errorf("%s from %v: %d %s", name, r.from, got.status, got.body)
		}
	}
	if got := b.post(tablet, "/api/v1/service/owner", token, `{"old":"730164","pin":"518402"}`); got.status != 200 || r.from != tablet {
		t.Errorf("the owner's PIN from %v: %d %s", r.from, got.status, got.body)
	}
}
