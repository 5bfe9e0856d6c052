// Package wire is the box's own WebRTC host: WHIP in (RFC 9725), WHEP out, one
// UDP port, one strict crypto profile. It carries packets between browsers and
// the stage and reports what was negotiated; it decides nothing about the word.
package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"

	"plenum/media/stage"
)

const (
	tick         = 500 * time.Millisecond // how often sessions are looked at
	reportEvery  = 2                      // ticks between two sender reports
	connectLimit = 20 * time.Second       // a peer that has not connected by then is dropped
	fresh        = 2 * time.Second        // packets younger than this make Leg.Audio, Leg.Video true

	// A player that says nothing for three intervals of RFC 3550 section 6.2 about what it is sent does not get it.
	// Browsers report on sound every 2.5 to 7.5 s.
	reportLimit = 3 * 5 * time.Second
)

// Options set up a Host.
type Options struct {
	Listen    netip.AddrPort // the one UDP port; ignored when Conn is set
	Conn      net.PacketConn // an opened IPv4 UDP socket; the Host closes it
	Addresses []netip.Addr   // IPv4 addresses announced to peers; empty = those Conn is bound to
	Stage     *stage.Stage   // where publishers' packets go and players' packets come from
	Profile   *Profile       // crypto profile; DefaultProfile() when nil
	OnLeg     func(Leg)      // called on every change of a leg, one call at a time; must be quick; may be nil
	Log       *slog.Logger   // slog.Default() when nil
}

// Host holds the sessions of all peers.
type Host struct {
	stage   *stage.Stage
	onLeg   func(Leg)
	log     *slog.Logger
	profile Profile
	cert    webrtc.Certificate
	mux     *mux

	mu       sync.Mutex
	sessions map[string]*session // by id
	dirty    []*session          // to be looked at by Run
	count    uint64              // sessions made so far
	closed   bool

	wake    chan struct{}  // capacity 1
	closing sync.WaitGroup // sessions not yet taken down
}

// ErrClosed is returned when the host has been stopped.
var ErrClosed = errors.New("the media host is closed")

// New opens the UDP port and makes the host's certificate. Nothing is served
// before Run and Handler are used. When Run is never called, call Close.
func New(o Options) (*Host, error) {
	if o.Stage == nil {
		return nil, errors.New("the media host needs a stage")
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	profile := DefaultProfile()
	if o.Profile != nil {
		profile = *o.Profile
	}
	if err := profile.check(); err != nil {
		return nil, fmt.Errorf("crypto profile: %w", err)
	}
	cert, err := newCertificate()
	if err != nil {
		return nil, fmt.Errorf("making the DTLS certificate: %w", err)
	}
	m, err := openMux(o.Listen, o.Conn, o.Addresses, pionLog{o.Log})
	if err != nil {
		return nil, err
	}
	return &Host{
		stage: o.Stage, onLeg: o.OnLeg, log: o.Log, profile: profile, cert: *cert, mux: m,
		sessions: map[string]*session{}, wake: make(chan struct{}, 1),
	}, nil
}

// Addr returns the address of the UDP port.
func (h *Host) Addr() netip.AddrPort {
	return h.mux.LocalAddr().(*net.UDPAddr).AddrPort()
}

// Announce replaces the IPv4 addresses that peers of later sessions are told: a box gets its address after it has
// started, and sometimes another one. Those that are connected stay so.
func (h *Host) Announce(addresses []netip.Addr) error {
	if err := h.mux.announce(addresses); err != nil {
		return fmt.Errorf("announcing addresses: %w", err)
	}
	return nil
}

// Run looks after the sessions until ctx ends, then closes them all and the
// port. It returns when nothing of the host runs any more.
func (h *Host) Run(ctx context.Context) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return h.Close()
		case <-h.wake:
			for _, s := range h.takeDirty() {
				s.look()
				h.report(s)
			}
		case now := <-ticker.C:
			h.mux.guard.tick(now)
			for _, s := range h.all() {
				s.look()
				if n%reportEvery == 0 {
					s.sendReports()
				}
				h.report(s)
			}
		}
	}
}

// Close ends all sessions, reports their end and closes the UDP port. Run does
// it when its context ends.
func (h *Host) Close() error {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	for _, s := range h.all() {
		s.close("the box is shutting down")
	}
	h.closing.Wait()
	for _, s := range h.takeDirty() {
		h.report(s)
	}
	if err := h.mux.Close(); err != nil {
		return fmt.Errorf("closing the media port: %w", err)
	}
	return nil
}

// Disconnect ends the sessions of a person in both directions. When it returns
// no packet of the person is taken and none is sent to the person any more.
func (h *Host) Disconnect(person, reason string) {
	for _, s := range h.all() {
		if s.person == person {
			s.close(reason)
		}
	}
}

// Stats returns the state and the figures of all sessions, oldest first.
func (h *Host) Stats() []LegStats {
	var out []LegStats
	for _, s := range h.all() {
		out = append(out, s.stats())
	}
	return out
}

func (h *Host) all() []*session {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.SortedFunc(maps.Values(h.sessions), func(a, b *session) int {
		return int(a.number) - int(b.number)
	})
}

// add enters a session and ends the one the same person had in that direction (P7).
func (h *Host) add(s *session) error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return ErrClosed
	}
	var old *session
	for _, other := range h.sessions {
		if other.person == s.person && other.direction == s.direction && !s.many {
			old = other
		}
	}
	h.count++
	s.number = h.count // in the order in which sessions replace one another
	h.sessions[s.id] = s
	h.closing.Add(1) // until the session is taken down
	h.mu.Unlock()
	if old != nil {
		old.close("replaced: the same person has joined again")
	}
	return nil
}

func (h *Host) find(id string) *session {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sessions[id]
}

func (h *Host) remove(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.sessions, s.id)
}

// touch has Run look at the session soon.
func (h *Host) touch(s *session) {
	h.mu.Lock()
	if !slices.Contains(h.dirty, s) {
		h.dirty = append(h.dirty, s)
	}
	h.mu.Unlock()
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

func (h *Host) takeDirty() []*session {
	h.mu.Lock()
	defer h.mu.Unlock()
	dirty := h.dirty
	h.dirty = nil
	return dirty
}

// report tells about a leg when it has changed since the last report. Only Run
// calls it, and Close after Run has ended.
func (h *Host) report(s *session) {
	leg := s.leg()
	if leg == s.reported {
		return
	}
	s.reported = leg
	h.log.Info("media leg", "person", leg.Person, "direction", leg.Direction, "up", leg.Up, "audio", leg.Audio,
		"video", leg.Video, "arrives", leg.Arrives, "missing", leg.Missing, "dtls", leg.DTLS, "cipher", leg.Cipher, "srtp", leg.SRTP, "peer", leg.Peer, "reason", leg.Reason)
	if leg.Missing != "" && leg.Missing != s.warned {
		s.warned = leg.Missing
		h.log.Warn("a player has not negotiated the codec of a picture and is shown none of it",
			"person", leg.Person, "session", leg.Session, "codec", leg.Missing)
	}
	if h.onLeg != nil {
		h.onLeg(leg)
	}
}
