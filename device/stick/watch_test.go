package stick

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// bench is a running Watcher in a bubble of fake time.
type bench struct {
	*drives
	w     *Watcher
	rooms map[Kind]*room
	quiet atomic.Bool
	stop  func()
}

func run(t *testing.T) *bench {
	t.Helper()
	return runIn(t, "")
}

// runIn is run with a folder for the marks.
func runIn(t *testing.T, dir string) *bench {
	t.Helper()
	b := &bench{drives: newDrives(t), rooms: map[Kind]*room{Update: newRoom(), Setup: newRoom(), Diagnosis: newRoom()}}
	handlers := map[Kind]Handler{}
	for k, r := range b.rooms {
		handlers[k] = r
	}
	b.w = New(Options{Mounter: b.drives, Handlers: handlers, Quiet: b.quiet.Load, Dir: dir})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.w.Run(ctx) }()
	b.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	return b
}

// pass lets time pass until everything has come to rest.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func fat(id, label string) Volume {
	return Volume{ID: id, Device: "/dev/" + id, Label: label, Filesystem: "vfat", Drive: "Stick " + id, Size: 8e9}
}

func (b *bench) wantEvents(t *testing.T, k Kind, want ...string) {
	t.Helper()
	got, _, _ := b.rooms[k].seen()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", k, diff)
	}
}

func TestUpdateStickIsMountedAsLongAsItIsNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := run(t)
		defer b.stop()
		b.plug(fat("sda1", "DATEN"), "box.raucb", "._box.raucb", "readme.txt")
		synctest.Wait()
		b.wantEvents(t, Update, "insert sda1")
		_, media, _ := b.rooms[Update].seen()
		want := Medium{ID: "sda1", Label: "DATEN", Drive: "Stick sda1", Kind: Update, Path: b.folders["sda1"], ReadOnly: true}
		if diff := cmp.Diff(want, media[0], cmpopts.IgnoreUnexported(Medium{})); diff != "" {
			t.Fatal(diff)
		}
		if v := b.w.View(); len(v) != 1 || v[0].Kind != Update || !v[0].Busy || b.mounted["sda1"] {
			t.Fatalf("%+v, for writing: %v", v, b.mounted)
		}
		close(b.rooms[Update].release)
		synctest.Wait()
		if v := b.w.View(); b.isMounted("sda1") || v[0].Busy || v[0].DE != sentences()[saidDone].de || v[0].Kind != Update {
			t.Fatalf("%+v", v)
		}
		b.pull("sda1")
		synctest.Wait()
		b.wantEvents(t, Update, "insert sda1", "done sda1", "remove sda1")
		if v := b.w.View(); len(v) != 0 {
			t.Fatalf("%+v", v)
		}
	})
}

func TestWhatIsOnAStick(t *testing.T) {
	for _, tt := range []struct {
		name   string
		volume Volume
		files  []string
		kind   Kind
		said   code
		mounts int
	}{
		{"setup", fat("sda1", "PLENUM-SETUP"), nil, Setup, saidSetup, 1},
		{"setup in small letters", fat("sda1", "plenum-setup"), nil, Setup, saidSetup, 1},
		{"setup as FAT holds it, without the dash", fat("sda1", "PLENUMSETUP"), nil, Setup, saidSetup, 1},
		{"setup as FAT holds it, cut", fat("sda1", "PLENUM-SETU"), nil, Setup, saidSetup, 1},
		{"setup goes before update", fat("sda1", "PLENUM-SETUP"), []string{"x.raucb"}, Setup, saidSetup, 1},
		{"diagnosis", fat("sda1", "Plenum-Diag"), nil, Diagnosis, saidDiagnosis, 1},
		{"update", fat("sda1", ""), []string{"X.RAUCB"}, Update, saidUpdate, 1},
		{"two bundles are still an update stick", fat("sda1", ""), []string{"a.raucb", "b.raucb"}, Update, saidUpdate, 1},
		{"only what a Mac left", fat("sda1", ""), []string{"._x.raucb", ".y.raucb"}, Other, saidOther, 1},
		{"holiday pictures", fat("sda1", "URLAUB"), []string{"1.jpg"}, Other, saidOther, 1},
		{"empty", fat("sda1", ""), nil, Other, saidOther, 1},
		{"NTFS", Volume{ID: "sda1", Device: "/dev/sda1", Filesystem: "ntfs", Label: "PLENUM-SETUP"}, nil, Other, saidFilesystem, 0},
		{"a CD image", Volume{ID: "sda", Device: "/dev/sda", Filesystem: "iso9660"}, nil, Other, saidFilesystem, 0},
		{"no file system", Volume{ID: "sda", Device: "/dev/sda"}, nil, Other, saidUnformatted, 0},
		{"no partition table", Volume{ID: "sda", Device: "/dev/sda", Filesystem: "exfat"}, []string{"x.raucb"}, Update, saidUpdate, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := run(t)
				defer b.stop()
				b.plug(tt.volume, tt.files...)
				pass(time.Minute)
				text := say(tt.said, tt.volume)
				want := []View{{tt.volume.ID, tt.volume.Label, tt.volume.Drive, tt.kind, tt.kind != Other, text.de, text.en}}
				if diff := cmp.Diff(want, b.w.View()); diff != "" {
					t.Fatal(diff)
				}
				if len(b.mounts) != tt.mounts || tt.kind == Other && b.isMounted(tt.volume.ID) {
					t.Fatalf("mounted %v, and still %v", b.mounts, b.mounted)
				}
			})
		})
	}
}

func TestPulledWhileAtWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := run(t)
		defer b.stop()
		b.rooms[Update].finish = make(chan struct{})
		b.plug(fat("sda1", ""), "x.raucb")
		synctest.Wait()
		b.pull("sda1")
		synctest.Wait()
		if v := b.w.View(); len(v) != 0 {
			t.Fatalf("a stick that is gone is shown: %+v", v)
		}
		// The socket gives the next stick the same id. It waits until the room has let go of the one before.
		b.plug(fat("sda1", "PLENUM-DIAG"))
		pass(time.Minute)
		b.wantEvents(t, Diagnosis)
		close(b.rooms[Update].finish)
		synctest.Wait()
		b.wantEvents(t, Update, "insert sda1", "done sda1", "remove sda1")
		b.wantEvents(t, Diagnosis, "insert sda1")
		if _, _, causes := b.rooms[Update].seen(); !errors.Is(causes[0], ErrPulled) {
			t.Fatal(causes)
		}
	})
}

func TestSticksChangedFasterThanSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := run(t)
		defer b.stop()
		b.plug(fat("sda1", ""), "x.raucb")
		synctest.Wait()
		b.plug(fat("sda1", "PLENUM-SETUP")) // nobody saw it absent
		synctest.Wait()
		b.wantEvents(t, Update, "insert sda1", "done sda1", "remove sda1")
		b.wantEvents(t, Setup, "insert sda1")
	})
}

func TestOpenSitting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := run(t)
		defer b.stop()
		b.quiet.Store(true)
		pass(2 * beat)
		b.plug(fat("sda1", "PLENUM-SETUP"))
		b.plug(fat("sdb1", ""), "x.raucb")
		b.plug(fat("sdc1", ""), "y.raucb")
		pass(time.Hour)
		if v := b.w.View(); len(b.mounts) != 0 || len(v) != 3 || v[0].DE != sentences()[saidWaiting].de || v[0].Kind != Unknown {
			t.Fatalf("mounted %v, %+v", b.mounts, v)
		}
		b.pull("sdc1") // in the sitting: nobody was told of it, nobody is told it went
		b.quiet.Store(false)
		pass(2 * beat)
		b.wantEvents(t, Setup, "insert sda1")
		b.wantEvents(t, Update, "insert sdb1")
	})
}

func TestSittingOpensWhileAStickIsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := run(t)
		defer b.stop()
		b.rooms[Diagnosis].finish = make(chan struct{})
		b.plug(fat("sda1", ""), "x.raucb")
		b.plug(fat("sdb1", "PLENUM-DIAG"))
		b.plug(fat("sdc1", "URLAUB"))
		synctest.Wait()
		b.quiet.Store(true)
		pass(2 * beat)
		// The offer is withdrawn and its stick given back; the diagnosis finishes its file first.
		if b.isMounted("sda1") || !b.isMounted("sdb1") {
			t.Fatal(b.mounted)
		}
		if _, _, causes := b.rooms[Update].seen(); !errors.Is(causes[0], ErrSitting) {
			t.Fatal(causes)
		}
		close(b.rooms[Diagnosis].finish)
		synctest.Wait()
		if b.count() != 0 || b.w.View()[0].DE != sentences()[saidWaiting].de {
			t.Fatalf("%v, %+v", b.mounted, b.w.View())
		}
		b.quiet.Store(false)
		pass(2 * beat)
		b.wantEvents(t, Update, "insert sda1", "done sda1", "insert sda1")
		b.wantEvents(t, Diagnosis, "insert sdb1", "done sdb1", "insert sdb1")
		if got := b.mounts; len(got) != 5 {
			t.Fatalf("a stick that holds nothing was looked at again: %v", got)
		}
	})
}

func TestSittingOpensWhileMounting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := run(t)
		defer b.stop()
		b.slow = func(ctx context.Context, _ string) {
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Second):
			}
		}
		b.plug(fat("sda1", ""), "x.raucb")
		pass(beat / 2)
		b.quiet.Store(true)
		pass(5 * time.Second)
		if b.count() != 0 || b.w.View()[0].DE != sentences()[saidWaiting].de {
			t.Fatalf("%v, %+v", b.mounted, b.w.View())
		}
		b.quiet.Store(false)
		pass(time.Minute)
		b.wantEvents(t, Update, "insert sda1")
	})
}

func TestPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := run(t)
		defer b.stop()
		efi := Volume{ID: "sda1", Device: "/dev/sda1", Label: "EFI", Filesystem: "vfat", Drive: "Stick", Size: 2e8}
		b.plug(efi)
		b.plug(Volume{ID: "sda2", Device: "/dev/sda2", Label: "MAC", Filesystem: "exfat", Drive: "Stick", Size: 8e9}, "x.raucb")
		b.plug(Volume{ID: "sdb1", Device: "/dev/sdb1", Filesystem: "ntfs", Drive: "Stick"})
		synctest.Wait()
		var ids []string
		for _, v := range b.w.View() {
			ids = append(ids, v.ID)
		}
		if !slices.Equal(ids, []string{"sda2", "sdb1"}) {
			t.Fatal(ids)
		}
		b.pull("sda2") // a partition alone can go when it is rewritten
		synctest.Wait()
		if v := b.w.View(); len(v) != 2 || v[0].ID != "sda1" {
			t.Fatalf("%+v", v)
		}
	})
}
