//go:build lab

package lab_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"image"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/elliptic"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
	"golang.org/x/image/vp8"

	"plenum/media/capture"
	"plenum/media/codec"
	"plenum/test/lab"
)

// peer is a remote member on the host: it plays the sitting, decodes what it gets, and can publish.
type peer struct {
	t     *testing.T
	base  string // https://host:port
	token string
	http  *http.Client
	play  *webrtc.PeerConnection

	mu       sync.Mutex
	pictures map[string]image.Image // the last key frame of "video0" word, "video1" hall
	keys     map[string]int
	packets  map[string]int
	sound    map[string][]int16 // the last second of "audio0" hall
}

func newPeer(t *testing.T, base, token string, ca []byte) *peer {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		t.Fatal("the box gave no CA")
	}
	return &peer{t: t, base: base, token: token, pictures: map[string]image.Image{}, keys: map[string]int{}, packets: map[string]int{}, sound: map[string][]int16{},
		http: &http.Client{Timeout: lab.Patience, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}}
}

// connection is a peer connection by the house's crypto profile.
func (p *peer) connection() *webrtc.PeerConnection {
	p.t.Helper()
	var se webrtc.SettingEngine
	se.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM)
	se.SetDTLSEllipticCurves(elliptic.P256)
	// One socket a connection, and that on loopback: QEMU's network loses its way between several.
	se.SetIncludeLoopbackCandidate(true)
	se.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() })
	se.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	var media webrtc.MediaEngine
	if err := media.RegisterDefaultCodecs(); err != nil {
		p.t.Fatal(err)
	}
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(se), webrtc.WithMediaEngine(&media)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = pc.GracefulClose() })
	return pc
}

// exchange posts the connection's offer and takes the answer.
func (p *peer) exchange(path string, pc *webrtc.PeerConnection) {
	p.t.Helper()
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(offer); err != nil {
		p.t.Fatal(err)
	}
	<-gathered
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.base+path, strings.NewReader(pc.LocalDescription().SDP))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	req.Header.Set("Content-Type", "application/sdp")
	res, err := p.http.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusCreated {
		p.t.Fatalf("%s: %s %s %v", path, res.Status, answer, err)
	}
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: string(answer)}); err != nil {
		p.t.Fatal(err)
	}
}

// listen plays word, hall and the hall's sound.
func (p *peer) listen() {
	p.t.Helper()
	p.play = p.connection()
	lines := map[*webrtc.RTPReceiver]string{}
	for i, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeAudio} {
		tr, err := p.play.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
		if err != nil {
			p.t.Fatal(err)
		}
		lines[tr.Receiver()] = fmt.Sprintf("%s%d", kind, i%2)
	}
	p.play.OnTrack(func(track *webrtc.TrackRemote, r *webrtc.RTPReceiver) {
		if track.Kind() == webrtc.RTPCodecTypeAudio {
			p.hear(lines[r], track)
			return
		}
		p.see(lines[r], track)
	})
	p.exchange("/whep", p.play)
}

// see decodes the key frames of a line, and asks for one every second.
func (p *peer) see(line string, track *webrtc.TrackRemote) {
	var frame []byte
	asked := time.Time{}
	for {
		if time.Since(asked) > time.Second {
			asked = time.Now()
			_ = p.play.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(track.SSRC())}})
		}
		packet, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		p.count(line)
		var v codecs.VP8Packet
		part, err := v.Unmarshal(packet.Payload)
		if err != nil || track.Codec().MimeType != webrtc.MimeTypeVP8 {
			continue
		}
		if v.S == 1 && v.PID == 0 {
			frame = frame[:0]
		}
		frame = append(frame, part...)
		if !packet.Marker || len(frame) < 10 || frame[0]&1 != 0 {
			continue
		}
		d := vp8.NewDecoder()
		d.Init(bytes.NewReader(frame), len(frame))
		if _, err := d.DecodeFrameHeader(); err != nil {
			continue
		}
		if img, err := d.DecodeFrame(); err == nil {
			p.mu.Lock()
			p.pictures[line] = img
			p.keys[line]++
			p.mu.Unlock()
		}
	}
}

func (p *peer) count(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.packets[line]++
}

// hear decodes a line and keeps its last second.
func (p *peer) hear(line string, track *webrtc.TrackRemote) {
	d, err := codec.NewDecoder()
	if err != nil {
		p.t.Error(err)
		return
	}
	pcm := make([]int16, codec.MaxSamples)
	for {
		packet, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		p.count(line)
		n, err := d.Decode(packet.Payload, pcm)
		if err != nil {
			continue
		}
		p.mu.Lock()
		s := append(p.sound[line], pcm[:n]...)
		p.sound[line] = s[max(0, len(s)-codec.Rate):]
		p.mu.Unlock()
	}
}

// picture is the last key frame of a line and how many there were.
func (p *peer) picture(line string) (image.Image, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pictures[line], p.keys[line]
}

// loudest finds the frequency with most power in the last second of a line, in Hz, and its level in dBFS.
func (p *peer) loudest(line string) (pitch, level float64) {
	p.mu.Lock()
	pcm := append([]int16(nil), p.sound[line]...)
	p.mu.Unlock()
	if len(pcm) < codec.Rate/2 {
		return 0, math.Inf(-1)
	}
	return strongest(pcm, codec.Rate)
}

// strongest looks through 50 to 4000 Hz in steps of 10 Hz (Goertzel).
func strongest(pcm []int16, rate float64) (pitch, level float64) {
	level = math.Inf(-1)
	for f := 50.0; f <= 4000; f += 10 {
		k := 2 * math.Cos(2*math.Pi*f/rate)
		var a, b float64
		for _, s := range pcm {
			a, b = float64(s)/32768+k*a-b, a
		}
		n := float64(len(pcm))
		if db := 10 * math.Log10(2*(a*a+b*b-k*a*b)/(n*n)); db > level {
			pitch, level = f, db
		}
	}
	return pitch, level
}

// speak publishes a test picture and a voice of the pitch in Hz, until the test ends.
func (p *peer) speak(pitch float64) {
	p.t.Helper()
	pc := p.connection()
	audio := p.source(pc, webrtc.MimeTypeOpus, 48000, 2)
	video := p.source(pc, webrtc.MimeTypeVP8, 90000, 0)
	mic, err := capture.Microphone(capture.Options{Name: "remote", Device: "test:voice", Pitch: pitch})
	if err != nil {
		p.t.Fatal(err)
	}
	camera, err := capture.Camera(capture.Options{Name: "remote", Device: "test:picture", Width: 320, Height: 180, FPS: 10, BitRate: 100_000, KeyInterval: 2 * time.Second})
	if err != nil {
		p.t.Fatal(err)
	}
	p.exchange("/whip", pc)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = mic.Run(ctx, audio) })
	wg.Go(func() { _ = camera.Run(ctx, video) })
	p.t.Cleanup(func() { cancel(); wg.Wait() })
}

func (p *peer) source(pc *webrtc.PeerConnection, mime string, rate uint32, channels uint16) func(*rtp.Packet) {
	p.t.Helper()
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime, ClockRate: rate, Channels: channels}, mime, "remote")
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}); err != nil {
		p.t.Fatal(err)
	}
	return func(packet *rtp.Packet) { _ = track.WriteRTP(packet) }
}
