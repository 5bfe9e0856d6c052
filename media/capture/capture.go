// Package capture is where sound and picture enter the house: a camera or a
// microphone as an encoded source of RTP packets: VP8, the camera's own H.264,
// or Opus.
//
// A Source makes one attempt per Run: it opens its device, encodes, and returns
// when the device is lost or the context ends; whoever supervises it calls Run
// again. Sequence numbers and timestamps go on across attempts, so those behind
// see a gap and not a new stream. Devices come from pion/mediadevices' driver
// registry through one place, device.go.
package capture

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
)

// Errors that callers tell apart.
var (
	// ErrUnknown: no driver can ever open a device of this name.
	ErrUnknown = errors.New("unknown device")
	// ErrAbsent: the device is not there now; it may come back.
	ErrAbsent = errors.New("device is not there")
)

// Options describe a source. Name and Device must be set; zero means the
// default elsewhere.
type Options struct {
	Name    string // for logs, and written into a test picture
	Device  string // "test:picture", "test:voice", a camera as hal/camera names it: "/dev/v4l/by-path/...", or a card as hal/sound does: "card:ID", "usb:SERIAL"
	BitRate int    // bit/s; 600000 for a camera, 32000 for a microphone

	Width, Height int           // wanted picture in pixels, 640x360; a real camera gives the nearest it has
	FPS           int           // wanted frames per second, 25
	KeyInterval   time.Duration // a key frame at least this often, 10 s; RequestKey brings one at once

	Pass bool              // take the camera's own H.264 if it has that; it is also taken when the camera has nothing else
	Live func(mode string) // called with the first frame of each attempt; must not block

	Open func(device string) (Device, error) // opens a real camera; nil: hal/camera does

	// Of a microphone. Channels has an entry for each channel of the card: "hall" is always in the mix, a seat while OpenSeats
	// names it, "" never. Default: {"hall"}.
	Channels []string
	Period   time.Duration // how often the card wakes us, 10 ms
	Buffer   time.Duration // how long we may be away before sound is lost, four periods
	Silence  time.Duration // of digital silence until Status tells of it; 0: never

	House   string   // first line of a test picture
	Caption []string // the large lines of a test picture; SetCaption changes them
	Pitch   float64  // of a test voice, Hz; 0 gives each Name its own between 120 and 400

	Log *slog.Logger // default: slog.Default
}

// Stats count what a source has done since it was made.
type Stats struct {
	Frames    uint64        // encoded frames of picture or packets of sound
	KeyFrames uint64        // of them key frames
	Packets   uint64        // RTP packets written
	Bytes     uint64        // of RTP payload
	Encoding  time.Duration // time spent in the VP8 encoder
}

// Source is one camera or microphone.
type Source struct {
	o       Options
	attempt func(ctx context.Context, write func(*rtp.Packet)) error
	key     atomic.Bool
	caption atomic.Pointer[[]string]
	stream  *stream
	vp8     rtp.Payloader                       // keeps counting pictures through all attempts
	eye     eye                                 // what the pictures do
	ear     *ear                                // what the microphones' mix does; nil for a camera
	mixer   *mixer                              // of a microphone; nil for a camera
	open    func(device string) (Device, error) // of a real camera

	mu    sync.Mutex
	stats Stats
}

func newSource(o Options) (*Source, error) {
	if o.Name == "" || o.Device == "" {
		return nil, fmt.Errorf("source %q with device %q: both a name and a device are needed", o.Name, o.Device)
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	o.Log = o.Log.With("source", o.Name, "device", o.Device)
	s := &Source{o: o}
	s.SetCaption(o.Caption...)
	return s, nil
}

// Run opens the device and gives write its packets until ctx has ended (then it
// returns ctx.Err()) or the device is lost. The packets are write's to keep.
// write is called from one goroutine and must not block: the device waits for
// it. One Run at a time.
func (s *Source) Run(ctx context.Context, write func(*rtp.Packet)) error {
	err := s.attempt(ctx, write)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("source %s: %w", s.o.Name, err)
}

// RequestKey makes the next frame a key frame. It never blocks; asking again
// before that frame changes nothing. A microphone has none.
func (s *Source) RequestKey() { s.key.Store(true) }

// SetCaption changes the large lines of a test picture from the next frame on.
// A real camera shows what it sees.
func (s *Source) SetCaption(lines ...string) {
	lines = append([]string(nil), lines...)
	s.caption.Store(&lines)
}

// Stats returns the counters; it may be called at any time.
func (s *Source) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// send packs one encoded frame and writes it.
func (s *Source) send(frame []byte, ts uint32, key bool, took time.Duration, write func(*rtp.Packet)) {
	packets := s.stream.pack(frame, ts)
	s.mu.Lock()
	s.stats.Frames++
	if key {
		s.stats.KeyFrames++
	}
	s.stats.Packets += uint64(len(packets))
	s.stats.Bytes += uint64(len(frame))
	s.stats.Encoding += took
	s.mu.Unlock()
	for _, p := range packets {
		write(p)
	}
}

// payloadSize is the longest RTP payload, in bytes: with all headers and the
// SRTP tag the packet still fits the 1280 bytes every IPv6 link carries.
const payloadSize = 1180

// stream numbers the packets of a source through all its attempts.
type stream struct {
	payloader rtp.Payloader
	header    rtp.Header
	rate      int64  // RTP clock, Hz
	base      uint32 // timestamp at epoch
	epoch     time.Time
	last      int64 // of stamp, in units of the clock since epoch
}

func newStream(p rtp.Payloader, payloadType uint8, rate int64) *stream {
	return &stream{
		payloader: p,
		header: rtp.Header{
			Version: 2, PayloadType: payloadType,
			SSRC: rand.Uint32(), SequenceNumber: uint16(rand.Uint32()),
		},
		rate: rate, base: rand.Uint32(), epoch: time.Now(), last: -1,
	}
}

// ticks is the time since the source was made, in units of the RTP clock.
func (st *stream) ticks(at time.Time) int64 {
	return int64(at.Sub(st.epoch)/time.Microsecond) * st.rate / 1e6
}

// stamp is the RTP timestamp of a picture taken at that time, later than the one
// before it.
func (st *stream) stamp(at time.Time) uint32 {
	st.last = max(st.ticks(at), st.last+1)
	return st.base + uint32(st.last)
}

// carry sets what the packets hold from now on; the numbering goes on.
func (st *stream) carry(payloadType uint8, p rtp.Payloader) {
	st.header.PayloadType, st.payloader = payloadType, p
}

func (st *stream) pack(frame []byte, ts uint32) []*rtp.Packet {
	payloads := st.payloader.Payload(payloadSize, frame)
	packets := make([]*rtp.Packet, len(payloads))
	for i, payload := range payloads {
		h := st.header
		h.Timestamp = ts
		// The last packet of a picture carries the marker (RFC 7741, 4.1; RFC 6184, 5.1).
		h.Marker = st.rate == clockVP8 && i == len(payloads)-1
		st.header.SequenceNumber++
		packets[i] = &rtp.Packet{Header: h, Payload: payload}
	}
	return packets
}
