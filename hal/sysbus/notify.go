package sysbus

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// Notifier tells systemd how the daemon does (sd_notify(3)). A nil Notifier is good for everything and does nothing: the
// daemon was not started by systemd then.
type Notifier struct {
	socket   string
	interval time.Duration
}

// Notify gives the Notifier systemd asked for by NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID; nil when it did not.
func Notify() *Notifier {
	socket := os.Getenv("NOTIFY_SOCKET")
	if !strings.HasPrefix(socket, "/") && !strings.HasPrefix(socket, "@") {
		return nil
	}
	n := &Notifier{socket: socket}
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	pid := os.Getenv("WATCHDOG_PID")
	if err == nil && usec > 0 && usec < int64(24*time.Hour/time.Microsecond) && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		n.interval = time.Duration(usec) * time.Microsecond / 2
	}
	return n
}

// Ready says that the daemon does what it is there for.
func (n *Notifier) Ready() error { return n.send("READY=1") }

// Stopping says that the daemon is about to end.
func (n *Notifier) Stopping() error { return n.send("STOPPING=1") }

// Status says in one line how the daemon does, for systemctl status.
func (n *Notifier) Status(text string) error { return n.send("STATUS=" + clean(text)) }

// Alive feeds the watchdog.
func (n *Notifier) Alive() error { return n.send("WATCHDOG=1") }

// Interval is how often Alive should be called: half of what systemd waits (sd_watchdog_enabled(3)). 0: no watchdog.
func (n *Notifier) Interval() time.Duration {
	if n == nil {
		return 0
	}
	return n.interval
}

// send gives one message to systemd. The socket is opened each time: systemd may have made a new one.
func (n *Notifier) send(message string) error {
	if n == nil {
		return nil
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.socket, Net: "unixgram"}) // @: an abstract one
	if err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	defer c.Close()
	if err := c.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	if _, err := c.Write([]byte(message)); err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	return nil
}
