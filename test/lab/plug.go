package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"plenum/test/lab/qmp"
)

// Plug plugs a device into a USB port. It stays plugged in over power cuts. When Plug returns the guest may not have
// noticed yet.
func (v *VM) Plug(ctx context.Context, d Device) error {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	q, err := v.QMP()
	if err != nil {
		return fmt.Errorf("plugging %s in: %w", d.ID, err)
	}
	if err := v.add(ctx, q, d); err != nil {
		return fmt.Errorf("plugging %s in: %w", d.ID, v.ordered(err))
	}
	v.mu.Lock()
	v.devices = append(v.devices, d)
	v.mu.Unlock()
	return nil
}

// Unplug takes a device out and waits until the guest has let go of it.
func (v *VM) Unplug(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	q, err := v.QMP()
	if err != nil {
		return fmt.Errorf("unplugging %s: %w", id, err)
	}
	v.mu.Lock()
	i := slices.IndexFunc(v.devices, func(d Device) bool { return d.ID == id })
	var d Device
	if i >= 0 {
		d = v.devices[i]
	}
	v.mu.Unlock()
	if i < 0 {
		return fmt.Errorf("%s is not plugged in", id)
	}
	if err := q.Del(ctx, id); err != nil {
		return fmt.Errorf("unplugging %s: %w", id, v.ordered(err))
	}
	v.mu.Lock()
	v.devices = slices.DeleteFunc(v.devices, func(d Device) bool { return d.ID == id })
	v.mu.Unlock()
	return v.ordered(v.removeEnd(ctx, q, d))
}

// add makes the host's end of a device, then the device.
func (v *VM) add(ctx context.Context, q *qmp.Conn, d Device) error {
	args := map[string]any{"driver": string(d.Kind), "id": d.ID, "bus": "usb.0"}
	if d.Serial != "" {
		args["serial"] = d.Serial
	}
	if d.Port != "" {
		args["port"] = d.Port
	}
	var err error
	switch d.Kind {
	case Adapter:
		os.Remove(v.path(d.ID))
		args["chardev"] = d.ID + "-line"
		args["always-plugged"] = true // else the guest sees it only while somebody is connected to the line
		err = q.Do(ctx, "chardev-add", map[string]any{"id": d.ID + "-line", "backend": map[string]any{"type": "socket", "data": map[string]any{
			"addr":   map[string]any{"type": "unix", "data": map[string]any{"path": v.path(d.ID)}},
			"server": true, "wait": false,
		}}}, nil)
	case Sound:
		args["audiodev"] = "hall"
	case Stick:
		args["drive"] = d.ID + "-disk"
		args["removable"] = true
		err = q.Do(ctx, "blockdev-add", map[string]any{"driver": "raw", "node-name": d.ID + "-disk", "read-only": d.ReadOnly,
			"file": map[string]any{"driver": "file", "filename": d.Disk, "read-only": d.ReadOnly}}, nil)
	case Keyboard:
	case Network:
		args["netdev"] = d.ID + "-net"
		err = q.Do(ctx, "netdev_add", map[string]any{"type": "user", "id": d.ID + "-net", "restrict": true}, nil)
	default:
		err = fmt.Errorf("no kind %q", d.Kind)
	}
	if err == nil {
		if err = q.Add(ctx, args); err != nil {
			err = errors.Join(err, v.removeEnd(ctx, q, d))
		}
	}
	return err
}

// removeEnd removes the host's end of a device that is out.
func (v *VM) removeEnd(ctx context.Context, q *qmp.Conn, d Device) error {
	var command string
	var args map[string]any
	switch d.Kind {
	case Adapter:
		command, args = "chardev-remove", map[string]any{"id": d.ID + "-line"}
		defer os.Remove(v.path(d.ID))
	case Stick:
		command, args = "blockdev-del", map[string]any{"node-name": d.ID + "-disk"}
	case Network:
		command, args = "netdev_del", map[string]any{"id": d.ID + "-net"}
	default:
		return nil
	}
	// The device is gone for the guest a moment before QEMU's main loop has freed its end.
	for {
		err := q.Do(ctx, command, args, nil)
		if _, refused := errors.AsType[*qmp.Error](err); !refused {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("unplugging %s: %w", d.ID, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Dial connects to the other end of a serial line: of "ttyS4" or "ttyS5" of the guest, or of a plugged Adapter by its
// ID. One connection at a time; while there is none, what the guest sends is lost, as on a cable that hangs loose.
func (v *VM) Dial(ctx context.Context, line string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, "unix", v.path(line))
	if err != nil {
		return nil, fmt.Errorf("the line %s: %w", line, err)
	}
	return c, nil
}

// Terminal is the path of the pseudo-terminal on the host at the other end of "ttyS4" or "ttyS5", with Options.PTY.
// It is another one after every PowerOn.
func (v *VM) Terminal(ctx context.Context, line string) (string, error) {
	q, err := v.QMP()
	if err != nil {
		return "", err
	}
	var all []struct{ Label, Filename string }
	if err := q.Do(ctx, "query-chardev", nil, &all); err != nil {
		return "", err
	}
	for _, c := range all {
		if path, ok := strings.CutPrefix(c.Filename, "pty:"); ok && c.Label == line {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s does not end in a pseudo-terminal", line)
}
