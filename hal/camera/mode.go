package camera

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Format is a picture format by V4L2's four letters.
type Format string

// The formats this house can use.
const (
	YUYV Format = "YUYV" // packed 4:2:2
	UYVY Format = "UYVY" // packed 4:2:2, chroma first
	NV12 Format = "NV12" // luma plane, then one plane of interleaved chroma, 4:2:0
	YU12 Format = "YU12" // I420: three planes, 4:2:0
	MJPG Format = "MJPG" // a JPEG picture each
	H264 Format = "H264" // an access unit each, with start codes (ITU-T H.264, annex B)
)

// formats lists them in the order of what they cost.
func formats() []Format { return []Format{YU12, NV12, YUYV, UYVY, H264, MJPG} }

// code is the number the kernel knows a format by; 0 when it is not four letters.
func (f Format) code() uint32 {
	if len(f) != 4 {
		return 0
	}
	return uint32(f[0]) | uint32(f[1])<<8 | uint32(f[2])<<16 | uint32(f[3])<<24
}

// formatOf names a format of the kernel's; letters that cannot be printed become dots.
func formatOf(code uint32) Format {
	b := [4]byte{byte(code), byte(code >> 8), byte(code >> 16), byte(code >> 24)}
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '.'
		}
	}
	return Format(b[:])
}

// Mode is a way a camera gives pictures.
type Mode struct {
	Format        Format
	Width, Height int     // pixels
	Rate          float64 // frames/s; 0: not known
}

// String says the mode as people do: "YUYV 640x360 at 25/s".
func (m Mode) String() string {
	return fmt.Sprintf("%s %dx%d at %s/s", m.Format, m.Width, m.Height, strconv.FormatFloat(math.Round(m.Rate*100)/100, 'f', -1, 64))
}

// A driver that never stops counting must not keep us.
const (
	maxFormats = 64
	maxChoices = 256 // sizes of a format, rates of a size
)

// Modes lists what the camera gives in formats that can be used, at the input that the spec names or else is set; a digital
// input (HDMI, SDI) is set to its signal first, and without a signal the error is ErrNoSignal. Where the driver names only limits, the
// usual sizes and rates within them are listed. The error is ErrFormat, naming what there is, when nothing can be used.
func (c *Camera) Modes() ([]Mode, error) {
	if err := c.prepare(); err != nil {
		return nil, fmt.Errorf("camera %s: %w", c.spec, err)
	}
	has, err := c.formats()
	if err != nil {
		return nil, fmt.Errorf("asking camera %s for its modes: %w", c.spec, explain(err))
	}
	var modes []Mode
	for _, f := range has {
		if !slices.Contains(formats(), f) {
			continue
		}
		for _, size := range c.sizes(f) {
			for _, rate := range c.rates(f, size[0], size[1]) {
				modes = append(modes, Mode{Format: f, Width: size[0], Height: size[1], Rate: rate})
			}
		}
	}
	if len(modes) == 0 {
		return nil, fmt.Errorf("camera %s: %w", c.spec, unusable(has))
	}
	return modes, nil
}

func unusable(has []Format) error {
	return fmt.Errorf("%w; usable are %s, it has %s", ErrFormat, join(formats()), cmp.Or(join(has), "none"))
}

func join(f []Format) string {
	s := make([]string, len(f))
	for i := range f {
		s[i] = strings.TrimSpace(string(f[i]))
	}
	return strings.Join(s, " ")
}

// formats lists all picture formats of the camera, usable or not.
func (c *Camera) formats() ([]Format, error) {
	var has []Format
	for i := range uint32(maxFormats) {
		d := formatDesc{Index: i, Type: bufCapture}
		err := c.ioctl(enumFormat, unsafe.Pointer(&d))
		if errors.Is(err, unix.EINVAL) {
			break
		}
		if err != nil {
			return nil, err
		}
		has = append(has, formatOf(d.PixelFormat))
	}
	return has, nil
}

// sizes lists widths and heights of a format, or the size that is set when the driver does not say.
func (c *Camera) sizes(f Format) [][2]int {
	var sizes [][2]int
	for i := range uint32(maxChoices) {
		s := frameSizes{Index: i, PixelFormat: f.code()}
		if c.ioctl(enumSizes, unsafe.Pointer(&s)) != nil {
			break
		}
		if s.Type != sizeDiscrete {
			sizes = s.choose()
			break
		}
		sizes = append(sizes, [2]int{int(s.MinWidth), int(s.MaxWidth)})
	}
	current := format{Type: bufCapture}
	if len(sizes) == 0 && c.ioctl(getFormat, unsafe.Pointer(&current)) == nil {
		sizes = append(sizes, [2]int{int(current.Pix.Width), int(current.Pix.Height)})
	}
	return slices.DeleteFunc(sizes, func(s [2]int) bool { return s[0] < 1 || s[1] < 1 || s[0] > 16384 || s[1] > 16384 })
}

// choose names usual sizes within the driver's limits.
func (s *frameSizes) choose() [][2]int {
	usual := [][2]int{{320, 180}, {320, 240}, {640, 360}, {640, 480}, {800, 600}, {960, 540}, {1024, 768}, {1280, 720}, {1280, 1024}, {1920, 1080}, {3840, 2160}}
	fits := func(v int, lo, hi, step uint32) bool {
		return v >= int(lo) && v <= int(hi) && (step == 0 || (v-int(lo))%int(step) == 0)
	}
	sizes := slices.DeleteFunc(usual, func(v [2]int) bool {
		return !fits(v[0], s.MinWidth, s.MaxWidth, s.StepWidth) || !fits(v[1], s.MinHeight, s.MaxHeight, s.StepHeight)
	})
	if len(sizes) == 0 {
		sizes = [][2]int{{int(s.MaxWidth), int(s.MaxHeight)}}
	}
	return sizes
}

// rates lists frame rates of a size, highest first; a single 0 when the driver does not say. A capture card's rate is that of
// the signal.
func (c *Camera) rates(f Format, width, height int) []float64 {
	var rates []float64
	for i := range uint32(maxChoices) {
		v := frameIntervals{Index: i, PixelFormat: f.code(), Width: uint32(width), Height: uint32(height)}
		if c.ioctl(enumIntervals, unsafe.Pointer(&v)) != nil {
			break
		}
		if v.Type != intervalDiscrete {
			rates = v.choose()
			break
		}
		rates = append(rates, v.Min.rate())
	}
	rates = slices.DeleteFunc(rates, func(r float64) bool { return r <= 0 })
	slices.SortFunc(rates, func(a, b float64) int { return cmp.Compare(b, a) })
	if len(rates) == 0 {
		return []float64{0}
	}
	return rates
}

// choose names usual rates within the driver's limits. The shortest interval is the highest rate.
func (v *frameIntervals) choose() []float64 {
	usual := []float64{60, 50, 30, 25, 24, 20, 15, 10, 5}
	lo, hi := v.Max.rate(), v.Min.rate()
	rates := slices.DeleteFunc(usual, func(r float64) bool { return r < lo*0.999 || r > hi*1.001 })
	if len(rates) == 0 {
		return []float64{hi}
	}
	return rates
}

// rate of a frame interval in frames/s; 0 when it is none.
func (f fraction) rate() float64 {
	if f.Numerator == 0 || f.Denominator == 0 {
		return 0
	}
	return float64(f.Denominator) / float64(f.Numerator)
}

// interval is the exact frame interval of a rate: whole rates, those of television (30000/1001), else to a thousandth.
func interval(rate float64) fraction {
	if whole := math.Round(rate); math.Abs(rate-whole) < 1e-3 {
		return fraction{1, uint32(whole)}
	}
	if whole := math.Round(rate * 1.001); math.Abs(rate*1.001-whole) < 1e-3 {
		return fraction{1001, uint32(whole) * 1000}
	}
	return fraction{1000, uint32(math.Round(rate * 1000))}
}
