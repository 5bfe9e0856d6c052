package stick

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

func marked(t *testing.T, dir string) (names []string) {
	t.Helper()
	there, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range there {
		names = append(names, e.Name())
	}
	return names
}

// A stick with which the daemon ended is not read by the next daemon, until it was pulled.
func TestStickThatEndedTheDaemon(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sticks")
	synctest.Test(t, func(t *testing.T) {
		bad := fat("sda1", "PLENUMSETUP")
		before := runIn(t, dir)
		before.plug(bad)
		synctest.Wait()
		if !slices.Equal(marked(t, dir), []string{mark(bad)}) {
			t.Fatal("no mark while it is read:", marked(t, dir))
		}
		before.stop()
		if n := marked(t, dir); len(n) != 0 {
			t.Fatal("an end in order is no fault of the stick:", n)
		}

		was := marks{dir: dir, log: slog.New(slog.DiscardHandler)}
		was.set(bad) // as the daemon left it that was killed
		b := runIn(t, dir)
		defer func() { b.stop() }()
		bad.ID, bad.Device = "sdc1", "/dev/sdc1" // it may have another name after a restart of the machine
		b.plug(bad)
		b.plug(fat("sdb1", "PLENUMSETUP"))
		synctest.Wait()
		b.wantEvents(t, Setup, "insert sdb1")
		if v := b.w.View(); len(v) != 2 || v[1].EN != sentences()[saidFailed].en || slices.Contains(b.mounts, "sdc1") {
			t.Fatalf("%+v, mounted %v", v, b.mounts)
		}
		b.quiet.Store(true)
		pass(2 * beat)
		b.quiet.Store(false)
		pass(2 * beat)
		if slices.Contains(b.mounts, "sdc1") {
			t.Fatal("it was read after the sitting")
		}
		b.stop()

		b = runIn(t, dir) // nor after one more restart
		b.plug(bad)
		synctest.Wait()
		if len(b.mounts) != 0 {
			t.Fatal(b.mounts)
		}
		b.pull("sdc1")
		synctest.Wait()
		if n := marked(t, dir); len(n) != 0 {
			t.Fatal("it was pulled, and is still marked:", n)
		}
		b.plug(bad)
		synctest.Wait()
		b.wantEvents(t, Setup, "insert sdc1")
		_, media, _ := b.rooms[Setup].seen()
		media[0].Checked()
		if n := marked(t, dir); len(n) != 0 {
			t.Fatal("it was checked, and is still marked:", n)
		}
	})
}

// Updates and diagnoses wait for people: a power cut meanwhile is no fault of the stick.
func TestOnlyReadingIsMarked(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sticks")
	synctest.Test(t, func(t *testing.T) {
		b := runIn(t, dir)
		defer b.stop()
		b.plug(fat("sda1", ""), "x.raucb")
		b.plug(fat("sdb1", "PLENUM-DIAG"))
		b.plug(fat("sdc1", "PHOTOS"))
		synctest.Wait()
		if n := marked(t, dir); len(n) != 0 || len(b.mounts) != 3 {
			t.Fatalf("%v, mounted %v", n, b.mounts)
		}
	})
}

// Whatever became of the folder of the marks, sticks are read.
func TestMarksDamaged(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sticks")
	if err := os.WriteFile(dir, []byte("no folder"), 0o600); err != nil {
		t.Fatal(err)
	}
	many := t.TempDir()
	for n := range 2 * mostMarks {
		if err := os.WriteFile(filepath.Join(many, strings.Repeat("x", n+1)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{dir, many} {
		synctest.Test(t, func(t *testing.T) {
			b := runIn(t, dir)
			defer b.stop()
			b.plug(fat("sda1", ""), "x.raucb")
			synctest.Wait()
			b.wantEvents(t, Update, "insert sda1")
		})
	}
	if n := marked(t, many); len(n) != mostMarks {
		t.Error(len(n), "marks are kept")
	}
}
