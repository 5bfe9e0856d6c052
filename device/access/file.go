package access

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/renameio/v2"

	"plenum/device/sitting"
)

const (
	fileVersion = 1
	maxFile     = 1 << 20 // bytes of access.json; thousands of links fit
)

// file is access.json.
type file struct {
	Version     int          `json:"version"`
	PIN         string       `json:"pin,omitempty"` // in PHC form, see pin.go
	Invitations []credential `json:"invitations"`
	Sessions    []credential `json:"sessions"`
}

// credential is what is kept of a link or a session.
type credential struct {
	Person  sitting.PersonID `json:"person,omitempty"`
	Role    sitting.Role     `json:"role"`
	Hash    digest           `json:"sha256"`
	Issued  time.Time        `json:"issued"`
	Expires time.Time        `json:"expires"`
}

// digest is the SHA-256 of a token, in hexadecimal when written.
type digest [sha256.Size]byte

// MarshalText implements encoding.TextMarshaler.
func (d digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *digest) UnmarshalText(text []byte) error {
	if hex.DecodedLen(len(text)) != len(d) || len(text)%2 != 0 {
		return fmt.Errorf("a SHA-256 has %d hexadecimal digits, not %d", 2*len(d), len(text))
	}
	_, err := hex.Decode(d[:], text)
	return err
}

func (f file) clone() file {
	f.Invitations = slices.Clone(f.Invitations)
	f.Sessions = slices.Clone(f.Sessions)
	return f
}

// credentials are the links and the sessions.
func (f file) credentials() []credential { return slices.Concat(f.Invitations, f.Sessions) }

// forget drops what expired before the given time.
func (f *file) forget(before time.Time) {
	old := func(c credential) bool { return c.Expires.Before(before) }
	f.Invitations = slices.DeleteFunc(f.Invitations, old)
	f.Sessions = slices.DeleteFunc(f.Sessions, old)
}

// load reads the file. No file is an empty one.
func load(path string) (file, error) {
	raw, err := readPrivate(path)
	if errors.Is(err, fs.ErrNotExist) {
		return file{Version: fileVersion}, nil
	}
	if err != nil {
		return file{}, err
	}
	f, err := parse(raw)
	if err != nil {
		return file{}, fmt.Errorf("read %s: %w: %w", path, ErrDamaged, err)
	}
	return f, nil
}

// parse understands the text of the file, strictly.
func parse(raw []byte) (file, error) {
	var f file
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return file{}, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return file{}, errors.New("something follows the JSON object")
	}
	if f.Version != fileVersion {
		return file{}, fmt.Errorf("version %d, this program knows %d", f.Version, fileVersion)
	}
	if f.PIN != "" {
		if _, err := parseStored(f.PIN); err != nil {
			return file{}, err
		}
	}
	for _, c := range f.Invitations {
		if c.Role == sitting.RoleChair || c.Role == sitting.RoleOperator || c.Role == sitting.RoleBox {
			return file{}, fmt.Errorf("link of %s as %q: %w", c.Person, c.Role, ErrRole)
		}
	}
	for _, c := range f.Sessions {
		if c.Role != sitting.RoleChair {
			return file{}, fmt.Errorf("session of %s as %q: only the chair has sessions", c.Person, c.Role)
		}
	}
	return f, nil
}

func (f file) save(path string) error {
	raw, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return replaceFile(path, append(raw, '\n'), 0o600)
}

// readPrivate reads a file that only its owner may read.
func readPrivate(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", path, err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o177 != 0 {
		return nil, fmt.Errorf("%s is %v, wanted -rw-------: %w", path, info.Mode(), ErrTooWide)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(raw) > maxFile {
		return nil, fmt.Errorf("read %s: more than %d bytes: %w", path, maxFile, ErrDamaged)
	}
	return raw, nil
}

// replaceFile puts the file in place whole or not at all. The directory is synced too: a link that was answered for
// must be known after a power cut.
func replaceFile(path string, raw []byte, mode os.FileMode) error {
	if err := renameio.WriteFile(path, raw, mode, renameio.WithStaticPermissions(mode)); err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("sync the folder of %s: %w", path, err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("sync the folder of %s: %w", path, err)
	}
	return nil
}
