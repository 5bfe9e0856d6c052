// Package update brings a new version onto the box from a USB stick: it looks at the bundle, offers it, has RAUC install
// it into the other slot on somebody's word, and after the next start says truthfully what became of it, also when the
// power was cut anywhere on the way.
package update

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// What an Installer's error is, where it matters to people; ErrBusy is one too. The error's own text is RAUC's.
var (
	ErrAbsent  = errors.New("the update service does not answer")    // RAUC or the bus is not there; tried again
	ErrRefused = errors.New("the update service refused the daemon") // not authorised
	ErrGone    = errors.New("the USB stick is gone")
)

// What Install and Reboot refuse with.
var (
	ErrNothing   = errors.New("no update is offered")
	ErrTwo       = errors.New("more than one update is offered: leave one stick plugged in")
	ErrBusy      = errors.New("an update is being installed")
	ErrInstalled = errors.New("an update is installed and waits for a restart")
	ErrUnproven  = errors.New("the last update is not judged yet")
	ErrNotReady  = errors.New("no update is installed that waits for a restart")
)

// Bundle is what RAUC says of a bundle whose signature it has checked.
type Bundle struct {
	Compatible  string // the kind of box it is for
	Version     string
	Description string // for people; RAUC 1.8 leaves it out
	Build       string // when it was built; RAUC 1.8 leaves it out
}

// Slot is one of the places a version of the system is in.
type Slot struct {
	Name      string // such as rootfs.1
	Bootname  string // such as B; empty: it is not started from
	Booted    bool
	Good      bool      // the boot loader would start it, and has not tried it in vain
	Version   string    // of the bundle in it
	Installed time.Time // when RAUC last finished writing it (installed.timestamp)
	Activated time.Time // when RAUC last made it the next one to start (activated.timestamp)
}

// Progress is how far an installation is.
type Progress struct {
	Percent int
	Step    string // RAUC's words
}

// Installer is RAUC.
type Installer interface {
	// Inspect checks the signature and the manifest of a bundle, not its payload.
	Inspect(ctx context.Context, path string) (Bundle, error)
	// Install returns when the installation has ended. RAUC goes on when ctx ends or the bus breaks.
	Install(ctx context.Context, path string, told func(Progress)) error
	// Slots fails while an installation is under way.
	Slots(ctx context.Context) ([]Slot, error)
	Compatible(ctx context.Context) (string, error)
	// Primary is the name of the slot that is started next.
	Primary(ctx context.Context) (name string, err error)
}

// Release is the version that runs.
type Release struct {
	Version    string // semantic version without the v
	Compatible string
	Slot       string // boot name of the slot it was started from
}

// Options are what an Updater needs.
type Options struct {
	Installer Installer
	Dir       string // of its own, such as /var/lib/plenum/update
	Release   Release
	Live      func() []string // ids of the devices that are live now
	Allowed   func() error    // why nothing may be installed or restarted now: a sitting is open
	Reboot    func(ctx context.Context) error
	// Good reports whether this start was marked good. nil: what RAUC says of the booted slot. That is right for GRUB;
	// with U-Boot a slot that has tries left counts as good before anybody marked it, so ask for the unit that does.
	Good func(ctx context.Context) (bool, error)
	Log  *slog.Logger // nil: none
}

// State is what the updater is at.
type State string

// States of the updater.
const (
	Idle       State = "idle"
	Offered    State = "offered"
	Refused    State = "refused"    // the stick holds nothing that may be installed
	Installing State = "installing" //
	Installed  State = "installed"  // waits for a restart
	Rebooting  State = "rebooting"  //
	Failed     State = "failed"     // the installation; what runs is untouched
)

// View is what screens show.
type View struct {
	State   State    `json:"state"`
	Reason  Reason   `json:"reason"` // why it is refused or failed; empty otherwise
	Version string   `json:"version"`
	Notes   string   `json:"notes"`
	Built   string   `json:"built"`
	Size    int64    `json:"size"` // of the bundle, bytes
	Current string   `json:"current"`
	Percent int      `json:"percent"`
	Step    string   `json:"step"` // RAUC's words
	DE      string   `json:"text_de"`
	EN      string   `json:"text_en"`
	Last    *Outcome `json:"last"` // what became of the last installation; nil: there is none
}

// Updater takes care of updates. Its methods are safe for use by many goroutines.
type Updater struct {
	opt  Options
	log  *slog.Logger
	disk disk
	jobs chan *medium // to be installed

	mu      sync.Mutex
	phase   State // Idle: what the media say
	reason  Reason
	chosen  *medium // what phase is about
	percent int
	step    string
	trial   *Trial  // what trial.json says
	unsure  bool    // what became of trial is not known yet
	own     bool    // trial began in this life of the daemon
	last    *record // what last.json says
	ended   bool    // Run has
	unkept  bool    // last or trial could not be written, and is to be
	media   map[string]*medium
	turn    chan struct{} // closed and replaced by every change
	said    string        // the last complaint about RAUC, to log it once
	watch   map[chan struct{}]struct{}
}

// New makes an Updater, and reads what the last life of the daemon left. A file that cannot be read is logged and left
// out: the box starts without it.
func New(opt Options) *Updater {
	return open(opt, folder(opt.Dir))
}

func open(opt Options, d disk) *Updater {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Live == nil {
		opt.Live = func() []string { return nil }
	}
	if opt.Allowed == nil {
		opt.Allowed = func() error { return nil }
	}
	u := &Updater{
		opt: opt, log: opt.Log, disk: d, jobs: make(chan *medium), phase: Idle, media: map[string]*medium{},
		turn: make(chan struct{}), watch: map[chan struct{}]struct{}{},
	}
	u.load()
	return u
}

// recheck is how often an open question is asked again.
const recheck = 5 * time.Second

// Run judges the last installation and carries out the ones that are asked for, until ctx ends.
func (u *Updater) Run(ctx context.Context) error {
	ticker := time.NewTicker(recheck)
	defer ticker.Stop()
	defer u.end()
	u.settle(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-u.jobs:
			u.install(ctx, m)
		case <-ticker.C:
			u.settle(ctx)
		}
	}
}

// end lets go of what waits for an installation: its outcome is for the next life to find out.
func (u *Updater) end() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ended = true
	u.tell()
}

// Busy reports whether an installation is under way. A sitting should not open then: the disk is busy, and the box must
// not lose power.
func (u *Updater) Busy() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.phase == Installing || u.phase == Rebooting
}

// Trial returns the update that this start tries out and nobody has marked good or bad yet. It is known from New on.
func (u *Updater) Trial() (Trial, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.trying() {
		return Trial{}, false
	}
	return *u.trial, true
}

// Acknowledge notes that somebody has read what became of the last installation.
func (u *Updater) Acknowledge() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.phase == Failed {
		u.phase, u.chosen = Idle, nil
	}
	if u.last != nil && !u.last.Seen {
		u.last.Seen = true
		u.keep()
	}
	u.tell()
}

// Watch returns a channel that gets a value after View changed; several may come as one. It has one already.
func (u *Updater) Watch() (changed <-chan struct{}, stop func()) {
	ch := make(chan struct{}, 1)
	ch <- struct{}{}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.watch[ch] = struct{}{}
	return ch, func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.watch, ch)
	}
}

// tell wakes all who wait for a change. The lock is held.
func (u *Updater) tell() {
	close(u.turn)
	u.turn = make(chan struct{})
	for ch := range u.watch {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

// await waits until a condition holds, which is asked with the lock held. It reports false when ctx ended first.
func (u *Updater) await(ctx context.Context, holds func() bool) bool {
	for {
		u.mu.Lock()
		ok, turn := holds(), u.turn
		u.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-turn:
		case <-ctx.Done():
			return false
		}
	}
}
