package clerk

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"plenum/device/journal"
	"plenum/device/sitting"
)

// childFolder, when set, makes the test binary a daemon that is going to be killed.
const childFolder = "PLENUM_TEST_CLERK_CHILD"

// fingerprint is the same for equal states.
func fingerprint(s sitting.State) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	h := fnv.New64a()
	h.Write(b)
	return strconv.FormatUint(h.Sum64(), 16)
}

// child opens the journal in the folder and lets eight people loose on it, saying what it was told:
//
//	ack SEQ KEY EVENT    Do returned
//	effect SEQ           an effect was handed out
//	state SEQ HASH       a snapshot was seen
func child(dir string) {
	say := func(format string, args ...any) {
		// One write each: a line is whole or not there.
		if _, err := fmt.Fprintf(os.Stdout, format+"\n", args...); err != nil {
			os.Exit(3)
		}
	}
	fail := func(err error) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	ctx := context.Background()
	j, err := journal.Open(ctx, dir, sitting.RulesVersion)
	if err != nil {
		fail(err)
	}
	c, err := New(Options{Journal: j, Patience: patient, Effects: func(seq uint64, _ []sitting.Effect) { say("effect %d", seq) }})
	if err != nil {
		fail(err)
	}
	say("state %d %s", c.Snapshot().Seq, fingerprint(c.Snapshot().State))
	go func() { fail(c.Run(ctx)) }()
	if c.Snapshot().Seq == 0 {
		for _, e := range gather() {
			if _, err := c.Do(ctx, "", e); err != nil {
				fail(err)
			}
		}
	}
	var people sync.WaitGroup
	for w := range 8 {
		people.Go(func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("%d/%d/%d", os.Getpid(), w, i)
				e := anything(rand.IntN)
				r, err := c.Do(ctx, key, e)
				if err != nil {
					continue
				}
				text, err := json.Marshal(e)
				if err != nil {
					fail(err)
				}
				say("ack %d %s %s", r.Seq, key, text)
				if i%5 == 0 {
					s := c.Snapshot()
					say("state %d %s", s.Seq, fingerprint(s.State))
				}
			}
		})
	}
	people.Wait()
}

// told is what a child said before it was killed.
type told struct {
	acks    map[string]uint64
	events  map[string]sitting.Event
	effects []uint64
	states  map[uint64]string
}

// killed runs a child and kills it some time after its first word.
func killed(t *testing.T, dir string, after time.Duration) told {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childFolder+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := told{acks: map[string]uint64{}, events: map[string]sitting.Event{}, states: map[uint64]string{}}
	var kill *time.Timer
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if kill == nil {
			kill = time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		}
		said.take(t, lines.Text())
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatal("the child was not killed:", err)
	}
	return said
}

// take reads one line.
func (s *told) take(t *testing.T, line string) {
	t.Helper()
	f := strings.SplitN(line, " ", 4)
	seq, err := strconv.ParseUint(f[1], 10, 64)
	if err != nil {
		t.Fatal(line, err)
	}
	switch f[0] {
	case "ack":
		var e sitting.Event
		if err := json.Unmarshal([]byte(f[3]), &e); err != nil {
			t.Fatal(line, err)
		}
		s.acks[f[2]], s.events[f[2]] = seq, e
	case "effect":
		s.effects = append(s.effects, seq)
	case "state":
		s.states[seq] = f[2]
	}
}

// A process killed at any moment has lost nothing of what it had said: not an answer, not an effect, not a state.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	acked := map[string]uint64{}
	for round := range 8 {
		said := killed(t, dir, time.Duration(rand.IntN(150))*time.Millisecond)
		j, err := journal.Open(t.Context(), dir, sitting.RulesVersion)
		if err != nil {
			t.Fatal(err)
		}
		journaled := map[string]uint64{}
		state := sitting.New()
		states := map[uint64]string{0: fingerprint(state)}
		err = j.Replay(t.Context(), func(r journal.Record) error {
			if r.Key != "" {
				journaled[r.Key] = r.Seq
			}
			var e sitting.Event
			if err := json.Unmarshal(r.Event, &e); err != nil {
				return err
			}
			state, _, err = sitting.Apply(state, e)
			states[r.Seq] = fingerprint(state)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for key, seq := range said.acks {
			acked[key] = seq
		}
		for key, seq := range acked {
			if journaled[key] != seq {
				t.Fatalf("%s was acknowledged as %d, the journal has %d", key, seq, journaled[key])
			}
		}
		for _, seq := range said.effects {
			if states[seq] == "" {
				t.Fatalf("effects of %d were carried out, the journal does not have it", seq)
			}
		}
		for seq, s := range said.states {
			if states[seq] != s {
				t.Fatalf("at %d the child saw another state than the journal gives", seq)
			}
		}
		checkRestart(t, j, state, said)
		t.Logf("round %d: %d acknowledged, %d effects and %d states seen, %d records in the journal", round, len(said.acks), len(said.effects), len(said.states), len(states)-1)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(acked) == 0 {
		t.Fatal("no child ever acknowledged anything")
	}
}

// checkRestart restarts the clerk in this process: the state is the journal's, and a command that comes again is known.
func checkRestart(t *testing.T, j Journal, state sitting.State, said told) {
	t.Helper()
	c, end := running(t, Options{Journal: j, Patience: patient})
	if c.Replayed().Deviations != 0 || fingerprint(c.Snapshot().State) != fingerprint(state) {
		t.Fatal("the restored state is another one", c.Replayed())
	}
	latest := slices.SortedFunc(maps.Keys(said.acks), func(a, b string) int { return cmp.Compare(said.acks[b], said.acks[a]) })
	for _, key := range latest[:min(len(latest), KeysKept/2)] {
		if r := do(t, c, key, said.events[key]); r.Seq != said.acks[key] || !r.Repeated {
			t.Fatal(key, said.acks[key], r)
		}
	}
	if err := end(); err != nil {
		t.Fatal(err)
	}
}
