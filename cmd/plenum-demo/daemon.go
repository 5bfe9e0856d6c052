package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// daemon keeps a real plenumd running, as systemd does on the box: when it dies it is started again at once.
type daemon struct {
	binary, config string
	logFile        string // where the daemon's own log goes
	verbose        bool   // to the terminal instead, with all details
	log            *slog.Logger
}

// findDaemon looks for plenumd beside this program, then on PATH.
func findDaemon() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("finding plenumd: %w", err)
	}
	beside := filepath.Join(filepath.Dir(self), "plenumd")
	if _, err := os.Stat(beside); err == nil {
		return beside, nil
	}
	path, err := exec.LookPath("plenumd")
	if err != nil {
		return "", fmt.Errorf("plenumd is neither beside %s nor on PATH; make build builds both", self)
	}
	return path, nil
}

// run starts plenumd again and again until ctx ends, then asks it to end.
func (d daemon) run(ctx context.Context) error {
	for quick := 0; ; {
		began := time.Now()
		err := d.once(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > 2*time.Second {
			quick = 0
		}
		if quick++; quick > 5 {
			return fmt.Errorf("plenumd does not stay up: %w\n%s", err, d.lastWords())
		}
		d.log.Warn("plenumd ended, starting it again", "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (d daemon) once(ctx context.Context) error {
	args := []string{"--config", d.config}
	if d.verbose {
		args = append(args, "--verbose")
	}
	cmd := exec.CommandContext(ctx, d.binary, args...)
	cmd.Stderr = os.Stderr
	if !d.verbose {
		f, err := os.OpenFile(d.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("the daemon's log: %w", err)
		}
		defer f.Close()
		cmd.Stderr = f
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	// A demo that is killed does not leave a daemon behind. The kernel ties this to the thread that starts the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("plenumd: %w", err)
	}
	return errors.New("plenumd ended without being asked")
}

// lastWords is the end of the daemon's log, for the one who wonders why it does not stay up.
func (d daemon) lastWords() string {
	b, err := os.ReadFile(d.logFile)
	if err != nil {
		return ""
	}
	return string(b[max(0, len(b)-2000):])
}
