package sysbus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/godbus/dbus/v5"
)

// Mount mounts a stick and gives the folder: without devices, set-uid programs and programs, and read-only unless write is
// set. The kernel's own list of mounts is read back: a mount that lacks one of these is undone, and the error is ErrUnsafe;
// ErrReadOnly when write is set and the stick is write-protected. A stick that is mounted already as it should be stays as
// it is; otherwise it is unmounted and mounted anew.
func (b *Bus) Mount(ctx context.Context, id string, write bool) (path string, err error) {
	if err := b.takeTurn(ctx); err != nil {
		return "", err
	}
	defer b.endTurn()
	v, err := b.volume(ctx, id)
	if err != nil {
		return "", fmt.Errorf("mount: %w", err)
	}
	if len(v.Mounts) == 1 && b.guarded(v.Mounts[0], write) == nil {
		return v.Mounts[0], nil
	}
	for range v.Mounts {
		if err := b.unmount(ctx, v, false); err != nil {
			return "", fmt.Errorf("mount %s anew: %w", v.Device, b.pulled(ctx, id, err))
		}
	}
	path, err = single[string](b.callSlowly(ctx, object{disksName, v.path}, filesystemFace+".Mount", mountOptions(write)))
	if err != nil {
		return "", fmt.Errorf("mount %s: %w", v.Device, b.pulled(ctx, id, err))
	}
	if err := b.guarded(path, write); err != nil {
		return "", errors.Join(fmt.Errorf("mount %s: %w", v.Device, err), b.unmount(ctx, v, false))
	}
	return path, nil
}

// mountOptions are the options of UDisks2's Mount. Nobody sits there who could type a password.
func mountOptions(write bool) props {
	how := "ro"
	if write {
		how = "rw"
	}
	return props{"options": dbus.MakeVariant(how + ",nodev,nosuid,noexec"), "auth.no_user_interaction": dbus.MakeVariant(true)}
}

// Unmount writes out what is left to write and unmounts a stick, wherever it is mounted. That it was pulled before, or is
// not mounted, is no error: either way nothing of it is left.
func (b *Bus) Unmount(ctx context.Context, id string) error {
	if err := b.takeTurn(ctx); err != nil {
		return err
	}
	defer b.endTurn()
	v, err := b.volume(ctx, id)
	if errors.Is(err, ErrGone) {
		return nil // UDisks2 itself clears away what was mounted of a stick that is gone
	}
	if err != nil {
		return fmt.Errorf("unmount: %w", err)
	}
	for range max(1, len(v.Mounts)) {
		err := b.unmount(ctx, v, false)
		if err != nil && errors.Is(b.pulled(ctx, id, err), ErrGone) {
			if err := b.unmount(ctx, v, true); err != nil {
				b.log.Info("a pulled stick is left to UDisks2", "device", v.Device, "error", err)
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("unmount %s: %w", v.Device, err)
		}
	}
	return nil
}

// unmount unmounts once; force lets go of a stick that does not answer. Not mounted is no error.
func (b *Bus) unmount(ctx context.Context, v Volume, force bool) error {
	opts := props{"auth.no_user_interaction": dbus.MakeVariant(true)}
	if force {
		opts["force"] = dbus.MakeVariant(true)
	}
	_, err := b.callSlowly(ctx, object{disksName, v.path}, filesystemFace+".Unmount", opts)
	if errorName(err) == "org.freedesktop.UDisks2.Error.NotMounted" {
		return nil
	}
	return err
}

// pulled turns the error of a call into ErrGone when the stick is not there any more.
func (b *Bus) pulled(ctx context.Context, id string, err error) error {
	if _, look := b.volume(ctx, id); errors.Is(look, ErrGone) {
		return fmt.Errorf("%w (%v)", ErrGone, err)
	}
	return err
}

func (b *Bus) takeTurn(ctx context.Context) error {
	select {
	case b.mounting <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *Bus) endTurn() { <-b.mounting }

// guarded reads back whether a folder is mounted as Mount promises.
func (b *Bus) guarded(path string, write bool) error {
	if !filepath.IsAbs(path) || path != filepath.Clean(path) || ownPlace(path) {
		return fmt.Errorf("%w: it is at %q", ErrUnsafe, path)
	}
	f, err := os.Open(b.opts.Mountinfo)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnsafe, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 4<<20))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnsafe, err)
	}
	flags, ok := mountFlags(string(text), path)
	if !ok {
		return fmt.Errorf("%w: nothing is mounted at %s", ErrUnsafe, path)
	}
	for _, want := range []string{"nodev", "nosuid", "noexec"} {
		if !slices.Contains(flags, want) {
			return fmt.Errorf("%w: %s is not mounted %s", ErrUnsafe, path, want)
		}
	}
	switch readOnly := slices.Contains(flags, "ro"); {
	case write && readOnly:
		return ErrReadOnly
	case !write && !readOnly:
		return fmt.Errorf("%w: %s can be written", ErrUnsafe, path)
	}
	return nil
}

// mountFlags finds the flags of what is mounted at a path, in the text of /proc/self/mountinfo (proc_pid_mountinfo(5)):
// "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue". The last mount lies on top. "ro" is among
// the flags when either the mount or its file system is.
func mountFlags(text, path string) (flags []string, ok bool) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		dash := slices.Index(fields, "-")
		if dash < 6 || len(fields) < dash+4 || unescape(fields[4]) != path {
			continue
		}
		flags, ok = strings.Split(fields[5], ","), true
		if slices.Contains(strings.Split(fields[dash+3], ","), "ro") {
			flags = append(flags, "ro")
		}
	}
	return flags, ok
}

// unescape undoes the kernel's \040 for a blank and its like.
func unescape(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+4 <= len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				out.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}
