package systemd_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// disks makes a sysfs with the box's disk (esp, two slots, data) and a stick whose partitions have the same labels.
func disks(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	write(t, filepath.Join(root, "proc/self/mountinfo"), "1 1 0:2 / / rw - rootfs rootfs rw\n22 1 254:2 / / ro - squashfs /dev/vda2 ro\n23 22 8:1 / /media/x rw - vfat /dev/sda1 rw\n", 0o644)
	for disk, labels := range map[string][]string{"sda": {"data", "esp"}, "vda": {"esp", "rootfs-a", "rootfs-b", "data"}} {
		write(t, filepath.Join(root, "sys/devices", disk, "dev"), "1:1\n", 0o644)
		for i, label := range labels {
			node := disk + string(rune('1'+i))
			write(t, filepath.Join(root, "sys/devices", disk, node, "uevent"), "MAJOR=254\nDEVNAME="+node+"\nDEVTYPE=partition\nPARTNAME="+label+"\n", 0o644)
			write(t, filepath.Join(root, "dev", node), "", 0o644)
		}
	}
	if err := os.MkdirAll(filepath.Join(root, "sys/dev/block"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../../devices/vda/vda2", filepath.Join(root, "sys/dev/block/254:2")); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"data/plenum", "data/etc", "data/log", "grub"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestData(t *testing.T) {
	const (
		touch  = "touch /data/.written\n"
		flags  = "nodev,nosuid,noexec,noatime"
		check  = "e2fsck -p /dev/vda4\n"
		mend   = "e2fsck -f -y /dev/vda4\n"
		mount  = "mount -t ext4 -o " + flags + " /dev/vda4 /data\n"
		locked = "mount -t ext4 -o " + flags + ",ro /dev/vda4 /data\n"
		grow   = "systemd-growfs /data\n"
		copied = "umount /data\nmount -t ext4 -o " + flags + ",ro /dev/vda4 /run/plenum-box/locked\n" +
			"mount -t tmpfs -o nodev,nosuid,noexec,mode=0755,size=25% tmpfs /data\n" +
			"cp -a /run/plenum-box/locked/plenum /run/plenum-box/locked/etc /data/\numount /run/plenum-box/locked\n"
		memory = "mount -t tmpfs -o nodev,nosuid,noexec,mode=0755,size=25% tmpfs /data\n"
		esp    = "mount -t vfat -o nodev,nosuid,noexec,umask=0077,sync /dev/vda1 /grub\n"
	)
	for _, tt := range []struct {
		name   string
		fail   string // shell code: what goes wrong in a program; $* is how it was called
		locked bool   // it can only be read
		change func(root string)
		state  string
		calls  string
	}{
		{"as it should be", "", false, nil, "fine", check + mount + grow + esp},
		{"after a power cut", `case "$*" in "e2fsck -p"*) exit 1 ;; esac`, false, nil, "repaired", check + mount + grow + esp},
		{"damaged", `case "$*" in "e2fsck -p"*) exit 4 ;; "e2fsck -f"*) exit 1 ;; esac`, false, nil, "repaired", check + mend + mount + grow + esp},
		{"damaged beyond repair", `case "$*" in "e2fsck"*) exit 8 ;; "mount -t ext4"*) exit 32 ;; esac`, false, nil, "lost", check + mend + mount + locked + memory + esp},
		{"no checker", `case "$*" in "e2fsck"*) exit 127 ;; esac`, false, nil, "repaired", check + mend + mount + grow + esp},
		{"mounts only for reading", `case "$*" in "mount -t ext4 -o ` + flags + ` "*) exit 32 ;; touch*) exit 1 ;; esac`, true, nil, "read-only", check + mount + locked + touch + copied + esp},
		{"cannot be written", `case "$*" in touch*) exit 1 ;; esac`, true, nil, "read-only", check + mount + touch + copied + esp},
		{"cannot be written and does not fit into memory", `case "$*" in touch* | cp*) exit 1 ;; esac`, true, nil, "lost", check + mount + touch + copied + esp},
		{"cannot be written and is empty", `case "$*" in touch*) exit 1 ;; esac`, true, func(root string) { _ = os.Remove(filepath.Join(root, "data/plenum")) }, "lost",
			check + mount + touch + "umount /data\n" + memory + esp},
		{"does not grow", `case "$*" in systemd-growfs*) exit 1 ;; esac`, false, nil, "fine", check + mount + grow + esp},
		{"no partition, only a stick with that label", "", false, func(root string) { _ = os.RemoveAll(filepath.Join(root, "sys/devices/vda/vda4")) }, "lost", memory + esp},
		{"no disk is known", "", false, func(root string) { _ = os.RemoveAll(filepath.Join(root, "sys/dev")) }, "lost", memory},
		{"no ESP is wanted", "", false, func(root string) { _ = os.Remove(filepath.Join(root, "grub")) }, "fine", check + mount + grow},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := disks(t)
			if tt.change != nil {
				tt.change(root)
			}
			bin := filepath.Join(root, "usr/lib/systemd")
			log := filepath.Join(t.TempDir(), "log")
			write(t, log, "", 0o644)
			for _, name := range []string{"e2fsck", "mount", "umount", "systemd-growfs", "touch", "cp"} {
				write(t, filepath.Join(bin, name), "#!/bin/sh\nset -- \"${0##*/}\" \"$@\"\necho \"$*\" >>"+log+"\n"+tt.fail+"\nexit 0\n", 0o755)
			}
			if !tt.locked {
				if err := os.Remove(filepath.Join(bin, "touch")); err != nil {
					t.Fatal(err)
				}
			}
			write(t, filepath.Join(bin, "sleep"), "#!/bin/sh\n", 0o755) // what is waited for does not come
			run(t, []string{path(bin), "PLENUM_ROOT=" + root}, "libexec/data")
			if got := strings.ReplaceAll(read(t, log), root, ""); got != tt.calls {
				t.Errorf("called\n%swant\n%s", got, tt.calls)
			}
			if got := read(t, filepath.Join(root, "run/plenum-box/data")); got != tt.state+"\n" {
				t.Errorf("state is %q, want %s", got, tt.state)
			}
		})
	}
}

// TestRepart lets systemd-repart grow a disk: the data partition takes the room that was added, nothing else changes.
func TestRepart(t *testing.T) {
	image := filepath.Join(t.TempDir(), "disk.img")
	const linux = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
	script := "label: gpt\n" +
		"start=1MiB, size=8MiB, name=esp, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B\n" +
		"start=9MiB, size=8MiB, name=rootfs-a, type=" + linux + "\n" +
		"start=17MiB, size=8MiB, name=rootfs-b, type=" + linux + "\n" +
		"start=25MiB, size=16MiB, name=data, uuid=8D7C1A40-5F0E-4C63-9D5A-3C1F7E2B000D, type=" + linux + "\n"
	layout := filepath.Join(t.TempDir(), "layout")
	write(t, layout, script, 0o644)
	run(t, nil, "truncate", "-s", "42M", image)
	run(t, nil, "sh", "-c", `sfdisk -q "$1" <"$2"`, "sh", image, layout)
	before := strings.Split(run(t, nil, "sfdisk", "-d", image), "\n")
	run(t, nil, "truncate", "-s", "96M", image)
	definitions, err := filepath.Abs("repart.d")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing left to do
		run(t, nil, "systemd-repart", "--dry-run=no", "--no-pager", "--definitions="+definitions, image)
	}
	after := strings.Split(run(t, nil, "sfdisk", "-d", image), "\n")
	var changed []string
	for i, line := range after {
		if strings.Contains(line, "start=") && line != before[i] {
			changed = append(changed, line)
		}
	}
	if len(before) != len(after) || len(changed) != 1 || !strings.Contains(changed[0], `name="data"`) || strings.Contains(changed[0], "size=       32768") {
		t.Errorf("changed %q in\n%s", changed, strings.Join(after, "\n"))
	}
	if !strings.Contains(changed[0], "8D7C1A40-5F0E-4C63-9D5A-3C1F7E2B000D") {
		t.Errorf("the data partition has another id: %s", changed[0])
	}
}
