package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// host is where WHIP and WHEP are spoken to.
type host struct {
	base   string
	client *http.Client
}

// peer is a pion peer connection on the other side, with what a browser answers: reports, NACKs, transport-wide feedback.
type peer struct {
	pc    *webrtc.PeerConnection
	wg    sync.WaitGroup
	video *webrtc.TrackLocalStaticRTP // publishers only
	audio *webrtc.TrackLocalStaticRTP
	key   atomic.Bool // a key frame is wanted
}

func newPeer() (*peer, error) {
	se := webrtc.SettingEngine{}
	se.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_256_GCM)
	se.SetIncludeLoopbackCandidate(true)
	se.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() })
	se.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	se.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	media, registry := &webrtc.MediaEngine{}, &interceptor.Registry{}
	if err := errors.Join(media.RegisterDefaultCodecs(), webrtc.RegisterDefaultInterceptors(media, registry)); err != nil {
		return nil, err
	}
	api := webrtc.NewAPI(webrtc.WithSettingEngine(se), webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(registry))
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	return &peer{pc: pc}, err
}

func (p *peer) close() {
	_ = p.pc.GracefulClose()
	p.wg.Wait()
}

// publish joins with a picture and a sound that the caller sends.
func (h host) publish(ctx context.Context, token string) (*peer, error) {
	p, err := newPeer()
	if err != nil {
		return nil, err
	}
	if p.video, err = p.track(webrtc.MimeTypeVP8); err != nil {
		return nil, err
	}
	if p.audio, err = p.track(webrtc.MimeTypeOpus); err != nil {
		return nil, err
	}
	return p, h.join(ctx, p, "/whip", token)
}

func (p *peer) track(mime string) (*webrtc.TrackLocalStaticRTP, error) {
	t, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime}, mime, "me")
	if err != nil {
		return nil, err
	}
	tr, err := p.pc.AddTransceiverFromTrack(t, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		return nil, err
	}
	p.wg.Go(func() {
		for {
			pkts, _, err := tr.Sender().ReadRTCP()
			if err != nil {
				return
			}
			for _, pkt := range pkts {
				if _, ok := pkt.(*rtcp.PictureLossIndication); ok {
					p.key.Store(true)
				}
			}
		}
	})
	return t, nil
}

// play joins as a listener with two pictures and two sounds. got is called for each packet, on a goroutine for each line.
func (h host) play(ctx context.Context, token string, got func(line string, p *rtp.Packet)) (*peer, error) {
	p, err := newPeer()
	if err != nil {
		return nil, err
	}
	recv := webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeAudio} {
		if _, err := p.pc.AddTransceiverFromKind(kind, recv); err != nil {
			return nil, err
		}
	}
	p.pc.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		p.wg.Go(func() {
			line, buf := t.StreamID(), make([]byte, 1500)
			var pkt rtp.Packet
			for {
				n, _, err := t.Read(buf)
				if err != nil {
					return
				}
				if pkt.Unmarshal(buf[:n]) == nil {
					got(line, &pkt)
				}
			}
		})
	})
	return p, h.join(ctx, p, "/whep", token)
}

// join offers, takes the answer, and returns when the connection stands.
func (h host) join(ctx context.Context, p *peer, path, token string) error {
	connected := make(chan struct{})
	var once sync.Once
	p.pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			once.Do(func() { close(connected) })
		}
	})
	offer, err := p.pc.CreateOffer(nil)
	if err != nil {
		return err
	}
	gathered := webrtc.GatheringCompletePromise(p.pc)
	if err := p.pc.SetLocalDescription(offer); err != nil {
		return err
	}
	<-gathered
	answer, err := h.post(ctx, path, token, p.pc.LocalDescription().SDP)
	if err != nil {
		return err
	}
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		return err
	}
	select {
	case <-connected:
		return nil
	case <-time.After(20 * time.Second):
		return fmt.Errorf("%s: no connection", path)
	}
}

func (h host) post(ctx context.Context, path, token, sdp string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.base+path, strings.NewReader(sdp))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/sdp")
	res, err := h.client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusCreated {
		return "", fmt.Errorf("%s: %s %s %w", path, res.Status, body, err)
	}
	return string(body), nil
}
