package camera

import (
	"errors"
	"fmt"
	"path/filepath"
)

// Resolve says which node a camera called spec has now, such as /dev/video2. Errors: ErrSpec, ErrAbsent, ErrAmbiguous,
// ErrNoCamera.
func Resolve(spec string) (string, error) {
	w, err := parseSpec(spec)
	if err != nil {
		return "", err
	}
	node, err := system().resolve(w)
	if err != nil {
		return "", fmt.Errorf("camera %s: %w", spec, err)
	}
	return node, nil
}

// List names the cameras that are there now, with what they can do. A camera that cannot be looked at (no permission, going
// away just now) is listed with what sysfs knows about it. Devices that take no pictures are left out.
func List() ([]Info, error) { return system().list(openNode) }

func (r root) list(open func(node string) (*Camera, error)) ([]Info, error) {
	nodes, err := r.nodes()
	if err != nil {
		return nil, err
	}
	var found []Info
	for _, n := range nodes {
		path := filepath.Join(r.dev, n.name)
		c, err := open(path)
		switch {
		case err == nil:
			i := c.info
			i.Modes, _ = c.Modes() // a card without a signal has none
			_ = c.Close()
			r.describe(&i)
			found = append(found, i)
		case errors.Is(err, ErrNoCamera):
		default:
			i := Info{Node: path, Card: r.attribute(filepath.Join(r.sys, "class/video4linux", n.name, "name"))}
			r.describe(&i)
			found = append(found, i)
		}
	}
	return found, nil
}
