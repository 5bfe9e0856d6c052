package wire

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
)

// line is a peer's paths with a clock of its own.
type line struct {
	t   *testing.T
	p   *paths
	now time.Time
}

func newLine(t *testing.T) *line {
	return &line{t, &paths{
		number: 7, ufrag: "ours", pwd: "pwd-of-ours", remoteUfrag: "theirs", remotePwd: "pwd-of-theirs",
		ids: map[[stun.TransactionIDSize]byte]netip.AddrPort{},
	}, time.Unix(1e9, 0)}
}

func at(port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), port)
}

func check(n int, nominates bool, from uint16) request {
	r := request{from: at(from), nominates: nominates, raw: []byte{byte(n)}}
	binary.BigEndian.PutUint64(r.id[:], uint64(n))
	return r
}

func (l *line) request(r request) bool { l.t.Helper(); return l.p.request(r, l.now) }

// answer has the peer answer the checks it gets at the ports; the others go unheard. It returns where checks went.
func (l *line) answer(ports ...uint16) (asked []uint16) {
	for _, c := range l.p.send {
		m := &stun.Message{Raw: c.data}
		if err := m.Decode(); err != nil {
			l.t.Fatal(err)
		}
		asked = append(asked, c.addr.Port())
		if slices.Contains(ports, c.addr.Port()) {
			l.p.answer(m.TransactionID, c.addr, l.now)
		}
	}
	l.p.send = nil
	return asked
}

// pass lets time go by; the peer answers at the ports.
func (l *line) pass(d time.Duration, ports ...uint16) {
	for end := l.now.Add(d); l.now.Before(end); {
		l.answer(ports...)
		l.now = l.now.Add(tick)
		l.p.tick(l.now)
	}
	l.answer(ports...)
}

func (l *line) chosen() uint16 {
	if l.p.chosen == nil {
		return 0
	}
	return l.p.chosen.addr.Port()
}

// want fails unless media goes to a port and pion has been told so.
func (l *line) want(what string, port uint16) {
	l.t.Helper()
	if got := l.chosen(); got != port {
		l.t.Errorf("%s: media goes to port %d, want %d", what, got, port)
	}
}

// connected is a line whose peer is at port 1, by nomination.
func connected(t *testing.T) *line {
	l := newLine(t)
	if l.request(check(1, false, 1)) {
		t.Fatal("a check was let through from an address that has proved nothing")
	}
	if asked := l.answer(1); !slices.Equal(asked, []uint16{1}) || len(l.p.due) != 1 {
		t.Fatalf("asked %v, %d let through", asked, len(l.p.due))
	}
	if !l.request(check(2, true, 1)) {
		t.Fatal("the nomination was not let through")
	}
	l.want("connected", 1)
	return l
}

func TestCopiesOfChecks(t *testing.T) {
	t.Run("later, from elsewhere, at any pace", func(t *testing.T) {
		l := connected(t)
		for range 1000 {
			for _, r := range []request{check(1, false, 66), check(2, true, 66)} {
				if l.request(r) {
					t.Fatal("a copy was let through")
				}
			}
			l.now = l.now.Add(25 * time.Millisecond)
			l.p.tick(l.now)
			if asked := l.answer(1); slices.Contains(asked, 66) {
				t.Fatal("a copy was answered with a check")
			}
		}
		l.want("after 2000 copies", 1)
	})
	t.Run("before the original", func(t *testing.T) {
		l := connected(t)
		for n := 3; n < 40; n++ {
			if l.request(check(n, true, 66)) {
				t.Fatal("the copy was let through")
			}
			if !l.request(check(n, n%2 == 0, 1)) {
				t.Fatal("the original was not let through")
			}
			l.pass(2*time.Second, 1)
			l.want("after a copy", 1)
		}
	})
	t.Run("before the very first original", func(t *testing.T) {
		l := newLine(t)
		for n, nominates := range []bool{false, true} {
			l.request(check(n, nominates, 66))
			l.request(check(n, nominates, 1))
			l.answer(1)
		}
		l.want("nominated", 1)
		if l.request(check(1, true, 66)) {
			t.Error("a copy was let through after all")
		}
	})
	t.Run("from the same address", func(t *testing.T) {
		l := connected(t)
		heard := l.p.chosen.heard
		l.now = l.now.Add(time.Minute)
		if !l.request(check(2, true, 1)) {
			t.Error("a check that is sent again gets no answer")
		}
		if l.p.chosen.heard != heard {
			t.Error("a copy counts as a sign of life")
		}
	})
	t.Run("old ones, forgotten long ago", func(t *testing.T) {
		l := connected(t)
		for n := 3; n < 3+2*maxIDs; n++ {
			l.request(check(n, false, 1))
		}
		for range 100 {
			for n := 1; n < 3; n++ {
				if l.request(check(n, true, 66)) {
					t.Fatal("an old copy was let through")
				}
			}
			l.pass(tick, 1)
		}
		l.want("after old copies", 1)
	})
	t.Run("while the peer moves", func(t *testing.T) {
		l := connected(t)
		l.now = l.now.Add(3 * time.Second)
		for n := 3; n < 6; n++ {
			l.request(check(n, false, 66)) // the copy is faster every time
			l.request(check(n, false, 2))
			l.pass(2*time.Second, 2)
		}
		l.want("after the move", 2)
	})
	t.Run("in the name of the old address while the peer moves", func(t *testing.T) {
		l := connected(t)
		l.now = l.now.Add(3 * time.Second)
		for n := 3; n < 8; n++ {
			l.request(check(n, false, 1))
			l.request(check(n, false, 2))
			l.pass(2*time.Second, 2)
		}
		l.want("after the move", 2)
	})
	t.Run("of answers, before the original", func(t *testing.T) {
		l := newLine(t)
		l.request(check(1, true, 66))
		l.request(check(1, true, 1))
		for _, c := range l.p.send {
			m := &stun.Message{Raw: c.data}
			if err := m.Decode(); err != nil {
				t.Fatal(err)
			}
			if c.addr == at(1) {
				l.p.answer(m.TransactionID, at(66), l.now)
				l.p.answer(m.TransactionID, at(1), l.now)
			}
		}
		l.want("nominated", 1)
	})
	t.Run("our check is handed on to the peer", func(t *testing.T) {
		l := connected(t)
		l.request(check(3, true, 66))
		m := &stun.Message{Raw: l.p.send[0].data}
		if err := m.Decode(); err != nil {
			t.Fatal(err)
		}
		l.p.answer(m.TransactionID, at(1), l.now)
		l.p.answer(m.TransactionID, at(66), l.now)
		l.want("after both answers", 1)
	})
}

func TestPeersMove(t *testing.T) {
	t.Run("without nominating", func(t *testing.T) {
		l := connected(t)
		l.now = l.now.Add(5 * time.Second)
		if l.request(check(3, false, 2)) {
			t.Error("a check from an address that has proved nothing was let through")
		}
		l.pass(2*time.Second, 2)
		l.want("after the move", 2)
		if len(l.p.due) == 0 || !l.p.follows(at(2)) || l.p.follows(at(2)) || l.p.follows(at(1)) {
			t.Error("pion is not told of the move once")
		}
	})
	t.Run("by nominating, at once", func(t *testing.T) {
		l := connected(t)
		l.request(check(3, true, 2))
		l.answer(1, 2)
		l.want("with the answer", 2)
		l.request(check(4, true, 1))
		l.answer(1, 2)
		l.want("and back", 1)
	})
	t.Run("not one with two lines", func(t *testing.T) {
		l := connected(t)
		for n := 3; n < 20; n++ {
			l.request(check(n, false, uint16(1+n%2)))
			l.pass(3*time.Second, 1, 2)
			l.want("with both lines", 1)
		}
		l.request(check(20, false, 2))
		l.pass(3*time.Second, 2)
		l.want("when one is lost", 2)
	})
	t.Run("a short loss moves nothing", func(t *testing.T) {
		l := connected(t)
		l.request(check(3, false, 66))
		l.pass(3 * time.Second)
		l.request(check(4, false, 1))
		l.pass(3*time.Second, 1)
		l.want("after the loss", 1)
		if !l.p.proven(at(1)) {
			t.Error("the address has not been asked again")
		}
	})
	t.Run("one that answers no checks", func(t *testing.T) {
		l := newLine(t)
		for n := range 5 {
			if l.request(check(n, n > 2, 1)) != (n > 0) {
				t.Fatal("it is not let through once it was asked in vain")
			}
			l.pass(2 * time.Second)
		}
		l.request(check(4, true, 66))
		l.request(check(10, true, 2))
		l.pass(2 * time.Second)
		l.request(check(5, true, 1))
		l.request(check(11, true, 2))
		l.want("at first", 1)
		l.pass(5 * time.Second)
		l.request(check(4, true, 66))
		l.want("after a copy", 1)
		l.request(check(12, false, 2))
		l.want("when the old address has fallen silent", 2)
	})
}

// A peer, or whoever copies its checks under many addresses, takes a bounded room.
func TestPathsAreBounded(t *testing.T) {
	l := connected(t)
	for n := 3; n < 5000; n++ {
		l.request(check(n, n%2 == 0, uint16(100+n)))
		l.request(check(n, false, 1))
	}
	if len(l.p.known) > maxPaths || len(l.p.ids) > maxIDs || len(l.p.order) > maxIDs {
		t.Errorf("%d paths, %d and %d ids are kept", len(l.p.known), len(l.p.ids), len(l.p.order))
	}
	l.answer(1)
	l.want("after all that", 1)
}

// closedSocket is a socket from which nothing gets anywhere.
func closedSocket(t *testing.T) *net.UDPConn {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	return conn
}

// What does not carry the password leaves nothing behind and gets no answer, nor does what was added behind the signature.
func TestGuardTakesGenuineChecksOnly(t *testing.T) {
	g := newGuard(nil)
	g.know("ours", "pwd-of-ours", "theirs", "pwd-of-theirs")
	build := func(setters ...stun.Setter) []byte {
		m, err := stun.Build(append([]stun.Setter{stun.TransactionID}, setters...)...)
		if err != nil {
			t.Fatal(err)
		}
		return m.Raw
	}
	name, key := stun.NewUsername("ours:theirs"), stun.NewShortTermIntegrity("pwd-of-ours")
	for what, b := range map[string][]byte{
		"no name":        build(stun.BindingRequest, key, stun.Fingerprint),
		"no integrity":   build(stun.BindingRequest, name, ice.UseCandidate(), stun.Fingerprint),
		"wrong password": build(stun.BindingRequest, name, ice.UseCandidate(), stun.NewShortTermIntegrity("guess"), stun.Fingerprint),
		"unknown peer":   build(stun.BindingRequest, stun.NewUsername("others:theirs"), key, stun.Fingerprint),
		"name cut":       build(stun.BindingRequest, stun.NewUsername("ours"), key, stun.Fingerprint),
		"an answer":      build(stun.BindingSuccess, stun.NewShortTermIntegrity("pwd-of-theirs"), stun.Fingerprint),
		"an error":       build(stun.BindingError, name, key, stun.Fingerprint),
		"another method": build(stun.NewType(stun.MethodAllocate, stun.ClassRequest), name, key, stun.Fingerprint),
		"cut":            build(stun.BindingRequest, name, key)[:30],
	} {
		if g.admits(b, at(66)) {
			t.Errorf("%s: let through", what)
		}
	}
	p := g.byUfrag["ours"]
	if len(p.known)+len(p.ids)+len(p.send)+len(p.due) != 0 {
		t.Errorf("something is left behind: %+v", p)
	}
	g.udp = closedSocket(t)
	for what, added := range map[string]stun.Setter{"nomination": ice.UseCandidate(), "renomination": ice.NominationAttribute{Value: 9}} {
		if g.admits(build(stun.BindingRequest, name, key, added), at(1)); p.known[0].last.nominates {
			t.Errorf("a %s that was added behind the integrity counts", what)
		}
		if g.admits(build(stun.BindingRequest, name, added, key), at(1)); !p.known[0].last.nominates {
			t.Errorf("a %s does not count", what)
		}
		p.known = nil
	}
	g.forget("ours")
	if len(g.byUfrag)+len(g.byNumber) != 0 {
		t.Error("a peer that has left is still known")
	}
}
