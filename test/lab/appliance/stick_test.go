//go:build lab

package appliance_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"plenum/test/lab/appliance"
)

func TestSticksHoldWhatTheyAreGiven(t *testing.T) {
	for name, c := range map[string]struct {
		stick appliance.Stick
		read  []string // what prints dir/long name.txt of the image, appended
		label []string // what prints the label
	}{
		"vfat": {appliance.Stick{Label: "PLENUM-DIAG"}, []string{"mtype", "-i", "@@1M", "::/dir/long name.txt"}, []string{"mlabel", "-s", "-i", "@@1M", "::"}},
		"bare": {appliance.Stick{Label: "PLENUM-DIAG", Bare: true}, []string{"mtype", "-i", "", "::/dir/long name.txt"}, []string{"mlabel", "-s", "-i", "", "::"}},
		"ext4": {appliance.Stick{Label: "PLENUM-DIAG", System: appliance.Ext4, Size: 12}, []string{"debugfs", "-R", "cat \"/dir/long name.txt\"", "?offset=1048576"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "stick")
			c.stick.Files = []appliance.StickFile{{Name: "dir/long name.txt", Data: []byte("hello")}, {Name: "._x.raucb", Data: []byte("x")}}
			if err := appliance.StickImage(t.Context(), path, c.stick); err != nil {
				t.Fatal(err)
			}
			run := func(args []string) string {
				t.Helper()
				for i, a := range args {
					if a == "" || a[0] == '@' || a[0] == '?' {
						args[i] = path + a
					}
				}
				out, err := exec.Command(args[0], args[1:]...).Output()
				if err != nil {
					t.Fatalf("%v: %v", args, err)
				}
				return string(out)
			}
			if got := run(c.read); got != "hello" {
				t.Errorf("the file holds %q", got)
			}
			if c.label != nil {
				if got := run(c.label); !strings.Contains(got, "PLENUM-DIAG") {
					t.Errorf("the label: %q", got)
				}
			}
			if c.stick.Size > 0 {
				if info, err := os.Stat(path); err != nil || info.Size() != int64(c.stick.Size+1)<<20 {
					t.Errorf("size %v, %v", info.Size(), err)
				}
			}
		})
	}
	if err := appliance.StickImage(t.Context(), filepath.Join(t.TempDir(), "x"), appliance.Stick{Size: 34, Files: []appliance.StickFile{{Name: "big", Data: make([]byte, 40<<20)}}}); err == nil {
		t.Error("more than the stick holds is on it")
	}
}
