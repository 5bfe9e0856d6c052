//go:build lab

package lab_test

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"plenum/device/health"
)

// daemonDies: when the daemon dies the lamps fall to their safe state and stay there; the sitting is back by itself.
func (h *hall) daemonDies() {
	h.live()
	if err := h.desks.Press(7, ""); err != nil {
		h.t.Fatal(err)
	}
	h.until("seat 7 waits", func() bool { return len(h.speakers().Requests) == 1 }, nil)
	h.ctl("next")
	lit := func() bool { return h.line("on-air") == "1" && h.line("mute") == "0" }
	h.until("on-air lamp lit", lit, nil)

	// No daemon comes after it: what is seen on the lines, for as long as they are held, is the guard's doing. Safe is lamp 0
	// and relay 1. That it holds them long enough for the next daemon stands in hal/line, with a clock of its own.
	const stays = "/run/systemd/system/plenumd.service.d/stays-dead.conf"
	h.vm.Must(h.t, "mkdir -p $(dirname "+stays+") && printf '[Service]\\nRestart=no\\n' >"+stays+" && systemctl daemon-reload")
	for looks := 0; looks < 3; { // a guest that gets no turn while the guard holds the lines sees nothing of it
		out := h.vm.Must(h.t, `cd /sys/devices/platform/gpio-sim.*/gpiochip*/ && guard=$(pgrep -f "^/usr/bin/plenumd line-guard") && kill -9 $(systemctl show -P MainPID plenumd)
look() { read -r lamp <sim_gpio3/value && read -r relay <sim_gpio5/value; } # by the shell alone: a new process takes its time
held() { [ "$(gpioinfo | grep -e '"on-air"' -e '"mute"' | grep -cF '[used]')" = 2 ]; }
until look; [ "$lamp $relay" = "0 1" ]; do [ -d /proc/$guard ] || { echo "never safe: $lamp $relay"; exit 1; }; done
n=0
while look; [ -d /proc/$guard ]; do
	if [ "$lamp $relay" != "0 1" ]; then
		! held || { echo "left its safe state: $lamp $relay"; exit 1; }
		break # given back, and about to end
	fi
	n=$((n + 1))
done
echo $n`)
		h.t.Logf("without a daemon: safe in %s looks", out)
		var err error
		if looks, err = strconv.Atoi(out); err != nil {
			h.t.Fatal(err)
		}
		if looks < 3 {
			h.vm.Must(h.t, "systemctl reset-failed plenumd; systemctl start plenumd")
			h.until("on-air lamp lit", lit, nil)
		}
	}
	h.vm.Must(h.t, "rm "+stays+" && systemctl daemon-reload && systemctl reset-failed plenumd; systemctl start plenumd")
	h.sevenSpeaks()

	began := time.Now()
	h.vm.Must(h.t, "kill -9 $(systemctl show -P MainPID plenumd)")
	h.until("another daemon", func() bool { return h.vm.Must(h.t, "systemctl show -P NRestarts plenumd") != "0" }, nil)
	h.sevenSpeaks()
	h.t.Logf("the sitting and its lamp are back after %v", time.Since(began).Round(100*time.Millisecond))
	h.ctl("withdraw 7")
}

// sevenSpeaks waits until desk 7 has the word, an open microphone and a lit lamp.
func (h *hall) sevenSpeaks() {
	h.t.Helper()
	h.until("desk 7 speaks again and the lamp is lit", func() bool {
		l := h.speakers()
		return len(l.Speakers) == 1 && l.Speakers[0].Seat == "7" && l.Speakers[0].Mic == "open" && h.line("on-air") == "1"
	}, nil)
}

// selfTest is what plenumctl selftest says; nothing while the daemon does not answer.
func (h *hall) selfTest() (r health.Report) {
	out, _ := h.vm.Run(h.t.Context(), "plenumctl selftest --json")
	_ = json.Unmarshal([]byte(strings.SplitN(out, "\n", 2)[0]), &r)
	return r
}

// selfTestListens: where the microphones hear the loudspeakers, the self-test plays a tone and listens for it; not while a
// sitting is open.
func (h *hall) selfTestListens() {
	h.ctl("close")
	c := h.cfg
	c.Sitting.OpenAtStart = false
	c.Hall.Microphone.Device, c.Hall.Microphone.Silence = "card:Saal,0,1", 0
	c.Hall.Output.Device, c.Hall.Output.Loop = "card:Saal,1,1", true
	if err := h.vm.Put(h.t.Context(), "/etc/plenum/plenum.toml", 0o644, bytes.NewReader(encode(h.t, c))); err != nil {
		h.t.Fatal(err)
	}
	h.vm.Must(h.t, "systemctl restart plenumd")
	h.live()
	output := func() (check health.Check) {
		for _, c := range h.selfTest().Checks { // no-go as a whole: a hall that is digitally silent is no hall
			if c.ID == loud {
				check = c
			}
		}
		return check
	}
	var heard health.Check
	h.until("the tone is heard", func() bool { heard = output(); return heard.OK && strings.Contains(heard.EN, "tone heard") },
		func() string { return heard.EN }) // a guest that is short of time plays it in pieces
	h.t.Log(heard.EN)
	h.ctl("open")
	if c := output(); !c.Left {
		h.t.Errorf("a tone in an open sitting: %+v", c)
	}
}
