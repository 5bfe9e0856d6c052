//go:build lab

package lab_test

import (
	"encoding/json"
	"fmt"
	"time"

	"plenum/device/control"
	"plenum/device/health"
	"plenum/test/lab"
)

// Ids of the chamber's devices.
const (
	wide  = "camera/Totale"
	hdmi  = "camera/Redner"
	mics  = "microphone/Saal"
	loud  = "output/Saal"
	desks = "desk/saal"
)

// backWithin is what a device may take from its plug to live. It is judged by make soak, on a machine with nothing else to do.
const backWithin = 5 * time.Second

// cameraFaults: every fault that vivid can play ends in a state with a reason on plenumctl devices, and in a live camera after it.
func (h *hall) cameraFaults() {
	t := h.t
	h.live()
	set := func(node, control string) {
		t.Helper()
		h.vm.Must(t, fmt.Sprintf("v4l2-ctl -d /dev/v4l/by-id/lab-vivid-%s --set-ctrl=%s", node, control))
	}
	for _, f := range []struct {
		name, id, node, on, off string
	}{
		{"no signal", hdmi, "001", "dv_timings_signal_mode=1", "dv_timings_signal_mode=0"},
		{"no lock", hdmi, "001", "dv_timings_signal_mode=2", "dv_timings_signal_mode=0"},
		{"wrong timings", hdmi, "001", "dv_timings_signal_mode=3", "dv_timings_signal_mode=0"},
		{"no picture comes", wide, "000", "percentage_of_dropped_buffers=100", "percentage_of_dropped_buffers=0"},
		{"unplugged", wide, "000", "disconnect=1", ""},
		{"fatal streaming error", wide, "000", "inject_fatal_streaming_error=1", ""},
	} {
		live := h.devices()[f.id].Since
		set(f.node, f.on)
		if f.off != "" {
			took := h.becomes(f.id, health.Lost)
			t.Logf("%s: told after %v: %s", f.name, took.Round(100*time.Millisecond), h.devices()[f.id].Reason)
			if h.devices()[f.id].Reason == "" {
				t.Errorf("%s: lost without a reason", f.name)
			}
			set(f.node, f.off)
		} else { // over in a moment
			h.until(f.name, func() bool { return h.devices()[f.id].Since.After(live) }, nil)
		}
		took := h.becomes(f.id, health.Live)
		t.Logf("%s: live again after %v", f.name, took.Round(100*time.Millisecond))
	}
}

// replug: what is pulled and plugged in again is live without a restart, and nothing is left behind.
func (h *hall) replug() {
	n := lab.Cycles(3, 50)
	h.live()
	pid := h.vitals().PID
	h.cycle(0) // what is made once and kept is made now
	h.live()
	before := h.vitals()
	var worst time.Duration
	for i := range n {
		worst = max(worst, h.cycle(i+1))
	}
	h.live()
	var after control.Vitals
	h.until("nothing is left behind", func() bool { // what ends takes its time
		after = h.vitals()
		return after.Goroutines <= before.Goroutines+5 && after.Files <= before.Files+5
	}, func() string { return fmt.Sprintf("%+v, then %+v", before, after) })
	h.t.Logf("%d cycles; slowest %v; goroutines %d then %d, files %d then %d, heap %d KiB then %d KiB", n, worst.Round(100*time.Millisecond),
		before.Goroutines, after.Goroutines, before.Files, after.Files, before.Heap>>10, after.Heap>>10)
	if after.PID != pid {
		h.t.Errorf("the daemon was started again: pid %d, then %d", pid, after.PID)
	}
}

// cycle pulls everything at once, plugs it in again, and gives the longest time until one of them was live again.
func (h *hall) cycle(i int) time.Duration {
	h.t.Helper()
	cameras := []string{wide}
	live := h.devices()[wide].Since
	out, in := "v4l2-ctl -d /dev/v4l/by-id/lab-vivid-000 --set-ctrl=disconnect=1", "true"
	if i%5 == 1 { // both cameras, driver and all
		cameras = append(cameras, hdmi)
		out, in = "echo vivid.0 > /sys/bus/platform/drivers/vivid/unbind", "echo vivid.0 > /sys/bus/platform/drivers/vivid/bind"
	}
	usb := []lab.Device{{ID: "desks", Kind: lab.Adapter, Serial: deskSerial}, {ID: "card", Kind: lab.Sound, Serial: "HALL"}}
	h.vm.Must(h.t, out+" && echo snd_aloop.0 > /sys/bus/platform/drivers/snd_aloop/unbind")
	for _, d := range usb {
		if err := h.vm.Unplug(h.t.Context(), d.ID); err != nil {
			h.t.Fatal(err)
		}
	}
	all := append([]string{desks, loud, mics}, cameras...)
	h.until("everything lost", func() bool {
		now := h.devices()
		return now[desks].State.Red() && now[loud].State.Red() && now[mics].State.Red() && now[wide].Since.After(live)
	}, func() string { return fmt.Sprintf("%+v", h.devices()) })
	for n, d := range usb {
		d.Port = fmt.Sprint(1 + (i+4*n)%8) // another socket each time
		if err := h.vm.Plug(h.t.Context(), d); err != nil {
			h.t.Fatal(err)
		}
	}
	h.vm.Must(h.t, in+" && echo snd_aloop.0 > /sys/bus/platform/drivers/snd_aloop/bind")
	return h.back(i, all)
}

// back waits until devices are live again and gives the longest time it took. A desk that missed an answer while its line
// came back works, and is called degraded for half a minute.
func (h *hall) back(i int, ids []string) time.Duration {
	h.t.Helper()
	began, took := time.Now(), map[string]time.Duration{}
	h.until("everything back", func() bool {
		now := h.devices()
		for _, id := range ids {
			if it := now[id]; took[id] == 0 && it.ID != "" && !it.State.Red() {
				took[id] = time.Since(began)
			}
		}
		return len(took) == len(ids)
	}, func() string { return fmt.Sprintf("%v of %v; %+v", took, ids, h.devices()) })
	var worst time.Duration
	for id, d := range took {
		if worst = max(worst, d); d > backWithin && lab.Soak() {
			h.t.Errorf("cycle %d: %s was live again only after %v", i, id, d)
		}
	}
	return worst
}

func (h *hall) vitals() (v control.Vitals) {
	h.t.Helper()
	if err := json.Unmarshal([]byte(h.ctl("vitals --json")), &v); err != nil {
		h.t.Fatal(err)
	}
	return v
}
