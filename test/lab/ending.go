package lab

import (
	"context"
	"errors"
	"fmt"

	"plenum/test/lab/qmp"
)

// Ending is how a boot ended.
type Ending string

// The endings.
const (
	Halted   Ending = "halted"   // the guest has shut down
	Reset    Ending = "reset"    // the guest wanted to begin anew: a reboot, a panic
	Watchdog Ending = "watchdog" // nobody kicked it in time
	Killed   Ending = "killed"   // a power cut, or QEMU fell over
)

// after takes an event of QEMU into account.
func (e Ending) after(event qmp.Event) Ending {
	switch {
	case event.Name == "WATCHDOG":
		return Watchdog
	case event.Name == "SHUTDOWN" && event.Data["reason"] == "guest-reset" && e != Watchdog:
		return Reset
	case event.Name == "SHUTDOWN" && event.Data["reason"] == "guest-shutdown":
		return Halted
	}
	return e
}

// Ended waits until the guest has ended this boot and says how. The VM is off then: it never begins anew by itself, since
// that takes QEMU far longer than a new process.
func (v *VM) Ended(ctx context.Context) (Ending, error) {
	p := v.process()
	if p == nil {
		return "", ErrOff
	}
	select {
	case <-p.exited:
	case <-ctx.Done():
		return "", fmt.Errorf("%s goes on: %w", v.opt.Name, ctx.Err())
	}
	v.PowerCut()
	if p.told == nil {
		return "", errors.New("QEMU fell over before it ran")
	}
	return p.ending, nil
}
