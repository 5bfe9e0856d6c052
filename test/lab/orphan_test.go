//go:build lab

package lab

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestQEMUDoesNotOutliveUs kills a process that has started QEMU, as a time-out of go test does.
func TestQEMUDoesNotOutliveUs(t *testing.T) {
	if dir := os.Getenv("LAB_ORPHAN"); dir != "" {
		p, err := start([]string{"-S", "-M", "none", "-display", "none", "-nodefaults"}, filepath.Join(dir, "qemu.log"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("QEMU", p.cmd.Process.Pid)
		select {}
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestQEMUDoesNotOutliveUs$")
	cmd.Env = append(os.Environ(), "LAB_ORPHAN="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := ""
	for lines := bufio.NewScanner(out); pid == "" && lines.Scan(); {
		pid, _ = strings.CutPrefix(lines.Text(), "QEMU ")
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if pid == "" {
		t.Fatal("QEMU was not started")
	}
	for range 500 {
		state, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil || strings.Contains(string(state), ") Z ") {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("QEMU goes on without us")
}

// TestQEMUThatDiesIsToldOf: whoever has an order for it is told that it is gone, what it said, and what to do.
func TestQEMUThatDiesIsToldOf(t *testing.T) {
	dir, err := newFolder()
	if err != nil {
		t.Fatal(err)
	}
	v := &VM{opt: Options{Name: "dies"}, dir: dir, ports: map[key]int{}, logs: filepath.Join(t.TempDir(), "dies")}
	defer v.Close()
	v.proc, err = start([]string{"-S", "-M", "none", "-display", "none", "-nodefaults", "-qmp", "unix:" + comma(v.path("qmp")) + ",server=on,wait=off"}, v.logs+".qemu")
	if err != nil {
		t.Fatal(err)
	}
	if err := v.proc.connect(t.Context(), v.path("qmp")); err != nil {
		t.Fatal(err)
	}
	if err := v.proc.cmd.Process.Signal(syscall.SIGSEGV); err != nil {
		t.Fatal(err)
	}
	<-v.proc.qmp.Done()
	err = v.Plug(t.Context(), Device{ID: "keys", Kind: Keyboard})
	if !errors.Is(err, ErrOff) || !strings.Contains(err.Error(), "plugging keys in: dies is off: the boot ended as \"killed\" (QEMU: signal: segmentation fault") ||
		!strings.Contains(err.Error(), "run it again") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
}
