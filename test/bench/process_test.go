package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// roleVariable tells this binary to play a part instead of running benchmarks.
const roleVariable = "PLENUM_BENCH_ROLE"

// question and answer are what the benchmark and its processes exchange, one line of JSON each.
type question struct {
	Op    string
	Path  string        // a configuration file, a line
	URL   string        // where a forwarder is found
	N     int           // how many
	For   time.Duration // how long
	Addrs []string      // of sinks
}

type answer struct {
	URL   string
	Addrs []string
	CPU   time.Duration // processor time used so far, user and system
	Sent  uint64        // packets
	Got   uint64        // packets
	Err   string
}

// part is what a process does: it answers questions, and stops when there are no more.
type part struct {
	do   func(question) (answer, error)
	stop func()
}

// play answers at standard input and output until the benchmark goes away.
func play(role string) int {
	makers := map[string]func() part{
		"daemon": newDaemonPart, "echo": newEchoPart, "load": newLoadPart,
		"plenum": newPlenumPart, "bare": newBarePart,
		"pion": func() part { return newPionPart(false) }, "pion-control": func() part { return newPionPart(true) },
	}
	p := makers[role]()
	defer p.stop()
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var q question
		if err := in.Decode(&q); err != nil {
			return 0
		}
		var a answer
		var err error
		if q.Op == "cpu" {
			a.CPU, err = cpuTime()
		} else {
			a, err = p.do(q)
		}
		if err != nil {
			a.Err = err.Error()
		}
		if err := out.Encode(a); err != nil {
			return 1
		}
	}
}

func cpuTime() (time.Duration, error) {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0, fmt.Errorf("asking for the processor time: %w", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

// process is a running part.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
	log string
}

// start runs a part; it ends with the benchmark.
func start(b *testing.B, role string) *process {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	p := &process{cmd: exec.Command(self), log: filepath.Join(b.TempDir(), role+".log")}
	p.cmd.Env = append(os.Environ(), roleVariable+"="+role)
	log, err := os.Create(p.log)
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	p.cmd.Stderr = log
	in, err1 := p.cmd.StdinPipe()
	out, err2 := p.cmd.StdoutPipe()
	if err := errors.Join(err1, err2, p.cmd.Start()); err != nil {
		b.Fatal(err)
	}
	p.in, p.out = in, json.NewDecoder(out)
	b.Cleanup(func() { p.end(b) })
	return p
}

func (p *process) end(b *testing.B) {
	p.in.Close()
	kill := time.AfterFunc(20*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	if err := p.cmd.Wait(); err != nil || b.Failed() {
		text, _ := os.ReadFile(p.log)
		b.Errorf("%s: %v\n%s", filepath.Base(p.log), err, text[max(0, len(text)-4000):])
	}
}

func (p *process) ask(b *testing.B, q question) answer {
	b.Helper()
	var a answer
	if err := json.NewEncoder(p.in).Encode(q); err != nil {
		b.Fatal(err)
	}
	if err := p.out.Decode(&a); err != nil {
		b.Fatalf("%s %s: %v", filepath.Base(p.log), q.Op, err)
	}
	if a.Err != "" {
		b.Fatalf("%s %s: %s", filepath.Base(p.log), q.Op, a.Err)
	}
	return a
}

// cpu is the processor time the process has used since its start.
func (p *process) cpu(b *testing.B) time.Duration {
	b.Helper()
	return p.ask(b, question{Op: "cpu"}).CPU
}

// resident is the process's memory in MB (10^6 bytes), proc_pid_status(5).
func (p *process) resident(b *testing.B) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	kb, err := strconv.Atoi(strings.Fields(rest + " ?")[0])
	if err != nil {
		b.Fatalf("VmRSS: %v", err)
	}
	return float64(kb) * 1024 / 1e6
}
