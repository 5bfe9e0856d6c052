package port

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// What root cannot provoke is checked on the errno.
func TestReason(t *testing.T) {
	for errno, want := range map[unix.Errno]error{
		unix.EACCES: ErrPermission, unix.EPERM: ErrPermission, unix.EBUSY: ErrBusy, unix.ENOENT: ErrMissing,
		unix.ENODEV: ErrMissing, unix.ENOTTY: ErrNotSerial, unix.EMFILE: unix.EMFILE,
	} {
		if got := reason(errno); !errors.Is(got, want) {
			t.Errorf("%v is explained as %v, want %v", errno, got, want)
		}
	}
}
