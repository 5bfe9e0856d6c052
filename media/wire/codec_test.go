package wire

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"plenum/media/stage"
)

// onlyVP8 is a player without H.264.
func onlyVP8(media *webrtc.MediaEngine) error { return codecs(media, Publish) }

// logged collects what is logged.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logged) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), what)
}

// codecOf names the codec of each payload type in the answer's line, "rtx of CODEC" for its retransmission.
func (p *peer) codecOf(line int) map[uint8]string {
	p.t.Helper()
	var d sdp.SessionDescription
	if err := d.UnmarshalString(p.pc.RemoteDescription().SDP); err != nil {
		p.t.Fatal(err)
	}
	m := d.MediaDescriptions[line]
	names, out := map[string]string{}, map[uint8]string{}
	for _, a := range m.Attributes {
		if pt, name, ok := strings.Cut(a.Value, " "); ok && a.Key == "rtpmap" {
			names[pt], _, _ = strings.Cut(name, "/")
		}
	}
	for _, a := range m.Attributes {
		if pt, apt, ok := strings.Cut(a.Value, " apt="); ok && a.Key == "fmtp" {
			names[pt] = "rtx of " + names[apt]
		}
	}
	for _, pt := range m.MediaName.Formats {
		var n uint8
		if _, err := fmt.Sscan(pt, &n); err != nil {
			p.t.Fatal(err)
		}
		out[n] = names[pt]
	}
	return out
}

// told returns the figures of a person's leg.
func (h *house) told(person string) LegStats {
	for _, st := range h.host.Stats() {
		if st.Person == person {
			return st
		}
	}
	return LegStats{}
}

// A slot goes from a member's VP8 to the hall camera's H.264 and back. A player
// of both sees both without a new offer, one of VP8 alone sees the member only,
// and the box says so. No number is used for two packets, nor left out.
func TestSlotChangesItsCodec(t *testing.T) {
	log := &logged{}
	sent := &socketPairs{seen: map[[6]byte]string{}}
	h := newHouse(t, func(o *Options) {
		o.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		o.Conn.(*tap).out = sent.see
	})
	feedCodec(t, h.stage, "camera/wide", stage.Video, "", stage.H264, 'H')
	h.publish("anna", 'a')
	_ = h.stage.Carry("anna", true)
	both, one := h.play("cem", 1, 1), h.playWith("dora", 1, 1, onlyVP8)
	var asked atomic.Int32
	both.pc.OnNegotiationNeeded(func() { asked.Add(1) })
	for round := range 3 {
		a := both.tags("word")['a']
		h.stage.SetWord(SourceID("anna"))
		eventually(t, "anna's picture for both", func() bool {
			return both.tags("word")['a'] > a+10 && one.tags("word")['a'] > 10*(round+1)
		})
		eventually(t, "nothing is missing", func() bool { return h.told("dora").Missing == "" })
		before := h.told("dora").Resent
		one.nackAll("word")
		eventually(t, "dora is sent anna's packets again", func() bool { return h.told("dora").Resent > before })

		n, left := both.tags("word")['H'], h.told("dora").LeftOut
		h.stage.SetWord("camera/wide")
		eventually(t, "the hall's picture", func() bool { return both.tags("word")['H'] > n+10 })
		eventually(t, "what is missing is told", func() bool {
			st := h.told("dora")
			return st.Missing == "H264" && st.LeftOut > left+10 && h.last("dora", Play).Missing == "H264"
		})
		before = h.told("cem").Resent
		both.nackAll("word")
		eventually(t, "cem is sent both again", func() bool { return h.told("cem").Resent > before+10 })
	}
	if n := one.tags("word")['H']; n != 0 {
		t.Errorf("a player without H.264 was sent %d packets of it", n)
	}
	if st := h.told("cem"); st.LeftOut != 0 || st.Missing != "" {
		t.Errorf("a player of both misses %q, %d packets", st.Missing, st.LeftOut)
	}
	if n := log.count("person=dora"); n != 1 || log.count("codec=H264") != 1 {
		t.Errorf("logged %d times that dora has no H.264, want once", n)
	}
	checkRun(t, "cem", both.packets("word"))
	checkRun(t, "dora", one.packets("word"))
	if n := asked.Load(); n != 0 {
		t.Errorf("%d renegotiations, want none", n)
	}
	checkPayloadTypes(t, both, sent)
	if n := sent.differ.Load(); n != 0 {
		t.Errorf("%d numbers were used for two different datagrams", n)
	}
}

// checkPayloadTypes fails unless each packet came under a payload type of its
// codec, and each codec was sent again under one of its own.
func checkPayloadTypes(t *testing.T, p *peer, sent *socketPairs) {
	t.Helper()
	codec, first := p.codecOf(0), map[uint16]bool{}
	for _, g := range p.packets("word") {
		if first[g.SequenceNumber] { // pion gives what came again the newest packet's payload type
			continue
		}
		first[g.SequenceNumber] = true
		want := map[byte]string{'a': "VP8", 'H': "H264"}[g.Payload[len(g.Payload)-5]]
		if got := codec[g.PayloadType]; got != want {
			t.Fatalf("a packet of %s came as %q (%d)", want, got, g.PayloadType)
		}
	}
	var again []string
	for pt := range sent.types(func(ssrc uint32) bool { return ssrc != p.ssrc("word") }) {
		again = append(again, codec[pt])
	}
	for _, want := range []string{"rtx of VP8", "rtx of H264"} {
		if !slices.Contains(again, want) {
			t.Errorf("nothing was sent again as %s, only %q", want, again)
		}
	}
}

// socketPairs looks at the RTP headers that leave, which are not encrypted.
type socketPairs struct {
	mu     sync.Mutex
	seen   map[[6]byte]string // SSRC and sequence number -> datagram
	pts    map[uint32]map[uint8]bool
	differ atomic.Int32
}

func (c *socketPairs) see(b []byte) {
	ssrc, ok := rtpSSRC(b)
	if !ok {
		return
	}
	key := [6]byte(append(slices.Clone(b[8:12]), b[2:4]...))
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.seen[key]; ok && old != string(b) {
		c.differ.Add(1)
	}
	c.seen[key] = string(b)
	if c.pts == nil {
		c.pts = map[uint32]map[uint8]bool{}
	}
	if c.pts[ssrc] == nil {
		c.pts[ssrc] = map[uint8]bool{}
	}
	c.pts[ssrc][b[1]&0x7f] = true
}

// types returns the payload types that went out on the streams that are meant.
func (c *socketPairs) types(meant func(ssrc uint32) bool) map[uint8]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[uint8]bool{}
	for ssrc, pts := range c.pts {
		for pt := range pts {
			out[pt] = out[pt] || meant(ssrc)
		}
	}
	return out
}

// speaks registers VP8 and the given H.264 formats, each with retransmission.
func speaks(fmtps ...string) func(*webrtc.MediaEngine) error {
	return func(media *webrtc.MediaEngine) error {
		err := codecs(media, Publish)
		for i, f := range fmtps {
			err = errors.Join(err, picture(media, webrtc.MimeTypeH264, f, webrtc.PayloadType(35+2*i)))
		}
		return err
	}
}

// What is answered to an offer of H.264, and which payload type is used.
func TestAnswerToH264(t *testing.T) {
	const mode1 = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id="
	for _, tc := range []struct {
		name  string
		offer []string
		want  []int // payload types of H.264 in the answer
		used  uint8
	}{
		{"none", nil, nil, 0},
		{"constrained baseline", []string{mode1 + "42e01f"}, []int{35}, 35},
		{"any level", []string{mode1 + "42e034"}, []int{35}, 35},
		{"capitals", []string{"profile-level-id=42E01F;packetization-mode=1"}, []int{35}, 35},
		{"as Chromium", []string{mode1 + "42001f", "packetization-mode=0;profile-level-id=42001f", mode1 + "42e01f", mode1 + "4d001f", mode1 + "64001f"},
			[]int{35, 39, 41, 43}, 43},
		{"as Safari", []string{mode1 + "640c1f", mode1 + "42e01f"}, []int{35, 37}, 35},
		{"as x264", []string{mode1 + "42c014", mode1 + "4d4014"}, []int{35, 37}, 37},
		{"high of 4:4:4", []string{mode1 + "f4001f", mode1 + "4d001f"}, []int{37}, 37},
		{"single unit mode", []string{"packetization-mode=0;profile-level-id=42e01f", "profile-level-id=42e01f"}, nil, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHouse(t, nil)
			p := h.playWith("cem", 1, 0, speaks(tc.offer...))
			var got []int
			answered := p.codecOf(0)
			for pt, name := range answered {
				if name == "H264" {
					got = append(got, int(pt))
					if answered[pt+1] != "rtx of H264" {
						t.Errorf("payload type %d has no retransmission", pt)
					}
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, tc.want) {
				t.Errorf("answered with %v, want %v", got, tc.want)
			}
			tr := h.host.all()[0].tracks[0]
			if f, ok := tr.format(uint8(stage.H264)); ok != (tc.used != 0) || f.pt != tc.used || (ok && f.rtxPT != tc.used+1) {
				t.Errorf("used is %+v, want %d", f, tc.used)
			}
			if f, ok := tr.format(uint8(stage.VP8)); !ok || answered[f.pt] != "VP8" || answered[f.rtxPT] != "rtx of VP8" {
				t.Errorf("VP8 goes out as %+v of %v", f, answered)
			}
		})
	}
}

// H.264 that only one media line offers is not answered on the other, whichever it is.
func TestH264OnOneLine(t *testing.T) {
	for line := range 2 {
		h := newHouse(t, nil)
		feedCodec(t, h.stage, "camera/wide", stage.Video, "", stage.H264, 'H')
		h.stage.SetWord("camera/wide")
		h.stage.SetHall("camera/wide", "")
		p := h.newPeer("cem", nil)
		p.recv(2, 0)
		tr := p.pc.GetTransceivers()[line]
		if err := tr.SetCodecPreferences([]webrtc.RTPCodecParameters{
			{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90_000}, PayloadType: 96},
		}); err != nil {
			t.Fatal(err)
		}
		if status := p.ask("/whep"); status != http.StatusCreated {
			t.Fatalf("answered %d", status)
		}
		for pt, name := range p.codecOf(line) {
			if strings.HasSuffix(name, "H264") {
				t.Errorf("line %d offers no H.264 and is answered %s as %d", line, name, pt)
			}
		}
		eventually(t, "what is missing is told", func() bool { return h.told("cem").Missing == "H264" })
	}
}

// A publisher is answered VP8, whatever else it offers.
func TestPublishersSendVP8(t *testing.T) {
	h := newHouse(t, nil)
	p := h.publish("anna", 'a')
	for pt, name := range p.codecOf(0) {
		if name != "VP8" && name != "rtx of VP8" {
			t.Errorf("payload type %d is %s", pt, name)
		}
	}
}

// However runs of packets come and go, numbers are used once and close up, and
// only packets with the number they had are found again.
func TestNumbering(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 2))
		var n numbering
		given := map[uint16]uint16{} // the slot's number -> the player's, of the last 2^14
		in, last, begun := uint16(r.Uint32()), uint16(0), false
		for run := range 400 {
			length, out := r.IntN(300), r.IntN(2) == 0
			if r.IntN(20) == 0 {
				length += 40_000 // would derail SRTP
			}
			for range length {
				in++
				if out {
					n.leaveOut()
					continue
				}
				got := n.place(in)
				if begun && got != last+1 {
					t.Fatalf("seed %d: %d after %d", seed, got, last)
				}
				last, begun, given[in] = got, true, got
				delete(given, in-maxStretch)
			}
			checkNewest(t, &n, last)
			if run%8 == 0 { // of all numbers there are: 33000 questions
				checkAgain(t, &n, given)
			}
		}
	}
}

func checkAgain(t *testing.T, n *numbering, given map[uint16]uint16) {
	t.Helper()
	found := 0
	for seq := range uint16(1 << 15) {
		if out, ok := n.again(seq * 2); ok {
			found++
			if given[seq*2] != out {
				t.Fatalf("slot's number %d went out as %d, again as %d", seq*2, given[seq*2], out)
			}
		}
	}
	if found > maxStretch {
		t.Fatalf("%d packets are found again", found)
	}
}

func checkNewest(t *testing.T, n *numbering, last uint16) {
	t.Helper()
	if ask := []uint16{last}; n.begun {
		n.ofSlot(ask)
		if out, ok := n.again(ask[0]); !ok || out != last {
			t.Fatalf("the newest packet, %d, is not found again: %d, %v", last, out, ok)
		}
	}
}

// Holes and packets that come late keep their places.
func TestNumberingOfLatePackets(t *testing.T) {
	var n numbering
	var got []uint16
	for _, seq := range []uint16{100, 101, 104, 103} {
		got = append(got, n.place(seq))
	}
	for range 500 {
		n.leaveOut()
	}
	for _, seq := range []uint16{605, 608, 607} {
		got = append(got, n.place(seq))
	}
	if want := []uint16{100, 101, 104, 103, 105, 108, 107}; !slices.Equal(got, want) {
		t.Errorf("numbers %v, want %v", got, want)
	}
	for seq, want := range map[uint16]bool{104: false, 500: false, 605: true, 606: true, 608: true, 609: false} {
		if _, ok := n.again(seq); ok != want {
			t.Errorf("%d is found again: %v, want %v", seq, ok, want)
		}
	}
}
