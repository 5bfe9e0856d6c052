//go:build lab

package line

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/warthog618/go-gpiocdev/uapi"
)

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
	var killed time.Time
	for end := time.Now().Add(patience); ; {
		daemon := startDaemon(t, "kernel-guard", "t-air", "t-rec")
		if c.level("t-air") != "1" {
			t.Fatal("the lamp is not on")
		}
		killed = time.Now()
		if err := daemon.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		safe := eventually(t, "safe state", func() bool { return c.level("t-air") == "0" })
		_ = daemon.Wait() // it was killed
		t.Logf("safe %v after kill -9", safe.Round(time.Millisecond))
		if heldOn(t, killed) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("never asked for the line within the %v of holding", holdTime)
		}
	}
	l := newLines(t, Options{Outputs: []Output{{Name: "air", Line: "t-air"}}})
	if err := l.Set("air", true); !errors.Is(err, ErrDown) {
		t.Error(err)
	}
	runLines(t, l)
	eventually(t, "next guard", up(l))
	if held := time.Since(killed); held < holdTime {
		t.Errorf("the line was free %v after the daemon's death, want %v at least", held, holdTime)
	}
	if c.level("t-air") != "1" {
		t.Error("the next daemon's lamp is not on")
	}
	t.Logf("taken over %v after kill -9", time.Since(killed).Round(time.Millisecond))
}

// heldOn asks for a line whose daemon was killed, which its guard holds for a time. It is false when we were too late for that.
func heldOn(t *testing.T, killed time.Time) bool {
	t.Helper()
	p, err := claimOutput(Output{Line: "t-air"}, false)
	if err == nil {
		if err := p.close(); err != nil {
			t.Error(err)
		}
	}
	if time.Since(killed) >= holdTime {
		return false
	}
	if !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), `"plenum"`) {
		t.Errorf("claim in the time of holding = %v", err)
	}
	return true
}

// end waits for the end of a Run.
func end(t *testing.T, ended <-chan error) error {
	t.Helper()
	select {
	case err := <-ended:
		return err
	case <-time.After(patience):
		t.Fatal("Run goes on")
		return nil
	}
}

// withoutInterrupt claims an input whose changes nobody is told of. When a chip goes while one of its interrupts is held,
// Debian 12's kernel frees that under its holder, writes into the memory later, and sooner or later dies of it. Whether the
// chip is there does not depend on it.
func withoutInterrupt(all []Input) ([]sensor, error) {
	if len(all) == 0 {
		return nil, nil
	}
	p, err := scan().find(all[0].Line)
	if err != nil {
		return nil, err
	}
	config := inputConfig(all[0])
	config.Flags &^= uapi.LineFlagV2EdgeBoth
	w, err := request(p, all[0].Line, config, 0)
	if err != nil {
		return nil, err
	}
	return []sensor{&input{w, make([]byte, edgeSize)}}, nil
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
			l.claim = withoutInterrupt
			ended := make(chan error, 1)
			start := func(ctx context.Context) {
				began := time.Now()
				go func() { ended <- l.Run(ctx) }()
				if len(opt.Outputs) > 0 {
					eventually(t, "guard", up(l))
				} else {
					expect(t, l, began, "key", false, 0)
				}
			}
			start(t.Context())
			c.driver("unbind")
			unplugged := time.Now()
			err := end(t, ended)
			if !errors.Is(err, ErrMissing) {
				t.Errorf("Run = %v", err)
			}
			t.Logf("noticed after %v: %v", time.Since(unplugged).Round(time.Millisecond), err)
			l.claim = claimInputs
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
			if err := end(t, ended); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
}
