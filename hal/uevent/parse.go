package uevent

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// maxMessage is more than either sender makes: the kernel stops at 2 KiB of properties, libudev at 8 KiB.
const maxMessage = 64 << 10

// errDamaged: a message is no announcement.
var errDamaged = errors.New("not a device announcement")

// The head of a message of udev (systemd, src/libsystemd/sd-device/device-monitor.c): "libudev\0", the magic number in
// network order, then in the machine's own order the size of the head, and place and length of the properties; four
// hashes for filters follow.
const (
	udevPrefix  = "libudev\x00"
	udevMagic   = 0xfeedcafe
	udevMinHead = 24 // up to and with the properties' length
)

// parse reads one message. Kernel and udev speak different forms on the same socket; kernel tells whose turn it is, so
// that no process can speak for the kernel.
func parse(b []byte, kernel bool) (Event, error) {
	if kernel {
		return parseKernel(b)
	}
	return parseUdev(b)
}

// parseKernel reads "action@devpath\0KEY=value\0…" (lib/kobject_uevent.c).
func parseKernel(b []byte) (Event, error) {
	head, rest, ok := bytes.Cut(b, []byte{0})
	action, path, at := strings.Cut(string(head), "@")
	if !ok || !at {
		return Event{}, fmt.Errorf("%w: no action@path at its start", errDamaged)
	}
	e, err := parseProps(rest)
	if err != nil {
		return Event{}, err
	}
	if e.Action != action || e.DevPath != path {
		return Event{}, fmt.Errorf("%w: head and properties differ", errDamaged)
	}
	e.Source = Kernel
	return e, nil
}

// parseUdev reads the head described above and the properties it points to.
func parseUdev(b []byte) (Event, error) {
	if len(b) < udevMinHead || string(b[:8]) != udevPrefix || binary.BigEndian.Uint32(b[8:]) != udevMagic {
		return Event{}, fmt.Errorf("%w: no head of libudev", errDamaged)
	}
	off, length := binary.NativeEndian.Uint32(b[16:]), binary.NativeEndian.Uint32(b[20:])
	if uint64(off) < udevMinHead || uint64(off)+uint64(length) > uint64(len(b)) {
		return Event{}, fmt.Errorf("%w: properties lie outside of it", errDamaged)
	}
	e, err := parseProps(b[off : off+length])
	e.Source = Udev
	return e, err
}

// parseProps reads "KEY=value\0…". Of a key that comes twice the last value counts, as in libudev.
func parseProps(b []byte) (Event, error) {
	props := map[string]string{}
	for len(b) > 0 {
		field, rest, ok := bytes.Cut(b, []byte{0})
		if !ok {
			return Event{}, fmt.Errorf("%w: cut off", errDamaged)
		}
		b = rest
		if len(field) == 0 {
			continue
		}
		key, value, ok := strings.Cut(string(field), "=")
		if !ok || key == "" {
			return Event{}, fmt.Errorf("%w: a property without a name", errDamaged)
		}
		props[key] = value
	}
	e := Event{Action: props["ACTION"], Subsystem: props["SUBSYSTEM"], DevPath: props["DEVPATH"], DevName: props["DEVNAME"], Props: props}
	if e.Action == "" || !strings.HasPrefix(e.DevPath, "/") {
		return Event{}, fmt.Errorf("%w: no ACTION or DEVPATH", errDamaged)
	}
	// The kernel names nodes without the folder.
	if e.DevName != "" && !strings.HasPrefix(e.DevName, "/") {
		e.DevName = "/dev/" + e.DevName
	}
	return e, nil
}
