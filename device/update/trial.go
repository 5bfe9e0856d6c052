package update

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"
)

// Files in the updater's folder. The unit that falls back when a start is bad reads trial.json too: while it is there
// and its to_slot is the one that was started, the version is on trial.
const (
	trialFile = "trial.json"
	lastFile  = "last.json"
)

// Stage is how far an installation came.
type Stage string

// Stages of an installation. Each is on disk before what it allows begins.
const (
	StageInstalling Stage = "installing" // RAUC may be writing the other slot
	StageInstalled  Stage = "installed"  // RAUC has finished: the next start tries it
	StageTrial      Stage = "trial"      // it was started, up to the daemon
)

// Trial is an installation from before it begins until it is judged.
type Trial struct {
	State       Stage     `json:"state"`
	Version     string    `json:"version"`
	FromVersion string    `json:"from_version"`
	FromSlot    string    `json:"from_slot"`
	ToSlot      string    `json:"to_slot"`
	At          time.Time `json:"at"`
	Live        []string  `json:"live"` // ids of the devices that were live before; they are to be live again
	// Activated is when the target was last made the next to start, before this installation. RAUC changes it as the
	// last step: so an installation that was finished is known although nobody was there to see its end.
	Activated time.Time `json:"activated,omitzero"`
}

// Result says what became of an installation.
type Result string

// Results of an installation.
const (
	Updated     Result = "updated"     // the new version runs and was marked good
	WentBack    Result = "went-back"   // the new version was started and did not prove itself; the old one runs
	Interrupted Result = "interrupted" // it was never finished; the old version runs as before
	OnTrial     Result = "trial"       // the new version runs and is being judged
)

// Outcome is what became of the last installation.
type Outcome struct {
	Result  Result    `json:"result"`
	Version string    `json:"version"` // of the update
	From    string    `json:"from"`    // the version before it, which runs again when it is not updated
	At      time.Time `json:"at"`      // when it was judged
	DE      string    `json:"text_de"`
	EN      string    `json:"text_en"`
	Seen    bool      `json:"seen"` // somebody has acknowledged it
}

// record is last.json.
type record struct {
	Outcome
	Trial Trial `json:"trial"` // what was judged
	Late  bool  `json:"late"`  // it had been marked good before the box went back
}

// disk keeps small files. A file is replaced whole or not at all, and stays when the power is cut after write or
// remove have returned.
type disk interface {
	read(name string) ([]byte, error)
	write(name string, raw []byte) error
	remove(name string) error
}

// folder is a disk in a folder.
type folder string

func (d folder) read(name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(string(d), name))
}

func (d folder) write(name string, raw []byte) error {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return err
	}
	// A power cut leaves a temporary file behind. There must not be more and more of them.
	if old, err := os.ReadDir(string(d)); err == nil {
		for _, e := range old {
			if strings.HasPrefix(e.Name(), "."+name) {
				_ = os.Remove(filepath.Join(string(d), e.Name()))
			}
		}
	}
	path := filepath.Join(string(d), name)
	if err := renameio.WriteFile(path, raw, 0o600, renameio.WithTempDir(string(d)), renameio.WithStaticPermissions(0o600)); err != nil {
		return err
	}
	return d.sync()
}

func (d folder) remove(name string) error {
	if err := os.Remove(filepath.Join(string(d), name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return d.sync()
}

func (d folder) sync() error {
	f, err := os.Open(string(d))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// load reads what the last life left.
func (u *Updater) load() {
	var t Trial
	if u.parse(trialFile, &t) {
		if t.ToSlot == "" || t.FromSlot == "" || t.ToSlot == t.FromSlot {
			u.log.Error("the file about the last installation makes no sense, leaving it out", "file", trialFile)
		} else {
			u.trial, u.unsure = &t, true
		}
	}
	var r record
	if u.parse(lastFile, &r) && r.Result != "" {
		u.last = &r
	}
	u.recall()
}

// recall puts a version on trial again that was judged and left, and runs after all: the boot loader comes back to it
// when the power was cut too early in the other slot's start.
func (u *Updater) recall() {
	if u.trial != nil || u.last == nil || u.last.Result == Updated {
		return
	}
	if t := u.last.Trial; t.ToSlot == u.opt.Release.Slot && same(t.Version, u.opt.Release.Version) {
		t.State, t.At = StageTrial, time.Now().UTC()
		u.trial, u.unsure, u.unkept = &t, true, true
	}
}

func (u *Updater) parse(name string, into any) bool {
	raw, err := u.disk.read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		u.log.Error("a file about the last installation cannot be read, leaving it out", "file", name, "error", err)
	}
	return err == nil
}

// put writes a file.
func (u *Updater) put(name string, what any) error {
	raw, err := json.MarshalIndent(what, "", "  ")
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	if err := u.disk.write(name, append(raw, '\n')); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}
