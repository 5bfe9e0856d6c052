package wire

import (
	"sync/atomic"
	"testing"

	"plenum/media/stage"
)

// While the stage does not transmit no media leaves the socket, whatever a player asks for again; but the player hears
// by reports that the connection lives, and everything is back when it transmits.
func TestNothingLeavesUnlessItTransmits(t *testing.T) {
	var media, reports atomic.Int64
	h := newHouse(t, func(o *Options) {
		o.Conn.(*tap).out = func(b []byte) {
			if _, ok := rtpSSRC(b); ok {
				media.Add(1)
			} else if len(b) > 8 && b[0]>>6 == 2 && b[1] == 201 { // a receiver report, RFC 3550 section 6.4.2
				reports.Add(1)
			}
		}
	})
	h.stage.Transmit(false)
	cam := feed(t, h.stage, "camera/wide", stage.Video, "", 'H')
	feed(t, h.stage, "hall", stage.Audio, "", 'H')
	h.stage.SetHall("camera/wide", "hall")
	h.stage.SetWord("camera/wide")
	v := h.play("cem", 2, 2)
	quiet := func(when string) {
		t.Helper()
		before, heard := media.Load(), reports.Load()
		_, idle := cam.Counts()
		eventually(t, when+": reports although nothing is sent", func() bool { return reports.Load() > heard+1 })
		eventually(t, when+": the camera goes on", func() bool { _, now := cam.Counts(); return now > idle+10 })
		if n := media.Load() - before; n != 0 {
			t.Errorf("%s: %d packets of media left the socket", when, n)
		}
	}
	quiet("before")
	for range 2 {
		h.stage.Transmit(true)
		seen, heard := v.tags("word")['H'], v.tags("hall-sound")['H']
		eventually(t, "picture and sound", func() bool { return v.tags("word")['H'] > seen+20 && v.tags("hall-sound")['H'] > heard+20 })
		h.stage.Transmit(false)
		before := media.Load()
		v.nackAll("word")
		v.nackAll("hall")
		if n := media.Load() - before; n != 0 {
			t.Errorf("%d packets of media on request", n)
		}
		quiet("after")
	}
	checkRun(t, "word", v.packets("word"))
	checkRun(t, "hall-sound", v.packets("hall-sound"))
}
