//go:build lab

package sound

import (
	"context"
	"errors"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// These run in the lab guest: snd-aloop with the id Saal and two subdevices. What is played on device 1 is captured on
// device 0, and the other way round. The guest is emulated on a machine that may be busy: nothing here judges how long
// something takes, and sound is only judged where neither end had a trouble.

// emulated is the buffer on an emulated box, which others keep from its processors for a while now and then.
const emulated = time.Second

// soaking says that there is time, and a quiet machine, for figures.
func soaking() bool { return os.Getenv("PLENUM_SOAK") != "" }

// player plays a tone on the box's clock until it is stopped. What it is late for comes at once, like all that waits for a box
// that was away.
type player struct {
	*Playback
	writes atomic.Int64
	stop   func() (late time.Duration) // says how late the box was at most
}

func playing(t *testing.T, o Options, hz, dbfs float64) *player {
	t.Helper()
	p, err := OpenPlayback(o)
	if err != nil {
		t.Fatal(err)
	}
	play := &player{Playback: p}
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	var late time.Duration
	wait.Go(func() {
		tone := sine(hz, dbfs, 0, 0, Rate) // of whole Hz, so that it can go round
		start := time.Now()
		for n := 0; ctx.Err() == nil; n++ {
			due := start.Add(span(int64(n * frame)))
			time.Sleep(time.Until(due))
			late = max(late, time.Since(due))
			if err := p.Write(tone[n%100*frame:][:frame]); err != nil {
				t.Error(err)
				return
			}
			play.writes.Add(1)
		}
	})
	play.stop = func() time.Duration {
		cancel()
		wait.Wait()
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		return late
	}
	return play
}

// untroubled records until n frames came in one piece while neither end had a trouble, and returns the first channel.
func untroubled(t *testing.T, p *player, c *Capture, n int) []int16 {
	t.Helper()
	troubles := func() [2]Counters { return [2]Counters{p.Trouble(), c.Trouble()} }
	dst := make([]int16, frame*c.Channels())
	for end := time.Now().Add(patience); time.Now().Before(end); {
		// What was counted until now is to be heard in all that the buffers hold.
		before, old := troubles(), len(c.ready)/c.Channels()+c.pcm.buffer+p.pcm.buffer
		var pcm []int16
		for len(pcm) < old+n && troubles() == before {
			got, _, err := c.Read(t.Context(), dst)
			if err != nil {
				t.Fatal(err)
			}
			for i := range got {
				pcm = append(pcm, dst[i*c.Channels()])
			}
		}
		// A player that ran dry learns of it at its next write.
		for written := p.writes.Load(); p.writes.Load() < written+2 && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		if len(pcm) >= old+n && troubles() == before {
			return pcm[old:][:n]
		}
	}
	t.Fatalf("no %d frames in one piece within %v: playback %+v, capture %+v", n, patience, p.Trouble(), c.Trouble())
	return nil
}

// read reads once, a hundredth of a second at most.
func read(t *testing.T, c *Capture) (n int, at time.Time) {
	t.Helper()
	n, at, err := c.Read(t.Context(), make([]int16, frame*c.Channels()))
	if err != nil {
		t.Fatal(err)
	}
	return n, at
}

func capture(t *testing.T, o Options) *Capture {
	t.Helper()
	c, err := OpenCapture(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// pitch is the frequency of a tone in Hz, from how its phase moves. It must be within 5 Hz.
func pitch(pcm []int16, near float64) float64 {
	const window = Rate / 10
	phase := func(pcm []int16) float64 {
		var re, im float64
		for i, s := range pcm {
			hann := 1 - math.Cos(2*math.Pi*float64(i)/float64(len(pcm)))
			sin, cos := math.Sincos(2 * math.Pi * near * float64(i) / Rate)
			re, im = re+float64(s)*hann*cos, im-float64(s)*hann*sin
		}
		return math.Atan2(im, re)
	}
	var sum float64
	n := 0
	for at := 0; at+2*window <= len(pcm); at += window {
		d := phase(pcm[at+window:at+2*window]) - phase(pcm[at:at+window])
		sum += math.Remainder(d, 2*math.Pi)
		n++
	}
	return near + sum/float64(n)/(2*math.Pi)*Rate/window
}

// What is played on one end of the loop is captured at the other: pitch, level, and no frame lost or twice that no counter
// tells of.
func TestLabLoopCarriesATone(t *testing.T) {
	p := playing(t, Options{Device: "card:Saal,1,0", Buffer: emulated}, 1000, -9)
	defer p.stop()
	c := capture(t, Options{Device: "card:Saal,0,0", Buffer: emulated})
	pcm := untroubled(t, p, c, Rate/2)
	hz, seam := pitch(pcm, 1000), seam(pcm, 1000)
	_, level := snr(pcm[:frame], hz)
	t.Logf("%.3f Hz at %.2f dBFS, seams of %.0f; capture %+v %+v, playback %+v %+v; period %v, buffer %v",
		hz, level, seam, c.Trouble(), c.Clock(), p.Trouble(), p.Clock(), c.Period(), c.Buffer())
	// Each end may bend by as much while it learns what the other's clock is; on a quiet box it does not.
	bent := 2 * 1000 * maxPPM / 1e6
	if soaking() {
		bent = 1
	}
	if math.Abs(hz-1000) > bent || math.Abs(level+9) > 0.5 || seam > 30 {
		t.Errorf("%.2f Hz at %.2f dBFS, seams of %.0f; want 1000 Hz at -9 and no seam", hz, level, seam)
	}
}

// seam is how far a sample is at most from where the two before it say that it is in a tone. Rounding and a few Hz beside make less
// than 5, a frame that is missing or comes twice 150 and more.
func seam(pcm []int16, hz float64) (far float64) {
	turn := 2 * math.Cos(2*math.Pi*hz/Rate)
	for i := 2; i < len(pcm); i++ {
		far = max(far, math.Abs(float64(pcm[i])-turn*float64(pcm[i-1])+float64(pcm[i-2])))
	}
	return far
}

// eventually tries something again until it is so. The card's place and the box's time are not read at one moment: a box that
// others keep from its processors in between gives the first frame's time wrong, which the others then follow for minutes.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// Each frame's time is 1/48000 s after the one before, but for those that are counted as lost, and none is of the future or
// older than the buffer.
func TestLabTimesFollow(t *testing.T) {
	p := playing(t, Options{Device: "card:Saal,1,0", Buffer: emulated}, 1000, -9)
	defer p.stop()
	eventually(t, "frames of their time", func() bool { return follow(t) })
}

// follow looks at the times of a hundred reads. It is false when they are beside the box's.
func follow(t *testing.T) bool {
	t.Helper()
	c := capture(t, Options{Device: "card:Saal,0,0", Buffer: emulated})
	defer c.Close()
	var next, asked time.Time
	var lost uint64
	for range 100 {
		if len(c.ready) == 0 {
			asked = time.Now()
		}
		n, at := read(t, c)
		dropped := c.Trouble().Dropped
		if off := at.Sub(next) - span(int64(dropped-lost)); !next.IsZero() && off.Abs() > 50*time.Microsecond {
			t.Fatalf("frames come %v beside their time, with %d lost before them", off, dropped-lost)
		}
		if now := time.Now(); at.After(now.Add(jump)) || at.Before(asked.Add(-c.Buffer()-jump)) {
			t.Logf("frames of %v ago, asked for %v ago", now.Sub(at), now.Sub(asked))
			return false
		}
		lost, next = dropped, at.Add(span(int64(n)))
	}
	t.Logf("capture %+v", c.Trouble())
	return true
}

// A program that was away for longer than the buffer loses sound, counts it, and goes on at the right time.
func TestLabXRunIsMended(t *testing.T) {
	c := capture(t, Options{Device: "card:Saal,0,0"})
	eventually(t, "going on at the right time", func() bool { return awayAndBack(t, c) })
	last := time.Now()
	eventually(t, "new frames", func() bool { _, at := read(t, c); return at.After(last) })
}

// awayAndBack reads, stays away and reads again. It is false when nothing ran over by the card's clock, which may stand still
// with the box, or the first frame has not the time of coming back.
func awayAndBack(t *testing.T, c *Capture) bool {
	t.Helper()
	var next time.Time
	for n := 0; n < 20 || len(c.ready) > 0; n++ {
		frames, at := read(t, c)
		next = at.Add(span(int64(frames)))
	}
	before := c.Trouble()
	time.Sleep(5 * c.Buffer()) // away
	back := time.Now()
	_, at := read(t, c)
	after := c.Trouble()
	t.Logf("capture: %+v, then %+v; the first frame is of %v after coming back", before, after, at.Sub(back))
	if missing := at.Sub(next); (missing - span(int64(after.Dropped-before.Dropped))).Abs() > 50*time.Microsecond {
		t.Fatalf("%+v, then %+v; %v are missing", before, after, missing)
	}
	return after.XRuns > before.XRuns && !at.Before(back.Add(-jump)) && !at.After(time.Now().Add(jump))
}

// The same for a playback.
func TestLabDryPlaybackIsMended(t *testing.T) {
	p, err := OpenPlayback(Options{Device: "card:Saal,1,1"})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for n := uint64(1); n <= 2; n++ { // having begun anew it can run dry once more
		for end := time.Now().Add(patience); p.Trouble().XRuns < n; time.Sleep(5 * p.Buffer()) { // away
			if time.Now().After(end) {
				t.Fatalf("a playback that is left alone does not run dry: %+v", p.Trouble())
			}
			for range p.pcm.startAt()/frame + 1 {
				if err := p.Write(make([]int16, frame)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	t.Logf("playback: %+v", p.Trouble())
}

func TestLabRefusals(t *testing.T) {
	_, err := OpenCapture(Options{Device: "card:Saal,0,0", Channels: 40})
	t.Log(err)
	if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "1 to 32") {
		t.Errorf("40 channels: %v", err)
	}
	_, err = OpenCapture(Options{Device: "card:Saal,5"})
	t.Log(err)
	if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "capture devices 0 1") {
		t.Errorf("a device the card has not: %v", err)
	}
	_, err = OpenCapture(Options{Device: "card:Rathaus"})
	t.Log(err)
	if !errors.Is(err, ErrLost) || !strings.Contains(err.Error(), "card:Saal") {
		t.Errorf("a card that is not there: %v", err)
	}
	c := capture(t, Options{Device: "card:Saal,0,0"})
	_, err = OpenCapture(Options{Device: "card:Saal,0,0"})
	t.Log(err)
	if !errors.Is(err, ErrBusy) {
		t.Errorf("opened twice: %v", err)
	}
	// The loop's other end has only what this one took: two channels.
	_, err = OpenPlayback(Options{Device: "card:Saal,1,0", Channels: c.Channels() + 1})
	t.Log(err)
	if !errors.Is(err, ErrFormat) {
		t.Errorf("other channels than the loop's other end: %v", err)
	}
	for _, e := range []error{err} {
		if strings.Contains(e.Error(), "\n") {
			t.Errorf("more than a line: %v", e)
		}
	}
}

func TestLabPermission(t *testing.T) {
	if os.Getenv("PLENUM_NOBODY") != "" {
		_, err := OpenCapture(Options{Device: "card:Saal,0,0"})
		if !errors.Is(err, ErrPermission) {
			t.Errorf("as nobody: %v", err)
		}
		return
	}
	if err := os.Chmod(os.Args[0], 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", os.Args[0], "-test.run=^TestLabPermission$")
	cmd.Env = append(os.Environ(), "PLENUM_NOBODY=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// Opening and closing again and again leaves nothing behind.
func TestLabOpenAndCloseLeaveNothing(t *testing.T) {
	count := func() [3]int {
		fds, _ := os.ReadDir("/proc/self/fd")
		threads, _ := os.ReadDir("/proc/self/task")
		return [3]int{len(fds), len(threads), runtime.NumGoroutine()}
	}
	cycle := func() {
		c, err := OpenCapture(Options{Device: "card:Saal,0,0"})
		if err != nil {
			t.Fatal(err)
		}
		p, err := OpenPlayback(Options{Device: "card:Saal,1,0"})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Write(make([]int16, frame)); err != nil {
			t.Error(err)
		}
		if _, _, err := c.Read(t.Context(), make([]int16, frame*c.Channels())); err != nil {
			t.Error(err)
		}
		if err := errors.Join(p.Close(), c.Close()); err != nil {
			t.Error(err)
		}
	}
	cycles := 10
	if soaking() {
		cycles = 1000
	}
	for range 5 {
		cycle()
	}
	before := count()
	for range cycles {
		cycle()
	}
	after := count()
	t.Logf("file descriptors, threads, goroutines: %v, then %v", before, after)
	// Go makes a few threads more when it is kept waiting; those that a card leaves would be one for each cycle.
	if after[0] > before[0] || after[1] > before[1]+5 || after[2] > before[2] {
		t.Errorf("file descriptors, threads, goroutines: %v, then %v", before, after)
	}
}
