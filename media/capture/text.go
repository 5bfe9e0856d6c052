package capture

import (
	"image"
	"strings"

	"golang.org/x/image/font/inconsolata"
	"golang.org/x/image/math/fixed"
)

// Size of a character cell at scale 1, in pixels.
const (
	glyphWidth  = 8
	glyphHeight = 17
)

// textWidth is the width of s in pixels.
func textWidth(s string, scale int) int { return len([]rune(s)) * glyphWidth * scale }

// fit is the largest scale up to most with which s is not wider than room; at
// least 1, then the text is cut off.
func fit(s string, room, most int) int {
	return max(1, min(most, room/max(1, textWidth(s, 1))))
}

// plane is the luma plane of a picture.
type plane struct {
	pix  []byte
	w, h int
}

// fill sets a rectangle, cut to the plane.
func (p plane) fill(x, y, w, h int, luma byte) {
	x0, x1 := max(x, 0), min(x+w, p.w)
	for row := max(y, 0); row < min(y+h, p.h) && x0 < x1; row++ {
		line := p.pix[row*p.w+x0 : row*p.w+x1]
		for i := range line {
			line[i] = luma
		}
	}
}

// text writes white on what is there, its upper left corner at x, y.
func (p plane) text(g glyphs, x, y, scale int, s string) {
	for _, r := range s {
		p.blend(g.get(r, scale), x, y, (glyphWidth+1)*scale)
		x += glyphWidth * scale
	}
}

// blend lays white over the plane through a mask of w pixels a line.
func (p plane) blend(mask []byte, x, y, w int) {
	for row := range len(mask) / w {
		if y+row < 0 || y+row >= p.h {
			continue
		}
		for col, a := range mask[row*w : (row+1)*w] {
			if a == 0 || x+col < 0 || x+col >= p.w {
				continue
			}
			dst := &p.pix[(y+row)*p.w+x+col]
			*dst = byte(int(*dst) + (235-int(*dst))*int(a)/255)
		}
	}
}

// glyphs keeps enlarged characters, since the time code needs the same dozen
// in every frame.
type glyphs map[glyph][]byte

type glyph struct {
	r     rune
	scale int
}

// get returns the mask of a character, (glyphWidth+1)*scale wide.
func (g glyphs) get(r rune, scale int) []byte {
	key := glyph{r, scale}
	mask, ok := g[key]
	if !ok {
		if len(g) > 1000 { // captions change all day
			clear(g)
		}
		mask = enlarge(r, scale)
		g[key] = mask
	}
	return mask
}

// enlarge scales a character of the font by linear interpolation and then
// steepens the edges, which leaves round, sharp outlines.
func enlarge(r rune, scale int) []byte {
	w, h := (glyphWidth+1)*scale, glyphHeight*scale
	mask := make([]byte, w*h)
	_, src, at, _, ok := inconsolata.Bold8x16.Glyph(fixed.Point26_6{}, r)
	if !ok {
		if r == '?' || strings.TrimSpace(string(r)) == "" {
			return mask
		}
		return enlarge('?', scale)
	}
	alpha := src.(*image.Alpha)
	sample := func(x, y int) int {
		x, y = min(max(x, 0), glyphWidth), min(max(y, 0), glyphHeight-1)
		return int(alpha.AlphaAt(at.X+x, at.Y+y).A)
	}
	for y := range h {
		for x := range w {
			// Twice the distance from the centre of the source pixel, in
			// units of the enlarged one, keeps this in whole numbers.
			u, v := 2*x+1-scale, 2*y+1-scale
			sx, sy := floorDiv(u, 2*scale), floorDiv(v, 2*scale)
			fx, fy := u-sx*2*scale, v-sy*2*scale
			top := sample(sx, sy)*(2*scale-fx) + sample(sx+1, sy)*fx
			low := sample(sx, sy+1)*(2*scale-fx) + sample(sx+1, sy+1)*fx
			a := (top*(2*scale-fy) + low*fy) / (4 * scale * scale)
			mask[y*w+x] = byte(min(max((a-128)*scale+128, 0), 255))
		}
	}
	return mask
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
