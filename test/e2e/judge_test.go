package e2e

import (
	"encoding/binary"
	"image"
	"net"
	"strings"
	"testing"
)

func rtpDatagram(ssrc uint32, number uint16) []byte {
	b := binary.BigEndian.AppendUint16([]byte{0x80, 111}, number)
	return binary.BigEndian.AppendUint32(append(b, 0, 0, 0, 0), ssrc)
}

func stunDatagram(kind uint16, transaction string) []byte {
	b := binary.BigEndian.AppendUint16(nil, kind)
	return append(append(b, 0, 0, 0x21, 0x12, 0xa4, 0x42), transaction...)
}

// TestNumbersAreJudged: what the other tests judge a slot's numbers by finds what is wrong with them.
func TestNumbersAreJudged(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		what    string
		numbers []uint16
		fault   string
	}{
		{"in order, over the wrap", []uint16{65534, 65535, 0, 1, 2}, ""},
		{"one comes late", []uint16{7, 9, 8, 10}, ""},
		{"two never come", []uint16{65535, 2, 3}, "2 numbers never came, the first is 0"},
		{"one comes twice", []uint16{7, 8, 8, 9}, "1 numbers came twice"},
		{"a late one comes twice", []uint16{7, 9, 8, 8}, "1 numbers came twice"},
	} {
		s := socket{streams: map[uint32]*stream{}}
		for _, n := range tt.numbers {
			s.look(rtpDatagram(5, n))
		}
		st := s.now()[5]
		if got := st.fault(); got != tt.fault || st.packets != len(tt.numbers) {
			t.Errorf("%s: %q after %d packets, want %q", tt.what, got, st.packets, tt.fault)
		}
	}
}

// TestMarkWaitsForItsAnswer: a mark counts what came before the answer to a question that was asked after it was set.
func TestMarkWaitsForItsAnswer(t *testing.T) {
	t.Parallel()
	s, err := openSocket()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ask := func(transaction string) {
		if _, err := s.WriteTo(stunDatagram(0x0001, transaction), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: s.port()}); err != nil {
			t.Fatal(err)
		}
	}
	ask("before......")
	set := make(chan snapshot, 1)
	go func() { set <- s.mark(t.Context().Done()) }()
	eventually(t, "the mark is set", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.marked != nil
	})
	ask("after.......")
	s.look(rtpDatagram(5, 1))
	s.look(stunDatagram(0x0101, "before......")) // says nothing of what the box sends now
	s.look(rtpDatagram(5, 2))
	s.look([]byte{0x80, 200, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5}) // RTCP
	s.look(stunDatagram(0x0101, "after......."))
	s.look(rtpDatagram(5, 3))
	if got, now := (<-set)[5].packets, s.now()[5].packets; got != 2 || now != 3 {
		t.Fatalf("the mark has %d packets, the socket %d", got, now)
	}
}

// TestLostIsFound: the kernel's own count of what it has dropped at a port is read.
func TestLostIsFound(t *testing.T) {
	t.Parallel()
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	port := udp.LocalAddr().(*net.UDPAddr).Port
	if err := udp.SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	before := lost(port)
	for range 100 { // more than fits, and nobody reads
		if _, err := udp.WriteTo([]byte(strings.Repeat("x", 1000)), udp.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the kernel's count of dropped datagrams", func() bool { return lost(port) >= before+50 })
}

// TestLooksAreApart: no picture counts as the member's and a hall camera's.
func TestLooksAreApart(t *testing.T) {
	t.Parallel()
	img := image.NewYCbCr(image.Rect(0, 0, 33, 17), image.YCbCrSubsampleRatio420)
	for cb := range 256 {
		for cr := range 256 {
			for i := range img.Cb {
				img.Cb[i], img.Cr[i] = byte(cb), byte(cr)
			}
			l := lookOf(img)
			if l.cb != float64(cb) || l.cr != float64(cr) || l.member() && l.hall() {
				t.Fatalf("a picture of %d, %d is %+v", cb, cr, l)
			}
		}
	}
}
