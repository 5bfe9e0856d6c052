package wire

import (
	"crypto/rand"
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
)

const (
	maxPaths   = 8                      // addresses remembered for one peer
	maxIDs     = 128                    // transaction ids remembered for one peer: some minutes of checks
	askTimes   = 3                      // how often an address is asked before it counts as silent
	askAgain   = 400 * time.Millisecond // least time between two of them; they are sent by the host's tick
	provenFor  = 30 * time.Second       // an address beside the chosen one need not answer again for so long
	aliveFor   = 2 * time.Second        // the chosen address is not asked again for so long
	quietLimit = 4 * time.Second        // a peer that answers nobody has left an address that is silent for so long
)

// request is one binding request whose integrity has been checked.
type request struct {
	id        [stun.TransactionIDSize]byte
	from      netip.AddrPort
	nominates bool
	raw       []byte // the caller's: kept as a copy
}

// parcel is a datagram on its way to or from an address.
type parcel struct {
	addr netip.AddrPort
	data []byte
}

// path is an address from which a peer's checks come.
type path struct {
	addr      netip.AddrPort
	heard     time.Time // a check that was not a copy came from it
	answered  time.Time // it answered a check of ours; zero: not yet, or not the last time
	lost      bool      // it was asked and did not answer
	last      request   // the newest one; what pion is given when the path is chosen later
	waiting   bool      // last has not been let through
	asked     int       // how often it was sent the check that runs; 0: none runs
	askedAt   time.Time // the last of them
	askedFrom time.Time // the first of them
	check     []byte
	checkID   [stun.TransactionIDSize]byte
}

// paths decides which address is a peer's. Whoever can listen on the line can
// send a copy of a check from another address, sooner than the original or at
// any time later; the check is genuine all the same. So no check is let through
// before its address has answered one of ours, which only the holder of the
// peer's password can (RFC 8445 has a lite agent find no addresses by checks;
// these find none, they confirm one). A peer that is nowhere else has moved,
// with or without USE-CANDIDATE.
//
// It sends nothing itself: send and due are emptied by the guard.
type paths struct {
	number                             uint32 // begins the transaction ids of our checks
	ufrag, pwd, remoteUfrag, remotePwd string

	known   []*path // oldest first
	chosen  *path   // where the peer is sent to; nil before the first nomination
	told    netip.AddrPort
	answers bool // the peer has answered a check: it is one that does
	ids     map[[stun.TransactionIDSize]byte]netip.AddrPort
	order   [][stun.TransactionIDSize]byte // a ring
	oldest  int

	send []parcel // checks to be sent
	due  []parcel // requests to be let through now
}

// request decides on a check of the peer's: let through at once, or not.
func (p *paths) request(r request, now time.Time) bool {
	first, repeat := p.ids[r.id]
	elsewhere := repeat && first != r.from
	x := p.find(r.from)
	switch {
	case x != nil && x == p.chosen:
	case elsewhere && p.proven(first):
		p.doubt(now) // it may be a check sent again after a move
		return false
	case !elsewhere && x != nil && now.Sub(x.answered) < provenFor:
		p.compare(x, r, now)
	case !elsewhere && p.mute(x, now):
		r.nominates = r.nominates || p.chosen != nil
	default:
		x = p.enter(r.from)
		r.nominates = r.nominates || x.waiting && x.last.nominates
		x.keep(r)
		x.waiting = true
		p.compare(x, r, now)
		p.ask(x, now)
		return false
	}
	if !repeat {
		x.heard = now
	}
	p.pass(x, r)
	if !repeat && x.answered.IsZero() && p.answers {
		p.ask(x, now)
	}
	return true
}

// pass notes that a request goes to pion, which follows a nomination by itself.
func (p *paths) pass(x *path, r request) {
	p.note(r.id, r.from)
	x.keep(r)
	x.waiting = false
	if r.nominates {
		p.chosen = x
	}
}

// answer takes the answer to a check of ours, whose integrity has been checked.
func (p *paths) answer(id [stun.TransactionIDSize]byte, from netip.AddrPort, now time.Time) {
	i := slices.IndexFunc(p.known, func(x *path) bool { return x.asked > 0 && x.checkID == id })
	switch {
	case i < 0:
		return
	case p.known[i].addr != from:
		if p.known[i] != p.chosen && p.proven(from) { // somebody handed our check on to the peer, who is elsewhere
			p.known = slices.Delete(p.known, i, i+1)
		}
		return
	}
	x := p.known[i]
	x.asked, x.answered, x.lost = 0, now, false
	p.answers = true
	switch {
	case x == p.chosen:
	case p.chosen != nil && p.chosen.lost:
		p.move(x)
	case x.waiting:
		p.pass(x, x.last)
		p.due = append(p.due, parcel{x.addr, x.last.raw})
	}
}

// tick sends checks again and gives up on addresses that do not answer.
func (p *paths) tick(now time.Time) {
	for _, x := range slices.Clone(p.known) {
		switch {
		case x.asked == 0 || now.Sub(x.askedAt) < askAgain:
		case x.asked < askTimes:
			x.asked++
			x.askedAt = now
			p.send = append(p.send, parcel{x.addr, x.check})
		case x != p.chosen && !p.answers:
			x.asked, x.lost = 0, true
		case x != p.chosen:
			p.known = slices.DeleteFunc(p.known, func(y *path) bool { return y == x })
		default:
			since := x.askedFrom
			x.asked, x.answered, x.lost = 0, time.Time{}, true
			for _, y := range p.known {
				if y != x && !y.answered.Before(since) {
					p.move(y)
					break
				}
			}
		}
	}
}

// move chooses a path that has answered. pion learns of it with the newest
// request that came by it, once more if need be.
func (p *paths) move(x *path) {
	p.pass(x, x.last)
	p.chosen = x
	p.due = append(p.due, parcel{x.addr, x.last.raw})
}

// follows tells pion, on a request from an address, whether to send there from
// now on. It does so once.
func (p *paths) follows(from netip.AddrPort) bool {
	if p.chosen == nil || p.chosen.addr != from || p.told == from {
		return false
	}
	p.told = from
	return true
}

// compare asks both addresses when a check without nomination comes from beside
// the chosen one: a peer with two lines answers on both and stays.
func (p *paths) compare(x *path, r request, now time.Time) {
	if !r.nominates && p.chosen != nil {
		p.ask(x, now)
		p.doubt(now)
	}
}

// doubt asks the chosen address whether it is still the peer's.
func (p *paths) doubt(now time.Time) {
	if p.chosen != nil && now.Sub(p.chosen.answered) > aliveFor {
		p.ask(p.chosen, now)
	}
}

// mute tells whether a peer may be taken at its word: it answers no checks at
// all, against RFC 8445 section 7.3, and is not heard from another address.
func (p *paths) mute(x *path, now time.Time) bool {
	return !p.answers && x != nil && x.lost && (p.chosen == nil || now.Sub(p.chosen.heard) > quietLimit)
}

func (p *paths) proven(addr netip.AddrPort) bool {
	x := p.find(addr)
	return x != nil && !x.answered.IsZero()
}

func (p *paths) find(addr netip.AddrPort) *path {
	for _, x := range p.known {
		if x.addr == addr {
			return x
		}
	}
	return nil
}

// enter finds or makes a path. When there are too many the oldest that is not
// in use goes, one that has proved nothing first.
func (p *paths) enter(addr netip.AddrPort) *path {
	if x := p.find(addr); x != nil {
		return x
	}
	if len(p.known) == maxPaths {
		i := slices.IndexFunc(p.known, func(x *path) bool { return x != p.chosen && x.answered.IsZero() })
		if i < 0 {
			i = slices.IndexFunc(p.known, func(x *path) bool { return x != p.chosen })
		}
		p.known = slices.Delete(p.known, i, i+1)
	}
	x := &path{addr: addr}
	p.known = append(p.known, x)
	return x
}

func (x *path) keep(r request) {
	r.raw = slices.Clone(r.raw)
	x.last = r
}

// note remembers where an id came from that was let through; only those are, so
// no flood pushes them out. The chosen address may claim one that a copy of it brought first.
func (p *paths) note(id [stun.TransactionIDSize]byte, from netip.AddrPort) {
	if _, ok := p.ids[id]; !ok {
		if len(p.order) < maxIDs {
			p.order = append(p.order, id)
		} else {
			delete(p.ids, p.order[p.oldest])
			p.order[p.oldest] = id
			p.oldest = (p.oldest + 1) % maxIDs
		}
	}
	p.ids[id] = from
}

// ask begins a check of an address unless one runs.
func (p *paths) ask(x *path, now time.Time) {
	if x.asked > 0 {
		return
	}
	const priority = 110<<24 | 65535<<8 | 255 // of a peer-reflexive candidate, RFC 8445 section 5.1.2
	binary.BigEndian.PutUint32(x.checkID[:], p.number)
	_, _ = rand.Read(x.checkID[4:]) // never fails
	m, err := stun.Build(stun.BindingRequest, stun.NewTransactionIDSetter(x.checkID),
		stun.NewUsername(p.remoteUfrag+":"+p.ufrag), ice.AttrControlled(0), ice.PriorityAttr(priority),
		stun.NewShortTermIntegrity(p.remotePwd), stun.Fingerprint)
	if err != nil {
		return // longer credentials than STUN can carry: such a peer cannot check either
	}
	x.asked, x.askedAt, x.askedFrom, x.check = 1, now, now, m.Raw
	p.send = append(p.send, parcel{x.addr, x.check})
}
