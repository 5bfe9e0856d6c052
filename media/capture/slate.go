package capture

import (
	"context"
	"errors"
	"image"
	"strings"
	"time"

	"github.com/pion/rtp"
)

const (
	slateRate = 2       // pictures a second
	slateBits = 200_000 // bit/s at most; nothing moves
	maxLine   = 200     // bytes of a line; more cannot be read
)

// Slate stands in for a camera that gives no picture: it gives write a neutral picture with the lines in large letters, 2 frames/s
// of VP8, a key frame first and after RequestKey, until ctx ends; then it returns ctx.Err(). Sequence numbers and timestamps go on
// from the camera's and Run's go on from these. Run and Slate are not to be called at the same time. Lines that are too long are
// broken between words.
func (s *Source) Slate(ctx context.Context, write func(*rtp.Packet), lines ...string) error {
	if s.vp8 == nil {
		return errors.New("a slate stands in for a camera only")
	}
	s.stream.carry(PayloadVP8, s.vp8)
	img := drawSlate(s.o.Width, s.o.Height, s.o.House, lines)
	e := encoding{s: s}
	defer e.close()
	if err := e.open(img.Rect.Size(), slateRate, min(s.o.BitRate, slateBits)); err != nil {
		return err
	}
	tick := newPacer(time.Second / slateRate)
	for {
		if _, ok := tick.wait(ctx.Done()); !ok || ctx.Err() != nil {
			return ctx.Err()
		}
		if err := e.send(img, time.Now(), write); err != nil {
			return err
		}
	}
}

// Colours of the slate, a dark grey-blue, in the limited range of ITU-R BT.601.
const (
	slateY, slateCb, slateCr = 44, 136, 123
	slateLine                = 90 // luma of the line below the house's name
)

// drawSlate lays the house's name small at the top and the lines as large as they fit in the middle.
func drawSlate(w, h int, house string, lines []string) *image.YCbCr {
	img := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio420)
	luma, g := plane{pix: img.Y, w: w, h: h}, glyphs{}
	luma.fill(0, 0, w, h, slateY)
	for i := range img.Cb {
		img.Cb[i], img.Cr[i] = slateCb, slateCr
	}
	unit := max(1, h/180)
	margin := 8 * unit
	top := 0
	if house != "" {
		small := fit(house, w-2*margin, unit)
		top = margin/2 + glyphHeight*small + margin/2
		luma.text(g, (w-textWidth(house, small))/2, margin/2, small, house)
		luma.fill(margin, top, w-2*margin, unit, slateLine)
	}
	rows, scale := arrange(lines, w-2*margin, h-top-2*margin, 3*unit)
	step := (glyphHeight + 3) * scale
	y := top + (h-top-len(rows)*step)/2
	for _, row := range rows {
		luma.text(g, (w-textWidth(row, scale))/2, y, scale, row)
		y += step
	}
	return img
}

// arrange breaks lines into rows so that they fit into w by h pixels in letters as large as possible, most times the font's at
// best. At scale 1 what does not fit is cut off.
func arrange(lines []string, w, h, most int) (rows []string, scale int) {
	for scale = most; ; scale-- {
		rows = rows[:0]
		whole := true
		for _, line := range lines {
			broken, ok := wrap(line, w/(glyphWidth*scale))
			rows = append(rows, broken...)
			whole = whole && ok && len(broken) <= 2
		}
		if scale == 1 || whole && len(rows)*(glyphHeight+3)*scale <= h {
			return rows, scale
		}
	}
}

// wrap breaks a line between words into as few rows of at most width characters as it can, about equally long. It reports
// whether no word is longer than that.
func wrap(line string, width int) (rows []string, ok bool) {
	words := strings.Fields(line[:min(len(line), maxLine)])
	rows = fill(words, width)
	for narrow := width - 1; narrow > 0; narrow-- {
		even := fill(words, narrow)
		if len(even) > len(rows) || longest(even) > narrow {
			break
		}
		rows = even
	}
	for i := range len(rows) - 1 {
		rows[i] = strings.TrimSuffix(rows[i], " ·") // the break parts them well enough
	}
	return rows, longest(rows) <= width
}

// fill puts as many words into each row as there is room for, and at least one.
func fill(words []string, width int) (rows []string) {
	for _, word := range words {
		if n := len(rows); n > 0 && textWidth(rows[n-1]+" "+word, 1) <= width*glyphWidth {
			rows[n-1] += " " + word
			continue
		}
		rows = append(rows, word)
	}
	return rows
}

// longest is the length of the longest row, in characters.
func longest(rows []string) int {
	n := 0
	for _, row := range rows {
		n = max(n, len([]rune(row)))
	}
	return n
}
