//go:build lab

package camera

import (
	"bytes"
	"errors"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestLabBusy(t *testing.T) {
	one, two := openVivid(t, 0, ""), openVivid(t, 0, "")
	start(t, one, small)
	if _, err := two.Start(small); !errors.Is(err, ErrBusy) || strings.Contains(err.Error(), "\n") {
		t.Errorf("starting twice: %v, want ErrBusy", err)
	}
	if _, err := one.Start(small); err == nil {
		t.Error("a started camera was started again")
	}
	read(t, one).Release()
	if err := one.Close(); err != nil {
		t.Error(err)
	}
	start(t, two, small)
	read(t, two).Release()
}

func TestLabPermission(t *testing.T) {
	runtime.LockOSThread() // the file system's user id is a thread's own; the thread ends with the goroutine
	node := vividNode(t, 0)
	if _, err := unix.SetfsuidRetUid(65534); err != nil {
		t.Fatal(err)
	}
	_, err := openNode(node)
	if _, back := unix.SetfsuidRetUid(0); back != nil {
		t.Fatal(back)
	}
	if !errors.Is(err, ErrPermission) || !strings.Contains(err.Error(), "video") {
		t.Errorf("without permission: %v", err)
	}
}

func TestLabDisconnect(t *testing.T) {
	for range 3 {
		c := openVivid(t, 0, "")
		start(t, c, small)
		read(t, c).Release()
		set(t, c, "Disconnect", 1)
		took, err := until(t, c)
		if !errors.Is(err, ErrLost) {
			t.Errorf("unplugged: %v after %v, want ErrLost", err, took)
		}
		t.Logf("%v after %v", err, took)
		if _, err := openNode(vividNode(t, 0)); !errors.Is(err, ErrAbsent) {
			t.Errorf("opening an unplugged camera: %v, want ErrAbsent", err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		again := openVivid(t, 0, "") // vivid comes back when the last one has closed it
		start(t, again, small)
		read(t, again).Release()
		if err := again.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestLabBadFrames(t *testing.T) {
	c := openVivid(t, 0, "")
	start(t, c, small)
	read(t, c).Release()
	set(t, c, "Inject V4L2_BUF_FLAG_ERROR", 1)
	corrupt, good := 0, 0
	for range 20 {
		f := read(t, c)
		if f.Corrupt {
			corrupt++
		} else if corrupt > 0 {
			good++
		}
		f.Release()
	}
	if corrupt == 0 || good == 0 {
		t.Errorf("%d corrupt frames, %d good ones after them", corrupt, good)
	}
}

func TestLabStartErrors(t *testing.T) {
	for _, name := range []string{"Inject VIDIOC_REQBUFS Error", "Inject VIDIOC_QBUF Error", "Inject VIDIOC_STREAMON Error"} {
		c := openVivid(t, 0, "")
		set(t, c, name, 1)
		_, err := c.Start(small)
		if err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
		t.Logf("%s: %v", name, err)
		start(t, c, small) // the same camera, once more
		read(t, c).Release()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestLabFatalError(t *testing.T) {
	c := openVivid(t, 0, "")
	start(t, c, small)
	read(t, c).Release()
	set(t, c, "Inject Fatal Streaming Error", 1)
	took, err := until(t, c)
	if !errors.Is(err, ErrStalled) {
		t.Errorf("a dead stream: %v after %v, want ErrStalled", err, took)
	}
	t.Logf("%v after %v", err, took)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	again := openVivid(t, 0, "")
	start(t, again, small)
	read(t, again).Release()
}

func TestLabStall(t *testing.T) {
	c := openVivid(t, 0, "")
	start(t, c, small)
	read(t, c).Release()
	set(t, c, "Percentage of Dropped Buffers", 100)
	defer set(t, openVivid(t, 0, ""), "Percentage of Dropped Buffers", 0)
	took, err := until(t, c)
	if !errors.Is(err, ErrStalled) || took < time.Second {
		t.Errorf("standing still: %v after %v, want ErrStalled after 2 s", err, took)
	}
	t.Logf("%v after %v", err, took)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	// Close wakes a Read that waits for nothing.
	again := openVivid(t, 0, "")
	start(t, again, small)
	woken := make(chan error, 1)
	go func() {
		_, err := again.Read()
		woken <- err
	}()
	time.Sleep(200 * time.Millisecond)
	begun := time.Now()
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	if err := <-woken; !errors.Is(err, os.ErrClosed) {
		t.Errorf("closed while reading: %v", err)
	}
	t.Logf("Close took %v", time.Since(begun))
}

func TestLabFramesOutliveClose(t *testing.T) {
	c := openVivid(t, 0, "")
	start(t, c, small)
	one, two := read(t, c), read(t, c)
	kept := slices.Clone(two.Data)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	one.Release()
	if !bytes.Equal(kept, two.Data) {
		t.Error("a frame changed after Close")
	}
	two.Release()
	if _, err := c.Read(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Read after Close: %v", err)
	}
	if _, err := c.Control(CtrlPan); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Control after Close: %v", err)
	}
}

// The modes of vivid's control "DV Timings Signal Mode".
const (
	sameTimings = iota
	noSignal
	noLock
	outOfRange
	otherTimings
)

// hdmi is vivid's HDMI input with a lever for its signal.
type hdmi struct {
	t     *testing.T
	lever *Camera
}

func (h hdmi) mode(m int64) { set(h.t, h.lever, "DV Timings Signal Mode", m) }

func (h hdmi) choose(timings string) {
	set(h.t, h.lever, "DV Timings", entry(h.t, h.lever, "DV Timings", timings))
}

// stream starts the input, takes a picture and closes it.
func (h hdmi) stream() Mode {
	h.t.Helper()
	c := openVivid(h.t, 1, "1")
	m := start(h.t, c, small)
	read(h.t, c).Release()
	if err := c.Close(); err != nil {
		h.t.Error(err)
	}
	return m
}

// settle brings the input to timings and leaves them there.
func (h hdmi) settle(timings string) Mode {
	h.t.Helper()
	h.choose(timings)
	h.mode(otherTimings)
	m := h.stream()
	h.mode(sameTimings)
	return m
}

func openHDMI(t *testing.T) hdmi {
	h := hdmi{t, openVivid(t, 1, "")}
	probe := openVivid(t, 1, "1")
	if err := probe.selectInput(); err != nil { // vivid keeps the signal mode for each input
		t.Fatal(err)
	}
	t.Cleanup(func() { // leave it as it was
		h.settle("1280x720p60")
		if err := openVivid(t, 1, "0").selectInput(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func TestLabSignal(t *testing.T) {
	h := openHDMI(t)
	for _, m := range []int64{noSignal, noLock, outOfRange} {
		c := openVivid(t, 1, "1")
		start(t, c, small)
		read(t, c).Release()
		h.mode(m)
		took, err := until(t, c)
		if !errors.Is(err, ErrNoSignal) {
			t.Errorf("signal mode %d: %v, want ErrNoSignal", m, err)
		}
		t.Logf("signal mode %d: %v after %v", m, err, took)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		again := openVivid(t, 1, "1")
		if _, err := again.Start(small); !errors.Is(err, ErrNoSignal) {
			t.Errorf("signal mode %d at Start: %v, want ErrNoSignal", m, err)
		}
		if _, err := again.Modes(); !errors.Is(err, ErrNoSignal) {
			t.Errorf("signal mode %d, modes: %v, want ErrNoSignal", m, err)
		}
		h.mode(sameTimings)
		start(t, again, small) // the same camera, once more
		read(t, again).Release()
		if err := again.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestLabTimingsChange(t *testing.T) {
	h := openHDMI(t)
	if m := h.settle("1280x720p50"); math.Abs(m.Rate-50) > 0.1 {
		t.Errorf("a signal of 50 pictures a second gives %v", m)
	}
	h.choose("640x480p59")
	c := openVivid(t, 1, "1")
	start(t, c, small)
	read(t, c).Release()
	h.mode(otherTimings)
	took, err := until(t, c)
	if !errors.Is(err, ErrChanged) {
		t.Errorf("other timings: %v, want ErrChanged", err)
	}
	t.Logf("%v after %v", err, took)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if m := h.stream(); math.Abs(m.Rate-59.94) > 0.1 {
		t.Errorf("after the change: %v", m)
	}
}

// driver unbinds vivid's driver or binds it again.
func driver(t *testing.T, action string) {
	t.Helper()
	if err := os.WriteFile("/sys/bus/platform/drivers/vivid/"+action, []byte("vivid.0"), 0); err != nil {
		t.Fatal(err)
	}
}

// The camera goes with its driver, as it does when it is pulled out, and comes back under its name.
func TestLabUnbind(t *testing.T) {
	all, err := List()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(i Info) bool { return i.Driver == "vivid" && len(i.Links) > 0 })
	if i < 0 {
		t.Fatalf("no vivid with a link among %+v", all)
	}
	spec := all[i].Links[0]
	for range 3 {
		c, err := Open(spec)
		if err != nil {
			t.Fatal(err)
		}
		start(t, c, small)
		read(t, c).Release()
		driver(t, "unbind")
		took, err := until(t, c)
		if !errors.Is(err, ErrLost) {
			t.Errorf("%v, want ErrLost", err)
		}
		t.Logf("%v after %v", err, took)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if _, err := Open(spec); !errors.Is(err, ErrAbsent) {
			t.Errorf("opening what is gone: %v", err)
		}
		driver(t, "bind")
		begun := time.Now()
		for c, err = Open(spec); err != nil && time.Since(begun) < 5*time.Second; c, err = Open(spec) {
			time.Sleep(20 * time.Millisecond) // udev makes the link
		}
		if err != nil {
			t.Fatal(err)
		}
		start(t, c, small)
		read(t, c).Release()
		t.Logf("back after %v", time.Since(begun))
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestLabCyclesLeaveNothing(t *testing.T) {
	count := func() (files, routines int) {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries), runtime.NumGoroutine()
	}
	cycle := func() {
		c, err := openNode(vividNode(t, 0))
		if err != nil {
			t.Fatal(err)
		}
		start(t, c, Mode{YUYV, 320, 180, 60})
		for range 2 {
			read(t, c).Release()
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	cycle()
	files, routines := count()
	begun := time.Now()
	for range 200 {
		cycle()
	}
	after, routinesAfter := count()
	t.Logf("200 cycles in %v: files %d -> %d, goroutines %d -> %d", time.Since(begun), files, after, routines, routinesAfter)
	if after != files || routinesAfter != routines {
		t.Errorf("files %d -> %d, goroutines %d -> %d", files, after, routines, routinesAfter)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(maps), "/dev/video"); n != 0 {
		t.Errorf("%d mappings left", n)
	}
}
