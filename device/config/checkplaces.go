package config

import (
	"net/netip"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"plenum/device/names"
)

// maxSocket is the longest path a unix socket may have, bytes (unix(7), without the end).
const maxSocket = 107

// checkNames checks what the box is reached by: each name goes into its certificate and into links.
func (c Config) checkNames(bad *complaints) {
	label := regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$`)
	for i, name := range c.Names {
		bad.at("names[%d]", i)
		if a, err := netip.ParseAddr(name); err == nil {
			if a.Zone() != "" || a.IsUnspecified() || a.IsMulticast() {
				bad.add("names: %q is no address by which one box can be reached", name)
			}
			continue
		}
		labels := strings.Split(name, ".")
		wrong := len(name) > 253 || strings.Trim(labels[len(labels)-1], "0123456789") == ""
		for _, l := range labels {
			wrong = wrong || !label.MatchString(l)
		}
		if wrong {
			bad.add("names: %q is neither a host name nor an address; write \"plenum.example.org\" or \"192.0.2.7\", without https://, port, blanks, * or a dot at the end, umlauts as xn--…", name)
		}
	}
	bad.at("")
}

// checkPlaces checks where the daemon keeps what it knows and where it is asked.
func (c Config) checkPlaces(bad *complaints) {
	unprintable := func(s string) bool { return strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) }
	switch {
	case strings.TrimSpace(c.Data) == "":
		bad.add("data is empty; name a folder only the daemon can read")
	case unprintable(c.Data) || filepath.Clean(c.Data) == "/":
		bad.add("data = %q is no folder of the daemon's own, for example \"/var/lib/plenum\"", c.Data)
	}
	switch {
	case strings.TrimSpace(c.Socket) == "":
		bad.add("socket is empty; plenumctl needs one")
	case unprintable(c.Socket) || !filepath.IsAbs(c.Socket) || strings.HasSuffix(c.Socket, "/") || filepath.Clean(c.Socket) == filepath.Clean(c.Data):
		bad.add("socket = %q is no path of a file, for example \"/run/plenum/plenumd.sock\"", c.Socket)
	case len(c.Socket) > maxSocket:
		bad.add("socket = %q is longer than the %d bytes that the kernel allows; choose a shorter path", c.Socket, maxSocket)
	}
}

// near reports whether a host is this machine or in a private network.
func near(host string) bool {
	a, err := netip.ParseAddr(host)
	if err != nil {
		return host == "localhost"
	}
	return a.Unmap().IsLoopback() || a.Unmap().IsPrivate() || a.IsLinkLocalUnicast()
}

// at is the path of one of an array's tables.
func at(array string, n int) string { return array + "[" + strconv.Itoa(n) + "]" }

// tidy gives everything that people read one spelling, and complains of what no screen may show.
func (c *Config) tidy(bad *complaints) {
	tidy := func(path string, text *string) {
		clean, err := names.Clean(*text)
		if err != nil {
			bad.at("%s", path)
			bad.add("%s: %v", path, err)
			return
		}
		*text = clean
	}
	tidy("sitting.body", &c.Sitting.Body)
	for i := range c.Members {
		m, path := &c.Members[i], at("member", i)
		tidy(path+".name", &m.Name)
		tidy(path+".group", &m.Group)
		tidy(path+".seat", &m.Seat)
	}
	for i := range c.Desks {
		tidy(at("desk", i)+".name", &c.Desks[i].Name)
		for j := range c.Desks[i].Seats {
			tidy(at("desk", i)+at(".seat", j)+".seat", &c.Desks[i].Seats[j].Seat)
		}
	}
	for i := range c.Cameras {
		tidy(at("camera", i)+".name", &c.Cameras[i].Name)
	}
	for i := range c.Hall.Microphone.Channels {
		tidy(at("hall.microphone.channels", i), &c.Hall.Microphone.Channels[i])
	}
	for i := range c.Inputs {
		tidy(at("input", i)+".name", &c.Inputs[i].Name)
	}
	for i := range c.Outputs {
		tidy(at("output", i)+".name", &c.Outputs[i].Name)
	}
	bad.at("")
}
