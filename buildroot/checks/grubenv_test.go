package checks

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The helper that gives RAUC its state back, on real files with the real grub-editenv.
func TestGrubenvRestored(t *testing.T) {
	helper := board(t, "x86_64", "rootfs-overlay/usr/libexec/plenum/grubenv")
	block := func(t *testing.T, state ...string) string {
		path := filepath.Join(t.TempDir(), "env")
		run(t, "/", board(t, "x86_64", "grubenv.sh"), append([]string{path}, state...)...)
		return read(t, path)
	}
	whole := block(t, "ORDER=B A", "A_OK=1", "A_TRY=0", "B_OK=1", "B_TRY=1", "MACHINE_ID=1f", "LAST=B")
	before := block(t, "ORDER=A B", "A_OK=1", "A_TRY=1", "B_OK=0", "B_TRY=0")
	tests := []struct {
		name, env, old, cmdline string
		want                    string // ORDER A_OK A_TRY B_OK B_TRY
	}{
		{"whole", whole, before, "rauc.slot=B", "B A 1 0 1 1"},
		{"whole, no copy", whole, "", "rauc.slot=B", "B A 1 0 1 1"},
		{"empty", "", before, "rauc.slot=A", "A B 1 1 0 0"},
		{"zeros", strings.Repeat("\x00", 1024), before, "rauc.slot=A", "A B 1 1 0 0"},
		{"cut", whole[:40], before, "rauc.slot=A", "A B 1 1 0 0"},
		{"a line lost", block(t, "ORDER=A B", "A_OK=1", "B_OK=1", "B_TRY=0"), before, "rauc.slot=A", "A B 1 1 0 0"},
		{"both lost", "", "x", "ro rauc.slot=B quiet", "B A 0 0 1 1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			root := t.TempDir()
			t.Setenv("PLENUM_ROOT", root)
			env := write(t, filepath.Join(root, "grub/grubenv"), test.env)
			if test.old != "" {
				write(t, env+".old", test.old)
			}
			write(t, filepath.Join(root, "proc/cmdline"), "ro "+test.cmdline+"\n")
			run(t, "/", helper)
			v := values(run(t, "/", "grub-editenv", env, "list"))
			if got := fmt.Sprint(v["ORDER"], " ", v["A_OK"], " ", v["A_TRY"], " ", v["B_OK"], " ", v["B_TRY"]); got != test.want {
				t.Errorf("want %s, got %s", test.want, got)
			}
			if b := read(t, env+".old"); len(b) != 1024 || len(read(t, env)) != 1024 {
				t.Errorf("GRUB writes only into blocks of 1024 bytes, the copy has %d", len(b))
			}
			if left, _ := filepath.Glob(env + "*.new"); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
	t.Run("neither slot", func(t *testing.T) {
		root := t.TempDir()
		t.Setenv("PLENUM_ROOT", root)
		write(t, filepath.Join(root, "proc/cmdline"), "ro quiet\n")
		if err := os.MkdirAll(filepath.Join(root, "grub"), 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := try(t, "/", helper); err == nil {
			t.Error("a state was made up for a machine that runs from neither slot")
		}
	})
}
