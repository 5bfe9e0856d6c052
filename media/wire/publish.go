package wire

import (
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"plenum/media/stage"
)

// receiveMTU is the largest packet taken from a publisher, in bytes.
const receiveMTU = 1500

// SourceID is the id under which a member's picture and sound come to the stage.
func SourceID(person string) string { return "member/" + person }

// receive carries one track of a publisher to the stage until it ends.
func (s *session) receive(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	s.spawn(func() { drainRTCP(receiver) })
	select {
	case <-s.verified:
	case <-s.ctx.Done():
		return
	}
	kind, codec, seen := stage.Video, stage.VP8, &s.videoAt // nothing else is negotiated
	if remote.Kind() == webrtc.RTPCodecTypeAudio {
		kind, codec, seen = stage.Audio, stage.Opus, &s.audioAt
	}
	src := s.enter(kind, uint32(remote.SSRC()))
	if src == nil {
		return
	}
	defer src.Close()
	buf := make([]byte, receiveMTU)
	var p rtp.Packet
	for first := true; ; first = false {
		n, _, err := remote.Read(buf)
		if err != nil {
			return
		}
		if err := p.Unmarshal(buf[:n]); err != nil {
			continue
		}
		p.PayloadType = uint8(codec)
		s.packets.Add(1)
		seen.Store(time.Now().UnixNano())
		src.Write(&p)
		if first {
			s.host.touch(s)
		}
	}
}

// enter puts a source on the stage, or returns nil when the session has ended:
// a late track of a session that was replaced must not replace its successor.
func (s *session) enter(kind stage.Kind, ssrc uint32) *stage.Source {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil
	}
	src := s.host.stage.AddSource(SourceID(s.person), kind, s.person, func() {
		s.keys.Add(1)
		s.writeRTCP(&rtcp.PictureLossIndication{MediaSSRC: ssrc})
	})
	s.closers = append(s.closers, src.Close)
	return src
}

// drainRTCP reads a receiver's RTCP: pion's interceptors live on it.
func drainRTCP(receiver *webrtc.RTPReceiver) {
	buf := make([]byte, receiveMTU)
	for {
		if _, _, err := receiver.Read(buf); err != nil {
			return
		}
	}
}

// writeRTCP sends to the peer. That a peer has just gone is no news.
func (s *session) writeRTCP(pkts ...rtcp.Packet) {
	if err := s.pc.WriteRTCP(pkts); err != nil {
		s.host.log.Debug("sending RTCP", "person", s.person, "err", err)
	}
}
