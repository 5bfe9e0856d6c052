package wire

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"

	"github.com/pion/ice/v4"
	"github.com/pion/logging"
)

// socketBuffer is asked of the kernel for the one port, in bytes: a key frame
// to 90 viewers leaves in one burst.
const socketBuffer = 4 << 20

// mux is pion's UDP mux with two changes: which checks it sees is decided by
// the guard, and which addresses are announced is decided here. pion would
// announce every interface of a socket bound to 0.0.0.0 and nothing but the
// bound address of any other.
type mux struct {
	*ice.UDPMuxDefault
	guard     *guard
	announced atomic.Pointer[[]net.Addr]
}

func openMux(listen netip.AddrPort, conn net.PacketConn, addresses []netip.Addr, log pionLog) (*mux, error) {
	if conn == nil {
		udp, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(listen))
		if err != nil {
			return nil, fmt.Errorf("opening the media port %v: %w", listen, err)
		}
		// Larger buffers are a wish: a kernel that refuses still works.
		_ = udp.SetReadBuffer(socketBuffer)
		_ = udp.SetWriteBuffer(socketBuffer)
		conn = udp
	}
	local, ok := conn.LocalAddr().(*net.UDPAddr)
	if !ok || local.IP.To4() == nil {
		return nil, errors.Join(fmt.Errorf("the media port needs an IPv4 UDP socket, not %v", conn.LocalAddr()), conn.Close())
	}
	announced, err := announce(local, addresses)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	g := newGuard(conn)
	m := &mux{UDPMuxDefault: ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: g, Logger: log.NewLogger("ice-mux")}), guard: g}
	m.announced.Store(&announced)
	return m, nil
}

// announce sets what peers of later sessions are told.
func (m *mux) announce(addresses []netip.Addr) error {
	local, ok := m.LocalAddr().(*net.UDPAddr)
	if !ok {
		return fmt.Errorf("the media port is %v, no UDP socket", m.LocalAddr())
	}
	announced, err := announce(local, addresses)
	if err != nil {
		return err
	}
	m.announced.Store(&announced)
	return nil
}

// announce returns the addresses peers are told: those asked for, else the one
// the socket is bound to, else all of the machine's but loopback.
func announce(local *net.UDPAddr, addresses []netip.Addr) ([]net.Addr, error) {
	if len(addresses) == 0 && !local.IP.IsUnspecified() {
		addresses = []netip.Addr{local.AddrPort().Addr().Unmap()}
	}
	if len(addresses) == 0 {
		own, err := net.InterfaceAddrs()
		if err != nil {
			return nil, fmt.Errorf("listing the machine's addresses: %w", err)
		}
		for _, a := range own {
			prefix, err := netip.ParsePrefix(a.String())
			if ip := prefix.Addr(); err == nil && ip.Is4() && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() {
				addresses = append(addresses, ip)
			}
		}
	}
	var out []net.Addr
	for _, a := range addresses {
		if a = a.Unmap(); !a.Is4() || a.IsUnspecified() {
			return nil, fmt.Errorf("%v cannot be announced to peers: it is not an IPv4 address of a host", a)
		}
		out = append(out, net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, uint16(local.Port))))
	}
	if len(out) == 0 {
		return nil, errors.New("no IPv4 address to announce to peers: name one in the configuration")
	}
	return out, nil
}

// GetListenAddresses returns the announced addresses.
func (m *mux) GetListenAddresses() []net.Addr { return *m.announced.Load() }

// GetConn returns the one socket whatever address is announced for it.
func (m *mux) GetConn(ufrag string, _ net.Addr) (net.PacketConn, error) {
	return m.UDPMuxDefault.GetConn(ufrag, m.LocalAddr())
}

// Close closes the mux and the socket.
func (m *mux) Close() error {
	return m.UDPMuxDefault.Close()
}

// pionLog hands pion's messages to our log at debug level: pion warns once for
// every bad packet, which a hostile sender could use to fill the disk.
type pionLog struct {
	log interface {
		Debug(msg string, args ...any)
	}
}

// NewLogger makes pionLog a logging.LoggerFactory.
func (p pionLog) NewLogger(scope string) logging.LeveledLogger { return scopedLog{p, scope} }

type scopedLog struct {
	pionLog
	scope string
}

func (s scopedLog) say(level, msg string) { s.log.Debug(msg, "scope", s.scope, "level", level) }
func (s scopedLog) sayf(level, format string, args []any) {
	s.log.Debug("pion", "scope", s.scope, "level", level, "message", lazy{format, args})
}

func (scopedLog) Trace(string)                   {}
func (scopedLog) Tracef(string, ...any)          {}
func (scopedLog) Debug(string)                   {}
func (scopedLog) Debugf(string, ...any)          {}
func (s scopedLog) Info(msg string)              { s.say("info", msg) }
func (s scopedLog) Infof(f string, args ...any)  { s.sayf("info", f, args) }
func (s scopedLog) Warn(msg string)              { s.say("warn", msg) }
func (s scopedLog) Warnf(f string, args ...any)  { s.sayf("warn", f, args) }
func (s scopedLog) Error(msg string)             { s.say("error", msg) }
func (s scopedLog) Errorf(f string, args ...any) { s.sayf("error", f, args) }

// lazy is formatted only when somebody reads the line.
type lazy struct {
	format string
	args   []any
}

// String formats the message.
func (l lazy) String() string { return fmt.Sprintf(l.format, l.args...) }
