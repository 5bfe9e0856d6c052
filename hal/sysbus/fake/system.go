package fake

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

// Systemd starts units.
type Systemd struct {
	*Service
	mu      sync.Mutex
	jobs    int
	results map[string]string
}

// ServeSystemd is systemd on the bus at address. Jobs end well and at once, unless SetResult says otherwise.
func ServeSystemd(address string) (*Systemd, error) {
	s := &Systemd{results: map[string]string{}}
	s.Service = prepare(s.answer)
	return s, s.join(address, "org.freedesktop.systemd1")
}

// SetResult sets how jobs of a unit end; "": they do not.
func (s *Systemd) SetResult(unit, result string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.results[unit] = result
}

func (s *Systemd) answer(c Call) ([]any, error) {
	if c.Member != "StartUnit" {
		return nil, Unknown(c)
	}
	unit := text(c, 0)
	s.mu.Lock()
	s.jobs++
	n := s.jobs
	result, ok := s.results[unit]
	s.mu.Unlock()
	if !ok {
		result = "done"
	}
	job := dbus.ObjectPath(fmt.Sprintf("/org/freedesktop/systemd1/job/%d", n))
	if result == "" {
		return []any{job}, nil
	}
	// A quick job is removed before its caller knows that there is one.
	return []any{job}, s.Finish(n, unit, result)
}

// Finish announces that a job ended. Jobs are counted from 1.
func (s *Systemd) Finish(job int, unit, result string) error {
	path := dbus.ObjectPath(fmt.Sprintf("/org/freedesktop/systemd1/job/%d", job))
	return s.Emit("/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager.JobRemoved", uint32(job), path, unit, result)
}

// Login gives out locks and switches the power.
type Login struct {
	*Service
	dir string

	mu    sync.Mutex
	locks []lock
}

// lock is a pipe in the file system; the other end of it is the caller's.
type lock struct{ ours, theirs int }

// ServeLogin is login1 on the bus at address; its locks are in dir.
func ServeLogin(address, dir string) (*Login, error) {
	l := &Login{dir: dir}
	l.Service = prepare(l.answer)
	return l, l.join(address, "org.freedesktop.login1")
}

func (l *Login) answer(c Call) ([]any, error) {
	switch c.Member {
	case "Reboot", "PowerOff":
		return nil, nil
	case "Inhibit":
		return l.Lock()
	}
	return nil, Unknown(c)
}

// Lock is the answer to Inhibit.
func (l *Login) Lock() ([]any, error) {
	fd, err := l.lock()
	if err != nil {
		return nil, Error("org.freedesktop.DBus.Error.Failed", err.Error())
	}
	return []any{dbus.UnixFD(fd)}, nil
}

func (l *Login) lock() (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	path := filepath.Join(l.dir, fmt.Sprintf("inhibit-%d", len(l.locks)))
	if err := unix.Mkfifo(path, 0o600); err != nil {
		return 0, err
	}
	defer os.Remove(path)
	ours, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	theirs, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		unix.Close(ours)
		return 0, err
	}
	l.locks = append(l.locks, lock{ours, theirs})
	return theirs, nil
}

// Held counts the locks that are held. It may be called when the answers to all calls of Inhibit have come.
func (l *Login) Held() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	held := 0
	for i := range l.locks {
		k := &l.locks[i]
		if k.theirs >= 0 {
			unix.Close(k.theirs) // it was sent, so the caller has one of its own
			k.theirs = -1
		}
		if n, err := unix.Read(k.ours, make([]byte, 1)); n != 0 || err != nil {
			held++ // nothing to read, but somebody could write
		}
	}
	return held
}

// Free gives back what the locks took.
func (l *Login) Free() {
	l.Held()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range l.locks {
		unix.Close(k.ours)
	}
	l.locks = nil
}

// Host is timedate1, hostname1 and network1, each a service of its own.
type Host struct {
	Clock, Name, Network *Service

	mu       sync.Mutex
	synced   bool
	hostname string
	readOnly bool
}

// ServeHost is the three of them on the bus at address.
func ServeHost(address, hostname string) (*Host, error) {
	h := &Host{hostname: hostname}
	for _, s := range []struct {
		at     **Service
		name   string
		answer func(Call) ([]any, error)
	}{{&h.Clock, "timedate1", h.clock}, {&h.Name, "hostname1", h.name}, {&h.Network, "network1", h.network}} {
		made, err := Serve(address, "org.freedesktop."+s.name, s.answer)
		if err != nil {
			h.Close()
			return nil, err
		}
		*s.at = made
	}
	return h, nil
}

// Close ends all three.
func (h *Host) Close() {
	for _, s := range []*Service{h.Clock, h.Name, h.Network} {
		if s != nil {
			s.Close()
		}
	}
}

// Synchronize sets whether the clock is set by a time server.
func (h *Host) Synchronize(on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.synced = on
}

// Protect makes /etc read-only.
func (h *Host) Protect(on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.readOnly = on
}

// Hostname is the present name.
func (h *Host) Hostname() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.hostname
}

func (h *Host) clock(c Call) ([]any, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return get(c, variants{"NTP": variant(true), "NTPSynchronized": variant(h.synced), "Timezone": variant("Europe/Berlin")})
}

func (h *Host) name(c Call) ([]any, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case c.Member == "SetStaticHostname" && h.readOnly:
		return nil, Error("System.Error.EROFS", "Failed to set static hostname: Read-only file system")
	case strings.HasPrefix(c.Member, "Set"):
		h.hostname = text(c, 0)
		return nil, nil
	}
	return get(c, variants{"Hostname": variant(h.hostname)})
}

func (h *Host) network(c Call) ([]any, error) {
	if c.Member != "Reload" {
		return nil, Unknown(c)
	}
	return nil, nil
}
