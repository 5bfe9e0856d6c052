// Package e2e runs the whole product as its users do: the demo's binary around the real daemon, Chromium as the chair,
// as a remote member and as the hall screen, an independent WebRTC stack as another member.
package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// patience is how long a test waits for anything at all. What is waited for is a condition and takes a moment; the
// limit is for what never comes, on a machine that is busy with other things. No test judges how long something took.
const patience = 90 * time.Second

const (
	chromiumPath = "/usr/bin/chromium"
	pythonPath   = "/usr/bin/python3" // Debian's, which has aiortc
)

func TestMain(m *testing.M) {
	if missing := missingTool(); missing != "" {
		fmt.Println("test/e2e: " + missing)
		os.Exit(1)
	}
	_ = os.RemoveAll(absolute("../../run/e2e")) // what failed last time
	code := m.Run()
	chromium.stop()
	os.Exit(code)
}

// missingTool says in one line what is not there and what to do.
func missingTool() string {
	for _, name := range []string{"plenumd", "plenum-demo", "plenumctl"} {
		if _, err := os.Stat(bin(name)); err != nil {
			return bin(name) + " is not there; run make build first"
		}
	}
	if _, err := os.Stat(chromiumPath); err != nil {
		return chromiumPath + " is not there; run make test-packages (Debian package chromium)"
	}
	find := "import importlib.util, sys; sys.exit(importlib.util.find_spec('aiortc') is None)"
	if err := exec.Command(pythonPath, "-c", find).Run(); err != nil {
		return pythonPath + " has no aiortc; run make test-packages (Debian package python3-aiortc)"
	}
	return ""
}

func absolute(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		panic(err)
	}
	return abs
}

func bin(name string) string { return absolute(filepath.Join("../../bin", name)) }

// kept is the folder for what a failed test leaves behind. The test's own folders vanish with it.
func kept(t *testing.T) string {
	dir := absolute(filepath.Join("../../run/e2e", t.Name()))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Error(err)
	}
	return dir
}

// eventually waits for something another process does.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		if ok() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
