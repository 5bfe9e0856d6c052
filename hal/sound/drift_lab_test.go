//go:build lab

package sound

import (
	"fmt"
	"math"
	"os/exec"
	"testing"
	"time"
)

// shift makes the loop's clock run at to/100000 of its rate until the test ends.
func shift(t *testing.T, to int) {
	t.Helper()
	set := func(to int) {
		t.Helper()
		out, err := exec.Command("amixer", "-c", "Saal", "cset", "iface=PCM,name='PCM Rate Shift 100000',device=0,subdevice=0", fmt.Sprint(to)).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	set(to)
	t.Cleanup(func() { set(100000) })
}

// A clock of the loop that is 500 ppm slow is found at both ends, however long that takes. (What both ends hear would be right
// in any case, since they have one clock.)
func TestLabDriftIsFound(t *testing.T) {
	driftIsFound(t)
	if soaking() {
		driftIsResampledAway(t)
	}
}

func driftIsFound(t *testing.T) {
	t.Helper()
	shift(t, 100050)
	p := playing(t, Options{Device: "card:Saal,1,0", Buffer: 2 * emulated}, 1000, -9)
	defer p.stop()
	c := capture(t, Options{Device: "card:Saal,0,0", Buffer: 2 * emulated})
	defer c.Close()
	found := func(c Clock) bool { return math.Abs(c.PPM+500) < 150 && c.Sigma < 150 }
	begun := time.Now()
	for !found(c.Clock()) || !found(p.Clock()) {
		read(t, c)
		if time.Since(begun) > patience {
			t.Fatalf("capture found %+v, playback %+v; want -500 ppm", c.Clock(), p.Clock())
		}
	}
	t.Logf("capture %+v, playback %+v after %v", c.Clock(), p.Clock(), time.Since(begun))
}

// driftIsResampledAway measures how well a clock that is 200 ppm slow is followed, for a minute on a quiet machine.
func driftIsResampledAway(t *testing.T) {
	shift(t, 100020)
	p := playing(t, Options{Device: "card:Saal,1,0", Buffer: emulated}, 1000, -9)
	c := capture(t, Options{Device: "card:Saal,0,0", Buffer: emulated})
	// How far the times of what is captured are beside the truth, in ms.
	beside := func() float64 {
		return c.labels.next().Sub(c.labels.drift.At(c.rs.reads())).Seconds() * 1e3
	}
	record := func(d time.Duration) {
		for end := time.Now().Add(d); time.Now().Before(end); {
			read(t, c)
		}
	}
	record(30 * time.Second)
	early, before, beforeP := beside(), c.Trouble(), p.Trouble()
	record(30 * time.Second)
	end, after, afterP := beside(), c.Trouble(), p.Trouble()
	late := p.stop()
	t.Logf("capture %+.1f ± %.1f ppm, its times %.2f ms beside, then %.2f ms; playback %+.1f ± %.1f ppm, its buffer %.2f ms beside its level; troubles %+v %+v; the box was at most %v late",
		c.Clock().PPM, c.Clock().Sigma, early, end, p.Clock().PPM, p.Clock().Sigma, p.level.error/Rate*1e3, after, afterP, late)
	if math.Abs(c.Clock().PPM+200) > 30 || math.Abs(p.Clock().PPM+200) > 30 {
		t.Errorf("found %.1f and %.1f ppm, want -200", c.Clock().PPM, p.Clock().PPM)
	}
	if math.Abs(end) > max(2, math.Abs(early)) {
		t.Errorf("times were %.2f ms beside, and then %.2f ms", early, end)
	}
	// A host with too much to do stops the guest for seconds; that is no drift.
	if (after != before || afterP != beforeP) && late < emulated/4 {
		t.Errorf("troubles: capture %+v after %+v, playback %+v after %+v", after, before, afterP, beforeP)
	}
}
