package setup

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"plenum/device/strict"
)

// Files of a stick; the names are compared without regard to case, as FAT does.
const (
	onConfig  = "plenum.toml"
	onNetwork = "network.toml"
	onName    = "name"
	onCert    = "tls/cert.pem"
	onKey     = "tls/key.pem"
	onRoster  = "roster.csv"
	onUSB     = "usb.allow"
	onOwner   = "setup.pub"
	onSums    = "SHA256SUMS"
	onSig     = "SHA256SUMS.sig"
)

// limit is how many bytes a file of the stick may have at most; 0: the name is none of ours.
func limit(name string) int64 {
	switch name {
	case onConfig, onRoster, onCert, onSums:
		return strict.MaxSize
	case onNetwork, onKey, onUSB:
		return 16 << 10
	case onName, onOwner, onSig:
		return 4 << 10
	}
	return 0
}

// names are all files that a stick may hold.
func names() []string {
	return []string{onConfig, onNetwork, onName, onCert, onKey, onRoster, onUSB, onOwner, onSums, onSig}
}

// content is what a stick holds, read whole: what is checked is what is applied, whatever becomes of the stick.
type content struct {
	files  map[string][]byte // by our own spelling of the name
	unused []string          // names that mean nothing to us
}

// maxEntries bounds how many names of a folder are looked at.
const maxEntries = 10_000

// read takes our files from the top folder of a stick and from its folder tls. Only plain files count: no links, no
// devices, nothing outside the stick. The error is a *Refusal when the content is at fault, else what the stick said.
func read(dir string) (content, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return content{}, fmt.Errorf("opening the stick: %w", err)
	}
	defer root.Close()
	c := content{files: map[string][]byte{}}
	if err := c.folder(root, ".", ""); err != nil {
		return content{}, err
	}
	if len(c.files) == 0 {
		return content{}, refuse(say("Auf dem Stick liegt nichts zum Einrichten. Möglich sind: %s.",
			"There is nothing to set up on the stick. Possible are: %s.", strings.Join(names()[:8], ", ")))
	}
	return c, nil
}

// folder reads one folder: real is its name on the stick, ours the prefix by which we call it.
func (c *content) folder(root *os.Root, real, ours string) error {
	f, err := root.Open(real)
	if err != nil {
		return fmt.Errorf("reading the stick: %w", err)
	}
	defer f.Close()
	for seen := 0; ; {
		entries, err := f.ReadDir(200)
		for _, e := range entries {
			if err := c.entry(root, path.Join(real, e.Name()), ours+e.Name(), e.Type()); err != nil {
				return err
			}
		}
		if seen += len(entries); seen > maxEntries {
			return refuse(say("Auf dem Stick liegen mehr als %d Dateien. Bitte einen eigenen Stick zum Einrichten nehmen.",
				"There are more than %d files on the stick. Take a stick of its own for the setup.", maxEntries))
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the stick: %w", err)
		}
	}
}

func (c *content) entry(root *os.Root, real, name string, kind fs.FileMode) error {
	if kind == fs.ModeDir && strings.EqualFold(name, "tls") {
		return c.folder(root, real, "tls/")
	}
	for _, ours := range names() {
		if !strings.EqualFold(name, ours) {
			continue
		}
		if _, twice := c.files[ours]; twice {
			return refuse(say("%s: liegt zweimal auf dem Stick, in verschiedener Schreibweise. Bitte eine löschen.",
				"%s: stands on the stick twice, in different spelling. Delete one.", ours))
		}
		text, err := plain(root, real, limit(ours))
		if err != nil {
			return err
		}
		c.files[ours] = text
		return nil
	}
	if !strings.HasPrefix(path.Base(name), ".") && kind.IsRegular() && len(c.unused) < 100 {
		c.unused = append(c.unused, name)
	}
	return nil
}

// plain reads a file that must be a plain one and no larger than the limit, in bytes.
func plain(root *os.Root, name string, limit int64) ([]byte, error) {
	before, err := root.Lstat(name)
	if err != nil {
		return nil, fmt.Errorf("reading the stick: %w", err)
	}
	noFile := refuse(say("%s: ist keine einfache Datei. Verknüpfungen gelten nicht; bitte die Datei selbst auf den Stick kopieren.",
		"%s: is no plain file. Links do not count; copy the file itself to the stick.", shown(name)))
	if !before.Mode().IsRegular() {
		return nil, noFile
	}
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // never hang in a pipe that came meanwhile
	if err != nil {
		return nil, fmt.Errorf("reading the stick: %w", err)
	}
	defer f.Close()
	if now, err := f.Stat(); err != nil || !os.SameFile(before, now) {
		return nil, noFile
	}
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading the stick: %w", err)
	}
	if int64(len(text)) > limit {
		return nil, refuse(say("%s: ist zu groß. Möglich sind bis %d kB.", "%s: is too large. Possible are up to %d kB.",
			shown(name), limit>>10))
	}
	return text, nil
}
