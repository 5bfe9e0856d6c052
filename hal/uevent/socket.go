package uevent

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Multicast groups of NETLINK_KOBJECT_UEVENT.
const (
	groupKernel = 1
	groupUdev   = 2
)

// receiveBuffer holds some thousand announcements: a USB hub that comes back, or a boot, makes hundreds in a moment.
const receiveBuffer = 8 << 20

// socket is the netlink socket (netlink(7)), on the runtime's poller.
type socket struct{ file *os.File }

// openSocket opens the socket and joins both groups. Everybody may listen; sending takes CAP_NET_ADMIN.
func openSocket() (source, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return nil, fmt.Errorf("open the socket of device announcements: %w", err)
	}
	if err := setUp(fd); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("open the socket of device announcements: %w", err)
	}
	return &socket{file: os.NewFile(uintptr(fd), "uevent")}, nil
}

func setUp(fd int) error {
	// Only root may go beyond net.core.rmem_max; others get what that allows.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer); err != nil {
			return fmt.Errorf("enlarge its buffer: %w", err)
		}
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		return fmt.Errorf("ask for the senders' names: %w", err)
	}
	return unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groupKernel | groupUdev})
}

func (s *socket) receive(buf []byte) (n int, from sender, err error) {
	raw, err := s.file.SyscallConn()
	if err != nil {
		return 0, sender{}, err
	}
	oob := make([]byte, unix.CmsgSpace(unix.SizeofUcred))
	var oobn, flags int
	var addr unix.Sockaddr
	var got error
	err = raw.Read(func(fd uintptr) bool {
		for {
			n, oobn, flags, addr, got = unix.Recvmsg(int(fd), buf, oob, 0)
			if !errors.Is(got, unix.EINTR) {
				break
			}
		}
		return !errors.Is(got, unix.EAGAIN)
	})
	switch {
	case err != nil:
		return 0, sender{}, err
	case errors.Is(got, unix.ENOBUFS), got == nil && flags&unix.MSG_TRUNC != 0:
		return 0, sender{}, errOverrun
	case got != nil:
		return 0, sender{}, got
	}
	return n, whose(addr, oob[:oobn]), nil
}

// whose tells who sent a message. The kernel has port 0; another process could only be root's, but a message sent to us
// alone and not to the group is nobody's announcement.
func whose(addr unix.Sockaddr, oob []byte) sender {
	a, ok := addr.(*unix.SockaddrNetlink)
	if !ok || a.Groups == 0 {
		return sender{}
	}
	if a.Pid == 0 {
		return sender{kernel: a.Groups == groupKernel}
	}
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(msgs) != 1 || a.Groups != groupUdev {
		return sender{}
	}
	cred, err := unix.ParseUnixCredentials(&msgs[0])
	return sender{root: err == nil && cred.Uid == 0}
}

func (s *socket) interrupt() {
	// A file whose deadline cannot be set is closed already, and nobody waits at it.
	_ = s.file.SetReadDeadline(time.Unix(1, 0))
}

func (s *socket) close() error { return s.file.Close() }
