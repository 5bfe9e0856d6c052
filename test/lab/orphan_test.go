//go:build lab

package lab

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
