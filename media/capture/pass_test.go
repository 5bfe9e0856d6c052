package capture

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"

	"plenum/hal/camera"
)

// The parameter sets are those of a 640x360 stream, baseline, ids 0; passing on never looks into pictures, so the pictures
// here are of the right shape only: NAL header, then numbers in which no start code can stand.
var (
	testSPS = []byte{0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02, 0x80, 0xbf, 0xe5, 0x84}
	testPPS = []byte{0x68, 0xce, 0x3c, 0x80}
)

func slice(typ byte, size, n int) []byte {
	nal := bytes.Repeat([]byte{byte(n%200 + 8)}, size)
	nal[0] = 0x60 | typ
	return nal
}

func unit(parts ...[]byte) []byte {
	var out []byte
	for i, p := range parts {
		code := []byte{0, 0, 0, 1}
		if i%2 == 1 {
			code = code[1:]
		}
		out = append(append(out, code...), p...)
	}
	return out
}

var passMode = camera.Mode{Format: camera.H264, Width: 640, Height: 360, Rate: 25}

// tape plays the recording in testdata: an access unit a frame, a key frame every 25, its parameter sets with it.
func tape(t *testing.T) *film {
	t.Helper()
	b, err := os.ReadFile("testdata/camera.h264")
	if err != nil {
		t.Fatal(err)
	}
	delimiter := []byte{0, 0, 0, 1, 0x09, 0xf0}
	var units [][]byte
	for part := range bytes.SplitSeq(b, delimiter) {
		if len(part) > 0 {
			units = append(units, append(slices.Clone(delimiter), part...))
		}
	}
	if len(units) != 50 {
		t.Fatalf("%d access units on the tape, want 50", len(units))
	}
	return &film{modes: []camera.Mode{small, passMode}, frames: func(n int) camera.Frame { return camera.Frame{Data: units[n%50]} }}
}

// access is one access unit as a receiver puts it together.
type access struct {
	ts   uint32
	nals [][]byte
}

func (a access) types() string {
	var b []byte
	for _, n := range a.nals {
		b = append(b, "0123456789abcdef"[n[0]&0xf])
	}
	return string(b)
}

func accesses(t *testing.T, packets []*rtp.Packet) []access {
	t.Helper()
	var out []access
	var d codecs.H264Packet
	fresh := true
	for i, p := range packets {
		if p.PayloadType != PayloadH264 || len(p.Payload) > payloadSize || i > 0 && p.SequenceNumber != packets[i-1].SequenceNumber+1 {
			t.Fatalf("packet %d: payload type %d, %d bytes, number %d", i, p.PayloadType, len(p.Payload), p.SequenceNumber)
		}
		part, err := d.Unmarshal(p.Payload)
		if err != nil {
			t.Fatalf("packet %d: %v", i, err)
		}
		if fresh {
			out = append(out, access{ts: p.Timestamp})
		}
		a := &out[len(out)-1]
		if a.ts != p.Timestamp {
			t.Fatalf("packet %d: the timestamp changes within a picture", i)
		}
		for nal := range nals(part) {
			a.nals = append(a.nals, bytes.Clone(nal))
		}
		fresh = p.Marker
	}
	return out
}

func TestPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		live := ""
		s := filmed(t, Options{Pass: true, Live: func(m string) { live = m }}, tape(t))
		var during Status
		got := accesses(t, run(t, s, 4*time.Second+time.Millisecond, func(*rtp.Packet) { during = s.Status() }))
		if len(got) != 100 {
			t.Fatalf("%d pictures in 4 s, want 100", len(got))
		}
		for i, a := range got {
			want := "1"
			if i%25 == 0 {
				want = "7865" // sets, SEI, picture
			}
			if a.types() != want || a.ts != got[0].ts+uint32(i*3600) {
				t.Errorf("picture %d: units %s, want %s; timestamp %d", i, a.types(), want, a.ts-got[0].ts)
			}
		}
		if !bytes.Equal(got[0].nals[0], testSPS) || !bytes.Equal(got[0].nals[1], testPPS) || len(got[0].nals[3]) != 5000 {
			t.Error("a unit changed on its way")
		}
		if live != "H264 640x360 at 25/s" || during.Mode != live || during.FPS != 25 || !during.Moving {
			t.Errorf("live %q, status %+v", live, during)
		}
		if st := s.Stats(); st.Frames != 100 || st.KeyFrames != 4 || st.Encoding != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// A camera that sends its parameter sets once, in a buffer of their own.
func TestPassKeepsParameterSets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &film{modes: []camera.Mode{passMode}, frames: func(n int) camera.Frame {
			switch {
			case n == 0: // somewhere in its stream
				return camera.Frame{Data: unit(slice(nalSlice, 50, n))}
			case n == 1:
				return camera.Frame{Data: unit(slice(nalIDR, 3000, n))} // nobody could decode it
			case n == 2:
				return camera.Frame{Data: unit([]byte{9, 0xf0}, testSPS, testPPS, []byte{12, 0xff, 0x80})}
			case n%10 == 5:
				return camera.Frame{Data: unit(slice(nalIDR, 3000, n), slice(nalIDR, 2000, n))} // in two slices
			}
			return camera.Frame{Data: unit(slice(nalSlice, 50, n))}
		}}
		got := accesses(t, run(t, filmed(t, Options{}, f), 2*time.Second-time.Millisecond, nil))
		if len(got) != 49-5 {
			t.Errorf("%d pictures, want 44", len(got))
		}
		for i, a := range got {
			if want := map[bool]string{true: "7855", false: "1"}[i%10 == 0]; a.types() != want {
				t.Errorf("picture %d: units %s, want %s", i, a.types(), want)
			}
		}
	})
}

func TestPassAsksForKeyFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wanted, asked := true, 0
		f := &film{modes: []camera.Mode{passMode}, key: func() error { wanted = true; asked++; return nil }}
		f.frames = func(n int) camera.Frame {
			frame := camera.Frame{Data: unit(slice(nalSlice, 50, n))}
			if wanted && n > 3 {
				wanted = false
				frame.Data = unit(testSPS, testPPS, slice(nalIDR, 3000, n))
			}
			if n == 60 {
				frame.Lost = 3
			}
			return frame
		}
		s := filmed(t, Options{}, f)
		n := 0
		got := accesses(t, run(t, s, 4*time.Second-time.Millisecond, func(p *rtp.Packet) {
			if p.Marker {
				n++
			}
			if n == 31 {
				s.RequestKey()
			}
		}))
		var keys []int
		for i, a := range got {
			if a.types() == "785" {
				keys = append(keys, i)
			}
		}
		// First the camera's own, then the one that was asked for, then after the loss: the picture with the gap before it
		// is not shown, and the next one is a key frame.
		if !slices.Equal(keys, []int{0, 32, 56}) || len(got) != 99-4-1 {
			t.Errorf("key frames %v of %d", keys, len(got))
		}
		if asked != 3 {
			t.Errorf("asked %d times, want 3", asked)
		}
	})
}

func TestPassWithoutKeyControl(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := tape(t)
		recorded := f.frames
		f.frames = func(n int) camera.Frame {
			frame := recorded(n)
			frame.Corrupt = n == 30
			return frame
		}
		s := filmed(t, Options{Pass: true}, f)
		n := 0
		got := accesses(t, run(t, s, 4*time.Second+time.Millisecond, func(p *rtp.Packet) {
			s.RequestKey()
			n++
		}))
		if len(got) != 99 || s.Status().Corrupt != 1 {
			t.Errorf("%d pictures, %+v", len(got), s.Status())
		}
		// After the stream of another kind the camera comes back in its own: numbers go on.
		if err := s.Slate(expired(t), func(p *rtp.Packet) { t.Error("a packet after the end") }); err == nil {
			t.Error("a slate without end")
		}
	})
}

func TestPassNeedsKeyFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &film{modes: []camera.Mode{passMode}, frames: func(n int) camera.Frame { return camera.Frame{Data: unit(slice(nalSlice, 50, n))} }}
		begun := time.Now()
		err := filmed(t, Options{}, f).Run(t.Context(), func(*rtp.Packet) { t.Error("a packet nobody can decode") })
		if took := time.Since(begun); !errors.Is(err, errNoKey) || took > 12*time.Second {
			t.Errorf("%v after %v", err, took)
		}
		f.tick.Stop()
	})
}

func TestPassStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &film{modes: []camera.Mode{passMode}, frames: func(n int) camera.Frame {
			if n%50 == 0 {
				return camera.Frame{Data: unit(testSPS, testPPS, slice(nalIDR, 3000, 1))}
			}
			return camera.Frame{Data: unit(slice(nalSlice, 60, n))} // skipped macroblocks only
		}}
		s := filmed(t, Options{}, f)
		run(t, s, 5*time.Second, func(*rtp.Packet) {
			if s.Status().Moving {
				t.Fatal("a frozen picture moves")
			}
		})
	})
}

func TestGolomb(t *testing.T) {
	for _, c := range []struct { // ITU-T H.264, table 9-2
		b    []byte
		want uint32
		ok   bool
	}{
		{[]byte{0b10000000}, 0, true}, {[]byte{0b01000000}, 1, true}, {[]byte{0b01100000}, 2, true}, {[]byte{0b00100000}, 3, true},
		{[]byte{0b00101000}, 4, true}, {[]byte{0b00010100}, 9, true}, {[]byte{0, 0b10000000, 0b10000000}, 256, true},
		{nil, 0, false}, {[]byte{0}, 0, false}, {[]byte{1}, 0, false}, {[]byte{0, 0, 0, 0, 1, 1, 1, 1, 1}, 0, false},
	} {
		if got, ok := golomb(c.b); got != c.want || ok != c.ok {
			t.Errorf("%08b: %d %v, want %d %v", c.b, got, ok, c.want, c.ok)
		}
	}
}

func FuzzUnits(f *testing.F) {
	f.Add(unit(testSPS, testPPS, slice(nalIDR, 40, 1)), unit(slice(nalSlice, 30, 2)))
	f.Add([]byte{0, 0, 1}, []byte{0, 0, 1, 0x65, 0, 0, 0, 0, 1, 0x67})
	f.Fuzz(func(t *testing.T, one, two []byte) {
		var u units
		for _, data := range [][]byte{one, two, one} {
			size := len(data)
			picture, key := u.picture(data)
			if len(u.sps)+len(u.pps) > 512 || key && len(picture) == 0 {
				t.Fatalf("%d+%d sets, key %v, %d bytes", len(u.sps), len(u.pps), key, len(picture))
			}
			sets := 0
			for nal := range nals(picture) {
				switch nal[0] & 0x1f {
				case nalSPS, nalPPS:
					sets++
				case nalDelimiter, nalFiller:
					t.Fatal("filler was passed on")
				}
			}
			if key != (sets > 0) {
				t.Fatalf("key %v with %d parameter sets", key, sets)
			}
			for _, p := range (&codecs.H264Payloader{DisableStapA: true}).Payload(payloadSize, picture) {
				if len(p) > payloadSize {
					t.Fatalf("a packet of %d bytes", len(p))
				}
			}
			if len(data) != size {
				t.Fatal("the camera's memory was written to")
			}
		}
	})
}
