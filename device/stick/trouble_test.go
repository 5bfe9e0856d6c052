package stick

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDrivesCannotBeListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := run(t)
		defer b.stop()
		b.plug(fat("sda1", "PLENUM-SETUP"))
		synctest.Wait()
		b.mu.Lock()
		b.lost = true
		b.mu.Unlock()
		b.plug(fat("sdb1", "PLENUM-DIAG"))
		synctest.Wait()
		if v := b.w.View(); len(v) != 1 {
			t.Fatalf("not being told is taken for pulling: %+v", v)
		}
		b.mu.Lock()
		b.lost = false
		b.mu.Unlock()
		pass(2 * again) // no pulse: it asks by itself
		b.wantEvents(t, Setup, "insert sda1")
		b.wantEvents(t, Diagnosis, "insert sdb1")
	})
}

func TestMountFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := run(t)
		defer b.stop()
		left := true
		b.deny = func(id string, _ bool) error {
			if id == "sdb1" || left {
				left = id == "sdb1" && left
				return errFake
			}
			return nil
		}
		b.plug(fat("sda1", ""), "x.raucb") // left mounted by a daemon that died
		synctest.Wait()
		b.wantEvents(t, Update, "insert sda1")
		b.plug(fat("sdb1", ""), "x.raucb")
		synctest.Wait()
		if v := b.w.View(); v[1].EN != sentences()[saidUnreadable].en || v[1].Kind != Other {
			t.Fatalf("%+v", v)
		}
	})
}

func TestFolderCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := run(t)
		defer b.stop()
		b.deny = func(id string, _ bool) error { // gone when it is mounted, before it is read
			b.folders[id] = filepath.Join(b.folders[id], "gone")
			return nil
		}
		b.plug(fat("sda1", ""), "x.raucb")
		synctest.Wait()
		if v := b.w.View(); v[0].EN != sentences()[saidUnreadable].en || b.isMounted("sda1") {
			t.Fatalf("%+v", v)
		}
	})
}

func TestDiagnosisIsMountedForWriting(t *testing.T) {
	locked := fat("sda1", "PLENUM-DIAG")
	locked.ReadOnly = true
	for _, tt := range []struct {
		name     string
		volume   Volume
		deny     bool // a switch that the drive does not tell of
		readOnly bool
	}{
		{"as usual", fat("sda1", "PLENUM-DIAG"), false, false},
		{"write-protected", locked, false, true},
		{"write-protected in secret", fat("sda1", "PLENUM-DIAG"), true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := run(t)
				defer b.stop()
				b.deny = func(_ string, write bool) error {
					if tt.deny && write {
						return errFake
					}
					return nil
				}
				b.plug(tt.volume)
				synctest.Wait()
				if _, m, _ := b.rooms[Diagnosis].seen(); len(m) != 1 || m[0].ReadOnly != tt.readOnly || b.mounted["sda1"] == tt.readOnly {
					t.Fatalf("%+v, for writing: %v", m, b.mounted)
				}
			})
		})
	}
}

func TestCannotBeGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := run(t)
		defer b.stop()
		refusals := 2
		b.keep = func(string) error {
			if refusals--; refusals >= 0 {
				return errFake
			}
			return nil
		}
		close(b.rooms[Update].release)
		b.plug(fat("sda1", ""), "x.raucb")
		pass(time.Minute)
		if v := b.w.View(); b.isMounted("sda1") || v[0].EN != sentences()[saidDone].en {
			t.Fatalf("%+v", v)
		}
		refusals = 1000
		b.plug(fat("sdb1", ""), "x.raucb")
		pass(time.Minute)
		if v := b.w.View(); v[1].EN != sentences()[saidStuck].en || v[1].Busy {
			t.Fatalf("%+v", v)
		}
		refusals = 0
	})
}

func TestEndGivesEverythingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := run(t)
		b.plug(fat("sda1", ""), "x.raucb")
		b.plug(fat("sdb1", "PLENUM-SETUP"))
		synctest.Wait()
		b.stop()
		if b.count() != 0 {
			t.Fatal(b.mounted)
		}
		b.wantEvents(t, Update, "insert sda1", "done sda1")
	})
}

func TestWatchTellsOfChangesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := run(t)
		defer b.stop()
		synctest.Wait()
		changed, stop := b.w.Watch()
		defer stop()
		<-changed
		b.pulse()
		pass(time.Minute)
		select {
		case <-changed:
			t.Fatal("told of nothing")
		default:
		}
		b.plug(fat("sda1", ""))
		<-changed
	})
}

func TestBundles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.raucb", "B.RAUCB", "._a.raucb", ".hidden.raucb", "a.raucb.part", "raucb", ".raucb", "a.raucb (1)"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder.raucb"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/shadow", filepath.Join(dir, "link.raucb")); err != nil {
		t.Fatal(err)
	}
	got, err := Bundles(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a.raucb", "B.RAUCB"}, got, cmpSorted()); diff != "" {
		t.Fatal(diff)
	}
}

func cmpSorted() cmp.Option {
	return cmp.Transformer("set", func(s []string) map[string]bool {
		m := map[string]bool{}
		for _, x := range s {
			m[x] = true
		}
		return m
	})
}

func TestSentences(t *testing.T) {
	for c, s := range sentences() {
		if s.de == "" || s.en == "" || !strings.HasSuffix(s.de, ".") || !strings.HasSuffix(s.en, ".") ||
			strings.Contains(s.de, "{fs}") != strings.Contains(s.en, "{fs}") {
			t.Errorf("%s: %+v", c, s)
		}
	}
	if s := say(saidFilesystem, Volume{Filesystem: "ntfs"}); !strings.Contains(s.de, "ntfs") || strings.Contains(s.en, "{") {
		t.Error(s)
	}
}
