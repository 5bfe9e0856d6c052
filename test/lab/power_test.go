//go:build lab

package lab_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"plenum/test/lab"
)

// powerCut: what the guest has flushed is there after a cut, ports and plugs are the same, and nobody waits for a machine that
// is off.
func powerCut(t *testing.T, vm *lab.VM) {
	if got := vm.Must(t, "cat /etc/plenum/lab/deep.txt; stat -c ' %a %U' /etc/plenum/lab/deep.txt"); got != "put before the first boot 640 root" {
		t.Errorf("the file: %q", got)
	}
	port, boot := vm.Port("tcp", 7000), vm.Must(t, "cat /proc/sys/kernel/random/boot_id")
	vm.Must(t, "echo kept >/var/kept && sync && echo lost >/dev/shm/lost")
	waiting, begun := make(chan error, 1), make(chan struct{})
	go func() {
		waiting <- vm.Stream(context.Background(), "echo begun; sleep 600", onWrite(sync.OnceFunc(func() { close(begun) })), io.Discard)
	}()
	<-begun
	vm.PowerCut()
	if err := <-waiting; !errors.Is(err, lab.ErrOff) {
		t.Errorf("who waited for a command: %v", err)
	}
	if _, err := vm.Run(t.Context(), "true"); !errors.Is(err, lab.ErrOff) {
		t.Errorf("a command to a machine that is off: %v", err)
	}
	if err := vm.Plug(t.Context(), lab.Device{ID: "x", Kind: lab.Sound}); !errors.Is(err, lab.ErrOff) {
		t.Errorf("a plug into a machine that is off: %v", err)
	}

	if err := vm.PowerOn(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := vm.Must(t, "cat /var/kept /dev/shm/lost 2>/dev/null; cat /proc/sys/kernel/random/boot_id"); !strings.HasPrefix(got, "kept\n") || strings.Contains(got, "lost") || strings.HasSuffix(got, boot) {
		t.Errorf("after the cut: %q", got)
	}
	if vm.Port("tcp", 7000) != port {
		t.Errorf("port %d became %d", port, vm.Port("tcp", 7000))
	}
	vm.Must(t, "test -c /dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_DESK24-if00-port0")
	if err := vm.PowerOff(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestABootThatFailsSaysWhy: the error has the console's last lines and nothing is left running.
func TestABootThatFailsSaysWhy(t *testing.T) {
	t.Setenv("PLENUM_LAB_CACHE", t.TempDir()) // for its console logs, which would be kept
	began := time.Now()
	_, err := lab.Start(t.Context(), guest(t), lab.Options{Name: "broken", Append: "rdinit=/nowhere"})
	if err == nil || !strings.Contains(err.Error(), "Kernel panic") || !strings.Contains(err.Error(), ".console") {
		t.Errorf("%v", err)
	}
	t.Logf("told after %.1f s", time.Since(began).Seconds())
	if _, err := lab.Start(t.Context(), lab.Image{Dir: "/nowhere"}, lab.Options{Name: "no-image"}); err == nil || !strings.Contains(err.Error(), "QEMU says") {
		t.Errorf("%v", err)
	}
}
