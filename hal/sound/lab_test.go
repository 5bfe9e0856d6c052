//go:build lab

package sound

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// These run in the lab guest: snd-aloop with the id Saal and two subdevices. What is played on device 1 is captured on
// device 0, and the other way round.

// emulated is the buffer on an emulated box, which others keep from its processors for a while now and then.
const emulated = time.Second

// play plays a tone on the box's clock until the context ends. What it is late for comes at once, like all that waits for a
// box that was away. It returns how late it was at most.
func play(ctx context.Context, p *Playback, hz, dbfs float64) (late time.Duration, err error) {
	tone := sine(hz, dbfs, 0, 0, Rate) // of whole Hz, so that it can go round
	start := time.Now()
	for n := 0; ctx.Err() == nil; n++ {
		due := start.Add(span(int64(n * frame)))
		time.Sleep(time.Until(due))
		late = max(late, time.Since(due))
		if err := p.Write(tone[n%100*frame:][:frame]); err != nil {
			return late, err
		}
	}
	return late, nil
}

// playing starts a tone; the function returned ends it and says how late the box was at most.
func playing(t *testing.T, o Options, hz, dbfs float64) (*Playback, func() time.Duration) {
	t.Helper()
	p, err := OpenPlayback(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	var late time.Duration
	wait.Go(func() {
		var err error
		if late, err = play(ctx, p, hz, dbfs); err != nil {
			t.Error(err)
		}
	})
	return p, func() time.Duration {
		cancel()
		wait.Wait()
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		return late
	}
}

// record reads for a while and returns the first channel.
func record(t *testing.T, c *Capture, d time.Duration) []int16 {
	t.Helper()
	var pcm []int16
	dst := make([]int16, frame*c.Channels())
	for end := time.Now().Add(d); time.Now().Before(end); {
		n, _, err := c.Read(t.Context(), dst)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			pcm = append(pcm, dst[i*c.Channels()])
		}
	}
	return pcm
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

// pitch is the frequency of a tone in Hz, from how its phase moves.
func pitch(pcm []int16, near float64) float64 {
	const window = Rate / 4
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

func loudness(pcm []int16) float64 {
	var sum float64
	for _, s := range pcm {
		sum += float64(s) * float64(s)
	}
	return 10 * math.Log10(sum/float64(len(pcm))/(32768*32768)+1e-13)
}

// What is played on one end of the loop is captured at the other: pitch, level, and times that follow one another.
func TestLabLoopCarriesATone(t *testing.T) {
	p, stop := playing(t, Options{Device: "card:Saal,1,0", Buffer: emulated}, 1000, -9)
	defer stop()
	c := capture(t, Options{Device: "card:Saal,0,0", Buffer: emulated})
	record(t, c, time.Second)
	pcm := record(t, c, 5*time.Second)
	hz, db := pitch(pcm, 1000), loudness(pcm)
	t.Logf("%.3f Hz at %.2f dBFS; capture %+v %+v, playback %+v %+v; period %v, buffer %v",
		hz, db, c.Trouble(), c.Clock(), p.Trouble(), p.Clock(), c.Period(), c.Buffer())
	if math.Abs(hz-1000) > 1 || math.Abs(db+12) > 0.5 {
		t.Errorf("%.2f Hz at %.2f dBFS, want 1000 Hz at -12", hz, db)
	}
	if n := float64(len(pcm)) / Rate; math.Abs(n-5) > 0.5 {
		t.Errorf("%.2f s of sound in 5 s", n)
	}
}

func TestLabTimesFollow(t *testing.T) {
	_, stop := playing(t, Options{Device: "card:Saal,1,0", Buffer: emulated}, 1000, -9)
	defer stop()
	c := capture(t, Options{Device: "card:Saal,0,0", Buffer: emulated})
	dst := make([]int16, frame*c.Channels())
	var next time.Time
	var lost uint64
	for range 300 {
		n, at, err := c.Read(t.Context(), dst)
		if err != nil {
			t.Fatal(err)
		}
		if off := at.Sub(next); !next.IsZero() && off.Abs() > time.Microsecond*50 && c.Trouble().Dropped == lost {
			t.Fatalf("frames come %v beside their time", off)
		}
		lost = c.Trouble().Dropped
		if age := time.Since(at); age < -5*time.Millisecond || age > 10*time.Second {
			t.Fatalf("frames of %v ago", age)
		}
		next = at.Add(span(int64(n)))
	}
}

// A program that was away for longer than the buffer loses sound, counts it, and goes on at the right time.
func TestLabXRunIsMended(t *testing.T) {
	c := capture(t, Options{Device: "card:Saal,0,0"})
	record(t, c, 500*time.Millisecond)
	before := c.Trouble()
	time.Sleep(400 * time.Millisecond)
	start := time.Now()
	pcm := record(t, c, time.Second)
	after := c.Trouble()
	_, at, err := c.Read(t.Context(), make([]int16, 2*c.Channels()))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("capture: %+v, then %+v; %d frames in %v; the next is %v old", before, after, len(pcm), time.Since(start), time.Since(at))
	if after.XRuns == before.XRuns || after.Dropped-before.Dropped < Rate/4 || len(pcm) < Rate/2 || time.Since(at).Abs() > 500*time.Millisecond {
		t.Errorf("%+v, %+v, %d frames", before, after, len(pcm))
	}

	p, err := OpenPlayback(Options{Device: "card:Saal,1,1"})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if _, err := play(ctx, p, 1000, -9); err != nil {
			t.Fatal(err)
		}
		cancel()
		time.Sleep(300 * time.Millisecond)
	}
	t.Logf("playback: %+v", p.Trouble())
	if p.Trouble().XRuns == 0 {
		t.Error("a playback left alone for 300 ms did not run dry")
	}
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

// The loop's clock is made 200 ppm slow: that is found, and followed at both ends. (What both ends hear would be right in any
// case, since they have one clock.)
func TestLabDriftIsResampledAway(t *testing.T) {
	shift := func(to int) {
		t.Helper()
		out, err := exec.Command("amixer", "-c", "Saal", "cset", "iface=PCM,name='PCM Rate Shift 100000',device=0,subdevice=0", fmt.Sprint(to)).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	shift(100020)
	defer shift(100000)
	p, stop := playing(t, Options{Device: "card:Saal,1,0", Buffer: emulated}, 1000, -9)
	c := capture(t, Options{Device: "card:Saal,0,0", Buffer: emulated})
	// How far the times of what is captured are beside the truth, in ms.
	beside := func() float64 {
		return c.labels.next().Sub(c.labels.drift.At(c.rs.reads())).Seconds() * 1e3
	}
	record(t, c, 30*time.Second)
	early, before, beforeP := beside(), c.Trouble(), p.Trouble()
	record(t, c, 30*time.Second)
	end, after, afterP := beside(), c.Trouble(), p.Trouble()
	late := stop()
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

// Opening and closing a hundred times leaves nothing behind.
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
	for range 10 {
		cycle()
	}
	before := count()
	for range 100 {
		cycle()
	}
	after := count()
	t.Logf("file descriptors, threads, goroutines: %v, then %v", before, after)
	if after[0] > before[0] || after[1] > before[1]+2 || after[2] > before[2] {
		t.Errorf("file descriptors, threads, goroutines: %v, then %v", before, after)
	}
}
