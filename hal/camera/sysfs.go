package camera

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Info says which camera a device is.
type Info struct {
	Node   string   // where it is now, such as /dev/video2; for messages only, it changes
	Card   string   // what it calls itself
	Driver string   // the kernel's driver, such as uvcvideo
	Bus    string   // where it is connected, as the driver says it
	Serial string   // USB serial number; "" when it has none
	Links  []string // stable names below /dev/v4l, sorted
	Modes  []Mode   // what it gives; only List fills this in
}

// root is where the kernel shows its devices; tests have one of their own.
type root struct {
	dev, sys string
}

func system() root { return root{dev: "/dev", sys: "/sys"} }

// node is a video device as sysfs shows it.
type node struct {
	name   string // "video2"
	number int
	index  int    // which of the nodes of its interface
	usb    string // sysfs path of the USB device; "" for others
	serial string
}

// nodes lists the video devices, the first node of a camera first.
func (r root) nodes() ([]node, error) {
	dir := filepath.Join(r.sys, "class/video4linux")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // the kernel makes it with the first camera
	}
	if err != nil {
		return nil, fmt.Errorf("looking for cameras: %w", err)
	}
	var found []node
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), "video")
		number, err := strconv.Atoi(digits)
		if !ok || err != nil || number < 0 {
			continue // v4l-subdev0, vbi0, radio0
		}
		n := node{name: e.Name(), number: number}
		n.index, _ = strconv.Atoi(r.attribute(filepath.Join(dir, e.Name(), "index")))
		n.usb, n.serial = r.usbDevice(filepath.Join(dir, e.Name()))
		found = append(found, n)
	}
	slices.SortFunc(found, func(a, b node) int {
		if a.index != b.index {
			return a.index - b.index
		}
		return a.number - b.number
	})
	return found, nil
}

// usbDevice walks up from a device to the USB device it is part of: the first folder that says both maker and product. A node
// hangs below an interface, which says neither.
func (r root) usbDevice(path string) (device, serial string) {
	dir, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", ""
	}
	top, err := filepath.EvalSymlinks(r.sys)
	if err != nil {
		return "", ""
	}
	for ; strings.HasPrefix(dir, top+"/"); dir = filepath.Dir(dir) {
		if r.attribute(filepath.Join(dir, "idVendor")) != "" {
			return dir, r.attribute(filepath.Join(dir, "serial"))
		}
	}
	return "", ""
}

// attribute reads a sysfs file, "" when there is none.
func (r root) attribute(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	b := make([]byte, 256)
	n, err := f.Read(b)
	if err != nil {
		return ""
	}
	return clean(string(b[:n]))
}

// links maps the names of nodes ("video2") to the stable names that lead to them.
func (r root) links() map[string][]string {
	paths, _ := filepath.Glob(filepath.Join(r.dev, "v4l/*/*")) // fails for a bad pattern only
	found := map[string][]string{}
	for _, path := range paths {
		if target, err := filepath.EvalSymlinks(path); err == nil {
			name := filepath.Base(target)
			found[name] = append(found[name], path)
		}
	}
	return found
}

// present names the cameras that are there, for the error about one that is not.
func (r root) present() string {
	var names []string
	for _, links := range r.links() {
		names = append(names, links...)
	}
	nodes, _ := r.nodes()
	for _, n := range nodes {
		if n.serial != "" && n.index == 0 {
			names = append(names, "usb:"+n.serial)
		}
	}
	if len(names) == 0 {
		return "no camera is there"
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > 8 {
		names = append(names[:8], "…")
	}
	return "there are " + strings.Join(names, ", ")
}

// resolve finds the node of a camera.
func (r root) resolve(w where) (string, error) {
	if w.link != "" {
		return r.follow(w.link)
	}
	nodes, err := r.nodes()
	if err != nil {
		return "", err
	}
	var first *node
	for i, n := range nodes {
		switch {
		case n.serial != w.serial:
		case first == nil:
			first = &nodes[i]
		case first.usb != n.usb:
			return "", fmt.Errorf("usb:%s: %w", w.serial, ErrAmbiguous)
		}
	}
	if first == nil {
		return "", fmt.Errorf("%w (%s)", ErrAbsent, r.present())
	}
	return filepath.Join(r.dev, first.name), nil
}

// follow goes to the node behind a link of udev's.
func (r root) follow(link string) (string, error) {
	path, err := filepath.EvalSymlinks(filepath.Join(r.dev, strings.TrimPrefix(link, "/dev/")))
	if err != nil {
		return "", fmt.Errorf("%w (%s)", ErrAbsent, r.present())
	}
	if info, err := os.Stat(path); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return "", fmt.Errorf("%s: %w", path, ErrNoCamera)
	}
	return path, nil
}

// describe adds what sysfs knows about a camera.
func (r root) describe(i *Info) {
	name := filepath.Base(i.Node)
	i.Links = r.links()[name]
	slices.Sort(i.Links)
	_, i.Serial = r.usbDevice(filepath.Join(r.sys, "class/video4linux", name))
}
