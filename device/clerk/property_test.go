package clerk

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plenum/device/sitting"
)

// script turns drawn numbers into choices; when it is used up, it always gives 0.
type script []int

func (s *script) pick(n int) int {
	if len(*s) == 0 {
		return 0
	}
	v := (*s)[0]
	*s = (*s)[1:]
	return v % n
}

// life runs a clerk on a disk until it crashes: from one moment on the disk takes nothing any more, as if the process
// were gone, and nothing is flushed. It returns the last snapshot.
func life(disk *memory, pick func(int) int) (Snapshot, error) {
	c, err := New(Options{Journal: disk, Flush: time.Millisecond})
	if err != nil {
		return Snapshot{}, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.Run(ctx)
	}()
	if c.Snapshot().Seq == 0 {
		for _, e := range gather() {
			if _, err := c.Do(ctx, "", e); err != nil {
				return Snapshot{}, err
			}
		}
	}
	for range 5 + pick(40) {
		if pick(20) == 0 {
			disk.on(slow(time.Duration(pick(500)) * time.Millisecond))
		}
		_, _ = c.Do(ctx, "", anything(pick)) // refused or not
		switch pick(15) {
		case 1:
			_, _ = c.Do(ctx, "", sitting.Event{Kind: sitting.KindClose, By: operator()})
		case 2, 3, 4:
			_, _ = c.Do(ctx, "", sitting.Event{Kind: sitting.KindOpen, By: operator(), Overrides: []string{"camera/0", "camera/1"}})
		}
		if pick(10) == 0 {
			time.Sleep(time.Duration(pick(3000)) * time.Millisecond)
		}
	}
	disk.on(full)
	last := c.Snapshot()
	_, _ = c.Do(ctx, "", anything(pick)) // too late
	cancel()
	<-ended
	time.Sleep(time.Minute) // what hangs ends before the disk is used again
	disk.on(nil)
	return last, nil
}

// lives runs a few lives, one after the other, on one disk, and checks what each leaves to the next. It counts the
// lives that ended with everything on the disk.
func lives(pick func(int) int) (whole int, err error) {
	disk := &memory{}
	for range 1 + pick(3) {
		last, err := life(disk, pick)
		if err != nil {
			return whole, err
		}
		c, err := New(Options{Journal: disk})
		if err != nil {
			return whole, err
		}
		if c.Replayed().Deviations > 0 {
			return whole, fmt.Errorf("%+v", c.Replayed())
		}
		if !last.Recorded {
			continue
		}
		whole++
		if d := cmp.Diff(last, c.Snapshot()); d != "" {
			return whole, fmt.Errorf("another state after the crash: %s", d)
		}
	}
	return whole, nil
}

// Whatever happens and wherever it ends, the journal gives back the state that was said to be recorded.
func TestReplayGivesTheState(t *testing.T) {
	total := 0
	rapid.Check(t, func(rt *rapid.T) {
		s := script(rapid.SliceOfN(rapid.IntRange(0, 1<<20), 300, 1500).Draw(rt, "script"))
		var err error
		synctest.Test(t, func(*testing.T) {
			var whole int
			whole, err = lives(s.pick)
			total += whole
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
	if total == 0 {
		t.Fatal("no crash with everything on the disk was tried")
	}
}
