package capture

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"time"

	"github.com/pion/mediadevices/pkg/codec"
	"github.com/pion/mediadevices/pkg/codec/vpx"
	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/frame"
	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
)

// PayloadVP8 and PayloadOpus are the RTP payload types of the packets.
const (
	PayloadVP8  = 96
	PayloadOpus = 111
)

const clockVP8 = 90000 // Hz, RFC 7741, section 4.1

// Camera makes a source of VP8. A device that could never work is refused with
// ErrUnknown; one that is only absent fails in Run.
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
	// With picture ids a receiver tells a lost frame from a pause.
	s.stream = newStream(&codecs.VP8Payloader{EnablePictureID: true}, PayloadVP8, clockVP8)
	s.attempt = s.runCamera
	return s, nil
}

func (s *Source) cameraDriver() (driver.Driver, func(), error) {
	if s.o.Device == testPicture {
		return register(newPicture(s.o, &s.caption), driver.Camera, s.o.Name)
	}
	d, err := find(s.o.Device)
	return d, func() {}, err
}

func (s *Source) runCamera(ctx context.Context, write func(*rtp.Packet)) error {
	d, remove, err := s.cameraDriver()
	if err != nil {
		return err
	}
	defer remove()
	recorder, ok := d.(driver.VideoRecorder)
	if !ok {
		return fmt.Errorf("the driver of %s gives no pictures", s.o.Device)
	}
	if err := d.Open(); err != nil {
		return fmt.Errorf("opening %s: %w", s.o.Device, err)
	}
	mode, err := nearest(d.Properties(), s.o)
	if err != nil {
		return errors.Join(err, d.Close())
	}
	reader, err := recorder.VideoRecord(mode) // closes the driver when it fails
	if err != nil {
		return fmt.Errorf("starting %s at %dx%d: %w", s.o.Device, mode.Width, mode.Height, err)
	}
	stop := closer(ctx, d)
	defer stop()
	return s.encodePictures(ctx, reader, mode, write)
}

// encodePictures reads a frame first and hands it to the encoder then. So a key
// frame asked for while the camera is being waited for is the very next one
// (the encoder's own reader holds its lock for as long as a frame takes), the
// timestamp is the time of the frame, and the encoder is made for the size that
// comes and not for the size asked for.
func (s *Source) encodePictures(ctx context.Context, reader video.Reader, mode prop.Media, write func(*rtp.Packet)) error {
	var (
		encoder codec.ReadCloser
		size    image.Point
		current image.Image
		last    int64 = -1
	)
	for ctx.Err() == nil {
		img, release, err := reader.Read()
		if err != nil {
			return fmt.Errorf("reading a picture from %s: %w", s.o.Device, err)
		}
		at := time.Now()
		current = img
		if encoder == nil {
			size = img.Bounds().Size()
			source := video.ReaderFunc(func() (image.Image, func(), error) { return current, func() {}, nil })
			if encoder, err = s.encoder(source, size, mode.FrameRate); err != nil {
				return err
			}
			defer encoder.Close()
			s.o.Log.Info("camera is running", "width", size.X, "height", size.Y, "fps", mode.FrameRate, "bit/s", s.o.BitRate)
		}
		if got := img.Bounds().Size(); got != size {
			return fmt.Errorf("%s changed its picture from %v to %v", s.o.Device, size, got)
		}
		if s.key.Swap(false) {
			if err := encoder.Controller().(codec.KeyFrameController).ForceKeyFrame(); err != nil {
				return fmt.Errorf("asking for a key frame: %w", err)
			}
		}
		data, _, err := encoder.Read()
		release()
		if err != nil {
			return fmt.Errorf("encoding a picture: %w", err)
		}
		if len(data) == 0 {
			continue
		}
		last = max(s.stream.ticks(at), last+1)
		s.send(data, s.stream.base+uint32(last), data[0]&1 == 0, time.Since(at), write)
	}
	return ctx.Err()
}

// encoder makes a VP8 encoder: constant bit rate, no frame held back.
func (s *Source) encoder(r video.Reader, size image.Point, fps float32) (codec.ReadCloser, error) {
	params, err := vpx.NewVP8Params()
	if err != nil {
		return nil, fmt.Errorf("asking libvpx for its defaults: %w", err)
	}
	if fps < 1 {
		fps = float32(s.o.FPS)
	}
	// mediadevices hands libvpx microseconds as milliseconds; libvpx then takes
	// the rate for 30 frames/s and gives each frame 1/30 of the bit rate.
	params.BitRate = int(float32(s.o.BitRate) * 30 / fps)
	params.KeyFrameInterval = max(1, int(s.o.KeyInterval.Seconds()*float64(fps)))
	params.RateControlEndUsage = vpx.RateControlCBR
	params.LagInFrames = 0
	e, err := params.BuildVideoEncoder(r, prop.Media{Video: prop.Video{Width: size.X, Height: size.Y, FrameRate: fps}})
	if err != nil {
		return nil, fmt.Errorf("making a VP8 encoder for %v: %w", size, err)
	}
	return e, nil
}

// nearest picks the camera's mode that is closest to what is wanted: size
// first, then rate, then the format that costs least to turn into I420.
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
		case frame.FormatI420, frame.FormatNV12, frame.FormatNV21, frame.FormatYUYV, frame.FormatUYVY:
		case frame.FormatMJPEG:
			cost += 2 // decoding costs as much as encoding
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
