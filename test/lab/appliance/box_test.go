//go:build lab

package appliance_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"plenum/device/health"
	"plenum/test/lab"
	"plenum/test/lab/appliance"
)

// TestBox takes one box through its life, as a technician with a stick would.
func TestBox(t *testing.T) {
	t.Parallel()
	began := time.Now()
	c := powerOn(t)
	if !c.part(t, "first boot", func(t *testing.T) { c.firstBoot(t, began) }) {
		return
	}
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"a stick in an open sitting", c.sittingNotice},
		{"bad sticks", c.badSticks},
		{"good update", c.goodUpdate},
		{"update that does not prove itself", c.badUpdate},
		{"stick pulled while installing", c.pulledStick},
		{"setup stick", c.setupStick},
		{"diagnosis stick", c.diagnosisStick},
		{"USB devices", c.usbDevices},
		{"faults", c.faults},
		{"factory reset", c.factoryReset},
	} {
		if only := os.Getenv("PLENUM_LAB_PART"); only != "" && !strings.Contains(only, part.name) { // some alone, while they are being written
			continue
		}
		if !c.part(t, part.name, part.run) {
			return // the box is not as the next one expects it
		}
	}
}

// firstBoot: live without a touch, and no sitting before somebody owns the box.
func (c *chamber) firstBoot(t *testing.T, began time.Time) {
	c.Until("everything live", c.live)
	t.Logf("power on to everything live in %.1f s", time.Since(began).Seconds())
	c.bootTimes(t)
	c.Until("the panel's page", func(ctx context.Context) error {
		out, err := c.Run(ctx, "echo | openssl s_client -connect 127.0.0.1:443 -servername localhost -tls1_3 -groups P-256 2>/dev/null | grep -c BEGIN")
		if err != nil {
			return fmt.Errorf("%s: %w", out, err)
		}
		return nil
	})
	c.shows(health.OwnerPINMissing, true)
	if out, err := c.Run(t.Context(), "plenumctl open 2>&1"); err == nil || !strings.Contains(out, "box/owner") {
		t.Errorf("a sitting was opened on a box that nobody owns: %s", out)
	}
	c.own()
	c.Until("marked good", func(context.Context) error {
		if env := c.Must(t, "grub-editenv /grub/grubenv list"); !strings.Contains(env, "A_OK=1") || !strings.Contains(env, "A_TRY=0") {
			return fmt.Errorf("%s", env)
		}
		return nil
	})
	if out := c.Must(t, "systemctl --failed --no-legend --plain"); out != "" {
		t.Errorf("failed: %s\n%s", out, c.Must(t, "journalctl -b -p warning --no-pager | tail -n 40"))
	}
	t.Log(c.Must(t, "df -h /data | tail -n 1; systemd-analyze security --no-pager plenumd | tail -n 1; systemctl show -P NRestarts plenumd"))
	c.ease(mute)
}

// bootTimes tells what the daemon adds to a boot: from the moment the rest of multi-user.target was there to the moment
// the chamber is live. The daemon's own log tells what it did meanwhile. It waits for the last of systemd's jobs: in soak.
func (c *chamber) bootTimes(t *testing.T) {
	t.Helper()
	if !lab.Soak() {
		return
	}
	t.Log(c.Must(t, `systemctl is-system-running --wait >/dev/null; systemd-analyze time | tail -n 2; systemd-analyze critical-chain multi-user.target --no-pager | tail -n +4
ready() { systemctl show -P ActiveEnterTimestampMonotonic "$1"; }
last=0; for unit in $(systemctl show -P Wants -P Requires multi-user.target); do
    case $unit in plenum*|lab-*|boot-complete*) continue ;; esac
    at=$(ready "$unit"); [ "${at:-0}" -gt $last ] && last=$at && name=$unit
done
echo "the rest of multi-user.target at $((last / 1000)) ms ($name), plenumd ready at $(( $(ready plenumd) / 1000 )) ms, started at $(( $(systemctl show -P ExecMainStartTimestampMonotonic plenumd) / 1000 )) ms"
journalctl -b -u plenumd -o short-monotonic --no-pager | head -n 25`))
}

// sittingNotice: while a sitting is open nothing is done with a stick but to say that it is there.
func (c *chamber) sittingNotice(t *testing.T) {
	c.Until("a sitting opens", func(ctx context.Context) error { _, err := c.Run(ctx, "plenumctl open"); return err })
	mounts := func() string { // all there ever were in this boot
		return c.Must(t, "journalctl -b -u udisks2 -o cat --no-pager | grep -c Mounted || true")
	}
	before := mounts()
	c.plug(appliance.Stick{Label: "UPDATE", Files: []appliance.StickFile{{Name: "plenum.raucb", From: c.bundle(appliance.Bundle{Slot: slot(t, "1.1.0", "")})}}})
	c.Until("a notice", func(ctx context.Context) error {
		u, err := c.update(ctx)
		if err != nil || len(u.Sticks) != 1 {
			return fmt.Errorf("%+v %w", u.Sticks, err)
		}
		if !strings.Contains(u.Sticks[0].EN, "sitting") || u.Update.State != "idle" {
			return fmt.Errorf("%+v %s", u.Sticks[0], u.Update.State)
		}
		return nil
	})
	if out, err := c.order("update --install"); err == nil {
		t.Errorf("installed in an open sitting: %s", out)
	}
	if out, _ := c.Run(t.Context(), "findmnt -n -t vfat,ext4,exfat -o TARGET | grep -v -e ^/grub -e ^/data -e ^/var -e ^/etc"); out != "" {
		t.Errorf("mounted in an open sitting: %s", out)
	}
	if now := mounts(); now != before {
		t.Errorf("something was mounted in an open sitting: %s mounts, %s before", now, before)
	}
	if out, err := c.Run(t.Context(), "systemctl --check-inhibitors=yes reboot 2>&1"); err == nil || !strings.Contains(out, "sitting is open") {
		t.Fatalf("nothing keeps the power on: %s %v", out, err)
	}
	c.Must(t, "plenumctl close")
	u := c.reads("offered") // mounted and looked at
	if mounts() == before {
		t.Error("a mount is not seen in the log: that there was none before proves nothing")
	}
	if u.Update.Version != "1.1.0" || u.Update.Current != "1.0.0" {
		t.Errorf("%+v", u.Update)
	}
	c.pull()
}

// badSticks: each is refused with a sentence of its own, and nothing changes.
func (c *chamber) badSticks(t *testing.T) {
	hollow := slot(t, "1.1.0", appliance.Hollow)
	good := c.bundle(appliance.Bundle{Slot: hollow})
	file := func(name, from string) appliance.StickFile { return appliance.StickFile{Name: name, From: from} }
	before, env := c.written(), c.Must(t, "cat /grub/grubenv")
	for _, tt := range []struct {
		name, state, reason string
		files               []appliance.StickFile
	}{
		{"only a Mac's shadow file", "idle", "", []appliance.StickFile{{Name: "._plenum.raucb", Data: []byte("x")}}},
		{"two bundles", "refused", "", []appliance.StickFile{file("a.raucb", good), file("b.raucb", good)}},
		{"another kind of box", "refused", "", []appliance.StickFile{file("p.raucb", c.bundle(appliance.Bundle{Slot: hollow, Compatible: "plenum-rpi4"}))}},
		{"an older version", "refused", "", []appliance.StickFile{file("p.raucb", c.bundle(appliance.Bundle{Slot: slot(t, "0.9.0", appliance.Hollow)}))}},
		{"a foreign key", "refused", "", []appliance.StickFile{file("p.raucb", c.bundle(appliance.Bundle{Slot: hollow, Foreign: true}))}},
		{"a changed signature", "refused", "", []appliance.StickFile{file("p.raucb", c.bundle(appliance.Bundle{Slot: hollow, Tamper: appliance.Signature}))}},
		{"half a bundle", "refused", "", []appliance.StickFile{file("p.raucb", c.bundle(appliance.Bundle{Slot: hollow, Tamper: appliance.Cut}))}},
	} {
		began := time.Now()
		c.plug(appliance.Stick{Label: "UPDATE", Files: tt.files})
		var u updates
		c.Until(tt.name, func(ctx context.Context) (err error) {
			u, err = c.update(ctx)
			if err == nil && (len(u.Sticks) != 1 || u.Update.State != tt.state || u.Sticks[0].Busy || u.Sticks[0].Kind == "") {
				err = fmt.Errorf("%+v %+v", u.Sticks, u.Update)
			}
			return err
		})
		t.Logf("%s after %.1f s: %s / %s (stick: %s)", tt.name, time.Since(began).Seconds(), u.Update.DE, u.Update.EN, u.Sticks[0].EN)
		if out, err := c.order("update --install"); err == nil {
			t.Errorf("%s was installed: %s", tt.name, out)
		}
		c.pull()
		t.Logf("refused and pulled after %.1f s", time.Since(began).Seconds())
	}
	if after := c.written(); after != before {
		t.Errorf("a slot is not what it was: %v sectors were written, %v before", after, before)
	}
	if now := c.Must(t, "cat /grub/grubenv"); now != env {
		t.Errorf("GRUB's state is not what it was:\n%s\n%s", env, now)
	}
	// What is wrong inside shows only while it is written, into the slot that does not run.
	c.plug(appliance.Stick{Label: "UPDATE", Files: []appliance.StickFile{file("p.raucb", c.bundle(appliance.Bundle{Slot: slot(t, "1.1.0", ""), Tamper: appliance.Payload}))}})
	c.Until("looked at", func(ctx context.Context) error {
		u, err := c.update(ctx)
		if err == nil && u.Update.State != "offered" && u.Update.State != "refused" {
			err = fmt.Errorf("it is %s", u.Update.State)
		}
		return err
	})
	if out, err := c.order("update --install"); err == nil {
		t.Errorf("a changed payload was installed: %s", out)
	} else {
		t.Logf("a changed payload: %s", out)
	}
	c.pull()
	if slots, primary := c.RAUC(); c.Booted() != "A" || slots["A"].Status != "good" || primary != "A" {
		t.Errorf("after a changed payload: %+v, %q boots next", slots, primary)
	}
	if after := c.written(); after[0] != before[0] || after[1] == before[1] {
		t.Errorf("slot B alone was to be written: %v sectors were, %v before", after, before)
	}
}

// written is how many sectors of slot A and of slot B were written in this boot.
func (c *chamber) written() (sectors [2]int) {
	c.t.Helper()
	out := c.Must(c.t, `for slot in a b; do awk '{ print $7 }' "/sys/class/block/$(basename "$(readlink -f /dev/disk/by-partlabel/rootfs-$slot)")/stat"; done`)
	if n, err := fmt.Sscan(out, &sectors[0], &sectors[1]); n != 2 {
		c.t.Fatalf("%q: %v", out, err)
	}
	return sectors
}

// goodUpdate: offered, installed with the PIN and moving progress, started, marked good, told of.
func (c *chamber) goodUpdate(t *testing.T) {
	c.plug(appliance.Stick{Label: "UPDATE", Files: []appliance.StickFile{{Name: "plenum.raucb", From: c.bundle(appliance.Bundle{Slot: slot(t, "1.1.0", ""), Notes: "Neue Kameras"})}}})
	u := c.reads("offered")
	t.Logf("offered: %s, notes %q, built %s, %d bytes", u.Update.Version, u.Update.Notes, u.Update.Built, u.Update.Size)
	if out, err := c.Run(t.Context(), "echo 314159 | plenumctl update --install --pin-stdin 2>&1"); err == nil {
		t.Fatalf("installed with a wrong PIN: %s", out)
	}
	out, err := c.order("update --install")
	if err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	if strings.Count(out, "%") < 3 {
		t.Errorf("the progress does not move: %q", out)
	}
	c.pull()
	c.reboot(t, "update --reboot")
	c.outcome(t, "updated", "B", "1.1.0")
	c.bootTimes(t)
	if slots, primary := c.RAUC(); slots["B"].Status != "good" || primary != "B" {
		t.Errorf("%+v, %q boots next", slots, primary)
	}
	c.Until("a sitting opens on the new version", func(ctx context.Context) error { _, err := c.Run(ctx, "plenumctl open"); return err })
	c.Must(t, "plenumctl close")
	c.Must(t, "plenumctl update --seen")
	c.configure(blind)
}

// reboot orders a restart and follows the box until its daemon answers again.
func (c *chamber) reboot(t *testing.T, order string) {
	t.Helper()
	began := time.Now()
	c.goDown(t, order)
	ctx, cancel := context.WithTimeout(t.Context(), lab.Patience)
	defer cancel()
	if how, err := c.Ended(ctx); how != lab.Reset {
		t.Fatalf("the restart ended as %q, %v", how, err)
	}
	endings := c.Settle(func(ctx context.Context) error { _, err := c.update(ctx); return err })
	t.Logf("up again after %.1f s, on the way %v", time.Since(began).Seconds(), endings)
}

// goDown gives an order that ends with a restart. The box may be gone before the answer is here; and one with a slow disk may
// take longer for the order than the daemon waits. What counts is that it goes down.
func (c *chamber) goDown(t *testing.T, order string) {
	t.Helper()
	out, err := c.order(order)
	if _, refused := errors.AsType[*lab.ExitError](err); refused && !strings.Contains(out, "deadline exceeded") {
		t.Fatalf("%s: %v", out, err)
	}
}

// outcome waits, over as many restarts as it takes, until the box says what became of an update.
func (c *chamber) outcome(t *testing.T, result, booted, version string) updates {
	t.Helper()
	var u updates
	endings := c.Settle(func(ctx context.Context) (err error) {
		if u, err = c.update(ctx); err == nil && (u.Update.Last == nil || u.Update.Last.Result != result) {
			err = fmt.Errorf("last: %+v", u.Update.Last)
		}
		return err
	})
	t.Logf("%s: %s (restarts by itself: %v)", u.Update.Last.Result, u.Update.Last.DE, endings)
	if u.Release.Slot != booted || u.Release.Version != version || c.Booted() != booted {
		t.Errorf("slot %s with version %s runs", u.Release.Slot, u.Release.Version)
	}
	return u
}

// badUpdate: a version whose daemon does not come up. The box goes back by itself and says so.
func (c *chamber) badUpdate(t *testing.T) {
	dead := slot(t, "1.2.0", appliance.NoDaemon)
	dead.Files = append(dead.Files, lab.File{Path: "/etc/systemd/system/plenum-health.service.d/lab.conf", // not two minutes of waiting
		Data: []byte("[Service]\nExecStart=\nExecStart=/usr/bin/plenumctl health --boot --wait 10s\n")})
	c.plug(appliance.Stick{Label: "UPDATE", Files: []appliance.StickFile{{Name: "plenum.raucb", From: c.bundle(appliance.Bundle{Slot: dead})}}})
	c.reads("offered")
	if out, err := c.order("update --install"); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	c.pull()
	booted, version := c.Booted(), c.Release()["VERSION"]
	c.goDown(t, "update --reboot")
	c.outcome(t, "went-back", booted, version)
	c.shows(health.UpdateWentBack, true)
	c.Must(t, "plenumctl update --seen")
	c.shows(health.UpdateWentBack, false)
}

// pulledStick: what was running runs on, and the stick plugged in again is offered again.
func (c *chamber) pulledStick(t *testing.T) {
	stick := appliance.Stick{Label: "UPDATE", Files: []appliance.StickFile{{Name: "plenum.raucb", From: c.bundle(appliance.Bundle{Slot: slot(t, "1.3.0", "")})}}}
	c.plug(stick)
	c.reads("offered")
	c.Must(t, "(echo "+ownerPIN+" | plenumctl update --install --pin-stdin >/run/install.log 2>&1; true) &")
	c.reads("installing")
	c.pull()
	u := c.reads("failed")
	t.Logf("%s / %s", u.Update.DE, u.Update.EN)
	if slots, primary := c.RAUC(); primary != c.Booted() || slots[primary].Status != "good" {
		t.Errorf("%+v, %q boots next", slots, primary)
	}
	c.plug(stick)
	c.reads("offered")
	c.pull()
}

// factoryReset: people, keys and logs are gone, the version stays.
func (c *chamber) factoryReset(t *testing.T) {
	host := c.Must(t, "hostname")
	if out, err := c.order("reset --confirm wrong"); err == nil {
		t.Fatalf("reset by a wrong name: %s", out)
	}
	version := c.Release()["VERSION"]
	ca := c.Must(t, "sha256sum /var/lib/plenum/ca.pem")
	c.reboot(t, "reset --confirm "+host)
	c.Until("a new box", func(ctx context.Context) error { _, err := c.judge(ctx); return err })
	c.shows(health.OwnerPINMissing, true)
	if now := c.Must(t, "sha256sum /var/lib/plenum/ca.pem"); now == ca {
		t.Error("the keys are those of before")
	}
	if v := c.Release()["VERSION"]; v != version {
		t.Errorf("version %s runs", v)
	}
	if out := c.Must(t, "ls -A /data; journalctl --list-boots --no-pager | grep '^ *-' || true"); strings.Contains(out, "factory-reset") || strings.Contains(out, "-1") {
		t.Errorf("left on the data partition, older boots in the log: %s", out)
	}
}
