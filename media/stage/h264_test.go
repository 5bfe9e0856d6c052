package stage

import (
	"slices"
	"testing"

	"github.com/pion/rtp"
)

// h264 makes a packet of H.264.
func h264(seq uint16, ts uint32, payload ...byte) *rtp.Packet {
	p := packet(seq, ts, payload)
	p.PayloadType = uint8(H264)
	return p
}

// sets makes a STAP-A of the two parameter sets an encoder puts before an IDR picture.
func sets() []byte {
	return []byte{0x78, 0, 4, 0x67, 0x42, 0xe0, 0x1f, 0, 3, 0x68, 0xce, 's'}
}

// idr makes the first packet of an IDR picture, inter the only one of another picture.
func idr(tag byte) []byte   { return []byte{0x7c, 0x85, 0x88, tag} }
func inter(tag byte) []byte { return []byte{0x41, 0x9a, tag} }

func TestParseUnit(t *testing.T) {
	tests := []struct {
		name string
		in   []byte
		want unit
		ok   bool
	}{
		{"empty", nil, unit{}, false},
		{"forbidden bit", []byte{0xe5, 0x88}, unit{}, false},
		{"type 0", []byte{0x60, 0x88}, unit{}, false},
		{"IDR slice", []byte{0x65, 0x88, 0x84}, unit{slice: true, idr: true}, true},
		{"a later slice of an IDR picture", []byte{0x65, 0x42, 0x84}, unit{slice: true}, true},
		{"cut after the header", []byte{0x65}, unit{slice: true}, true},
		{"inter slice", []byte{0x41, 0x9a}, unit{slice: true}, true},
		{"parameter set", []byte{0x67, 0x42, 0xe0, 0x1f}, unit{sps: true}, true},
		{"picture parameter set", []byte{0x68, 0xce}, unit{}, true},
		{"SEI", []byte{0x06, 0x05}, unit{}, true},
		{"delimiter", []byte{0x09, 0xf0}, unit{}, true},
		{"end of sequence", []byte{0x0a}, unit{}, true},
		{"STAP-A of sets", sets(), unit{sps: true}, true},
		{"STAP-A of sets and picture", append(sets(), 0, 2, 0x65, 0x88), unit{sps: true, slice: true, idr: true}, true},
		{"STAP-A without units", []byte{0x78}, unit{}, false},
		{"STAP-A cut in a size", []byte{0x78, 0}, unit{}, false},
		{"STAP-A cut before a unit", []byte{0x78, 0, 1}, unit{}, false},
		{"STAP-A with a size too large", []byte{0x78, 0, 9, 0x67, 0x42}, unit{}, false},
		{"STAP-A with an empty unit", []byte{0x78, 0, 0, 0x67}, unit{}, false},
		{"STAP-A in a STAP-A", []byte{0x78, 0, 2, 0x78, 0}, unit{}, false},
		{"FU-A of an IDR slice, first", []byte{0x7c, 0x85, 0x88, 0x84}, unit{slice: true, idr: true}, true},
		{"FU-A of an IDR slice, middle", []byte{0x7c, 0x05, 0x88, 0x84}, unit{slice: true}, true},
		{"FU-A of an IDR slice, last", []byte{0x7c, 0x45, 0x88}, unit{slice: true}, true},
		{"FU-A of a later slice", []byte{0x7c, 0x85, 0x42}, unit{slice: true}, true},
		{"FU-A of a parameter set", []byte{0x7c, 0x87, 0x42}, unit{sps: true}, true},
		{"FU-A first and last", []byte{0x7c, 0xc5, 0x88}, unit{}, false},
		{"FU-A of an FU-A", []byte{0x7c, 0x9c, 0x88}, unit{}, false},
		{"FU-A without a body", []byte{0x7c, 0x85}, unit{slice: true}, true},
		{"FU-A cut", []byte{0x7c}, unit{}, false},
		{"STAP-B", []byte{0x79, 0, 0, 0, 1, 0x67}, unit{}, false},
		{"FU-B", []byte{0x7d, 0x85, 0, 0, 0x88}, unit{}, false},
	}
	for _, tc := range tests {
		got, err := parseUnit(tc.in)
		if (err == nil) != tc.ok || got != tc.want {
			t.Errorf("%s: got %+v, %v, want %+v, ok %v", tc.name, got, err, tc.want, tc.ok)
		}
	}
}

// However a NAL unit is packed, the same is read from it.
func FuzzParseUnit(f *testing.F) {
	for _, seed := range [][]byte{sets(), idr('a'), inter('b'), {0x65, 0x88}, {0x67, 0x42, 0xe0, 0x1f}, {0x7c, 0x45, 1}} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		u, err := parseUnit(b)
		if err != nil {
			if u != (unit{}) {
				t.Fatalf("%x: %+v beside %v", b, u, err)
			}
			return
		}
		if u.idr && !u.slice {
			t.Fatalf("%x: an IDR picture without a slice", b)
		}
		if typ := b[0] & 0x1f; typ > nalLast || len(b) > 0xffff {
			return
		}
		stap := append([]byte{0x78, byte(len(b) >> 8), byte(len(b))}, b...)
		fua := append([]byte{b[0]&0xe0 | nalFUA, 0x80 | b[0]&0x1f}, b[1:]...)
		for _, packed := range [][]byte{stap, fua} {
			if v, err := parseUnit(packed); err != nil || v != u {
				t.Fatalf("%x is %+v, packed as %x it is %+v, %v", b, u, packed, v, err)
			}
		}
	})
}

// What a slot starts with when an H.264 source is to come: x is what must not get through.
func TestH264StartsAtAnIDRPictureWithItsSets(t *testing.T) {
	type pkt struct {
		seq  uint16
		ts   uint32
		body []byte
	}
	pps, sps := []byte{0x68, 0xce, 'p'}, []byte{0x67, 0x42, 0xe0, 0x1f, 's'}
	whole := slices.Concat(sets(), []byte{0, 3, 0x65, 0x88, 'i'})
	tests := []struct {
		name string
		in   []pkt
		want string
	}{
		{"STAP-A and FU-A", []pkt{{1, 0, sets()}, {2, 0, idr('i')}, {3, 90, inter('n')}}, "sin"},
		{"single units", []pkt{{1, 0, sps}, {2, 0, pps}, {3, 0, []byte{6, 'e'}}, {4, 0, []byte{0x65, 0x88, 'i'}}}, "spei"},
		{"all in one", []pkt{{1, 0, whole}, {2, 90, inter('n')}}, "in"},
		{"a delimiter before the sets is of no use", []pkt{{1, 0, []byte{9, 'x'}}, {2, 0, sets()}, {3, 0, idr('i')}}, "si"},
		{"padding between", []pkt{{1, 0, sets()}, {2, 7, nil}, {3, 0, idr('i')}}, "si"},
		{"no sets", []pkt{{1, 0, idr('x')}, {2, 90, inter('x')}}, ""},
		{"sets of another picture", []pkt{{1, 0, sets()}, {2, 90, idr('x')}}, ""},
		{"sets before an inter picture", []pkt{{1, 0, sets()}, {2, 0, inter('x')}, {3, 0, idr('x')}}, ""},
		{"sets twice", []pkt{{1, 0, sets()}, {2, 90, sets()}, {3, 90, idr('i')}}, "si"},
		{"one packet lost", []pkt{{1, 0, sps}, {3, 0, idr('x')}}, ""},
		{"not the first slice", []pkt{{1, 0, sets()}, {2, 0, []byte{0x65, 0x42, 'x'}}, {3, 0, idr('x')}}, ""},
		{"second picture", []pkt{{1, 0, idr('x')}, {2, 90, sets()}, {3, 90, idr('i')}}, "si"},
	}
	for _, tc := range tests {
		s := testStage(newClock(), 1)
		cam := s.AddSource("camera/wide", Video, "", nil)
		word := watch(t, s, "", Word)
		s.SetWord("camera/wide")
		for _, p := range tc.in {
			cam.Write(h264(p.seq, p.ts, p.body...))
		}
		if got := tags(*word); got != tc.want {
			t.Errorf("%s: %q came through, want %q", tc.name, got, tc.want)
		}
		checkRun(t, *word)
	}
}

// An encoder that sends nothing but sets does not fill the memory.
func TestLeadIsBounded(t *testing.T) {
	s := testStage(newClock(), 1)
	cam := s.AddSource("camera/wide", Video, "", nil)
	s.SetWord("camera/wide")
	for i := range uint16(1000) {
		cam.Write(h264(i, 0, sets()...))
		if n := len(s.slots[Word].lead); n > maxLead {
			t.Fatalf("%d packets are held back", n)
		}
	}
}
