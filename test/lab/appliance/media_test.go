//go:build lab

package appliance_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	"plenum/device/control"
	"plenum/device/health"
	"plenum/test/lab"
	"plenum/test/lab/appliance"
)

// setupStick: shown line by line, applied with the PIN, in force after that.
func (c *chamber) setupStick(t *testing.T) {
	card := c.Must(t, "ls /sys/class/net | grep -v lo")
	c.plug(appliance.Stick{Label: "PLENUMSETUP", Files: []appliance.StickFile{{Name: "name", Data: []byte("rathaus-saal-1\n")},
		{Name: "roster.csv", Data: []byte("id;name;role;seat\np1;Clara Vorsitz;chair;1\np2;Berta Zwei;member;2\n")},
		{Name: "network.toml", Data: []byte("interface = \"" + card + "\"\naddress = \"10.0.2.15/24\"\ngateway = \"10.0.2.2\"\n")}}})
	var s control.Setup
	state := func(want string) {
		t.Helper()
		c.Until("the setup is "+want, func(ctx context.Context) error {
			if err := c.ask(ctx, &s, "setup"); err != nil || s.State != want {
				return fmt.Errorf("%+v %w", s, err)
			}
			return nil
		})
	}
	state("offered")
	for _, l := range s.Lines {
		t.Log(l.DE, "/", l.EN)
	}
	if out, err := c.Run(t.Context(), "echo 314159 | plenumctl setup --apply --pin-stdin 2>&1"); err == nil {
		t.Errorf("applied with a wrong PIN: %s", out)
	}
	if out, err := c.order("setup --apply"); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	c.Until("in force", func(ctx context.Context) error {
		out, err := c.Run(ctx, "hostname; plenumctl status; networkctl status --no-pager | head -n 12; cat /etc/plenum/network/50-plenum.network")
		if err != nil || !strings.Contains(out, "rathaus-saal-1") || !strings.Contains(out, "Berta Zwei") || strings.Contains(out, "Mitglied 3") ||
			!strings.Contains(out, "10.0.2.15") {
			return fmt.Errorf("%s %w", out, err)
		}
		return nil
	})
	c.pull()
	// A configuration that cannot be is refused whole.
	c.plug(appliance.Stick{Label: "PLENUMSETUP", Files: []appliance.StickFile{{Name: "name", Data: []byte("other\n")},
		{Name: "roster.csv", Data: []byte("id;name;role;seat\np1;Clara Vorsitz;chair;1\np2;Berta Zwei;member;1\n")}}})
	state("refused")
	t.Log(s.Lines)
	if host := c.Must(t, "hostname"); host != "rathaus-saal-1" {
		t.Errorf("half of it was applied: the box is called %s", host)
	}
	c.pull()
}

// diagnosisStick: everything but secrets; a write-protected stick is said to be one.
func (c *chamber) diagnosisStick(t *testing.T) {
	disk := c.Stick(appliance.Stick{Label: "PLENUM-DIAG", Size: 64})
	c.plugFile(disk, false)
	said := func(want string) control.Text {
		t.Helper()
		var d struct {
			Diagnosis control.Diagnosis `json:"diagnosis"`
		}
		c.Until("the diagnosis is "+want, func(ctx context.Context) error {
			if err := c.ask(ctx, &d, "diagnosis"); err != nil || d.Diagnosis.State != want {
				return fmt.Errorf("%+v %w", d.Diagnosis, err)
			}
			return nil
		})
		return d.Diagnosis.Text
	}
	t.Log(said("written").DE)
	c.pull()
	list, err := exec.CommandContext(t.Context(), "mdir", "-b", "-i", disk+"@@1M", "::/").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, list)
	}
	packed, err := exec.CommandContext(t.Context(), "mcopy", "-n", "-i", disk+"@@1M", strings.TrimSpace(string(list)), "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	zipped, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	all := tar.NewReader(zipped)
	for {
		h, err := all.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(all)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, fmt.Sprintf("%s %d", h.Name, len(text)))
		for _, secret := range []string{ownerPIN, "argon2id$", "PRIVATE" + " KEY"} {
			if bytes.Contains(text, []byte(secret)) {
				t.Errorf("%s holds %s", h.Name, secret)
			}
		}
	}
	t.Log(strings.Join(names, ", "))
	if !strings.Contains(strings.Join(names, " "), "log/this-boot.txt") || !strings.Contains(strings.Join(names, " "), "health.json") {
		t.Error("logs or health are missing")
	}
	c.plugFile(disk, true)
	t.Log(said("failed").DE)
	c.pull()
}

// usbDevices: a keyboard and a network card are not let in, but in technician mode.
func (c *chamber) usbDevices(t *testing.T) {
	count := func() string {
		return c.Must(t, "ls -d /sys/class/net/* | wc -l; grep -c 'Keyboard' /proc/bus/input/devices || true")
	}
	before := count()
	if err := c.Plug(t.Context(), lab.Device{ID: "keys", Kind: lab.Keyboard}); err != nil {
		t.Fatal(err)
	}
	if err := c.Plug(t.Context(), lab.Device{ID: "net", Kind: lab.Network}); err != nil {
		t.Fatal(err)
	}
	k := c.shows(health.USBRefused, true)
	t.Log(k.Detail)
	c.Until("both are refused", func(ctx context.Context) error {
		var v struct {
			Refused []control.RefusedUSB `json:"refused_usb"`
		}
		if err := c.ask(ctx, &v, "technician"); err != nil || len(v.Refused) != 2 {
			return fmt.Errorf("%+v %w", v.Refused, err)
		}
		return nil
	})
	if now := count(); now != before {
		t.Errorf("let in: %s, before %s", now, before)
	}
	if out, err := c.order("technician on"); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	c.Until("they are let in", func(ctx context.Context) error {
		if now := count(); now == before {
			return fmt.Errorf("%s", now)
		}
		return nil
	})
	if out, err := c.order("technician off"); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	c.Until("they are out again", func(ctx context.Context) error {
		if now := count(); now != before {
			return fmt.Errorf("%s", now)
		}
		return nil
	})
	for _, id := range []string{"keys", "net"} {
		if err := c.Unplug(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	c.shows(health.USBRefused, false)
}
