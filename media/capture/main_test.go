package capture

import (
	"bytes"
	"context"
	"image"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"go.uber.org/goleak"
	"golang.org/x/image/vp8"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run lets a source run for a span of the bubble's time, ends it, and returns
// its packets.
func run(t *testing.T, s *Source, span time.Duration, each func(*rtp.Packet)) []*rtp.Packet {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), span)
	defer cancel()
	var packets []*rtp.Packet
	err := s.Run(ctx, func(p *rtp.Packet) {
		packets = append(packets, p)
		if each != nil {
			each(p)
		}
	})
	if err != ctx.Err() {
		t.Fatalf("Run = %v, want %v", err, ctx.Err())
	}
	synctest.Wait()
	return packets
}

// vp8Frame is one reassembled frame.
type vp8Frame struct {
	ts   uint32
	key  bool
	data []byte
}

func frames(t *testing.T, packets []*rtp.Packet) []vp8Frame {
	t.Helper()
	var out []vp8Frame
	for i, p := range packets {
		if i > 0 && p.SequenceNumber != packets[i-1].SequenceNumber+1 {
			t.Fatalf("packet %d: sequence number %d after %d", i, p.SequenceNumber, packets[i-1].SequenceNumber)
		}
		if len(p.Payload) > payloadSize {
			t.Fatalf("packet %d: payload of %d bytes", i, len(p.Payload))
		}
		var d codecs.VP8Packet
		part, err := d.Unmarshal(p.Payload)
		if err != nil {
			t.Fatalf("packet %d: %v", i, err)
		}
		if d.S == 1 && d.PID == 0 {
			out = append(out, vp8Frame{ts: p.Timestamp, key: part[0]&1 == 0})
		}
		f := &out[len(out)-1]
		if f.ts != p.Timestamp {
			t.Fatalf("packet %d: timestamp changes within a frame", i)
		}
		f.data = append(f.data, part...)
		last := i == len(packets)-1 || packets[i+1].Timestamp != p.Timestamp
		if p.Marker != last {
			t.Fatalf("packet %d: marker %v, last of its frame %v", i, p.Marker, last)
		}
	}
	return out
}

// decodeKey decodes a key frame with an independent decoder.
func decodeKey(t *testing.T, data []byte) *image.YCbCr {
	t.Helper()
	d := vp8.NewDecoder()
	d.Init(bytes.NewReader(data), len(data))
	if _, err := d.DecodeFrameHeader(); err != nil {
		t.Fatalf("frame header: %v", err)
	}
	img, err := d.DecodeFrame()
	if err != nil {
		t.Fatalf("decoding: %v", err)
	}
	return img
}

// expired is a context that has ended.
func expired(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
