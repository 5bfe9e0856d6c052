package setup

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// All or nothing. The new files are staged beside the old ones and synced, with a copy of what they replace; then a
// manifest is moved into place in one step. Before that step nothing has happened; after it everything happens, if need
// be at the next start. Each step behind it may be done twice.
const (
	stageDir    = ".setup"
	stageNew    = stageDir + "/new"
	stageBefore = stageDir + "/before"
	manifestTo  = stageDir + "/manifest.json"
	beforeDir   = ".before" // the files that the last setup replaced, one generation, flat: tls/key.pem is tls-key.pem
)

// ErrUndone says that what had been staged was damaged, so the files of before were put back.
var ErrUndone = errors.New("a setup could not be finished and was undone")

// file is one file of the configuration's folder as it will be.
type file struct {
	name string // below the folder
	data []byte
}

// mode is how a file of the configuration is kept: the key for the daemon alone, the network's for its own daemon too.
func mode(name string) fs.FileMode {
	switch name {
	case toKey:
		return 0o600
	case toConfig:
		return 0o640
	}
	return 0o644
}

func dirMode(dir string) fs.FileMode {
	if dir == path.Dir(toNetwork) {
		return 0o755
	}
	return 0o700
}

type manifest struct {
	Version int     `json:"version"`
	Files   []entry `json:"files"`
}

type entry struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"` // of the new file
	Before bool   `json:"before"` // there was one before
}

func flat(name string) string { return strings.ReplaceAll(name, "/", "-") }

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// replace puts all files in place, or none. After an error with committed true they will be in place after the next
// finish.
func replace(d disk, files []file) (committed bool, err error) {
	if _, err := finish(d); err != nil && !errors.Is(err, ErrUndone) {
		return false, err
	}
	if err := stage(d, files); err != nil {
		// What is left over lies in a folder of its own and is removed by the next finish at the latest.
		return false, errors.Join(fmt.Errorf("writing the new files beside the old: %w", err), d.remove(stageDir))
	}
	if err := d.rename(manifestTo+".part", manifestTo); err != nil {
		return false, errors.Join(fmt.Errorf("writing the new files beside the old: %w", err), d.remove(stageDir))
	}
	if err := d.sync(stageDir); err != nil {
		return true, fmt.Errorf("putting the new files in place: %w", err)
	}
	_, err = finish(d)
	return !errors.Is(err, ErrUndone), err
}

// stage writes everything but the last step. It ends with a durable manifest under a name that does not count.
func stage(d disk, files []file) error {
	for _, dir := range []string{stageDir, stageNew, stageBefore} {
		if err := d.mkdir(dir, 0o700); err != nil {
			return err
		}
	}
	m := manifest{Version: 1}
	for _, f := range files {
		if dir := path.Dir(f.name); dir != "." { // now, so that the last steps need no room
			if err := d.mkdir(dir, dirMode(dir)); err != nil {
				return err
			}
		}
		old, err := d.read(f.name)
		if err == nil {
			err = d.write(stageBefore+"/"+flat(f.name), old, mode(f.name))
		} else if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		if err == nil {
			err = d.write(stageNew+"/"+flat(f.name), f.data, mode(f.name))
		}
		if err != nil {
			return err
		}
		m.Files = append(m.Files, entry{Name: f.name, SHA256: digest(f.data), Before: old != nil})
	}
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := d.write(manifestTo+".part", text, 0o600); err != nil {
		return err
	}
	for _, dir := range []string{stageNew, stageBefore, stageDir, "."} {
		if err := d.sync(dir); err != nil {
			return err
		}
	}
	return nil
}

// finish does what a setup has left undone, or throws away what it had not got ready. done says that files were put in
// place.
func finish(d disk) (done bool, err error) {
	if there, err := d.has(stageDir); err != nil || !there {
		return false, err
	}
	m, err := readManifest(d)
	if errors.Is(err, fs.ErrNotExist) {
		return false, discard(d)
	}
	if err != nil {
		return false, fmt.Errorf("finishing a setup: %w", err)
	}
	sound, err := intact(d, m)
	if err == nil && !sound {
		if err = undo(d, m); err == nil {
			return false, ErrUndone
		}
	}
	if err == nil {
		err = place(d, m)
	}
	if err != nil {
		return false, fmt.Errorf("finishing a setup: %w", err)
	}
	return true, nil
}

// discard clears the stage: first the manifest, so that half a stage never counts.
func discard(d disk) error {
	err := d.remove(manifestTo)
	if err == nil {
		err = d.sync(stageDir)
	}
	if err == nil {
		err = d.remove(stageDir)
	}
	if err == nil {
		err = d.sync(".")
	}
	if err != nil {
		return fmt.Errorf("clearing up after a setup: %w", err)
	}
	return nil
}

func readManifest(d disk) (manifest, error) {
	text, err := d.read(manifestTo)
	if err != nil {
		return manifest{}, err
	}
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil || m.Version != 1 {
		return manifest{}, fmt.Errorf("its manifest is damaged; remove %s from the configuration's folder", stageDir)
	}
	for _, e := range m.Files {
		if !slices.Contains(targets(), e.Name) {
			return manifest{}, fmt.Errorf("its manifest names %q, which is no file of the configuration; remove %s from its folder", e.Name, stageDir)
		}
	}
	return m, nil
}

// intact says whether every new file is whole, on the stage or in its place already.
func intact(d disk, m manifest) (bool, error) {
	for _, e := range m.Files {
		text, err := d.read(stageNew + "/" + flat(e.Name))
		if errors.Is(err, fs.ErrNotExist) {
			text, err = d.read(e.Name)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		if err != nil || digest(text) != e.SHA256 {
			return false, nil
		}
	}
	return true, nil
}

// place moves the new files to where they count, keeps the old ones as the generation before, and clears the stage.
func place(d disk, m manifest) error {
	for _, e := range m.Files {
		staged := stageNew + "/" + flat(e.Name)
		there, err := d.has(staged)
		if err == nil && there {
			err = d.rename(staged, e.Name)
		}
		if err == nil {
			err = d.sync(path.Dir(e.Name))
		}
		if err != nil {
			return err
		}
	}
	there, err := d.has(stageBefore)
	if err == nil && there {
		if err = d.remove(beforeDir); err == nil {
			err = d.rename(stageBefore, beforeDir)
		}
	}
	if err == nil {
		err = d.sync(".")
	}
	if err != nil {
		return err
	}
	return discard(d)
}

// undo puts the old files back.
func undo(d disk, m manifest) error {
	const back = stageDir + "/back"
	for _, e := range m.Files {
		if !e.Before {
			if err := d.remove(e.Name); err != nil {
				return err
			}
		} else {
			old, err := d.read(stageBefore + "/" + flat(e.Name))
			if err == nil {
				err = d.remove(back)
			}
			if err == nil {
				err = d.write(back, old, mode(e.Name))
			}
			if err == nil {
				err = d.rename(back, e.Name)
			}
			if err != nil {
				return err
			}
		}
		if err := d.sync(path.Dir(e.Name)); err != nil {
			return err
		}
	}
	return discard(d)
}
