//go:build lab

package line

import (
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

// These run in the lab guest, which is emulated on a machine that may be busy: nothing here judges how long something takes.

// patience is how long a condition is waited for.
const patience = 2 * time.Minute

func newLines(t *testing.T, opt Options) *Lines {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(dirEnv, t.TempDir()) // makes the test binary a guard
	opt.Guard, opt.Log = []string{exe, "kernel-guard"}, testLog(t)
	l, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func next(t *testing.T, l *Lines) Event {
	t.Helper()
	select {
	case e := <-l.Events():
		return e
	case <-time.After(patience):
		t.Fatal("no event")
		return Event{}
	}
}

// expect takes the next event. It must be of a time between since and now.
func expect(t *testing.T, l *Lines, since time.Time, name string, on bool, seq uint32) Event {
	t.Helper()
	e := next(t, l)
	if e.Name != name || e.On != on || e.Seq != seq || e.Lost {
		t.Fatalf("%+v, want %s=%v with number %d", e, name, on, seq)
	}
	if now := time.Now(); e.At.Before(since) || e.At.After(now) {
		t.Fatalf("%+v is of %v after its cause, and it is %v after that", e, e.At.Sub(since), now.Sub(since))
	}
	return e
}

// changes takes events up to the first that says on and is not older than since. Each must be a change, or say that one is
// missing.
func changes(t *testing.T, l *Lines, last Event, since time.Time) (all, lost int) {
	t.Helper()
	for {
		e := next(t, l)
		if !e.Lost && (e.On == last.On || e.Seq != last.Seq+1) {
			t.Fatalf("silent loss between %+v and %+v", last, e)
		}
		all++
		if e.Lost {
			lost++
		}
		if e.On && !e.At.Before(since) {
			return all, lost
		}
		last = e
	}
}

func TestLabEdgesInOrder(t *testing.T) {
	c := newChip(t, "order", "t-key", "t-fire")
	c.pull("t-fire", true)
	l := newLines(t, Options{Inputs: []Input{{Name: "key", Line: "t-key"}, {Name: "fire", Line: "t-fire", ActiveLow: true, Bias: BiasUp}}})
	began := time.Now()
	runLines(t, l)
	expect(t, l, began, "key", false, 0)
	expect(t, l, began, "fire", false, 0)
	for i := range 4 {
		began = time.Now()
		c.pull("t-key", i%2 == 0)
		expect(t, l, began, "key", i%2 == 0, uint32(i+1))
	}
	began = time.Now()
	c.pull("t-fire", false)
	expect(t, l, began, "fire", true, 1)
	if got := l.Read(); got["key"] || !got["fire"] {
		t.Errorf("read %v", got)
	}
}

// A glitch gives no event: the first is that of the change after it.
func TestLabDebounce(t *testing.T) {
	const debounce = 300 * time.Millisecond
	c := newChip(t, "debounce", "t-key", "t-mark")
	for end := time.Now().Add(patience); time.Now().Before(end); {
		l := newLines(t, Options{Inputs: []Input{
			{Name: "key", Line: "t-key", Debounce: debounce}, {Name: "mark", Line: "t-mark", Debounce: debounce}}})
		began := time.Now()
		stop := runLines(t, l)
		expect(t, l, began, "key", false, 0)
		expect(t, l, began, "mark", false, 0)
		began = time.Now()
		c.pull("t-key", true)
		time.Sleep(time.Millisecond)
		c.pull("t-key", false)
		if time.Since(began) < debounce {
			began = time.Now()
			c.pull("t-mark", true) // debounced as long, and later: the kernel is done with the glitch when it tells this
			expect(t, l, began, "mark", true, 1)
			began = time.Now()
			c.pull("t-key", true)
			expect(t, l, began, "key", true, 1)
			return
		}
		_ = stop() // the machine stood still: that was no glitch
	}
	t.Fatalf("no glitch is shorter than %v", debounce)
}

// 200 changes as fast as they can be made, and one more. The kernel itself makes one notice of changes it was too late for.
func TestLabBurst(t *testing.T) {
	c := newChip(t, "burst", "t-key")
	l := newLines(t, Options{Inputs: []Input{{Name: "key", Line: "t-key"}}})
	began := time.Now()
	runLines(t, l)
	first := expect(t, l, began, "key", false, 0)
	for i := range 200 {
		c.pull("t-key", i%2 == 0)
	}
	began = time.Now()
	c.pull("t-key", true)
	all, lost := changes(t, l, first, began)
	t.Logf("201 changes: %d notices, %d of them tell of a loss", all, lost)
}

// A kernel buffer that overflows is noticed by its numbers, and the state at the end is the real one.
func TestLabOverflow(t *testing.T) {
	c := newChip(t, "overflow", "t-key")
	for end := time.Now().Add(patience); !overflows(t, c); {
		if time.Now().After(end) {
			t.Fatal("the kernel's buffer has room for everything")
		}
	}
}

// overflows makes more changes than the kernel has room for before anybody reads. It is false when the kernel, too late for
// most of them, made so few notices that there was room.
func overflows(t *testing.T, c *chip) bool {
	t.Helper()
	c.pull("t-key", false)
	l := newLines(t, Options{Inputs: []Input{{Name: "key", Line: "t-key"}}})
	l.claim = func([]Input) ([]sensor, error) {
		w := claimWire(t, "t-key", 4)
		for i := range 51 {
			c.pull("t-key", i%2 == 0)
			time.Sleep(time.Millisecond)
		}
		return []sensor{&input{w, make([]byte, edgeSize*eventBuffer)}}, nil
	}
	began := time.Now()
	stop := runLines(t, l)
	defer stop()
	first := expect(t, l, began, "key", true, 0)
	began = time.Now()
	c.pull("t-key", false)
	c.pull("t-key", true)
	e := next(t, l)
	if e.Seq == 1 && !e.Lost {
		return false
	}
	if !e.Lost || e.Seq < 2 {
		t.Fatalf("first after the overflow: %+v, before %+v", e, first)
	}
	if !e.On || e.At.Before(began) {
		changes(t, l, e, began)
	}
	return true
}

func claimWire(t *testing.T, line string, buffer uint32) *wire {
	t.Helper()
	p, err := scan().find(line)
	if err != nil {
		t.Fatal(err)
	}
	w, err := request(p, line, inputConfig(Input{}), buffer)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestLabErrorTexts(t *testing.T) {
	newChip(t, "texts", "t-one", "t-same")
	newChip(t, "texts2", "t-two", "t-same")
	p, err := scan().find("t-two")
	if err != nil {
		t.Fatal(err)
	}
	defer claimWire(t, "t-two", 16).close()
	for line, want := range map[string]struct {
		err   error
		parts []string
	}{
		"t-none": {ErrMissing, []string{`input "x" on line "t-none": no such line: there are [`, `"t-one"`, `"t-two"`}},
		"t-same": {ErrTwice, []string{"line 1 and gpiochip"}},
		"t-two":  {ErrBusy, []string{`(` + p.String() + ` is held by "plenum")`}},
	} {
		err := newLines(t, Options{Inputs: []Input{{Name: "x", Line: line}}}).Run(t.Context())
		if !errors.Is(err, want.err) {
			t.Errorf("%s: %v", line, err)
			continue
		}
		for _, part := range want.parts {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v lacks %q", line, err, part)
			}
		}
		err = newLines(t, Options{Outputs: []Output{{Name: "x", Line: line}}}).Run(t.Context())
		if !errors.Is(err, want.err) || !strings.HasPrefix(err.Error(), `output "x" on line "`+line) || strings.Contains(err.Error(), "\n") {
			t.Errorf("as output %s: %v", line, err)
		}
	}
}

// TestLabPermission looks for a line as nobody.
func TestLabPermission(t *testing.T) {
	if os.Getuid() != 0 {
		_, err := claimInputs([]Input{{Name: "x", Line: "t-one"}})
		if !errors.Is(err, ErrPermission) || !strings.Contains(err.Error(), "/dev/gpiochip") {
			t.Fatal(err)
		}
		return
	}
	newChip(t, "denied", "t-one")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join("/tmp", fmt.Sprint("line-test-", os.Getpid())) // nobody may not look into root's folders
	defer os.Remove(copied)
	if err := os.WriteFile(copied, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(copied, "-test.run=^TestLabPermission$", "-test.v")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS: TestLabPermission") {
		t.Fatalf("as nobody: %v\n%s", err, out)
	}
}
