//go:build lab

package appliance_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"plenum/device/control"
	"plenum/device/health"
)

// faults lets parts of the box die or hang, one after the other, with a sitting open that has to be as it was after each.
func (c *chamber) faults(t *testing.T) {
	c.Until("everything live", c.live)
	c.Until("a sitting opens", func(ctx context.Context) error { _, err := c.Run(ctx, "plenumctl open"); return err })
	c.grant("2")
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"killed", c.killed},
		{"hanging", c.hanging},
		{"bus restarted", c.busRestarted},
		{"UDisks2 gone", func(t *testing.T) { c.serviceGone(t, "udisks2", health.UDisksGone) }},
		{"RAUC gone", func(t *testing.T) { c.serviceGone(t, "rauc", health.RAUCGone) }},
		{"clock in 1970", c.oldClock},
		{"data partition full", c.fullDisk},
		{"corrupt configuration", c.corruptConfig},
	} {
		if !c.part(t, part.name, part.run) {
			return
		}
	}
	c.Must(t, "plenumctl withdraw 2; plenumctl close")
}

// grant gives a seat the word, as soon as its desk has answered.
func (c *chamber) grant(seat string) {
	c.t.Helper()
	c.Until("seat "+seat+" has the word", func(ctx context.Context) error {
		out, err := c.Run(ctx, "plenumctl grant "+seat+" 2>&1")
		if err != nil {
			return fmt.Errorf("%s %w", out, err)
		}
		return nil
	})
}

// speaks wants seat 2 to have the word and an open microphone.
func (c *chamber) speaks(ctx context.Context) error {
	var l control.Speakers
	if err := c.ask(ctx, &l, "speakers"); err != nil {
		return err
	}
	if len(l.Speakers) != 1 || l.Speakers[0].Seat != "2" || l.Speakers[0].Mic != "open" {
		return fmt.Errorf("%+v", l.Speakers)
	}
	return nil
}

func (c *chamber) killed(t *testing.T) {
	c.Until("seat 2 speaks", c.speaks)
	began := time.Now()
	c.Must(t, "kill -9 $(systemctl show -P MainPID plenumd)")
	c.shows(health.Restarted, true)
	c.Until("seat 2 speaks", c.speaks)
	t.Logf("the sitting is back %.1f s after kill -9", time.Since(began).Seconds())
	c.Must(t, "plenumctl update --seen")
}

// hanging: the daemon is stopped as a deadlock would stop it. systemd's watchdog ends it, and what its goroutines did is kept.
func (c *chamber) hanging(t *testing.T) {
	const short = "/run/systemd/system/plenumd.service.d/99-watchdog.conf" // as a box has it
	c.Must(t, "mkdir -p $(dirname "+short+") && (echo '[Service]' && grep '^WatchdogSec=' /usr/lib/systemd/system/plenumd.service) >"+short+
		" && systemctl daemon-reload && systemctl restart plenumd")
	c.Until("seat 2 speaks", c.speaks)
	began := time.Now()
	before := c.Must(t, "systemctl show -P NRestarts plenumd")
	c.Must(t, "kill -STOP $(systemctl show -P MainPID plenumd)")
	c.Until("restarted", func(ctx context.Context) error {
		if now := c.Must(t, "systemctl show -P NRestarts plenumd"); now == before {
			return fmt.Errorf("%s restarts", now)
		}
		return nil
	})
	c.Until("seat 2 speaks", c.speaks)
	t.Logf("the sitting is back %.1f s after the daemon was stopped", time.Since(began).Seconds())
	if out := c.Must(t, "journalctl -u plenumd -b --no-pager -o cat | grep -c -i watchdog"); out == "0" {
		t.Error("no word of the watchdog in the log")
	}
	c.Must(t, "rm "+short+" && systemctl daemon-reload")
	c.Must(t, "plenumctl update --seen")
}

func (c *chamber) busRestarted(t *testing.T) {
	pid := c.Must(t, "systemctl show -P MainPID plenumd")
	c.Must(t, "systemctl restart dbus")
	c.Until("the services are back", func(ctx context.Context) error {
		j, err := c.judge(ctx)
		if err != nil {
			return err
		}
		for _, k := range j.Conditions {
			if strings.HasSuffix(k.Code, "-gone") {
				return fmt.Errorf("%s %s", k.Code, k.Detail)
			}
		}
		return nil
	})
	if now := c.Must(t, "systemctl show -P MainPID plenumd"); now != pid {
		t.Error("the daemon did not outlive it")
	}
	c.Until("seat 2 speaks", c.speaks)
}

// serviceGone: it cannot even be started. The condition comes, the sitting goes on, and the condition goes with its cause.
func (c *chamber) serviceGone(t *testing.T, unit, code string) {
	c.Must(t, "systemctl mask --runtime --now "+unit)
	k := c.shows(code, true)
	t.Logf("%s: %s", k.DE, k.Detail)
	if err := c.speaks(t.Context()); err != nil {
		t.Error(err)
	}
	c.Must(t, "systemctl unmask --runtime "+unit)
	c.shows(code, false)
}

// oldClock: a box whose clock believes in 1970 works and says so.
func (c *chamber) oldClock(t *testing.T) {
	c.Must(t, "timedatectl set-ntp false; date > /run/now; date -s @1000")
	c.shows(health.ClockUnset, true)
	c.Must(t, "systemctl restart plenumd")
	c.Until("seat 2 speaks", c.speaks)
	c.shows(health.ClockUnset, true)
	c.Must(t, `date -s "$(cat /run/now)"`)
	c.shows(health.ClockUnset, false)
}

// fullDisk: said while it is full, nothing is lost, and gone when there is room again.
func (c *chamber) fullDisk(t *testing.T) {
	c.Must(t, "fallocate -l $(( ($(df --output=avail -k /data | tail -n 1) - 20) * 1024 )) /data/filler || true; dd if=/dev/zero of=/data/filler2 bs=64k 2>/dev/null; sync; df /data | tail -n 1")
	c.shows(health.DiskFull, true)
	// The sitting goes on, recorded or said to be not.
	c.Must(t, "plenumctl withdraw 2; plenumctl grant 2")
	c.Until("seat 2 speaks", c.speaks)
	c.Must(t, "rm /data/filler /data/filler2; sync")
	c.shows(health.DiskFull, false)
	c.shows(health.RecordFailed, false)
	c.Must(t, "systemctl restart plenumd")
	c.Until("seat 2 speaks", c.speaks)
	c.Until("the record is whole", c.whole)
}

// whole wants a journal that was read to its end without a fault.
func (c *chamber) whole(ctx context.Context) error {
	j, err := c.judge(ctx)
	if err != nil {
		return err
	}
	for _, k := range j.Conditions {
		if k.Code == health.JournalDamaged || k.Code == health.RecordDeviates || k.Code == health.RecordFailed {
			return fmt.Errorf("%s %s", k.Code, k.Detail)
		}
	}
	for _, p := range j.Pending {
		if p == health.JournalDamaged {
			return fmt.Errorf("not read to its end yet")
		}
	}
	return nil
}

// corruptConfig: the last good one is in force and the fault is shown.
func (c *chamber) corruptConfig(t *testing.T) {
	c.Must(t, "cp -p /etc/plenum/plenum.toml /run/good.toml; head -c 700 /run/good.toml > /etc/plenum/plenum.toml; systemctl restart plenumd")
	k := c.shows(health.ConfigFallback, true)
	t.Log(k.DE, k.Detail)
	c.Until("seat 2 speaks", c.speaks)
	c.Must(t, "cp -p /run/good.toml /etc/plenum/plenum.toml; systemctl restart plenumd")
	c.shows(health.ConfigFallback, false)
	c.Until("seat 2 speaks", c.speaks)
}
