package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/jpeg"

	"plenum/hal/camera"
)

// errPicture: a frame's bytes are no picture.
var errPicture = errors.New("not a whole picture")

// converter turns a camera's frames into I420, which the encoder takes. It keeps its memory: an image is valid until the next
// one. Eight bytes are worked on at a time, which makes this a small part of what encoding costs.
type converter struct {
	mode   camera.Mode
	img    image.YCbCr
	tables []byte // Huffman tables for JPEG pictures that come without
	ends   bool   // the camera's JPEG pictures have an end marker
}

func newConverter(m camera.Mode) (*converter, error) {
	if m.Width%2+m.Height%2 != 0 {
		return nil, fmt.Errorf("the camera gives %v, whose sides are not even", m)
	}
	c := &converter{mode: m}
	luma, chroma := m.Width*m.Height, m.Width*m.Height/4
	all := make([]byte, luma+2*chroma)
	c.img = image.YCbCr{
		Y: all[:luma:luma], Cb: all[luma : luma+chroma : luma+chroma], Cr: all[luma+chroma:],
		YStride: m.Width, CStride: m.Width / 2, SubsampleRatio: image.YCbCrSubsampleRatio420, Rect: image.Rect(0, 0, m.Width, m.Height),
	}
	return c, nil
}

// convert gives the picture in data. It may lie in data itself, so data must stay until the image is used.
func (c *converter) convert(data []byte, stride int) (image.Image, error) {
	switch c.mode.Format {
	case camera.YUYV, camera.UYVY:
		return c.packed(data, stride)
	case camera.NV12:
		return c.semiplanar(data, stride)
	case camera.YU12:
		return c.planar(data, stride)
	case camera.MJPG:
		return c.jpeg(data)
	}
	return nil, fmt.Errorf("pictures in %s cannot be decoded", c.mode.Format)
}

// packed reads YUYV and UYVY. Two lines share their chroma, by its mean.
func (c *converter) packed(data []byte, stride int) (image.Image, error) {
	w, h := c.mode.Width, c.mode.Height
	if stride < 2*w || len(data) < stride*(h-1)+2*w {
		return nil, errPicture
	}
	shift := uint(0) // of luma in a pair of bytes
	if c.mode.Format == camera.UYVY {
		shift = 8
	}
	for y := 0; y < h; y += 2 {
		top, low := data[y*stride:][:2*w], data[(y+1)*stride:][:2*w]
		line := linePair{
			top: c.img.Y[y*w:][:w], low: c.img.Y[(y+1)*w:][:w],
			cb: c.img.Cb[y/2*w/2:][:w/2], cr: c.img.Cr[y/2*w/2:][:w/2],
		}
		line.unpack(top, low, shift)
	}
	return &c.img, nil
}

// linePair is two lines of luma with the chroma they share.
type linePair struct{ top, low, cb, cr []byte }

func (p linePair) unpack(top, low []byte, shift uint) {
	n := len(p.cb) / 4 * 4 // pairs of pixels done four at a time
	if len(top) < 4*len(p.cb) || len(low) < 4*len(p.cb) || len(p.top) < 2*n || len(p.low) < 2*n || len(p.cr) < n {
		return
	}
	back := 8 - shift
	for i := 0; i < n; i += 4 {
		a, b := binary.LittleEndian.Uint64(top[4*i:]), binary.LittleEndian.Uint64(top[4*i+8:])
		d, e := binary.LittleEndian.Uint64(low[4*i:]), binary.LittleEndian.Uint64(low[4*i+8:])
		binary.LittleEndian.PutUint64(p.top[2*i:], squeeze(a>>shift)|squeeze(b>>shift)<<32)
		binary.LittleEndian.PutUint64(p.low[2*i:], squeeze(d>>shift)|squeeze(e>>shift)<<32)
		chroma := squeeze(mean(a>>back, d>>back)) | squeeze(mean(b>>back, e>>back))<<32
		binary.LittleEndian.PutUint32(p.cb[i:], uint32(squeeze(chroma)))
		binary.LittleEndian.PutUint32(p.cr[i:], uint32(squeeze(chroma>>8)))
	}
	luma := int(shift / 8)
	for i := n; i < len(p.cb); i++ { // what is left of a width that is no multiple of eight
		t, l := top[4*i:][:4], low[4*i:][:4]
		p.top[2*i], p.top[2*i+1] = t[luma], t[luma+2]
		p.low[2*i], p.low[2*i+1] = l[luma], l[luma+2]
		p.cb[i] = byte((int(t[1-luma]) + int(l[1-luma]) + 1) / 2)
		p.cr[i] = byte((int(t[3-luma]) + int(l[3-luma]) + 1) / 2)
	}
}

// evens picks every second byte of eight.
const evens = 0x00ff00ff00ff00ff

// squeeze puts the four even bytes of v together.
func squeeze(v uint64) uint64 {
	v &= evens
	v = (v | v>>8) & 0x0000ffff0000ffff
	return (v | v>>16) & 0x00000000ffffffff
}

// mean of the even bytes of a and b, each.
func mean(a, b uint64) uint64 {
	return (a&evens + b&evens + 0x0001000100010001) >> 1
}

// semiplanar reads NV12: the luma stays where it is, the chroma is taken apart.
func (c *converter) semiplanar(data []byte, stride int) (image.Image, error) {
	w, h := c.mode.Width, c.mode.Height
	if stride < w || len(data) < stride*h+stride*(h/2-1)+w {
		return nil, errPicture
	}
	img := c.img
	img.Y, img.YStride = data[:stride*(h-1)+w], stride
	for y := range h / 2 {
		row := data[stride*(h+y):][:w]
		cb, cr := c.img.Cb[y*w/2:][:w/2], c.img.Cr[y*w/2:][:w/2]
		for len(row) >= 8 && len(cb) >= 4 && len(cr) >= 4 {
			v := binary.LittleEndian.Uint64(row)
			binary.LittleEndian.PutUint32(cb, uint32(squeeze(v)))
			binary.LittleEndian.PutUint32(cr, uint32(squeeze(v>>8)))
			row, cb, cr = row[8:], cb[4:], cr[4:]
		}
		for i := range cb {
			cb[i], cr[i] = row[2*i], row[2*i+1]
		}
	}
	return &img, nil
}

// planar reads I420, all of which stays where it is.
func (c *converter) planar(data []byte, stride int) (image.Image, error) {
	w, h := c.mode.Width, c.mode.Height
	luma, chroma := stride*h, stride/2*(h/2)
	if stride < w || stride%2 != 0 || len(data) < luma+2*chroma-(stride-w)/2 {
		return nil, errPicture
	}
	img := c.img
	img.Y, img.YStride = data[:luma], stride
	img.Cb, img.Cr, img.CStride = data[luma:luma+chroma], data[luma+chroma:], stride/2
	return &img, nil
}

// jpeg reads a JPEG picture of the size that was agreed on; a larger one could ask for any amount of memory.
func (c *converter) jpeg(data []byte) (image.Image, error) {
	head, err := jpeg.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errPicture, err)
	}
	if head.Width != c.mode.Width || head.Height != c.mode.Height {
		return nil, fmt.Errorf("%w: %dx%d instead of %dx%d", errPicture, head.Width, head.Height, c.mode.Width, c.mode.Height)
	}
	// A picture cut short decodes with a grey lower part. A few cameras never write the marker.
	if ended := bytes.LastIndex(data, []byte{0xff, 0xd9}) > bytes.Index(data, []byte{0xff, 0xda}); ended {
		c.ends = true
	} else if c.ends {
		return nil, fmt.Errorf("%w: its end is missing", errPicture)
	}
	img, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil && !bytes.Contains(data, []byte{0xff, 0xc4}) {
		img, err = jpeg.Decode(bytes.NewReader(c.withTables(data)))
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errPicture, err)
	}
	switch img := img.(type) {
	case *image.YCbCr:
		if img.SubsampleRatio == image.YCbCrSubsampleRatio422 {
			return c.halve(img), nil
		}
		return img, nil
	case *image.Gray:
		grey := c.img
		grey.Y, grey.YStride = img.Pix, img.Stride
		for i := range grey.Cb {
			grey.Cb[i], grey.Cr[i] = 128, 128
		}
		return &grey, nil
	}
	return nil, fmt.Errorf("%w: colours of an unusual kind", errPicture)
}

// withTables adds the usual Huffman tables, which many cameras leave out (ITU-T T.81, annex K.3), before the scan. The
// encoder of the standard library writes just these, so they are cut out of a picture of its making.
func (c *converter) withTables(data []byte) []byte {
	if c.tables == nil {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, image.NewYCbCr(image.Rect(0, 0, 8, 8), image.YCbCrSubsampleRatio420), nil); err != nil {
			return data
		}
		if at := bytes.Index(b.Bytes(), []byte{0xff, 0xc4}); at >= 0 {
			size := int(binary.BigEndian.Uint16(b.Bytes()[at+2:]))
			c.tables = b.Bytes()[at : at+2+size]
		}
	}
	scan := bytes.Index(data, []byte{0xff, 0xda})
	if scan < 0 {
		return data
	}
	whole := make([]byte, 0, len(data)+len(c.tables))
	whole = append(whole, data[:scan]...)
	whole = append(whole, c.tables...)
	return append(whole, data[scan:]...)
}

// halve makes 4:2:0 of 4:2:2: each two lines of chroma become their mean.
func (c *converter) halve(img *image.YCbCr) image.Image {
	out := c.img
	out.Y, out.YStride = img.Y, img.YStride
	w := c.mode.Width / 2
	for y := range c.mode.Height / 2 {
		at := 2 * y * img.CStride
		average(c.img.Cb[y*w:][:w], img.Cb[at:][:w], img.Cb[at+img.CStride:][:w])
		average(c.img.Cr[y*w:][:w], img.Cr[at:][:w], img.Cr[at+img.CStride:][:w])
	}
	return &out
}

// average of two lines of the same length as dst.
func average(dst, a, b []byte) {
	for len(dst) >= 8 && len(a) >= 8 && len(b) >= 8 {
		x, y := binary.LittleEndian.Uint64(a), binary.LittleEndian.Uint64(b)
		even, odd := mean(x, y)&evens, mean(x>>8, y>>8)&evens
		binary.LittleEndian.PutUint64(dst, even|odd<<8)
		dst, a, b = dst[8:], a[8:], b[8:]
	}
	for i := range dst {
		dst[i] = byte((int(a[i]) + int(b[i]) + 1) / 2)
	}
}
