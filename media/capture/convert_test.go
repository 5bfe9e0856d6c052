package capture

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"testing"

	"plenum/hal/camera"
)

// scene is a picture with detail in luma and chroma.
func scene(w, h int, ratio image.YCbCrSubsampleRatio) *image.YCbCr {
	img := image.NewYCbCr(image.Rect(0, 0, w, h), ratio)
	for y := range h {
		for x := range w {
			img.Y[img.YOffset(x, y)] = byte(16 + (x*7+y*3)%200)
			img.Cb[img.COffset(x, y)] = byte(64 + (x/2*5+y/2)%120)
			img.Cr[img.COffset(x, y)] = byte(60 + (x/2+y/2*3)%130)
		}
	}
	return img
}

// raw writes a 4:2:2 scene in a camera's format, with room behind each line.
func raw(img *image.YCbCr, f camera.Format, stride int) []byte {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	out := make([]byte, stride*h*2)
	for y := range h {
		for x := range w {
			l, cb, cr := img.Y[img.YOffset(x, y)], img.Cb[img.COffset(x, y)], img.Cr[img.COffset(x, y)]
			c := []byte{cb, cr}[x%2]
			switch f {
			case camera.YUYV:
				out[y*stride+2*x], out[y*stride+2*x+1] = l, c
			case camera.UYVY:
				out[y*stride+2*x], out[y*stride+2*x+1] = c, l
			case camera.NV12:
				out[y*stride+x] = l
				out[stride*h+y/2*stride+x] = c
			case camera.YU12:
				out[y*stride+x] = l
				out[stride*h+y/2*stride/2+x/2] = cb
				out[stride*h+stride/2*(h/2)+y/2*stride/2+x/2] = cr
			}
		}
	}
	return out
}

func TestConvert(t *testing.T) {
	for _, w := range []int{320, 322, 326, 2, 8, 14} {
		const h = 6
		wide, narrow := scene(w, h, image.YCbCrSubsampleRatio422), scene(w, h, image.YCbCrSubsampleRatio420)
		for _, f := range []camera.Format{camera.YUYV, camera.UYVY, camera.NV12, camera.YU12} {
			for _, pad := range []int{0, 10} {
				c, err := newConverter(camera.Mode{Format: f, Width: w, Height: h, Rate: 25})
				if err != nil {
					t.Fatal(err)
				}
				src, stride, size := narrow, w+pad, (w+pad)*h*3/2
				if f == camera.YUYV || f == camera.UYVY {
					src, stride, size = wide, 2*w+pad, (2*w+pad)*h
				}
				data := raw(src, f, stride)[:size]
				got, err := c.convert(data, stride)
				if err != nil {
					t.Fatalf("%s %dx%d: %v", f, w, h, err)
				}
				same(t, fmt.Sprintf("%s %dx%d+%d", f, w, h, pad), got.(*image.YCbCr), src)
				if _, err := c.convert(data[:size/2], stride); !errors.Is(err, errPicture) {
					t.Errorf("%s: half a picture: %v", f, err)
				}
				if _, err := c.convert(data, w/2); !errors.Is(err, errPicture) {
					t.Errorf("%s: lines shorter than the picture: %v", f, err)
				}
			}
		}
	}
}

// same compares a converted picture with its scene; where that has chroma for each line, with the mean of two.
func same(t *testing.T, name string, got, src *image.YCbCr) {
	t.Helper()
	if got.SubsampleRatio != image.YCbCrSubsampleRatio420 || got.Rect != src.Rect {
		t.Fatalf("%s: %v %v", name, got.SubsampleRatio, got.Rect)
	}
	for y := range src.Rect.Dy() {
		for x := range src.Rect.Dx() {
			top, low := src.COffset(x, y&^1), src.COffset(x, y|1)
			cb := byte((int(src.Cb[top]) + int(src.Cb[low]) + 1) / 2)
			cr := byte((int(src.Cr[top]) + int(src.Cr[low]) + 1) / 2)
			at := got.COffset(x, y)
			if got.Y[got.YOffset(x, y)] != src.Y[src.YOffset(x, y)] || got.Cb[at] != cb || got.Cr[at] != cr {
				t.Fatalf("%s: (%d,%d) is %v, want %v %d %d", name, x, y, got.YCbCrAt(x, y), src.YCbCrAt(x, y), cb, cr)
			}
		}
	}
}

func TestConvertJPEG(t *testing.T) {
	m := camera.Mode{Format: camera.MJPG, Width: 64, Height: 48, Rate: 25}
	c, err := newConverter(m)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	src := scene(64, 48, image.YCbCrSubsampleRatio420)
	if err := jpeg.Encode(&b, src, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	whole := bytes.Clone(b.Bytes())
	// Many cameras leave the Huffman tables out.
	at := bytes.Index(whole, []byte{0xff, 0xc4})
	size := int(whole[at+2])<<8 | int(whole[at+3])
	bare := append(bytes.Clone(whole[:at]), whole[at+2+size:]...)
	for name, data := range map[string][]byte{"whole": whole, "without tables": bare} {
		img, err := c.convert(data, 0)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := difference(img.(*image.YCbCr), src, src.Rect); d > 6 {
			t.Errorf("%s: %.1f apart", name, d)
		}
	}
	grey := image.NewGray(image.Rect(0, 0, 64, 48))
	grey.SetGray(3, 3, color.Gray{200})
	b.Reset()
	if err := jpeg.Encode(&b, grey, nil); err != nil {
		t.Fatal(err)
	}
	img, err := c.convert(b.Bytes(), 0)
	if err != nil || img.(*image.YCbCr).Cb[0] != 128 {
		t.Errorf("grey: %v", err)
	}
	for name, data := range map[string][]byte{"nothing": nil, "half": whole[:len(whole)/2], "noise": bytes.Repeat([]byte{0xff, 0xd8}, 99)} {
		if _, err := c.convert(data, 0); !errors.Is(err, errPicture) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c.mode.Width = 32
	if _, err := c.convert(whole, 0); !errors.Is(err, errPicture) {
		t.Errorf("another size: %v", err)
	}
}

func TestHalve(t *testing.T) {
	c, err := newConverter(camera.Mode{Format: camera.MJPG, Width: 52, Height: 8})
	if err != nil {
		t.Fatal(err)
	}
	src := scene(52, 8, image.YCbCrSubsampleRatio422)
	same(t, "4:2:2", c.halve(src).(*image.YCbCr), src)
}

func FuzzConvert(f *testing.F) {
	f.Add([]byte{0xff, 0xd8, 0xff}, uint8(4), uint16(16))
	f.Add(bytes.Repeat([]byte{1, 2, 3, 4}, 100), uint8(0), uint16(20))
	f.Fuzz(func(t *testing.T, data []byte, which uint8, stride uint16) {
		all := []camera.Format{camera.YUYV, camera.UYVY, camera.NV12, camera.YU12, camera.MJPG}
		c, err := newConverter(camera.Mode{Format: all[int(which)%len(all)], Width: 10, Height: 6})
		if err != nil {
			t.Fatal(err)
		}
		img, err := c.convert(data, int(stride))
		if err != nil {
			return
		}
		if yuv := img.(*image.YCbCr); yuv.Rect.Dx() != 10 || yuv.Rect.Dy() != 6 {
			t.Errorf("a picture of %v", yuv.Rect)
		} else {
			new(eye).differs(yuv)
			yuv.YCbCrAt(9, 5)
		}
	})
}
