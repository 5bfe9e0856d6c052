package checks

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// U-Boot's hush is a small sh, and boot.cmd keeps to what both know. These are the commands of U-Boot that it uses.
const uboot = `
. ./env
setenv() { name=$1; shift; eval "$name=\"\$*\""; }
saveenv() { for name in BOOT_ORDER BOOT_A_LEFT BOOT_B_LEFT MACHINE_ID; do eval "printf '%s=\"%s\"\n' $name \"\$$name\""; done >env; }
setexpr() { eval "$1=\$(printf %x \$((0x$2 $3 0x$4)))"; }
load() { echo "load $*" >>log; [ ! -e "broken.$2" ]; }
booti() { echo "$bootargs" >started; exit 0; }
sleep() { :; }
reset() { echo reset >started; exit 0; }
kernel_addr_r=80000 fdt_addr=2eff0000
`

// pi is a Raspberry Pi as far as the choice of a slot goes.
type pi struct {
	t   *testing.T
	dir string
}

func newPi(t *testing.T, env string) pi {
	t.Helper()
	p := pi{t, t.TempDir()}
	write(t, filepath.Join(p.dir, "boot"), uboot+read(t, board(t, "rpi", "boot.cmd")))
	write(t, filepath.Join(p.dir, "env"), env)
	return p
}

// set is what RAUC's U-Boot backend does with fw_setenv.
func (p pi) set(lines ...string) {
	path := filepath.Join(p.dir, "env")
	write(p.t, path, read(p.t, path)+strings.Join(lines, "\n")+"\n")
}

// breaks makes the slot's kernel unreadable.
func (p pi) breaks(slot string) {
	write(p.t, filepath.Join(p.dir, map[string]string{"A": "broken.0:2", "B": "broken.0:3"}[slot]), "")
}

func (p pi) want(want, why string) {
	p.t.Helper()
	write(p.t, filepath.Join(p.dir, "started"), "")
	out := run(p.t, p.dir, "dash", "boot")
	got := strings.TrimSpace(read(p.t, filepath.Join(p.dir, "started")))
	if want == "reset" && got == want {
		return
	}
	id := map[string]string{"A": "8d7c1a40-5f0e-4c63-9d5a-3c1f7e2b000a", "B": "8d7c1a40-5f0e-4c63-9d5a-3c1f7e2b000b"}[want]
	if !strings.HasPrefix(got, "root=PARTUUID="+id+" ro ") || !strings.HasSuffix(got, " rauc.slot="+want) {
		p.t.Fatalf("%s: slot %s wanted, started with %q\n%s", why, want, got, out)
	}
}

func TestUBoot(t *testing.T) {
	p := newPi(t, "")
	p.want("A", "no environment at all")
	p.set("BOOT_A_LEFT=3")
	p.set("MACHINE_ID=0123456789abcdef0123456789abcdef", "BOOT_ORDER='B A'", "BOOT_B_LEFT=1")
	p.want("B", "after an update")
	if got := read(t, filepath.Join(p.dir, "started")); !strings.Contains(got, " systemd.machine_id=0123456789abcdef0123456789abcdef ") {
		t.Errorf("the identity is not handed over: %s", got)
	}
	for i := range 3 {
		p.want("A", fmt.Sprintf("nobody marked B good, A's try %d", i+1))
	}
	p.want("B", "all tries used up: they begin anew")
	p.want("A", "with one each")
	p.set("BOOT_A_LEFT=3", "BOOT_B_LEFT=0")
	p.want("A", "A marked good, B bad")
}

func TestUBootSlots(t *testing.T) {
	p := newPi(t, "BOOT_ORDER='B A'\nBOOT_A_LEFT=0\nBOOT_B_LEFT=1\n")
	p.breaks("B")
	p.want("A", "B cannot be loaded, A is bad: A all the same")
	p.breaks("A")
	p.want("reset", "nothing can be loaded")
}

func TestUBootEnvironmentDamaged(t *testing.T) {
	for _, env := range []string{"BOOT_ORDER=C", "BOOT_ORDER=", "BOOT_A_LEFT=x\nBOOT_B_LEFT=y", "BOOT_A_LEFT=0\nBOOT_B_LEFT=0", "BOOT_ORDER='A B'\nBOOT_A_LEFT=-1\nBOOT_B_LEFT=-9"} {
		p := newPi(t, env+"\n")
		p.want("A", env)
	}
}

// The script is what U-Boot's own tool takes.
func TestBootScript(t *testing.T) {
	dir := t.TempDir()
	run(t, dir, "mkimage", "-A", "arm64", "-T", "script", "-C", "none", "-d", board(t, "rpi", "boot.cmd"), "boot.scr")
}
