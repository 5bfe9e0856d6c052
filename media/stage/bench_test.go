package stage

import (
	"fmt"
	"testing"

	"github.com/pion/rtp"
)

// What one packet costs the stage itself, without encryption and sockets.
func BenchmarkFanOut(b *testing.B) {
	for _, viewers := range []int{1, 10, 40, 90} {
		b.Run(fmt.Sprintf("viewers=%d", viewers), func(b *testing.B) {
			s := open(Options{Voices: 1})
			cam := s.AddSource("camera/wide", Video, "", nil)
			s.SetWord("camera/wide")
			for range viewers {
				if _, err := s.Subscribe("", Word, SinkFunc(func(rtp.Header, []byte) {})); err != nil {
					b.Fatal(err)
				}
			}
			p := packet(0, 0, append(vp8ids(true, 'c', 1, 1), make([]byte, 1100)...))
			b.ReportAllocs()
			for b.Loop() {
				cam.Write(p)
				p.SequenceNumber++
				p.Timestamp += 500
			}
		})
	}
}

// Taking the word, uncontended.
func BenchmarkWithdraw(b *testing.B) {
	s := open(Options{Voices: 4})
	s.AddSource("member/anna", Audio, "anna", nil)
	s.AddSource("member/anna", Video, "anna", nil)
	s.SetWord("member/anna")
	for b.Loop() {
		if err := s.Carry("anna", true); err != nil {
			b.Fatal(err)
		}
		if err := s.Carry("anna", false); err != nil {
			b.Fatal(err)
		}
	}
}
