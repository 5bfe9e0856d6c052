package capture

import (
	"bytes"
	"image"
	"image/jpeg"
	"testing"
	"time"

	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"
	"github.com/pion/mediadevices/pkg/wave"

	"plenum/hal/camera"
	"plenum/media/codec"
)

func drawn(o Options) *picture {
	s := &Source{}
	s.SetCaption("Platz 7", "Ute Müller")
	p := newPicture(o, &s.caption)
	p.Open()
	p.VideoRecord(prop.Media{Video: prop.Video{Width: o.Width, Height: o.Height}})
	return p
}

func BenchmarkDraw640x360(b *testing.B) {
	p := drawn(Options{Name: "word", House: "Rathaus", Width: 640, Height: 360, FPS: 25})
	n := uint64(0)
	for b.Loop() {
		n++
		p.draw(time.Now(), n)
	}
}

func BenchmarkEncodeVP8(b *testing.B) {
	for _, size := range []image.Point{{640, 360}, {1280, 720}} {
		b.Run(size.String(), func(b *testing.B) {
			o := Options{Name: "word", House: "Rathaus", Device: testPicture, Width: size.X, Height: size.Y, FPS: 25, BitRate: 600_000 * size.Y / 360}
			s, err := Camera(o)
			if err != nil {
				b.Fatal(err)
			}
			p := drawn(o)
			e, err := s.encoder(video.ReaderFunc(func() (image.Image, func(), error) { return p.img, func() {}, nil }), size, 25, o.BitRate)
			if err != nil {
				b.Fatal(err)
			}
			defer e.Close()
			n, bytes := uint64(0), 0
			for b.Loop() {
				n++
				p.draw(time.Now(), n)
				data, _, err := e.Read()
				if err != nil {
					b.Fatal(err)
				}
				bytes += len(data)
			}
			b.ReportMetric(float64(bytes)/float64(n), "B/frame")
		})
	}
}

// What a real camera's picture costs before the encoder sees it.
func BenchmarkConvert(b *testing.B) {
	for _, size := range []image.Point{{640, 360}, {1280, 720}} {
		for _, f := range []camera.Format{camera.YUYV, camera.UYVY, camera.NV12, camera.YU12, camera.MJPG} {
			b.Run(string(f)+size.String(), func(b *testing.B) {
				c, err := newConverter(camera.Mode{Format: f, Width: size.X, Height: size.Y, Rate: 25})
				if err != nil {
					b.Fatal(err)
				}
				stride, ratio := size.X, image.YCbCrSubsampleRatio420
				if f == camera.YUYV || f == camera.UYVY || f == camera.MJPG {
					stride, ratio = 2*size.X, image.YCbCrSubsampleRatio422
				}
				p := drawn(Options{Name: "word", House: "Rathaus", Width: size.X, Height: size.Y, FPS: 25})
				p.draw(time.Now(), 1)
				img := scene(size.X, size.Y, ratio)
				copy(img.Y, p.img.Y)
				data := raw(img, f, stride)
				if f == camera.MJPG {
					var w bytes.Buffer
					if err := jpeg.Encode(&w, p.img, &jpeg.Options{Quality: 85}); err != nil {
						b.Fatal(err)
					}
					data = w.Bytes()
				}
				for b.Loop() {
					if _, err := c.convert(data, stride); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkMoving1280x720(b *testing.B) {
	var e eye
	img := scene(1280, 720, image.YCbCrSubsampleRatio420)
	for b.Loop() {
		e.differs(img)
	}
}

func BenchmarkVoice(b *testing.B) {
	table, shape := voiceTable(200), syllable()
	chunk := wave.NewInt16Interleaved(wave.ChunkInfo{Len: codec.Frame, Channels: 1, SamplingRate: codec.Rate})
	n := uint64(0)
	for b.Loop() {
		for i := range chunk.Data {
			chunk.Data[i] = int16(table[int(n)%len(table)] * loudness(shape, n))
			n++
		}
	}
}
