package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
)

// guard stands between the media socket and pion's mux. pion's lite agent goes
// wherever a genuine check with USE-CANDIDATE comes from, be it a copy, and
// nowhere else; the guard lets a check through only from an address that is the
// peer's (paths), and tells pion of a peer that has moved without nominating.
// A check that is not genuine ends here and leaves nothing behind.
type guard struct {
	net.PacketConn
	udp *net.UDPConn // the same if it is one: addresses without allocation

	mu       sync.Mutex
	count    uint32
	byUfrag  map[string]*paths
	byNumber map[uint32]*paths
	due      []parcel // let through later than they came
}

func newGuard(conn net.PacketConn) *guard {
	udp, _ := conn.(*net.UDPConn)
	return &guard{PacketConn: conn, udp: udp, byUfrag: map[string]*paths{}, byNumber: map[uint32]*paths{}}
}

// know lets a peer in by both sides' ICE credentials. A ufrag that is known stays as it is.
func (g *guard) know(ufrag, pwd, remoteUfrag, remotePwd string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.byUfrag[ufrag] != nil {
		return
	}
	g.count++
	p := &paths{
		number: g.count, ufrag: ufrag, pwd: pwd, remoteUfrag: remoteUfrag, remotePwd: remotePwd,
		ids: map[[stun.TransactionIDSize]byte]netip.AddrPort{},
	}
	g.byUfrag[ufrag], g.byNumber[p.number] = p, p
}

// forget shuts a peer out.
func (g *guard) forget(ufrag string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p := g.byUfrag[ufrag]; p != nil {
		delete(g.byUfrag, ufrag)
		delete(g.byNumber, p.number)
	}
}

// tick looks after the checks that run.
func (g *guard) tick(now time.Time) {
	g.mu.Lock()
	var send []parcel
	for _, p := range g.byUfrag {
		p.tick(now)
		send = append(send, g.collect(p)...)
	}
	g.mu.Unlock()
	g.sendAll(send)
}

// follow is pion's question after each request it has taken: is this the address to send to?
func (g *guard) follow(m *stun.Message, _, remote ice.Candidate, _ *ice.CandidatePair) bool {
	addr, err := netip.ParseAddr(remote.Address())
	if err != nil {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.peer(m)
	return p != nil && p.follows(netip.AddrPortFrom(addr.Unmap(), uint16(remote.Port())))
}

// peer finds whose request it is by the user name. g.mu is held.
func (g *guard) peer(m *stun.Message) *paths {
	name, err := m.Get(stun.AttrUsername)
	if err != nil {
		return nil
	}
	ours, theirs, _ := strings.Cut(string(name), ":")
	if p := g.byUfrag[ours]; p != nil && p.remoteUfrag == theirs {
		return p
	}
	return nil
}

// ReadFromAddrPort returns the next datagram that pion may see.
func (g *guard) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		n, from, err := g.read(b)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded): // collect has woken us
			if d, ok := g.takeDue(); ok {
				return copy(b, d.data), d.addr, nil
			}
		case err != nil:
			return 0, netip.AddrPort{}, err
		case !stun.IsMessage(b[:n]) || g.admits(b[:n], from):
			return n, from, nil
		}
	}
}

func (g *guard) read(b []byte) (int, netip.AddrPort, error) {
	if g.udp != nil {
		n, from, err := g.udp.ReadFromUDPAddrPort(b)
		return n, netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), err
	}
	n, addr, err := g.ReadFrom(b)
	if err != nil {
		return 0, netip.AddrPort{}, err
	}
	udp, ok := addr.(*net.UDPAddr)
	if !ok {
		return 0, netip.AddrPort{}, fmt.Errorf("a datagram from %v on the media port", addr)
	}
	from := udp.AddrPort()
	return n, netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), nil
}

// WriteToAddrPort sends a datagram.
func (g *guard) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if g.udp != nil {
		return g.udp.WriteToUDPAddrPort(b, to)
	}
	return g.WriteTo(b, net.UDPAddrFromAddrPort(to))
}

// takeDue returns the next request that was held back; when there is none
// reading goes on.
func (g *guard) takeDue() (parcel, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.due) == 0 {
		_ = g.SetReadDeadline(time.Time{}) // fails on a closed socket only, as the next read does
		return parcel{}, false
	}
	d := g.due[0]
	g.due = g.due[1:]
	return d, true
}

// collect takes over what paths wants sent and let through. g.mu is held.
func (g *guard) collect(p *paths) (send []parcel) {
	if len(p.due) > 0 {
		g.due = append(g.due, p.due...)
		_ = g.SetReadDeadline(time.Unix(1, 0)) // ends the read that runs, or the next one
	}
	send = p.send
	p.due, p.send = nil, nil
	return send
}

// sendAll sends checks. One that is lost is sent again.
func (g *guard) sendAll(send []parcel) {
	for _, c := range send {
		_, _ = g.WriteToAddrPort(c.data, c.addr)
	}
}

// admits tells whether pion may see a STUN message now.
func (g *guard) admits(b []byte, from netip.AddrPort) bool {
	m := &stun.Message{Raw: append([]byte(nil), b...)}
	if err := m.Decode(); err != nil || m.Type.Method != stun.MethodBinding {
		return false
	}
	now := time.Now()
	pass, send := false, []parcel(nil)
	g.mu.Lock()
	switch m.Type.Class {
	case stun.ClassIndication: // keeps a NAT open and says nothing
		pass = true
	case stun.ClassRequest:
		if p := g.peer(m); p != nil && genuine(m, p.pwd) {
			nominates := m.Contains(stun.AttrUseCandidate) || m.Contains(ice.DefaultNominationAttribute)
			pass = p.request(request{m.TransactionID, from, nominates, b}, now)
			send = g.collect(p)
		}
	case stun.ClassSuccessResponse: // a lite agent asks nobody: only the guard does
		p := g.byNumber[binary.BigEndian.Uint32(m.TransactionID[:])]
		if p != nil && genuine(m, p.remotePwd) {
			p.answer(m.TransactionID, from, now)
			send = g.collect(p)
		}
	}
	g.mu.Unlock()
	g.sendAll(send)
	return pass
}

// genuine checks a message's integrity. What follows the integrity attribute
// anybody could add; pion's decoder leaves it out, as RFC 8489 section 14.5 demands.
func genuine(m *stun.Message, pwd string) bool {
	return stun.NewShortTermIntegrity(pwd).Check(m) == nil
}
