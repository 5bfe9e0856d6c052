//go:build lab

package appliance_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"plenum/test/lab"
	"plenum/test/lab/appliance"
)

// image is what all boxes are made of; TestMain makes it.
var image *appliance.Image

func TestMain(m *testing.M) {
	began := time.Now()
	var err error
	if image, err = appliance.Build(context.Background(), os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
	fmt.Fprintf(os.Stderr, "lab: appliance ready after %.1f s\n", time.Since(began).Seconds())
	goleak.VerifyTestMain(m)
}

// alone are slots in which nobody decides about good and bad: what is looked at is the disk, GRUB, RAUC and the harness.
func alone(version string, flaw appliance.Flaw) appliance.Slot {
	s := appliance.Slot{Version: version, Flaw: flaw}
	for _, unit := range []string{"plenumd", "plenum-health", "plenum-mark-good"} {
		s.Files = append(s.Files, lab.File{Path: "/etc/systemd/system/" + unit + ".service"}) // empty: masked
	}
	return s
}

// TestDisk is what a box's disk has to bear, beside TestBox, which takes as long.
func TestDisk(t *testing.T) {
	t.Parallel()
	t.Run("slots", slots)
	t.Run("cuts", cuts)
}

// slots takes one box through the life of a disk.
func slots(t *testing.T) {
	began := time.Now()
	box := appliance.Boot(t, image, appliance.Options{Slot: alone("1.0.0", "")})
	t.Logf("slot A after %.1f s: %s", time.Since(began).Seconds(), box.Must(t, "systemd-analyze time | head -n 1"))
	runs := func(slot, version string) {
		t.Helper()
		if got := box.Booted(); got != slot {
			t.Fatalf("slot %s runs, not %s", got, slot)
		}
		if got := box.Release()["VERSION"]; got != version {
			t.Errorf("version %s runs, not %s", got, version)
		}
	}
	runs("A", "1.0.0")
	if out := box.Must(t, "systemctl --failed --no-legend --plain"); out != "" {
		t.Errorf("failed: %s", out)
	}
	var size, free int
	if _, err := fmt.Sscan(box.Must(t, "df --output=size,avail -m /data | tail -n 1"), &size, &free); err != nil || size < 400 {
		t.Errorf("the data partition has not grown: %d MiB, %v", size, err)
	}
	box.Must(t, "rauc status mark-good")

	// A slot that does not come up, and one that does, from a stick.
	install(t, box, appliance.Bundle{Slot: alone("2.0.0", appliance.Panics)})
	endings := box.Reboot()
	runs("A", "1.0.0")
	if !slices.Equal(endings, []lab.Ending{lab.Reset}) { // the panic
		t.Errorf("boots ended with %v", endings)
	}
	if slots, primary := box.RAUC(); slots["A"].State != "booted" || slots["B"].Status != "bad" || primary == "B" {
		t.Errorf("after the fallback: %+v, %q boots next", slots, primary)
	}
	install(t, box, appliance.Bundle{Slot: alone("2.1.0", "")})
	box.Reboot()
	runs("B", "2.1.0")
	box.Must(t, "rauc status mark-good && sync")

	t.Run("torn state", func(t *testing.T) {
		// It writes until the very cut: what was written a moment before may have been flushed with the next line of the log.
		box.Must(t, `echo kept >/data/kept && sync /data/kept && dd if=/dev/zero of=/data/lost bs=4k count=500 oflag=direct status=none
(while dd if=/dev/zero of=/data/lost bs=4k count=500 oflag=direct conv=notrunc; do :; done >/dev/null 2>&1 </dev/null &)`)
		box.PowerCut()
		loss, err := box.Loss()
		if err != nil || loss.Unflushed == 0 {
			t.Errorf("nothing was at stake: %v", err)
		}
		t.Logf("the cut took %+v", loss)
		box.PutESP("grubenv", []byte("# GRUB Environment Block\nORDER=B"))
		if err := box.PowerOn(t.Context()); err != nil {
			t.Fatal(err)
		}
		runs("B", "2.1.0")
		if got := box.Must(t, "cat /data/kept"); got != "kept" {
			t.Errorf("what was synced: %q", got)
		}
	})
	t.Logf("everything else after %.1f s", time.Since(began).Seconds())
	// As a box has it: the lab's own time is longer.
	product := box.Must(t, "sed -n 's/^RuntimeWatchdogSec=\\([0-9]*\\)s$/\\1/p' /usr/lib/systemd/system.conf.d/50-plenum.conf")
	if seconds, err := strconv.Atoi(product); err != nil || seconds > 15 {
		t.Fatalf("the product's hardware watchdog is set to %q; a Raspberry Pi's can do 15 s", product)
	}
	box.Must(t, "busctl set-property org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager RuntimeWatchdogUSec t "+product+"000000")
	box.Freeze()
	ctx, cancel := context.WithTimeout(t.Context(), lab.Patience)
	defer cancel()
	if how, err := box.Ended(ctx); how != lab.Watchdog {
		t.Errorf("a frozen box ended with %q, %v", how, err)
	}
	t.Logf("reset by its watchdog after %.1f s", time.Since(began).Seconds())
}

// install plugs a stick in and installs what is on it, as a technician at the console would.
func install(t *testing.T, box *appliance.Box, b appliance.Bundle) {
	t.Helper()
	began := time.Now()
	path := image.MustBundle(t, b)
	stick := box.Stick(appliance.Stick{Label: "UPDATE", Files: []appliance.StickFile{{Name: "plenum.raucb", From: path}}})
	made := time.Since(began)
	if err := box.Plug(t.Context(), lab.Device{ID: "stick", Kind: lab.Stick, Serial: "UPDATE1", Disk: stick}); err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), lab.Patience)
	defer cancel()
	out, err := box.Run(ctx, `for i in {1..6000}; do [ -b /dev/plenum/sda1 ] && break; sleep 0.1; done; echo "stick after $SECONDS s"
mount -o ro /dev/plenum/sda1 /mnt && rauc install /mnt/plenum.raucb 2>&1; code=$?; umount /mnt; exit $code`)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: made in %.1f s, installed in %.1f s: %s", b.Version, made.Seconds(), time.Since(began).Seconds(), strings.ReplaceAll(strings.TrimSpace(out), "\n", "; "))
	if err := box.Unplug(t.Context(), "stick"); err != nil {
		t.Fatal(err)
	}
}
