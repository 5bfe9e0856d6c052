package checks

import (
	"strings"
	"testing"
)

// want boots and compares the slot.
func (d disk) want(slot, why string) string {
	d.t.Helper()
	got, cmdline := d.boot()
	if got != slot {
		d.t.Fatalf("%s: slot %s wanted, GRUB chose %s (state now %s)", why, slot, got, d.state())
	}
	return cmdline
}

func TestGrubNewBox(t *testing.T) {
	t.Parallel()
	d := newDisk(t, fresh()...)
	cmdline := d.want("A", "new box")
	for _, want := range []string{"root=PARTUUID=8d7c1a40-5f0e-4c63-9d5a-3c1f7e2b000a", "rauc.slot=A", "systemd.volatile=state", "panic=", " ro "} {
		if !strings.Contains(cmdline+" ", want) {
			t.Errorf("the kernel is started without %q: %s", want, cmdline)
		}
	}
	if strings.Contains(cmdline, "console=") || strings.Contains(cmdline, "machine_id") {
		t.Errorf("a box has no serial console and a new one no identity: %s", cmdline)
	}
	if got := d.state(); got != "A B A=11 B=10" {
		t.Errorf("RAUC would see %s", got)
	}
	d.good("A")
	d.set("MACHINE_ID=0123456789abcdef0123456789abcdef")
	d.put("grub/local.cfg", "set serial=1\nset extra=\"mitigations=off\"\n")
	cmdline = d.want("A", "marked good")
	for _, want := range []string{"systemd.machine_id=0123456789abcdef0123456789abcdef", "console=ttyS0,115200", "mitigations=off"} {
		if !strings.Contains(cmdline, want) {
			t.Errorf("the kernel is started without %q: %s", want, cmdline)
		}
	}
}

func TestGrubUpdate(t *testing.T) {
	t.Parallel()
	d := newDisk(t, fresh()...)
	d.want("A", "new box")
	d.good("A")
	d.installed("B")
	cmdline := d.want("B", "after the update")
	if !strings.Contains(cmdline, "root=PARTUUID=8d7c1a40-5f0e-4c63-9d5a-3c1f7e2b000b") || !strings.Contains(cmdline, "rauc.slot=B") {
		t.Errorf("slot B is started with %s", cmdline)
	}
	d.want("A", "nobody marked B good: one try")
	d.good("A")
	d.want("A", "and it stays so")

	d.good("A")
	d.installed("B")
	d.want("B", "second update")
	d.good("B")
	d.want("B", "marked good")
	d.want("B", "a proven slot has three tries: the second")
	d.want("B", "the third")
	d.want("A", "no try left")
	d.want("B", "nobody marked A good either")
}

func TestGrubSlots(t *testing.T) {
	for _, content := range []string{"no kernel", "damaged", "altered", "empty"} {
		t.Run(content, func(t *testing.T) {
			t.Parallel()
			d := newDisk(t, fresh()...)
			d.want("A", "new box")
			d.good("A")
			d.fill("B", content)
			d.installed("B")
			d.want("A", "B cannot be loaded: A within the same boot")
			d.good("A")
			d.want("A", "again")
			d.fill("A", content)
			d.fill("B", "initrd")
			d.want("B", "A went bad: B, though it is marked as tried")
			d.fill("B", content)
			d.want("neither", "nothing can be loaded: GRUB tries anew later")
			d.fill("A", "good")
			d.want("A", "and finds what has become readable")
		})
	}
}

func TestGrubState(t *testing.T) {
	block := func(lines ...string) string {
		s := "# GRUB Environment Block\n" + strings.Join(lines, "\n") + "\n"
		return s + strings.Repeat("#", 1024-len(s))
	}
	second := block("ORDER=B A", "A_OK=1", "A_TRY=0", "B_OK=1", "B_TRY=0", "LAST=B")
	missing := "(missing)"
	tests := []struct {
		name, env, old string
		want           []string // slot after slot, nobody marking anything
	}{
		{"empty", "", second, []string{"B", "B", "B", "A"}},
		{"missing", missing, second, []string{"B", "B", "B", "A"}},
		{"zeros", strings.Repeat("\x00", 1024), second, []string{"B"}},
		{"first half lost", strings.Repeat("\x00", 512) + second[512:], second, []string{"B"}},
		{"cut", second[:30], second, []string{"B"}},
		{"without a line", block("ORDER=B A", "A_OK=1", "A_TRY=0", "B_OK=1"), second, []string{"B"}},
		{"nonsense", block("ORDER=C D", "A_OK=yes", "A_TRY=", "B_OK=-1", "B_TRY=99"), second, []string{"B"}},
		{"more of everything", block("ORDER=A B", "A_OK=1", "A_TRY=0", "B_OK=1", "B_TRY=0", "root=hd9", "prefix=x", "args=x", "disk=hd7", "LAST=Q", "MISSED=x"), "", []string{"A", "B", "A", "B"}},
		{"both lost", "", "", []string{"A", "A"}},
		{"both missing", missing, missing, []string{"A"}},
		{"only A, tried", block("ORDER=A B", "A_OK=1", "A_TRY=1", "B_OK=0", "B_TRY=0", "LAST=A"), "", []string{"A", "A"}},
		{"only B, tried", block("ORDER=A B", "A_OK=0", "A_TRY=0", "B_OK=1", "B_TRY=1", "LAST=B"), "", []string{"B", "B"}},
		{"both tried", block("ORDER=B A", "A_OK=1", "A_TRY=1", "B_OK=1", "B_TRY=1", "LAST=B"), "", []string{"A", "B", "A"}},
		{"both bad", block("ORDER=A B", "A_OK=0", "A_TRY=0", "B_OK=0", "B_TRY=0"), "", []string{"A", "B", "A"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := newDisk(t, fresh()...)
			d.put("grubenv.old", "x")
			for name, content := range map[string]string{"grubenv": test.env, "grubenv.old": test.old} {
				if content == missing {
					d.drop(name)
				} else {
					d.put(name, content)
				}
			}
			for i, slot := range test.want {
				d.want(slot, "boot "+string(rune('1'+i)))
			}
		})
	}
}

// What RAUC wrote last is what is left when the next write is cut off.
func TestGrubKeepsState(t *testing.T) {
	t.Parallel()
	d := newDisk(t, "ORDER=B A", "A_OK=1", "A_TRY=0", "B_OK=1", "B_TRY=0")
	d.env("grubenv.old", "empty=1")
	d.want("B", "B is first")
	d.put("grubenv", "")
	d.want("B", "the state before it was tried")
	d.want("A", "and its one try is counted in the copy")
}

// With both states gone, a slot that does not load must not be the end.
func TestGrubNothingKnown(t *testing.T) {
	t.Parallel()
	d := newDisk(t, fresh()...)
	d.drop("grubenv")
	d.fill("A", "damaged")
	d.want("B", "no state, A damaged")
}
