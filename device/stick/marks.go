package stick

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
)

// mostMarks bounds how many sticks are remembered.
const mostMarks = 32

// marks remember on the box's disk which sticks are being read. One that is marked when the daemon starts ended the daemon,
// or the machine, while it was read: it is not read again before it has been pulled, or the box would end again and again.
// Only what stands on a stick is dangerous, not what is done afterwards, so a mark lasts a moment. Run's own, but for set and
// clear.
type marks struct {
	dir    string // empty: nothing is remembered
	log    *slog.Logger
	failed map[string]bool // names of the marks that were there at the start
}

// mark is the name of a stick's mark: what the stick says of itself, for the place it is plugged in at may change.
func mark(v Volume) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q %d", v.Drive, v.Serial, v.Label, v.Filesystem, v.Size))
	return hex.EncodeToString(sum[:16])
}

// load takes note of the marks that are there. A folder that cannot be read costs only the memory.
func (m *marks) load() {
	m.failed = map[string]bool{}
	if m.dir == "" {
		return
	}
	err := os.MkdirAll(m.dir, 0o700)
	var there []fs.DirEntry
	if err == nil {
		there, err = os.ReadDir(m.dir)
	}
	if err != nil {
		m.log.Warn("it is not known whether a USB stick ended the daemon before", "error", err)
	}
	for i, e := range there {
		if i >= mostMarks {
			m.drop(e.Name())
			continue
		}
		m.failed[e.Name()] = true
		m.log.Error("the daemon or the machine ended while a USB stick was being read; it is not read again before it is pulled", "mark", e.Name())
	}
}

// set marks a stick. Without room for a mark the stick is read nevertheless: it may be the one that says why there is none.
func (m *marks) set(v Volume) {
	if m.dir == "" {
		return
	}
	f, err := os.OpenFile(filepath.Join(m.dir, mark(v)), os.O_WRONLY|os.O_CREATE, 0o600)
	if err == nil {
		err = errors.Join(f.Sync(), f.Close(), m.sync())
	}
	if err != nil {
		m.log.Warn("a USB stick is read without a mark", "device", v.Device, "error", err)
	}
}

// clear removes a stick's mark.
func (m *marks) clear(v Volume) {
	if m.dir != "" {
		m.drop(mark(v))
	}
}

func (m *marks) drop(name string) {
	err := os.Remove(filepath.Join(m.dir, name))
	if err == nil {
		err = m.sync() // a power cut must not bring it back
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.log.Warn("the mark of a USB stick stays", "mark", name, "error", err)
	}
}

// sync makes the folder's entries durable.
func (m *marks) sync() error {
	d, err := os.Open(m.dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
