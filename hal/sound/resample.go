package sound

import "math"

const (
	taps   = 48  // input samples that make an output sample
	phases = 256 // places between two input samples with a kernel of their own; between them it is interpolated
	// maxPPM is how far a Resampler bends. Crystals of sound cards are within 100.
	maxPPM = 1000
	one    = 30 // bits behind the point of a kernel
	unity  = 1 << one
)

// Resampler turns one stream of samples into another whose rate differs by a little, which may change at any time: a kernel
// of 48 taps (a sinc under a Kaiser window, flat to 20.8 kHz) evaluated at any fraction of a sample. At a ratio of one it gives
// what it got, bit for bit. It works in integers: a box's CPU does those no slower than floats, an emulated one much faster.
type Resampler struct {
	phase
	channels int
	kernel   [][taps]int32 // phases+1 of them
	past     []int16       // interleaved; the first frame is input number phase.first
	mixed    [taps]int64
}

// NewResampler makes one for interleaved frames of so many channels, with a ratio of one.
func NewResampler(channels int) *Resampler {
	r := &Resampler{channels: channels, kernel: kernels()}
	r.Reset()
	return r
}

// Reset forgets what it heard. The ratio stays.
func (r *Resampler) Reset() {
	r.phase.reset()
	r.past = make([]int16, (taps/2-1)*r.channels, 4*Rate/100*r.channels)
}

// SetPPM sets how much faster the input's clock runs than the output's, in parts per million, at most 1000 either way. It
// counts from the next output sample on; the sound has no seam there.
func (r *Resampler) SetPPM(ppm float64) { r.phase.setPPM(ppm) }

// Process appends to dst the frames that src makes possible, about as many as src has. Output lags the input by 24 frames.
func (r *Resampler) Process(dst, src []int16) []int16 {
	r.past = append(r.past, src...)
	r.phase.got(len(src) / r.channels)
	for {
		at, frac, ok := r.phase.next()
		if !ok {
			break
		}
		k := frac >> (32 - 8)
		r.blend(&r.kernel[k], &r.kernel[k+1], int64(frac&(1<<24-1)))
		for ch := range r.channels {
			dst = append(dst, r.dot(r.past[at*r.channels+ch:]))
		}
	}
	drop := r.phase.forget()
	r.past = r.past[:copy(r.past, r.past[drop*r.channels:])]
	return dst
}

// blend mixes two neighbouring kernels; f is the share of the second in 1/2^24.
func (r *Resampler) blend(a, b *[taps]int32, f int64) {
	for i := range taps {
		r.mixed[i] = int64(a[i]) + (int64(b[i]-a[i])*f)>>24
	}
}

// dot is one channel's output sample, from the kernel just mixed.
func (r *Resampler) dot(in []int16) int16 {
	var sum int64 = unity / 2
	if r.channels == 1 {
		in = in[:taps]
		for i, s := range in {
			sum += int64(s) * r.mixed[i]
		}
	} else {
		for i, c := range r.mixed {
			sum += int64(in[i*r.channels]) * c
		}
	}
	return int16(max(min(sum>>one, math.MaxInt16), math.MinInt16))
}

// phase is where a resampler stands in its input, apart from the sound itself.
type phase struct {
	step uint64 // input frames for an output frame, 32.32
	pos  uint64 // of the next output frame, from the first frame kept, 32.32
	have int    // input frames kept, those before the stream's beginning included
	gone int64  // input frames forgotten
}

func (p *phase) reset() {
	*p = phase{step: p.step, have: taps/2 - 1, gone: -(taps/2 - 1)}
	p.pos = (taps/2 - 1) << 32
	if p.step == 0 {
		p.step = 1 << 32
	}
}

func (p *phase) setPPM(ppm float64) {
	p.step = uint64(math.Round((1 << 32) * (1 + max(min(ppm, maxPPM), -maxPPM)/1e6)))
}

func (p *phase) got(frames int) { p.have += frames }

// next is the first input frame of the next output frame's kernel and the place behind its middle; false when more input
// is needed first.
func (p *phase) next() (at int, frac uint32, ok bool) {
	middle := int(p.pos >> 32)
	if middle+taps/2 >= p.have {
		return 0, 0, false
	}
	frac = uint32(p.pos)
	p.pos += p.step
	return middle - (taps/2 - 1), frac, true
}

// forget gives back how many frames at the front are not needed any more.
func (p *phase) forget() int {
	n := int(p.pos>>32) - (taps/2 - 1)
	n = max(min(n, p.have), 0)
	p.pos -= uint64(n) << 32
	p.have -= n
	p.gone += int64(n)
	return n
}

// reads is the input frame, counted from the first one given, that the next output frame stands for.
func (p *phase) reads() float64 {
	return float64(p.gone) + float64(p.pos)/(1<<32)
}

// kernels computes the phases. Kernel k belongs to a place k/phases behind tap taps/2-1; each has a gain of exactly one.
func kernels() [][taps]int32 {
	const beta = 10 // 100 dB
	out := make([][taps]int32, phases+1)
	for k := range out {
		var c [taps]float64
		var sum float64
		for i := range c {
			x := float64(i-(taps/2-1)) - float64(k)/phases
			c[i] = sinc(x) * bessel(beta*math.Sqrt(max(0, 1-x*x/(taps*taps/4)))) / bessel(beta)
			sum += c[i]
		}
		rest := int32(unity)
		for i := range c {
			out[k][i] = int32(math.Round(c[i] / sum * unity))
			rest -= out[k][i]
		}
		out[k][taps/2-1] += rest
	}
	return out
}

func sinc(x float64) float64 {
	if math.Abs(x) < 1e-12 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// bessel is the modified Bessel function of the first kind and order zero, as its power series.
func bessel(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > 1e-16*sum; k++ {
		term *= x / (2 * k) * x / (2 * k)
		sum += term
	}
	return sum
}
