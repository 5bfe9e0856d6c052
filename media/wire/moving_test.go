package wire

import (
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/rtcp"
	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"

	"plenum/media/stage"
)

// roamer is a member's socket behind a NAT that may give it another port. The member does not notice.
type roamer struct {
	t    *testing.T
	home net.Addr
	in   chan datagram
	gone chan struct{}
	once sync.Once
	wg   sync.WaitGroup

	mu    sync.Mutex
	now   *net.UDPConn
	all   []*net.UDPConn
	sniff func(b []byte, to net.Addr) // sees what leaves, before it leaves
}

func newRoamer(t *testing.T) *roamer {
	r := &roamer{t: t, in: make(chan datagram, 1024), gone: make(chan struct{})}
	r.home = r.rebind().LocalAddr()
	return r
}

// rebind moves to a new port. What still comes to the old one is lost.
func (r *roamer) rebind() *net.UDPConn {
	conn := listen(r.t)
	r.mu.Lock()
	r.now = conn
	r.all = append(r.all, conn)
	r.mu.Unlock()
	r.wg.Go(func() {
		for buf := make([]byte, 1500); ; {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			r.mu.Lock()
			here := r.now == conn
			r.mu.Unlock()
			if here {
				select {
				case r.in <- datagram{slices.Clone(buf[:n]), from}:
				case <-r.gone:
				}
			}
		}
	})
	return conn
}

func (r *roamer) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case d := <-r.in:
		return copy(b, d.data), d.from, nil
	case <-r.gone:
		return 0, nil, net.ErrClosed
	}
}

func (r *roamer) WriteTo(b []byte, to net.Addr) (int, error) {
	r.mu.Lock()
	conn, sniff := r.now, r.sniff
	r.mu.Unlock()
	if sniff != nil {
		sniff(b, to)
	}
	return conn.WriteTo(b, to)
}

func (r *roamer) Close() error {
	r.once.Do(func() {
		close(r.gone)
		for _, c := range r.all {
			_ = c.Close()
		}
		r.wg.Wait()
	})
	return nil
}

func (r *roamer) LocalAddr() net.Addr              { return r.home }
func (r *roamer) SetDeadline(time.Time) error      { return nil }
func (r *roamer) SetReadDeadline(time.Time) error  { return nil }
func (r *roamer) SetWriteDeadline(time.Time) error { return nil }

// use has a member use the socket and check often.
func (r *roamer) use(mux ice.UDPMux) func(*webrtc.SettingEngine) {
	return func(se *webrtc.SettingEngine) {
		se.SetICEUDPMux(mux)
		se.SetICETimeouts(20*time.Second, 40*time.Second, 300*time.Millisecond)
	}
}

func listen(t *testing.T) *net.UDPConn {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// copier is somebody who can listen on a member's line and send from elsewhere.
type copier struct {
	conn  *net.UDPConn
	box   net.Addr
	media atomic.Int64 // packets of media that came to it

	mu     sync.Mutex
	first  bool // sends each copy before the original
	checks [][]byte
	wg     sync.WaitGroup
	stop   chan struct{}
}

// newCopier replays all it has every pace from now on.
func newCopier(t *testing.T, box net.Addr, pace time.Duration) *copier {
	c := &copier{conn: listen(t), box: box, stop: make(chan struct{})}
	c.wg.Go(func() {
		for buf := make([]byte, 1500); ; {
			n, err := c.conn.Read(buf)
			if err != nil {
				return
			}
			if !stun.IsMessage(buf[:n]) {
				c.media.Add(1)
			}
		}
	})
	c.wg.Go(func() {
		ticker := time.NewTicker(pace)
		defer ticker.Stop()
		for {
			select {
			case <-c.stop:
				return
			case <-ticker.C:
			}
			c.mu.Lock()
			for _, b := range c.checks {
				_, _ = c.conn.WriteTo(b, c.box)
			}
			c.mu.Unlock()
		}
	})
	t.Cleanup(func() { close(c.stop); _ = c.conn.Close(); c.wg.Wait() })
	return c
}

// sniff takes one datagram of the member's.
func (c *copier) sniff(b []byte, to net.Addr) {
	m := stun.Message{Raw: slices.Clone(b)}
	request := stun.IsMessage(b) && m.Decode() == nil && m.Type.Class == stun.ClassRequest
	c.mu.Lock()
	defer c.mu.Unlock()
	if request {
		c.checks = append(c.checks, m.Raw)
	}
	if c.first {
		_, _ = c.conn.WriteTo(b, to) // everything: media and reports too
	}
}

func (c *copier) race(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.first = on
}

// Copies of a member's checks from elsewhere, later or sooner than the originals and at any pace, take nothing away; a
// member whose NAT gives it another port is followed although it nominates nothing, with the copies going on.
func TestCopiesTakeNothingAndMovesAreFollowed(t *testing.T) {
	for name, race := range map[string]bool{"copies later": false, "copies first": true} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, nil)
			feed(t, h.stage, "camera/wide", stage.Video, "", 'H')
			h.stage.SetWord("camera/wide")
			line := newRoamer(t)
			thief := newCopier(t, net.UDPAddrFromAddrPort(h.host.Addr()), 25*time.Millisecond)
			thief.race(race)
			line.sniff = thief.sniff
			mux := webrtc.NewICEUDPMux(nil, line)
			t.Cleanup(func() { _ = mux.Close() })
			member := h.newPeer("cem", line.use(mux))
			member.recv(1, 0)
			if status := member.ask("/whep"); status != http.StatusCreated {
				t.Fatalf("playing was answered with %d", status)
			}
			more := func(what string, n int) {
				t.Helper()
				seen := member.tags("word")['H']
				eventually(t, what, func() bool { return member.tags("word")['H'] > seen+n })
			}
			more("the picture", 10)
			thief.media.Store(0) // of the handshake a copy that is first may see the beginning
			checks := func() int {
				thief.mu.Lock()
				defer thief.mu.Unlock()
				return len(thief.checks)
			}
			copied := checks()
			eventually(t, "more checks to copy", func() bool { return checks() > copied+1 })
			more("the picture with copies about", 50)
			for range 2 {
				line.rebind()
				more("the picture after a move", 50)
			}
			checkMoves(t, h, line, thief)
		})
	}
}

func checkMoves(t *testing.T, h *house, line *roamer, thief *copier) {
	t.Helper()
	if n := thief.media.Load(); n != 0 {
		t.Errorf("%d packets of the picture went to somebody who copied checks", n)
	}
	h.host.mux.guard.mu.Lock()
	defer h.host.mux.guard.mu.Unlock()
	for _, p := range h.host.mux.guard.byUfrag {
		if got, want := p.chosen.addr.String(), line.now.LocalAddr().String(); got != want {
			t.Errorf("the member is sent to at %v, want %v", got, want)
		}
	}
}

// A publisher that moves is followed too: its requests for key frames must reach it.
func TestMovedPublisherIsHeardAndAsked(t *testing.T) {
	h := newHouse(t, nil)
	line := newRoamer(t)
	mux := webrtc.NewICEUDPMux(nil, line)
	t.Cleanup(func() { _ = mux.Close() })
	p := h.newPeer("anna", line.use(mux))
	p.send(stage.Video, 'a')
	if status := p.ask("/whip"); status != http.StatusCreated {
		t.Fatalf("publishing was answered with %d", status)
	}
	h.waitLeg("anna publishes", func(l Leg) bool { return up("anna", Publish)(l) && l.Video })
	line.rebind()
	h.stage.SetWord("member/anna")
	_ = h.stage.Carry("anna", true)
	viewer := h.play("cem", 1, 0)
	eventually(t, "anna's picture after the move", func() bool { return viewer.tags("word")['a'] > 20 })
}

// A leg plays only while the player's reports say that something arrives.
func TestLegPlaysWhileReportsArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &session{direction: Play, up: true}
		tr := newTrack(s, stage.Word, nil)
		tr.ssrc = 5
		sent := func() { s.sent(stage.Video, time.Now()) }
		report := func(number uint32) {
			tr.take(&rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{{SSRC: 5, LastSequenceNumber: number}}})
		}
		run := func(d time.Duration, each func()) {
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second) {
				sent()
				each()
			}
			sent()
		}
		want := func(what string, plays bool) {
			t.Helper()
			if l := s.leg(); l.Arrives != plays || l.Video != plays || !l.Up {
				t.Errorf("%s: %+v, want plays %v", what, l, plays)
			}
		}
		if !s.leg().Arrives {
			t.Error("nothing was sent, yet it counts as lost")
		}
		number := uint32(0)
		run(time.Minute, func() { number += 50; report(number) })
		want("with reports", true)
		run(reportLimit-time.Second, func() {})
		want("one report late", true)
		run(2*time.Second, func() {})
		want("without reports", false)
		report(number + 1)
		want("with a report again", true)
		run(reportLimit+time.Second, func() { report(number + 1) })
		want("reports that tell of nothing new", false)
		tr.take(&rtcp.TransportLayerCC{})
		want("feedback on lost packets only", false)
		tr.take(&rtcp.TransportLayerCC{RecvDeltas: []*rtcp.RecvDelta{{}}})
		want("feedback on what arrived", true)
		run(reportLimit+time.Second, func() {})
		time.Sleep(fresh + time.Second)
		if l := s.leg(); !l.Arrives || l.Video {
			t.Errorf("nothing is sent any more: %+v", l)
		}
		sent()
		want("sent to again", true)
		run(reportLimit+time.Second, func() {})
		want("again without reports", false)
	})
}
