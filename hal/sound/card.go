package sound

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Card is a sound card as the kernel lists it.
type Card struct {
	Index  int    // changes from start to start
	ID     string // ALSA id, such as "Saal"; stable when udev or a module option sets it
	Name   string // for people
	Serial string // USB serial number; "" when it has none
	Path   string // name in /dev/snd/by-path; "" when it has none
}

// Spec is the best word for the configuration.
func (c Card) Spec() string {
	if c.Serial != "" {
		return "usb:" + c.Serial
	}
	return "card:" + c.ID
}

// Cards lists the cards that are there now, by number. None is not an error.
func Cards() ([]Card, error) { return system.cards() }

// Resolve finds the device that a spec names now: the PCM for ALSA, and the card, which is empty for an alsa: spec. The
// error wraps ErrSpec or ErrLost and lists the cards there are.
func Resolve(spec string) (pcm string, card Card, err error) { return system.resolve(spec) }

// tree is where the kernel's files are.
type tree string

const system tree = "/"

func (t tree) path(elem ...string) string {
	return filepath.Join(append([]string{string(t)}, elem...)...)
}

func (t tree) cards() ([]Card, error) {
	b, err := os.ReadFile(t.path("proc/asound/cards"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // no sound in this kernel, or no card so far
	}
	if err != nil {
		return nil, fmt.Errorf("listing the sound cards: %w", err)
	}
	cards := parseCards(string(b))
	places := t.places()
	for i := range cards {
		cards[i].Serial = t.serial(cards[i].Index)
		for _, name := range slices.Sorted(maps.Keys(places)) {
			if places[name] == cards[i].Index {
				cards[i].Path = name
				break
			}
		}
	}
	return cards, nil
}

// parseCards reads /proc/asound/cards: a line such as " 0 [Saal           ]: Loopback - Loopback" for each card, and one
// with its long name after it. What does not look like that is left out.
func parseCards(text string) []Card {
	var cards []Card
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		number, rest, ok := strings.Cut(lines.Text(), "[")
		id, name, ok2 := strings.Cut(rest, "]:")
		index, err := strconv.ParseUint(strings.TrimSpace(number), 10, 16)
		if !ok || !ok2 || err != nil || strings.TrimSpace(id) == "" {
			continue
		}
		if _, short, ok := strings.Cut(name, " - "); ok {
			name = short
		}
		cards = append(cards, Card{Index: int(index), ID: strings.TrimSpace(id), Name: strings.TrimSpace(name)})
	}
	slices.SortStableFunc(cards, func(a, b Card) int { return cmp.Compare(a.Index, b.Index) })
	return cards
}

// serial looks from the card's interface up to the USB device and no further, since the hub above has one too.
func (t tree) serial(index int) string {
	dir, err := filepath.EvalSymlinks(t.path("sys/class/sound", fmt.Sprintf("card%d", index), "device"))
	if err != nil {
		return ""
	}
	for top := filepath.Clean(t.path("sys")); len(dir) > len(top); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "idVendor")); err == nil {
			b, _ := os.ReadFile(filepath.Join(dir, "serial"))
			return strings.TrimSpace(string(b))
		}
	}
	return ""
}

// places are udev's links to the cards' numbers. A card may have several.
func (t tree) places() map[string]int {
	numbers := map[string]int{}
	entries, _ := os.ReadDir(t.path("dev/snd/by-path"))
	for _, e := range entries {
		target, err := os.Readlink(t.path("dev/snd/by-path", e.Name()))
		if err != nil {
			continue
		}
		if n, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(target), "controlC")); err == nil {
			numbers[e.Name()] = n
		}
	}
	return numbers
}

func (t tree) resolve(spec string) (string, Card, error) {
	c, err := parseSpec(spec)
	if err != nil {
		return "", Card{}, fmt.Errorf("%w %q: %w; %s", ErrSpec, spec, err, t.list())
	}
	if c.kind == "alsa" {
		return c.name, Card{}, nil
	}
	cards, err := t.cards()
	if err != nil {
		return "", Card{}, err
	}
	found := slices.DeleteFunc(cards, func(card Card) bool {
		if c.kind == "path" {
			index, ok := t.places()[c.name]
			return !ok || index != card.Index
		}
		return c.name != map[string]string{"card": card.ID, "usb": card.Serial}[c.kind]
	})
	switch len(found) {
	case 1:
		pcm := fmt.Sprintf("hw:CARD=%s,DEV=%d", found[0].ID, c.dev)
		if c.sub >= 0 {
			pcm += fmt.Sprintf(",SUBDEV=%d", c.sub)
		}
		return pcm, found[0], nil
	case 0:
		return "", Card{}, fmt.Errorf("%w: %s: is it plugged in? %s", ErrLost, spec, t.list())
	}
	return "", Card{}, fmt.Errorf("%w %q: %d cards have that serial number; take path: instead; %s", ErrSpec, spec, len(found), t.list())
}

// list is the cards there are, for a line of text.
func (t tree) list() string {
	cards, err := t.cards()
	if err != nil || len(cards) == 0 {
		return "there is no sound card now"
	}
	var words []string
	for _, c := range cards {
		word := "card:" + c.ID
		if c.Serial != "" {
			word += " = usb:" + c.Serial
		}
		if c.Path != "" {
			word += " = path:" + c.Path
		}
		words = append(words, fmt.Sprintf("%s (%s)", word, c.Name))
	}
	return "there now: " + strings.Join(words, ", ")
}

// devices lists what a card has in one direction ('c' or 'p'): its device numbers, from /sys/class/sound.
func (t tree) devices(index int, direction byte) []int {
	var numbers []int
	entries, _ := os.ReadDir(t.path("sys/class/sound"))
	for _, e := range entries {
		var card, dev int
		var dir byte
		if n, _ := fmt.Sscanf(e.Name(), "pcmC%dD%d%c", &card, &dev, &dir); n == 3 && card == index && dir == direction {
			numbers = append(numbers, dev)
		}
	}
	slices.Sort(numbers)
	return numbers
}
