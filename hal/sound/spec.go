package sound

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// choice is a spec that was understood.
type choice struct {
	kind string // card, usb, path, alsa
	name string // ALSA id, USB serial number, name in /dev/snd/by-path, or PCM
	dev  int
	sub  int // -1: any that is free
}

// CheckSpec says whether a spec can name a sound device, without opening any:
//
//	card:ID[,DEV[,SUB]]  a card by its ALSA id (aplay -l, the word after "card N:"), device and subdevice of it
//	usb:SERIAL[,DEV]     a USB card by its serial number, in whichever port
//	path:NAME[,DEV]      a card by where it is plugged in, NAME as in /dev/snd/by-path
//	alsa:PCM             any PCM of ALSA's configuration
//
// Card numbers are refused since they change, and so is what takes a device by accident or none at all: default,
// sysdefault, null, pulse. The error wraps ErrSpec and lists the cards that are there.
func CheckSpec(spec string) error {
	_, err := parseSpec(spec)
	if err != nil {
		return fmt.Errorf("%w %q: %w; %s", ErrSpec, spec, err, system.list())
	}
	return nil
}

func parseSpec(spec string) (choice, error) {
	kind, rest, ok := strings.Cut(spec, ":")
	if spec == "" || !ok {
		return choice{}, fmt.Errorf("write card:ID, usb:SERIAL, path:NAME or alsa:PCM")
	}
	if kind == "alsa" {
		return choice{kind: kind, name: rest, sub: -1}, checkPCM(rest)
	}
	parts := strings.Split(rest, ",")
	c := choice{kind: kind, name: parts[0], sub: -1}
	numbers := []*int{&c.dev}
	switch kind {
	case "card":
		numbers = append(numbers, &c.sub)
		if !isID(c.name) {
			return c, fmt.Errorf("after card: there must be an ALSA card id, up to 15 letters, digits, _ and -, and not a mere number, for numbers change")
		}
	case "usb", "path":
		if c.name == "" || strings.ContainsAny(c.name, "\x00\n") {
			return c, fmt.Errorf("after %s: there must be %s", kind, map[string]string{"usb": "a USB serial number", "path": "a name out of /dev/snd/by-path"}[kind])
		}
	default:
		return c, fmt.Errorf("write card:ID, usb:SERIAL, path:NAME or alsa:PCM")
	}
	if len(parts)-1 > len(numbers) {
		return c, fmt.Errorf("too many commas: after the name of %s: there can be %d numbers", kind, len(numbers))
	}
	for i, p := range parts[1:] {
		n, err := strconv.ParseUint(p, 10, 8)
		if err != nil {
			return c, fmt.Errorf("%q is not a device number (0 to 255)", p)
		}
		*numbers[i] = int(n)
	}
	return c, nil
}

// isID says whether a word can be an ALSA card id (sound/core/init.c) and is not a number.
func isID(s string) bool {
	digits := true
	for _, r := range s {
		if r >= '0' && r <= '9' {
			continue
		}
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '_' && r != '-' {
			return false
		}
		digits = false
	}
	return !digits && len(s) <= 15
}

// checkPCM refuses the PCMs that are something by accident.
func checkPCM(pcm string) error {
	base, args, _ := strings.Cut(pcm, ":")
	args = strings.Trim(args, `"'`)
	switch {
	case base == "" || strings.ContainsAny(pcm, "\x00\n"):
		return fmt.Errorf("after alsa: there must be the name of a PCM (aplay -L lists them)")
	case base == "plug" || base == "asym":
		return checkPCM(strings.TrimPrefix(args, "SLAVE="))
	case slices.Contains([]string{"null", "pulse", "pipewire", "jack"}, base):
		return fmt.Errorf("%s is not a device: it goes nowhere, or wherever a sound server sends it", base)
	case !ofACard(base):
		return nil
	}
	card, _, _ := strings.Cut(strings.TrimPrefix(args, "CARD="), ",")
	if card == "" {
		return fmt.Errorf("%s takes whichever card is the first: say which, such as %s:CARD=ID", base, base)
	}
	if !isID(card) {
		return fmt.Errorf("%s is not an ALSA card id, and numbers change", card)
	}
	return nil
}

// ofACard says whether a PCM of alsa.conf goes to a card, to the first one when none is said.
func ofACard(base string) bool {
	return strings.HasPrefix(base, "surround") || slices.Contains([]string{
		"default", "sysdefault", "hw", "plughw", "dmix", "dsnoop", "dshare", "front", "rear", "center_lfe", "side",
		"iec958", "spdif", "hdmi", "modem", "phoneline", "usbstream", "shm",
	}, base)
}
