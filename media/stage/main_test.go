package stage

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/pion/rtp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a hand-driven clock.
type clock struct{ t time.Time }

func newClock() *clock                { return &clock{time.Unix(1_700_000_000, 0)} }
func (c *clock) now() time.Time       { return c.t }
func (c *clock) pass(d time.Duration) { c.t = c.t.Add(d) }

// testStage is a stage of which something may go out.
func testStage(c *clock, n int) *Stage { return open(Options{Voices: n, Now: c.now}) }

func open(o Options) *Stage {
	s := New(o)
	s.Transmit(true)
	return s
}

// got is one packet a watcher received.
type got struct {
	h       rtp.Header
	payload []byte
}

// watch subscribes and collects what comes.
func watch(t *testing.T, s *Stage, person string, id SlotID) *[]got {
	t.Helper()
	var all []got
	un, err := s.Subscribe(person, id, SinkFunc(func(h rtp.Header, p []byte) {
		all = append(all, got{h, append([]byte(nil), p...)})
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(un)
	return &all
}

// vp8 makes a VP8 payload: key frame or not, a tag to tell whose it is.
func vp8(key bool, tag byte) []byte {
	p := []byte{0x10, 0x01, tag}
	if key {
		p[1] = 0x00
	}
	return p
}

// vp8ids makes a VP8 payload with a 15-bit picture id and TL0PICIDX.
func vp8ids(key bool, tag byte, id uint16, tl0 uint8) []byte {
	b := []byte{0x90, 0xe0, 0x80 | byte(id>>8), byte(id), tl0, 0x00, 0x01, tag}
	if key {
		b[6] = 0
	}
	return b
}

func packet(seq uint16, ts uint32, payload []byte) *rtp.Packet {
	return &rtp.Packet{
		Header: rtp.Header{
			Version: 2, SequenceNumber: seq, Timestamp: ts, SSRC: 7, PayloadType: uint8(VP8),
			CSRC: []uint32{1, 2}, Extension: true, ExtensionProfile: 0xBEDE,
			Extensions: []rtp.Extension{},
		},
		Payload: payload,
	}
}

// sound makes a packet of Opus.
func sound(seq uint16, ts uint32, payload []byte) *rtp.Packet {
	p := packet(seq, ts, payload)
	p.PayloadType = uint8(Opus)
	return p
}

// talk writes n sound packets and returns the next number.
func talk(src *Source, seq uint32, n int, tag byte) uint32 {
	for range n {
		src.Write(sound(uint16(seq), seq*960, binary.BigEndian.AppendUint32([]byte{tag}, seq)))
		seq++
	}
	return seq
}

// checkRun fails unless the sequence numbers have no gap and timestamps never go back.
func checkRun(t *testing.T, all []got) {
	t.Helper()
	for i := 1; i < len(all); i++ {
		if d := all[i].h.SequenceNumber - all[i-1].h.SequenceNumber; d != 1 {
			t.Errorf("packet %d: sequence number steps by %d", i, int16(d))
		}
		if int32(all[i].h.Timestamp-all[i-1].h.Timestamp) < 0 {
			t.Errorf("packet %d: timestamp goes back", i)
		}
	}
}

// tags returns the last byte (video) of all payloads.
func tags(all []got) string {
	var b []byte
	for _, g := range all {
		if len(g.payload) == 0 {
			b = append(b, '-')
			continue
		}
		b = append(b, g.payload[len(g.payload)-1])
	}
	return string(b)
}
