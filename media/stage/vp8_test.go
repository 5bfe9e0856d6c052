package stage

import (
	"bytes"
	"testing"
)

func TestParseDescriptor(t *testing.T) {
	tests := []struct {
		name string
		in   []byte
		want descriptor
		ok   bool
	}{
		{"empty", nil, descriptor{}, false},
		{"descriptor only", []byte{0x10}, descriptor{}, false},
		{"plain key frame", []byte{0x10, 0x00}, descriptor{size: 1, key: true}, true},
		{"plain delta frame", []byte{0x10, 0x01}, descriptor{size: 1}, true},
		{"second partition", []byte{0x11, 0x00}, descriptor{size: 1}, true},
		{"reserved bit is ignored", []byte{0x18, 0x00}, descriptor{size: 1, key: true}, true},
		{"continuation", []byte{0x00, 0x00}, descriptor{size: 1}, true},
		{"7-bit id", []byte{0x90, 0x80, 0x11, 0x00}, descriptor{size: 3, key: true, pid: 2, picture: 0x11}, true},
		{"15-bit id", []byte{0x90, 0x80, 0x92, 0x34, 0x01}, descriptor{size: 4, pid: 2, wide: true, picture: 0x1234}, true},
		{"Chromium L1T3", []byte{0x90, 0xe0, 0x81, 0x02, 0x09, 0x40, 0x00},
			descriptor{size: 6, key: true, pid: 2, wide: true, picture: 0x102, tl0: 4, tl0idx: 9}, true},
		{"index without id", []byte{0x90, 0x40, 0x05, 0x00}, descriptor{size: 3, key: true, tl0: 2, tl0idx: 5}, true},
		{"cut in the id", []byte{0x90, 0x80, 0x92}, descriptor{}, false},
		{"cut before the payload", []byte{0x90, 0xf0, 0x92, 0x34, 0x01, 0x00}, descriptor{}, false},
	}
	for _, tc := range tests {
		got, err := parseDescriptor(tc.in)
		if (err == nil) != tc.ok || got != tc.want {
			t.Errorf("%s: got %+v, %v, want %+v, ok %v", tc.name, got, err, tc.want, tc.ok)
		}
	}
}

func TestPictureIDsAreContinuous(t *testing.T) {
	s := testStage(newClock(), 1)
	a := s.AddSource("a", Video, "", nil)
	b := s.AddSource("b", Video, "", nil)
	plain := s.AddSource("plain", Video, "", nil)
	word := watch(t, s, "", Word)
	ids := func() (id uint16, tl0 uint8) {
		g := (*word)[len(*word)-1]
		d, err := parseDescriptor(g.payload)
		if err != nil || !d.wide {
			t.Fatalf("not a 15-bit id: %x", g.payload)
		}
		return d.picture, d.tl0idx
	}
	s.SetWord("a")
	a.Write(packet(1, 1, vp8ids(true, 'a', 0x7ffe, 250)))
	id0, tl0 := ids()
	for i := range uint16(10) { // over the wrap of both
		a.Write(packet(2+i, uint32(2+i), vp8ids(false, 'a', (0x7fff+i)&0x7fff, 251+uint8(i))))
	}
	if id, tl := ids(); id != (id0+10)&0x7fff || tl != tl0+10 {
		t.Errorf("ids went to %d, %d, want +10", id-id0, tl-tl0)
	}
	s.SetWord("plain") // a source without ids stays without
	plain.Write(packet(1, 1, vp8(true, 'p')))
	if last := (*word)[len(*word)-1].payload; !bytes.Equal(last, vp8(true, 'p')) {
		t.Errorf("a payload without ids was changed: %x", last)
	}
	s.SetWord("b") // 7-bit ids, over the wrap, one packet late
	for i, id := range []byte{126, 127, 0, 2, 1} {
		b.Write(packet([]uint16{1, 2, 3, 5, 4}[i], uint32(i), []byte{0x90, 0x80, id, byte(min(i, 1)), 'b'}))
		want := (id0 + 11 + []uint16{0, 1, 2, 4, 3}[i]) & 0x7fff
		if got, _ := ids(); got != want {
			t.Errorf("7-bit id %d went out as %d, want %d", id, got, want)
		}
	}
}

func FuzzRewriteDescriptor(f *testing.F) {
	f.Add([]byte{0x90, 0xe0, 0x81, 0x02, 0x09, 0x40, 0x00, 0x01}, uint16(3))
	f.Add([]byte{0x10, 0x00}, uint16(0))
	f.Add([]byte{0x90, 0x80, 0x11, 0x00}, uint16(0x7fff))
	f.Add([]byte{0x90, 0x40, 0x05, 0x00}, uint16(1))
	f.Fuzz(func(t *testing.T, b []byte, last uint16) {
		d, err := parseDescriptor(b)
		if err != nil {
			return
		}
		p := picture{last: last & 0x7fff, tl0: uint8(last)}
		p.begin(d)
		out := p.rewrite(nil, b, d)
		e, err := parseDescriptor(out)
		if err != nil {
			t.Fatalf("%x became %x: %v", b, out, err)
		}
		if !bytes.Equal(b[d.size:], out[e.size:]) || d.key != e.key || b[0] != out[0] || b[1] != out[1] {
			t.Fatalf("%x became %x", b, out)
		}
		if d.pid > 0 && (!e.wide || e.picture != (last+1)&0x7fff) {
			t.Fatalf("picture id %d, want %d with 15 bits", e.picture, (last+1)&0x7fff)
		}
		if d.tl0 > 0 && e.tl0idx != uint8(last)+1 {
			t.Fatalf("TL0PICIDX %d, want %d", e.tl0idx, uint8(last)+1)
		}
	})
}
