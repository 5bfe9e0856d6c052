package app

import (
	"context"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"plenum/device/config"
)

// names are what the box is reached by, the first one for links.
func (a *App) names() []string {
	names := slices.Clone(a.cfg.Names)
	host, _, _ := net.SplitHostPort(a.cfg.Listen)
	if ip, err := netip.ParseAddr(host); err == nil && !ip.IsUnspecified() {
		names = append(names, host)
	} else if err == nil {
		for _, own := range ownAddresses() {
			names = append(names, own.String())
		}
	} else if host != "" {
		names = append(names, host)
	}
	if name, err := os.Hostname(); err == nil {
		names = append(names, name)
	}
	return append(names, "localhost", "127.0.0.1")
}

// ownAddresses are the host's IPv4 addresses, those others can reach first.
func ownAddresses() []netip.Addr {
	var far, near []netip.Addr
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		switch {
		case err != nil || !p.Addr().Is4():
		case p.Addr().IsLoopback():
			near = append(near, p.Addr())
		default:
			far = append(far, p.Addr())
		}
	}
	return append(far, near...)
}

// announced are the IPv4 addresses at which peers find sound and picture.
func announced(cfg config.Config) []netip.Addr {
	host, _, _ := net.SplitHostPort(cfg.Listen)
	bound, err := netip.ParseAddr(host)
	out := []netip.Addr{bound.Unmap()}
	if err != nil || bound.IsUnspecified() {
		out = ownAddresses()
	}
	// Behind a router that forwards the port, the address others use is one of the configured names.
	for _, name := range cfg.Names {
		if addr, err := netip.ParseAddr(name); err == nil && addr.Is4() && !slices.Contains(out, addr) {
			out = append(out, addr)
		}
	}
	return out
}

const addressesEvery = 2 * time.Second

// followAddresses keeps what peers and browsers are told in line with the addresses the box has: the network may come
// up long after the box.
func (a *App) followAddresses(ctx context.Context) error {
	told, certified := announced(a.cfg), a.names()
	tick := time.NewTicker(addressesEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if now := announced(a.cfg); !slices.Equal(now, told) {
			if err := a.media.host.Announce(now); err != nil {
				a.log.Warn("the box's new addresses are not announced", "error", err)
			} else {
				a.log.Info("the box's addresses have changed", "now", now)
			}
			told = now
		}
		if now := a.names(); !slices.Equal(now, certified) {
			if left, err := a.ca.Rename(now); err != nil {
				a.log.Error("the box's certificate was not made for its new addresses", "error", err)
			} else if len(left) > 0 {
				a.log.Warn("the box's certificate does not hold for all its addresses: name them in the configuration", "left", left)
			}
			certified = now
		}
	}
}
