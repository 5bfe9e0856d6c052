package fake

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/godbus/dbus/v5"
)

// Stick is a block device as UDisks2 shows it.
type Stick struct {
	Device     string // "sdb" for a file system on all of it, "sdb1" for one in a partition
	Label      string
	Filesystem string // "": none, such as a disk with a partition table
	UUID       string
	Vendor     string
	Model      string
	Serial     string
	Bus        string // of its drive; "" is usb, "none" is a device without a drive
	Size       uint64 // bytes
	ReadOnly   bool
	System     bool     // HintSystem
	Ignore     bool     // HintIgnore
	Content    string   // the folder that is "mounted"; "": a new, empty one
	Mounted    []string // mounted already, not by us
}

// Disks is UDisks2.
type Disks struct {
	*Service
	dir string

	mu      sync.Mutex
	sticks  map[string]Stick
	weak    string // flags that are left out of mounts, such as "nodev"
	mounted map[string]mount
	busy    bool // see Occupy
}

// mount is what Mount made.
type mount struct{ path, flags string }

// Interfaces of UDisks2.
const (
	disksRoot  = "/org/freedesktop/UDisks2"
	blockFace  = "org.freedesktop.UDisks2.Block"
	driveFace  = "org.freedesktop.UDisks2.Drive"
	filesFace  = "org.freedesktop.UDisks2.Filesystem"
	disksError = "org.freedesktop.UDisks2.Error."
)

// ServeDisks is UDisks2 on the bus at address. Its "mounts" are folders below dir, written to Mountinfo there.
func ServeDisks(address, dir string) (*Disks, error) {
	d := &Disks{dir: dir, sticks: map[string]Stick{}, mounted: map[string]mount{}}
	if err := os.MkdirAll(filepath.Join(dir, "sys"), 0o755); err != nil {
		return nil, err
	}
	if err := d.writeMounts(); err != nil {
		return nil, err
	}
	d.Service = prepare(d.answer)
	return d, d.join(address, "org.freedesktop.UDisks2")
}

// Mountinfo is the file that stands in for /proc/self/mountinfo.
func (d *Disks) Mountinfo() string { return filepath.Join(d.dir, "mountinfo") }

// Sys is an empty folder that stands in for /sys.
func (d *Disks) Sys() string { return filepath.Join(d.dir, "sys") }

// Plug puts sticks in.
func (d *Disks) Plug(sticks ...Stick) error {
	for _, s := range sticks {
		d.mu.Lock()
		d.sticks[s.Device] = s
		faces := d.faces(s)
		d.mu.Unlock()
		if err := d.Emit(disksRoot, "org.freedesktop.DBus.ObjectManager.InterfacesAdded", blockPath(s.Device), faces); err != nil {
			return err
		}
	}
	return nil
}

// Pull takes sticks out, mounted or not.
func (d *Disks) Pull(devices ...string) error {
	for _, dev := range devices {
		d.mu.Lock()
		delete(d.sticks, dev)
		delete(d.mounted, dev)
		err := d.writeMounts()
		d.mu.Unlock()
		if err != nil {
			return err
		}
		if err := d.Emit(disksRoot, "org.freedesktop.DBus.ObjectManager.InterfacesRemoved", blockPath(dev), []string{blockFace, filesFace}); err != nil {
			return err
		}
	}
	return nil
}

// Weaken leaves a flag out of the next mounts, as if UDisks2 did not heed it.
func (d *Disks) Weaken(flag string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.weak = flag
}

// Occupy has unmounts fail, as when a file is open.
func (d *Disks) Occupy(busy bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy = busy
}

// MountPoint is where a stick is mounted by Mount, "" when it is not.
func (d *Disks) MountPoint(device string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mounted[device].path
}

func (d *Disks) answer(c Call) ([]any, error) {
	if c.Member == "GetManagedObjects" {
		return []any{d.tree()}, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	device := filepath.Base(string(c.Path))
	s, ok := d.sticks[device]
	if !ok || s.Filesystem == "" || c.Interface != filesFace {
		return nil, Unknown(c)
	}
	switch c.Member {
	case "Mount":
		path, err := d.mount(s, options(c, 0))
		return []any{path}, err
	case "Unmount":
		return nil, d.unmount(s, options(c, 0))
	}
	return nil, Unknown(c)
}

func (d *Disks) mount(s Stick, opts variants) (string, error) {
	if !truth(opts["auth.no_user_interaction"]) {
		return "", Error(disksError+"NotAuthorizedCanObtain", "somebody would have to type a password")
	}
	if d.mounted[s.Device].path != "" || len(s.Mounted) > 0 {
		return "", Error(disksError+"AlreadyMounted", s.Device)
	}
	path := s.Content
	if path == "" {
		path = filepath.Join(d.dir, "media", s.Device)
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return "", Error(disksError+"Failed", err.Error())
	}
	flags, _ := opts["options"].Value().(string)
	list := slices.DeleteFunc(strings.Split(flags, ","), func(f string) bool { return f == d.weak })
	if s.ReadOnly {
		list = append(slices.DeleteFunc(list, func(f string) bool { return f == "rw" }), "ro")
	}
	d.mounted[s.Device] = mount{path, strings.Join(list, ",")}
	return path, d.writeMounts()
}

func (d *Disks) unmount(s Stick, opts variants) error {
	switch {
	case d.busy && !truth(opts["force"]):
		return Error(disksError+"DeviceBusy", s.Device)
	case d.mounted[s.Device].path == "" && len(s.Mounted) == 0:
		return Error(disksError+"NotMounted", s.Device)
	case d.mounted[s.Device].path != "":
		delete(d.mounted, s.Device)
	default:
		s.Mounted = s.Mounted[1:]
		d.sticks[s.Device] = s
	}
	return d.writeMounts()
}

// writeMounts writes the list of mounts in the form of proc_pid_mountinfo(5).
func (d *Disks) writeMounts() error {
	out := []byte("22 1 254:1 / / ro,relatime shared:1 - squashfs /dev/vda2 ro\n")
	for i, dev := range slices.Sorted(maps.Keys(d.mounted)) {
		m := d.mounted[dev]
		path := strings.ReplaceAll(m.path, " ", `\040`)
		out = fmt.Appendf(out, "%d 22 8:%d / %s %s shared:%d - vfat /dev/%s rw\n", 100+i, i, path, m.flags, i, dev)
	}
	return os.WriteFile(d.Mountinfo(), out, 0o644)
}

func blockPath(device string) dbus.ObjectPath {
	return dbus.ObjectPath(disksRoot + "/block_devices/" + device)
}

// drivePath: partitions are on the drive of their disk.
func drivePath(s Stick) dbus.ObjectPath {
	if s.Bus == "none" {
		return "/"
	}
	return dbus.ObjectPath(disksRoot + "/drives/" + strings.TrimRight(s.Device, "0123456789"))
}

func (d *Disks) tree() map[dbus.ObjectPath]map[string]variants {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := map[dbus.ObjectPath]map[string]variants{disksRoot + "/Manager": {"org.freedesktop.UDisks2.Manager": {"Version": variant("2.9.4")}}}
	for _, s := range d.sticks {
		t[blockPath(s.Device)] = d.faces(s)
		if s.Bus == "none" {
			continue
		}
		bus := s.Bus
		if bus == "" {
			bus = "usb"
		}
		t[drivePath(s)] = map[string]variants{driveFace: {"ConnectionBus": variant(bus), "Removable": variant(bus == "usb"),
			"Vendor": variant(s.Vendor), "Model": variant(s.Model), "Serial": variant(s.Serial)}}
	}
	return t
}

// faces are the interfaces of a block device.
func (d *Disks) faces(s Stick) map[string]variants {
	usage := ""
	if s.Filesystem != "" {
		usage = "filesystem"
	}
	f := map[string]variants{blockFace: {"Device": variant(append([]byte("/dev/"+s.Device), 0)), "Drive": variant(drivePath(s)),
		"IdUsage": variant(usage), "IdType": variant(s.Filesystem), "IdLabel": variant(s.Label), "IdUUID": variant(s.UUID),
		"Size": variant(s.Size), "ReadOnly": variant(s.ReadOnly), "HintSystem": variant(s.System), "HintIgnore": variant(s.Ignore)}}
	if s.Filesystem == "" {
		return f
	}
	points := [][]byte{}
	for _, m := range s.Mounted {
		points = append(points, append([]byte(m), 0))
	}
	if m, ok := d.mounted[s.Device]; ok {
		points = append(points, append([]byte(m.path), 0))
	}
	f[filesFace] = variants{"MountPoints": variant(points), "Size": variant(s.Size)}
	return f
}
