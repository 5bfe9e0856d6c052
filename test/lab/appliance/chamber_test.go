//go:build lab

package appliance_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"golang.org/x/crypto/argon2"

	"plenum/device/config"
	"plenum/device/control"
	"plenum/device/health"
	"plenum/device/sitting"
	"plenum/hal/desk/sim"
	"plenum/hal/port"
	"plenum/test/lab"
	"plenum/test/lab/appliance"
)

// Of every box here.
const (
	ownerPIN = "271828"
	seats    = 4
)

// chamber is the box in a hall: a camera, microphones and desks on a USB serial adapter.
type chamber struct {
	*appliance.Box
	t     *testing.T
	desks *sim.Sim
	in    bool // a stick is plugged in, also over power cuts
}

// hall is the image's first configuration. The same for all boxes, so that their slots are made once.
func hall(t testing.TB) lab.File {
	return lab.File{Path: "/usr/share/plenum/plenum.toml", Data: configuration(t, func(*config.Config) {})}
}

// configuration is that of a hall like this one, with a change.
func configuration(t testing.TB, change func(*config.Config)) []byte {
	t.Helper()
	t.Helper()
	units, err := sim.New(sim.Options{Units: seats, Chair: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer units.Close()
	c := config.Config{
		Listen: "0.0.0.0:443", Data: "/var/lib/plenum", Socket: "/run/plenum/plenumd.sock",
		Sitting: config.Sitting{Body: "Rat der Laborstadt", Mode: sitting.ModeChairGrants, Limit: 1, MaxLimit: 2},
		Cameras: []config.Camera{{Name: "Totale", Device: "/dev/v4l/by-id/lab-vivid-000", Shows: config.ShowsHall, Width: 320, Height: 180, FPS: 20,
			BitRate: 300_000, Required: true}},
		Hall: config.Hall{Microphone: config.Microphone{Device: "card:Saal,0", Channels: []string{config.HallChannel, config.HallChannel}, Period: 20, Buffer: 200},
			Output: config.Playback{Device: "null"}},
		Desks: []config.Desk{{Name: "saal", Dialect: "quinta", Port: "usb:DESKS", Required: true}},
	}
	for i := 1; i <= seats; i++ {
		m := config.Member{ID: fmt.Sprintf("p%d", i), Name: fmt.Sprintf("Mitglied %d", i), Role: sitting.RoleMember, Seat: fmt.Sprint(i)}
		if i == 1 {
			m.Role = sitting.RoleChair
		}
		c.Members = append(c.Members, m)
		c.Desks[0].Seats = append(c.Desks[0].Seats, config.Seat{Seat: m.Seat, Unit: units.Key(i, "").ID})
	}
	change(&c)
	var text bytes.Buffer
	if err := toml.NewEncoder(&text).Encode(c); err != nil {
		t.Fatal(err)
	}
	return text.Bytes()
}

// slot is a version of the box in its hall.
func slot(t testing.TB, version string, flaw appliance.Flaw) appliance.Slot {
	return appliance.Slot{Version: version, Flaw: flaw, Files: []lab.File{hall(t)}}
}

// powerOn makes a new box in its hall and switches it on.
func powerOn(t *testing.T) *chamber {
	t.Helper()
	units, err := sim.New(sim.Options{Units: seats, Chair: 1, Baud: 57600})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = units.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait(); units.Close() })
	c := &chamber{t: t, desks: units}
	c.Box = appliance.Boot(t, image, appliance.Options{Slot: slot(t, "1.0.0", ""), Options: lab.Options{
		Forward: []lab.Forward{{Proto: "tcp", Guest: 443}},
		Plugged: []lab.Device{{ID: "desks", Kind: lab.Adapter, Serial: "DESKS"}},
		Wire:    func(v *lab.VM) { wg.Go(func() { c.cable(ctx, v) }) },
	}})
	t.Cleanup(func() {
		if t.Failed() {
			ctx, cancel := context.WithTimeout(context.Background(), lab.Patience)
			defer cancel()
			out, err := c.Run(ctx, "journalctl -b -o short-monotonic --no-pager -u 'plenum*' -u rauc -u udisks2 | tail -n 60")
			t.Logf("the log ends with (%v)\n%s", err, out)
		}
	})
	return c
}

// part runs a part of the box's life, which fails by itself.
func (c *chamber) part(t *testing.T, name string, run func(*testing.T)) bool {
	t.Helper()
	return t.Run(name, func(t *testing.T) {
		whole := c.t
		c.t = t
		c.For(t)
		t.Cleanup(func() { c.t = whole })
		run(t)
	})
}

// cable joins the adapter's far end with the simulated desks, over all boots. The desks are mute until the daemon has said
// something: QEMU's USB controller that gets bytes after the firmware has left and before the kernel has begun writes into
// memory which is the kernel's by then, and the kernel falls or hangs in ways that no box would show.
func (c *chamber) cable(ctx context.Context, v *lab.VM) {
	for ctx.Err() == nil {
		far, err := v.Dial(ctx, "desks")
		if err != nil {
			time.Sleep(20 * time.Millisecond)
			continue
		}
		near, err := port.Open(ctx, c.desks.Path(), port.Settings{Baud: 57600})
		if err != nil {
			far.Close()
			c.t.Error(err)
			return
		}
		stop := context.AfterFunc(ctx, func() { far.Close(); near.Close() })
		var wg sync.WaitGroup
		first := make([]byte, 1)
		if _, err := io.ReadFull(far, first); err == nil {
			_, _ = near.Write(first)
			wg.Go(func() { _, _ = io.Copy(far, near); far.Close() })
			_, _ = io.Copy(near, far)
		}
		near.Close()
		far.Close()
		wg.Wait()
		stop()
	}
}

// ask runs plenumctl and reads its JSON.
func (c *chamber) ask(ctx context.Context, into any, args string) error {
	out, err := c.Run(ctx, "plenumctl --json "+args)
	if err != nil && out == "" {
		return err
	}
	return json.Unmarshal([]byte(out[:strings.LastIndex(out, "}")+1]), into)
}

// order runs plenumctl with the owner's PIN.
func (c *chamber) order(args string) (string, error) {
	c.t.Helper()
	return c.Run(c.t.Context(), "echo "+ownerPIN+" | plenumctl "+args+" --pin-stdin 2>&1")
}

// updates is what plenumctl update says.
type updates struct {
	Release control.Release `json:"release"`
	Update  control.Update  `json:"update"`
	Sticks  []control.Stick `json:"sticks"`
}

func (c *chamber) update(ctx context.Context) (u updates, err error) {
	return u, c.ask(ctx, &u, "update")
}

// judge is what plenumctl health says.
func (c *chamber) judge(ctx context.Context) (j health.Judgement, err error) {
	return j, c.ask(ctx, &j, "health")
}

// shows waits until a condition is shown, or is not any more.
func (c *chamber) shows(code string, shown bool) health.Condition {
	c.t.Helper()
	var found health.Condition
	c.Until(fmt.Sprintf("%s shown: %v", code, shown), func(ctx context.Context) error {
		j, err := c.judge(ctx)
		if err != nil {
			return err
		}
		for _, k := range j.Conditions {
			if k.Code == code {
				found = k
				if shown {
					return nil
				}
				return fmt.Errorf("it stands: %s", k.Detail)
			}
		}
		if shown {
			return fmt.Errorf("shown are %+v", j.Conditions)
		}
		return nil
	})
	return found
}

// live wants everything the configuration names live.
func (c *chamber) live(ctx context.Context) error {
	j, err := c.judge(ctx)
	if err != nil {
		return err
	}
	for _, it := range j.Items {
		if !lab.Well(it) {
			return fmt.Errorf("%s is %s: %s", it.ID, it.State, it.Reason)
		}
	}
	if len(j.Items) == 0 {
		return fmt.Errorf("no devices")
	}
	return nil
}

// reads is the state of the update that somebody waits for.
func (c *chamber) reads(state string) updates {
	c.t.Helper()
	var u updates
	c.Until("the update is "+state, func(ctx context.Context) (err error) {
		if u, err = c.update(ctx); err == nil && u.Update.State != state {
			err = fmt.Errorf("it is %s: %s", u.Update.State, u.Update.EN)
		}
		return err
	})
	return u
}

// bundle is an update in a hall like this one.
func (c *chamber) bundle(b appliance.Bundle) string {
	c.t.Helper()
	if b.Files == nil {
		b.Files = []lab.File{hall(c.t)}
	}
	return image.MustBundle(c.t, b)
}

// plug makes a stick and plugs it in.
func (c *chamber) plug(s appliance.Stick) {
	c.t.Helper()
	c.plugFile(c.Stick(s), false)
}

func (c *chamber) plugFile(disk string, readOnly bool) {
	c.t.Helper()
	if c.in {
		c.pull()
	}
	c.in = true
	if err := c.Plug(c.t.Context(), lab.Device{ID: "stick", Kind: lab.Stick, Serial: "STICK", Disk: disk, ReadOnly: readOnly}); err != nil {
		c.t.Fatal(err)
	}
}

func (c *chamber) pull() {
	c.t.Helper()
	c.in = false
	if err := c.Unplug(c.t.Context(), "stick"); err != nil {
		c.t.Fatal(err)
	}
	c.Until("the stick is gone", func(ctx context.Context) error {
		if u, err := c.update(ctx); err != nil || len(u.Sticks) > 0 {
			return fmt.Errorf("%+v %w", u.Sticks, err)
		}
		return nil
	})
}

// own sets the owner's PIN of a new box.
func (c *chamber) own() {
	c.t.Helper()
	c.Until("the daemon answers", func(ctx context.Context) error { _, err := c.judge(ctx); return err })
	c.Must(c.t, "echo "+ownerPIN+" | plenumctl owner-pin --pin-stdin")
}

// ease spares the emulated processor two things that it is busiest with. The owner's PIN, which is set, is kept at a small
// cost: every order asks for it, and at the real one that takes up to a minute. And the hall changes; see mute and blind.
func (c *chamber) ease(hall func(*config.Config)) {
	c.t.Helper()
	const file, salt = "/var/lib/plenum/owner.json", "of a box in the lab"
	var kept struct {
		Version int    `json:"version"`
		PIN     string `json:"pin"`
	}
	if err := json.Unmarshal([]byte(c.Must(c.t, "cat "+file)), &kept); err != nil || !strings.Contains(kept.PIN, "$m=65536,t=3,p=1$") {
		c.t.Fatalf("the owner's PIN is kept as %+v, %v", kept, err)
	}
	b64 := base64.RawStdEncoding
	kept.PIN = fmt.Sprintf("$argon2id$v=%d$m=64,t=1,p=1$%s$%s", argon2.Version, b64.EncodeToString([]byte(salt)),
		b64.EncodeToString(argon2.IDKey([]byte(ownerPIN), []byte(salt), 1, 64, 1, 32)))
	text, err := json.Marshal(kept)
	if err != nil {
		c.t.Fatal(err)
	}
	c.write(file, text)
	c.configure(hall)
}

// mute takes the hall's microphone away: coding its sound takes half of an emulated processor for as long as the box is on.
func mute(c *config.Config) { c.Hall.Microphone = config.Microphone{} }

// blind takes the camera away, too, which takes a quarter; for when nothing waits for a picture any more.
func blind(c *config.Config) {
	mute(c)
	c.Cameras = nil
}

// configure puts a change of the hall in force.
func (c *chamber) configure(change func(*config.Config)) {
	c.t.Helper()
	c.write("/etc/plenum/plenum.toml", configuration(c.t, change))
	c.Must(c.t, "systemctl restart plenumd")
	c.Until("the daemon answers", func(ctx context.Context) error { _, err := c.judge(ctx); return err })
}

// write replaces what is in a file.
func (c *chamber) write(file string, text []byte) {
	c.t.Helper()
	c.Must(c.t, "cat >"+file+" <<'END'\n"+strings.TrimSuffix(string(text), "\n")+"\nEND\nsync "+file)
}
