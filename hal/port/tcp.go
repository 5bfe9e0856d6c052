package port

import (
	"context"
	"fmt"
	"net"
	"time"
)

// openTCP connects to a unit's own control port or to a serial-to-Ethernet converter.
func openTCP(ctx context.Context, address string, s Settings) (Port, error) {
	if err := checkAddress(address); err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	dialer := net.Dialer{
		Timeout: 5 * time.Second,
		// A converter that lost power says nothing; the probes turn that into a hang-up within half a minute.
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 4},
	}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("open tcp://%s: %w: is the unit switched on and its control port enabled?", address, err)
	}
	return &line{stream: conn, writeTimeout: s.WriteTimeout}, nil
}

func checkAddress(address string) error {
	if host, port, err := net.SplitHostPort(address); err != nil || host == "" || port == "" {
		return fmt.Errorf("%q: %w", "tcp://"+address, ErrSpec)
	}
	return nil
}
