package wire

import (
	"fmt"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"plenum/media/stage"
)

// addTracks binds the media lines of a player's offer to slots: the n-th line
// of a kind gets the n-th slot, a single sound line the programme.
func (s *session) addTracks() error {
	order := map[stage.Kind][]stage.SlotID{
		stage.Video: s.host.stage.Order(stage.Video),
		stage.Audio: s.host.stage.Order(stage.Audio),
	}
	if s.offer.count(stage.Audio) == 1 {
		order[stage.Audio] = []stage.SlotID{stage.Programme}
	}
	for i, kind := range s.offer.kinds {
		t := newTrack(s, order[kind][0], s.offer.desc.MediaDescriptions[i].MediaName.Formats)
		order[kind] = order[kind][1:]
		sendonly := webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}
		transceiver, err := s.pc.AddTransceiverFromTrack(t, sendonly)
		if err != nil {
			return fmt.Errorf("adding slot %v: %w", t.slot, err)
		}
		t.transceiver, t.sender = transceiver, transceiver.Sender()
		s.tracks = append(s.tracks, t)
	}
	return nil
}

// startTracks subscribes to the slots. Nothing is sent before the peer is
// connected and its ciphers are checked.
func (s *session) startTracks() error {
	for _, t := range s.tracks {
		stop, err := s.host.stage.Subscribe(s.person, t.slot, t)
		if err != nil {
			return fmt.Errorf("watching slot %v: %w", t.slot, err)
		}
		s.whenClosed(stop)
	}
	return nil
}

// sendReports sends the sender reports of a player's streams, RFC 3550 section 6.4.1. A player that is sent nothing, as
// while no sitting is open, gets the empty report of section 6.4.2: by it the player knows that the connection lives.
func (s *session) sendReports() {
	if s.direction != Play || !s.leg().Up {
		return
	}
	now := time.Now()
	var pkts []rtcp.Packet
	for _, t := range s.tracks {
		if r := t.report(now); r != nil {
			pkts = append(pkts, r)
		}
	}
	if len(pkts) == 0 && len(s.tracks) > 0 {
		pkts = append(pkts, &rtcp.ReceiverReport{SSRC: s.tracks[0].ssrc})
	}
	if len(pkts) > 0 {
		s.writeRTCP(pkts...)
	}
}
