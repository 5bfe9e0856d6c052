//go:build lab

package camera

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
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
	corrupt := 0
	for n := 0; ; n++ {
		f := read(t, c)
		f.Release()
		if f.Corrupt {
			corrupt++
		} else if corrupt > 0 {
			break // good ones again
		}
		if n == 20 { // more than the kernel keeps
			t.Fatalf("%d corrupt frames of %d, and no good one after them", corrupt, n)
		}
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
	if !errors.Is(err, ErrStalled) || took < stallWait {
		t.Errorf("standing still: %v after %v, want ErrStalled after %v", err, took, stallWait)
	}
	t.Logf("%v after %v", err, took)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	for end := time.Now().Add(patience); !closeWakes(t); {
		if time.Now().After(end) {
			t.Fatalf("Read had given up before Close each time for %v", patience)
		}
	}
}

// closeWakes closes a camera that gives nothing while a Read waits for it. It is false when that Read had given up before.
func closeWakes(t *testing.T) bool {
	t.Helper()
	c := openVivid(t, 0, "")
	start(t, c, small)
	woken := make(chan error, 1)
	go func() {
		_, err := c.Read()
		woken <- err
	}()
	within(t, "a Read that waits", func() bool { return len(woken) > 0 || waiting("(*stream).dequeue") })
	begun := time.Now()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	err := <-woken
	t.Logf("Close took %v: %v", time.Since(begun), err)
	if !errors.Is(err, os.ErrClosed) && !errors.Is(err, ErrStalled) {
		t.Errorf("closed while reading: %v", err)
	}
	return !errors.Is(err, ErrStalled)
}

// waiting says whether a goroutine waits for the kernel in a function.
func waiting(function string) bool {
	all := make([]byte, 1<<20)
	for _, one := range strings.Split(string(all[:runtime.Stack(all, true)]), "\n\n") {
		if head, calls, _ := strings.Cut(one, "\n"); strings.Contains(head, "[IO wait") && strings.Contains(calls, function) {
			return true
		}
	}
	return false
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
		c := reopen(t, spec)
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
	}
	c := reopen(t, spec)
	start(t, c, small)
	read(t, c).Release()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	// Who comes next is to find the names there, and to stay.
	if out, err := exec.Command("udevadm", "settle", fmt.Sprintf("--timeout=%d", int(patience.Seconds()))).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// reopen opens a camera as soon as it is there. Its name may go once more after it came: udev works off what happened one after
// the other, and may be behind.
func reopen(t *testing.T, spec string) (c *Camera) {
	t.Helper()
	within(t, "the camera "+spec, func() (there bool) {
		var err error
		if c, err = Open(spec); err != nil && !errors.Is(err, ErrAbsent) {
			t.Fatal(err)
		}
		return err == nil
	})
	return c
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
	cycles := 20
	if os.Getenv("PLENUM_SOAK") != "" {
		cycles = 1000
	}
	for range cycles {
		cycle()
	}
	after, routinesAfter := count()
	t.Logf("%d cycles: files %d -> %d, goroutines %d -> %d", cycles, files, after, routines, routinesAfter)
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
