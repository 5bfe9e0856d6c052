package main

import (
	"errors"
	"io"
	"net"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"plenum/test/lab/frame"
)

// run runs a command in bash with its own process group. The group is killed when the time is up and when the harness
// is gone, so that nothing of a test that ended goes on in the guest.
func run(c net.Conn, call frame.Call) frame.Outcome {
	cmd := exec.Command("/bin/bash", "-c", call.Command)
	cmd.Env = environ()
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out := &locked{to: c}
	cmd.Stdout, cmd.Stderr = frame.Writer{To: out, Kind: frame.Stdout}, frame.Writer{To: out, Kind: frame.Stderr}
	// A child left in the background keeps the pipe open; the command has ended all the same.
	cmd.WaitDelay = 500 * time.Millisecond
	if err := cmd.Start(); err != nil {
		return outcome(err)
	}
	kill := func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var late atomic.Bool
	if call.Timeout > 0 {
		timer := time.AfterFunc(call.Timeout, func() {
			late.Store(true)
			kill()
		})
		defer timer.Stop()
	}
	var ended atomic.Bool
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		// The harness sends nothing more: what comes is the end of the connection, or the deadline set below.
		_, _ = io.Copy(io.Discard, c)
		if !ended.Load() {
			kill()
		}
	}()
	err := cmd.Wait()
	ended.Store(true)
	_ = c.SetReadDeadline(time.Now())
	<-gone
	return exit(err, late.Load())
}

// exit tells how a process ended.
func exit(err error, late bool) frame.Outcome {
	out := frame.Outcome{TimedOut: late}
	failed, ok := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil || errors.Is(err, exec.ErrWaitDelay):
	case !ok:
		out.Code, out.Error = -1, err.Error()
	default:
		out.Code = failed.ExitCode()
		if status, ok := failed.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			out.Signal = status.Signal().String()
		}
	}
	return out
}

// locked keeps frames of two writers apart.
type locked struct {
	mu sync.Mutex
	to io.Writer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.Write(p)
}
