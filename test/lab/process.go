package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"plenum/test/lab/qmp"
)

// process is one run of QEMU.
type process struct {
	cmd    *exec.Cmd
	log    string        // what QEMU itself says
	exited chan struct{} // closed when it has ended and was waited for
	qmp    *qmp.Conn     // nil until connected
	ending Ending        // of connect's watcher until told is closed
	told   chan struct{}
}

// start starts QEMU. It is killed by the kernel when this process ends without having ended it.
func start(args []string, log string) (*process, error) {
	f, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command("qemu-system-x86_64", args...), log: log, exited: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = f, f
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	started := make(chan error, 1)
	go func() {
		// The death signal comes when the thread that started QEMU ends, so that thread is held as long as QEMU lives.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.exited)
		defer f.Close()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("QEMU cannot be started (make lab-packages installs it): %w", err)
	}
	return p, nil
}

// connect waits for QEMU's socket.
func (p *process) connect(ctx context.Context, path string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-p.exited:
			cancel(ErrOff)
		case <-ctx.Done():
		}
	}()
	q, err := qmp.Dial(ctx, path)
	if err != nil {
		return err
	}
	p.qmp, p.told = q, make(chan struct{})
	events, stop := q.Subscribe()
	go func() {
		defer close(p.told)
		defer stop()
		p.ending = Killed
		for {
			select {
			case e := <-events:
				p.ending = p.ending.after(e)
			case <-q.Done():
				for len(events) > 0 {
					p.ending = p.ending.after(<-events)
				}
				return
			}
		}
	}()
	return nil
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
	if p.qmp != nil {
		p.qmp.Close()
		<-p.told
	}
}

// lastWords is what QEMU said, in one line, as an appendix to an error.
func (p *process) lastWords() string {
	if text := strings.TrimSpace(tail(p.log, 3)); text != "" {
		return "; QEMU says: " + strings.ReplaceAll(text, "\n", "; ")
	}
	return ""
}

// tail gives the last lines of a file.
func tail(path string, lines int) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	all := bytes.Split(bytes.TrimRight(b, "\r\n"), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}
