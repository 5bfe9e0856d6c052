package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/logging"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"plenum/device/config"
)

// tally is a peer's UDP socket. It counts what comes in, in the order in which the kernel hands it over.
type tally struct {
	net.PacketConn

	mu     sync.Mutex
	media  map[byte]int // datagrams of RTP by their payload type
	probes int          // marks wanted
	asked  string       // transaction of the check a mark waits for
	marked chan int
}

func openTally(t *testing.T) *tally {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	return &tally{PacketConn: conn, media: map[byte]int{}, marked: make(chan int, 1)}
}

func (y *tally) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := y.PacketConn.ReadFrom(b)
	y.mu.Lock()
	defer y.mu.Unlock()
	switch {
	case n >= 20 && binary.BigEndian.Uint16(b) == 0x0101 && y.asked == string(b[8:20]): // the answer to a check, RFC 8489
		y.asked = ""
		y.marked <- y.sum()
	case n >= 12 && b[0]>>6 == 2 && (b[1] < 192 || b[1] > 223): // RTP and not RTCP, RFC 5761
		y.media[b[1]&0x7f]++
	}
	return n, from, err
}

func (y *tally) WriteTo(b []byte, to net.Addr) (int, error) {
	y.mu.Lock()
	if y.probes > 0 && len(b) >= 20 && binary.BigEndian.Uint16(b) == 0x0001 {
		y.probes, y.asked = y.probes-1, string(b[8:20])
	}
	y.mu.Unlock()
	return y.PacketConn.WriteTo(b, to)
}

func (y *tally) sum() (n int) {
	for _, c := range y.media {
		n += c
	}
	return n
}

// kinds is how many kinds of media have come: each has a payload type of its own.
func (y *tally) kinds() int {
	y.mu.Lock()
	defer y.mu.Unlock()
	return len(y.media)
}

// mark is how much media had come when the box answered a check that was sent after the call. The box answers from the
// socket by which everything leaves, and loopback keeps the order: what is not counted was sent after the call.
func (y *tally) mark(t *testing.T) int {
	t.Helper()
	y.mu.Lock()
	y.probes = 1
	y.mu.Unlock()
	select {
	case n := <-y.marked:
		return n
	case <-time.After(2 * time.Minute):
		t.Fatal("the box does not answer the connection's checks")
		return 0
	}
}

// peer is somebody's connection by WHIP or WHEP.
type peer struct {
	*tally
	pc *webrtc.PeerConnection
}

func newPeer(t *testing.T) *peer {
	t.Helper()
	p := &peer{tally: openTally(t)}
	var se webrtc.SettingEngine
	se.LoggerFactory = &logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled}
	se.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_256_GCM)
	se.SetIncludeLoopbackCandidate(true)
	se.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	mux := webrtc.NewICEUDPMux(nil, p.tally)
	se.SetICEUDPMux(mux)
	se.SetICETimeouts(time.Minute, 2*time.Minute, 10*time.Millisecond) // marks wait for the checks
	var codecs webrtc.MediaEngine
	if err := codecs.RegisterDefaultCodecs(); err != nil {
		t.Fatal(err)
	}
	var err error
	p.pc, err = webrtc.NewAPI(webrtc.WithSettingEngine(se), webrtc.WithMediaEngine(&codecs)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.pc.GracefulClose() // the box may have ended it
		_ = mux.Close()
	})
	return p
}

// plays joins as a player of word, hall, the hall's sound and one voice, and returns when the connection stands.
func plays(t *testing.T, c config.Config, token string) *peer {
	t.Helper()
	p := newPeer(t)
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeAudio} {
		if _, err := p.pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
			t.Fatal(err)
		}
	}
	p.join(t, c, "/whep", token)
	return p
}

// publishes joins as a member whose camera and microphone send all the time. It counts what was sent.
func publishes(t *testing.T, c config.Config, token string) (sent *atomic.Int64) {
	t.Helper()
	p, sent := newPeer(t), &atomic.Int64{}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	t.Cleanup(func() { cancel(); wg.Wait() })
	for mime, payload := range map[string][]byte{webrtc.MimeTypeVP8: {0x10, 0x00, 'a'}, webrtc.MimeTypeOpus: {'a'}} { // every picture is a key frame
		track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime}, mime, "me")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for n := uint16(0); ; n++ {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				h := rtp.Header{Version: 2, SequenceNumber: n, Timestamp: uint32(n) * 960, Marker: true}
				_ = track.WriteRTP(&rtp.Packet{Header: h, Payload: payload}) // not connected yet, or no more
				sent.Add(1)
			}
		})
	}
	p.join(t, c, "/whip", token)
	return sent
}

func (p *peer) join(t *testing.T, c config.Config, path, token string) {
	t.Helper()
	up := make(chan struct{})
	p.pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			close(up)
		}
	})
	offer, err := p.pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(p.pc)
	if err := p.pc.SetLocalDescription(offer); err != nil {
		t.Fatal(err)
	}
	<-gathered
	answer := exchange(t, c, path, token, p.pc.LocalDescription().SDP)
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-up:
	case <-time.After(2 * time.Minute):
		t.Fatalf("%s: no connection", path)
	}
}

func exchange(t *testing.T, c config.Config, path, token, sdp string) string {
	t.Helper()
	pem, err := os.ReadFile(filepath.Join(c.Data, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+c.Listen+path, strings.NewReader(sdp))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/sdp")
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusCreated {
		t.Fatalf("%s: %s %s %v", path, res.Status, body, err)
	}
	return string(body)
}
