package line

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// shelf makes a folder of files that stand for lines, all off, and tells child processes of it.
func shelf(t *testing.T, lines ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, line := range lines {
		for _, name := range []string{line, line + ".lock"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte("0"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Setenv(dirEnv, dir)
	return dir
}

func content(t *testing.T, dir, line string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, line))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// eventually waits for something that another process does.
func eventually(t *testing.T, what string, is func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !is() {
		if time.Since(began) > 2*time.Minute {
			t.Fatalf("%s: not within two minutes", what)
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(began)
}

// runLines runs l until the test ends or stop is called, which gives Run's error.
func runLines(t *testing.T, l *Lines) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	var err error
	done := false
	stop = func() error {
		cancel()
		if !done {
			err, done = <-ended, true
		}
		return err
	}
	t.Cleanup(func() { _ = stop() })
	return stop
}

func lampLines(t *testing.T, lines ...string) *Lines {
	t.Helper()
	l, err := New(daemonOptions(lines, "line-guard"))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func up(l *Lines) func() bool {
	return func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.guard != nil
	}
}

func TestOutputs(t *testing.T) {
	dir := shelf(t, "A", "B")
	l := lampLines(t, "A", "B")
	if err := l.Set("o1", true); !errors.Is(err, ErrDown) {
		t.Errorf("Set before Run: %v", err)
	}
	stop := runLines(t, l)
	eventually(t, "guard", up(l))
	if diff := cmp.Diff(map[string]bool{"o0": false, "o1": true}, l.Read()); diff != "" {
		t.Error(diff)
	}
	if err := l.Set("o0", true); err != nil {
		t.Fatal(err)
	}
	if content(t, dir, "A") != "1" || content(t, dir, "B") != "1" {
		t.Error("the lamps are not on")
	}
	if err := os.WriteFile(filepath.Join(dir, "A.stuck"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := l.Set("o0", false); !errors.Is(err, ErrReadback) {
		t.Errorf("Set of a stuck line: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "A.stuck")); err != nil {
		t.Fatal(err)
	}
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v", err)
	}
	if content(t, dir, "A") != "0" || content(t, dir, "B") != "0" {
		t.Error("the lamps are not in their safe states")
	}
	runLines(t, l) // at once: nobody holds the lines any more
	eventually(t, "guard", up(l))
	if diff := cmp.Diff(map[string]bool{"o0": false, "o1": true}, l.Read()); diff != "" {
		t.Error("wishes after the second claim:", diff)
	}
}

func TestGuardFailsToStart(t *testing.T) {
	shelf(t)
	l := lampLines(t, "A")
	if err := l.Run(t.Context()); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), `output "o0" on line "A"`) {
		t.Errorf("Run without the line = %v", err)
	}
	l.opt.Guard = []string{"/nonexistent/guard"}
	if err := l.Run(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Run without a guard = %v", err)
	}
	l.opt.Guard = []string{"/bin/echo", "hello"}
	if err := l.Run(t.Context()); !errors.Is(err, errProtocol) && !errors.Is(err, ErrGuard) {
		t.Errorf("Run with a guard that is none = %v", err)
	}
}

// A guard that is killed ends Run, so that the supervisor starts another.
func TestGuardKilled(t *testing.T) {
	dir := shelf(t, "A")
	l := lampLines(t, "A")
	ended := make(chan error, 1)
	go func() { ended <- l.Run(t.Context()) }()
	eventually(t, "guard", up(l))
	l.mu.Lock()
	guard := l.guard.cmd.Process
	l.mu.Unlock()
	if err := guard.Signal(syscall.SIGTERM); err != nil { // has no effect
		t.Fatal(err)
	}
	if err := l.Set("o0", true); err != nil {
		t.Fatal("after SIGTERM:", err)
	}
	if err := guard.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, ErrGuard) {
		t.Errorf("Run = %v", err)
	}
	runLines(t, l)
	eventually(t, "guard", up(l))
	if content(t, dir, "A") != "1" {
		t.Error("the wish is forgotten")
	}
}

// startDaemon starts a process with outputs of its own, the first of them switched on.
func startDaemon(t *testing.T, guard string, lines ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "daemon")
	cmd.Env = append(os.Environ(), "LINE_TEST_OUTPUTS="+strings.Join(lines, ","), "LINE_TEST_GUARD="+guard, dirEnv+"="+os.Getenv(dirEnv))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if in := bufio.NewScanner(out); !in.Scan() || in.Text() != "on" {
		t.Fatalf("the daemon says %q", in.Text())
	}
	return cmd
}

// kill -9 of the daemon: the guard drives the safe state, holds it, and a new daemon's guard waits for the lines.
func TestDaemonKilled(t *testing.T) {
	dir := shelf(t, "A", "B")
	daemon := startDaemon(t, "line-guard", "A", "B")
	if content(t, dir, "A") != "1" {
		t.Fatal("the lamp is not on")
	}
	killed := time.Now()
	if err := daemon.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	took := eventually(t, "safe state", func() bool { return content(t, dir, "A") == "0" })
	_ = daemon.Wait() // it was killed
	l := lampLines(t, "A", "B")
	runLines(t, l)
	// On a machine so busy that the old guard's time is over by now, the second one may have the line.
	if err := l.Set("o0", true); !errors.Is(err, ErrDown) && (err != nil || time.Since(killed) < holdTime) {
		t.Errorf("Set while the old guard holds the line: %v", err)
	}
	eventually(t, "second guard", up(l))
	held := time.Since(killed)
	if held < holdTime {
		t.Errorf("the lines were free %v after the daemon's death, want %v at least", held, holdTime)
	}
	eventually(t, "the wish, which a guard that had begun to start is told afterwards", func() bool { return content(t, dir, "A") == "1" })
	t.Logf("safe %v after kill -9, the next daemon has the lines after %v", took.Round(time.Millisecond), held.Round(time.Millisecond))
}
