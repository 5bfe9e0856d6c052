package sound

import (
	"cmp"
	"math"
	"slices"
	"time"
)

const (
	// blocks of a second each are kept: three minutes.
	maxBlocks = 180
	// priorPPM is how far off we hold a card for likely before anything is measured.
	priorPPM = 150
	// noiseFloor is the least error that positions are believed to have, in s.
	noiseFloor = 50e-6
)

// Drift measures a card's clock against the box's from pairs of positions and times. It fits a line to the earliest point of
// each second over the last three minutes: what delays a reading only ever makes it late. Before there is enough to tell, a
// card is taken for right (the fit is drawn towards 0 ppm, or towards what was known before a Break). The zero value is ready.
type Drift struct {
	origin time.Time
	block  mark    // the present second's earliest point
	since  float64 // where it began
	open   bool
	marks  []mark
	odd    []mark // the latest, when they are far from the fit

	slope, offset float64 // lateness = offset + slope * position
	sigma         float64 // of slope
	prior         float64
	priorSigma    float64
}

// mark is a point: a position in seconds of the card, and how late it came beside a card of exactly 48 kHz, in s.
type mark struct{ x, y float64 }

// Add tells that the card was at a position, in frames since the last Break, at a time.
func (d *Drift) Add(frames int64, at time.Time) {
	x := float64(frames) / Rate
	if d.origin.IsZero() {
		d.origin = at.Add(-seconds(x))
		if d.priorSigma == 0 {
			d.priorSigma = priorPPM * 1e-6
		}
		d.slope, d.sigma = d.prior, d.priorSigma
	}
	p := mark{x, at.Sub(d.origin).Seconds() - x}
	if d.open && x-d.since >= 1 {
		d.close()
	}
	switch {
	case !d.open:
		d.block, d.since, d.open = p, x, true
	case d.late(p) < d.late(d.block):
		d.block = p
	default:
		return
	}
	if len(d.marks) == 0 {
		d.offset = d.block.y - d.slope*d.block.x // the earliest so far
	}
}

// late is how far a point is behind the fit.
func (d *Drift) late(p mark) float64 { return p.y - d.offset - d.slope*p.x }

// close ends a second.
func (d *Drift) close() {
	d.open = false
	if !d.near(d.block) {
		return
	}
	d.marks = append(d.marks, d.block)
	if over := len(d.marks) - maxBlocks; over > 0 {
		d.marks = slices.Delete(d.marks, 0, over)
	}
	d.fit()
	if d.moved() {
		// The clock changed its rate, or frames got lost unseen: what was before counts no more.
		d.marks = slices.Delete(d.marks, 0, len(d.marks)-recent)
		d.prior, d.priorSigma = d.slope, 4*priorPPM*1e-6
		d.fit()
	}
}

const (
	leap  = 5e-3 // s that no clock gains in a second
	agree = 3    // seconds that must tell of the same leap
)

// near says whether a point can be the next. One that leaps was only told late, unless those after it leap as far: then the
// card skipped some frames unseen, or was stopped, and all points before are moved to where it is now.
func (d *Drift) near(p mark) bool {
	if len(d.marks) == 0 || math.Abs(d.late(p)) < leap {
		d.odd = d.odd[:0]
		return true
	}
	d.odd = append(d.odd, p)
	if len(d.odd) < agree {
		return false
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, o := range d.odd {
		low, high = min(low, d.late(o)), max(high, d.late(o))
	}
	if high-low > leap {
		d.odd = slices.Delete(d.odd, 0, 1)
		return false
	}
	for i := range d.marks {
		d.marks[i].y += low
	}
	d.offset += low
	d.marks = append(d.marks, d.odd[:agree-1]...)
	d.odd = d.odd[:0]
	return true
}

// recent is how many seconds in a row must disagree with the fit before they win.
const recent = 6

// moved says whether the latest seconds all lie on one side of the fit, far out.
func (d *Drift) moved() bool {
	if len(d.marks) < 3*recent {
		return false
	}
	noise := d.noise(d.marks[:len(d.marks)-recent])
	sign := 0.0
	for _, p := range d.marks[len(d.marks)-recent:] {
		r := d.late(p)
		if math.Abs(r) < max(6*noise, 500e-6) || r*sign < 0 {
			return false
		}
		sign = r
	}
	return true
}

// noise is the spread of points around the fit, from the median so that few far ones do not count.
func (d *Drift) noise(marks []mark) float64 {
	far := make([]float64, len(marks))
	for i, p := range marks {
		far[i] = math.Abs(d.late(p))
	}
	slices.Sort(far)
	return max(1.48*far[len(far)/2], noiseFloor)
}

// fit draws the line twice: through all points, then without those far from it.
func (d *Drift) fit() {
	d.line(d.marks)
	noise := d.noise(d.marks)
	near := slices.DeleteFunc(slices.Clone(d.marks), func(p mark) bool { return math.Abs(d.late(p)) > 4*noise })
	if len(near) >= len(d.marks)/2 && len(near) > 0 {
		d.line(near)
	}
}

// line is least squares, drawn towards the prior slope by as much as the points' noise asks for.
func (d *Drift) line(marks []mark) {
	n := float64(len(marks))
	var mx, my, sxx, sxy float64
	for _, p := range marks {
		mx += p.x / n
		my += p.y / n
	}
	for _, p := range marks {
		sxx += (p.x - mx) * (p.x - mx)
		sxy += (p.x - mx) * (p.y - my - d.prior*(p.x-mx))
	}
	var rss float64
	slope := d.prior
	if sxx > 0 {
		slope += sxy / sxx
	}
	for _, p := range marks {
		r := p.y - my - slope*(p.x-mx)
		rss += r * r
	}
	// Two of the points are used up by the line; few points look better than they are.
	variance := max(rss/max(n-2, 1), noiseFloor*noiseFloor)
	if n < 8 {
		variance = max(variance, 1e-6*(8-n)/8)
	}
	weight := variance / (d.priorSigma * d.priorSigma)
	d.slope = d.prior + sxy/(sxx+weight)
	d.offset = my - d.slope*mx
	d.sigma = math.Sqrt(variance / (sxx + weight))
}

// Break tells that the positions begin anew, after a standstill. What is known of the rate stays.
func (d *Drift) Break() {
	if d.origin.IsZero() {
		return
	}
	*d = Drift{prior: d.slope, priorSigma: d.sigma + 2e-6, slope: d.slope, sigma: d.sigma + 2e-6}
	if d.priorSigma > priorPPM*1e-6/4 {
		*d = Drift{} // that little is as good as nothing
	}
}

// Clock is the measurement so far.
func (d *Drift) Clock() Clock {
	c := Clock{PPM: (1/(1+d.slope) - 1) * 1e6, Sigma: cmp.Or(d.sigma*1e6, priorPPM)}
	if n := len(d.marks); n > 0 {
		c.Over = seconds(d.marks[n-1].x - d.marks[0].x)
	}
	return c
}

// At is when the card was at a position, by the fit. It is the zero time before the first Add.
func (d *Drift) At(frames float64) time.Time {
	if d.origin.IsZero() {
		return time.Time{}
	}
	x := frames / Rate
	return d.origin.Add(seconds(x + d.offset + d.slope*x))
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
