package wire

import (
	"crypto/fips140"
	"encoding/binary"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/elliptic"
	"github.com/pion/webrtc/v4"

	"plenum/media/stage"
)

func TestWeakPeersAreRefused(t *testing.T) {
	weak := []struct {
		name   string
		change func(*webrtc.SettingEngine)
	}{
		{"AES128_CM_HMAC_SHA1_80 only", func(se *webrtc.SettingEngine) { se.SetSRTPProtectionProfiles(dtls.SRTP_AES128_CM_HMAC_SHA1_80) }},
		{"ChaCha20 only", func(se *webrtc.SettingEngine) {
			se.SetDTLSCipherSuites(dtls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256)
		}},
		{"CBC only", func(se *webrtc.SettingEngine) { se.SetDTLSCipherSuites(dtls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA) }},
		{"X25519 only", func(se *webrtc.SettingEngine) { se.SetDTLSEllipticCurves(elliptic.X25519) }},
		{"no extended master secret", func(se *webrtc.SettingEngine) {
			se.SetDTLSExtendedMasterSecret(dtls.DisableExtendedMasterSecret)
		}},
	}
	for _, role := range []webrtc.DTLSRole{webrtc.DTLSRoleServer, webrtc.DTLSRoleClient} {
		for _, tc := range weak {
			t.Run("we are "+role.String()+"/"+tc.name, func(t *testing.T) {
				h := newHouse(t, withRole(role))
				p := h.newPeer("weak", tc.change)
				p.send(stage.Video, 'w')
				if status := p.ask("/whip"); status != http.StatusCreated {
					t.Fatalf("the offer was answered with %d", status)
				}
				leg := h.waitLeg("the refusal", func(l Leg) bool { return l.Person == "weak" && l.Reason != "" })
				if !strings.HasPrefix(leg.Reason, "refused") {
					t.Errorf("reported as %q", leg.Reason)
				}
				if l, ok := h.seen(func(l Leg) bool { return l.Up }); ok {
					t.Errorf("the leg was up: %+v", l)
				}
			})
		}
	}
}

func withRole(role webrtc.DTLSRole) func(*Options) {
	return func(o *Options) {
		p := DefaultProfile()
		p.Answer = role
		o.Profile = &p
	}
}

func TestStrongPeersConnect(t *testing.T) {
	strong := []struct {
		name   string
		change func(*webrtc.SettingEngine)
		srtp   string
	}{
		{"pion's defaults", nil, "SRTP_AEAD_AES_256_GCM"},
		{"128 only", func(se *webrtc.SettingEngine) {
			se.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM)
			se.SetDTLSCipherSuites(dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256)
		}, "SRTP_AEAD_AES_128_GCM"},
		{"P-384 only", func(se *webrtc.SettingEngine) { se.SetDTLSEllipticCurves(elliptic.P384) }, "SRTP_AEAD_AES_256_GCM"},
		{"weak first", func(se *webrtc.SettingEngine) {
			se.SetSRTPProtectionProfiles(dtls.SRTP_AES128_CM_HMAC_SHA1_80, dtls.SRTP_AEAD_AES_128_GCM)
		}, "SRTP_AEAD_AES_128_GCM"},
		{"answering side only", func(se *webrtc.SettingEngine) { _ = se.SetAnsweringDTLSRole(webrtc.DTLSRoleServer) }, "SRTP_AEAD_AES_256_GCM"},
	}
	for _, role := range []webrtc.DTLSRole{webrtc.DTLSRoleServer, webrtc.DTLSRoleClient} {
		for _, tc := range strong {
			t.Run("we are "+role.String()+"/"+tc.name, func(t *testing.T) {
				h := newHouse(t, withRole(role))
				p := h.newPeer("strong", tc.change)
				p.send(stage.Video, 's')
				p.ask("/whip")
				leg := h.waitLeg("the leg", up("strong", Publish))
				if leg.SRTP != tc.srtp || leg.DTLS != "1.2" || !strings.Contains(leg.Cipher, "GCM") {
					t.Errorf("negotiated %q %q %q", leg.DTLS, leg.Cipher, leg.SRTP)
				}
			})
		}
	}
}

func TestWeakProfilesAreRefused(t *testing.T) {
	for name, change := range map[string]func(*Profile){
		"SRTP with HMAC-SHA1": func(p *Profile) { p.SRTP = append(p.SRTP, dtls.SRTP_AES128_CM_HMAC_SHA1_80) },
		"no SRTP profile":     func(p *Profile) { p.SRTP = nil },
		"CBC suite":           func(p *Profile) { p.Suites = append(p.Suites, dtls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA) },
		"X25519":              func(p *Profile) { p.Curves = append(p.Curves, elliptic.X25519) },
		"replay window":       func(p *Profile) { p.ReplaySRTCP = 64 },
		"no role":             func(p *Profile) { p.Answer = webrtc.DTLSRoleAuto },
	} {
		p := DefaultProfile()
		change(&p)
		if _, err := New(Options{Listen: loopback(), Profile: &p, Stage: newHouse(t, nil).stage}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestCertificateOutlivesTheBox(t *testing.T) {
	cert, err := newCertificate()
	if err != nil {
		t.Fatal(err)
	}
	if cert.Expires().Before(time.Now().AddDate(100, 0, 0)) {
		t.Errorf("the certificate expires on %v and no session could be opened after that", cert.Expires())
	}
}

// catcher keeps the RTP datagrams that come in and holds one back on demand.
type catcher struct {
	mu    sync.Mutex
	taken []datagram
	hold  bool
	held  *datagram
}

func (c *catcher) see(b []byte, from net.Addr) bool {
	if _, ok := rtpSSRC(b); !ok {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	d := datagram{slices.Clone(b), from}
	if c.hold && c.held == nil {
		c.held = &d
		return false
	}
	c.taken = append(c.taken, d)
	return true
}

// holdOne holds the next packet back and waits for it.
func (c *catcher) holdOne(t *testing.T) {
	c.mu.Lock()
	c.hold = true
	c.mu.Unlock()
	eventually(t, "a packet held back", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.held != nil
	})
}

// replay has the host read a datagram 1000 times, then one packet more of its sender p, and returns how many of the 1000
// it took: when that packet has come to a listener, all that was read before it has been decided.
func (h *house) replay(d datagram, p, listener *peer) uint64 {
	h.t.Helper()
	before, marks := h.told(p.person).Packets, listener.tags("programme")['m']
	for range 1000 {
		h.tap.inject <- d
	}
	wake, err := net.Dial("udp4", h.host.Addr().String())
	if err != nil {
		h.t.Fatal(err)
	}
	defer wake.Close()
	eventually(h.t, "the replay is read", func() bool {
		_, _ = wake.Write([]byte("wake")) // ends the read the host waits in
		return len(h.tap.inject) == 0
	})
	p.mark('m')
	eventually(h.t, "the packet after the replay", func() bool { return listener.tags("programme")['m'] > marks })
	return h.told(p.person).Packets - before - 1
}

// A captured datagram that is sent again is not taken, a datagram that was held
// back is taken once: so the injection works and the refusal is a refusal.
func TestReplayIsRejected(t *testing.T) {
	c := &catcher{}
	h := newHouse(t, func(o *Options) { o.Conn.(*tap).in = c.see })
	p := h.newPeer("anna", nil)
	p.send(stage.Audio, 'a') // nobody asks for a missing sound packet
	p.ask("/whip")
	packets := func() uint64 { return h.told("anna").Packets }
	h.waitLeg("anna", up("anna", Publish))
	listener := h.play("cem", 0, 1)
	if err := h.stage.Carry("anna", true); err != nil {
		t.Fatal(err)
	}
	eventually(t, "some packets", func() bool { return packets() > 30 })
	c.holdOne(t)
	seen := packets()
	eventually(t, "more packets", func() bool { return packets() > seen+10 })
	p.stops[0]()
	eventually(t, "all that was sent is counted", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		newest := c.taken[len(c.taken)-1].data
		return uint32(binary.BigEndian.Uint16(newest[2:])) == p.sent.Load() && packets() == uint64(len(c.taken))
	})
	c.mu.Lock()
	oldest, newest, held := c.taken[0], c.taken[len(c.taken)-1], *c.held
	c.mu.Unlock()
	for _, tc := range []struct {
		what string
		d    datagram
		want uint64
	}{{"the newest packet", newest, 0}, {"the oldest packet", oldest, 0}, {"a packet that had been held back", held, 1}} {
		if n := h.replay(tc.d, p, listener); n != tc.want {
			t.Errorf("%s, sent 1000 times, was taken %d times, want %d", tc.what, n, tc.want)
		}
	}
}

// The forwarder works with Go's FIPS 140-3 module in mode on: the test runs
// itself again with it.
func TestFIPSModeOn(t *testing.T) {
	if fips140.Enabled() {
		h := newHouse(t, nil)
		h.publish("anna", 'a')
		h.play("anna", 2, 3)
		return
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestFIPSModeOn$", "-test.v")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=on")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestFIPSModeOn") {
		t.Errorf("with GODEBUG=fips140=on: %v\n%s", err, out)
	}
}
