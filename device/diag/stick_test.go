package diag

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"plenum/device/stick"
)

// bad is a real folder behind a stick that goes wrong: after some bytes every operation fails.
type bad struct {
	target
	left int
	err  error
	hit  func()
}

func (b *bad) create(name string) (output, error) {
	out, err := b.target.create(name)
	return badFile{out, b}, err
}

func (b *bad) sync() error { return errors.Join(b.fail(0), b.target.sync()) }
func (b *bad) rename(from, to string) error {
	return errors.Join(b.fail(0), b.target.rename(from, to))
}

func (b *bad) fail(n int) error {
	if b.left -= n; b.left > 0 {
		return nil
	}
	if b.hit != nil {
		b.hit()
	}
	return b.err
}

type badFile struct {
	output
	b *bad
}

func (f badFile) Write(p []byte) (int, error) {
	if err := f.b.fail(len(p)); err != nil {
		return 0, err
	}
	return f.output.Write(p)
}
func (f badFile) Sync() error { return errors.Join(f.b.fail(0), f.output.Sync()) }

func TestBadSticks(t *testing.T) {
	for _, tt := range []struct {
		name   string
		left   int
		err    error
		pull   bool
		want   error
		german string
	}{
		{"full at once", 1, syscall.ENOSPC, false, ErrFull, "Der Stick ist voll"},
		{"full later", 150_000, syscall.ENOSPC, false, ErrFull, "Der Stick ist voll"},
		{"pulled at once", 1, syscall.EIO, false, ErrPulled, "abgezogen"},
		{"pulled later", 150_000, syscall.ENODEV, false, ErrPulled, "abgezogen"},
		{"given up by the kernel", 150_000, syscall.EROFS, false, ErrPulled, "abgezogen"},
		{"pulled, and told first", 150_000, nil, true, ErrPulled, "abgezogen"},
	} {
		for _, key := range []string{"", "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"} {
			t.Run(tt.name+key[:min(3, len(key))], func(t *testing.T) {
				dir := t.TempDir()
				write(t, filepath.Join(dir, ".plenum-box-1.part"), "left over")
				write(t, filepath.Join(dir, "holiday.jpg"), "mine")
				var d *Diag
				unmounted := 0
				d = New(Options{Now: at, Sources: []Source{noise("log.txt", 3_000)}, Recipient: func() string { return key },
					Mount:   func(context.Context, string) (string, error) { return dir, nil },
					Unmount: func(ctx context.Context, _ string) error { unmounted++; return ctx.Err() },
					open: func(dir string) (target, error) {
						s, err := openVolume(dir)
						b := &bad{target: s, left: tt.left, err: tt.err}
						if tt.pull {
							b.hit = func() { d.Remove("s") }
						}
						return b, err
					}})
				if err := d.Insert(t.Context(), Medium{ID: "s", Path: "/nowhere"}); !errors.Is(err, tt.want) {
					t.Errorf("got %v", err)
				}
				if v := d.View(); v.State != Failed || !strings.Contains(v.DE, tt.german) || v.File != "" {
					t.Errorf("%+v", v)
				}
				files, _ := os.ReadDir(dir)
				if len(files) != 1 || files[0].Name() != "holiday.jpg" || unmounted != 1 {
					t.Errorf("%v, unmounted %d times", files, unmounted)
				}
			})
		}
	}
}

func TestReadOnlyAndGone(t *testing.T) {
	d := New(Options{Unmount: func(context.Context, string) error { return nil }})
	if err := d.Insert(t.Context(), Medium{ID: "s", ReadOnly: true}); !errors.Is(err, ErrReadOnly) || !strings.Contains(d.View().DE, "schreibgeschützt") {
		t.Errorf("%v %+v", err, d.View())
	}
	d.Remove("other")
	if d.View().State != Failed {
		t.Error("another stick's going counted")
	}
	d.Remove("s")
	if d.View().State != Idle {
		t.Error("still there")
	}
	if err := d.Insert(t.Context(), Medium{ID: "s", Path: filepath.Join(t.TempDir(), "gone")}); !errors.Is(err, ErrPulled) {
		t.Error(err)
	}
}

func TestBrokenOff(t *testing.T) {
	for _, tt := range []struct {
		cause, want error
		german      string
	}{{stick.ErrPulled, ErrPulled, "abgezogen"}, {stick.ErrSitting, stick.ErrSitting, "Eine Sitzung hat begonnen"}, {context.Canceled, context.Canceled, "abgebrochen"}} {
		ctx, cancel := context.WithCancelCause(t.Context())
		dir := t.TempDir()
		d := New(Options{Sources: []Source{{Name: "slow", Write: func(ctx context.Context, _ io.Writer) error {
			cancel(tt.cause)
			<-ctx.Done()
			return ctx.Err()
		}}}})
		if err := d.Insert(ctx, Medium{ID: "s", Path: dir}); !errors.Is(err, tt.want) || !strings.Contains(d.View().DE, tt.german) {
			t.Errorf("%v, %+v", err, d.View())
		}
		if files, _ := os.ReadDir(dir); len(files) > 0 {
			t.Errorf("left %v", files)
		}
	}
}

func TestOneAtATime(t *testing.T) {
	started, ctx := make(chan struct{}), t.Context()
	d := New(Options{Sources: []Source{{Name: "slow", Write: func(ctx context.Context, _ io.Writer) error {
		close(started)
		<-ctx.Done()
		return ctx.Err()
	}}}})
	done := make(chan error)
	dir := t.TempDir()
	go func() { done <- d.Insert(ctx, Medium{ID: "s", Path: dir}) }()
	<-started
	if err := d.Insert(ctx, Medium{ID: "other", Path: dir}); !errors.Is(err, ErrBusy) || d.View().State != Writing {
		t.Errorf("%v %+v", err, d.View())
	}
	d.Remove("s")
	if err := <-done; !errors.Is(err, ErrPulled) {
		t.Error(err)
	}
}

// The real kernel's answers: a small tmpfs in a mount namespace of a process of its own.
const insideEnv = "PLENUM_TEST_SMALL_STICK"

func TestSmallStick(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), insideEnv+"="+t.TempDir())
	// Not Unshareflags: it makes "/" private first, which in a chroot is no mount.
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v (it needs a mount namespace: root, or user namespaces)\n%s", err, out)
	}
}

func inside() error {
	dir := os.Getenv(insideEnv)
	defer func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) }() // a test that failed leaves nothing mounted
	for _, tt := range []struct {
		name, size string
		flags      uintptr
		fill       bool // another program fills the stick meanwhile
		want       error
		cut        bool
	}{
		{"too small", "1m", 0, false, ErrFull, false},
		{"small", "2m", 0, false, nil, true},
		{"filled meanwhile", "2m", 0, true, ErrFull, false},
		{"read-only", "2m", syscall.MS_RDONLY, false, ErrReadOnly, false},
	} {
		if err := syscall.Mount("none", dir, "tmpfs", tt.flags, "size="+tt.size); err != nil {
			return fmt.Errorf("%s: %w", tt.name, err)
		}
		sources := []Source{noise("log.txt", 200_000)}
		if tt.fill {
			sources = append([]Source{{Name: "x", Write: func(context.Context, io.Writer) error {
				err := os.WriteFile(filepath.Join(dir, "film"), make([]byte, 16<<20), 0o600)
				if !errors.Is(err, syscall.ENOSPC) {
					return fmt.Errorf("not full: %w", err)
				}
				return nil
			}}}, sources...)
		}
		d := New(Options{Sources: sources, Now: at, Unmount: func(context.Context, string) error { return nil }})
		err := d.Insert(context.Background(), Medium{ID: "s", Path: dir})
		v := d.View()
		files, _ := filepath.Glob(filepath.Join(dir, "*plenum*"))
		hidden, _ := filepath.Glob(filepath.Join(dir, ".plenum*"))
		if !errors.Is(err, tt.want) || tt.want == nil && err != nil || tt.cut != strings.Contains(v.EN, "left out") || len(hidden) > 0 || (len(files) == 1) != (tt.want == nil) {
			return fmt.Errorf("%s: %w, %+v, %v, %v", tt.name, err, v, files, hidden)
		}
		if err := syscall.Unmount(dir, 0); err != nil { // busy if anything was left open
			return fmt.Errorf("%s: unmounting: %w", tt.name, err)
		}
	}
	return nil
}
