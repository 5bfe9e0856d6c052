package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/elliptic"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
)

// listener plays the sitting by WHEP and counts what it gets, line by line.
type listener struct {
	pc *webrtc.PeerConnection

	mu       sync.Mutex
	packets  map[string]int       // by line: "video0" word, "video1" hall, "audio0" hall, "audio1" and on: voices
	last     map[string]time.Time // when the last one came
	keys     map[string]int       // key frames
	size     map[string]string    // picture of the last key frame
	brokenBy string               // first gap in the numbers
}

// listen joins with a member's token and the given number of voice lines.
func (d *demo) listen(token string, voices int) *listener {
	d.t.Helper()
	var se webrtc.SettingEngine
	se.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AEAD_AES_128_GCM)
	se.SetDTLSEllipticCurves(elliptic.P256, elliptic.P384)
	se.SetIncludeLoopbackCandidate(true)
	var media webrtc.MediaEngine
	if err := media.RegisterDefaultCodecs(); err != nil {
		d.t.Fatal(err)
	}
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(se), webrtc.WithMediaEngine(&media)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = pc.GracefulClose() })
	l := &listener{pc: pc, packets: map[string]int{}, last: map[string]time.Time{}, keys: map[string]int{}, size: map[string]string{}}
	lines := map[*webrtc.RTPReceiver]string{}
	for i := range 2 {
		lines[l.line(d.t, webrtc.RTPCodecTypeVideo)] = fmt.Sprintf("video%d", i)
	}
	for i := range 1 + voices {
		lines[l.line(d.t, webrtc.RTPCodecTypeAudio)] = fmt.Sprintf("audio%d", i)
	}
	pc.OnTrack(func(track *webrtc.TrackRemote, r *webrtc.RTPReceiver) { l.count(lines[r], track) })
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		d.t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(offer); err != nil {
		d.t.Fatal(err)
	}
	<-gathered
	answer := d.post(d.WHEP, token, pc.LocalDescription().SDP)
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		d.t.Fatal(err)
	}
	return l
}

func (l *listener) line(t *testing.T, kind webrtc.RTPCodecType) *webrtc.RTPReceiver {
	t.Helper()
	tr, err := l.pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
	if err != nil {
		t.Fatal(err)
	}
	return tr.Receiver()
}

func (d *demo) post(url, token, sdp string) string {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, url, strings.NewReader(sdp))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/sdp")
	client := http.Client{Transport: &http.Transport{TLSClientConfig: d.trusting()}, Timeout: 10 * time.Second}
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

// count reads one line for ever. Gaps in a line's numbers are told: to a listener a slot is one stream.
func (l *listener) count(line string, track *webrtc.TrackRemote) {
	last := -1
	for {
		p, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		l.mu.Lock()
		if last >= 0 && p.SequenceNumber != uint16(last)+1 && l.brokenBy == "" {
			l.brokenBy = fmt.Sprintf("%s: %d after %d", line, p.SequenceNumber, last)
		}
		last = int(p.SequenceNumber)
		l.packets[line]++
		l.last[line] = time.Now()
		l.look(line, p)
		l.mu.Unlock()
	}
}

// look notes key frames and their size (RFC 7741, RFC 6386 9.1).
func (l *listener) look(line string, p *rtp.Packet) {
	var vp8 codecs.VP8Packet
	if line[0] != 'v' || len(p.Payload) < 2 {
		return
	}
	frame, err := vp8.Unmarshal(p.Payload)
	if err != nil || vp8.S != 1 || vp8.PID != 0 || len(frame) < 10 || frame[0]&1 != 0 {
		return
	}
	l.keys[line]++
	l.size[line] = fmt.Sprintf("%dx%d", int(frame[6])|int(frame[7]&0x3f)<<8, int(frame[8])|int(frame[9]&0x3f)<<8)
}

// heard is how many packets came on a line.
func (l *listener) heard(line string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.packets[line]
}

// voices is how many packets came on all voice lines together.
func (l *listener) voices() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for line, c := range l.packets {
		if strings.HasPrefix(line, "audio") && line != "audio0" {
			n += c
		}
	}
	return n
}

func (l *listener) picture(line string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.size[line]
}
