package capture

import (
	"image"
	"testing"
	"time"

	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"
	"github.com/pion/mediadevices/pkg/wave"

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
			e, err := s.encoder(video.ReaderFunc(func() (image.Image, func(), error) { return p.img, func() {}, nil }), size, 25)
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
