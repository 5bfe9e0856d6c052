//go:build lab

package lab_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"plenum/device/config"
	"plenum/hal/desk/sim"
	"plenum/test/lab"
)

// checkLooksAtDevices: plenumd --check says in one line each what can never work with the devices of this box, and what to do.
func checkLooksAtDevices(t *testing.T, vm *lab.VM) {
	units, err := sim.New(sim.Options{Units: 2, Chair: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer units.Close()
	defer func() { vm.Must(t, "v4l2-ctl -d /dev/v4l/by-id/lab-vivid-001 --set-input 0") }() // as it was: the check takes the other one
	for _, tt := range []struct {
		name   string
		user   string
		change func(c *config.Config)
		want   string // in one line; empty: good
	}{
		{"as it should be", "plenum", func(*config.Config) {}, ""},
		{"wrong channel map", "plenum", func(c *config.Config) {
			c.Hall.Microphone.Channels = append(strings.Split(strings.Repeat("_", 39), ""), config.HallChannel)
			for i := range 39 {
				c.Hall.Microphone.Channels[i] = ""
			}
		}, "channels"},
		{"one camera twice", "plenum", func(c *config.Config) { c.Cameras[1].Device = "/dev/v4l/by-path/platform-vivid.0-video-index0" }, "are the same device"},
		{"no camera", "plenum", func(c *config.Config) { c.Cameras[0].Device = "/dev/v4l/by-id/nonsense" }, "camera Totale: "},
		{"no such input", "plenum", func(c *config.Config) { c.Cameras[1].Device = "/dev/v4l/by-id/lab-vivid-001?input=SDI 4" }, "no such input"},
		{"a card that cannot record", "plenum", func(c *config.Config) { c.Hall.Microphone.Device = "usb:HALL" }, "hall.microphone"},
		{"nobody's rights", "nobody", func(*config.Config) {}, "no permission"},
		{"no such card", "plenum", func(c *config.Config) { c.Hall.Microphone.Device = "card:Kammer" }, "card:Saal"},
		{"no such line", "plenum", func(c *config.Config) { c.Inputs[0].Line = "smoke" }, "fire"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := chamber(8443, 2, units)
			if tt.name == "one camera twice" { // whichever of the two the kernel's one name for both points at
				c.Cameras[0].Device = "/dev/v4l/by-id/" + vm.Must(t, "basename $(find -L /dev/v4l/by-id -samefile /dev/v4l/by-path/platform-vivid.0-video-index0 | head -n 1)")
			}
			tt.change(&c)
			if tt.name == "no camera" { // a device node that is none
				vm.Must(t, "ln -sf /dev/null /dev/v4l/by-id/nonsense")
			}
			if err := vm.Put(t.Context(), "/tmp/check.toml", 0o644, bytes.NewReader(encode(t, c))); err != nil {
				t.Fatal(err)
			}
			out, err := vm.Run(t.Context(), fmt.Sprintf("setpriv --reuid=%s --regid=%[1]s --init-groups plenumd -config /tmp/check.toml -check 2>&1", group(tt.user)))
			t.Log(strings.TrimSpace(out))
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			found := false
			for line := range strings.Lines(out) {
				found = found || strings.Contains(line, tt.want)
			}
			if !found {
				t.Errorf("not said: %s (%v)", tt.want, err)
			}
		})
	}
}

// group: Debian's nobody has a group of another name.
func group(user string) string {
	if user == "nobody" {
		return "65534"
	}
	return user
}
