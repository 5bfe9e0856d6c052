//go:build lab

package line

import (
	"context"
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
	case <-time.After(20 * time.Second):
		t.Fatal("no event")
		return Event{}
	}
}

func expect(t *testing.T, l *Lines, name string, on bool, seq uint32) Event {
	t.Helper()
	e := next(t, l)
	if e.Name != name || e.On != on || e.Seq != seq || e.Lost || time.Since(e.At) > time.Minute || time.Until(e.At) > time.Second {
		t.Fatalf("%+v, want %s=%v with number %d", e, name, on, seq)
	}
	return e
}

func TestLabEdgesInOrder(t *testing.T) {
	c := newChip(t, "order", "t-key", "t-fire")
	c.pull("t-fire", true)
	l := newLines(t, Options{Inputs: []Input{{Name: "key", Line: "t-key"}, {Name: "fire", Line: "t-fire", ActiveLow: true, Bias: BiasUp}}})
	runLines(t, l)
	expect(t, l, "key", false, 0)
	expect(t, l, "fire", false, 0)
	var last time.Time
	for i := range 4 {
		c.pull("t-key", i%2 == 0)
		e := expect(t, l, "key", i%2 == 0, uint32(i+1))
		if e.At.Before(last) {
			t.Errorf("change %d is earlier than the one before it", i)
		}
		last = e.At
	}
	c.pull("t-fire", false)
	expect(t, l, "fire", true, 1)
	if got := l.Read(); got["key"] || !got["fire"] {
		t.Errorf("read %v", got)
	}
}

func TestLabDebounce(t *testing.T) {
	c := newChip(t, "debounce", "t-key")
	l := newLines(t, Options{Inputs: []Input{{Name: "key", Line: "t-key", Debounce: 300 * time.Millisecond}}})
	runLines(t, l)
	expect(t, l, "key", false, 0)
	c.pull("t-key", true) // a glitch
	time.Sleep(time.Millisecond)
	c.pull("t-key", false)
	select {
	case e := <-l.Events():
		t.Fatalf("the glitch came through: %+v", e)
	case <-time.After(time.Second):
	}
	c.pull("t-key", true)
	expect(t, l, "key", true, 1)
}

// settle takes events until the line has been quiet for a while. Each must be a change, or say that one is missing.
func settle(t *testing.T, l *Lines, last Event) (end Event, changes, lost int) {
	t.Helper()
	for {
		select {
		case e := <-l.Events():
			if !e.Lost && (e.On == last.On || e.Seq != last.Seq+1) {
				t.Fatalf("silent loss between %+v and %+v", last, e)
			}
			changes++
			if e.Lost {
				lost++
			}
			last = e
		case <-time.After(3 * time.Second):
			return last, changes, lost
		}
	}
}

// 200 changes as fast as they can be made. The kernel itself makes one notice of changes it was too late for.
func TestLabBurst(t *testing.T) {
	c := newChip(t, "burst", "t-key")
	l := newLines(t, Options{Inputs: []Input{{Name: "key", Line: "t-key"}}})
	runLines(t, l)
	first := expect(t, l, "key", false, 0)
	for i := range 201 {
		c.pull("t-key", i%2 == 0)
	}
	end, changes, lost := settle(t, l, first)
	if !end.On {
		t.Errorf("at the end %+v", end)
	}
	t.Logf("201 changes: %d notices, %d of them tell of a loss", changes, lost)
}

// A kernel buffer that overflows is noticed by its numbers, and the state at the end is the real one.
func TestLabOverflow(t *testing.T) {
	c := newChip(t, "overflow", "t-key")
	l := newLines(t, Options{Inputs: []Input{{Name: "key", Line: "t-key"}}})
	l.claim = func([]Input) ([]sensor, error) {
		w := claimWire(t, "t-key", 4)
		for i := range 201 { // before anybody reads
			c.pull("t-key", i%2 == 0)
			time.Sleep(time.Millisecond)
		}
		return []sensor{&input{w, make([]byte, edgeSize*eventBuffer)}}, nil
	}
	runLines(t, l)
	first := expect(t, l, "key", true, 0)
	e := next(t, l)
	if !e.Lost || e.Seq < 10 {
		t.Fatalf("first after the overflow: %+v, before %+v", e, first)
	}
	if end, _, _ := settle(t, l, e); !end.On {
		t.Errorf("at the end %+v", end)
	}
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

func TestLabOutputs(t *testing.T) {
	c := newChip(t, "outputs", "t-air", "t-mute")
	l := newLines(t, Options{Outputs: []Output{{Name: "air", Line: "t-air"}, {Name: "mute", Line: "t-mute", ActiveLow: true, Safe: true}}})
	stop := runLines(t, l)
	eventually(t, "guard", up(l))
	levels := func(air, mute string) {
		t.Helper()
		if a, m := c.level("t-air"), c.level("t-mute"); a != air || m != mute {
			t.Errorf("levels %s and %s, want %s and %s", a, m, air, mute)
		}
	}
	levels("0", "0") // safe
	for _, on := range []bool{true, false, true} {
		for _, name := range []string{"air", "mute"} {
			if err := l.Set(name, on); err != nil {
				t.Fatal(err)
			}
		}
		if on {
			levels("1", "0")
		} else {
			levels("0", "1")
		}
		if got := l.Read(); got["air"] != on || got["mute"] != on {
			t.Errorf("read %v, want %v", got, on)
		}
	}
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestLabDaemonKilled(t *testing.T) {
	c := newChip(t, "killed", "t-air", "t-rec")
	t.Setenv(dirEnv, t.TempDir())
	daemon := startDaemon(t, "kernel-guard", "t-air", "t-rec")
	if c.level("t-air") != "1" {
		t.Fatal("the lamp is not on")
	}
	killed := time.Now()
	if err := daemon.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	safe := eventually(t, "safe state", func() bool { return c.level("t-air") == "0" })
	_ = daemon.Wait() // it was killed
	if _, err := claimOutput(Output{Line: "t-air"}, false); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), `"plenum"`) {
		t.Errorf("claim in the time of holding = %v", err)
	}
	l := newLines(t, Options{Outputs: []Output{{Name: "air", Line: "t-air"}}})
	if err := l.Set("air", true); !errors.Is(err, ErrDown) {
		t.Error(err)
	}
	runLines(t, l)
	eventually(t, "next guard", up(l))
	if c.level("t-air") != "1" {
		t.Error("the next daemon's lamp is not on")
	}
	t.Logf("safe %v after kill -9, taken over after %v", safe.Round(time.Millisecond), time.Since(killed).Round(time.Millisecond))
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

// The chip goes while its lines are held, and comes back.
func TestLabUnplug(t *testing.T) {
	c := newChip(t, "unplug", "t-key", "t-air")
	for name, opt := range map[string]Options{
		"input":  {Inputs: []Input{{Name: "key", Line: "t-key"}}},
		"output": {Outputs: []Output{{Name: "air", Line: "t-air"}}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLines(t, opt)
			ended := make(chan error, 1)
			start := func(ctx context.Context) {
				go func() { ended <- l.Run(ctx) }()
				if len(opt.Outputs) > 0 {
					eventually(t, "guard", up(l))
				} else {
					expect(t, l, "key", false, 0)
				}
			}
			start(t.Context())
			c.driver("unbind")
			unplugged := time.Now()
			err := <-ended
			took := time.Since(unplugged)
			if !errors.Is(err, ErrMissing) || took > 5*time.Second {
				t.Errorf("Run = %v after %v", err, took)
			}
			t.Logf("noticed after %v: %v", took.Round(time.Millisecond), err)
			if err := l.Run(t.Context()); !errors.Is(err, ErrMissing) {
				t.Errorf("Run without the chip = %v", err)
			}
			c.driver("bind")
			if len(opt.Outputs) > 0 && !errors.Is(l.Set("air", true), ErrDown) {
				t.Error("Set of a line that is not held")
			}
			ctx, stop := context.WithCancel(t.Context())
			start(ctx)
			if len(opt.Outputs) > 0 && c.level("t-air") != "1" {
				t.Error("the lamp is not on again")
			}
			stop()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
}
