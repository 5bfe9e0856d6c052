package wire

import (
	"encoding/hex"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/pion/webrtc/v4"

	"plenum/media/stage"
)

// format is how packets of one codec go out to a player.
type format struct {
	codec stage.Codec
	pt    uint8
	rtxPT uint8 // of the retransmission stream, RFC 4588; 0 = none
}

// formats picks the payload types for the codecs of a kind of slots out of what
// was negotiated. main is the codec every player has; it is empty when it is missing.
func formats(kind stage.Kind, negotiated []webrtc.RTPCodecParameters) (out []format, main webrtc.RTPCodecParameters) {
	if kind == stage.Audio {
		main = best(webrtc.MimeTypeOpus, negotiated)
		return add(nil, stage.Opus, main, negotiated), main
	}
	main = best(webrtc.MimeTypeVP8, negotiated)
	out = add(nil, stage.VP8, main, negotiated)
	return add(out, stage.H264, best(webrtc.MimeTypeH264, negotiated), negotiated), main
}

// best returns the widest of the negotiated formats of a codec.
func best(mime string, negotiated []webrtc.RTPCodecParameters) (found webrtc.RTPCodecParameters) {
	for _, p := range negotiated {
		if strings.EqualFold(p.MimeType, mime) && (found.MimeType == "" || wider(p, found)) {
			found = p
		}
	}
	return found
}

// add appends a format with its retransmission stream, if there is one.
func add(out []format, codec stage.Codec, p webrtc.RTPCodecParameters, negotiated []webrtc.RTPCodecParameters) []format {
	if p.MimeType == "" {
		return out
	}
	f := format{codec: codec, pt: uint8(p.PayloadType)}
	for _, other := range negotiated {
		if other.SDPFmtpLine == fmt.Sprintf("apt=%d", p.PayloadType) {
			f.rtxPT = uint8(other.PayloadType)
		}
	}
	return append(out, f)
}

// profiles are the H.264 profiles taken from an offer, as profile_idc and
// constraint flags: high, constrained high, main and baseline in the ways they
// are written. A camera's profile is not known before its first picture, and
// another camera may have another one.
func profiles() []string { return []string{"6400", "640c", "4d00", "4d40", "42e0", "42c0", "4200"} }

// wider reports whether a player says of a that it decodes more than b. A
// payload type is a promise not to exceed its profile (RFC 6184 section 8.1),
// so the widest one is right for most streams: the decoder of a profile takes
// the ones below it (ITU-T H.264 section A.2). A stream of a profile above all
// that were offered is sent all the same: Chromium 156 and libavcodec offer no
// high profile and decode it.
func wider(a, b webrtc.RTPCodecParameters) bool {
	x, y := profile(a.SDPFmtpLine), profile(b.SDPFmtpLine)
	if x[0] != y[0] {
		return x[0] > y[0]
	}
	return x[1] < y[1] // each flag gives something up
}

// profile returns profile_idc and constraint flags of an H.264 format.
func profile(fmtp string) (idc [2]byte) {
	for part := range strings.SplitSeq(fmtp, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if b, err := hex.DecodeString(value); err == nil && len(b) == 3 && strings.EqualFold(key, "profile-level-id") {
			idc = [2]byte(b)
		}
	}
	return idc
}

// numbering is one player's view of a slot's numbers. While the slot carries a
// codec the player has not negotiated, nothing goes out and the numbers close
// up: the player would ask for the missing ones for ever, and a gap of more than
// 2^15 would derail SRTP's rollover counter.
type numbering struct {
	behind  atomic.Uint32 // what to take off the slot's numbers; written under the slot's lock
	last    uint16        // highest number given out
	begun   bool
	stopped bool   // the slot's last packet was left out
	stretch uint16 // numbers given out since behind has its value, up to maxStretch
}

const maxStretch = 1 << 14 // more than any ring keeps

// place gives a packet of the slot the player's number. The slot's lock is held.
func (n *numbering) place(seq uint16) uint16 {
	if n.stopped && n.begun {
		n.behind.Store(uint32(seq - n.last - 1))
		n.stretch = 0
	}
	out := seq - uint16(n.behind.Load())
	switch ahead := int16(out - n.last); {
	case !n.begun:
		n.last, n.stretch = out, 1
	case ahead > 0:
		n.last, n.stretch = out, min(n.stretch+uint16(ahead), maxStretch)
	}
	n.begun, n.stopped = true, false
	return out
}

// leaveOut notes that a packet of the slot does not go out.
func (n *numbering) leaveOut() { n.stopped = true }

// again gives a packet that is sent once more the number it had; ok is false for
// one that had another number then, or none. The slot's lock is held.
func (n *numbering) again(seq uint16) (out uint16, ok bool) {
	out = seq - uint16(n.behind.Load())
	return out, n.begun && n.last-out < n.stretch
}

// ofSlot turns the player's numbers into the slot's. They may be of a time
// before behind changed; again finds those out.
func (n *numbering) ofSlot(seqs []uint16) {
	behind := uint16(n.behind.Load())
	for i := range seqs {
		seqs[i] += behind
	}
}
