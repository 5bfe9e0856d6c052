package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/pion/rtp"

	"plenum/hal/camera"
	"plenum/media/capture"
)

// cameraRole is our capture from raw pictures at standard input to RTP; its argument is where that goes.
const cameraRole = "camera"

// playCamera runs until its input ends.
func playCamera(to string) int {
	if err := capturePipe(to); !errors.Is(err, io.EOF) {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func capturePipe(to string) error {
	conn, err := net.Dial("udp4", to)
	if err != nil {
		return err
	}
	defer conn.Close()
	s, err := capture.Camera(capture.Options{
		Name: "hall", Device: "usb:PIPE", Width: pictureWidth, Height: pictureHeight, FPS: pictureRate, BitRate: pictureBits,
		KeyInterval: keyPictures * time.Second / pictureRate, Log: slog.New(slog.DiscardHandler),
		Open: func(string) (capture.Device, error) {
			return &pipeCamera{in: os.Stdin, buf: make([]byte, 2*pictureWidth*pictureHeight)}, nil
		},
	})
	if err != nil {
		return err
	}
	buf := make([]byte, 1500)
	return s.Run(context.Background(), func(p *rtp.Packet) {
		if n, err := p.MarshalTo(buf); err == nil {
			_, _ = conn.Write(buf[:n]) // what does not arrive shows as lost
		}
	})
}

// pipeCamera is a camera whose pictures come through a pipe, at a rate that is known.
type pipeCamera struct {
	in    io.Reader
	buf   []byte
	first time.Time
	n     uint32
}

func (p *pipeCamera) mode() camera.Mode {
	return camera.Mode{Format: camera.YUYV, Width: pictureWidth, Height: pictureHeight, Rate: pictureRate}
}

func (p *pipeCamera) Modes() ([]camera.Mode, error) { return []camera.Mode{p.mode()}, nil }

func (p *pipeCamera) Start(camera.Mode) (camera.Mode, error) { return p.mode(), nil }

// Read gives a picture the time that it has by its number, as the others do.
func (p *pipeCamera) Read() (camera.Frame, error) {
	if _, err := io.ReadFull(p.in, p.buf); err != nil {
		return camera.Frame{}, err
	}
	if p.n == 0 {
		p.first = time.Now()
	}
	f := camera.Frame{Data: p.buf, Stride: 2 * pictureWidth, Seq: p.n, Release: func() {},
		At: p.first.Add(time.Duration(p.n) * time.Second / pictureRate)}
	p.n++
	return f, nil
}

func (p *pipeCamera) ForceKey() error { return camera.ErrNoControl }

func (p *pipeCamera) Close() error { return nil }
