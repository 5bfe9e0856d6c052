package wire

import (
	"errors"
	"fmt"
	"sync"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/cc"
	"github.com/pion/interceptor/pkg/gcc"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// Bounds of the estimate of a player's line, bit/s. A player takes about 3
// Mbit/s: two pictures and the sound.
const (
	startRate = 3_000_000
	leastRate = 100_000
	mostRate  = 20_000_000
)

// newPeer makes a peer connection with the host's profile. The estimator is nil for publishers.
func (h *Host) newPeer(d Direction, role webrtc.DTLSRole) (*webrtc.PeerConnection, cc.BandwidthEstimator, error) {
	settings, err := h.settings(role)
	if err != nil {
		return nil, nil, err
	}
	media, registry := &webrtc.MediaEngine{}, &interceptor.Registry{}
	if err := codecs(media, d); err != nil {
		return nil, nil, fmt.Errorf("registering codecs: %w", err)
	}
	var estimator cc.BandwidthEstimator
	if d == Publish {
		err = listening(media, registry, settings)
	} else {
		err = sending(registry, settings, func(e cc.BandwidthEstimator) { estimator = e })
	}
	if err != nil {
		return nil, nil, fmt.Errorf("setting up RTCP: %w", err)
	}
	api := webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithSettingEngine(settings), webrtc.WithInterceptorRegistry(registry))
	pc, err := api.NewPeerConnection(webrtc.Configuration{
		Certificates: []webrtc.Certificate{h.cert},
		BundlePolicy: webrtc.BundlePolicyMaxBundle,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("making a peer connection: %w", err)
	}
	return pc, estimator, nil
}

// codecs registers VP8 with retransmission and Opus; for players H.264 too,
// which a hall camera may send. Members publish VP8.
func codecs(media *webrtc.MediaEngine, d Direction) error {
	err := errors.Join(
		picture(media, webrtc.MimeTypeVP8, "", 96),
		media.RegisterCodec(webrtc.RTPCodecParameters{
			RTPCodecCapability: webrtc.RTPCodecCapability{
				MimeType: webrtc.MimeTypeOpus, ClockRate: 48_000, Channels: 2,
				SDPFmtpLine: "minptime=10;useinbandfec=1", RTCPFeedback: []webrtc.RTCPFeedback{{Type: webrtc.TypeRTCPFBTransportCC}},
			},
			PayloadType: 111,
		}, webrtc.RTPCodecTypeAudio),
		media.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: sdp.TransportCCURI}, webrtc.RTPCodecTypeVideo),
		media.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: sdp.TransportCCURI}, webrtc.RTPCodecTypeAudio),
	)
	if d == Publish {
		return err
	}
	for i, p := range profiles() {
		fmtp := "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=" + p + "1f" // the level is the player's own
		err = errors.Join(err, picture(media, webrtc.MimeTypeH264, fmtp, webrtc.PayloadType(112+2*i)))
	}
	return err
}

// picture registers a codec and its retransmission, under payload types that
// hold only until the peer names its own.
func picture(media *webrtc.MediaEngine, mime, fmtp string, pt webrtc.PayloadType) error {
	codec := webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: mime, ClockRate: 90_000, SDPFmtpLine: fmtp,
			RTCPFeedback: []webrtc.RTCPFeedback{
				{Type: webrtc.TypeRTCPFBNACK}, {Type: webrtc.TypeRTCPFBNACK, Parameter: "pli"},
				{Type: webrtc.TypeRTCPFBCCM, Parameter: "fir"}, {Type: webrtc.TypeRTCPFBTransportCC},
			},
		},
		PayloadType: pt,
	}
	rtx := webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeRTX, ClockRate: 90_000, SDPFmtpLine: fmt.Sprintf("apt=%d", pt)},
		PayloadType:        pt + 1,
	}
	return errors.Join(media.RegisterCodec(codec, webrtc.RTPCodecTypeVideo), media.RegisterCodec(rtx, webrtc.RTPCodecTypeVideo))
}

// listening sets up what a publisher needs from us: NACKs for what is missing,
// receiver reports and transport-wide feedback.
func listening(media *webrtc.MediaEngine, registry *interceptor.Registry, se webrtc.SettingEngine) error {
	mid := webrtc.RTPHeaderExtensionCapability{URI: sdp.SDESMidURI}
	log := se.LoggerFactory
	nacks, err1 := nack.NewGeneratorInterceptor(nack.WithGeneratorLoggerFactory(log))
	reports, err2 := report.NewReceiverInterceptor(report.WithReceiverLoggerFactory(log))
	feedback, err3 := twcc.NewSenderInterceptor(twcc.WithLoggerFactory(log))
	err := errors.Join(err1, err2, err3,
		media.RegisterHeaderExtension(mid, webrtc.RTPCodecTypeVideo), media.RegisterHeaderExtension(mid, webrtc.RTPCodecTypeAudio))
	if err != nil {
		return err
	}
	registry.Add(nacks)
	registry.Add(reports)
	registry.Add(feedback)
	return nil
}

// sending sets up transport-wide sequence numbers and the estimate of the
// player's line. Sender reports and retransmission are our own (track.go):
// pion's NACK responder would keep packets of a member who was withdrawn.
func sending(registry *interceptor.Registry, se webrtc.SettingEngine, made func(cc.BandwidthEstimator)) error {
	control, err := cc.NewInterceptor(func() (cc.BandwidthEstimator, error) {
		return gcc.NewSendSideBWE(
			gcc.SendSideBWEInitialBitrate(startRate), gcc.SendSideBWEMinBitrate(leastRate), gcc.SendSideBWEMaxBitrate(mostRate),
			gcc.SendSideBWEPacer(&noPacer{}), gcc.WithLoggerFactory(se.LoggerFactory),
		)
	})
	if err != nil {
		return err
	}
	control.OnNewPeerConnection(func(_ string, e cc.BandwidthEstimator) { made(e) })
	numbers, err := twcc.NewHeaderExtensionInterceptor()
	if err != nil {
		return err
	}
	registry.Add(control) // the one added last sees a packet first: the number must be in it before it is counted
	registry.Add(numbers)
	return nil
}

// noPacer sends at once. gcc's own pacer queues packets, which would then go
// out after the gate has closed; and it knows nothing of retransmission SSRCs.
type noPacer struct {
	mu      sync.RWMutex
	writers map[uint32]interceptor.RTPWriter
	any     interceptor.RTPWriter
}

// AddStream notes the writer of a stream.
func (p *noPacer) AddStream(ssrc uint32, w interceptor.RTPWriter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.writers == nil {
		p.writers = map[uint32]interceptor.RTPWriter{}
	}
	p.writers[ssrc] = w
	p.any = w
}

// Write sends a packet. A retransmission stream has no writer of its own; all
// streams of a connection end in the same SRTP session, so any will do.
func (p *noPacer) Write(h *rtp.Header, payload []byte, a interceptor.Attributes) (int, error) {
	p.mu.RLock()
	w, ok := p.writers[h.SSRC]
	if !ok {
		w = p.any
	}
	p.mu.RUnlock()
	return w.Write(h, payload, a)
}

// SetTargetBitrate does nothing: nothing is paced.
func (p *noPacer) SetTargetBitrate(int) {}

// Close does nothing.
func (p *noPacer) Close() error { return nil }
