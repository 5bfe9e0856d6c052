package wire

import (
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/pion/rtcp"

	"plenum/media/stage"
)

// The whole way: two publishers and the hall, players with all slots and with
// one, the word goes round, nobody negotiates again.
func TestWordGoesRound(t *testing.T) {
	h := newHouse(t, nil)
	feed(t, h.stage, "camera/wide", stage.Video, "", 'H')
	feed(t, h.stage, "hall", stage.Audio, "", 'H')
	h.stage.SetHall("camera/wide", "hall")
	h.stage.SetWord("camera/wide")
	h.publish("anna", 'a')
	h.publish("ben", 'b')
	full := h.play("cem", 2, 3)
	small := h.play("dora", 1, 1)
	self := h.play("anna", 2, 3)
	selfSmall := h.play("ben", 1, 1)
	all := []*peer{full, small, self, selfSmall}
	var asked atomic.Int32
	for _, p := range all {
		p.pc.OnNegotiationNeeded(func() { asked.Add(1) })
		eventually(t, "the hall's picture", func() bool { return p.tags("word")['H'] > 5 })
	}
	eventually(t, "the hall's sound", func() bool {
		return full.tags("hall-sound")['H'] > 5 && small.tags("programme")['H'] > 5
	})
	if n := full.tags("word"); n['a']+n['b'] > 0 {
		t.Fatalf("members without the word are seen: %v", n)
	}
	grant := func(person string, tag byte) {
		t.Helper()
		h.stage.SetWord(SourceID(person))
		if err := h.stage.Carry(person, true); err != nil {
			t.Fatal(err)
		}
		eventually(t, person+" is seen and heard", func() bool {
			return full.tags("word")[tag] > 5 && full.tags("voice-1")[tag] > 5 && small.tags("programme")[tag] > 5
		})
	}
	grant("anna", 'a')
	h.stage.SetWord("camera/wide")
	_ = h.stage.Carry("anna", false)
	grant("ben", 'b')
	_ = h.stage.Carry("ben", false)
	h.stage.SetWord("camera/wide")
	seen := full.tags("word")['H']
	eventually(t, "the hall is back", func() bool { return full.tags("word")['H'] > seen+5 })

	if n := self.tags("voice-1")['a']; n != 0 {
		t.Errorf("anna was sent %d packets of her own voice", n)
	}
	if n := selfSmall.tags("programme"); n['b'] != 0 || n['a'] == 0 || n['H'] == 0 {
		t.Errorf("ben's programme held %v, want hall and anna but not ben", n)
	}
	for _, slot := range []string{"word", "hall", "hall-sound", "voice-1"} {
		checkRun(t, "cem "+slot, full.packets(slot))
	}
	checkRun(t, "anna voice-1", self.packets("voice-1"))
	checkRun(t, "ben programme", selfSmall.packets("programme"))
	if n := asked.Load(); n != 0 {
		t.Errorf("%d renegotiations, want none", n)
	}
}

func TestLegsTellCiphers(t *testing.T) {
	h := newHouse(t, nil)
	feed(t, h.stage, "hall", stage.Audio, "", 'H')
	h.stage.SetHall("", "hall")
	pub := h.publish("anna", 'a')
	h.play("anna", 0, 1)
	h.waitLeg("sound goes to anna", func(l Leg) bool { return up("anna", Play)(l) && l.Audio })
	for _, d := range []Direction{Publish, Play} {
		leg := h.waitLeg("leg", up("anna", d))
		if leg.DTLS != "1.2" || leg.SRTP != "SRTP_AEAD_AES_256_GCM" ||
			(leg.Cipher != "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" && leg.Cipher != "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256") {
			t.Errorf("%s: negotiated %q %q %q", d, leg.DTLS, leg.Cipher, leg.SRTP)
		}
		t.Logf("%s: DTLS %s, %s, %s", d, leg.DTLS, leg.Cipher, leg.SRTP)
	}
	// When the publisher falls silent the leg says so.
	for _, stop := range pub.stops {
		stop()
	}
	eventually(t, "anna falls silent", func() bool {
		l := h.last("anna", Publish)
		return l.Up && !l.Audio && !l.Video
	})
}

func TestPeerLeaves(t *testing.T) {
	h := newHouse(t, nil)
	p := h.publish("anna", 'a')
	p.h.do("DELETE", p.location, "anna", "", nil)
	h.waitLeg("the end of the session", func(l Leg) bool { return l.Person == "anna" && l.Reason != "" && !l.Up })
	if res, _ := h.do("DELETE", p.location, "anna", "", nil); res.StatusCode != http.StatusNotFound {
		t.Errorf("a second DELETE was answered with %d", res.StatusCode)
	}
	q := h.publish("ben", 'b')
	if err := q.pc.Close(); err != nil {
		t.Fatal(err)
	}
	h.waitLeg("ben has hung up", func(l Leg) bool { return l.Person == "ben" && l.Reason == "the peer has left" })
	if len(h.host.Stats()) != 0 {
		t.Errorf("sessions are left: %+v", h.host.Stats())
	}
}

func TestRejoinReplaces(t *testing.T) {
	h := newHouse(t, nil)
	feed(t, h.stage, "camera/wide", stage.Video, "", 'H')
	h.stage.SetWord("member/anna")
	_ = h.stage.Carry("anna", true)
	viewer := h.play("cem", 1, 0)
	first := h.publish("anna", '1')
	eventually(t, "the first picture", func() bool { return viewer.tags("word")['1'] > 5 })
	h.publish("anna", '2')
	eventually(t, "the second picture", func() bool { return viewer.tags("word")['2'] > 5 })
	old := viewer.newest("word", '1')
	h.waitLeg("the old session is reported", func(l Leg) bool { return l.Session == 2 && l.Reason != "" })
	now := viewer.tags("word")['2']
	eventually(t, "more of the second", func() bool { return viewer.tags("word")['2'] > now+10 })
	if n := viewer.newest("word", '1'); n != old {
		t.Errorf("the replaced session still sent %d packets", n-old)
	}
	if res, _ := h.do("DELETE", first.location, "anna", "", nil); res.StatusCode != http.StatusNotFound {
		t.Errorf("the replaced session's URL answers %d", res.StatusCode)
	}
	if n := len(h.host.Stats()); n != 2 {
		t.Errorf("%d sessions, want 2", n)
	}
	checkRun(t, "word", viewer.packets("word"))
}

func TestWithdrawnLinkEndsItsSessions(t *testing.T) {
	h := newHouse(t, nil)
	gone := make(chan struct{})
	h.gone = gone
	h.publish("anna", 'a')
	h.play("anna", 1, 1)
	close(gone)
	for _, d := range []Direction{Publish, Play} {
		h.waitLeg("the end is reported", func(l Leg) bool { return l.Direction == d && l.Reason == "the link was withdrawn" })
	}
	if n := len(h.host.Stats()); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

// Two hall screens stand beside each other; a person is in one place.
func TestManyScreens(t *testing.T) {
	h := newHouse(t, nil)
	h.play("screen", 1, 0)
	h.play("screen", 1, 0)
	if n := len(h.host.Stats()); n != 2 {
		t.Errorf("%d screens play, want 2", n)
	}
}

func TestDisconnect(t *testing.T) {
	h := newHouse(t, nil)
	h.publish("anna", 'a')
	h.play("anna", 1, 1)
	h.host.Disconnect("anna", "removed by the chair")
	for _, d := range []Direction{Publish, Play} {
		h.waitLeg("the end is reported", func(l Leg) bool { return l.Direction == d && l.Reason == "removed by the chair" && !l.Up })
	}
	if len(h.host.Stats()) != 0 {
		t.Error("sessions are left")
	}
}

// A publisher's line goes dead without a word: the leg goes down.
func TestDeadLineIsNoticed(t *testing.T) {
	var dead atomic.Bool
	h := newHouse(t, func(o *Options) {
		o.Conn.(*tap).in = func([]byte, net.Addr) bool { return !dead.Load() }
	})
	h.publish("anna", 'a')
	dead.Store(true)
	eventually(t, "the leg is down", func() bool { l := h.last("anna", Publish); return !l.Up && !l.Audio && !l.Video })
	if l := h.last("anna", Publish); l.Reason != "" {
		t.Errorf("the session was given up at once: %q", l.Reason)
	}
	dead.Store(false)
	eventually(t, "the leg is up again", func() bool { return h.last("anna", Publish).Audio })
}

// A viewer that comes late need not wait for the next key frame.
func TestLateViewerGetsKeyFrame(t *testing.T) {
	h := newHouse(t, nil)
	feed(t, h.stage, "camera/wide", stage.Video, "", 'H')
	h.stage.SetHall("camera/wide", "")
	for i := range 3 {
		v := h.play(name(i), 2, 0)
		eventually(t, "a key frame for a late viewer", func() bool {
			for _, p := range v.packets("hall") {
				if len(p.Payload) > 4 && p.Payload[4]&1 == 0 {
					return true
				}
			}
			return false
		})
	}
}

// The player gets an estimate of its line and sender reports whose RTP time
// fits the packets, over a change of the source too.
func TestFiguresOfALine(t *testing.T) {
	h := newHouse(t, nil)
	feed(t, h.stage, "camera/wide", stage.Video, "", 'H')
	feed(t, h.stage, "camera/seat", stage.Video, "", 'S')
	h.stage.SetWord("camera/wide")
	v := h.play("cem", 1, 0)
	eventually(t, "an estimate of the line", func() bool {
		st := h.host.Stats()
		return len(st) == 1 && st[0].Estimate > 0 && st[0].Packets > 0
	})
	reports := func() []rtcp.SenderReport {
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.streams["word"] == nil {
			return nil
		}
		return v.streams["word"].reports
	}
	eventually(t, "a sender report", func() bool { return len(reports()) > 0 })
	h.stage.SetWord("camera/seat")
	eventually(t, "the other source", func() bool { return v.tags("word")['S'] > 0 })
	before := len(reports())
	eventually(t, "another sender report", func() bool { return len(reports()) > before })
	first, last := reports()[0], reports()[len(reports())-1]
	wall := float64(last.NTPTime-first.NTPTime) / (1 << 32)
	media := float64(int32(last.RTPTime-first.RTPTime)) / 90_000
	if d := wall - media; d > 0.3 || d < -0.3 {
		t.Errorf("between two reports %.3f s passed on the clock and %.3f s in the stream", wall, media)
	}
	t.Logf("estimate %d bit/s; %.3f s on the clock, %.3f s in the stream", h.host.Stats()[0].Estimate, wall, media)
}
