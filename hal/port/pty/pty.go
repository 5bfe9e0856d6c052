// Package pty opens kernel pseudo-terminals: the far end of a serial line for simulators and tests.
package pty

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// PTY is a pseudo-terminal in raw mode. The program under test opens Path; the simulator reads and writes the PTY.
type PTY struct {
	*os.File          // the master side, with deadlines
	slave    *os.File // held open so that a program that closes Path does not hang the line up
}

// Open makes a new pseudo-terminal (pts(4)).
func Open() (*PTY, error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/ptmx: %w", err)
	}
	p := &PTY{File: os.NewFile(uintptr(fd), "/dev/ptmx")}
	if p.slave, err = openSlave(fd); err != nil {
		return nil, errors.Join(err, p.File.Close())
	}
	return p, nil
}

func openSlave(master int) (*os.File, error) {
	if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
		return nil, fmt.Errorf("unlock pty: %w", err)
	}
	n, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
	if err != nil {
		return nil, fmt.Errorf("number of pty: %w", err)
	}
	path := fmt.Sprintf("/dev/pts/%d", n)
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	slave := os.NewFile(uintptr(fd), path)
	if err := setRaw(fd); err != nil {
		return nil, errors.Join(fmt.Errorf("set %s raw: %w", path, err), slave.Close())
	}
	return slave, nil
}

// setRaw stops the kernel from echoing what the master sends before the program under test has set its line.
func setRaw(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	t.Cflag = unix.CS8 | unix.CREAD | unix.CLOCAL
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}

// Path is the name under which the program under test opens the line.
func (p *PTY) Path() string { return p.slave.Name() }

// Close hangs the line up, for whoever holds Path open too.
func (p *PTY) Close() error { return errors.Join(p.slave.Close(), p.File.Close()) }
