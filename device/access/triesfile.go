package access

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"time"
)

// triesFile is tries.json and owner-tries.json. Times in it are the wall clock's, which may be set between two starts: a
// clock that was set back makes a wait begin anew, one that was set forward ends it, and neither does more.
type triesFile struct {
	Version   int            `json:"version"`
	Box       mistakes       `json:"box"`
	Known     []place        `json:"known"` // the latest last
	Strangers []strangerFile `json:"strangers"`
	Shared    time.Time      `json:"shared,omitzero"`
}

type strangerFile struct {
	At netip.Prefix `json:"at"`
	mistakes
}

// openTries reads the file. One that cannot be read or understood is put aside: then nobody is known, strangers have used
// up their allowance, and the box itself waits for nothing.
func openTries(path string, opts Options) *tries {
	t := &tries{
		path: path, now: opts.Now, log: opts.Log,
		line: make(chan struct{}, 1), strangers: make(map[netip.Prefix]*mistakes),
	}
	now := t.now()
	raw, err := readPrivate(path)
	if errors.Is(err, fs.ErrNotExist) {
		return t
	}
	var f triesFile
	if err == nil {
		f, err = parseTries(raw)
	}
	if err != nil {
		aside := path + ".damaged"
		t.log.Warn("the record of wrong PINs is damaged; places where the PIN was right count as new until it is right again",
			"file", path, "put_aside", aside, "error", errors.Join(err, os.Rename(path, aside)))
		t.shared = now.Add(sharedTries * sharedEvery)
		return t
	}
	f.carry(now)
	t.box, t.known, t.shared = f.Box, f.Known, f.Shared
	for _, s := range f.Strangers {
		t.strangers[s.At] = &s.mistakes
	}
	return t
}

// carried is a time as far from now, by the clock that nobody sets where both know it, by the wall clock else.
func carried(at, now time.Time) time.Time {
	if at.IsZero() {
		return at
	}
	return now.UTC().Add(at.Sub(now))
}

// carry moves all times from the file's clock to the one that runs now, or back.
func (f *triesFile) carry(now time.Time) {
	f.Shared, f.Box.Last = carried(f.Shared, now), carried(f.Box.Last, now)
	for i := range f.Known {
		f.Known[i].Last = carried(f.Known[i].Last, now)
	}
	for i := range f.Strangers {
		f.Strangers[i].Last = carried(f.Strangers[i].Last, now)
	}
}

// parseTries understands the text of the file. More than save writes is damage.
func parseTries(raw []byte) (triesFile, error) {
	var f triesFile
	if err := json.Unmarshal(raw, &f); err != nil {
		return triesFile{}, err
	}
	if f.Version != fileVersion {
		return triesFile{}, fmt.Errorf("version %d, this program knows %d", f.Version, fileVersion)
	}
	if len(f.Known) > maxPlaces || len(f.Strangers) > maxStrangers {
		return triesFile{}, fmt.Errorf("%d places and %d strangers, at most %d and %d are kept",
			len(f.Known), len(f.Strangers), maxPlaces, maxStrangers)
	}
	bad := f.Box.impossible()
	for _, p := range f.Known {
		bad = bad || p.impossible() || !p.At.IsValid() || p.At != plain(p.At) || p.At.IsLoopback()
	}
	for _, s := range f.Strangers {
		bad = bad || s.impossible() || s.At.IsValid() && s.At != network(s.At.Addr())
	}
	if bad {
		return triesFile{}, errors.New("an address or a number in it cannot be")
	}
	return f, nil
}

// impossible reports a number of mistakes that nobody lives to make.
func (m mistakes) impossible() bool { return m.Wrong < 0 || m.Wrong > 1<<30 }

// save writes what changed. A disk that fails keeps nobody from signing in: the waits hold until the next restart.
func (t *tries) save() {
	t.writing.Lock()
	defer t.writing.Unlock()
	f, changed := t.snapshot()
	if !changed {
		return // somebody else's save took it along
	}
	raw, err := json.Marshal(f)
	if err == nil {
		err = replaceFile(t.path, append(raw, '\n'), 0o600)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.changed = true
		if !t.failing {
			t.log.Error("wrong PINs cannot be written down; after a restart nobody waits for them", "error", err)
		}
	}
	t.failing = err != nil
}

// snapshot is what the file should hold, when it does not yet.
func (t *tries) snapshot() (f triesFile, changed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.changed {
		return triesFile{}, false
	}
	t.changed = false
	f = triesFile{Version: fileVersion, Box: t.box, Known: slices.Clone(t.known), Strangers: []strangerFile{}, Shared: t.shared}
	for at, m := range t.strangers {
		f.Strangers = append(f.Strangers, strangerFile{at, *m})
	}
	slices.SortFunc(f.Strangers, func(a, b strangerFile) int {
		return cmp.Or(a.Last.Compare(b.Last), a.At.Compare(b.At))
	})
	f.carry(t.now())
	return f, true
}
