package app

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/godbus/dbus/v5"

	"plenum/device/access"
	"plenum/device/control"
	"plenum/device/health"
	"plenum/device/journal"
	"plenum/device/sitting"
	"plenum/hal/sysbus/fake"
)

// machine is what an appliance runs on: files as on the image, and a system bus with its services.
type machine struct {
	t     *testing.T
	Box   Box
	cfg   string // text of the configuration
	sock  string // of plenumctl
	data  string
	disks *fake.Disks
	rauc  *fake.RAUC
	units *fake.Systemd
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	dir, err := os.MkdirTemp("", "box") // short: sockets have short names
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	bus, err := fake.Start(filepath.Join(dir, "bus"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bus.Stop)
	m := &machine{t: t, data: filepath.Join(dir, "state"), Box: Box{Config: filepath.Join(dir, "etc", "plenum.toml"),
		State: filepath.Join(dir, "state"), Release: filepath.Join(dir, "release"), Cmdline: filepath.Join(dir, "cmdline"), Good: filepath.Join(dir, "good"),
		Technician: filepath.Join(dir, "technician"), Sys: filepath.Join(dir, "sys"), Bus: bus.Address(),
		PINs: access.Hash{Memory: 64, Rounds: 1, Threads: 1}}}
	m.serve(bus, dir)
	m.put(m.Box.Release, "VERSION=1.0.0\nCOMPATIBLE=plenum-test\nBUILD=2026-11-23T08:00:00Z\nSUPPORT_UNTIL=2031-12\n")
	m.boot("A")
	c, _ := box(t, 2)
	c.Data, c.Sitting.OpenAtStart = m.data, false
	m.sock = c.Socket
	var text bytes.Buffer
	if err := toml.NewEncoder(&text).Encode(c); err != nil {
		t.Fatal(err)
	}
	m.cfg = text.String()
	m.put(m.Box.Config, m.cfg)
	return m
}

// serve puts the services on the bus.
func (m *machine) serve(bus *fake.Bus, dir string) {
	m.t.Helper()
	var errs [6]error
	var login *fake.Login
	m.disks, errs[0] = fake.ServeDisks(bus.Address(), filepath.Join(dir, "disks"))
	m.rauc, errs[1] = fake.ServeRAUC(bus.Address(), "plenum-test", false)
	m.units, errs[2] = fake.ServeSystemd(bus.Address())
	login, errs[3] = fake.ServeLogin(bus.Address(), filepath.Join(dir, "login"))
	if err := errors.Join(errs[:]...); err != nil {
		m.t.Fatal(err)
	}
	m.Box.Mountinfo, m.Box.Sys = m.disks.Mountinfo(), m.disks.Sys()
	m.t.Cleanup(func() { m.disks.Close(); m.rauc.Close(); m.units.Close(); login.Close() })
}

func (m *machine) put(path, text string) {
	m.t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		m.t.Fatal(err)
	}
}

// boot sets the slot that the boot loader chose.
func (m *machine) boot(slot string) { m.put(m.Box.Cmdline, "quiet rauc.slot="+slot+" ro\n") }

// run starts the daemon and gives the technician's door and a way to end it.
func (m *machine) run() (*control.Client, func() error) {
	m.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- RunBox(ctx, m.Box, slog.New(slog.NewTextHandler(m.t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo})))
	}()
	ctl := control.Dial(m.sock)
	eventually(m.t, "the daemon answers", func() bool { _, err := ctl.Status(ctx); return err == nil })
	return ctl, func() error { cancel(); return <-done }
}

func (m *machine) end(end func() error) {
	m.t.Helper()
	if err := end(); err != nil {
		m.t.Error(err)
	}
}

// stands reports whether a condition is shown.
func stands(ctl *control.Client, code string) bool {
	j, err := ctl.Health(context.Background(), false)
	for _, c := range j.Conditions {
		if err == nil && c.Code == code {
			return true
		}
	}
	return false
}

const ownerPIN = "271828"

func (m *machine) own(ctl *control.Client) {
	m.t.Helper()
	if _, err := ctl.SetOwner(m.t.Context(), "", ownerPIN); err != nil {
		m.t.Fatal(err)
	}
}

// No sitting before somebody owns the box; after that the chair opens it.
func TestNoSittingWithoutAnOwner(t *testing.T) {
	m := newMachine(t)
	ctl, end := m.run()
	eventually(t, "it says what is missing", func() bool { return stands(ctl, health.OwnerPINMissing) })
	if _, err := ctl.OpenSitting(t.Context(), "box/owner"); err == nil {
		t.Fatal("a sitting was opened")
	}
	m.own(ctl)
	eventually(t, "the chair opens it", func() bool { _, err := ctl.OpenSitting(t.Context()); return err == nil })
	if stands(ctl, health.OwnerPINMissing) {
		t.Error("it is still said to be missing")
	}
	m.end(end)
}

// A configuration that is bad, or with which the daemon cannot come up, is said; the last good one is in force.
func TestLastGoodConfiguration(t *testing.T) {
	m := newMachine(t)
	_, end := m.run()
	eventually(t, "the good one is kept", func() bool {
		_, err := os.Stat(filepath.Join(m.Box.kept(), "plenum.good.toml"))
		return err == nil
	})
	m.end(end)
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for name, text := range map[string]string{
		"torn":          m.cfg[:len(m.cfg)/2],
		"empty":         "",
		"a port in use": "listen = \"" + busy.Addr().String() + "\"\n" + m.cfg[strings.Index(m.cfg, "\n")+1:],
	} {
		m.put(m.Box.Config, text)
		ctl, end := m.run()
		eventually(t, name+": the fault is shown", func() bool { return stands(ctl, health.ConfigFallback) })
		st, err := ctl.Status(t.Context())
		if err != nil || len(st.People) != 2 {
			t.Errorf("%s: %+v %v", name, st.People, err)
		}
		m.end(end)
		if now, _ := os.ReadFile(m.Box.Config); string(now) != text {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

// A box whose very first configuration was torn comes up with the image's, and says so.
func TestFirstConfiguration(t *testing.T) {
	m := newMachine(t)
	m.Box.First = filepath.Join(filepath.Dir(m.Box.Release), "first.toml")
	m.put(m.Box.First, m.cfg)
	m.put(m.Box.Config, m.cfg[:len(m.cfg)/3])
	ctl, end := m.run()
	eventually(t, "the fault is shown", func() bool { return stands(ctl, health.ConfigFallback) })
	m.end(end)
}

// The daemon tells systemd that it is ready when its devices were tried, and feeds the watchdog.
func TestNotify(t *testing.T) {
	m := newMachine(t)
	path := filepath.Join(filepath.Dir(m.Box.Release), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "400000")
	_, end := m.run()
	seen := map[string]int{}
	buf := make([]byte, 4096)
	for seen["READY=1"] == 0 || seen["WATCHDOG=1"] < 5 {
		if err := l.SetReadDeadline(time.Now().Add(2 * time.Minute)); err != nil {
			t.Fatal(err)
		}
		n, err := l.Read(buf)
		if err != nil {
			t.Fatal(err, seen)
		}
		for line := range strings.Lines(string(buf[:n])) {
			seen[strings.TrimSpace(line)]++
		}
	}
	m.end(end)
}

// The way of an update through the whole daemon: a stick is offered, installed with the owner's PIN, tried by the next
// start, during which no sitting opens, and told of when it was marked good.
func TestUpdate(t *testing.T) {
	m := newMachine(t)
	ctl, end := m.run()
	m.own(ctl)
	m.plugUpdate("1.1.0")
	eventually(t, "the update is offered", func() bool { return stands(ctl, health.UpdateOffered) })
	if _, err := ctl.Install(t.Context(), "314159"); err == nil {
		t.Fatal("installed with a wrong PIN")
	}
	if _, err := ctl.Install(t.Context(), ownerPIN); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is installed", func() bool { v, err := ctl.Service(t.Context()); return err == nil && v.Update.State == "installed" })
	m.end(end)

	m.boot("B")
	m.put(m.Box.Release, "VERSION=1.1.0\nCOMPATIBLE=plenum-test\n")
	m.slots("B", false)
	ctl, end = m.run()
	eventually(t, "it is on trial", func() bool { return stands(ctl, health.UpdateTrial) })
	if _, err := ctl.OpenSitting(t.Context(), "box/update"); err == nil {
		t.Error("a sitting was opened on a version that is on trial")
	}
	eventually(t, "the boot is good", func() bool { j, err := ctl.Health(t.Context(), true); return err == nil && j.Good })
	if _, err := os.Stat(filepath.Join(m.Box.updateDir(), beforeName)); err != nil {
		t.Error("the journal was not saved:", err)
	}
	m.slots("B", true)
	m.put(m.Box.Good, "")
	eventually(t, "it is told that the update came", func() bool {
		v, err := ctl.Service(t.Context())
		return err == nil && v.Update.Last != nil && v.Update.Last.Result == "updated" && !stands(ctl, health.UpdateTrial)
	})
	eventually(t, "a sitting opens", func() bool { _, err := ctl.OpenSitting(t.Context()); return err == nil })
	m.end(end)
}

// A version that did not prove itself leaves a journal that the one before cannot read: that one works on with the
// journal from before.
func TestGoneBack(t *testing.T) {
	m := newMachine(t)
	ctl, end := m.run()
	m.own(ctl)
	before, err := ctl.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m.end(end)
	m.put(filepath.Join(m.Box.updateDir(), "trial.json"), `{"state":"installed","version":"1.1.0","from_version":"1.0.0","from_slot":"A","to_slot":"B","at":"2026-11-23T09:00:00Z","live":[]}`)
	old, err := os.ReadFile(m.Box.Release)
	if err != nil {
		t.Fatal(err)
	}
	m.boot("B")
	m.put(m.Box.Release, "VERSION=1.1.0\nCOMPATIBLE=plenum-test\n")
	m.slots("B", false)
	ctl, end = m.run()
	eventually(t, "it is on trial", func() bool { return stands(ctl, health.UpdateTrial) })
	m.end(end)
	m.newerJournal()
	m.put(m.Box.Release, string(old))
	m.boot("A")
	m.slots("A", true)
	ctl, end = m.run()
	eventually(t, "it is told that the update went back", func() bool { return stands(ctl, health.UpdateWentBack) })
	st, err := ctl.Status(t.Context())
	if err != nil || st.Seq < before.Seq || st.Phase != sitting.PhaseReady {
		t.Errorf("%+v before, %+v now, %v", before.Seq, st.Seq, err)
	}
	if _, err := ctl.Acknowledge(t.Context()); err != nil {
		t.Error(err)
	}
	eventually(t, "it was taken note of", func() bool { return !stands(ctl, health.UpdateWentBack) })
	m.end(end)
}

// plugUpdate plugs a stick in with a bundle that RAUC takes.
func (m *machine) plugUpdate(version string) {
	m.t.Helper()
	folder := m.t.TempDir()
	bundle := filepath.Join(folder, "plenum.raucb")
	m.put(bundle, "a bundle")
	m.rauc.Put(bundle, fake.Bundle{Compatible: "plenum-test", Version: version, Description: "Neues"})
	m.rauc.OnInstall(func(string) {
		for _, p := range []int{20, 60, 100} {
			if err := m.rauc.Progress(p, "copying"); err != nil {
				m.t.Error(err)
			}
		}
		if err := m.rauc.Complete(0, ""); err != nil {
			m.t.Error(err)
		}
	})
	if err := m.disks.Plug(fake.Stick{Device: "sdb1", Label: "UPDATE", Filesystem: "vfat", Serial: "1", Size: 1 << 30, Content: folder}); err != nil {
		m.t.Fatal(err)
	}
}

// slots sets what RAUC says: which slot was started, and whether it was marked good.
func (m *machine) slots(booted string, good bool) {
	state := func(name string) map[string]dbus.Variant {
		v := map[string]dbus.Variant{"class": dbus.MakeVariant("rootfs"), "bootname": dbus.MakeVariant(name), "device": dbus.MakeVariant("/dev/" + name),
			"state": dbus.MakeVariant("inactive"), "boot-status": dbus.MakeVariant("good")}
		if name == booted {
			v["state"] = dbus.MakeVariant("booted")
			if !good {
				v["boot-status"] = dbus.MakeVariant("bad")
			}
		}
		return v
	}
	primary := map[string]string{"A": "rootfs.0", "B": "rootfs.1"}[booted]
	m.rauc.SetSlots(primary, fake.Slot{Name: "rootfs.0", Status: state("A")}, fake.Slot{Name: "rootfs.1", Status: state("B")})
}

// newerJournal makes the journal one that a newer schema wrote.
func (m *machine) newerJournal() {
	m.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(m.data, journal.FileName))
	if err != nil {
		m.t.Fatal(err)
	}
	_, err = db.Exec("INSERT INTO migrations VALUES (99, 0)")
	if err := errors.Join(err, db.Close()); err != nil {
		m.t.Fatal(err)
	}
}
