// Package uevent tells which devices come and go, as the kernel and udev announce it over netlink.
//
// Every change is announced twice: first by the kernel, when the device exists, then by udev (on systems that run it), when
// its node has its group and its stable names under /dev. Who opens devices by a stable name waits for udev's word, or
// looks again a little later; who only wants to know that something is gone takes whichever comes first.
//
// Announcements can be lost, here or in the kernel. An Event with Lost says so: whoever gets one looks at everything anew.
package uevent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
)

// Source tells who announced a change.
type Source string

// Sources.
const (
	Kernel Source = "kernel" // the device exists or is gone; its node may not be ready yet
	Udev   Source = "udev"   // the rules ran: node, group and links are as they will be
)

// Event is one announcement. With Lost set nothing else is: announcements before it are missing.
type Event struct {
	Source    Source
	Action    string            // "add", "remove", "change", "bind", "unbind", "move", "online", "offline"
	Subsystem string            // e.g. "video4linux", "sound", "tty", "gpio", "usb"
	DevPath   string            // path under /sys, with a leading slash
	DevName   string            // device node with its full path, e.g. "/dev/ttyUSB0"; empty when it has none
	Props     map[string]string // all properties; shared between subscribers, so nobody may change it
	Lost      bool
}

// Stats counts since New.
type Stats struct {
	Received uint64 // announcements understood
	Damaged  uint64 // messages that were none, or not whole
	Foreign  uint64 // messages of somebody who is neither the kernel nor root
	Overruns uint64 // times the kernel had no room and lost announcements
	Dropped  uint64 // events subscribers were too slow for, summed over all of them
}

// ErrRunning: Run was called while another Run of the same Monitor goes on.
var ErrRunning = errors.New("the device monitor is running already")

// queueSize is how many events wait for one subscriber. Plugging in a USB headset makes about 40.
const queueSize = 256

// Monitor hears the announcements and hands them to its subscribers.
type Monitor struct {
	open    func() (source, error)
	running atomic.Bool

	mu    sync.Mutex // guards what follows
	next  source     // opened by New, waits for the first Run
	subs  map[*subscriber]struct{}
	stats Stats
}

// source is where messages come from: the netlink socket, or a test.
type source interface {
	// receive gives the next message and who sent it, errOverrun, or an error that ends the source.
	receive(buf []byte) (n int, from sender, err error)
	// interrupt ends the present and all later receives.
	interrupt()
	close() error
}

// sender is who sent a message.
type sender struct {
	kernel bool // the kernel itself, to its own group
	root   bool // a process of user 0, to udev's group
}

// errOverrun: the kernel had no room for an announcement.
var errOverrun = errors.New("announcements were lost")

// New opens the socket, so that nothing is missed between New and Run. It needs no privileges.
func New() (*Monitor, error) {
	m := &Monitor{open: openSocket, subs: map[*subscriber]struct{}{}}
	s, err := m.open()
	if err != nil {
		return nil, err
	}
	m.next = s
	return m, nil
}

// Close gives the socket back if no Run has taken it. A Run gives its own back.
func (m *Monitor) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.next == nil {
		return nil
	}
	s := m.next
	m.next = nil
	return s.close()
}

// Stats gives the counters.
func (m *Monitor) Stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stats
}

// Subscribe gives the events from now on. The channel holds 256; what does not fit is dropped, and an Event with Lost
// stands where it is missing. stop ends the subscription and closes the channel.
func (m *Monitor) Subscribe() (events <-chan Event, stop func()) {
	s := &subscriber{ch: make(chan Event, queueSize)}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.subs[s] = struct{}{}
	return s.ch, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if _, ok := m.subs[s]; ok {
			delete(m.subs, s)
			close(s.ch)
		}
	}
}

// Run hands out events until ctx ends (then the error is ctx.Err()) or the socket fails. A second Run opens a new socket
// and begins with a Lost event, since nobody knows what happened in between.
func (m *Monitor) Run(ctx context.Context) error {
	if m.running.Swap(true) {
		return ErrRunning
	}
	defer m.running.Store(false)
	s, err := m.take()
	if err != nil {
		return err
	}
	unhook := context.AfterFunc(ctx, s.interrupt)
	err = m.serve(s)
	unhook()
	closed := s.close()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(fmt.Errorf("hear device announcements: %w", err), closed)
}

// take gives the socket of New, or a new one.
func (m *Monitor) take() (source, error) {
	m.mu.Lock()
	s := m.next
	m.next = nil
	m.mu.Unlock()
	if s != nil {
		return s, nil
	}
	s, err := m.open()
	if err != nil {
		return nil, err
	}
	m.publish(Event{Lost: true})
	return s, nil
}

// serve reads until the source ends.
func (m *Monitor) serve(s source) error {
	buf := make([]byte, maxMessage)
	for {
		n, from, err := s.receive(buf)
		switch {
		case errors.Is(err, errOverrun):
			m.count(func(st *Stats) { st.Overruns++ })
			m.publish(Event{Lost: true})
			continue
		case errors.Is(err, os.ErrDeadlineExceeded): // only interrupt sets one
			return context.Canceled
		case err != nil:
			return err
		case !from.kernel && !from.root:
			m.count(func(st *Stats) { st.Foreign++ })
			continue
		}
		e, err := parse(buf[:n], from.kernel)
		if err != nil {
			m.count(func(st *Stats) { st.Damaged++ })
			continue
		}
		m.count(func(st *Stats) { st.Received++ })
		m.publish(e)
	}
}

func (m *Monitor) count(add func(*Stats)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	add(&m.stats)
}

func (m *Monitor) publish(e Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for s := range m.subs {
		m.stats.Dropped += s.send(e)
	}
}

// subscriber is one queue. Its last place is kept for the mark that something is missing, so that a reader who is too
// slow learns of it even when nothing more happens: the mark goes in when the first event finds no room, and stands
// behind everything the reader has not read yet.
type subscriber struct{ ch chan Event }

// send queues an event and gives how many were dropped. There is one sender at a time, so a length seen can only shrink.
func (s *subscriber) send(e Event) (dropped uint64) {
	switch free := cap(s.ch) - len(s.ch); {
	case free > 1:
		s.ch <- e
		return 0
	case free == 1:
		s.ch <- Event{Lost: true}
	}
	if e.Lost {
		return 0
	}
	return 1
}
