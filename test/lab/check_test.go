//go:build lab

package lab_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"

	"plenum/device/config"
	"plenum/device/health"
	"plenum/hal/desk/sim"
	"plenum/test/lab"
)

// plenumd --check says in one line each what can never work with the devices of this box, and what to do.
func TestCheckLooksAtDevices(t *testing.T) {
	units, err := sim.New(sim.Options{Units: 2, Chair: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer units.Close()
	vm := lab.Boot(t, guest(t), lab.Options{Plugged: []lab.Device{
		{ID: "desks", Kind: lab.Adapter, Serial: deskSerial}, {ID: "card", Kind: lab.Sound, Serial: "HALL"}}})
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
			var text bytes.Buffer
			if err := toml.NewEncoder(&text).Encode(c); err != nil {
				t.Fatal(err)
			}
			if err := vm.Put(t.Context(), "/tmp/check.toml", 0o644, &text); err != nil {
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

// When the daemon dies the lamps fall to their safe state at once, and the sitting is back by itself.
func TestDaemonDies(t *testing.T) {
	h := powerOn(t, nil)
	h.live(90 * time.Second)
	if err := h.desks.Press(7, ""); err != nil {
		t.Fatal(err)
	}
	h.until(30*time.Second, "seat 7 waits", func() bool { return len(h.speakers().Requests) == 1 }, nil)
	h.ctl("next")
	h.until(30*time.Second, "on-air lamp lit", func() bool { return h.line("on-air") == "1" && h.line("mute") == "0" }, nil)
	// 20 looks at both lines from the moment of its death, in the guest: safe is lamp 0 and relay 1.
	out := h.vm.Must(t, `cd /sys/devices/platform/gpio-sim.*/gpiochip*/ && kill -9 $(systemctl show -P MainPID plenumd)
for i in $(seq 20); do echo $(cat sim_gpio3/value) $(cat sim_gpio5/value); sleep 0.05; done`)
	safe := 0
	for line := range strings.Lines(out) {
		if strings.TrimSpace(line) == "0 1" {
			safe++
		}
	}
	t.Logf("safe in %d of 20 looks within a second of the daemon's death", safe)
	// From the first look on, until the next daemon takes the lines over and knows what the sitting wants of them.
	if !strings.HasPrefix(out, "0 1\n0 1\n0 1\n") {
		t.Errorf("the lines after the daemon's death: %q", out)
	}
	began := time.Now()
	h.until(60*time.Second, "desk 7 speaks again and the lamp is lit", func() bool {
		l := h.speakers()
		return len(l.Speakers) == 1 && l.Speakers[0].Seat == "7" && l.Speakers[0].Mic == "open" && h.line("on-air") == "1"
	}, nil)
	t.Logf("the sitting and its lamp are back after %v", time.Since(began).Round(100*time.Millisecond))
}

// Where the microphones hear the loudspeakers, the self-test plays a tone and listens for it; not while a sitting is open.
func TestSelfTestListens(t *testing.T) {
	h := powerOn(t, func(c *config.Config) {
		c.Sitting.OpenAtStart = false
		c.Hall.Microphone.Device, c.Hall.Microphone.Silence = "card:Saal,0,1", 0
		c.Hall.Output.Device, c.Hall.Output.Loop = "card:Saal,1,1", true
	})
	h.live(90 * time.Second)
	output := func() (check health.Check) {
		out, _ := h.vm.Run(t.Context(), "plenumctl selftest --json") // no-go as a whole: a hall that is digitally silent is no hall
		var r health.Report
		if err := json.Unmarshal([]byte(strings.SplitN(out, "\n", 2)[0]), &r); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for _, c := range r.Checks {
			if c.ID == loud {
				check = c
			}
		}
		return check
	}
	if c := output(); !c.OK || !strings.Contains(c.EN, "tone heard") {
		t.Errorf("%+v", c)
	} else {
		t.Log(c.EN)
	}
	h.ctl("open")
	if c := output(); !c.Left {
		t.Errorf("a tone in an open sitting: %+v", c)
	}
}
