// Package usb tells which USB devices the house has turned away. The kernel holds a new device back (authorized_default=0)
// until a rule of udev lets it in; what no rule lets in stays, with authorized=0 and without drivers, and is listed here for
// the panel. It lets nobody in itself.
package usb

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Device is a USB device that was turned away.
type Device struct {
	Name    string   // maker and product, as it calls itself; "" when it does not
	IDs     string   // vendor and product, such as "046d:c31c"
	Port    string   // where it is plugged in, such as "1-1.4"
	Classes []string // what it wants to be, sorted: see Class.Name
}

// Refused lists the devices below sys (usually "/sys") that are not authorized, by port. Devices that go while they are
// looked at are left out.
func Refused(sys string) ([]Device, error) {
	dir := filepath.Join(sys, "bus/usb/devices")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // no USB at all
	}
	if err != nil {
		return nil, fmt.Errorf("look for USB devices: %w", err)
	}
	var list []Device
	for _, e := range entries {
		port := e.Name()
		if strings.Contains(port, ":") || strings.HasPrefix(port, "usb") {
			continue // an interface, a root hub
		}
		if d, ok := refused(filepath.Join(dir, port)); ok {
			d.Port = port
			list = append(list, d)
		}
	}
	slices.SortFunc(list, func(a, b Device) int { return comparePorts(a.Port, b.Port) })
	return list, nil
}

// refused reads one device; ok is false when it is authorized, or gone.
func refused(dir string) (d Device, ok bool) {
	if attribute(dir, "authorized") != "0" {
		return Device{}, false
	}
	vendor, product := attribute(dir, "idVendor"), attribute(dir, "idProduct")
	if !isID(vendor) || !isID(product) {
		return Device{}, false
	}
	name := strings.TrimSpace(attribute(dir, "manufacturer") + " " + attribute(dir, "product"))
	return Device{Name: name, IDs: vendor + ":" + product, Classes: names(classes(dir))}, true
}

// classes reads what a device wants to be: from its interfaces, and since a device that was never let in has none in sysfs,
// from its descriptors (Documentation/ABI/stable/sysfs-bus-usb: device descriptor, then all configurations).
func classes(dir string) []Class {
	var list []Class
	paths, _ := filepath.Glob(filepath.Join(dir, "*:*")) // fails for a bad pattern only
	for _, path := range paths {
		list = append(list, readClass(path, "bInterface"))
	}
	if len(list) > 0 {
		return list
	}
	f, err := os.Open(filepath.Join(dir, "descriptors"))
	if err == nil {
		defer f.Close()
		raw, _ := io.ReadAll(io.LimitReader(f, maxDescriptors)) // what was read counts
		if list, _ = ParseDescriptors(raw); len(list) > 0 {
			return list
		}
	}
	return []Class{readClass(dir, "bDevice")}
}

// readClass reads the three attributes of a class.
func readClass(dir, prefix string) Class {
	number := func(name string) byte {
		n, _ := strconv.ParseUint(attribute(dir, prefix+name), 16, 8)
		return byte(n)
	}
	return Class{number("Class"), number("SubClass"), number("Protocol")}
}

// names gives the names of classes, sorted, each once.
func names(list []Class) []string {
	var out []string
	for _, c := range list {
		if name := c.Name(); name != "" {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// attribute reads a file of sysfs, "" when there is none. What a device calls itself is made fit for one line.
func attribute(dir, name string) string {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	defer f.Close()
	b, _ := io.ReadAll(io.LimitReader(f, 512)) // 126 characters of UTF-16 at most, as UTF-8
	s := strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, string(b))
	return strings.Join(strings.Fields(s), " ")
}

// isID reports whether a text is four hexadecimal digits.
func isID(s string) bool {
	_, err := strconv.ParseUint(s, 16, 16)
	return err == nil && len(s) == 4
}

// comparePorts sorts 1-2 before 1-10.
func comparePorts(a, b string) int {
	split := func(s string) []int {
		var list []int
		for field := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == '-' || r == '.' }) {
			n, _ := strconv.Atoi(field)
			list = append(list, n)
		}
		return list
	}
	return cmp.Or(slices.Compare(split(a), split(b)), cmp.Compare(a, b))
}
