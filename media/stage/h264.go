package stage

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/pion/rtp"
)

var errUnit = errors.New("not an H.264 payload of packetization mode 1")

// unit is what the stage needs of an H.264 payload, RFC 6184 section 5.2.
type unit struct {
	sps   bool // a sequence parameter set is in it
	slice bool // some of a coded picture is in it
	idr   bool // an IDR picture begins in it
}

// NAL unit types: ITU-T H.264 table 7-1, RFC 6184 table 1.
const (
	nalSlice = 1 // to nalIDR: the slices of coded pictures
	nalIDR   = 5
	nalSPS   = 7
	nalLast  = 23 // the last type that stands for itself
	nalSTAPA = 24
	nalFUA   = 28
)

// parseUnit reads the structure of an RTP payload: a single NAL unit, a STAP-A
// or an FU-A. The others are not allowed in packetization mode 1.
func parseUnit(b []byte) (unit, error) {
	var u unit
	if len(b) == 0 || b[0]&0x80 != 0 { // F: the unit has errors in it
		return u, errUnit
	}
	switch typ := b[0] & 0x1f; {
	case typ >= 1 && typ <= nalLast:
		u.note(typ, b[1:])
		return u, nil
	case typ == nalSTAPA:
		return u.aggregate(b[1:])
	case typ == nalFUA:
		return u.fragment(b[1:])
	}
	return u, errUnit
}

// aggregate reads a STAP-A behind its first octet, RFC 6184 section 5.7.1.
func (u unit) aggregate(b []byte) (unit, error) {
	for first := true; first || len(b) > 0; first = false {
		if len(b) < 3 {
			return unit{}, errUnit
		}
		size := int(binary.BigEndian.Uint16(b))
		b = b[2:]
		typ := b[0] & 0x1f
		if size == 0 || size > len(b) || b[0]&0x80 != 0 || typ < 1 || typ > nalLast {
			return unit{}, errUnit
		}
		u.note(typ, b[1:size])
		b = b[size:]
	}
	return u, nil
}

// fragment reads an FU-A behind its first octet, RFC 6184 section 5.8.
func (u unit) fragment(b []byte) (unit, error) {
	if len(b) == 0 {
		return unit{}, errUnit
	}
	start, end, typ := b[0]&0x80 != 0, b[0]&0x40 != 0, b[0]&0x1f
	if (start && end) || typ < 1 || typ > nalLast {
		return unit{}, errUnit
	}
	if start {
		u.note(typ, b[1:])
	}
	u.slice = u.slice || (typ >= nalSlice && typ <= nalIDR)
	return u, nil
}

// note takes in one NAL unit, or the first part of one. A picture begins with
// the slice whose first_mb_in_slice is 0, which is coded as a single 1 bit
// (ITU-T H.264 sections 7.3.3 and 9.1).
func (u *unit) note(typ byte, body []byte) {
	switch {
	case typ == nalSPS:
		u.sps = true
	case typ >= nalSlice && typ <= nalIDR:
		u.slice = true
		u.idr = u.idr || (typ == nalIDR && len(body) > 0 && body[0]&0x80 != 0)
	}
}

// maxLead is how many packets may stand between the parameter sets and their picture.
const maxLead = 8

// lead holds back the packets before a source's IDR picture: the parameter sets,
// which are of use only if an IDR picture follows. Some encoders send them
// before other pictures too.
type lead []held

type held struct {
	source  *Source
	packet  rtp.Packet
	content content
}

// take looks at the next packet of a source that waits for its turn. It reports
// whether an IDR picture begins here that has its parameter sets before it, in
// the lead or in the packet itself; what stands in the lead goes out first then.
func (l *lead) take(src *Source, p *rtp.Packet, c content) bool {
	if n := len(*l); n > 0 {
		last := (*l)[n-1]
		next := src == last.source && p.SequenceNumber == last.packet.SequenceNumber+1
		if !next || (p.Timestamp != (*l)[0].packet.Timestamp && !c.junk) {
			*l = (*l)[:0]
		}
	}
	switch n := len(*l); {
	case c.unit.idr && (n > 0 || c.unit.sps):
		return true
	case c.unit.slice, n == 0 && !c.unit.sps, n == maxLead:
		*l = (*l)[:0]
	default: // the packet belongs to its writer
		own := rtp.Packet{Header: p.Header, Payload: slices.Clone(p.Payload)}
		*l = append(*l, held{src, own, c})
	}
	return false
}
