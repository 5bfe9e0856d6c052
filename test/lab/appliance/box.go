package appliance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plenum/test/lab"
)

// limit of what a box does by itself, such as booting three times.
const limit = 2 * lab.Patience

// pause is between two looks. Each starts a program in the guest, which an emulated processor is busy with for a while.
const pause = time.Second

// Options say what a box is like. The zero value is a good one.
type Options struct {
	Slot        // what slot A holds when it leaves the factory
	lab.Options // Memory 0: 1024 MiB; always Losing: power cuts are to be real
}

// Box is a VM that boots by itself. Its disk, its firmware's variables, its ports and what is plugged in stay over boots.
// The methods with t end the test when something is not as it should be.
type Box struct {
	*lab.VM
	t testing.TB
	n int // of sticks
}

// Boot makes a box of its own and switches it on for the first time.
func Boot(t testing.TB, image *Image, opt Options) *Box {
	t.Helper()
	disk, err := image.Disk(t.Context(), opt.Slot)
	if err != nil {
		t.Fatal(err)
	}
	if opt.Memory == 0 {
		opt.Memory = 1024
	}
	opt.Losing = true
	return &Box{VM: lab.Boot(t, disk, opt.Options), t: t}
}

// For has the box report to a part of its test, until that ends.
func (b *Box) For(part testing.TB) {
	whole := b.t
	b.t = part
	part.Cleanup(func() { b.t = whole })
}

// Stick makes a stick that lives as long as the box and gives the path of its image.
func (b *Box) Stick(s Stick) string {
	b.t.Helper()
	b.n++
	path := filepath.Join(b.t.TempDir(), fmt.Sprintf("stick%d", b.n))
	if err := StickImage(b.t.Context(), path, s); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// Booted is the slot that runs: "A" or "B".
func (b *Box) Booted() string {
	b.t.Helper()
	return b.Must(b.t, `grep -oP 'rauc\.slot=\K\w+' /proc/cmdline`)
}

// Release is what /usr/lib/plenum/release says.
func (b *Box) Release() map[string]string {
	b.t.Helper()
	return pairs(b.Must(b.t, "cat /usr/lib/plenum/release"))
}

func pairs(text string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			all[key] = value
		}
	}
	return all
}

// RAUCSlot is a slot as RAUC sees it.
type RAUCSlot struct {
	Device   string `json:"device"`
	State    string `json:"state"` // booted, inactive
	Bootname string `json:"bootname"`
	Status   string `json:"boot_status"` // good, bad
}

// RAUC is what RAUC says about the slots, by boot name, and which one boots next.
func (b *Box) RAUC() (slots map[string]RAUCSlot, primary string) {
	b.t.Helper()
	text := b.Must(b.t, "rauc status --output-format=json 2>/dev/null")
	var all struct {
		Primary string                `json:"boot_primary"`
		Slots   []map[string]RAUCSlot `json:"slots"`
	}
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		b.t.Fatalf("%v: %s", err, text)
	}
	slots = map[string]RAUCSlot{}
	for _, named := range all.Slots {
		for name, s := range named {
			slots[s.Bootname] = s
			if name == all.Primary {
				primary = s.Bootname
			}
		}
	}
	return slots, primary
}

// Reboot has the guest reboot in order and waits until it is there again, in whichever slot. It gives how further boots
// ended on the way.
func (b *Box) Reboot() []lab.Ending {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), limit)
	defer cancel()
	_, err := b.Run(ctx, "systemctl reboot --no-block")
	if _, refused := errors.AsType[*lab.ExitError](err); refused {
		b.t.Fatal(err)
	}
	how, err := b.Ended(ctx)
	if err != nil || how != lab.Reset {
		b.t.Fatalf("a reboot ended as %q, %v", how, err)
	}
	return b.Settle(func(context.Context) error { return nil })
}

// Cut cuts the power and switches on again.
func (b *Box) Cut() {
	b.t.Helper()
	b.PowerCut()
	if err := b.PowerOn(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

// Settle keeps the box switched on, however often it begins anew by itself, until want gives no error while it runs. It
// gives how the boots ended that were on the way.
func (b *Box) Settle(want func(context.Context) error) []lab.Ending {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), limit)
	defer cancel()
	var endings []lab.Ending
	for {
		err := b.settle(ctx, want)
		if err == nil {
			return endings
		}
		if ctx.Err() != nil {
			last, path := b.Console(15)
			b.t.Fatalf("not seen within %v: %v (boots ended: %v); the console ends with\n%s\n(all of it: %s)", limit, err, endings, last, path)
		}
		select {
		case <-b.Exited():
			how, err := b.Ended(ctx)
			if err != nil || how == lab.Halted {
				b.t.Fatalf("the box ended as %q, %v", how, err)
			}
			endings = append(endings, how)
		case <-time.After(300 * time.Millisecond): // the agent of a box that goes down hangs up before the end
		}
	}
}

// settle takes the box through one boot.
func (b *Box) settle(ctx context.Context, want func(context.Context) error) error {
	if b.Exited() == nil {
		if err := b.SwitchOn(ctx); err != nil {
			return err
		}
	}
	if err := b.Await(ctx); err != nil {
		return err
	}
	for {
		err := want(ctx)
		select {
		case <-b.Exited():
			return lab.ErrOff
		default:
		}
		if err == nil {
			return nil
		}
		select {
		case <-b.Exited():
			return lab.ErrOff
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// Until waits within one boot.
func (b *Box) Until(what string, want func(context.Context) error) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), lab.Patience)
	defer cancel()
	var last error
	for {
		err := want(ctx)
		if err == nil {
			return
		}
		if ctx.Err() != nil && last != nil {
			err = last // what was missing, not that the last question was cut short
		}
		last = err
		select {
		case <-b.Exited():
			b.t.Fatalf("%s: the box went off: %v", what, err)
		case <-ctx.Done():
			b.t.Fatalf("%s: not seen within %v: %v", what, lab.Patience, err)
		case <-time.After(pause):
		}
	}
}
