package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtp"
	"go.uber.org/goleak"

	"plenum/media/stage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 2 * time.Minute // for things that must happen at last; the machine may be busy

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited in vain for: %s", what)
}

// tap stands between the mux and the socket: the last step before the kernel.
type tap struct {
	net.PacketConn
	out    func(b []byte) // sees every datagram that leaves
	in     func(b []byte, from net.Addr) (keep bool)
	inject chan datagram
}

type datagram struct {
	data []byte
	from net.Addr
}

func (c *tap) WriteTo(b []byte, to net.Addr) (int, error) {
	n, err := c.PacketConn.WriteTo(b, to)
	if c.out != nil {
		c.out(b)
	}
	return n, err
}

// ReadFrom hands injected datagrams to the host as if they had come again.
func (c *tap) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		select {
		case d := <-c.inject:
			return copy(b, d.data), d.from, nil
		default:
		}
		n, from, err := c.PacketConn.ReadFrom(b)
		if err != nil || c.in == nil || c.in(b[:n], from) {
			return n, from, err
		}
	}
}

// house is a running host with its stage and an HTTP server before it. The
// bearer token is the person.
type house struct {
	t     *testing.T
	host  *Host
	stage *stage.Stage
	url   string
	tap   *tap
	gone  chan struct{} // closed: all links are withdrawn; nil: never

	mu   sync.Mutex
	legs []Leg
}

func newHouse(t *testing.T, change func(*Options)) *house {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, tap: &tap{PacketConn: conn, inject: make(chan datagram, 4096)}}
	h.stage = stage.New(stage.Options{Voices: 2, Log: slog.New(slog.DiscardHandler)})
	h.stage.Transmit(true)
	o := Options{Conn: h.tap, Stage: h.stage, OnLeg: h.onLeg, Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&o)
	}
	if h.host, err = New(o); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h.host.Handler(h.bearer))
	h.url = server.URL
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.host.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		server.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return h
}

func (h *house) bearer(r *http.Request) (Caller, error) {
	person, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || person == "nobody" {
		return Caller{}, errors.New("no token")
	}
	return Caller{Person: person, Gone: h.gone, Many: person == "screen"}, nil
}

func (h *house) onLeg(l Leg) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.legs = append(h.legs, l)
}

// seen returns the first reported leg that fits.
func (h *house) seen(fits func(Leg) bool) (Leg, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.legs {
		if fits(l) {
			return l, true
		}
	}
	return Leg{}, false
}

// last returns the newest report of a person's leg.
func (h *house) last(person string, d Direction) (last Leg) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.legs {
		if l.Person == person && l.Direction == d {
			last = l
		}
	}
	return last
}

func (h *house) waitLeg(what string, fits func(Leg) bool) (found Leg) {
	h.t.Helper()
	eventually(h.t, what, func() bool {
		l, ok := h.seen(fits)
		found = l
		return ok
	})
	return found
}

func up(person string, d Direction) func(Leg) bool {
	return func(l Leg) bool { return l.Person == person && l.Direction == d && l.Up }
}

// do sends a request and returns the answer with its body read.
func (h *house) do(method, path, person, body string, header map[string]string) (*http.Response, string) {
	h.t.Helper()
	req, err := http.NewRequest(method, h.url+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	if person != "" {
		req.Header.Set("Authorization", "Bearer "+person)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return res, string(b)
}

// feed writes a source at 50 packets a second until the test ends; a request
// for a key frame is met with the next packet. Pictures are VP8.
func feed(t *testing.T, s *stage.Stage, id string, kind stage.Kind, person string, tag byte) *stage.Source {
	return feedCodec(t, s, id, kind, person, map[stage.Kind]stage.Codec{stage.Video: stage.VP8, stage.Audio: stage.Opus}[kind], tag)
}

func feedCodec(t *testing.T, s *stage.Stage, id string, kind stage.Kind, person string, codec stage.Codec, tag byte) *stage.Source {
	var key atomic.Bool
	src := s.AddSource(id, kind, person, func() { key.Store(true) })
	p := pump(t, codec, tag, &key, func(p *rtp.Packet) { src.Write(p) })
	t.Cleanup(func() { p(); src.Close() })
	return src
}

// pump makes packets of a codec and hands them to write until stop is called.
// The last four bytes of a payload count up, the fifth last is the tag.
func pump(t *testing.T, codec stage.Codec, tag byte, key *atomic.Bool, write func(*rtp.Packet)) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	rate := 90_000.0
	if codec == stage.Opus {
		rate = 48_000
	}
	wg.Go(func() {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		born := time.Now()
		for n := uint32(0); ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			payload := append(opening(codec, n, key.Swap(false)), bytes.Repeat([]byte{7}, pumpBody)...)
			payload = binary.BigEndian.AppendUint32(append(payload, tag), n)
			write(&rtp.Packet{
				Header: rtp.Header{Version: 2, PayloadType: uint8(codec), SequenceNumber: uint16(60000 + n),
					Timestamp: uint32(time.Since(born).Seconds() * rate), Marker: codec != stage.Opus},
				Payload: payload,
			})
		}
	})
	return func() { cancel(); wg.Wait() }
}

const pumpBody = 60 // bytes between the opening and the tag

// opening is how the payload of the n-th packet begins.
func opening(codec stage.Codec, n uint32, key bool) []byte {
	switch {
	case codec == stage.VP8 && key:
		return []byte{0x90, 0x80, 0x80 | byte(n>>8), byte(n), 0x00}
	case codec == stage.VP8:
		return []byte{0x90, 0x80, 0x80 | byte(n>>8), byte(n), 0x01}
	case codec == stage.H264 && key: // a STAP-A of the parameter sets and an IDR slice
		return []byte{0x78, 0, 4, 0x67, 0x42, 0xe0, 0x1f, 0, 2, 0x68, 0xce, 0, 2 + pumpBody + 5, 0x65, 0x88}
	case codec == stage.H264:
		return []byte{0x41, 0x9a}
	}
	return nil
}

// checkRun fails unless the sequence numbers close up and timestamps do not go
// back. A packet in a hundred may be lost: a busy machine loses some on
// loopback too. The stage's own tests are exact.
func checkRun(t *testing.T, name string, got []rtp.Packet) {
	t.Helper()
	if len(got) == 0 {
		t.Errorf("%s: nothing came", name)
		return
	}
	seen := map[uint16]uint32{}
	last := uint16(0) // distance of the highest number from the first
	for _, p := range got {
		seen[p.SequenceNumber] = p.Timestamp
		if d := p.SequenceNumber - got[0].SequenceNumber; d < 1<<15 {
			last = max(last, d)
		}
	}
	if missing := int(last) + 1 - len(seen); missing > 2+len(seen)/100 {
		t.Errorf("%s: %d numbers of %d are missing", name, missing, last+1)
	}
	ts := got[0].Timestamp
	for n := uint16(1); n <= last; n++ {
		next, ok := seen[got[0].SequenceNumber+n]
		if !ok {
			continue
		}
		if int32(next-ts) < 0 {
			t.Errorf("%s: timestamp goes back at number %d", name, n)
		}
		ts = next
	}
}

func loopback() netip.AddrPort { return netip.MustParseAddrPort("127.0.0.1:0") }

func rtpSSRC(b []byte) (ssrc uint32, ok bool) {
	if len(b) < 12 || b[0]>>6 != 2 || (b[1] >= 192 && b[1] <= 223) { // RFC 5761: RTCP
		return 0, false
	}
	return binary.BigEndian.Uint32(b[8:]), true
}

func name(n int) string { return fmt.Sprintf("viewer-%d", n) }
