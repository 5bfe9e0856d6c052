package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"syscall"
)

// Ports for --listen with port 0. The kernel hands out none of them by itself (ip_local_port_range begins at 32768), so
// no connection of another program comes to stand on one while the daemon starts, or is started again.
const (
	firstPort = 20_000
	lastPort  = 29_999
)

// takePort turns port 0 into a free one that no other demo takes until release is called, and checks any other.
func takePort(listen string) (address string, release func(), err error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || port != "0" {
		return listen, func() {}, checkPort(listen)
	}
	for range 1000 {
		n := firstPort + rand.N(lastPort-firstPort+1)
		// The daemon binds it in a moment. Until then a name stands for it: only demos choose here.
		claim, err := net.Listen("unix", fmt.Sprintf("@plenum-demo-port-%d", n))
		if err != nil {
			continue
		}
		address = net.JoinHostPort(host, strconv.Itoa(n))
		if err := checkPort(address); err == nil {
			return address, func() { _ = claim.Close() }, nil
		} else if !errors.Is(err, errInUse) {
			return "", nil, errors.Join(err, claim.Close())
		}
		_ = claim.Close()
	}
	return "", nil, fmt.Errorf("--listen %s: no free port from %d to %d", listen, firstPort, lastPort)
}

var errInUse = errors.New("in use by another program")

// checkPort says whether the daemon can have the address: pages and API by TCP, sound and picture by UDP, all by IPv4.
func checkPort(listen string) error {
	tcp, err := net.Listen("tcp4", listen)
	if err == nil {
		defer tcp.Close()
		var udp net.PacketConn
		if udp, err = net.ListenPacket("udp4", listen); err == nil {
			return udp.Close()
		}
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s is %w; choose another with --listen (make run ARGS=\"--listen 127.0.0.1:9443\")", listen, errInUse)
	}
	return fmt.Errorf("--listen %s: %w", listen, err)
}
