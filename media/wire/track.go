package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"plenum/media/stage"
)

// maxResend bounds what one player may ask for again, in packets a second for
// each stream: twice what a picture needs.
const maxResend = 400

// apart is a time after which the order of two timestamps does not tell which is
// newer: a picture's go half round in 6.6 hours.
const apart = time.Hour

// track is one slot on its way to one player: pion's TrackLocal and the stage's Sink.
type track struct {
	session     *session
	slot        stage.SlotID
	offered     []string // payload types of the media line
	transceiver *webrtc.RTPTransceiver
	sender      *webrtc.RTPSender

	// Set by Bind before anything is delivered.
	ssrc, rtxSSRC uint32
	formats       []format
	numbered      bool // packets get a transport-wide number
	writer        webrtc.TrackLocalWriter

	// Under the slot's lock.
	header    rtp.Header // this player's own: interceptors write their numbers into it
	rtxBuf    []byte
	rtxSeq    uint16
	numbering numbering

	mu           sync.Mutex
	packets      uint64
	octets       uint32
	lastTS       uint32
	lastAt       time.Time
	resent       uint64
	second       int64 // the second resentNow counts in
	resentNow    int
	loss         uint8
	highest      uint32 // the number the player reported last
	lastReported uint64
}

func newTrack(s *session, slot stage.SlotID, offered []string) *track {
	return &track{session: s, slot: slot, offered: offered, rtxSeq: uint16(rand.Uint32N(1 << 15))}
}

// ID, RID, StreamID and Kind are the track's names in the answer. Every slot is
// a stream of its own: players must not wait for one slot to show another.
func (t *track) ID() string       { return t.slot.String() }
func (t *track) RID() string      { return "" }
func (t *track) StreamID() string { return t.slot.String() }

// Kind returns the kind of the slot.
func (t *track) Kind() webrtc.RTPCodecType {
	if t.slot.Kind() == stage.Video {
		return webrtc.RTPCodecTypeVideo
	}
	return webrtc.RTPCodecTypeAudio
}

// narrow keeps H.264 out of the answer's line if only another line offers it:
// pion negotiates codecs for all lines of a kind together. It is called before
// the answer is made.
func (t *track) narrow() error {
	kept := t.here(t.sender.GetParameters().Codecs)
	if err := t.transceiver.SetCodecPreferences(kept); err != nil {
		return fmt.Errorf("choosing the codecs of slot %v: %w", t.slot, err)
	}
	return nil
}

// here leaves out H.264 that the track's own line does not offer.
func (t *track) here(codecs []webrtc.RTPCodecParameters) (out []webrtc.RTPCodecParameters) {
	for _, p := range codecs {
		if !strings.EqualFold(p.MimeType, webrtc.MimeTypeH264) || slices.Contains(t.offered, strconv.Itoa(int(p.PayloadType))) {
			out = append(out, p)
		}
	}
	return out
}

// Bind learns what was negotiated; pion calls it when the answer is made.
func (t *track) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	all, main := formats(t.slot.Kind(), t.here(c.CodecParameters()))
	if main.MimeType == "" {
		return main, webrtc.ErrUnsupportedCodec
	}
	for _, e := range c.HeaderExtensions() {
		t.numbered = t.numbered || e.URI == sdp.TransportCCURI
	}
	t.ssrc, t.rtxSSRC, t.writer = uint32(c.SSRC()), uint32(c.SSRCRetransmission()), c.WriteStream()
	t.formats = all
	return main, nil
}

// format returns how a codec goes out to this player; ok is false when it was not negotiated.
func (t *track) format(codec uint8) (f format, ok bool) {
	for _, f := range t.formats {
		if uint8(f.codec) == codec {
			return f, true
		}
	}
	return f, false
}

// Unbind has nothing to do: the subscription ends with the session.
func (t *track) Unbind(webrtc.TrackLocalContext) error { return nil }

// Deliver sends one packet of the slot, before it returns. One of a codec the
// player has not negotiated is counted and left out.
func (t *track) Deliver(h rtp.Header, payload []byte) {
	f, ok := t.format(h.PayloadType)
	if !ok {
		t.numbering.leaveOut()
		t.session.leftOut(stage.Codec(h.PayloadType))
		return
	}
	ts := h.Timestamp
	h.SequenceNumber = t.numbering.place(h.SequenceNumber)
	h.SSRC, h.PayloadType = t.ssrc, f.pt
	if !t.write(h, payload) {
		return
	}
	now := time.Now()
	t.mu.Lock()
	if t.packets == 0 || now.Sub(t.lastAt) > apart || int32(ts-t.lastTS) > 0 {
		t.lastTS, t.lastAt = ts, now
	}
	t.packets++
	t.octets += uint32(len(payload))
	t.mu.Unlock()
	t.session.sent(t.slot.Kind(), now)
}

func (t *track) write(h rtp.Header, payload []byte) bool {
	h.Extensions = t.header.Extensions[:0]
	t.header = h
	_, err := t.writer.WriteRTP(&t.header, payload)
	return err == nil
}

// canResend tells whether this player can be sent a packet again. Without a
// retransmission stream (RFC 4588) the packet would go out twice under one
// number; that is harmless only if both are the same in every bit, so not when
// each copy carries a number of its own: AES-GCM must not see one nonce with
// two different packets.
func (t *track) canResend(f format) bool { return t.hasRTX(f) || !t.numbered }

func (t *track) hasRTX(f format) bool { return f.rtxPT != 0 && t.rtxSSRC != 0 }

// resend is the sink for packets a player has missed.
func (t *track) resend(h rtp.Header, payload []byte) {
	f, known := t.format(h.PayloadType)
	seq, had := t.numbering.again(h.SequenceNumber)
	if !known || !had || !t.canResend(f) {
		return
	}
	h.SSRC, h.PayloadType, h.SequenceNumber = t.ssrc, f.pt, seq
	if t.hasRTX(f) {
		t.rtxBuf = binary.BigEndian.AppendUint16(t.rtxBuf[:0], seq) // RFC 4588 section 4
		t.rtxBuf = append(t.rtxBuf, payload...)
		payload = t.rtxBuf
		h.SSRC, h.PayloadType, h.SequenceNumber = t.rtxSSRC, f.rtxPT, t.rtxSeq
		t.rtxSeq++
	}
	if t.write(h, payload) {
		t.mu.Lock()
		t.resent++
		t.mu.Unlock()
	}
}

// report makes a sender report. The stage's timestamps follow the wall clock
// over changes of the source, so the time since the last frame can be added.
func (t *track) report(now time.Time) *rtcp.SenderReport {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.packets == t.lastReported {
		return nil // silent slots say nothing
	}
	t.lastReported = t.packets
	rate := 90_000.0
	if t.slot.Kind() == stage.Audio {
		rate = 48_000
	}
	return &rtcp.SenderReport{
		SSRC: t.ssrc, NTPTime: ntpTime(now),
		RTPTime:     t.lastTS + uint32(int64(now.Sub(t.lastAt).Seconds()*rate)), // may go round from one sitting to the next
		PacketCount: uint32(t.packets), OctetCount: t.octets,
	}
}

// ntpTime is the 64-bit NTP form of a time, RFC 3550 section 4.
func ntpTime(t time.Time) uint64 {
	const from1900 = 2_208_988_800
	seconds := uint64(t.Unix() + from1900)
	return seconds<<32 | uint64(t.Nanosecond())<<32/1_000_000_000
}

// readRTCP reads what the player says about the stream until the session ends.
func (t *track) readRTCP() {
	buf := make([]byte, receiveMTU)
	for {
		n, _, err := t.sender.Read(buf)
		switch {
		case t.session.ctx.Err() != nil, errors.Is(err, io.EOF), errors.Is(err, io.ErrClosedPipe):
			return
		case err != nil:
			continue // one bad packet; a closed stream gives one of the two above
		}
		pkts, err := rtcp.Unmarshal(buf[:n])
		if err != nil {
			continue
		}
		for _, p := range pkts {
			t.take(p)
		}
	}
}

func (t *track) take(p rtcp.Packet) {
	switch p := p.(type) {
	case *rtcp.PictureLossIndication:
		if p.MediaSSRC == t.ssrc {
			t.wantKey()
		}
	case *rtcp.FullIntraRequest:
		for _, f := range p.FIR {
			if f.SSRC == t.ssrc {
				t.wantKey()
			}
		}
	case *rtcp.TransportLayerNack:
		if p.MediaSSRC == t.ssrc && slices.ContainsFunc(t.formats, t.canResend) {
			t.missed(p)
		}
	case *rtcp.ReceiverReport:
		t.heard(p.Reports)
	case *rtcp.SenderReport:
		t.heard(p.Reports)
	case *rtcp.TransportLayerCC:
		t.session.feedback.Store(true)
		if len(p.RecvDeltas) > 0 {
			t.session.unreported.Store(0)
		}
	}
}

func (t *track) wantKey() {
	t.session.keys.Add(1)
	t.session.host.stage.RequestKey(t.slot)
}

// missed serves a NACK from the slot's ring.
func (t *track) missed(p *rtcp.TransportLayerNack) {
	var seqs []uint16
	for _, pair := range p.Nacks {
		seqs = append(seqs, pair.PacketList()...)
	}
	if seqs = t.allow(seqs, time.Now()); len(seqs) > 0 {
		t.numbering.ofSlot(seqs)
		t.session.host.stage.Resend(t.slot, seqs, stage.SinkFunc(t.resend))
	}
}

// allow cuts a wish down to what is left of this second's retransmissions.
func (t *track) allow(seqs []uint16, now time.Time) []uint16 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if second := now.Unix(); second != t.second {
		t.second, t.resentNow = second, 0
	}
	n := min(len(seqs), maxResend-t.resentNow)
	t.resentNow += n
	return seqs[:n]
}

func (t *track) heard(reports []rtcp.ReceptionReport) {
	for _, r := range reports {
		if r.SSRC == t.ssrc {
			t.mu.Lock()
			t.loss = r.FractionLost
			more := r.LastSequenceNumber != t.highest
			t.highest = r.LastSequenceNumber
			t.mu.Unlock()
			if more { // a player that gets nothing goes on reporting the last it got
				t.session.unreported.Store(0)
			}
		}
	}
}

// figures returns packets sent, packets sent again and the share lost, 0..1.
func (t *track) figures() (sent, resent uint64, loss float64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.packets, t.resent, float64(t.loss) / 256
}
