package update

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// history runs a box through one update, with the power cut or the daemon killed at the steps given, until it comes to
// rest, and checks that what it says of the update is true, that it runs, and that it leaves no note behind.
func history(w *world, folder string, cuts, kills []int) error {
	began := time.Now()
	for lives := 0; ; lives++ {
		if lives > 12 {
			return fmt.Errorf("it does not come to rest")
		}
		if err := w.boot(); err != nil {
			return err
		}
		next, last := "start", View{}
		for next == "start" {
			w.mu.Lock()
			w.cutAt, w.killAt = first(&cuts, w.steps), first(&kills, w.steps)
			w.mu.Unlock()
			next, last = w.life(folder)
			w.mu.Lock()
			if w.dark {
				next = "boot"
			}
			w.mu.Unlock()
		}
		if next == "boot" {
			time.Sleep(20 * time.Second)
			if w.clock != 0 {
				w.clock = time.Until(began) // it begins in the same year again
			}
			continue
		}
		return w.check(last)
	}
}

// first takes the first number from a list that is still to come.
func first(list *[]int, after int) int {
	for len(*list) > 0 {
		n := (*list)[0]
		*list = (*list)[1:]
		if n > after {
			return n
		}
	}
	return 0
}

func (w *world) check(v View) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var said Result
	if v.Last != nil {
		said = v.Last.Result
	}
	switch {
	case slices.Contains(w.truth(), said):
	case w.blind && !w.proved && said == Interrupted:
		// The one thing nobody can know: the power was cut when the boot loader had noted the new version and RAUC had
		// not, and then the new version came to nothing before it could note anything itself. RAUC gives a slot that
		// was not finished and one that was tried in vain as the same.
	default:
		return fmt.Errorf("it says %q, and true is %q", said, w.truth())
	}
	if left := w.seen[trialFile]; left != "" && said != OnTrial {
		return fmt.Errorf("trial.json is left behind: %s", left)
	}
	if v.State == Installing || v.State == Rebooting {
		return fmt.Errorf("it rests while %s", v.State)
	}
	return nil
}

func updateFolder(t *testing.T) string {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x.raucb"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func natures() []string { return []string{"good", "bad", "dead"} }

// TestEveryCut cuts the power before every thing that is done to a disk, and kills the daemon there, one at a time, with
// both luck and bad luck about what was not synced yet.
func TestEveryCut(t *testing.T) {
	folder := updateFolder(t)
	told := map[Result]int{}
	for _, nature := range natures() {
		for luck := range 2 {
			whole := newWorld(nature, nil)
			synctest.Test(t, func(t *testing.T) {
				if err := history(whole, folder, nil, nil); err != nil {
					t.Fatalf("%s: %v\n%s", nature, err, strings.Join(whole.trace, "\n"))
				}
			})
			for n := 1; n <= whole.steps; n++ {
				for _, killed := range []bool{false, true} {
					w := newWorld(nature, func(int) int { return luck })
					cuts, kills := []int{n}, []int(nil)
					if killed {
						cuts, kills = nil, cuts
					}
					synctest.Test(t, func(t *testing.T) {
						if err := history(w, folder, cuts, kills); err != nil {
							t.Errorf("%s, luck %d, step %d, killed %v: %v\n%s", nature, luck, n, killed, err, strings.Join(w.trace, "\n"))
						}
					})
					told[w.truth()[0]]++
				}
			}
		}
	}
	t.Logf("outcomes: %v", told)
	if told[Updated] == 0 || told[WentBack] == 0 || told[Interrupted] == 0 || told[""] == 0 {
		t.Fatalf("not every outcome came up: %v", told)
	}
}

// TestCutsOnceFound repeats histories that went wrong while this was written.
func TestCutsOnceFound(t *testing.T) {
	folder := updateFolder(t)
	for _, tt := range []struct {
		name   string
		nature string
		cuts   []int
		luck   []int
	}{
		{"before the old version was marked good: the other slot's old version runs", "good", []int{1}, []int{0}},
		{"so often that the other slot is next although nothing was written", "good", []int{3, 4, 7, 15, 16}, []int{1, 1, 0, 0, 0, 0, 0, 0, 0}},
		{"what was left is started again", "good", []int{11, 15, 20, 27}, []int{1, 0, 0, 0, 0, 0}},
		{"between what the boot loader and what RAUC noted", "dead", []int{11}, []int{0}},
		{"the same, and again in the new version's first start", "good", []int{11, 12}, []int{0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				luck := tt.luck
				w := newWorld(tt.nature, func(n int) int {
					luck = append(luck[1:], luck[0])
					return luck[0] % n
				})
				if err := history(w, folder, slices.Clone(tt.cuts), nil); err != nil {
					t.Fatalf("%v\n%s", err, strings.Join(w.trace, "\n"))
				}
			})
		})
	}
}

// TestManyCuts cuts and kills several times on the way, at random, also on a box without a clock.
func TestManyCuts(t *testing.T) {
	folder := updateFolder(t)
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfNDistinct(rapid.IntRange(1, 60), 0, 5, rapid.ID[int])
		cuts, kills := steps.Draw(rt, "cuts"), steps.Draw(rt, "kills")
		slices.Sort(cuts)
		slices.Sort(kills)
		luck := rapid.SliceOfN(rapid.IntRange(0, 1), 10, 10).Draw(rt, "luck")
		w := newWorld(rapid.SampledFrom(natures()).Draw(rt, "nature"), func(n int) int {
			luck = append(luck[1:], luck[0])
			return luck[0] % n
		})
		if rapid.Bool().Draw(rt, "no clock") {
			w.clock = time.Nanosecond
		}
		var err error
		synctest.Test(t, func(*testing.T) { err = history(w, folder, cuts, kills) })
		if err != nil {
			rt.Fatalf("%v\n%s", err, strings.Join(w.trace, "\n"))
		}
	})
}
