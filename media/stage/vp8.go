package stage

import "errors"

var errDescriptor = errors.New("not a VP8 payload descriptor")

// descriptor is what the stage needs of a VP8 payload descriptor, RFC 7741 section 4.2.
type descriptor struct {
	size    int  // bytes before the VP8 payload
	key     bool // first packet of a key frame
	pid     int  // offset of the picture id, 0 = none
	wide    bool // 15 bits rather than 7
	picture uint16
	tl0     int // offset of TL0PICIDX, 0 = none
	tl0idx  uint8
}

// parseDescriptor reads the descriptor at the start of an RTP payload.
func parseDescriptor(b []byte) (descriptor, error) {
	var d descriptor
	if len(b) < 2 {
		return d, errDescriptor
	}
	d.size = 1
	if b[0]&0x80 != 0 { // X
		if err := d.extended(b); err != nil {
			return descriptor{}, err
		}
	}
	if len(b) <= d.size {
		return descriptor{}, errDescriptor
	}
	start := b[0]&0x10 != 0 && b[0]&0x07 == 0 // S set, partition 0
	d.key = start && b[d.size]&0x01 == 0
	return d, nil
}

// extended reads the optional fields behind the X octet.
func (d *descriptor) extended(b []byte) error {
	flags := b[1]
	d.size = 2
	if flags&0x80 != 0 { // I
		if len(b) < d.size+2 {
			return errDescriptor
		}
		d.pid, d.picture = d.size, uint16(b[d.size]&0x7f)
		if b[d.size]&0x80 != 0 { // M
			d.wide = true
			d.picture = d.picture<<8 | uint16(b[d.size+1])
			d.size++
		}
		d.size++
	}
	if flags&0x40 != 0 { // L
		if len(b) <= d.size {
			return errDescriptor
		}
		d.tl0, d.tl0idx = d.size, b[d.size]
		d.size++
	}
	if flags&0x30 != 0 { // T or K share an octet
		d.size++
	}
	return nil
}

// picture keeps picture ids and TL0PICIDX of a slot continuous over changes of
// the source. Ids go out with 15 bits always. A source without ids keeps none.
type picture struct {
	last   uint16 // newest id sent
	tl0    uint8  // newest TL0PICIDX sent
	in     uint16 // newest id received
	off    uint16
	tl0off uint8
	havePI bool // the mapping has seen an id
	haveTL bool
}

// begin starts the mapping of a new source.
func (p *picture) begin(d descriptor) {
	p.havePI, p.haveTL = false, false
	p.note(d)
}

func (p *picture) note(d descriptor) {
	if d.pid > 0 && !p.havePI {
		p.havePI, p.in, p.off = true, d.picture, p.last+1-d.picture
	}
	if d.tl0 > 0 && !p.haveTL {
		p.haveTL, p.tl0off = true, p.tl0+1-d.tl0idx
	}
}

// rewrite appends the payload with its ids replaced to dst.
func (p *picture) rewrite(dst, b []byte, d descriptor) []byte {
	p.note(d)
	tl0 := d.tl0idx + p.tl0off
	if d.tl0 > 0 && int8(tl0-p.tl0) > 0 {
		p.tl0 = tl0
	}
	if d.pid == 0 {
		at := len(dst)
		dst = append(dst, b...)
		if d.tl0 > 0 {
			dst[at+d.tl0] = tl0
		}
		return dst
	}
	id := p.next(d)
	rest := d.pid + 1
	if d.wide {
		rest++
	}
	dst = append(dst, b[:d.pid]...)
	dst = append(dst, 0x80|byte(id>>8), byte(id))
	if d.tl0 > 0 {
		dst = append(dst, tl0)
		rest++
	}
	return append(dst, b[rest:]...)
}

// next returns the outgoing 15-bit id. Incoming ids of 7 bits are unwrapped
// against the newest one, so packets that come late get their old id.
func (p *picture) next(d descriptor) uint16 {
	delta := int16((d.picture-p.in)<<1) >> 1
	if !d.wide {
		delta = int16(int8(uint8(d.picture-p.in)<<1) >> 1)
	}
	in := p.in + uint16(delta)
	if delta > 0 {
		p.in = in
	}
	id := (in + p.off) & 0x7fff
	if int16((id-p.last)<<1) > 0 {
		p.last = id
	}
	return id
}
