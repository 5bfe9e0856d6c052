package bench

import (
	"math"
	"math/rand/v2"
)

// film is what a hall's camera sees, as raw pictures in YUYV: a wall with windows, rows of benches, people who sway on
// their seats and one who walks up and down in front, under the noise of a sensor. It ends where it begins.
type film struct {
	w, h      int
	y, cb, cr []byte // the picture being drawn, without noise; chroma for each two pixels of a line
	noise     [1 << 16]int8
	random    *rand.PCG
}

// shoot makes n pictures; the same ones each time.
func shoot(w, h, n int) [][]byte {
	f := &film{w: w, h: h, y: make([]byte, w*h), cb: make([]byte, w*h/2), cr: make([]byte, w*h/2), random: rand.NewPCG(7, 20)}
	rnd := rand.New(f.random)
	for i := range f.noise { // about what a webcam shows in the light of an office
		f.noise[i] = int8(math.Round(min(3, max(-3, rnd.NormFloat64())) * 2))
	}
	f.hall()
	y, cb, cr := append([]byte(nil), f.y...), append([]byte(nil), f.cb...), append([]byte(nil), f.cr...)
	var all [][]byte
	for i := range n {
		copy(f.y, y)
		copy(f.cb, cb)
		copy(f.cr, cr)
		f.people(2 * math.Pi * float64(i) / float64(n))
		all = append(all, f.expose())
	}
	return all
}

// hall draws what does not move.
func (f *film) hall() {
	for row := range f.h {
		for x := range f.w {
			light := 150 - 50*math.Hypot(float64(x-f.w/2)/float64(f.w), float64(row-f.h/3)/float64(f.h))
			light += 3 * math.Sin(float64(x)/7+2*math.Sin(float64(row)/90)) // panels of wood
			f.dot(x, row, byte(light), 118, 138)
		}
	}
	for i := range 3 {
		f.box(f.w/12+i*f.w*4/13, f.h/12, f.w/8, f.h/4, 220, 132, 124)
	}
	for i := range 3 {
		f.box(0, f.h/2+i*f.h/6, f.w, f.h/16, byte(84-14*i), 114, 144)
	}
}

// people draws those who move; phase goes once around in the whole film.
func (f *film) people(phase float64) {
	for row := range 3 {
		for i := range 6 {
			sway := 4 * math.Sin(phase+float64(5*row+3*i))
			f.person((float64(i)+0.6)*float64(f.w)/6.4+sway, float64(f.h)*(0.46+float64(row)/6), float64(f.h)/30, byte(60+9*i))
		}
	}
	f.person(float64(f.w)*(0.5+0.06*math.Sin(phase)), float64(f.h)*(0.42+0.01*math.Cos(2*phase)), float64(f.h)/11, 48)
}

// person draws a head, of the given radius, on shoulders.
func (f *film) person(x, y, r float64, coat byte) {
	f.oval(x, y+2.6*r, 1.7*r, 1.8*r, coat, 130, 124)
	f.oval(x, y, 0.8*r, r, 165, 108, 152)
	f.oval(x, y-0.6*r, 0.8*r, 0.5*r, 40, 126, 132)
}

func (f *film) oval(cx, cy, rx, ry float64, y, cb, cr byte) {
	for row := max(0, int(cy-ry)); row <= min(f.h-1, int(cy+ry)); row++ {
		for x := max(0, int(cx-rx)); x <= min(f.w-1, int(cx+rx)); x++ {
			dx, dy := (float64(x)-cx)/rx, (float64(row)-cy)/ry
			if dx*dx+dy*dy <= 1 {
				f.dot(x, row, byte(float64(y)*(1-0.25*dx)), cb, cr)
			}
		}
	}
}

func (f *film) box(left, top, w, h int, y, cb, cr byte) {
	for row := top; row < min(f.h, top+h); row++ {
		for x := left; x < min(f.w, left+w); x++ {
			f.dot(x, row, y, cb, cr)
		}
	}
}

func (f *film) dot(x, row int, y, cb, cr byte) {
	at := row*f.w + x
	f.y[at], f.cb[at/2], f.cr[at/2] = y, cb, cr
}

// expose adds the noise.
func (f *film) expose() []byte {
	out := make([]byte, 2*f.w*f.h)
	for i := 0; i < len(out); i += 4 {
		r := f.random.Uint64()
		noise := func(v byte, shift uint) byte { return byte(min(235, max(16, int(v)+int(f.noise[uint16(r>>shift)])))) }
		out[i], out[i+2] = noise(f.y[i/2], 0), noise(f.y[i/2+1], 16)
		out[i+1], out[i+3] = noise(f.cb[i/4], 32), noise(f.cr[i/4], 48)
	}
	return out
}
