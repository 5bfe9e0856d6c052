package line

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// dirEnv names the folder whose files stand for lines in the processes of a test.
const dirEnv = "LINE_TEST_DIR"

// TestMain is a guard or a daemon, too, when the tests start it as one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Getenv(dirEnv) != "" {
		var err error
		switch os.Args[1] {
		case "line-guard":
			signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE)
			err = guard(context.Background(), os.Stdin, os.Stdout, claimFile)
		case "kernel-guard":
			err = Guard(context.Background(), os.Stdin, os.Stdout)
		case "daemon":
			err = daemon()
		default:
			goleak.VerifyTestMain(m)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, os.Args[1]+":", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// daemon switches the first of its outputs on, says so, and waits to be killed.
func daemon() error {
	l, err := New(daemonOptions(strings.Split(os.Getenv("LINE_TEST_OUTPUTS"), ","), os.Getenv("LINE_TEST_GUARD")))
	if err != nil {
		return err
	}
	go func() {
		for {
			if err := l.Set("o0", true); err == nil {
				fmt.Println("on")
				return
			} else if !errors.Is(err, ErrDown) {
				fmt.Println(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	return l.Run(context.Background())
}

func daemonOptions(lines []string, guard string) Options {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	opt := Options{Guard: []string{exe, guard}}
	if guard == "line-guard" {
		opt.Guard = nil // which means the same
	}
	for i, line := range lines {
		opt.Outputs = append(opt.Outputs, Output{Name: fmt.Sprint("o", i), Line: line})
	}
	return opt
}

// filePin is a line that is a file with 0 or 1 in it. A file NAME.stuck keeps it from following.
type filePin struct {
	path string
	lock *os.File
}

func claimFile(o Output, now bool) (pin, error) {
	path := filepath.Join(os.Getenv(dirEnv), o.Line)
	lock, err := os.OpenFile(path+".lock", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrMissing, err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(ErrBusy, lock.Close())
	}
	p := &filePin{path, lock}
	return p, p.set(now)
}

func (p *filePin) set(on bool) error {
	if _, err := os.Stat(p.path + ".stuck"); err == nil {
		return nil
	}
	next := p.path + ".new"
	if err := os.WriteFile(next, []byte(flag(on)), 0o600); err != nil {
		return err
	}
	return os.Rename(next, p.path)
}

func (p *filePin) get() (bool, error) {
	b, err := os.ReadFile(p.path)
	if err != nil {
		return false, fmt.Errorf("%w: %v", ErrMissing, err)
	}
	return string(b) == "1", nil
}

func (p *filePin) close() error { return p.lock.Close() }

// fakeSensor is an input in the test's hand.
type fakeSensor struct {
	mu     sync.Mutex
	on     bool
	err    error
	edges  chan []edge
	closed chan struct{}
}

func newSensor(on bool) *fakeSensor {
	return &fakeSensor{on: on, edges: make(chan []edge), closed: make(chan struct{})}
}

func (s *fakeSensor) wait() ([]edge, error) {
	select {
	case e := <-s.edges:
		return e, nil
	case <-s.closed:
		return nil, os.ErrClosed
	}
}

func (s *fakeSensor) get() (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.on, s.err
}

func (s *fakeSensor) be(on bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on, s.err = on, err
}

func (s *fakeSensor) close() error { close(s.closed); return nil }

func testLog(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}
