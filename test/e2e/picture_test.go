package e2e

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"golang.org/x/image/vp8"
)

// look is what a picture is recognised by: the means of its colour planes, 0 to 255, 128 is grey. They are the same at
// any size and bit rate, and the two kinds of picture here are far apart.
type look struct{ cb, cr float64 }

// member: Chromium's made-up camera is a strong green.
func (l look) member() bool { return l.cb < 70 && l.cr < 70 }

// hall: the hall cameras' test pictures have a muted colour.
func (l look) hall() bool { return l.cb > 100 && l.cr > 100 && l.cb < 156 && l.cr < 156 }

func lookOf(img *image.YCbCr) look {
	mean := func(plane []byte) float64 {
		sum := 0
		for y := range (img.Rect.Dy() + 1) / 2 {
			for _, v := range plane[y*img.CStride:][:(img.Rect.Dx()+1)/2] {
				sum += int(v)
			}
		}
		return float64(sum) / float64((img.Rect.Dy()+1)/2*((img.Rect.Dx()+1)/2))
	}
	return look{mean(img.Cb), mean(img.Cr)}
}

// greenInPage is the same question to a page: whether the picture in the word slot is the member's.
const greenInPage = `(() => {
	const video = document.querySelector('[data-slot="video.word"] video'), canvas = document.createElement('canvas')
	if (!video) return false
	canvas.width = canvas.height = 16
	const paper = canvas.getContext('2d')
	paper.drawImage(video, 0, 0, 16, 16)
	const sum = [0, 0, 0]
	paper.getImageData(0, 0, 16, 16).data.forEach((v, i) => { if (i % 4 < 3) sum[i % 4] += v })
	return sum[1] > 1.5 * sum[0] && sum[1] > 1.5 * sum[2]
})()`

// eye puts the packets of a picture line together and decodes key frames.
type eye struct {
	frame []byte
	next  uint16
	whole bool // no packet of the frame is missing
}

func (e *eye) see(p *rtp.Packet) (*image.YCbCr, error) {
	var v codecs.VP8Packet
	part, err := v.Unmarshal(p.Payload)
	if err != nil {
		e.whole = false
		return nil, nil // padding
	}
	if v.S == 1 && v.PID == 0 {
		e.frame, e.whole = e.frame[:0], true
	} else if p.SequenceNumber != e.next {
		e.whole = false
	}
	e.next = p.SequenceNumber + 1
	e.frame = append(e.frame, part...)
	if !p.Marker || !e.whole || len(e.frame) < 10 || e.frame[0]&1 != 0 {
		return nil, nil
	}
	d := vp8.NewDecoder()
	d.Init(bytes.NewReader(e.frame), len(e.frame))
	if _, err := d.DecodeFrameHeader(); err != nil {
		return nil, fmt.Errorf("a key frame of %d bytes: %w", len(e.frame), err)
	}
	return d.DecodeFrame()
}

// sees waits until a new key frame on the line has the look, and asks for one every second meanwhile.
func (l *listener) sees(what, line string, like func(look) bool) {
	l.t.Helper()
	l.mu.Lock()
	delete(l.pictures, line) // what came before the question is no answer
	l.mu.Unlock()
	asked := time.Time{}
	eventually(l.t, what, func() bool {
		if time.Since(asked) > time.Second {
			asked = time.Now()
			_ = l.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: l.ssrc[line]}})
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.pictures[line] != nil && like(lookOf(l.pictures[line]))
	})
}

// keep saves the last picture of each line if the test has failed, and says what it looks like.
func (l *listener) keep() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unread != nil {
		l.t.Error(l.unread)
	}
	if !l.t.Failed() {
		return
	}
	for line, img := range l.pictures {
		path := filepath.Join(kept(l.t), "listener-"+line+".png")
		var b bytes.Buffer
		err := png.Encode(&b, img)
		if err == nil {
			err = os.WriteFile(path, b.Bytes(), 0o644)
		}
		l.t.Logf("the listener's last key frame on %s: %v, mean colours %+v, in %s (%v)", line, img.Rect.Size(), lookOf(img), path, err)
	}
}
