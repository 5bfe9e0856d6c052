package clerk

import (
	"encoding/json"
	"testing"

	"plenum/device/sitting"
)

func TestWatch(t *testing.T) {
	c, end := running(t, Options{Journal: &memory{}, Patience: patient})
	ch, stop := c.Watch()
	if s := <-ch; s.Seq != 0 || s.State.Phase != sitting.PhaseReady {
		t.Fatalf("%+v", s)
	}
	opened(t, c) // nobody fetches: the clerk goes on
	if s := <-ch; s.Seq != c.Snapshot().Seq || s.State.Phase != sitting.PhaseOpen {
		t.Fatalf("%+v", s)
	}
	stop()
	stop()
	if _, on := <-ch; on {
		t.Fatal("still on")
	}
	last, stop := c.Watch()
	defer stop()
	do(t, c, "", press("2"))
	if err := end(); err != nil {
		t.Fatal(err)
	}
	if s := <-last; s.State.Waiting("p2") != 0 {
		t.Fatalf("%+v", s)
	}
	if _, on := <-last; on {
		t.Fatal("not closed at the end")
	}
	late, stop := c.Watch()
	defer stop()
	if s, on := <-late; !on || s.Seq != c.Snapshot().Seq {
		t.Fatal("no last snapshot for a late watcher")
	}
	if _, on := <-late; on {
		t.Fatal("open after the end")
	}
}

func TestFollow(t *testing.T) {
	c, end := running(t, Options{Journal: &memory{}, Patience: patient})
	opened(t, c)
	n := c.Snapshot().Seq
	ch, stop := c.Follow()
	defer stop()
	const over = 10
	for i := range followDepth/2 + over/2 {
		do(t, c, "", press("2"))
		do(t, c, "", release("2"))
		if i == 0 {
			e := <-ch
			if e.Seq != n+1 || e.Event.Kind != sitting.KindRequest || e.Lost != 0 || !e.Recorded || len(e.Effects) == 0 || !e.At.Equal(e.Event.At) {
				t.Fatalf("%+v", e)
			}
			if _, err := json.Marshal(e); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range followDepth {
		if e := <-ch; e.Lost != 0 {
			t.Fatalf("%+v", e)
		}
	}
	do(t, c, "", press("3"))
	if e := <-ch; e.Lost != over-1 || e.Event.Seat != "3" {
		t.Fatalf("%+v", e)
	}
	if err := end(); err != nil {
		t.Fatal(err)
	}
	if _, on := <-ch; on {
		t.Fatal("not closed at the end")
	}
}
