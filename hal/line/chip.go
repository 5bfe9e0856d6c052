package line

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/warthog618/go-gpiocdev"
	"github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"
)

// place is where a line is at present. Chip numbers change from boot to boot.
type place struct {
	chip   string // e.g. "gpiochip0"
	offset int
}

func (p place) String() string { return fmt.Sprintf("%s line %d", p.chip, p.offset) }

// catalogue is all lines with a name that there are.
type catalogue struct {
	lines  map[string][]place
	denied []string // chips we may not open
}

// Names lists the names of all lines there are, sorted.
func Names() []string { return scan().names() }

func (c catalogue) names() []string {
	var names []string
	for name := range c.lines {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// scan looks at all lines of all chips. The library's FindLine stops at the first line of a name, and a wrong lamp is
// worse than none.
func scan() catalogue {
	c := catalogue{lines: map[string][]place{}}
	for _, name := range gpiocdev.Chips() {
		chip, err := gpiocdev.NewChip(name)
		if errors.Is(err, fs.ErrPermission) {
			c.denied = append(c.denied, "/dev/"+name)
		}
		if err != nil {
			continue // unplugged at this moment
		}
		for i := range chip.Lines() {
			if info, err := chip.LineInfo(i); err == nil && info.Name != "" {
				c.lines[info.Name] = append(c.lines[info.Name], place{name, i})
			}
		}
		_ = chip.Close() // a descriptor that was only read from
	}
	return c
}

// find gives the place of the only line of a name.
func (c catalogue) find(name string) (place, error) {
	switch found := c.lines[name]; {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		var at []string
		for _, p := range found {
			at = append(at, p.String())
		}
		return place{}, fmt.Errorf("%w: %s", ErrTwice, strings.Join(at, " and "))
	case len(c.denied) > 0:
		return place{}, fmt.Errorf("%w (%s)", ErrPermission, strings.Join(c.denied, ", "))
	case len(c.lines) == 0:
		return place{}, fmt.Errorf("%w: there is no chip with named lines; is it plugged in, its driver loaded?", ErrMissing)
	}
	return place{}, fmt.Errorf("%w: there are %s", ErrMissing, quoteSome(c.names()))
}

// quoteSome keeps an error line readable on boards with hundreds of lines.
func quoteSome(names []string) string {
	const most = 40
	more := ""
	if len(names) > most {
		more = fmt.Sprintf(" and %d more (see gpioinfo)", len(names)-most)
		names = names[:most]
	}
	return fmt.Sprintf("%q", names) + more
}

// wire is a claimed line: its descriptor on the runtime's poller.
//
// The library's own Line is not used. Its watcher panics when EpollWait fails in a way it does not expect, which would
// take the daemon with it, and when the chip goes it spins on the hung-up descriptor without telling anybody. So the
// library finds the lines, its package uapi speaks to the kernel, and waiting is the runtime's.
type wire struct{ file *os.File }

// request claims the line called name at p.
func request(p place, name string, config uapi.LineConfig, buffer uint32) (*wire, error) {
	chip, err := os.Open("/dev/" + p.chip)
	if err != nil {
		return nil, explain(err)
	}
	defer chip.Close()
	// The chip may be another one by now than when it was looked at.
	info, err := uapi.GetLineInfoV2(chip.Fd(), p.offset)
	if err != nil {
		return nil, explain(err)
	}
	if uapi.BytesToString(info.Name[:]) != name {
		return nil, fmt.Errorf("%w: %s was exchanged just now", ErrMissing, p.chip)
	}
	req := uapi.LineRequest{Config: config, Lines: 1, EventBufferSize: buffer}
	req.Offsets[0] = uint32(p.offset)
	copy(req.Consumer[:], "plenum")
	err = uapi.GetLine(chip.Fd(), &req)
	switch {
	case errors.Is(err, unix.EBUSY):
		return nil, fmt.Errorf("%w (%s is held by %q)", ErrBusy, p, uapi.BytesToString(info.Consumer[:]))
	case errors.Is(err, unix.EINVAL):
		return nil, fmt.Errorf("%w: %s refuses this direction, bias or debouncing", ErrConfig, p)
	case err != nil:
		return nil, explain(err)
	}
	if err := unix.SetNonblock(int(req.Fd), true); err != nil {
		_ = unix.Close(int(req.Fd))
		return nil, fmt.Errorf("claim %s: %w", p, err)
	}
	return &wire{os.NewFile(uintptr(req.Fd), p.String())}, nil
}

// get reads the level, with ActiveLow and debouncing taken into account.
func (w *wire) get() (bool, error) {
	values := uapi.LineValues{Mask: 1}
	err := w.control(func(fd uintptr) error { return uapi.GetLineValuesV2(fd, &values) })
	return values.Get(0) == 1, err
}

// set drives an output.
func (w *wire) set(on bool) error {
	values := uapi.LineValues{Mask: 1, Bits: bit(on)}
	return w.control(func(fd uintptr) error { return uapi.SetLineValuesV2(fd, values) })
}

func (w *wire) control(do func(fd uintptr) error) error {
	raw, err := w.file.SyscallConn()
	if err != nil {
		return err
	}
	var done error
	if err := raw.Control(func(fd uintptr) { done = do(fd) }); err != nil {
		return err
	}
	return explain(done)
}

func (w *wire) close() error { return w.file.Close() }

func bit(on bool) uapi.LineBitmap {
	if on {
		return 1
	}
	return 0
}

// explain turns what the kernel says into one of the package's errors.
func explain(err error) error {
	switch {
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO), errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: its chip was unplugged", ErrMissing)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w (%v)", ErrPermission, err)
	case errors.Is(err, unix.ENOTTY), errors.Is(err, unix.EINVAL):
		return fmt.Errorf("the kernel has no GPIO interface v2 (Linux 5.10 or newer is needed): %w", err)
	}
	return err
}
