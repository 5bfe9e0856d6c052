package bench

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/cc"
	"github.com/pion/interceptor/pkg/gcc"
	"github.com/pion/webrtc/v4"
)

// newPionPart is what one would write with pion alone, after its own examples: a TrackLocalStaticRTP for each line,
// shared by all listeners, and the default interceptors (NACK responder, reports, statistics). Same encryption, one
// port, ICE-lite. It has no gate and no rewriting.
//
// Without control nobody estimates a listener's line; with it pion's bandwidth estimation does, as in the example of that
// name, and as ours does.
func newPionPart(control bool) part {
	f := &pionForwarder{control: control}
	server := &http.Server{Handler: http.HandlerFunc(f.serve)}
	return part{
		do: func(q question) (answer, error) {
			if q.Op != "open" {
				return answer{}, fmt.Errorf("forwarder cannot %s", q.Op)
			}
			if err := f.open(); err != nil {
				return answer{}, err
			}
			return listen(server)
		},
		stop: func() {
			server.Close()
			for _, pc := range f.peers {
				_ = pc.GracefulClose()
			}
			f.mux.Close()
		},
	}
}

type pionForwarder struct {
	control bool
	mux     *ice.UDPMuxDefault
	lines   []*webrtc.TrackLocalStaticRTP // word, hall, hall's sound, voice

	mu    sync.Mutex
	peers []*webrtc.PeerConnection
}

func (f *pionForwarder) open() error {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return err
	}
	if err := errors.Join(conn.SetReadBuffer(socketBuffer), conn.SetWriteBuffer(socketBuffer)); err != nil {
		return err
	}
	f.mux = ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: conn})
	for n, mime := range []string{webrtc.MimeTypeVP8, webrtc.MimeTypeVP8, webrtc.MimeTypeOpus, webrtc.MimeTypeOpus} {
		t, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime}, fmt.Sprint(n), fmt.Sprint(n))
		if err != nil {
			return err
		}
		f.lines = append(f.lines, t)
	}
	return nil
}

func (f *pionForwarder) newPeer() (*webrtc.PeerConnection, error) {
	se := webrtc.SettingEngine{}
	se.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_256_GCM)
	se.SetLite(true)
	se.SetICEUDPMux(f.mux)
	se.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	se.SetIncludeLoopbackCandidate(true)
	media, registry := &webrtc.MediaEngine{}, &interceptor.Registry{}
	err := media.RegisterDefaultCodecs()
	if f.control {
		estimate, err1 := cc.NewInterceptor(func() (cc.BandwidthEstimator, error) {
			return gcc.NewSendSideBWE(gcc.SendSideBWEInitialBitrate(3_000_000))
		})
		registry.Add(estimate)
		err = errors.Join(err, err1, webrtc.ConfigureTWCCHeaderExtensionSender(media, registry))
	}
	if err := errors.Join(err, webrtc.RegisterDefaultInterceptors(media, registry)); err != nil {
		return nil, err
	}
	api := webrtc.NewAPI(webrtc.WithSettingEngine(se), webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(registry))
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err == nil {
		f.mu.Lock()
		f.peers = append(f.peers, pc)
		f.mu.Unlock()
	}
	return pc, err
}

func (f *pionForwarder) serve(w http.ResponseWriter, r *http.Request) {
	answer, err := f.answer(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, answer)
}

func (f *pionForwarder) answer(r *http.Request) (string, error) {
	offer, err := io.ReadAll(r.Body)
	if err != nil {
		return "", err
	}
	pc, err := f.newPeer()
	if err != nil {
		return "", err
	}
	if r.URL.Path == "/whip" {
		pc.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { f.forward(t) })
	} else if err := f.show(pc); err != nil {
		return "", err
	}
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: string(offer)}); err != nil {
		return "", err
	}
	local, err := pc.CreateAnswer(nil)
	if err != nil {
		return "", err
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(local); err != nil {
		return "", err
	}
	<-gathered
	return pc.LocalDescription().SDP, nil
}

func (f *pionForwarder) show(pc *webrtc.PeerConnection) error {
	for _, t := range f.lines {
		tr, err := pc.AddTransceiverFromTrack(t, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		if err != nil {
			return err
		}
		go func() {
			buf := make([]byte, 1500)
			for {
				if _, _, err := tr.Sender().Read(buf); err != nil {
					return
				}
			}
		}()
	}
	return nil
}

// forward hands a publisher's packets to all; without the header extensions, whose numbers mean something else there.
func (f *pionForwarder) forward(t *webrtc.TrackRemote) {
	line := f.lines[0]
	if t.Kind() == webrtc.RTPCodecTypeAudio {
		line = f.lines[3]
	}
	for {
		p, _, err := t.ReadRTP()
		if err != nil {
			return
		}
		p.Extension, p.Extensions = false, nil
		_ = line.WriteRTP(p) // one listener who has left is no reason to stop
	}
}
