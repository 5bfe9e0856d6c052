package port

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Adapter is a serial line on a USB device, as far as the device has a serial number.
type Adapter struct {
	Node      string // e.g. "/dev/ttyUSB0"; changes with the order of plugging in
	Serial    string // USB serial number
	Interface int    // number of the USB interface the line is on
	Product   string // the maker's name for it
	Link      string // its name under /dev/serial/by-id, empty where udev made none
}

// Adapters lists the serial lines on USB devices with a serial number, by serial number and interface.
func Adapters() []Adapter { return system{"/sys", "/dev"}.adapters() }

// CheckSpec tells whether spec can be a port, as far as it can be known without the hardware.
func CheckSpec(spec string) error {
	if rest, ok := strings.CutPrefix(spec, "usb:"); ok {
		_, _, err := parseUSB(rest)
		return err
	}
	if rest, ok := strings.CutPrefix(spec, "tcp://"); ok {
		return checkAddress(rest)
	}
	if !strings.HasPrefix(spec, "/") {
		return fmt.Errorf("%q: %w", spec, ErrSpec)
	}
	return nil
}

// Resolve gives the device node that spec means at present. A path or TCP address is itself.
func Resolve(spec string) (string, error) {
	if err := CheckSpec(spec); err != nil {
		return "", err
	}
	rest, ok := strings.CutPrefix(spec, "usb:")
	if !ok {
		return spec, nil
	}
	return system{"/sys", "/dev"}.find(rest)
}

// anyInterface: the spec names none.
const anyInterface = -1

// parseUSB reads SERIAL[,IF]. Serial numbers may hold commas; what follows the last one is an interface if it is a number.
func parseUSB(text string) (serial string, iface int, err error) {
	serial, iface = text, anyInterface
	if i := strings.LastIndexByte(text, ','); i >= 0 {
		if n, err := strconv.ParseUint(text[i+1:], 10, 8); err == nil {
			serial, iface = text[:i], int(n)
		}
	}
	if serial == "" || strings.ContainsAny(serial, "/\x00\n") {
		return "", 0, fmt.Errorf("%q: %w", "usb:"+text, ErrSpec)
	}
	return serial, iface, nil
}

// system is where the kernel shows devices; a test has its own.
type system struct{ sys, dev string }

// find gives the node of the one line that fits SERIAL[,IF].
func (s system) find(text string) (string, error) {
	serial, iface, err := parseUSB(text)
	if err != nil {
		return "", err
	}
	var fit []Adapter
	for _, a := range s.adapters() {
		if a.Serial == serial && (iface == anyInterface || iface == a.Interface) {
			fit = append(fit, a)
		}
	}
	switch len(fit) {
	case 0:
		return "", s.missing()
	case 1:
		return fit[0].Node, nil
	}
	var at []string
	for _, a := range fit {
		at = append(at, fmt.Sprintf("%s (interface %d)", a.Node, a.Interface))
	}
	return "", fmt.Errorf("%w: %s", ErrSeveral, strings.Join(at, ", "))
}

// adapters walks /sys/class/tty. A line's device lies below its USB interface, and that below its USB device.
func (s system) adapters() []Adapter {
	links := s.links()
	found, _ := filepath.Glob(s.sys + "/class/tty/*/device") // only a pattern can be wrong
	var all []Adapter
	for _, path := range found {
		dir, err := filepath.EvalSymlinks(path)
		if err != nil {
			continue // unplugged at this moment
		}
		name := filepath.Base(filepath.Dir(path))
		a := Adapter{Node: filepath.Join(s.dev, name), Interface: anyInterface, Link: links[name]}
		for ; len(dir) > len(s.sys) && a.Serial == ""; dir = filepath.Dir(dir) {
			if n, err := strconv.ParseUint(attribute(dir, "bInterfaceNumber"), 16, 8); err == nil && a.Interface == anyInterface {
				a.Interface = int(n)
			}
			if attribute(dir, "idVendor") != "" {
				a.Serial, a.Product = attribute(dir, "serial"), attribute(dir, "product")
				break
			}
		}
		if a.Serial != "" && a.Interface != anyInterface {
			all = append(all, a)
		}
	}
	slices.SortFunc(all, func(a, b Adapter) int {
		if c := strings.Compare(a.Serial, b.Serial); c != 0 {
			return c
		}
		if a.Interface != b.Interface {
			return a.Interface - b.Interface
		}
		return strings.Compare(a.Node, b.Node)
	})
	return all
}

// attribute reads a file of sysfs; "" when there is none.
func attribute(dir, name string) string {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// links gives the stable names of nodes.
func (s system) links() map[string]string {
	links := map[string]string{}
	found, _ := filepath.Glob(s.dev + "/serial/by-id/*") // only a pattern can be wrong
	for _, link := range found {
		if to, err := os.Readlink(link); err == nil {
			links[filepath.Base(to)] = link
		}
	}
	return links
}

// missing is ErrMissing with what there is instead.
func (s system) missing() error {
	var there []string
	for _, link := range s.links() {
		there = append(there, link)
	}
	for _, a := range s.adapters() {
		if a.Link == "" {
			there = append(there, "usb:"+a.Serial+" ("+a.Node+")")
		}
	}
	if len(there) == 0 {
		return fmt.Errorf("%w; no USB serial adapter is plugged in", ErrMissing)
	}
	slices.Sort(there)
	return fmt.Errorf("%w; plugged in are %s", ErrMissing, strings.Join(there, ", "))
}

// HintSilent is what to look at when the port is open and not a byte ever comes, in one line.
func HintSilent(spec string, s Settings) string {
	if strings.HasPrefix(spec, "tcp://") {
		return "connected, but not a byte comes: is this the unit's control port, is it enabled there, does another program hold it?"
	}
	hint := "the line is open, but not a byte comes: is the unit switched on, its speed " + s.String() + ", the cable the right one"
	switch {
	case s.RS485.Enabled:
		return hint + " (A and B not exchanged, the line terminated)?"
	case s.Flow == FlowRTSCTS:
		return hint + " (a null-modem cable crosses TX with RX and RTS with CTS; many leave out the latter two)?"
	}
	return hint + " (most units want a null-modem cable, which crosses TX with RX; some a straight one)?"
}

// HintEcho is what to look at when nothing comes but what was sent, in one line.
func HintEcho(spec string) string {
	if strings.HasPrefix(spec, "tcp://") {
		return "only an echo of what the box sends comes back: is this the unit's control port, and does the converter behind it reach the unit?"
	}
	return "only an echo of what the box sends comes back: are TX and RX bridged, is the far end of the cable in the unit, is the converter's echo off?"
}

// HintGarbled is what to look at when bytes come that make no sense, in one line.
func HintGarbled(spec string, s Settings) string {
	if strings.HasPrefix(spec, "tcp://") {
		return "bytes come, but they make no sense: is this the unit's control port, and if a converter is between, is its speed that of the unit?"
	}
	return "bytes come, but they make no sense: is the unit's speed " + s.String() + ", and does nothing else send on this line?"
}
