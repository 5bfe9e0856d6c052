package line

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"
)

// eventBuffer is how many changes the kernel keeps for us per line; its own default for one line is 16. When it is full the
// oldest is overwritten.
const eventBuffer = 256

// edgeSize is the size of struct gpio_v2_line_event (linux/gpio.h).
const edgeSize = 48

// input is a claimed key or contact.
type input struct {
	*wire
	buf []byte
}

// claimInputs claims all inputs or none. Each is a request of its own, so that it has its own buffer and numbers.
func claimInputs(all []Input) (_ []sensor, err error) {
	var claimed []sensor
	defer func() {
		if err != nil {
			for _, s := range claimed {
				err = errors.Join(err, s.close())
			}
		}
	}()
	if len(all) == 0 {
		return nil, nil
	}
	lines := scan()
	for _, in := range all {
		p, err := lines.find(in.Line)
		if err != nil {
			return claimed, fmt.Errorf("input %q on line %q: %w", in.Name, in.Line, err)
		}
		w, err := request(p, in.Line, inputConfig(in), eventBuffer)
		if err != nil {
			return claimed, fmt.Errorf("input %q on line %q: %w", in.Name, in.Line, err)
		}
		claimed = append(claimed, &input{w, make([]byte, edgeSize*eventBuffer)})
	}
	return claimed, nil
}

func inputConfig(in Input) uapi.LineConfig {
	config := uapi.LineConfig{Flags: uapi.LineFlagV2Input | uapi.LineFlagV2EdgeBoth}
	if in.ActiveLow {
		config.Flags |= uapi.LineFlagV2ActiveLow
	}
	switch in.Bias {
	case BiasUp:
		config.Flags |= uapi.LineFlagV2BiasPullUp
	case BiasDown:
		config.Flags |= uapi.LineFlagV2BiasPullDown
	case BiasDisabled:
		config.Flags |= uapi.LineFlagV2BiasDisabled
	}
	if in.Debounce > 0 {
		config.AddAttribute(uapi.LineConfigAttribute{Attr: uapi.DebouncePeriod(in.Debounce).Encode(), Mask: 1})
	}
	return config
}

// wait gives all changes that are there, at least one.
func (in *input) wait() ([]edge, error) {
	n, err := in.file.Read(in.buf)
	if err != nil {
		return nil, explain(err)
	}
	var mono unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono); err != nil {
		return nil, fmt.Errorf("read the clock of the changes: %w", err)
	}
	return parseEdges(in.buf[:n], time.Now(), time.Duration(mono.Nano()))
}

// parseEdges reads struct gpio_v2_line_event, one after the other. now is when the kernel's clock stood at mono.
func parseEdges(b []byte, now time.Time, mono time.Duration) ([]edge, error) {
	if len(b)%edgeSize != 0 {
		return nil, fmt.Errorf("the kernel gave %d bytes, no whole number of changes", len(b))
	}
	var edges []edge
	for ; len(b) > 0; b = b[edgeSize:] {
		id := uapi.LineEventID(binary.NativeEndian.Uint32(b[8:]))
		if id != uapi.LineEventRisingEdge && id != uapi.LineEventFallingEdge {
			return nil, fmt.Errorf("the kernel tells of a change of kind %d, which nobody knows", id)
		}
		stamp := time.Duration(binary.NativeEndian.Uint64(b))
		edges = append(edges, edge{
			on: id == uapi.LineEventRisingEdge, // of the logical level: ActiveLow is done
			at: now.Add(stamp - mono), seq: binary.NativeEndian.Uint32(b[20:]),
		})
	}
	return edges, nil
}
