package camera

import (
	"fmt"
	"path"
	"strings"
	"unicode"
)

// where is a spec taken apart: a link below /dev/v4l or the serial number of a USB device, and the wanted input.
type where struct {
	link, serial, input string
}

// CheckSpec says whether spec could name a camera, which it may do in three ways:
//
//	/dev/v4l/by-path/pci-0000:00:14.0-usb-0:2:1.0-video-index0   the socket it is plugged into
//	/dev/v4l/by-id/usb-Maker_Model_Serial-video-index0           the camera, by udev's name for it
//	usb:SERIAL                                                   the camera with this USB serial number, in any socket
//
// A capture card with several inputs takes "?input=NUMBER" or "?input=NAME" behind it; without, the input that is set stays.
// /dev/videoN is refused, since the numbers change from start to start. The error is ErrSpec.
func CheckSpec(spec string) error {
	_, err := parseSpec(spec)
	return err
}

func parseSpec(spec string) (where, error) {
	name, query, asked := strings.Cut(spec, "?")
	var w where
	if asked {
		input, ok := strings.CutPrefix(query, "input=")
		if !ok || input == "" || !printable(input) || strings.Contains(input, "?") {
			return where{}, fmt.Errorf("%q: %w; behind the ? stands input=NUMBER or input=NAME", spec, ErrSpec)
		}
		w.input = input
	}
	switch {
	case !printable(name):
		return where{}, fmt.Errorf("%q: %w", spec, ErrSpec)
	case strings.HasPrefix(name, "usb:"):
		w.serial = strings.TrimPrefix(name, "usb:")
		if w.serial == "" || w.serial != strings.TrimSpace(w.serial) || len(w.serial) > 126 {
			return where{}, fmt.Errorf("%q: %w; the serial number is missing or malformed", spec, ErrSpec)
		}
	case strings.HasPrefix(name, "/dev/video"):
		return where{}, fmt.Errorf("%q: %w; this number changes from start to start", spec, ErrSpec)
	case strings.HasPrefix(name, "/dev/v4l/"):
		if dir, file := path.Split(strings.TrimPrefix(name, "/dev/v4l/")); dir == "" || file == "" || path.Clean(name) != name {
			return where{}, fmt.Errorf("%q: %w", spec, ErrSpec)
		}
		w.link = name
	default:
		return where{}, fmt.Errorf("%q: %w", spec, ErrSpec)
	}
	return w, nil
}

// printable: nothing that could not stand in a configuration file and a log line.
func printable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) }) < 0
}

// clean makes what a device says about itself fit for logs and pages.
func clean(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s))
}
