//go:build lab

package uevent

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// These run in the lab guest, which is emulated on a machine that may be busy: nothing here judges how long something takes.

// patience is how long a condition is waited for.
const patience = 2 * time.Minute

// TestLabComingAndGoing loads and removes a module with a device node and listens to both voices.
func TestLabComingAndGoing(t *testing.T) {
	events := hear(t)
	modprobe(t, "-r", "vicodec")
	modprobe(t, "vicodec")
	t.Cleanup(func() { modprobe(t, "-r", "vicodec") })
	for _, s := range []Source{Kernel, Udev} {
		await(t, events, s, "add", "video4linux")
	}
	modprobe(t, "-r", "vicodec")
	for _, s := range []Source{Kernel, Udev} {
		await(t, events, s, "remove", "video4linux")
	}
}

// TestLabUnprivileged runs the test above's listening half as nobody: listening takes no privilege.
func TestLabUnprivileged(t *testing.T) {
	if os.Getuid() == 0 {
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		binary, err := os.ReadFile(exe)
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.CreateTemp("/tmp", "uevent") // nobody may not look into root's folders
		if err != nil {
			t.Fatal(err)
		}
		defer os.Remove(f.Name())
		if _, err := f.Write(binary); err != nil {
			t.Fatal(err)
		}
		if err := f.Chmod(0o755); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		asNobody(t, f.Name())
		return
	}
	events := hear(t)
	fmt.Println(listening)
	for _, s := range []Source{Kernel, Udev} {
		await(t, events, s, "change", "mem")
	}
}

// listening is what the listener says when something may happen.
const listening = "listening"

// asNobody runs TestLabUnprivileged in a process of nobody's, and makes what that listens for.
func asNobody(t *testing.T, exe string) {
	t.Helper()
	cmd := exec.Command(exe, "-test.run=^TestLabUnprivileged$", "-test.v")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	for in := bufio.NewScanner(out); in.Scan(); {
		fmt.Fprintln(&said, in.Text())
		if strings.HasSuffix(in.Text(), listening) {
			if err := os.WriteFile("/sys/class/mem/null/uevent", []byte("change"), 0); err != nil {
				t.Error(err)
			}
		}
	}
	if err := cmd.Wait(); err != nil || !strings.Contains(said.String(), "PASS: TestLabUnprivileged") {
		t.Fatalf("as nobody: %v\n%s", err, said.String())
	}
}

// TestLabOverrun stops reading until the kernel has no room left.
func TestLabOverrun(t *testing.T) {
	m, err := New()
	if err != nil {
		t.Fatal(err)
	}
	if err := setBuffer(m, 4096); err != nil {
		t.Fatal(err)
	}
	for range 300 {
		if err := os.WriteFile("/sys/class/mem/null/uevent", []byte("change"), 0); err != nil {
			t.Fatal(err)
		}
	}
	events, stop := m.Subscribe()
	defer stop()
	run(t, m)
	limit := time.After(patience)
	for {
		select {
		case e := <-events:
			if e.Lost {
				if m.Stats().Overruns == 0 {
					t.Error("the overrun is not counted")
				}
				return
			}
		case <-limit:
			t.Fatalf("nothing tells of the overrun: %+v", m.Stats())
		}
	}
}

func setBuffer(m *Monitor, bytes int) error {
	raw, err := m.next.(*socket).file.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	err = raw.Control(func(fd uintptr) {
		set = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUFFORCE, bytes)
	})
	if err != nil {
		return err
	}
	return set
}

func hear(t *testing.T) <-chan Event {
	t.Helper()
	m, err := New()
	if err != nil {
		t.Fatal(err)
	}
	events, stop := m.Subscribe()
	t.Cleanup(stop)
	run(t, m)
	return events
}

func run(t *testing.T, m *Monitor) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = m.Run(t.Context()) // ends with the test
	}()
	t.Cleanup(func() { <-ended })
}

func await(t *testing.T, events <-chan Event, s Source, action, subsystem string) {
	t.Helper()
	limit := time.After(patience)
	for {
		select {
		case e := <-events:
			if e.Source == s && e.Action == action && e.Subsystem == subsystem && strings.HasPrefix(e.DevName, "/dev/") {
				return
			}
		case <-limit:
			t.Fatalf("no %s of %s from %s", action, subsystem, s)
		}
	}
}

// modprobe loads or removes a module; udev may hold the new node for a moment.
func modprobe(t *testing.T, arg ...string) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		out, err := exec.Command("modprobe", arg...).CombinedOutput()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("modprobe %v: %v\n%s", arg, err, out)
		}
	}
}
