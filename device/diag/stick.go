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

// stick is the real one.
type stick struct{ root *os.Root }

func openStick(dir string) (target, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the stick: %w", err)
	}
	return stick{root}, nil
}

func (s stick) free() (int64, error) {
	d, err := s.root.Open(".")
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

func (s stick) names() ([]string, error) {
	d, err := s.root.Open(".")
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

func (s stick) has(name string) (bool, error) {
	_, err := s.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (s stick) create(name string) (output, error) {
	return s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
}

func (s stick) rename(from, to string) error { return s.root.Rename(from, to) }
func (s stick) remove(name string) error     { return s.root.Remove(name) }
func (s stick) close() error                 { return s.root.Close() }

func (s stick) sync() error {
	d, err := s.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
