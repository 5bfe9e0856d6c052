package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// disk is the folder of the configuration, operation by operation; names are relative to it. A test cuts the power
// between any two.
type disk interface {
	read(name string) ([]byte, error)
	has(name string) (bool, error)
	write(name string, data []byte, mode fs.FileMode) error // a new file, its content synced when it returns
	mkdir(name string, mode fs.FileMode) error              // nil when it is there
	rename(from, to string) error                           // replaces a file
	remove(name string) error                               // with all that is in it; nil when it is not there
	sync(dir string) error                                  // makes the folder's entries durable
}

// folder is the real disk. The root keeps every name inside, whatever links there are.
type folder struct{ root *os.Root }

func openFolder(dir string) (folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return folder{}, fmt.Errorf("opening the configuration's folder: %w", err)
	}
	return folder{root}, nil
}

func (f folder) read(name string) ([]byte, error) { return f.root.ReadFile(name) }

func (f folder) has(name string) (bool, error) {
	_, err := f.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (f folder) write(name string, data []byte, mode fs.FileMode) error {
	file, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	if err = file.Chmod(mode); err == nil { // whatever the umask is
		if _, err = file.Write(data); err == nil {
			err = file.Sync()
		}
	}
	return errors.Join(err, file.Close())
}

func (f folder) mkdir(name string, mode fs.FileMode) error {
	if err := f.root.Mkdir(name, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func (f folder) rename(from, to string) error { return f.root.Rename(from, to) }

func (f folder) remove(name string) error { return f.root.RemoveAll(name) }

func (f folder) sync(dir string) error {
	d, err := f.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
