package wire

import (
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"plenum/media/stage"
)

// socketCount counts RTP datagrams at the socket. Only the member sends media
// in these tests, so every RTP datagram that leaves is the member's.
type socketCount struct {
	all, late atomic.Int64
	cut       atomic.Bool
}

func (c *socketCount) see(b []byte) {
	if _, ok := rtpSSRC(b); ok {
		c.all.Add(1)
		if c.cut.Load() {
			c.late.Add(1)
		}
	}
}

// slow is a socket that sends later, on a goroutine of its own: what must not
// stand behind the gate.
type slow struct {
	net.PacketConn
	queue chan datagram
	done  chan struct{}
	wg    sync.WaitGroup
}

func newSlow(conn net.PacketConn) *slow {
	s := &slow{PacketConn: conn, queue: make(chan datagram, 4096), done: make(chan struct{})}
	s.wg.Go(func() {
		for {
			select {
			case <-s.done:
				return
			case d := <-s.queue:
				time.Sleep(time.Millisecond)
				_, _ = s.PacketConn.WriteTo(d.data, d.from)
			}
		}
	})
	return s
}

func (s *slow) WriteTo(b []byte, to net.Addr) (int, error) {
	select {
	case s.queue <- datagram{slices.Clone(b), to}:
	case <-s.done:
	}
	return len(b), nil
}

func (s *slow) Close() error {
	close(s.done)
	s.wg.Wait()
	return s.PacketConn.Close()
}

// withdrawals grants and withdraws n times with a real publisher and real
// players, has every player ask for everything again after each, and counts, also
// after the last.
func withdrawals(t *testing.T, n int, change func(*Options)) *socketCount {
	t.Helper()
	count := &socketCount{}
	h := newHouse(t, func(o *Options) {
		o.Conn.(*tap).out = count.see
		if change != nil {
			change(o)
		}
	})
	h.publish("anna", 'a')
	h.stage.SetWord(SourceID("anna"))
	var players []*peer
	for i := range 4 {
		players = append(players, h.play(name(i), 1, 3))
	}
	// A fast source beside the real one, so that packets are on their way at any moment.
	fast := h.stage.AddSource("member/anna", stage.Audio, "anna", nil)
	defer fast.Close()
	var done atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		p := rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: uint8(stage.Opus)}, Payload: make([]byte, 80)}
		for ; !done.Load(); p.SequenceNumber++ {
			p.Timestamp += 960
			fast.Write(&p)
			time.Sleep(500 * time.Microsecond)
		}
	})
	defer wg.Wait()
	defer done.Store(true)
	for range n {
		count.cut.Store(false)
		start := count.all.Load()
		if err := h.stage.Carry("anna", true); err != nil {
			t.Fatal(err)
		}
		eventually(t, "packets of the member", func() bool { return count.all.Load() > start+40 })
		if err := h.stage.Carry("anna", false); err != nil {
			t.Fatal(err)
		}
		count.cut.Store(true)
		for _, p := range players {
			p.nackAll("word")
		}
	}
	return count
}

// nackAll asks for all packets of a slot the player has had.
func (p *peer) nackAll(slot string) {
	p.t.Helper()
	var seqs []uint16
	for _, g := range p.packets(slot) {
		seqs = append(seqs, g.SequenceNumber)
	}
	if len(seqs) > 0 {
		p.nack(slot, seqs)
	}
}

// nack asks for packets of a slot and waits until the host has dealt with that: it takes the request for a key frame, which
// it counts, after it.
func (p *peer) nack(slot string, seqs []uint16) {
	p.t.Helper()
	asked := func() (n uint64) {
		for _, st := range p.h.host.Stats() {
			if st.Person == p.person && st.Direction == Play {
				n += st.KeyRequests
			}
		}
		return n
	}
	before := asked()
	_ = p.pc.WriteRTCP([]rtcp.Packet{
		&rtcp.TransportLayerNack{MediaSSRC: p.ssrc(slot), Nacks: rtcp.NackPairsFromSequenceNumbers(seqs)},
		&rtcp.PictureLossIndication{MediaSSRC: p.ssrc(slot)},
	})
	eventually(p.t, "a NACK is dealt with", func() bool { return asked() > before })
}

func TestWithdrawIsExactAtTheSocket(t *testing.T) {
	const n = 40
	count := withdrawals(t, n, nil)
	t.Logf("%d datagrams in all, %d after %d withdrawals", count.all.Load(), count.late.Load(), n)
	if late := count.late.Load(); late != 0 {
		t.Errorf("%d datagrams of the member left after Carry(false) had returned", late)
	}
}

// The negative control: the same count finds packets queued behind the gate.
func TestSocketCountCanFail(t *testing.T) {
	count := withdrawals(t, 5, func(o *Options) { o.Conn = newSlow(o.Conn) })
	eventually(t, "packets queued behind the gate are noticed", func() bool { return count.late.Load() > 0 })
	t.Logf("%d datagrams in all, %d after 5 withdrawals with a queue behind the gate", count.all.Load(), count.late.Load())
}

// A NACK brings the hall's packets and none of the member who has been
// withdrawn, on the retransmission stream.
func TestNackAfterWithdrawal(t *testing.T) {
	h := newHouse(t, nil)
	feed(t, h.stage, "camera/wide", stage.Video, "", 'H')
	h.publish("anna", 'a')
	h.stage.SetWord(SourceID("anna"))
	_ = h.stage.Carry("anna", true)
	v := h.play("cem", 1, 0)
	eventually(t, "anna's picture", func() bool { return v.tags("word")['a'] > 20 })
	v.nackAll("word")
	eventually(t, "anna's packets again", func() bool { return resent(h) > 10 })
	h.stage.SetWord("camera/wide")
	eventually(t, "the hall's picture", func() bool { return v.tags("word")['H'] > 20 })
	_ = h.stage.Carry("anna", false)
	before, anna := resent(h), v.tags("word")['a']
	v.nackAll("word")
	eventually(t, "the hall's packets again", func() bool { return resent(h) > before+10 })
	// When the answer to a later wish has come, those to the earlier ones have.
	numbers := func() (n []uint16) {
		for _, g := range v.packets("word") {
			n = append(n, g.SequenceNumber)
		}
		return n
	}
	asked := numbers()
	later := func(n uint16) bool { return !slices.Contains(asked, n) }
	eventually(t, "a packet that nobody asked for", func() bool { return slices.ContainsFunc(numbers(), later) })
	had := numbers()
	last := had[slices.IndexFunc(had, later)]
	eventually(t, "that packet again", func() bool {
		v.nack("word", []uint16{last})
		had := numbers()
		return slices.Contains(had[slices.Index(had, last)+1:], last)
	})
	if n := v.tags("word")['a']; n != anna {
		t.Errorf("%d packets of the withdrawn member came on request", n-anna)
	}
	t.Logf("%d packets sent again before, %d after the withdrawal", before, resent(h)-before)
}

func resent(h *house) (n uint64) {
	for _, st := range h.host.Stats() {
		n += st.Resent
	}
	return n
}

// A retransmission must not put two different packets under one AES-GCM nonce:
// it goes out on a stream of its own, or bit by bit the same, or not at all.
func TestRetransmissionUsesNoNumberTwice(t *testing.T) {
	var mu sync.Mutex
	sent := map[[6]byte]string{} // SSRC and sequence number -> datagram
	var differ atomic.Int32
	h := newHouse(t, func(o *Options) {
		o.Conn.(*tap).out = func(b []byte) {
			if _, ok := rtpSSRC(b); !ok {
				return
			}
			key := [6]byte(append(slices.Clone(b[8:12]), b[2:4]...))
			mu.Lock()
			defer mu.Unlock()
			if old, ok := sent[key]; ok && old != string(b) {
				differ.Add(1)
			}
			sent[key] = string(b)
		}
	})
	feed(t, h.stage, "camera/wide", stage.Video, "", 'H')
	h.stage.SetWord("camera/wide")
	v := h.play("cem", 1, 0)
	eventually(t, "the picture", func() bool { return v.tags("word")['H'] > 20 })
	for range 3 {
		before := resent(h)
		v.nackAll("word")
		eventually(t, "packets again", func() bool { return resent(h) > before+10 })
	}
	if n := differ.Load(); n != 0 {
		t.Errorf("%d numbers were used for two different datagrams", n)
	}
}

func TestRetransmissionIsBounded(t *testing.T) {
	tr := &track{}
	now := time.Unix(100, 0)
	many := make([]uint16, 300)
	if n := len(tr.allow(many, now)) + len(tr.allow(many, now)); n != maxResend {
		t.Errorf("%d retransmissions allowed in one second, want %d", n, maxResend)
	}
	if n := len(tr.allow(many, now.Add(time.Second))); n != 300 {
		t.Errorf("%d allowed in the next second, want 300", n)
	}
}
