package sysbus

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"plenum/hal/sysbus/fake"
)

// disks is a bus with UDisks2.
func disks(t *testing.T, change func(*limits)) (*Bus, *fake.Disks) {
	t.Helper()
	bus := startBus(t)
	d := closer[*fake.Disks](t)(fake.ServeDisks(bus.Address(), t.TempDir()))
	b := connect(t, Options{Address: bus.Address(), Mountinfo: d.Mountinfo(), Sys: d.Sys()}, change)
	until(t, b, "udisks2", func() bool { ok, _ := present(b, "udisks2"); return ok })
	return b, d
}

func plug(t *testing.T, d *fake.Disks, sticks ...fake.Stick) {
	t.Helper()
	if err := d.Plug(sticks...); err != nil {
		t.Fatal(err)
	}
}

func ids(list []Volume) (all []string) {
	for _, v := range list {
		all = append(all, v.ID)
	}
	return all
}

func TestVolumes(t *testing.T) {
	for _, tt := range []struct {
		name   string
		sticks []fake.Stick
		want   []string
	}{
		{"none", nil, nil},
		{"one partition", []fake.Stick{{Device: "sdb"}, {Device: "sdb1", Filesystem: "vfat", UUID: "AB-12"}}, []string{"sdb1-AB-12"}},
		{"no partition table", []fake.Stick{{Device: "sdb", Filesystem: "exfat", UUID: "1"}}, []string{"sdb-1"}},
		{"several partitions", []fake.Stick{{Device: "sdb"}, {Device: "sdb2", Filesystem: "ext4"}, {Device: "sdb1", Filesystem: "vfat"}, {Device: "sdb3"}},
			[]string{"sdb1", "sdb2"}},
		{"two sticks", []fake.Stick{{Device: "sdc1", Filesystem: "vfat"}, {Device: "sdb1", Filesystem: "vfat"}}, []string{"sdb1", "sdc1"}},
		{"nothing on it", []fake.Stick{{Device: "sdb"}}, nil},
		{"not on USB", []fake.Stick{{Device: "sda1", Filesystem: "vfat", Bus: "ata"}}, nil},
		{"no drive", []fake.Stick{{Device: "loop0", Filesystem: "squashfs", Bus: "none"}}, nil},
		{"the system's by name", []fake.Stick{{Device: "sda1", Filesystem: "vfat"}, {Device: "sda2", Filesystem: "ext4", System: true}}, nil},
		{"to be left alone", []fake.Stick{{Device: "sda1", Filesystem: "vfat", Ignore: true}}, nil},
		{"a box that boots from USB", []fake.Stick{{Device: "sda1", Filesystem: "vfat"}, {Device: "sda2", Filesystem: "ext4", Mounted: []string{"/data"}},
			{Device: "sdb1", Filesystem: "vfat"}}, []string{"sdb1"}},
		{"mounted by somebody else", []fake.Stick{{Device: "sdb1", Filesystem: "vfat", Mounted: []string{"/mnt"}}}, []string{"sdb1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, d := disks(t, nil)
			plug(t, d, tt.sticks...)
			got := ids(check[[]Volume](t)(b.Volumes(t.Context())))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestVolumeFields(t *testing.T) {
	b, d := disks(t, nil)
	plug(t, d, fake.Stick{Device: "sdb1", Label: "PLENUM-\x1bSETUP", Filesystem: "vfat", UUID: "1234-ABCD", Vendor: "SanDisk", Model: "Cruzer",
		Serial: "4C53", Size: 8 << 30, ReadOnly: true, Mounted: []string{"/media/x", "/mnt"}})
	want := []Volume{{ID: "sdb1-1234-ABCD", Device: "/dev/sdb1", Label: "PLENUM- SETUP", Filesystem: "vfat", Drive: "SanDisk Cruzer", Serial: "4C53",
		Size: 8 << 30, ReadOnly: true, USB: true, Mounts: []string{"/media/x", "/mnt"}}}
	if diff := cmp.Diff(want, check[[]Volume](t)(b.Volumes(t.Context())), cmpopts.IgnoreUnexported(Volume{})); diff != "" {
		t.Fatal(diff)
	}
}

// Another stick in the same place is another volume, as the kernel counts them.
func TestIdentity(t *testing.T) {
	sys := t.TempDir()
	b := New(Options{Sys: sys})
	k := block{Volume: Volume{Device: "/dev/sdb1"}, uuid: "AA"}
	disk := filepath.Join(sys, "devices/usb1/block/sdb")
	write := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(want string, wantErr error) {
		t.Helper()
		if got, err := b.identity(k); got != want || !errors.Is(err, wantErr) {
			t.Fatal(got, err)
		}
	}
	expect("sdb1-AA", nil) // no /sys to speak of
	if err := os.MkdirAll(filepath.Join(sys, "class/block"), 0o755); err != nil {
		t.Fatal(err)
	}
	expect("", ErrGone)
	write(filepath.Join(disk, "sdb1/partition"), "1\n")
	if err := os.Symlink("../../devices/usb1/block/sdb/sdb1", filepath.Join(sys, "class/block/sdb1")); err != nil {
		t.Fatal(err)
	}
	expect("sdb1-AA", nil) // a kernel that does not count
	write(filepath.Join(disk, "diskseq"), "17\n")
	expect("sdb1-17", nil)
}

func TestWatchVolumes(t *testing.T) {
	b, d := disks(t, nil)
	seen := func() int { return len(check[[]Volume](t)(b.Volumes(t.Context()))) }
	changed, stop := b.Watch()
	defer stop()
	wait := func(n int) {
		t.Helper()
		late := time.After(2 * time.Minute)
		for seen() != n {
			select {
			case <-changed:
			case <-late:
				t.Fatal("nobody was told")
			}
		}
	}
	wait(0)
	plug(t, d, fake.Stick{Device: "sdb1", Filesystem: "vfat"})
	wait(1)
	if err := d.Pull("sdb1"); err != nil {
		t.Fatal(err)
	}
	wait(0)
	plug(t, d, fake.Stick{Device: "sdb1", Filesystem: "vfat"})
	wait(1)
	for range 1000 { // nobody reads: nothing is kept but one pulse, and calls go on
		plug(t, d, fake.Stick{Device: "sdb1", Filesystem: "vfat"})
	}
	wait(1)
	d.Close()
	until(t, b, "end of udisks2", func() bool { ok, _ := present(b, "udisks2"); return !ok })
	if _, err := b.Volumes(t.Context()); !errors.Is(err, ErrAbsent) {
		t.Fatal(err)
	}
}

func TestMount(t *testing.T) {
	b, d := disks(t, nil)
	plug(t, d, fake.Stick{Device: "sdb1", Filesystem: "vfat", Content: filepath.Join(t.TempDir(), "a stick")})
	path := check[string](t)(b.Mount(t.Context(), "sdb1", false))
	if path == "" || path != d.MountPoint("sdb1") {
		t.Fatal(path)
	}
	if got := optionsOf(t, d); got != "ro,nodev,nosuid,noexec" {
		t.Error(got)
	}
	if again := check[string](t)(b.Mount(t.Context(), "sdb1", false)); again != path || len(d.Calls("Mount")) != 1 {
		t.Error("mounted twice")
	}
	if again := check[string](t)(b.Mount(t.Context(), "sdb1", true)); again != path || len(d.Calls("Mount")) != 2 {
		t.Error("not mounted anew for writing")
	}
	if got := optionsOf(t, d); got != "rw,nodev,nosuid,noexec" {
		t.Error(got)
	}
	d.Occupy(true)
	if err := b.Unmount(t.Context(), "sdb1"); err == nil || errors.Is(err, ErrGone) {
		t.Error(err)
	}
	d.Occupy(false)
	for range 2 { // the second time there is nothing to do
		if err := b.Unmount(t.Context(), "sdb1"); err != nil {
			t.Fatal(err)
		}
	}
	if d.MountPoint("sdb1") != "" {
		t.Error("still mounted")
	}
	if _, err := b.Mount(t.Context(), "sdx1", false); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
}

// optionsOf gives the mount options of the last Mount.
func optionsOf(t *testing.T, d *fake.Disks) string {
	t.Helper()
	calls := d.Calls("Mount")
	opts, _ := calls[len(calls)-1].Args[0].(map[string]dbus.Variant)
	text, _ := opts["options"].Value().(string)
	return text
}

func TestMountWithoutSafeguards(t *testing.T) {
	for _, flag := range []string{"nodev", "nosuid", "noexec", "ro"} {
		t.Run(flag, func(t *testing.T) {
			b, d := disks(t, nil)
			plug(t, d, fake.Stick{Device: "sdb1", Filesystem: "vfat"})
			d.Weaken(flag)
			if _, err := b.Mount(t.Context(), "sdb1", false); !errors.Is(err, ErrUnsafe) {
				t.Fatal(err)
			}
			if d.MountPoint("sdb1") != "" {
				t.Fatal("not undone")
			}
		})
	}
	b, d := disks(t, nil)
	plug(t, d, fake.Stick{Device: "sdb1", Filesystem: "vfat", ReadOnly: true}, fake.Stick{Device: "sdc1", Filesystem: "vfat", Mounted: []string{"/mnt/x"}})
	if _, err := b.Mount(t.Context(), "sdb1", true); !errors.Is(err, ErrReadOnly) || d.MountPoint("sdb1") != "" {
		t.Fatal(err)
	}
	check[string](t)(b.Mount(t.Context(), "sdc1", false)) // what somebody else mounted is not taken over
	if n := len(d.Calls("Unmount")); n != 2 {
		t.Fatal(n)
	}
	d.Answer("Mount", "/etc")
	if _, err := b.Mount(t.Context(), "sdb1", false); !errors.Is(err, ErrUnsafe) {
		t.Fatal(err)
	}
}

func TestPulled(t *testing.T) {
	b, d := disks(t, nil)
	plug(t, d, fake.Stick{Device: "sdb1", Filesystem: "vfat"})
	check[string](t)(b.Mount(t.Context(), "sdb1", false))
	if err := d.Pull("sdb1"); err != nil {
		t.Fatal(err)
	}
	if err := b.Unmount(t.Context(), "sdb1"); err != nil {
		t.Fatal(err)
	}
	// Pulled while UDisks2 is at work on it.
	for _, member := range []string{"Mount", "Unmount"} {
		plug(t, d, fake.Stick{Device: "sdb1", Filesystem: "vfat"})
		before, release := len(d.Calls(member)), d.Hang(member)
		answer := make(chan error, 1)
		go func() {
			if member == "Unmount" {
				answer <- b.Unmount(t.Context(), "sdb1")
				return
			}
			_, err := b.Mount(t.Context(), "sdb1", false)
			answer <- err
		}()
		for len(d.Calls(member)) <= before {
			time.Sleep(time.Millisecond)
		}
		if err := d.Pull("sdb1"); err != nil {
			t.Fatal(err)
		}
		release()
		err := <-answer
		if member == "Mount" && !errors.Is(err, ErrGone) || member == "Unmount" && err != nil {
			t.Errorf("%s: %v", member, err)
		}
		d.Restore(member)
	}
}

func TestMountRefused(t *testing.T) {
	b, d := disks(t, nil)
	plug(t, d, fake.Stick{Device: "sdb1", Filesystem: "vfat"})
	d.Refuse("Mount", "org.freedesktop.UDisks2.Error.NotAuthorizedCanObtain")
	if _, err := b.Mount(t.Context(), "sdb1", false); !errors.Is(err, ErrRefused) {
		t.Fatal(err)
	}
	d.Vanish("Mount")
	if _, err := b.Mount(t.Context(), "sdb1", false); !errors.Is(err, ErrAbsent) {
		t.Fatal(err)
	}
}

// What UDisks2 says is looked at before it is believed.
func TestVolumeGarbage(t *testing.T) {
	b, d := disks(t, nil)
	face := func(name, prop string, v any) map[dbus.ObjectPath]map[string]props {
		good := map[string]props{blockFace: {"Device": dbus.MakeVariant([]byte("/dev/sdb1\x00")), "IdUsage": dbus.MakeVariant("filesystem"),
			"Drive": dbus.MakeVariant(dbus.ObjectPath("/d"))}, filesystemFace: {}}
		return map[dbus.ObjectPath]map[string]props{"/x": good, "/d": {driveFace: {"ConnectionBus": dbus.MakeVariant("usb"), "Removable": dbus.MakeVariant(true)}},
			"/y": {name: {prop: dbus.MakeVariant(v)}, blockFace: {prop: dbus.MakeVariant(v)}}}
	}
	for name, answer := range map[string][]any{
		"nothing":      {},
		"two values":   {"a", "b"},
		"a text":       {"a"},
		"a number":     {uint32(7)},
		"label":        {face(blockFace, "IdLabel", uint32(65))},
		"size":         {face(blockFace, "Size", "8G")},
		"device":       {face(blockFace, "Device", "/dev/sdb1")},
		"drive":        {face(blockFace, "Drive", "/d")},
		"mount points": {face(filesystemFace, "MountPoints", []string{"/mnt"})},
	} {
		d.Answer("GetManagedObjects", answer...)
		if list, err := b.Volumes(t.Context()); !errors.Is(err, errGarbage) {
			t.Errorf("%s: %v %v", name, list, err)
		}
	}
	d.Answer("GetManagedObjects", face("org.example.New", "Anything", int16(1)))
	if list, err := b.Volumes(t.Context()); err != nil || len(list) != 1 {
		t.Error(list, err) // what is not known yet does not matter
	}
	d.Restore("GetManagedObjects")
	plug(t, d, fake.Stick{Device: "sdb1", Filesystem: "vfat"})
	d.Answer("Mount", uint32(1))
	if _, err := b.Mount(t.Context(), "sdb1", false); !errors.Is(err, errGarbage) {
		t.Error(err)
	}
}

func TestMountFlags(t *testing.T) {
	const text = `22 1 254:1 / / ro,relatime shared:1 - squashfs /dev/vda2 ro
30 22 8:17 / /run/media/a\040b rw,nosuid,nodev,noexec shared:3 master:1 - vfat /dev/sdb1 rw,uid=0
31 22 8:18 / /run/media/c rw,nosuid - ext4 /dev/sdb2 ro
32 22 8:17 / /run/media/d rw - vfat /dev/sdb1 rw
33 22 8:17 / /run/media/d ro,nodev - vfat /dev/sdb1 rw
broken line
`
	for _, tt := range []struct {
		path, want string
		ok         bool
	}{
		{"/", "ro,relatime,ro", true},
		{"/run/media/a b", "rw,nosuid,nodev,noexec", true},
		{"/run/media/c", "rw,nosuid,ro", true},
		{"/run/media/d", "ro,nodev", true},
		{"/run/media/e", "", false},
	} {
		flags, ok := mountFlags(text, tt.path)
		if got := strings.Join(flags, ","); got != tt.want || ok != tt.ok {
			t.Errorf("%s: %s %v", tt.path, got, ok)
		}
	}
}

func FuzzMountFlags(f *testing.F) {
	f.Add("22 1 254:1 / / ro,relatime shared:1 - squashfs /dev/vda2 ro\n", "/")
	f.Add("30 22 8:17 / /a\\040b rw - vfat /dev/sdb1 rw", "/a b")
	f.Add("30 22 8:17 / /a\\04", "-")
	f.Fuzz(func(t *testing.T, text, path string) {
		if flags, ok := mountFlags(text, path); ok && len(flags) == 0 {
			t.Error("found, and no flags")
		}
	})
}
