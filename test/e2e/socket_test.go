package e2e

import (
	"encoding/binary"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// socket is a listener's one UDP socket. It sees every datagram in the order in which the kernel hands them over, before
// anything behind it can queue or drop one. The headers of SRTP are in the clear, that is enough to count.
type socket struct {
	net.PacketConn

	mu      sync.Mutex
	streams map[uint32]*stream // by SSRC
	asked   map[string]bool    // binding requests of a mark that is under way, by transaction
	marked  chan snapshot      // takes the count when one of them is answered; nil when nobody waits
}

// stream is what came under one SSRC.
type stream struct {
	packets int
	first   int64 // numbers, not wrapped
	highest int64
	at      uint32         // timestamp of the highest
	holes   map[int64]bool // numbers that have not come
	twice   int
}

// snapshot is what had come at one moment.
type snapshot map[uint32]stream

func openSocket() (*socket, error) {
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	_ = udp.SetReadBuffer(4 << 20) // a wish: a busy machine does not always get to read in time
	return &socket{PacketConn: udp, streams: map[uint32]*stream{}}, nil
}

// ReadFrom reads a datagram and looks at it.
func (s *socket) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := s.PacketConn.ReadFrom(b)
	if err == nil {
		s.look(b[:n])
	}
	return n, from, err
}

// WriteTo sends a datagram and notes what the box is asked in it.
func (s *socket) WriteTo(b []byte, to net.Addr) (int, error) {
	if isSTUN(b, 0x0001) {
		s.mu.Lock()
		if s.marked != nil {
			s.asked[string(b[8:20])] = true
		}
		s.mu.Unlock()
	}
	return s.PacketConn.WriteTo(b, to)
}

// isSTUN tells a binding request (1) or its good answer (0x101), RFC 8489 section 5.
func isSTUN(b []byte, kind uint16) bool { return len(b) >= 20 && binary.BigEndian.Uint16(b) == kind }

func (s *socket) look(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case isSTUN(b, 0x0101) && s.marked != nil && s.asked[string(b[8:20])]:
		s.marked <- s.count()
		s.marked = nil
	case len(b) >= 12 && b[0]>>6 == 2 && (b[1] < 192 || b[1] > 223): // RTP, not RTCP: RFC 5761 section 4
		ssrc := binary.BigEndian.Uint32(b[8:])
		if s.streams[ssrc] == nil {
			s.streams[ssrc] = &stream{holes: map[int64]bool{}}
		}
		s.streams[ssrc].add(binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint32(b[4:]))
	}
}

func (st *stream) add(number uint16, at uint32) {
	st.packets++
	if st.packets == 1 {
		st.first = int64(number) + 1<<16
		st.highest, st.at = st.first, at
		return
	}
	n := st.highest + int64(int16(number-uint16(st.highest)))
	switch {
	case n > st.highest:
		for hole := st.highest + 1; hole < n; hole++ {
			st.holes[hole] = true
		}
		st.highest, st.at = n, at
	case st.holes[n]:
		delete(st.holes, n)
	case n >= st.first:
		st.twice++
	}
}

// count is what has come so far; s.mu is held.
func (s *socket) count() snapshot {
	out := snapshot{}
	for ssrc, st := range s.streams {
		c := *st
		c.holes = maps.Clone(st.holes)
		out[ssrc] = c
	}
	return out
}

func (s *socket) now() snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count()
}

// mark draws a line under what has come: what is not in the snapshot was sent by the box after mark was called. It
// asks the box something (the connection's own checks do) and counts when the answer comes: the box answers from the
// socket that everything else leaves by, and loopback keeps the order. nil when no answer comes.
func (s *socket) mark(after <-chan struct{}) snapshot {
	marked := make(chan snapshot, 1)
	s.mu.Lock()
	s.marked, s.asked = marked, map[string]bool{}
	s.mu.Unlock()
	select {
	case c := <-marked:
		return c
	case <-after:
		s.mu.Lock()
		s.marked = nil
		s.mu.Unlock()
		return nil
	}
}

// port is where the socket is bound.
func (s *socket) port() int { return s.LocalAddr().(*net.UDPAddr).Port }

// lost is how many datagrams the kernel says it has dropped on the way to the ports, for want of room in a socket or
// in the queue of the loopback. Such a hole is the machine's.
func lost(ports ...int) int {
	n := 0
	b, _ := os.ReadFile("/sys/class/net/lo/statistics/rx_dropped")
	if d, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
		n += d
	}
	table, _ := os.ReadFile("/proc/net/udp")
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if len(f) < 13 {
			continue
		}
		_, hex, _ := strings.Cut(f[1], ":")
		port, err := strconv.ParseInt(hex, 16, 32)
		if dropped, err2 := strconv.Atoi(f[12]); err == nil && err2 == nil && slices.Contains(ports, int(port)) {
			n += dropped
		}
	}
	return n
}

// fault says in words what is wrong with a stream's numbers, or "".
func (st *stream) fault() string {
	switch {
	case st.twice > 0:
		return fmt.Sprintf("%d numbers came twice", st.twice)
	case len(st.holes) > 0:
		missing := slices.Sorted(maps.Keys(st.holes))
		return fmt.Sprintf("%d numbers never came, the first is %d", len(missing), uint16(missing[0]))
	}
	return ""
}
