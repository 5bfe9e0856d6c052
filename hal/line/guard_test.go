package line

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestProtocol(t *testing.T) {
	for _, o := range []order{
		{verb: verbLine, output: Output{Name: "on air", Line: "Ü \"1\"\n", ActiveLow: true, Safe: true}, now: true},
		{verb: verbLine, output: Output{Name: "a", Line: "b"}},
		{verb: verbGo},
		{verb: verbSet, seq: 7, name: "on air", on: true},
		{verb: verbGet, seq: 1 << 63},
		{verb: verbBye},
	} {
		if got, err := parseOrder(o.String()); err != nil || got != o {
			t.Errorf("%q is read as %+v, %v", o, got, err)
		}
	}
	for _, a := range []answer{
		{verb: verbHeld},
		{verb: verbDone, seq: 7, on: true},
		{verb: verbRefused, seq: 8, kind: "busy", text: "in use\nby \"x\""},
		{verb: verbState, seq: 9, states: []named{{"on air", true}, {"b", false}}},
		{verb: verbState, seq: 9},
		{verb: verbSafe},
		{verb: verbFailed, kind: "missing", text: "x"},
	} {
		got, err := parseAnswer(a.String())
		if diff := cmp.Diff(a, got, cmp.AllowUnexported(answer{}, named{})); err != nil || diff != "" {
			t.Errorf("%q is read as %+v, %v", a, got, err)
		}
	}
	for _, bad := range []string{
		"", "x", "go on", "set", "set 1", `set 1 "a"`, `set 1 "a" 2`, `set -1 "a" 1`, `set 1 "a"1`, `set 1 a 1`, `set 1 "a" 1 1`, " go",
		`line "a" "b" 0 0`, "get x", "done 1", "refused 1 x y", "state 1 a", `state 1 "a"`, `failed "x"`, "held 1",
	} {
		_, err := parseOrder(bad)
		_, err2 := parseAnswer(bad)
		if !errors.Is(err, errProtocol) || !errors.Is(err2, errProtocol) {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func FuzzOrder(f *testing.F) {
	f.Add(`line "on-air" "DO1" 0 1 0`)
	f.Add(`set 7 "on-air" 1`)
	f.Fuzz(func(t *testing.T, line string) {
		o, err := parseOrder(line)
		if err != nil {
			return
		}
		if again, err := parseOrder(o.String()); err != nil || again != o {
			t.Errorf("%q means %+v and then %+v, %v", line, o, again, err)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	f.Add(`state 8 "on-air" 1 "x" 0`)
	f.Add(`failed busy "…"`)
	f.Fuzz(func(t *testing.T, line string) {
		a, err := parseAnswer(line)
		if err != nil {
			return
		}
		again, err := parseAnswer(a.String())
		if diff := cmp.Diff(a, again, cmp.AllowUnexported(answer{}, named{})); err != nil || diff != "" {
			t.Errorf("%q: %s, %v", line, diff, err)
		}
	})
}

// bench is a guard with pins in the test's hand, within a bubble of fake time.
type bench struct {
	t     *testing.T
	mu    sync.Mutex
	log   []string // what was done to the pins
	busy  bool
	stuck bool
	gone  bool

	orders  *io.PipeWriter
	answers *bufio.Scanner
	stop    context.CancelFunc
	ended   chan error
}

type benchPin struct {
	b    *bench
	name string
	on   bool
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, ended: make(chan error, 1)}
	r, w := io.Pipe()
	back, out := io.Pipe()
	b.orders, b.answers = w, bufio.NewScanner(back)
	ctx, stop := context.WithCancel(t.Context())
	b.stop = stop
	go func() {
		err := guard(ctx, r, out, b.claim)
		_ = r.Close()
		_ = out.Close()
		b.ended <- err
	}()
	return b
}

func (b *bench) note(format string, arg ...any) {
	b.log = append(b.log, fmt.Sprintf(format, arg...))
}

func (b *bench) claim(o Output, now bool) (pin, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.busy {
		return nil, ErrBusy
	}
	b.note("claim %s %s", o.Line, flag(now))
	return &benchPin{b, o.Line, now}, nil
}

func (p *benchPin) set(on bool) error {
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	p.b.note("%s=%s", p.name, flag(on))
	if !p.b.stuck {
		p.on = on
	}
	return nil
}

func (p *benchPin) get() (bool, error) {
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	if p.b.gone {
		return false, ErrMissing
	}
	return p.on, nil
}

func (p *benchPin) close() error {
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	p.b.note("release %s", p.name)
	return nil
}

func (b *bench) be(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

func (b *bench) say(line string) {
	b.t.Helper()
	if _, err := io.WriteString(b.orders, line+"\n"); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) hears(want string) {
	b.t.Helper()
	if !b.answers.Scan() || !strings.HasPrefix(b.answers.Text(), want) {
		b.t.Fatalf("the guard says %q, want %q", b.answers.Text(), want)
	}
}

// done tells what was done to the pins since the last call.
func (b *bench) done(want ...string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if diff := cmp.Diff(want, b.log); diff != "" {
		b.t.Error(diff)
	}
	b.log = nil
}

func (b *bench) start() {
	b.say(`line "lamp" "A" 0 0 1`)
	b.say(`line "mute" "B" 0 1 0`)
	b.say("go")
	b.hears("held")
	b.done("claim A 1", "claim B 0")
}

func TestGuardAtWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		b.say(`set 1 "lamp" 0`)
		b.hears("done 1 0")
		b.say(`set 2 "mute" 1`)
		b.hears("done 2 1")
		b.say("get 3")
		b.hears(`state 3 "lamp" 0 "mute" 1`)
		b.say(`set 4 "x" 1`)
		b.hears(`refused 4 config "wrong line settings: no such output"`)
		b.be(func() { b.stuck = true })
		b.say(`set 5 "lamp" 1`)
		b.hears("done 5 0")
		b.be(func() { b.stuck = false })
		b.done("A=0", "B=1", "A=1")
		b.say("bye")
		b.hears("safe")
		if err := <-b.ended; err != nil {
			t.Error(err)
		}
		b.done("A=0", "B=1", "release A", "release B")
	})
}

// The daemon's death: safe states at once, held for 2 s, then released.
func TestGuardAlone(t *testing.T) {
	for name, die := range map[string]func(*bench){
		"pipe closed":       func(b *bench) { _ = b.orders.Close() },
		"rubbish":           func(b *bench) { b.say("shutdown now") },
		"end of its own":    func(b *bench) { b.stop() },
		"death in mid-word": func(b *bench) { _, _ = io.WriteString(b.orders, `set 1 "la`); _ = b.orders.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				b.start()
				died := time.Now()
				die(b)
				synctest.Wait()
				if took := time.Since(died); took != 0 {
					t.Errorf("the safe states took %v", took)
				}
				b.done("A=0", "B=1")
				if err := <-b.ended; err != nil {
					t.Error(err)
				}
				if took := time.Since(died); took != holdTime {
					t.Errorf("held for %v", took)
				}
				b.done("release A", "release B")
				_ = b.orders.Close()
				b.stop()
			})
		})
	}
}

func TestGuardWaitsForBusyLines(t *testing.T) {
	for name, free := range map[string]bool{"freed in time": true, "never freed": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				b.be(func() { b.busy = true })
				began := time.Now()
				b.say(`line "lamp" "A" 0 0 1`)
				b.say("go")
				if free {
					time.Sleep(3 * time.Second)
					b.be(func() { b.busy = false })
					b.hears("held")
					b.say("bye")
					b.hears("safe")
				} else {
					b.hears(`failed busy "output \"lamp\" on line \"A\": line in use`)
				}
				if err := <-b.ended; free == errors.Is(err, ErrBusy) {
					t.Errorf("guard = %v", err)
				}
				if took := time.Since(began); took > claimTime+time.Second {
					t.Errorf("it took %v", took)
				}
				_ = b.orders.Close()
				b.stop()
			})
		})
	}
}

func TestGuardEnds(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(*bench)
		want error
	}{
		"chip unplugged":       {func(b *bench) { b.start(); b.be(func() { b.gone = true }); b.hears("failed missing ") }, ErrMissing},
		"stuck at the end":     {func(b *bench) { b.start(); b.be(func() { b.stuck = true }); b.say("bye"); b.hears("failed readback ") }, ErrReadback},
		"go twice":             {func(b *bench) { b.start(); b.say("go"); b.hears("failed other ") }, errProtocol},
		"set before go":        {func(b *bench) { b.say(`set 1 "a" 1`); b.hears("failed other ") }, errProtocol},
		"daemon never started": {func(b *bench) { _ = b.orders.Close() }, nil},
		"daemon gone while busy": {func(b *bench) {
			b.be(func() { b.busy = true })
			b.say(`line "lamp" "A" 0 0 1`)
			b.say("go")
			time.Sleep(time.Second)
			_ = b.orders.Close()
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				c.do(b)
				if err := <-b.ended; !errors.Is(err, c.want) {
					t.Errorf("guard = %v, want %v", err, c.want)
				}
				_ = b.orders.Close()
				b.stop()
			})
		})
	}
}
