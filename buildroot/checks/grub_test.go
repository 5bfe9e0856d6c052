package checks

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// MiB at which the partitions of a small test disk begin, and its ESP's size.
const espAt, slotAAt, slotBAt, espSize, slotSize = 1, 9, 11, 8, 2

// disk is a small disk with the layout of a box, started by the real GRUB as a program (grub-emu).
type disk struct {
	t   *testing.T
	dir string
}

// newDisk fills both slots and writes the state given to grubenv, and an empty grubenv.old.
func newDisk(t *testing.T, state ...string) disk {
	t.Helper()
	d := disk{t, t.TempDir()}
	run(t, d.dir, "truncate", "-s", "14M", "disk.img")
	run(t, d.dir, "sgdisk", "-a", "2048", "-n", "1:1M:+8M", "-t", "1:ef00", "-n", "2:9M:+2M", "-n", "3:11M:+2M", "disk.img")
	run(t, d.dir, "truncate", "-s", fmt.Sprintf("%dM", espSize), "esp.img")
	run(t, d.dir, "mkfs.vfat", "-n", "GRUB", "esp.img")
	run(t, d.dir, "mmd", "-i", "esp.img", "::/grub")
	run(t, d.dir, "dd", "if=esp.img", "of=disk.img", "bs=1M", "conv=notrunc", fmt.Sprintf("seek=%d", espAt))
	write(t, filepath.Join(d.dir, "device.map"), "(hd0) "+filepath.Join(d.dir, "disk.img")+"\n")
	d.put("grub/grub.cfg", emulated(t))
	d.env("grubenv", state...)
	d.env("result", "none=1")
	d.fill("A", "good")
	d.fill("B", "good")
	return d
}

// emulated is grub.cfg with the commands replaced that a program cannot have: linux and initrd read the whole file, boot
// writes down what would have been started and ends GRUB.
func emulated(t *testing.T) string {
	t.Helper()
	cfg := read(t, board(t, "x86_64", "grub.cfg"))
	for _, change := range [][2]string{
		{`if linux `, "if emu_linux "}, {`then initrd (\S+);`, "then emu_initrd $1;"}, {`then boot;`, "then emu_boot;"},
		{`(?m)^reboot$`, "emu_neither"}, {`(?m)^sleep 30$`, "true"},
	} {
		expr := regexp.MustCompile(change[0])
		if n := len(expr.FindAllString(cfg, -1)); n != 1 {
			t.Fatalf("grub.cfg has %q %d times: the test has to learn that", change[0], n)
		}
		cfg = expr.ReplaceAllString(cfg, change[1])
	}
	return `function emu_linux {
    if [ ! -s $1 ]; then return 1; fi
    if sha256sum $1; then
        shift
        set cmdline="$*"
        return 0
    fi
    return 1
}
function emu_initrd {
    sha256sum $1
}
function emu_boot {
    save_env --file ($root)/result LAST cmdline
    exit
}
function emu_neither {
    set LAST=neither
    save_env --file ($root)/result LAST
    exit
}
` + cfg
}

// put writes a file of the ESP.
func (d disk) put(name, content string) {
	d.t.Helper()
	write(d.t, filepath.Join(d.dir, "put"), content)
	run(d.t, d.dir, "mcopy", "-n", "-D", "o", "-i", fmt.Sprintf("disk.img@@%dM", espAt), "put", "::/"+name)
}

func (d disk) get(name string) string {
	d.t.Helper()
	run(d.t, d.dir, "mcopy", "-n", "-D", "o", "-i", fmt.Sprintf("disk.img@@%dM", espAt), "::/"+name, "got")
	return read(d.t, filepath.Join(d.dir, "got"))
}

func (d disk) drop(name string) {
	d.t.Helper()
	run(d.t, d.dir, "mdel", "-i", fmt.Sprintf("disk.img@@%dM", espAt), "::/"+name)
}

// env writes an environment block as the image's own script makes it.
func (d disk) env(name string, state ...string) {
	d.t.Helper()
	run(d.t, d.dir, board(d.t, "x86_64", "grubenv.sh"), append([]string{filepath.Join(d.dir, "env")}, state...)...)
	d.put(name, read(d.t, filepath.Join(d.dir, "env")))
}

// set changes grubenv as RAUC does: by grub-editenv.
func (d disk) set(state ...string) {
	d.t.Helper()
	write(d.t, filepath.Join(d.dir, "env"), d.get("grubenv"))
	run(d.t, d.dir, "grub-editenv", append([]string{"env", "set"}, state...)...)
	d.put("grubenv", read(d.t, filepath.Join(d.dir, "env")))
}

// good and installed are what RAUC's grub backend writes when a slot is marked good, and when it was filled.
func (d disk) good(slot string) { d.set(slot+"_OK=1", slot+"_TRY=0") }
func (d disk) installed(slot string) {
	d.set(slot+"_OK=0", slot+"_TRY=0")
	d.set(slot+"_OK=1", slot+"_TRY=0", "ORDER="+map[string]string{"A": "A B", "B": "B A"}[slot])
}

// fill makes the content of a slot: good, initrd (with one), no kernel, damaged (a block of the squashfs), altered
// (a byte of the kernel, which the squashfs does not tell), empty.
func (d disk) fill(slot, what string) {
	d.t.Helper()
	at := map[string]int{"A": slotAAt, "B": slotBAt}[slot]
	folder := filepath.Join(d.dir, "slot")
	if err := os.RemoveAll(folder); err != nil {
		d.t.Fatal(err)
	}
	kernel := read(d.t, "/usr/bin/mksquashfs")[:100<<10] // something that compresses as programs do
	if what != "no kernel" {
		write(d.t, filepath.Join(folder, "boot/kernel"), kernel)
	}
	if what == "initrd" {
		write(d.t, filepath.Join(folder, "boot/initrd"), kernel)
	}
	write(d.t, filepath.Join(folder, "etc/x"), "")
	if what == "altered" || what == "good" {
		write(d.t, filepath.Join(folder, "boot/SHA256SUMS"), run(d.t, filepath.Join(folder, "boot"), "sha256sum", "kernel"))
	}
	if what == "altered" {
		write(d.t, filepath.Join(folder, "boot/kernel"), kernel[:50<<10]+"X"+kernel[50<<10+1:])
	}
	run(d.t, d.dir, "mksquashfs", "slot", "slot.img", "-comp", "gzip", "-noappend", "-quiet", "-no-progress")
	img := []byte(read(d.t, filepath.Join(d.dir, "slot.img")))
	switch what {
	case "damaged":
		for i := 96; i < 600; i++ { // behind the superblock the files' own blocks begin
			img[i] ^= 0x55
		}
	case "empty":
		clear(img)
	}
	write(d.t, filepath.Join(d.dir, "slot.img"), string(img))
	run(d.t, d.dir, "dd", "if=slot.img", "of=disk.img", "bs=1M", "conv=notrunc", fmt.Sprintf("seek=%d", at))
}

// boot starts GRUB and returns the slot it chose, with the kernel's command line.
func (d disk) boot() (slot, cmdline string) {
	d.t.Helper()
	d.env("result", "none=1")
	if _, err := exec.LookPath("grub-emu"); err != nil {
		d.t.Fatal("grub-emu is missing: make image-packages installs it")
	}
	command := "TERM=vt100 exec timeout 60 grub-emu -m " + filepath.Join(d.dir, "device.map") + " -d /grub -r hd0,gpt1"
	out, err := try(d.t, d.dir, "script", "-qec", command, "/dev/null")
	result := values(d.get("result"))
	if result["none"] == "1" && result["LAST"] == "" {
		d.t.Fatalf("GRUB started nothing: %v\n%s", err, out)
	}
	return result["LAST"], result["cmdline"]
}

// state is what grubenv holds, the parts RAUC reads.
func (d disk) state() string {
	v := values(d.get("grubenv"))
	return fmt.Sprintf("%s A=%s%s B=%s%s", v["ORDER"], v["A_OK"], v["A_TRY"], v["B_OK"], v["B_TRY"])
}

func fresh() []string { return []string{"ORDER=A B", "A_OK=1", "A_TRY=0", "B_OK=1", "B_TRY=0"} }

func TestGrubSyntax(t *testing.T) {
	for _, name := range []string{"grub.cfg", "grub-early.cfg"} {
		run(t, "/", "grub-script-check", board(t, "x86_64", name))
	}
}

// Every command of grub.cfg is in the GRUB that the image is given, and Buildroot is given the same list as the lab.
func TestGrubModules(t *testing.T) {
	modules := strings.Fields(read(t, board(t, "x86_64", "grub.modules")))
	config := read(t, filepath.Join(tree(t), "configs/plenum_x86_64_defconfig"))
	if !strings.Contains(config, `BUILTIN_MODULES_EFI="`+strings.Join(modules, " ")+`"`) {
		t.Error("the defconfig has other modules than grub.modules")
	}
	module := map[string]string{}
	for line := range strings.Lines(read(t, "/usr/lib/grub/x86_64-efi/command.lst")) {
		if name, file, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			module[strings.TrimPrefix(name, "*")] = file
		}
	}
	text := regexp.MustCompile(`(?m)#.*$|"[^"]*"`).ReplaceAllString(read(t, board(t, "x86_64", "grub.cfg")), "")
	used := map[string]bool{"gcry_sha256": true} // hashsum looks its algorithm up by name
	for _, m := range regexp.MustCompile(`(?m)(?:^|if|;|then|else)\s+([a-z_]+|\[)(?:\s|$)`).FindAllStringSubmatch(text, -1) {
		if file := module[m[1]]; file != "" {
			used[file] = true
		}
	}
	if len(used) < 7 {
		t.Errorf("only these modules are used: %q", slices.Sorted(maps.Keys(used)))
	}
	for file := range used {
		if !slices.Contains(modules, file) {
			t.Errorf("grub.cfg needs the module %s", file)
		}
	}
}

// GRUB reads what Buildroot packs (gzip) and not zstd: the day it does, README.md is out of date.
func TestGrubReadsSlots(t *testing.T) {
	dir := t.TempDir()
	kernel := write(t, filepath.Join(dir, "slot/boot/kernel"), strings.Repeat("kernel ", 100000))
	for comp, reads := range map[string]bool{"gzip": true, "xz": true, "zstd": false} {
		img := filepath.Join(dir, comp+".squashfs")
		run(t, dir, "mksquashfs", "slot", img, "-comp", comp, "-noappend", "-quiet", "-no-progress", "-b", "128K")
		out, err := try(t, dir, "grub-fstest", img, "cmp", "(loop0)/boot/kernel", kernel)
		if (err == nil) != reads {
			t.Errorf("%s: read %v wanted: %v %s", comp, reads, err, out)
		}
	}
}
