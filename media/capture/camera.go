package capture

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"time"

	"github.com/pion/mediadevices/pkg/codec"
	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/frame"
	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"

	"plenum/hal/camera"
	ours "plenum/media/codec"
)

// The RTP payload types of the packets.
const (
	PayloadVP8  = 96
	PayloadH264 = 102 // packetization mode 1 (RFC 6184), parameter sets before every key frame
	PayloadOpus = 111
)

const clockVP8 = 90000 // Hz, RFC 7741, section 4.1; the same for H.264: RFC 6184, section 5.1

// Camera makes a source of VP8, or of a camera's own H.264. A device that could
// never work is refused with ErrUnknown; one that is only absent fails in Run.
func Camera(o Options) (*Source, error) {
	if err := checkCamera(o.Device); err != nil {
		return nil, err
	}
	if o.Width == 0 || o.Height == 0 {
		o.Width, o.Height = 640, 360
	}
	if o.FPS == 0 {
		o.FPS = 25
	}
	if o.BitRate == 0 {
		o.BitRate = 600_000
	}
	if o.KeyInterval == 0 {
		o.KeyInterval = 10 * time.Second
	}
	if o.Width < 64 || o.Height < 64 || o.Width > 3840 || o.Height > 2160 || o.Width%2+o.Height%2 != 0 || o.FPS < 1 || o.FPS > 60 || o.BitRate < 10_000 {
		return nil, fmt.Errorf("camera %s: %dx%d at %d frames/s and %d bit/s; possible are even sizes from 64x64 to 3840x2160, 1 to 60 frames/s, from 10000 bit/s",
			o.Name, o.Width, o.Height, o.FPS, o.BitRate)
	}
	s, err := newSource(o)
	if err != nil {
		return nil, err
	}
	s.vp8 = &codecs.VP8Payloader{EnablePictureID: true} // so a receiver tells a lost frame from a pause
	s.stream = newStream(s.vp8, PayloadVP8, clockVP8)
	if s.open = o.Open; s.open == nil {
		s.open = func(spec string) (Device, error) { return camera.Open(spec) }
	}
	s.attempt = s.runCamera
	return s, nil
}

// checkCamera says at construction what could never work.
func checkCamera(device string) error {
	if device == testPicture {
		return nil
	}
	if err := camera.CheckSpec(device); err != nil {
		return kind{fmt.Errorf("camera %w, or %s", err, testPicture), ErrUnknown}
	}
	return nil
}

// kind marks an error as one of ours without saying it twice.
type kind struct {
	error
	of error
}

func (k kind) Unwrap() []error { return []error{k.error, k.of} }

// recorder is a mediadevices driver that also says what it does.
type recorder interface {
	driver.Adapter
	driver.VideoRecorder
	taken() time.Time                     // of the last picture
	setting() (mode string, rate float64) // once it is running; rate in pictures a second
}

func (s *Source) recorder() recorder {
	if s.o.Device == testPicture {
		return newPicture(s.o, &s.caption)
	}
	return &lens{open: func() (Device, error) { return s.open(s.o.Device) }, eye: &s.eye, want: s.o.FPS}
}

func (s *Source) runCamera(ctx context.Context, write func(*rtp.Packet)) error {
	r := s.recorder()
	d, remove, err := register(r, driver.Camera, s.o.Name)
	if err != nil {
		return err
	}
	defer remove()
	if err := d.Open(); errors.Is(err, camera.ErrAbsent) {
		return kind{err, ErrAbsent}
	} else if err != nil {
		return err
	}
	mode, err := nearest(d.Properties(), s.o)
	if err != nil {
		_ = d.Close()
		return err
	}
	if l, ok := r.(*lens); ok && mode.FrameFormat == formatH264 {
		if err := l.start(mode); err != nil {
			_ = d.Close()
			return err
		}
		defer closer(ctx, d)()
		return s.passPictures(ctx, l, write)
	}
	reader, err := d.(driver.VideoRecorder).VideoRecord(mode) // closes the driver when it fails
	if err != nil {
		return err
	}
	defer closer(ctx, d)()
	return s.encodePictures(ctx, r, reader, write)
}

// encodePictures reads a frame first and hands it to the encoder then. So a key
// frame asked for while the camera is being waited for is the very next one
// (the encoder's own reader holds its lock for as long as a frame takes), the
// timestamp is the time of the frame, and the encoder is made for the size that
// comes and not for the size asked for.
func (s *Source) encodePictures(ctx context.Context, r recorder, reader video.Reader, write func(*rtp.Packet)) error {
	s.stream.carry(PayloadVP8, s.vp8)
	defer s.eye.close()
	e := encoding{s: s}
	defer e.close()
	for ctx.Err() == nil {
		img, release, err := reader.Read()
		if err != nil {
			return err
		}
		if e.encoder == nil {
			_, rate := r.setting()
			if err := e.open(img.Bounds().Size(), rate, s.o.BitRate); err != nil {
				release()
				return err
			}
			s.came(r)
		}
		yuv, ok := img.(*image.YCbCr)
		s.eye.sent(r.taken(), ok && s.eye.differs(yuv))
		err = e.send(img, r.taken(), write)
		release()
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// came tells of the first picture of an attempt.
func (s *Source) came(r recorder) {
	mode, _ := r.setting()
	s.eye.open(mode)
	s.o.Log.Info("camera is running", "mode", mode)
	if s.o.Live != nil {
		s.o.Live(mode)
	}
}

// encoding is a VP8 encoder that is handed its pictures.
type encoding struct {
	s       *Source
	encoder codec.ReadCloser
	size    image.Point
	current image.Image
}

func (e *encoding) open(size image.Point, rate float64, bitRate int) (err error) {
	e.size = size
	source := video.ReaderFunc(func() (image.Image, func(), error) { return e.current, func() {}, nil })
	e.encoder, err = e.s.encoder(source, size, float32(rate), bitRate)
	return err
}

func (e *encoding) close() {
	if e.encoder != nil {
		_ = e.encoder.Close()
	}
}

// send encodes a picture taken at that time and writes it; as a key frame when
// one was asked for.
func (e *encoding) send(img image.Image, at time.Time, write func(*rtp.Packet)) error {
	if got := img.Bounds().Size(); got != e.size {
		return fmt.Errorf("%s changed its picture from %v to %v", e.s.o.Device, e.size, got)
	}
	begun := time.Now()
	e.current = img
	if e.s.key.Swap(false) {
		if err := e.encoder.Controller().(codec.KeyFrameController).ForceKeyFrame(); err != nil {
			return fmt.Errorf("asking for a key frame: %w", err)
		}
	}
	e.encoder.Controller().(interface{ At(time.Time) }).At(at)
	data, _, err := e.encoder.Read()
	if err != nil {
		return fmt.Errorf("encoding a picture: %w", err)
	}
	if len(data) > 0 {
		e.s.send(data, e.s.stream.stamp(at), data[0]&1 == 0, time.Since(begun), write)
	}
	return nil
}

// encoder makes a VP8 encoder: constant bit rate, no frame held back.
func (s *Source) encoder(r video.Reader, size image.Point, fps float32, bitRate int) (codec.ReadCloser, error) {
	if fps < 1 {
		fps = float32(s.o.FPS)
	}
	builder := ours.VP8{BitRate: bitRate, KeyEvery: s.o.KeyInterval}
	return builder.BuildVideoEncoder(r, prop.Media{Video: prop.Video{Width: size.X, Height: size.Y, FrameRate: fps}})
}

// nearest picks the camera's mode that is closest to what is wanted: size
// first, then rate, then the format that costs least to turn into I420. The
// camera's own H.264 comes before all others when it is to be passed on, and
// else only when there is nothing else.
func nearest(modes []prop.Media, o Options) (prop.Media, error) {
	best, bestCost := prop.Media{}, math.Inf(1)
	for _, m := range modes {
		cost := math.Abs(math.Log2(float64(m.Width*m.Height)/float64(o.Width*o.Height))) * 10
		cost += math.Abs(math.Log2(float64(m.Width*o.Height)/float64(m.Height*o.Width))) * 10
		if m.FrameRate > 0 {
			if m.FrameRate < float32(o.FPS)*0.95 {
				cost += 5 // a slow picture is worse than one somewhat larger
			}
			cost += math.Abs(math.Log2(float64(m.FrameRate) / float64(o.FPS)))
		}
		switch m.FrameFormat {
		case frame.FormatI420, frame.FormatNV12, frame.FormatYUYV, frame.FormatUYVY:
		case frame.FormatMJPEG:
			cost += 2 // decoding costs half as much as encoding
		case formatH264:
			if cost += 1000; o.Pass {
				cost -= 2000
			}
		default:
			continue
		}
		if cost < bestCost {
			best, bestCost = m, cost
		}
	}
	if math.IsInf(bestCost, 1) {
		return best, fmt.Errorf("%s offers no usable picture format among %d", o.Device, len(modes))
	}
	return best, nil
}
