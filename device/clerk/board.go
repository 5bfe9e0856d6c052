package clerk

import (
	"sync"
	"sync/atomic"
	"time"

	"plenum/device/sitting"
)

// followDepth is how many entries a follower may lag behind before it loses some.
const followDepth = 256

// Snapshot is the sitting at one moment. The state is shared by all who look: nobody changes it.
type Snapshot struct {
	Seq      uint64        // number of the last event in it
	Sitting  uint64        // number of the sitting
	At       time.Time     // time of that event; zero before the first
	State    sitting.State //
	Recorded bool          // all of it is on the disk
}

// Entry is one accepted event.
type Entry struct {
	Seq      uint64           `json:"seq"`
	At       time.Time        `json:"at"`
	Event    sitting.Event    `json:"event"`
	Effects  []sitting.Effect `json:"effects"`
	Recorded bool             `json:"recorded"`
	Lost     int              `json:"lost,omitempty"` // entries before this one that the follower was too slow for
}

// board is where the clerk puts up what others may read.
type board struct {
	latest atomic.Pointer[Snapshot]

	mu        sync.Mutex
	watchers  map[chan Snapshot]struct{}
	followers map[*follower]struct{}
	closed    bool
}

type follower struct {
	ch   chan Entry
	lost int
}

func newBoard() *board {
	return &board{watchers: make(map[chan Snapshot]struct{}), followers: make(map[*follower]struct{})}
}

// Snapshot returns the sitting as it is now. It may be called from any goroutine and waits for nobody.
func (c *Clerk) Snapshot() Snapshot { return *c.board.latest.Load() }

// publish puts up the state as it is now.
func (c *Clerk) publish() {
	c.board.put(Snapshot{Seq: c.seq, Sitting: c.sitting, At: c.last, State: c.state, Recorded: c.recorded})
}

func (b *board) put(s Snapshot) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.latest.Store(&s)
	for ch := range b.watchers {
		select {
		case <-ch: // the one that was not fetched is overtaken
		default:
		}
		ch <- s
	}
}

// Watch returns a channel that holds the latest snapshot not yet fetched, beginning with the present one; those
// between are left out. It is closed by stop, which may be called more than once, and when Run has ended.
func (c *Clerk) Watch() (snapshots <-chan Snapshot, stop func()) {
	b := c.board
	ch := make(chan Snapshot, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	ch <- *b.latest.Load()
	if b.closed {
		close(ch)
		return ch, func() {}
	}
	b.watchers[ch] = struct{}{}
	return ch, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if _, on := b.watchers[ch]; on {
			delete(b.watchers, ch)
			close(ch)
		}
	}
}

// Follow returns a channel of every event accepted from now on. A reader that lags behind too far loses entries and is
// told how many by the next one it gets. It is closed as Watch's is.
func (c *Clerk) Follow() (entries <-chan Entry, stop func()) {
	b := c.board
	f := &follower{ch: make(chan Entry, followDepth)}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		close(f.ch)
		return f.ch, func() {}
	}
	b.followers[f] = struct{}{}
	return f.ch, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if _, on := b.followers[f]; on {
			delete(b.followers, f)
			close(f.ch)
		}
	}
}

// tell gives entries to those who follow.
func (b *board) tell(entries []Entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for f := range b.followers {
		for _, e := range entries {
			e.Lost = f.lost
			select {
			case f.ch <- e:
				f.lost = 0
			default:
				f.lost++
			}
		}
	}
}

// close ends all who look on.
func (b *board) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for ch := range b.watchers {
		close(ch)
	}
	for f := range b.followers {
		close(f.ch)
	}
	clear(b.watchers)
	clear(b.followers)
}
