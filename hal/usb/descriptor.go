package usb

import (
	"errors"
	"fmt"
	"slices"
)

// Class is what an interface of a device is: class, subclass and protocol (https://www.usb.org/defined-class-codes).
type Class struct{ Class, Sub, Protocol byte }

// maxDescriptors is more than devices have: a camera with many modes has about 3 KiB.
const maxDescriptors = 256 << 10

// Types and lengths of descriptors (USB 2.0, 9.6).
const (
	typeDevice    = 1
	typeInterface = 4
	deviceLength  = 18
	minInterface  = 9
)

// ErrDamaged: the bytes are no descriptors, or are cut off.
var ErrDamaged = errors.New("not USB descriptors")

// ParseDescriptors finds the interfaces of all configurations in the bytes of the file descriptors of sysfs, each class
// once, in their order. A device whose own descriptor has a class that is one (a hub, not "see interfaces") has it first.
// With ErrDamaged come the interfaces before the damage.
func ParseDescriptors(b []byte) ([]Class, error) {
	if len(b) < deviceLength || b[0] < deviceLength || b[1] != typeDevice {
		return nil, fmt.Errorf("%w: no device descriptor", ErrDamaged)
	}
	var list []Class
	add := func(c Class) {
		if !slices.Contains(list, c) {
			list = append(list, c)
		}
	}
	if b[4] != 0 && b[4] != 0xef { // 0: see interfaces; ef: see interfaces, some belong together
		add(Class{b[4], b[5], b[6]})
	}
	for len(b) > 0 {
		size := int(b[0])
		if size < 2 || size > len(b) {
			return list, fmt.Errorf("%w: a descriptor of %d bytes where %d are left", ErrDamaged, size, len(b))
		}
		if b[1] == typeInterface && size >= minInterface {
			add(Class{b[5], b[6], b[7]})
		}
		b = b[size:]
	}
	return list, nil
}

// Name says in one or two English words what a class is, "" for one that only goes with another: "audio", "bluetooth",
// "camera", "data", "firmware", "hub", "image", "input", "keyboard", "mouse", "network", "printer", "serial", "smartcard",
// "storage", "vendor", "wireless", or "class xx".
func (c Class) Name() string {
	switch c.Class {
	case 0x02:
		return c.communication()
	case 0x03:
		return c.human()
	case 0xe0:
		return c.wireless()
	case 0xef:
		if c.Sub == 0x04 { // RNDIS, the way of newer telephones
			return "network"
		}
	case 0x0a:
		return "" // the data side of 02
	}
	plain := map[byte]string{0x01: "audio", 0x06: "image", 0x07: "printer", 0x08: "storage", 0x09: "hub", 0x0b: "smartcard", 0x0e: "camera",
		0x10: "audio", 0xfe: "firmware", 0xff: "vendor"}
	if name, ok := plain[c.Class]; ok {
		return name
	}
	return fmt.Sprintf("class %02x", c.Class)
}

// communication tells modems and serial adapters from networks (USB CDC 1.2, table 4): all that is not the abstract
// control model carries Ethernet or calls. RNDIS says it is a modem with a protocol of its own.
func (c Class) communication() string {
	switch {
	case c.Sub == 0x02 && c.Protocol != 0xff:
		return "serial"
	case c.Sub == 0x01, c.Sub >= 0x03 && c.Sub <= 0x05, c.Sub >= 0x08 && c.Sub <= 0x0b:
		return "modem"
	}
	return "network"
}

// human tells what types from what points (HID 1.11, 4.2 and 4.3).
func (c Class) human() string {
	switch {
	case c.Sub == 1 && c.Protocol == 1:
		return "keyboard"
	case c.Sub == 1 && c.Protocol == 2:
		return "mouse"
	}
	return "input"
}

func (c Class) wireless() string {
	switch {
	case c.Sub == 0x01 && c.Protocol == 0x01:
		return "bluetooth"
	case c.Sub == 0x01 && c.Protocol == 0x03: // RNDIS
		return "network"
	}
	return "wireless"
}
