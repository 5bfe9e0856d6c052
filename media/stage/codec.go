package stage

import (
	"fmt"

	"github.com/pion/rtp"
)

// Codec is the payload type by which sources tell the stage, and the stage tells
// sinks, what is in a packet. On a player's line the numbers may be others.
type Codec uint8

// The codecs that are carried. A source may change from one to the other of its
// kind; its sequence numbers and timestamps go on.
const (
	VP8  Codec = 96  // RFC 7741, 90 kHz
	H264 Codec = 102 // RFC 6184, packetization mode 1, parameter sets before every IDR picture, 90 kHz
	Opus Codec = 111 // RFC 7587, 48 kHz
)

// String returns the codec's name as it stands in a session description, RFC 8866 section 6.6.
func (c Codec) String() string {
	switch c {
	case VP8:
		return "VP8"
	case H264:
		return "H264"
	case Opus:
		return "opus"
	}
	return fmt.Sprintf("payload type %d", uint8(c))
}

// kind tells whether the codec is carried, and in slots of which kind.
func (c Codec) kind() (kind Kind, ok bool) {
	switch c {
	case VP8, H264:
		return Video, true
	case Opus:
		return Audio, true
	}
	return 0, false
}

// content is what a slot needs to know of a packet's payload.
type content struct {
	codec Codec
	junk  bool       // no picture or sound in it: padding to probe the line, or of no codec we know
	key   bool       // a key frame begins in it
	vp8   descriptor // VP8 only
	unit  unit       // H.264 only
}

// describe reads the start of a packet's payload.
func describe(kind Kind, p *rtp.Packet) content {
	c := content{codec: Codec(p.PayloadType)}
	if of, ok := c.codec.kind(); !ok || of != kind || len(p.Payload) == 0 {
		c.junk = true
		return c
	}
	var err error
	switch c.codec {
	case VP8:
		c.vp8, err = parseDescriptor(p.Payload)
		c.key = c.vp8.key
	case H264:
		c.unit, err = parseUnit(p.Payload)
		c.key = c.unit.idr
	}
	c.junk = err != nil
	return c
}
