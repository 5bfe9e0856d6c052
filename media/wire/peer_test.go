package wire

import (
	"encoding/binary"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"plenum/media/stage"
)

// peer is a real pion peer connection on the other side.
type peer struct {
	t        *testing.T
	h        *house
	person   string
	pc       *webrtc.PeerConnection
	location string
	etag     string
	offer    webrtc.SessionDescription

	wg      sync.WaitGroup
	stops   []func()
	mu      sync.Mutex
	streams map[string]*stream // by slot
	sent    atomic.Uint32      // sequence number of the last packet that was written
	mark    func(tag byte)     // sends one packet more on the track added last, once its sender has been stopped
}

type stream struct {
	ssrc    uint32
	got     []rtp.Packet
	reports []rtcp.SenderReport
}

// tags counts what came by tag.
func (p *peer) tags(slot string) map[byte]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := map[byte]int{}
	if s := p.streams[slot]; s != nil {
		for _, g := range s.got {
			if len(g.Payload) > 5 {
				n[g.Payload[len(g.Payload)-5]]++
			}
		}
	}
	return n
}

// newest returns the highest count in the payloads with the tag.
func (p *peer) newest(slot string, tag byte) (n uint32) {
	for _, g := range p.packets(slot) {
		if b := g.Payload; len(b) > 5 && b[len(b)-5] == tag {
			n = max(n, binary.BigEndian.Uint32(b[len(b)-4:]))
		}
	}
	return n
}

func (p *peer) ssrc(slot string) uint32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.streams[slot]; s != nil {
		return s.ssrc
	}
	return 0
}

func (p *peer) packets(slot string) []rtp.Packet {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.streams[slot]; s != nil {
		return append([]rtp.Packet(nil), s.got...)
	}
	return nil
}

// newPeer makes a peer that has not offered yet.
func (h *house) newPeer(person string, change func(*webrtc.SettingEngine)) *peer {
	h.t.Helper()
	return h.newPeerWith(person, change, (*webrtc.MediaEngine).RegisterDefaultCodecs)
}

// newPeerWith makes a peer that knows the codecs which speak registers.
func (h *house) newPeerWith(person string, change func(*webrtc.SettingEngine), speak func(*webrtc.MediaEngine) error) *peer {
	h.t.Helper()
	se := webrtc.SettingEngine{LoggerFactory: pionLog{slog.New(slog.DiscardHandler)}}
	se.SetIncludeLoopbackCandidate(true)
	se.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() })
	se.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	se.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	if change != nil {
		change(&se)
	}
	media, registry := &webrtc.MediaEngine{}, &interceptor.Registry{}
	if err := speak(media); err != nil {
		h.t.Fatal(err)
	}
	if err := webrtc.RegisterDefaultInterceptorsWithOptions(media, registry, webrtc.WithInterceptorLoggerFactory(se.LoggerFactory)); err != nil {
		h.t.Fatal(err)
	}
	api := webrtc.NewAPI(webrtc.WithSettingEngine(se), webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(registry))
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		h.t.Fatal(err)
	}
	p := &peer{t: h.t, h: h, person: person, pc: pc, streams: map[string]*stream{}}
	pc.OnTrack(p.collect)
	h.t.Cleanup(p.close)
	return p
}

func (p *peer) close() {
	for _, stop := range p.stops {
		stop()
	}
	if err := p.pc.GracefulClose(); err != nil {
		p.t.Errorf("closing %s: %v", p.person, err)
	}
	p.wg.Wait()
}

func (p *peer) collect(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	s := &stream{ssrc: uint32(remote.SSRC())}
	p.mu.Lock()
	p.streams[remote.StreamID()] = s
	p.mu.Unlock()
	p.wg.Go(func() {
		for {
			pkts, _, err := receiver.ReadRTCP()
			if err != nil {
				return
			}
			for _, pkt := range pkts {
				if sr, ok := pkt.(*rtcp.SenderReport); ok && sr.SSRC == s.ssrc {
					p.mu.Lock()
					s.reports = append(s.reports, *sr)
					p.mu.Unlock()
				}
			}
		}
	})
	p.wg.Go(func() {
		for {
			pkt, _, err := remote.ReadRTP()
			if err != nil {
				return
			}
			p.mu.Lock()
			s.got = append(s.got, *pkt)
			p.mu.Unlock()
		}
	})
}

// send adds a track that sends until the peer closes.
func (p *peer) send(kind stage.Kind, tag byte) {
	p.t.Helper()
	mime, codec := webrtc.MimeTypeVP8, stage.VP8
	if kind == stage.Audio {
		mime, codec = webrtc.MimeTypeOpus, stage.Opus
	}
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime}, kind.String(), "me")
	if err != nil {
		p.t.Fatal(err)
	}
	tr, err := p.pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		p.t.Fatal(err)
	}
	var key atomic.Bool
	p.wg.Go(func() {
		for {
			pkts, _, err := tr.Sender().ReadRTCP()
			if err != nil {
				return
			}
			for _, pkt := range pkts {
				if _, ok := pkt.(*rtcp.PictureLossIndication); ok {
					key.Store(true)
				}
			}
		}
	})
	var last rtp.Header
	write := func(pkt *rtp.Packet) {
		last = pkt.Header
		_ = track.WriteRTP(pkt) // not connected yet, or no more
		p.sent.Store(uint32(pkt.SequenceNumber))
	}
	p.stops = append(p.stops, pump(p.t, codec, tag, &key, write))
	p.mark = func(tag byte) {
		pkt := rtp.Packet{Header: last, Payload: []byte{7, tag, 0, 0, 0, 0}}
		pkt.SequenceNumber++
		pkt.Timestamp += 960
		write(&pkt)
	}
}

// ask offers and takes the answer. It returns the HTTP status.
func (p *peer) ask(path string) int {
	p.t.Helper()
	offer, err := p.pc.CreateOffer(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(p.pc)
	if err := p.pc.SetLocalDescription(offer); err != nil {
		p.t.Fatal(err)
	}
	<-gathered
	p.offer = *p.pc.LocalDescription()
	res, body := p.h.do("POST", path, p.person, p.offer.SDP, map[string]string{"Content-Type": typeSDP})
	if res.StatusCode != http.StatusCreated {
		p.t.Logf("%s %s: %d %s", p.person, path, res.StatusCode, body)
		return res.StatusCode
	}
	p.location, p.etag = res.Header.Get("Location"), res.Header.Get("ETag")
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: body}); err != nil {
		p.t.Fatalf("the answer is refused: %v\n%s", err, body)
	}
	return res.StatusCode
}

// publish joins as a publisher of a picture and sound with the tag.
func (h *house) publish(person string, tag byte) *peer {
	h.t.Helper()
	p := h.newPeer(person, nil)
	p.send(stage.Video, tag)
	p.send(stage.Audio, tag)
	if status := p.ask("/whip"); status != http.StatusCreated {
		h.t.Fatalf("publishing was answered with %d", status)
	}
	h.waitLeg(person+" publishes", func(l Leg) bool { return up(person, Publish)(l) && l.Audio && l.Video })
	return p
}

// play joins as a player of video pictures and audio sounds.
func (h *house) play(person string, video, audio int) *peer {
	h.t.Helper()
	return h.playWith(person, video, audio, (*webrtc.MediaEngine).RegisterDefaultCodecs)
}

func (h *house) playWith(person string, video, audio int, speak func(*webrtc.MediaEngine) error) *peer {
	h.t.Helper()
	p := h.newPeerWith(person, nil, speak)
	p.recv(video, audio)
	if status := p.ask("/whep"); status != http.StatusCreated {
		h.t.Fatalf("playing was answered with %d", status)
	}
	h.waitLeg(person+" plays", up(person, Play))
	return p
}

func (p *peer) recv(video, audio int) {
	p.t.Helper()
	for i := range video + audio {
		kind := webrtc.RTPCodecTypeVideo
		if i >= video {
			kind = webrtc.RTPCodecTypeAudio
		}
		if _, err := p.pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
			p.t.Fatal(err)
		}
	}
}
