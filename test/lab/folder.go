package lab

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const folderPrefix = "plenum-lab-"

// folder is what a VM has on the host: sockets, disk, WAV. It is locked as long as its process lives, so that the next
// one can remove what a killed process has left.
type folder struct {
	path string
	lock *os.File
}

// newFolder makes one with a short path (a socket's has 107 bytes at most) and removes those that nobody holds.
func newFolder() (*folder, error) {
	// Between making and locking a folder looks like one that nobody holds.
	all, err := locked(filepath.Join(os.TempDir(), folderPrefix+"lock"), os.O_CREATE|os.O_RDWR, unix.LOCK_EX)
	if err != nil {
		return nil, err
	}
	defer all.Close()
	old, _ := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*[0-9]"))
	for _, path := range old {
		if lock, err := locked(path, os.O_RDONLY, unix.LOCK_EX|unix.LOCK_NB); err == nil {
			os.RemoveAll(path)
			lock.Close()
		}
	}
	path, err := os.MkdirTemp("", folderPrefix)
	if err != nil {
		return nil, err
	}
	lock, err := locked(path, os.O_RDONLY, unix.LOCK_EX)
	if err != nil {
		os.RemoveAll(path)
		return nil, err
	}
	return &folder{path, lock}, nil
}

// remove may be called twice.
func (f *folder) remove() {
	os.RemoveAll(f.path)
	f.lock.Close()
}

// locked opens a file or a folder and locks it (flock(2)).
func locked(path string, flags, how int) (*os.File, error) {
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), how); err != nil {
		f.Close()
		return nil, &os.PathError{Op: "lock", Path: path, Err: err}
	}
	return f, nil
}
