package capture

import (
	"errors"
	"fmt"
	"image"
	"time"

	"github.com/pion/mediadevices/pkg/frame"
	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"

	"plenum/hal/camera"
)

// ErrDamaged: more than half of the camera's pictures came damaged for 2 s.
var ErrDamaged = errors.New("most pictures come damaged: check the camera's cable and that its USB bus is not overloaded")

// Device is what is needed of a *camera.Camera; its methods are explained there.
type Device interface {
	Modes() ([]camera.Mode, error)
	Start(camera.Mode) (camera.Mode, error)
	Read() (camera.Frame, error)
	ForceKey() error
	Close() error
}

// formatH264 is not among mediadevices' formats: it never decodes it, and neither do we.
const formatH264 frame.Format = "H264"

// formatNames gives the names that mediadevices has for the kernel's formats.
func formatNames() map[camera.Format]frame.Format {
	return map[camera.Format]frame.Format{
		camera.YUYV: frame.FormatYUYV, camera.UYVY: frame.FormatUYVY, camera.NV12: frame.FormatNV12, camera.YU12: frame.FormatI420,
		camera.MJPG: frame.FormatMJPEG, camera.H264: formatH264,
	}
}

// lens is the mediadevices driver of a real camera.
type lens struct {
	open func() (Device, error)
	eye  *eye
	want int // pictures a second

	dev    Device
	modes  []camera.Mode
	mode   camera.Mode // agreed on
	damage damage
	pace   pace
	at     time.Time // of the last picture, by the kernel
	broke  bool      // pictures are missing before the last one
}

func (l *lens) Open() error {
	dev, err := l.open()
	if err != nil {
		return err
	}
	if l.modes, err = dev.Modes(); err != nil {
		return errors.Join(err, dev.Close())
	}
	l.dev = dev
	return nil
}

// Close wakes a Read.
func (l *lens) Close() error {
	if l.dev == nil {
		return nil
	}
	return l.dev.Close()
}

func (l *lens) Properties() []prop.Media {
	names := formatNames()
	var all []prop.Media
	for _, m := range l.modes {
		all = append(all, prop.Media{Video: prop.Video{Width: m.Width, Height: m.Height, FrameRate: float32(m.Rate), FrameFormat: names[m.Format]}})
	}
	return all
}

// start makes the camera stream; the mode agreed on is in l.mode then.
func (l *lens) start(p prop.Media) error {
	want := camera.Mode{Width: p.Width, Height: p.Height, Rate: float64(p.FrameRate)}
	for name, format := range formatNames() {
		if format == p.FrameFormat {
			want.Format = name
		}
	}
	if want.Rate < 1 {
		want.Rate = float64(l.want) // the driver does not say which rates there are
	}
	got, err := l.dev.Start(want)
	if err != nil {
		return err
	}
	l.mode, l.pace = got, newPace(got.Rate, l.want)
	return nil
}

// VideoRecord starts the camera and gives its pictures in a form that the encoder takes.
func (l *lens) VideoRecord(p prop.Media) (video.Reader, error) {
	if err := l.start(p); err != nil {
		return nil, err
	}
	convert, err := newConverter(l.mode)
	if err != nil {
		return nil, err
	}
	return video.ReaderFunc(func() (image.Image, func(), error) {
		for {
			f, err := l.next()
			if err != nil {
				return nil, func() {}, err
			}
			if !l.pace.due(f.At) {
				f.Release()
				continue
			}
			img, err := convert.convert(f.Data, f.Stride)
			if err != nil {
				f.Release()
				l.spoiled()
				continue
			}
			l.at = f.At
			return img, f.Release, nil
		}
	}), nil
}

// next gives the next frame that is not damaged. Too many that are, are an error.
func (l *lens) next() (camera.Frame, error) {
	for {
		f, err := l.dev.Read()
		if err != nil {
			return f, err
		}
		if l.eye.miss(f.Lost, false); f.Lost > 0 {
			l.broke = true
		}
		if f.Corrupt {
			l.spoiled()
		}
		if err := l.damage.note(f.At); err != nil {
			f.Release()
			return f, err
		}
		if !f.Corrupt {
			return f, nil
		}
		f.Release()
	}
}

// spoiled counts a damaged frame.
func (l *lens) spoiled() {
	l.broke = true
	l.damage.bad++
	l.eye.miss(0, true)
}

func (l *lens) taken() time.Time { return l.at }

func (l *lens) setting() (string, float64) { return l.mode.String(), l.pace.rate }

// damage is the share of damaged frames.
type damage struct {
	since    time.Time
	all, bad int
}

// note counts a frame. Every 2 s it judges those it has counted.
func (d *damage) note(at time.Time) error {
	if d.since.IsZero() {
		d.since = at
	}
	d.all++
	if at.Sub(d.since) < window {
		return nil
	}
	counted := *d
	*d = damage{since: at}
	if 2*counted.bad > counted.all {
		return fmt.Errorf("%w (%d of %d in 2 s)", ErrDamaged, counted.bad, counted.all)
	}
	return nil
}

// pace leaves out pictures of a camera that gives many more than are wanted, as a capture card at 60/s does: encoding them
// costs what nobody asked for.
type pace struct {
	rate float64 // pictures a second that are left
	thin bool
	then time.Time // when the next one is due
}

// newPace takes rates up to a quarter above the wanted one as they are: evenness is worth more than the number.
func newPace(gives float64, want int) pace {
	if gives <= 1.25*float64(want) {
		return pace{rate: max(gives, 1)}
	}
	return pace{rate: float64(want), thin: true}
}

// due says whether the picture taken at that time is to be shown.
func (p *pace) due(at time.Time) bool {
	if !p.thin {
		return true
	}
	period := time.Duration(float64(time.Second) / p.rate)
	if p.then.IsZero() || at.Sub(p.then) > period {
		p.then = at // the first one, or after a pause
	}
	if at.Before(p.then.Add(-period / 8)) {
		return false
	}
	p.then = p.then.Add(period)
	return true
}
