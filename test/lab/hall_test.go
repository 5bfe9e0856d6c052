//go:build lab

package lab_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/BurntSushi/toml"

	"plenum/device/config"
	"plenum/device/control"
	"plenum/device/health"
	"plenum/device/sitting"
	"plenum/hal/desk/sim"
	"plenum/hal/port"
	"plenum/test/lab"
)

// Names of the chamber's devices as the guest's kernel has them.
const (
	deskSerial = "DESK24"
	tonePitch  = 440.0 // Hz, what the hall's microphones hear
)

// hall is a chamber whose devices are the guest kernel's: two cameras, microphones on an ALSA card, a USB sound card, desks
// on a USB serial adapter whose other end is simulated here, lamps and contacts on GPIO lines.
type hall struct {
	t     *testing.T
	vm    *lab.VM
	cfg   config.Config
	desks *sim.Sim
	port  int // of the box, here and there
}

// chamber is the configuration; port is the same inside and outside, since sound and picture name it.
func chamber(port, seats int, units *sim.Sim) config.Config {
	c := config.Config{
		Listen: fmt.Sprintf("0.0.0.0:%d", port), Names: []string{"127.0.0.1"},
		Data: "/var/lib/plenum", Socket: "/run/plenum/plenumd.sock",
		Sitting: config.Sitting{Body: "Rat der Laborstadt", Mode: sitting.ModeChairGrants, Limit: 2, MaxLimit: 2, OpenAtStart: true},
		Cameras: []config.Camera{
			{Name: "Totale", Device: "/dev/v4l/by-id/lab-vivid-000", Shows: config.ShowsHall, Width: 320, Height: 180, FPS: 20, BitRate: 300_000, Required: true},
			{Name: "Redner", Device: "/dev/v4l/by-id/lab-vivid-001?input=HDMI 0", Shows: config.ShowsSpeaker, Width: 320, Height: 180, FPS: 20, BitRate: 300_000, Required: true},
		},
		Hall: config.Hall{
			Microphone: config.Microphone{Device: "card:Saal,0", Channels: []string{config.HallChannel, config.HallChannel}, Period: 10, Buffer: 100, Silence: 3, Required: true},
			Output:     config.Playback{Device: "usb:HALL", Period: 10, Buffer: 100, Required: true},
		},
		Inputs: []config.Input{{Name: "Brandmelder", Line: "fire", Does: config.DoesAlarm, Bias: "pull-down"}},
		Outputs: []config.Output{
			{Name: "Rotlicht", Line: "on-air", Shows: config.ShowsOnAir},
			{Name: "Stumm", Line: "mute", Shows: config.ShowsMute, Safe: true},
		},
	}
	d := config.Desk{Name: "saal", Dialect: "quinta", Port: "usb:" + deskSerial, Required: true}
	for i := 1; i <= seats; i++ {
		m := config.Member{ID: fmt.Sprintf("p%d", i), Name: fmt.Sprintf("Mitglied %d", i), Role: sitting.RoleMember, Seat: fmt.Sprint(i)}
		if i == 1 {
			m.Role = sitting.RoleChair
		}
		c.Members = append(c.Members, m)
		d.Seats = append(d.Seats, config.Seat{Seat: m.Seat, Unit: units.Key(i, "").ID})
	}
	c.Members = append(c.Members, config.Member{ID: "fern", Name: "Ferdinand Fern", Role: sitting.RoleMember, Remote: true})
	c.Desks = []config.Desk{d}
	return c
}

// unitTone makes the microphones hear something from power-on, and again after its card was pulled.
const unitTone = `[Unit]
After=lab-devices.service
StartLimitIntervalSec=0
[Service]
ExecStart=/usr/bin/speaker-test -D hw:Saal,1,0 -c 2 -r 48000 -F S16_LE -t sine -f 440 -X
Restart=always
RestartSec=500ms
`

// powerOn builds the chamber and switches it on. Nothing is touched after that.
func powerOn(t *testing.T) *hall {
	t.Helper()
	units, err := sim.New(sim.Options{Units: 24, Chair: 1, Baud: 57600})
	if err != nil {
		t.Fatal(err)
	}
	h := &hall{t: t, desks: units, port: freePort(t)}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = units.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait(); units.Close() })
	h.cfg = chamber(h.port, 24, units)
	h.vm = lab.Boot(t, guest(t), lab.Options{
		Memory:  1024,
		Forward: []lab.Forward{{Proto: "tcp", Guest: h.port, Host: h.port}, {Proto: "udp", Guest: h.port, Host: h.port}},
		Plugged: []lab.Device{{ID: "desks", Kind: lab.Adapter, Serial: deskSerial}, {ID: "card", Kind: lab.Sound, Serial: "HALL"}},
		Files: []lab.File{
			{Path: "/etc/plenum/plenum.toml", Data: encode(t, h.cfg)},
			{Path: "/etc/systemd/system/lab-tone.service", Data: []byte(unitTone)},
			{Path: "/etc/systemd/system/plenumd.service.d/tone.conf", Data: []byte("[Unit]\nWants=lab-tone.service\n")},
		},
	})
	wg.Go(func() { h.cable(ctx) })
	return h
}

// encode is a configuration as a file.
func encode(t *testing.T, c config.Config) []byte {
	t.Helper()
	var text bytes.Buffer
	if err := toml.NewEncoder(&text).Encode(c); err != nil {
		t.Fatal(err)
	}
	return text.Bytes()
}

// in is the hall for a part of a test.
func (h *hall) in(t *testing.T) *hall {
	part := *h
	part.t = t
	return &part
}

// cable joins the adapter's far end with the simulated desks for as long as the test runs. The desks' end stays plugged in
// whatever happens to the adapter.
func (h *hall) cable(ctx context.Context) {
	near, err := port.Open(ctx, h.desks.Path(), port.Settings{Baud: 57600})
	if err != nil {
		h.t.Error(err)
		return
	}
	var adapter atomic.Pointer[net.Conn]
	var wg sync.WaitGroup
	defer wg.Wait()
	defer near.Close()
	wg.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, err := near.Read(buf)
			if err != nil {
				return
			}
			if far := adapter.Load(); far != nil { // else the words go into the air, as on a cable that hangs loose
				_, _ = (*far).Write(buf[:n])
			}
		}
	})
	for ctx.Err() == nil {
		far, err := h.vm.Dial(ctx, "desks")
		if err != nil {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		stop := context.AfterFunc(ctx, func() { far.Close() })
		adapter.Store(&far)
		_, _ = io.Copy(near, far)
		adapter.Store(nil)
		stop()
		far.Close()
	}
}

// ctl runs plenumctl in the guest.
func (h *hall) ctl(args string) string {
	h.t.Helper()
	return h.vm.Must(h.t, "plenumctl "+args)
}

// devices is the list of plenumctl devices, by id.
func (h *hall) devices() map[string]health.Item {
	out, err := h.vm.Run(h.t.Context(), "plenumctl devices --json")
	all := map[string]health.Item{}
	var l control.Listing
	if err != nil || json.Unmarshal([]byte(out), &l) != nil {
		return all
	}
	for _, it := range l.Devices {
		all[it.ID] = it
	}
	return all
}

// becomes waits until a device is in a state, or well where that is to be live, and gives how long it took.
func (h *hall) becomes(id string, state health.State) time.Duration {
	h.t.Helper()
	began := time.Now()
	var last health.Item
	h.until(id+" "+string(state), func() bool {
		last = h.devices()[id]
		return last.State == state || state == health.Live && lab.Well(last)
	}, func() string { return fmt.Sprintf("%+v", last) })
	return time.Since(began)
}

// until waits for the guest.
func (h *hall) until(what string, ok func() bool, last func() string) {
	h.t.Helper()
	for end := time.Now().Add(lab.Patience); !ok(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			said := ""
			if last != nil {
				said = last()
			}
			log, _ := h.vm.Run(context.Background(), "journalctl -u plenumd -o cat --no-pager | grep -v 'ran dry' | tail -n 40; top -b -n2 -d3 | awk '/^top/{n++} n==2' | head -15")
			h.t.Fatalf("not seen within %v: %s: %s\n%s", lab.Patience, what, said, log)
		}
	}
}

// live waits until everything the configuration names is live.
func (h *hall) live() {
	h.t.Helper()
	var bad []string
	h.until("every device live", func() bool {
		all := h.devices()
		bad = nil
		for _, it := range all {
			if !lab.Well(it) {
				bad = append(bad, fmt.Sprintf("%s %s (%s)", it.ID, it.State, it.Reason))
			}
		}
		return len(all) > 0 && len(bad) == 0
	}, func() string { return strings.Join(bad, "; ") })
}

// line reads what a GPIO line is driven to, from the side of the wire.
func (h *hall) line(name string) string {
	n := map[string]int{"chair-key": 0, "fire": 1, "tech-button": 2, "on-air": 3, "recording": 4, "mute": 5}[name]
	return h.vm.Must(h.t, fmt.Sprintf("cat /sys/devices/platform/gpio-sim.*/gpiochip*/sim_gpio%d/value", n))
}

// pull closes or opens a contact.
func (h *hall) pull(name, how string) {
	h.t.Helper()
	n := map[string]int{"chair-key": 0, "fire": 1, "tech-button": 2}[name]
	h.vm.Must(h.t, fmt.Sprintf("echo pull-%s > /sys/devices/platform/gpio-sim.*/gpiochip*/sim_gpio%d/pull", how, n))
}

// freePort is a port that nobody has by TCP or UDP. It lies below those that the kernel hands out to whoever connects
// somewhere, so that nobody gets it before QEMU does.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		n := 20000 + rand.IntN(10000)
		address := fmt.Sprintf("127.0.0.1:%d", n)
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		u, err := net.ListenPacket("udp", address)
		if err == nil {
			u.Close()
		}
		l.Close()
		if err == nil {
			return n
		}
	}
	t.Fatal("of a hundred ports of 127.0.0.1 between 20000 and 30000 none is free: end what listens there, ss -lntup lists it")
	return 0
}
