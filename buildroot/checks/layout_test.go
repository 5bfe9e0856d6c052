package checks

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// partition is one of a GPT, in its order.
type partition struct{ Label, ID, Type string }

const (
	espType   = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
	linuxType = "0fc63daf-8483-4772-8e79-3d69d8477de4"
)

// layout is what board.env says; everything else has to say the same.
func layout(env map[string]string) []partition {
	return []partition{
		{"esp", env["ESP_ID"], espType},
		{"rootfs-a", env["A_ID"], linuxType},
		{"rootfs-b", env["B_ID"], linuxType},
		{"data", env["DATA_ID"], linuxType},
	}
}

// Partitions as genimage and sfdisk see them: a dummy run of every board's medium.
func TestGenimage(t *testing.T) {
	for _, name := range boards() {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, file := range []string{
				"plenum/grub.cfg", "efi-part/EFI/BOOT/bootx64.efi", "rootfs.squashfs",
				"rpi-firmware/config.txt", "rpi-firmware/start4.elf", "rpi-firmware/fixup4.dat", "rpi-firmware/overlays/vc4.dtbo",
				"u-boot.bin", "boot.scr", "bcm2711-rpi-4-b.dtb", "bcm2711-rpi-cm4.dtb", "bcm2712-rpi-5-b.dtb", "bcm2712d0-rpi-5-b.dtb",
			} {
				write(t, filepath.Join(dir, "in", file), "dummy")
			}
			run(t, dir, board(t, "x86_64", "grubenv.sh"), "in/plenum/grubenv")
			for _, d := range []string{"root", "out"} {
				if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			run(t, dir, "genimage", "--rootpath", "root", "--tmppath", "tmp", "--inputpath", "in", "--outputpath", "out",
				"--config", board(t, name, "genimage.cfg"))

			dump := run(t, dir, "sfdisk", "-d", "out/plenum-"+name+".img")
			row := regexp.MustCompile(`start= *(\d+), size= *(\d+), type=([0-9A-F-]+), uuid=([0-9A-F-]+), name="(.*)"`)
			var got []partition
			for _, m := range row.FindAllStringSubmatch(dump, -1) {
				got = append(got, partition{m[5], strings.ToLower(m[4]), strings.ToLower(m[3])})
			}
			want := layout(values(read(t, board(t, name, "board.env"))))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("partitions (-board.env +sfdisk):\n%s", diff)
			}
			if first := row.FindStringSubmatch(dump); first == nil || name != "x86_64" && first[1] != "8192" {
				t.Error("U-Boot's environment at 1 MiB and 2 MiB needs the first partition to begin at 4 MiB")
			}
		})
	}
}

func TestBoardsAgree(t *testing.T) {
	for _, name := range boards() {
		t.Run(name, func(t *testing.T) {
			env := values(read(t, board(t, name, "board.env")))
			if env["BOARD"] != name || env["COMPATIBLE"] != "plenum-"+name {
				t.Errorf("board.env says BOARD=%s COMPATIBLE=%s", env["BOARD"], env["COMPATIBLE"])
			}
			config := read(t, filepath.Join(tree(t), "configs/plenum_"+name+"_defconfig"))
			for _, want := range []string{
				`BR2_ROOTFS_POST_SCRIPT_ARGS="` + name + `"`, "BR2_PACKAGE_PLENUMD=y", "BR2_INIT_SYSTEMD=y",
				"# BR2_TARGET_GENERIC_REMOUNT_ROOTFS_RW is not set", "# BR2_TARGET_ENABLE_ROOT_LOGIN is not set",
			} {
				if !strings.Contains(config, want+"\n") {
					t.Errorf("the defconfig lacks %s", want)
				}
			}
			// gzip is Buildroot's default, and what GRUB and U-Boot can both read.
			if !strings.Contains(config, "BR2_TARGET_ROOTFS_SQUASHFS=y\n") || strings.Contains(config, "SQUASHFS4_") {
				t.Error("the root file system has to be a squashfs with gzip")
			}

			conf := sections(render(t, "product", name, "system.conf.in"))
			for section, slot := range map[string][2]string{"slot.rootfs.0": {"A", "A_ID"}, "slot.rootfs.1": {"B", "B_ID"}} {
				want := map[string]string{"bootname": slot[0], "device": "/dev/disk/by-partuuid/" + env[slot[1]], "type": "raw"}
				if diff := cmp.Diff(want, conf[section]); diff != "" {
					t.Errorf("system.conf [%s]:\n%s", section, diff)
				}
			}
			manifest := sections(render(t, "product", name, "manifest.raucm.in", "BUILD=2026-01-01T00:00:00Z", "NOTES=x"))
			if a, b := conf["system"]["compatible"], manifest["update"]["compatible"]; a != env["COMPATIBLE"] || a != b {
				t.Errorf("compatible: board.env %s, system.conf %s, manifest %s", env["COMPATIBLE"], a, b)
			}
			if _, ok := manifest["image.rootfs"]; !ok {
				t.Error("the manifest has no image for the slots rootfs.0 and rootfs.1")
			}
			loader := read(t, board(t, map[string]string{"grub": "x86_64", "uboot": "rpi"}[env["BOOTLOADER"]],
				map[string]string{"grub": "grub.cfg", "uboot": "boot.cmd"}[env["BOOTLOADER"]]))
			for _, id := range []string{env["A_ID"], env["B_ID"]} {
				if strings.Count(loader, id) != 1 {
					t.Errorf("the boot logic names the slot %s %d times", id, strings.Count(loader, id))
				}
			}
		})
	}
}

// The units find partitions by label; the lab's disk has the same ones.
func TestOthersAgree(t *testing.T) {
	var labels []string
	files, err := filepath.Glob(filepath.Join(top(t), "systemd/repart.d/*.conf"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		labels = append(labels, sections(read(t, file))["Partition"]["Label"])
	}
	// systemd-repart matches partitions by type in their order, so the data partition is the third of its type.
	if diff := cmp.Diff([]string{"rootfs-a", "rootfs-b", "data"}, labels); diff != "" {
		t.Errorf("systemd/repart.d:\n%s", diff)
	}
	units := read(t, filepath.Join(top(t), "systemd/libexec/data"))
	for _, label := range []string{"partition data", "partition esp"} {
		if !strings.Contains(units, label) {
			t.Errorf("systemd/libexec/data does not look for %s", label)
		}
	}
	lab := read(t, filepath.Join(top(t), "test/lab/appliance/image/layout.sh"))
	if !strings.Contains(lab, "buildroot/board/plenum/x86_64/board.env") {
		t.Error("the lab's disk does not take its partitions from board.env")
	}
}

// U-Boot and fw_setenv have to write to the same two places.
func TestUBootEnvironment(t *testing.T) {
	fragment := values(read(t, board(t, "rpi", "uboot.fragment")))
	var places [][]string
	for line := range strings.Lines(read(t, board(t, "rpi", "rootfs-overlay/etc/fw_env.config"))) {
		if f := strings.Fields(line); len(f) == 3 && f[0] != "#" {
			places = append(places, f)
		}
	}
	want := [][]string{
		{"/dev/mmcblk0", fragment["CONFIG_ENV_OFFSET"], fragment["CONFIG_ENV_SIZE"]},
		{"/dev/mmcblk0", fragment["CONFIG_ENV_OFFSET_REDUND"], fragment["CONFIG_ENV_SIZE"]},
	}
	if diff := cmp.Diff(want, places); diff != "" {
		t.Errorf("fw_env.config (-uboot.fragment):\n%s", diff)
	}
}
