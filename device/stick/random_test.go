package stick

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// Whatever is plugged, pulled, opened and closed: nothing is mounted in an open sitting unless somebody finishes work
// on it, every stick is given back, and a room is told of the end of every stick that it was given and that went.
func TestAnything(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		moves := rapid.SliceOfN(rapid.IntRange(0, 5), 1, 40).Draw(rt, "moves")
		which := rapid.SliceOfN(rapid.IntRange(0, 2), len(moves), len(moves)).Draw(rt, "which")
		waits := rapid.SliceOfN(rapid.IntRange(0, 3000), len(moves), len(moves)).Draw(rt, "waits in ms")
		synctest.Test(t, func(t *testing.T) {
			b := run(t)
			for i, move := range moves {
				id := []string{"sda1", "sdb1", "sdc1"}[which[i]]
				switch move {
				case 0:
					b.plug(fat(id, ""), "x.raucb")
				case 1:
					b.plug(fat(id, "PLENUM-SETUP"))
				case 2:
					b.plug(fat(id, "URLAUB"))
				case 3:
					b.pull(id)
				default:
					b.quiet.Store(move == 4)
				}
				time.Sleep(time.Duration(waits[i]) * time.Millisecond)
				if waits[i] > 1100 && b.quiet.Load() && b.count() > 0 {
					t.Fatalf("mounted in an open sitting: %v", b.mounted)
				}
			}
			for _, id := range []string{"sda1", "sdb1", "sdc1"} {
				b.pull(id)
			}
			pass(time.Minute)
			if v := b.w.View(); len(v) != 0 || b.count() != 0 {
				t.Fatalf("%+v, %v", v, b.mounted)
			}
			b.stop()
			for kind, r := range b.rooms {
				if err := inOrder(r); err != nil {
					t.Fatalf("%s: %v: %v", kind, err, r.events)
				}
			}
		})
	})
}

// inOrder checks what a room was told: one thing at a time about an id, and the end of it last.
func inOrder(r *room) error {
	events, _, _ := r.seen()
	at := map[string]string{}
	for _, e := range events {
		what, id, _ := strings.Cut(e, " ")
		was := at[id]
		at[id] = what
		ok := what == "insert" && was != "insert" || what == "done" && was == "insert" || what == "remove" && was == "done"
		if !ok {
			return fmt.Errorf("%s follows %q", e, was)
		}
	}
	for id, last := range at {
		if last != "remove" {
			return fmt.Errorf("nobody was told that %s is gone", id)
		}
	}
	return nil
}
