//go:build lab

package appliance_test

import (
	"testing"

	"plenum/test/lab"
	"plenum/test/lab/appliance"
)

func TestZZ(t *testing.T) {
	box := appliance.Boot(t, image, appliance.Options{Slot: alone("1.0.0", "")})
	stick := box.Stick(appliance.Stick{Label: "UPDATE", Files: []appliance.StickFile{{Name: "x", Data: []byte("y")}}})
	if err := box.Plug(t.Context(), lab.Device{ID: "stick", Kind: lab.Stick, Serial: "UPDATE1", Disk: stick}); err != nil {
		t.Fatal(err)
	}
	out, err := box.Run(t.Context(), `sleep 10; cd /sys/bus/usb/devices; ls; for d in [0-9]*; do echo "== $d"; cat $d/authorized $d/product 2>/dev/null; udevadm info -q property $d ; done; udevadm test --action=add /sys/bus/usb/devices/2-1 2>&1 | tail -60; lsmod | grep usb; dmesg | tail; lsblk; od -An -tx1 /sys/bus/usb/devices/2-1/descriptors`)
	t.Log(out, err)
}
