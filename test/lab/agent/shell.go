package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"plenum/test/lab/frame"
)

// shell gives a login shell on a terminal of its own until it ends or the harness is gone.
func shell(c net.Conn, call frame.Call) frame.Outcome {
	master, slave, err := terminal()
	if err != nil {
		return outcome(err)
	}
	defer master.Close()
	resize(master, call.Size)
	cmd := exec.Command("/bin/bash", "--login")
	cmd.Env = append(environ(), "TERM=xterm-256color")
	cmd.Dir = "/root"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	err = cmd.Start()
	slave.Close()
	if err != nil {
		return outcome(err)
	}
	typed := make(chan struct{})
	go func() {
		defer close(typed)
		keys(c, master)
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGHUP) // only this ends an interactive shell
	}()
	_, _ = io.Copy(frame.Writer{To: c, Kind: frame.Stdout}, master) // ends with EIO when nobody has the terminal open
	err = cmd.Wait()
	_ = c.SetReadDeadline(time.Now())
	<-typed
	return exit(err, false)
}

// keys carries what is typed until the connection ends.
func keys(c net.Conn, master *os.File) {
	for {
		kind, payload, err := frame.Read(c)
		if err != nil {
			return
		}
		switch kind {
		case frame.Data:
			_, _ = master.Write(payload)
		case frame.Resize:
			var size frame.Size
			if json.Unmarshal(payload, &size) == nil {
				resize(master, size)
			}
		}
	}
}

func resize(master *os.File, size frame.Size) {
	if size.Rows > 0 && size.Cols > 0 {
		_ = unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: size.Rows, Col: size.Cols})
	}
}

// terminal opens both ends of a pseudo-terminal (pts(4)).
func terminal() (master, slave *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		master.Close()
		return nil, nil, fmt.Errorf("unlocking a terminal: %w", err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	}
	if err != nil {
		master.Close()
		return nil, nil, fmt.Errorf("opening a terminal: %w", err)
	}
	return master, slave, nil
}
