// Package stick notices USB sticks, mounts them, says what they are, and hands them to the room that works on their kind.
// A stick stays mounted only as long as somebody works on it. While a sitting is open nothing is mounted: a stick gets a
// notice, and is looked at when the sitting has closed.
package stick

import (
	"context"
	"errors"
	"log/slog"
)

// ErrPulled is the cause of an Insert's context that ended because the stick was pulled.
var ErrPulled = errors.New("the USB stick was pulled")

// ErrSitting is the cause of an Insert's context that ended because a sitting opened.
var ErrSitting = errors.New("a sitting opened")

// Kind says what a stick is for.
type Kind string

// Kinds of sticks. The volume label decides setup and diagnosis, a bundle in the top folder decides update.
const (
	Unknown   Kind = ""          // not looked at yet
	Update    Kind = "update"    // holds *.raucb
	Setup     Kind = "setup"     // labelled PLENUM-SETUP
	Diagnosis Kind = "diagnosis" // labelled PLENUM-DIAG
	Other     Kind = "other"     // nothing for this box
)

// Volume is a file system on a removable drive.
type Volume struct {
	ID         string // as the Mounter calls it; the same socket may give the same id to the next stick
	Device     string // such as /dev/sda1
	Label      string
	Filesystem string // such as vfat; empty when there is none
	Drive      string // vendor and model
	Serial     string // of the drive; empty when it has none
	Size       int64  // bytes
	ReadOnly   bool   // the drive's own write protection
}

// Mounter reaches the drives.
type Mounter interface {
	// Volumes lists the file systems on removable drives, never the box's own disk.
	Volumes(ctx context.Context) ([]Volume, error)
	// Watch returns a channel that gets a value after a stick came or went; several may come as one.
	Watch() (changed <-chan struct{}, stop func())
	// Mount mounts nodev, nosuid, noexec, and read-only unless write, and returns where.
	Mount(ctx context.Context, id string, write bool) (path string, err error)
	// Unmount gives a volume back, also one that was pulled.
	Unmount(ctx context.Context, id string) error
}

// Medium is a mounted stick.
type Medium struct {
	ID       string
	Label    string
	Drive    string
	Kind     Kind
	Path     string // where it is mounted: read-only, but for diagnosis
	ReadOnly bool   // it cannot be written: for diagnosis, because it is write-protected

	checked func()
}

// Checked says that what stands on a setup stick was read and checked: should the daemon end from now on, it was not the
// stick. A stick for which it has not been said when the daemon ends is not read again before it is pulled.
func (m Medium) Checked() {
	if m.checked != nil {
		m.checked()
	}
}

// Handler works on the media of one kind.
type Handler interface {
	// Insert works on a medium, which stays mounted until Insert returns. ctx ends when the stick was pulled (its cause
	// is ErrPulled), when a sitting opened (ErrSitting), and when the daemon ends: Insert then finishes or breaks off what
	// it began, and gives the medium back. It is called for several media at once, and for the same one again after the
	// sitting.
	Insert(ctx context.Context, m Medium)
	// Remove says that a medium that was given to Insert is gone: what was kept of it can be forgotten. Insert has
	// returned by then.
	Remove(id string)
}

// Options are what a Watcher needs.
type Options struct {
	Mounter  Mounter
	Handlers map[Kind]Handler // a kind without one is treated as Other
	Quiet    func() bool      // a sitting is open; asked once a second. nil: never
	Dir      string           // folder that remembers which sticks are being read; empty: nothing is remembered
	Log      *slog.Logger     // nil: none
}

// View is one stick as screens show it.
type View struct {
	ID    string `json:"id"`
	Label string `json:"label"`
	Drive string `json:"drive"`
	Kind  Kind   `json:"kind"`
	Busy  bool   `json:"busy"` // in use: not to be pulled
	DE    string `json:"text_de"`
	EN    string `json:"text_en"`
}
