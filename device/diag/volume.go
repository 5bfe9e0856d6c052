package diag

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// target is the top folder of a stick; names are plain names in it. A test lets it run full or be pulled.
type target interface {
	free() (int64, error) // bytes
	names() ([]string, error)
	has(name string) (bool, error)
	create(name string) (output, error) // a new file
	rename(from, to string) error
	remove(name string) error
	sync() error // makes the folder's entries durable
	close() error
}

// output is a file that is written.
type output interface {
	io.WriteCloser
	Sync() error
}

// volume is the real one.
type volume struct{ root *os.Root }

func openVolume(dir string) (target, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the stick: %w", err)
	}
	return volume{root}, nil
}

func (v volume) free() (int64, error) {
	d, err := v.root.Open(".")
	if err != nil {
		return 0, err
	}
	defer d.Close()
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(d.Fd()), &st); err != nil {
		return 0, fmt.Errorf("looking for free space: %w", err)
	}
	return int64(st.Bavail) * st.Bsize, nil
}

func (v volume) names() ([]string, error) {
	d, err := v.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(10_000)
	if errors.Is(err, io.EOF) {
		err = nil // an empty stick
	}
	return names, err
}

func (v volume) has(name string) (bool, error) {
	_, err := v.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (v volume) create(name string) (output, error) {
	return v.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
}

func (v volume) rename(from, to string) error { return v.root.Rename(from, to) }
func (v volume) remove(name string) error     { return v.root.Remove(name) }
func (v volume) close() error                 { return v.root.Close() }

func (v volume) sync() error {
	d, err := v.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
