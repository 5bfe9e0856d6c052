package camera

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxInputs keeps a driver that never stops counting from keeping us.
const maxInputs = 64

// selectInput switches to the input that the spec names.
func (c *Camera) selectInput() error {
	if c.input == "" {
		return nil
	}
	var names []string
	for i := range uint32(maxInputs) {
		in := input{Index: i}
		if c.ioctl(enumInput, unsafe.Pointer(&in)) != nil {
			break
		}
		name := text(in.Name[:])
		if c.input != strconv.Itoa(int(i)) && !strings.EqualFold(c.input, name) {
			names = append(names, fmt.Sprintf("%d (%s)", i, name))
			continue
		}
		wanted := int32(i)
		if err := c.ioctl(setInput, unsafe.Pointer(&wanted)); err != nil {
			return fmt.Errorf("choosing input %q: %w", name, explain(err))
		}
		return nil
	}
	if len(names) == 0 {
		return fmt.Errorf("%w %q: it has none to choose from, leave it out", ErrInput, c.input)
	}
	return fmt.Errorf("%w %q: choose from %s", ErrInput, c.input, strings.Join(names, ", "))
}

// prepare sets input and timings for the question what modes there are. While the camera is streaming, for us or another, it
// has them already.
func (c *Camera) prepare() error {
	c.mu.RLock()
	started := c.stream != nil
	c.mu.RUnlock()
	if started {
		return nil
	}
	if err := c.selectInput(); err != nil {
		return err
	}
	if err := c.checkSource(nil); err != nil {
		return err
	}
	if _, err := c.followSource(); !errors.Is(err, ErrBusy) {
		return err
	}
	return nil
}

// source asks about the input that is set. Without inputs, as in most drivers for single cameras, ok is false.
func (c *Camera) source() (in input, ok bool, err error) {
	var index int32
	err = c.ioctl(getInput, unsafe.Pointer(&index))
	if err == nil {
		in.Index = uint32(index)
		err = c.ioctl(enumInput, unsafe.Pointer(&in))
	}
	if errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EINVAL) {
		return input{}, false, nil
	}
	return in, err == nil, err
}

// checkSource says whether the input has a signal, and, once timings were set, whether it is still the same one.
func (c *Camera) checkSource(set *timings) error {
	in, ok, err := c.source()
	if err != nil {
		return explain(err)
	}
	if !ok {
		return nil
	}
	if words := in.trouble(); words != "" {
		return fmt.Errorf("%w (%s: %s)", ErrNoSignal, text(in.Name[:]), words)
	}
	if set == nil {
		return nil
	}
	now, err := c.measure(in)
	if err != nil {
		return err
	}
	if now != nil && !now.same(set) {
		return fmt.Errorf("%w (it was %v, now it is %v)", ErrChanged, set, now)
	}
	return nil
}

// trouble says what is wrong with the signal; "" when nothing is.
func (in *input) trouble() string {
	for _, t := range []struct {
		bits  uint32
		words string
	}{
		{inputNoPower, "no power"},
		{inputNoSignal, "no signal"},
		{inputNoCarrier, "no carrier"},
		{inputNoSync | inputNoHLock | inputNoVLock, "no stable picture: the card cannot lock to it"},
	} {
		if in.Status&t.bits != 0 {
			return t.words
		}
	}
	return ""
}

// measure asks a digital input (HDMI, SDI) what timings its signal has; nil where the driver does not measure now.
func (c *Camera) measure(in input) (*timings, error) {
	if in.Capabilities&inputTimings == 0 {
		return nil, nil
	}
	var t timings
	err := c.ioctl(queryTimings, unsafe.Pointer(&t))
	words := ""
	switch {
	case err == nil:
		return &t, nil
	case errors.Is(err, unix.ENOLINK):
		words = "nothing is connected"
	case errors.Is(err, unix.ENOLCK):
		words = "the signal is not stable"
	case errors.Is(err, unix.ERANGE):
		words = "its size or rate is beyond what the card takes: set the source to 1080p or less"
	case errors.Is(err, unix.ENODATA), errors.Is(err, unix.ENOTTY), errors.Is(err, unix.EBUSY):
		return nil, nil
	default:
		return nil, explain(err)
	}
	return nil, fmt.Errorf("%w (%s: %s)", ErrNoSignal, text(in.Name[:]), words)
}

// followSource sets a digital input to the signal that is there. It returns what was set; nil for inputs that need none.
func (c *Camera) followSource() (*timings, error) {
	in, ok, err := c.source()
	if err != nil {
		return nil, explain(err)
	}
	if !ok {
		return nil, nil
	}
	t, err := c.measure(in)
	if t == nil || err != nil {
		return nil, err
	}
	if t.Interlaced != 0 {
		return nil, fmt.Errorf("%w: %s has %v interlaced; set the source to progressive", ErrFormat, text(in.Name[:]), t)
	}
	if err := c.ioctl(setTimings, unsafe.Pointer(t)); err != nil {
		return nil, fmt.Errorf("setting %s to %v: %w", text(in.Name[:]), t, explain(err))
	}
	return t, nil
}

func (t *timings) clock() uint64 { return uint64(t.PixelClock[0]) | uint64(t.PixelClock[1])<<32 }

// rate is the number of pictures a second.
func (t *timings) rate() float64 {
	line := uint64(t.Width) + uint64(t.HFrontPorch) + uint64(t.HSync) + uint64(t.HBackPorch)
	field := uint64(t.Height) + uint64(t.VFrontPorch) + uint64(t.VSync) + uint64(t.VBackPorch)
	if line == 0 || field == 0 {
		return 0
	}
	return float64(t.clock()) / float64(line) / float64(field)
}

// same allows for a measured clock that is off by half a percent, which the difference between 60 and 59.94 frames/s is within.
func (t *timings) same(o *timings) bool {
	a, b := float64(t.clock()), float64(o.clock())
	return t.Width == o.Width && t.Height == o.Height && t.Interlaced == o.Interlaced && max(a, b)-min(a, b) <= 0.005*max(a, b)
}

func (t *timings) String() string {
	return fmt.Sprintf("%dx%d at %.4g/s", t.Width, t.Height, t.rate())
}
