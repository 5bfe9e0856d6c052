// Package lab tests the appliance on a real Linux kernel without hardware: it builds a Debian 12 guest around our
// binaries, boots it in QEMU, plugs devices in and out of it, cuts its power, and runs commands and test binaries in it.
//
//	image, err := lab.Build(ctx, os.Stderr)                 // once, in TestMain; quick when nothing changed
//	vm := lab.Boot(t, image, lab.Options{Name: "cameras"})  // ended with the test, its console kept when that fails
//	out, err := vm.Run(ctx, "v4l2-ctl --list-devices")
//
// The guest has two vivid cameras, the sound card Saal (snd-aloop), the gpio-sim chip lab with eight named lines, ttyS4
// and ttyS5 (whose other ends are the sockets "ttyS4" and "ttyS5" of VM.Dial), and USB ports for adapters, sound cards
// and sticks. plenumd runs when Options.Files brings /etc/plenum/plenum.toml.
//
// Environment: PLENUM_LAB_CACHE is the folder of images and logs instead of run/lab; PLENUM_LAB_KVM=1 takes KVM instead
// of emulation (a /dev/kvm may be there and not work, so nothing chooses it by itself); PLENUM_LAB_RACE=1 builds what
// VM.RunTests runs with the race detector; PLENUM_SOAK=1 makes Cycles give the long count.
package lab

import (
	"context"
	"io"
	"os"
)

// Image is a built guest: a folder with vmlinuz, initrd.gz and root.img, or a disk that boots by itself.
type Image struct {
	Dir  string
	Disk string // a disk for UEFI with a boot loader of its own; every VM has a copy, and keeps it
}

// Build makes the guest's image from the tree the working folder lies in, or finds it in the cache. It takes about 50 s
// from nothing, 3 s when a binary has changed. Progress is written to log. Two builds in one cache wait for each other.
func Build(ctx context.Context, log io.Writer) (Image, error) {
	w, err := OpenWorkshop(log)
	if err != nil {
		return Image{}, err
	}
	defer w.Close()
	bin, err := w.Binaries(ctx)
	if err != nil {
		return Image{}, err
	}
	dir, err := w.Guest(ctx, "test/lab/image/build.sh", w.Cache, bin)
	return Image{Dir: dir}, err
}

// Soak reports whether this is make soak: hours on a machine with nothing else to do, where times are judged too.
func Soak() bool { return os.Getenv("PLENUM_SOAK") != "" }

// Cycles is how often something is to be repeated: short in make test, long in make soak.
func Cycles(short, long int) int {
	if Soak() {
		return long
	}
	return short
}
