package e2e

import (
	"errors"
	"fmt"
	"image"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/elliptic"
	"github.com/pion/logging"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// listener plays the sitting by WHEP and counts what it gets, line by line: "video0" word, "video1" hall, "audio0" hall,
// "audio1" and on: voices.
type listener struct {
	t      *testing.T
	pc     *webrtc.PeerConnection
	socket *socket
	ssrc   map[string]uint32 // of each line, from the answer
	box    int               // the box's port
	before int               // what the kernel had dropped before we came

	mu       sync.Mutex
	packets  map[string]int // what came out decrypted
	pictures map[string]*image.YCbCr
	unread   error // a key frame that came whole and cannot be decoded
}

// listen joins with a member's token and the given number of voice lines.
func (d *demo) listen(token string, voices int) *listener {
	d.t.Helper()
	l := &listener{t: d.t, ssrc: map[string]uint32{}, packets: map[string]int{}, pictures: map[string]*image.YCbCr{}}
	var err error
	if l.socket, err = openSocket(); err != nil {
		d.t.Fatal(err)
	}
	if whep, err := url.Parse(d.WHEP); err == nil {
		l.box, _ = strconv.Atoi(whep.Port())
	}
	l.before = lost(l.socket.port(), l.box)
	l.pc = l.connection()
	names := map[*webrtc.RTPReceiver]string{}
	for i := range 2 {
		names[l.line(webrtc.RTPCodecTypeVideo)] = fmt.Sprintf("video%d", i)
	}
	for i := range 1 + voices {
		names[l.line(webrtc.RTPCodecTypeAudio)] = fmt.Sprintf("audio%d", i)
	}
	l.pc.OnTrack(func(track *webrtc.TrackRemote, r *webrtc.RTPReceiver) { l.play(names[r], track) })
	offer, err := l.pc.CreateOffer(nil)
	if err != nil {
		d.t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(l.pc)
	if err := l.pc.SetLocalDescription(offer); err != nil {
		d.t.Fatal(err)
	}
	<-gathered
	answer := d.post(d.WHEP, token, l.pc.LocalDescription().SDP)
	l.learn(answer)
	if err := l.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		d.t.Fatal(err)
	}
	return l
}

// connection is a peer connection by the house's crypto profile that leaves by the one socket.
func (l *listener) connection() *webrtc.PeerConnection {
	l.t.Helper()
	var se webrtc.SettingEngine
	se.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AEAD_AES_128_GCM)
	se.SetDTLSEllipticCurves(elliptic.P256, elliptic.P384)
	se.SetIncludeLoopbackCandidate(true)
	se.LoggerFactory = &logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled}
	se.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	mux := webrtc.NewICEUDPMux(nil, l.socket)
	se.SetICEUDPMux(mux)
	// A machine that is busy for a while is no lost connection. The checks are what socket.mark waits for, so they are close.
	se.SetICETimeouts(patience, 2*patience, 10*time.Millisecond)
	var media webrtc.MediaEngine
	if err := media.RegisterDefaultCodecs(); err != nil {
		l.t.Fatal(err)
	}
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(se), webrtc.WithMediaEngine(&media)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		l.keep()
		_ = pc.GracefulClose()
		_ = mux.Close()
	})
	return pc
}

func (l *listener) line(kind webrtc.RTPCodecType) *webrtc.RTPReceiver {
	l.t.Helper()
	tr, err := l.pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
	if err != nil {
		l.t.Fatal(err)
	}
	return tr.Receiver()
}

// learn reads from the answer under which SSRC each line will come. The first one named is the line's own, the other
// one that of retransmissions.
func (l *listener) learn(answer string) {
	l.t.Helper()
	var desc sdp.SessionDescription
	if err := desc.UnmarshalString(answer); err != nil {
		l.t.Fatal(err)
	}
	count := map[string]int{}
	for _, m := range desc.MediaDescriptions {
		kind := m.MediaName.Media
		name := fmt.Sprintf("%s%d", kind, count[kind])
		count[kind]++
		for _, a := range m.Attributes {
			if id, _, ok := strings.Cut(a.Value, " "); ok && a.Key == "ssrc" && l.ssrc[name] == 0 {
				n, _ := strconv.ParseUint(id, 10, 32)
				l.ssrc[name] = uint32(n)
			}
		}
		if l.ssrc[name] == 0 {
			l.t.Fatalf("the answer names no SSRC for %s:\n%s", name, answer)
		}
	}
}

func (d *demo) post(url, token, sdp string) string {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, url, strings.NewReader(sdp))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/sdp")
	client := http.Client{Transport: &http.Transport{TLSClientConfig: d.trusting()}, Timeout: patience}
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusCreated {
		d.t.Fatalf("%s: %s %s %v", url, res.Status, body, err)
	}
	return string(body)
}

// play reads one line for ever, and decodes its key frames.
func (l *listener) play(line string, track *webrtc.TrackRemote) {
	var e eye
	for {
		p, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		var img *image.YCbCr
		if track.Codec().MimeType == webrtc.MimeTypeVP8 {
			if img, err = e.see(p); err != nil {
				err = fmt.Errorf("%s: %w", line, err)
			}
		}
		l.mu.Lock()
		l.unread = errors.Join(l.unread, err)
		l.packets[line]++
		if img != nil {
			l.pictures[line] = img
		}
		l.mu.Unlock()
	}
}

// heard is how many packets came on a line and could be decrypted.
func (l *listener) heard(line string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.packets[line]
}

// voices is how many packets came on all voice lines together and could be decrypted.
func (l *listener) voices() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for line, c := range l.packets {
		if isVoice(line) {
			n += c
		}
	}
	return n
}

func isVoice(line string) bool { return strings.HasPrefix(line, "audio") && line != "audio0" }

// mark draws a line under what has come, see socket.mark.
func (l *listener) mark() snapshot {
	l.t.Helper()
	limit := make(chan struct{})
	timer := time.AfterFunc(patience, func() { close(limit) })
	defer timer.Stop()
	s := l.socket.mark(limit)
	if s == nil {
		l.t.Fatalf("the box does not answer the connection's checks within %v", patience)
	}
	return s
}

// voicesIn is how many packets had come on all voice lines together.
func (l *listener) voicesIn(s snapshot) int {
	n := 0
	for line, ssrc := range l.ssrc {
		if isVoice(line) {
			n += s[ssrc].packets
		}
	}
	return n
}

// goesOn waits until n more packets have come on a line than in the snapshot: the way is alive.
func (l *listener) goesOn(line string, since snapshot, n int) {
	l.t.Helper()
	ssrc := l.ssrc[line]
	eventually(l.t, fmt.Sprintf("%d more packets on %s", n, line), func() bool {
		return l.socket.now()[ssrc].packets >= since[ssrc].packets+n
	})
}

// broken says what is wrong with the numbers of a line: to a listener a slot is one stream, whoever stands in it. What
// the kernel says it has dropped is not the box's doing.
func (l *listener) broken() string {
	s, holes, faults := l.mark(), 0, ""
	dropped := lost(l.socket.port(), l.box) - l.before
	for line, ssrc := range l.ssrc {
		st := s[ssrc]
		holes += len(st.holes)
		if f := st.fault(); f != "" && (st.twice > 0 || holes > dropped) {
			faults += fmt.Sprintf("%s: %s; the kernel has dropped %d datagrams\n", line, f, dropped)
		}
	}
	return faults
}
