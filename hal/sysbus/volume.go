package sysbus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"
)

// Volume is a file system on a stick: a partition of it, or all of it when it has no partition table.
type Volume struct {
	ID         string   // names this stick in its socket until it is pulled, such as "sdb1-12"
	Device     string   // where it is now, such as /dev/sdb1
	Label      string   // of the file system; "" when it has none
	Filesystem string   // such as vfat, exfat, ext4
	Drive      string   // maker and model
	Serial     string   // of the drive; "" when it has none
	Size       int64    // bytes
	ReadOnly   bool     // write-protected
	USB        bool     // always set today
	Mounts     []string // where it is mounted

	path dbus.ObjectPath
}

// Interfaces of UDisks2 (https://storaged.org/doc/udisks2-api/latest/).
const (
	managerFace    = "org.freedesktop.DBus.ObjectManager"
	blockFace      = "org.freedesktop.UDisks2.Block"
	driveFace      = "org.freedesktop.UDisks2.Drive"
	filesystemFace = "org.freedesktop.UDisks2.Filesystem"
)

// tree is everything UDisks2 knows.
type tree = map[dbus.ObjectPath]map[string]props

// Volumes lists the file systems on USB drives, sorted by device. What belongs to the box itself is never among them:
// drives UDisks2 calls the system's, drives that are not on USB, and a drive the running system is mounted from.
func (b *Bus) Volumes(ctx context.Context) ([]Volume, error) {
	t, err := single[tree](b.call(ctx, object{disksName, "/org/freedesktop/UDisks2"}, managerFace+".GetManagedObjects"))
	if err != nil {
		return nil, fmt.Errorf("list the sticks: %w", err)
	}
	blocks, err := readBlocks(t)
	if err != nil {
		return nil, fmt.Errorf("list the sticks: %w", err)
	}
	var list []Volume
	for _, k := range blocks {
		if k.usage != "filesystem" || k.kept || ownDisk(blocks, k.drive) {
			continue
		}
		d, err := readDrive(t, k.drive)
		if err != nil {
			return nil, fmt.Errorf("list the sticks: %w", err)
		}
		if !d.USB {
			continue
		}
		v := k.Volume
		v.Drive, v.Serial, v.USB = d.Drive, d.Serial, true
		if v.ID, err = b.identity(k); err != nil {
			continue // pulled, and UDisks2 does not know yet
		}
		list = append(list, v)
	}
	slices.SortFunc(list, func(x, y Volume) int { return cmp.Compare(x.Device, y.Device) })
	return list, nil
}

// block is a block device as UDisks2 shows it; Volume is filled as far as it knows.
type block struct {
	Volume
	drive  dbus.ObjectPath
	usage  string // "filesystem", "crypto", …; "" when it has no file system that can be mounted
	uuid   string
	system bool // UDisks2 holds it to be a part of the computer
	kept   bool // a rule says to leave it alone
}

// readBlocks reads all block devices.
func readBlocks(t tree) ([]block, error) {
	var list []block
	for path, faces := range t {
		p, ok := faces[blockFace]
		if !ok {
			continue
		}
		r := &reader{props: p}
		k := block{drive: take[dbus.ObjectPath](r, "Drive"), usage: take[string](r, "IdUsage"), uuid: take[string](r, "IdUUID"),
			system: take[bool](r, "HintSystem"), kept: take[bool](r, "HintIgnore")}
		k.path = path
		k.Device = pathText(take[[]byte](r, "Device"))
		k.Label, k.Filesystem = clean(take[string](r, "IdLabel")), clean(take[string](r, "IdType"))
		k.Size, k.ReadOnly = int64(take[uint64](r, "Size")), take[bool](r, "ReadOnly")
		files, ok := faces[filesystemFace]
		if !ok {
			k.usage = ""
		}
		m := &reader{props: files}
		for _, point := range take[[][]byte](m, "MountPoints") {
			k.Mounts = append(k.Mounts, pathText(point))
		}
		if err := errors.Join(r.err, m.err); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		list = append(list, k)
	}
	return list, nil
}

// readDrive reads a drive. A device without one (a loop device, a mapping) is on no USB drive.
func readDrive(t tree, path dbus.ObjectPath) (Volume, error) {
	r := &reader{props: t[path][driveFace]}
	d := Volume{USB: take[string](r, "ConnectionBus") == "usb" && take[bool](r, "Removable")}
	d.Drive = clean(take[string](r, "Vendor") + " " + take[string](r, "Model"))
	d.Serial = clean(take[string](r, "Serial"))
	if r.err != nil {
		return Volume{}, fmt.Errorf("%s: %w", path, r.err)
	}
	return d, nil
}

// ownDisk reports whether the system runs from a drive. A box may well boot from a disk on USB.
func ownDisk(blocks []block, drive dbus.ObjectPath) bool {
	return slices.ContainsFunc(blocks, func(k block) bool {
		return k.drive == drive && (k.system || slices.ContainsFunc(k.Mounts, ownPlace))
	})
}

// ownPlace reports whether a mount point belongs to the running system. Sticks are below /run/media, /media or /mnt.
func ownPlace(path string) bool {
	top, _, _ := strings.Cut(strings.TrimPrefix(filepath.Clean(path), "/"), "/")
	return slices.Contains([]string{"", "usr", "boot", "efi", "grub", "data", "var", "etc", "home", "opt", "srv"}, top)
}

// identity names a stick in its socket. The kernel counts disks as they come (diskseq, since Linux 5.15), so the same name
// on another stick is another identity; where it does not, the file system's own id must do.
func (b *Bus) identity(k block) (string, error) {
	name := filepath.Base(k.Device)
	classes := filepath.Join(b.opts.Sys, "class/block")
	if _, err := os.Stat(classes); errors.Is(err, fs.ErrNotExist) {
		return join(name, k.uuid), nil
	}
	dir, err := filepath.EvalSymlinks(filepath.Join(classes, name))
	if err != nil {
		return "", fmt.Errorf("%s: %w", k.Device, ErrGone)
	}
	if _, err := os.Stat(filepath.Join(dir, "partition")); err == nil {
		dir = filepath.Dir(dir)
	}
	seq, err := os.ReadFile(filepath.Join(dir, "diskseq"))
	if err != nil {
		return join(name, k.uuid), nil
	}
	return join(name, strings.TrimSpace(string(seq))), nil
}

// join puts an identity together; only letters, digits and dashes are left, so that it fits into an address.
func join(name, rest string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, name+"-"+rest), "-")
}

// volume finds a stick by its ID.
func (b *Bus) volume(ctx context.Context, id string) (Volume, error) {
	list, err := b.Volumes(ctx)
	if err != nil {
		return Volume{}, err
	}
	i := slices.IndexFunc(list, func(v Volume) bool { return v.ID == id })
	if i < 0 {
		return Volume{}, fmt.Errorf("%w: %s", ErrGone, id)
	}
	return list[i], nil
}
