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

// endedError is a VM that is off because its guest or QEMU itself has ended the boot, when nobody expected it.
type endedError struct {
	name, how, words, last, path string
}

func (e *endedError) Error() string {
	return fmt.Sprintf("%s is off: %s%s; its console ends with %q (all of it: %s); run it again, and when it ends there again, look there", e.name, e.how, e.words, e.last, e.path)
}

// Is: it is off, whatever the reason.
func (e *endedError) Is(target error) bool { return target == ErrOff }

// off says why the VM is off: ErrOff when it was switched off, or what QEMU and the console said last when it ended by itself.
func (v *VM) off() error {
	p := v.process()
	if p == nil {
		return ErrOff
	}
	<-p.exited
	how := fmt.Sprintf("QEMU ended before it ran (%v)", p.cmd.ProcessState)
	if p.told != nil {
		<-p.told
		how = fmt.Sprintf("the boot ended as %q (QEMU: %v)", p.ending, p.cmd.ProcessState)
	}
	last, path := v.Console(1)
	return &endedError{v.opt.Name, how, p.lastWords(), last, path}
}

// ordered is what became of an order to QEMU: an error that says why QEMU is gone, when it is.
func (v *VM) ordered(err error) error {
	if errors.Is(err, qmp.ErrClosed) {
		return v.off()
	}
	return err
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
