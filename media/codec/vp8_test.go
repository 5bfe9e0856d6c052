package codec

import (
	"bytes"
	"image"
	"io"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/mediadevices/pkg/codec"
	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"
	"golang.org/x/image/vp8"
)

// pictures gives 25 noisy pictures a second in which a bright square wanders.
func pictures(w, h int) video.Reader {
	img := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio420)
	random := rand.New(rand.NewPCG(1, 2))
	n := 0
	return video.ReaderFunc(func() (image.Image, func(), error) {
		time.Sleep(40 * time.Millisecond)
		for i := range img.Y {
			img.Y[i] = byte(80 + i%w/8 + random.IntN(8))
		}
		for i := range img.Cb {
			img.Cb[i], img.Cr[i] = 100, 160
		}
		for y := range 32 {
			for x := range 32 {
				img.Y[(y+h/4)*w+(n*4+x)%w] = 235
			}
		}
		n++
		return img, func() {}, nil
	})
}

func vp8Encoder(t *testing.T, v VP8, r video.Reader, w, h int) codec.ReadCloser {
	t.Helper()
	e, err := v.BuildVideoEncoder(r, prop.Media{Video: prop.Video{Width: w, Height: h, FrameRate: 25}})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// The encoder keeps its bit rate, gives key frames when they are due and when asked, and an independent decoder sees the
// picture.
func TestVP8(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const w, h, rate, seconds = 320, 180, 300_000, 12
		e := vp8Encoder(t, VP8{BitRate: rate, KeyEvery: 5 * time.Second}, pictures(w, h), w, h)
		defer e.Close()
		total, keys := 0, map[int]bool{}
		for n := range 25 * seconds {
			if n == 60 {
				if err := e.Controller().(codec.KeyFrameController).ForceKeyFrame(); err != nil {
					t.Fatal(err)
				}
			}
			frame, _, err := e.Read()
			if err != nil || len(frame) == 0 {
				t.Fatalf("frame %d: %d bytes, %v", n, len(frame), err)
			}
			total += len(frame)
			if frame[0]&1 != 0 {
				continue
			}
			keys[n] = true
			d := vp8.NewDecoder()
			d.Init(bytes.NewReader(frame), len(frame))
			if head, err := d.DecodeFrameHeader(); err != nil || head.Width != w || head.Height != h {
				t.Fatalf("frame %d: %+v %v", n, head, err)
			}
			img, err := d.DecodeFrame()
			if err != nil || img.Cb[0] < 90 || img.Cb[0] > 110 || img.Cr[0] < 150 || img.Cr[0] > 170 {
				t.Fatalf("frame %d: colour %d %d, %v", n, img.Cb[0], img.Cr[0], err)
			}
		}
		if !keys[0] || !keys[60] || len(keys) > 4 {
			t.Errorf("key frames at %v", keys)
		}
		if got := total * 8 / seconds; got < rate*7/10 || got > rate*12/10 {
			t.Errorf("%d bit/s, want about %d", got, rate)
		}
	})
}

func TestVP8Refuses(t *testing.T) {
	for _, v := range []VP8{{}, {BitRate: 100_000, Speed: 17}, {BitRate: 100_000, Threads: -1}} {
		if _, err := v.BuildVideoEncoder(nil, prop.Media{Video: prop.Video{Width: 320, Height: 180}}); err == nil {
			t.Errorf("%+v was accepted", v)
		}
	}
	other := image.NewYCbCr(image.Rect(0, 0, 64, 64), image.YCbCrSubsampleRatio420)
	e := vp8Encoder(t, VP8{BitRate: 100_000}, video.ReaderFunc(func() (image.Image, func(), error) { return other, func() {}, nil }), 320, 180)
	if _, _, err := e.Read(); err == nil {
		t.Error("a picture of another size was encoded")
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	e = vp8Encoder(t, VP8{BitRate: 100_000}, pictures(320, 180), 320, 180)
	e.Close()
	if _, _, err := e.Read(); err != io.EOF {
		t.Errorf("reading after Close: %v", err)
	}
}
