package bench

import (
	"encoding/binary"
	"time"

	"github.com/pion/rtp"
)

// The load of one picture and one sound: 1.5 Mbit/s of VP8 at 30 frames of 6 packets, 48 kbit/s of Opus at 50 packets.
const (
	frameRate    = 30
	framePackets = 6
	videoBytes   = 1_500_000 / 8 / (frameRate * framePackets)
	audioBytes   = 48_000 / 8 / 50
)

// source makes packets that look like a member's browser's.
type source struct {
	began        time.Time
	video, audio uint16 // sequence numbers
	picture      uint16
}

// frame is one picture, cut into packets. Only what a forwarder looks at is real: descriptor (RFC 7741) and key frame bit.
func (s *source) frame(key bool) []*rtp.Packet {
	s.picture++
	var out []*rtp.Packet
	for i := range framePackets {
		payload := make([]byte, videoBytes)
		payload[0], payload[1] = 0x80, 0x80 // X; I
		payload[2], payload[3] = 0x80|byte(s.picture>>8), byte(s.picture)
		if i == 0 {
			payload[0] |= 0x10 // S
			if !key {
				payload[4] = 1 // P
			}
		}
		s.video++
		out = append(out, &rtp.Packet{
			Header: rtp.Header{Version: 2, SequenceNumber: s.video, Timestamp: uint32(time.Since(s.began).Seconds() * 90_000),
				Marker: i == framePackets-1},
			Payload: payload,
		})
	}
	return out
}

// sound is one packet of Opus: CELT, 20 ms, mono (RFC 6716 section 3.1), and in it when it was made.
func (s *source) sound() *rtp.Packet {
	payload := make([]byte, audioBytes)
	payload[0] = 31 << 3
	now := time.Since(s.began)
	binary.BigEndian.PutUint64(payload[1:], uint64(now))
	s.audio++
	return &rtp.Packet{
		Header:  rtp.Header{Version: 2, SequenceNumber: s.audio, Timestamp: uint32(now.Seconds() * 48_000)},
		Payload: payload,
	}
}

// made tells when a packet of sound was made, since the source's beginning.
func made(p *rtp.Packet) time.Duration {
	if len(p.Payload) < 9 {
		return -1
	}
	return time.Duration(binary.BigEndian.Uint64(p.Payload[1:]))
}
