package capture

import (
	"fmt"
	"hash/fnv"
	"image"
	"io"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/mediadevices/pkg/frame"
	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"
)

// picture is a mediadevices driver that draws a moving test picture: the house
// and the source's name, large caption lines, the running time of day with a
// frame number, and a block that wanders along the lower edge every 4 s.
type picture struct {
	o       Options
	caption *atomic.Pointer[[]string]

	mu     sync.Mutex
	closed chan struct{}

	at     time.Time // of the last picture
	img    *image.YCbCr
	base   []byte    // luma of all that stands still
	drawn  *[]string // the caption in base
	glyphs glyphs
}

func newPicture(o Options, caption *atomic.Pointer[[]string]) *picture {
	return &picture{o: o, caption: caption, glyphs: glyphs{}}
}

func (p *picture) Open() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = make(chan struct{})
	return nil
}

// Close wakes a Read that waits for its time.
func (p *picture) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed != nil {
		close(p.closed)
		p.closed = nil
	}
	return nil
}

func (p *picture) Properties() []prop.Media {
	return []prop.Media{{Video: prop.Video{
		Width: p.o.Width, Height: p.o.Height, FrameRate: float32(p.o.FPS), FrameFormat: frame.FormatI420,
	}}}
}

// VideoRecord returns a reader paced by the clock. Frame n is due n periods
// after the first, so nothing adds up; frames that are overdue are left out.
// Each image is drawn over the one before it.
func (p *picture) VideoRecord(m prop.Media) (video.Reader, error) {
	p.mu.Lock()
	closed := p.closed
	p.mu.Unlock()
	if closed == nil {
		return nil, fmt.Errorf("test picture %s is not open", p.o.Name)
	}
	p.img = image.NewYCbCr(image.Rect(0, 0, m.Width, m.Height), image.YCbCrSubsampleRatio420)
	p.base = make([]byte, len(p.img.Y))
	p.drawn = nil
	p.colour()
	tick := newPacer(time.Second / time.Duration(p.o.FPS))
	return video.ReaderFunc(func() (image.Image, func(), error) {
		n, ok := tick.wait(closed)
		if !ok {
			return nil, func() {}, io.EOF
		}
		p.at = time.Now()
		p.draw(p.at, n)
		return p.img, func() {}, nil
	}), nil
}

func (p *picture) taken() time.Time { return p.at }

func (p *picture) setting() (string, float64) {
	return fmt.Sprintf("test picture %dx%d at %d/s", p.o.Width, p.o.Height, p.o.FPS), float64(p.o.FPS)
}

// colour fills the chroma planes with a muted colour of the source's own.
func (p *picture) colour() {
	h := fnv.New32a()
	h.Write([]byte(p.o.Name))
	sin, cos := math.Sincos(float64(h.Sum32()%360) * math.Pi / 180)
	cb, cr := byte(128+20*cos), byte(128+20*sin)
	for i := range p.img.Cb {
		p.img.Cb[i], p.img.Cr[i] = cb, cr
	}
}

// draw renders frame n as of now.
func (p *picture) draw(now time.Time, n uint64) {
	if c := p.caption.Load(); c != p.drawn {
		p.drawBase(*c)
		p.drawn = c
	}
	copy(p.img.Y, p.base)
	w, h := p.img.Rect.Dx(), p.img.Rect.Dy()
	luma := plane{pix: p.img.Y, w: w, h: h}
	unit := max(1, h/180)

	code := fmt.Sprintf("%s #%06d", now.Format("15:04:05.000"), n%1_000_000)
	scale := fit(code, w-16*unit, 2*unit)
	luma.text(p.glyphs, 8*unit, h-14*unit-glyphHeight*scale, scale, code)

	// The block's place follows the clock and not the frame number, so that
	// pictures left out show as a jump.
	const lap = 4 * time.Second
	size := 8 * unit
	x := int(now.UnixNano() % int64(lap) * int64(w-size) / int64(lap))
	luma.fill(x, h-10*unit, size, size, 235)
}

// drawBase renders what stands still.
func (p *picture) drawBase(caption []string) {
	w, h := p.img.Rect.Dx(), p.img.Rect.Dy()
	luma := plane{pix: p.base, w: w, h: h}
	for y := range h {
		luma.fill(0, y, w, 1, byte(64-32*y/h))
	}
	unit := max(1, h/180)
	luma.fill(0, 20*unit, w, max(1, unit/2), 160)
	luma.fill(0, h-10*unit, w, 8*unit, 24)

	room := w - 16*unit
	name := fit(p.o.Name, room/2, unit)
	luma.text(p.glyphs, w-8*unit-textWidth(p.o.Name, name), 2*unit, name, p.o.Name)
	luma.text(p.glyphs, 8*unit, 2*unit, fit(p.o.House, room/2, unit), p.o.House)
	y := 30 * unit
	for _, line := range caption {
		scale := fit(line, room, 2*unit)
		luma.text(p.glyphs, 8*unit, y, scale, line)
		y += (glyphHeight + 3) * scale
	}
}

// pacer wakes its one user at whole periods since it was made.
type pacer struct {
	period time.Duration
	start  time.Time
	n      uint64
	timer  *time.Timer
}

func newPacer(period time.Duration) *pacer {
	return &pacer{period: period, start: time.Now()}
}

// wait returns the number of the period that has begun, or false when done is
// closed first. It never returns the same number twice; numbers whose time was
// missed are left out.
func (t *pacer) wait(done <-chan struct{}) (uint64, bool) {
	due := t.start.Add(time.Duration(t.n) * t.period)
	if t.timer == nil {
		t.timer = time.NewTimer(time.Until(due))
	} else {
		t.timer.Reset(time.Until(due))
	}
	select {
	case <-done:
		t.timer.Stop()
		return 0, false
	case <-t.timer.C:
	}
	n := max(t.n, uint64(time.Since(t.start)/t.period))
	t.n = n + 1
	return n, true
}
