package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"plenum/device/config"
	"plenum/hal/camera"
	"plenum/hal/desk/quinta"
	"plenum/hal/line"
	"plenum/hal/port"
	"plenum/hal/sound"
	"plenum/media/hall"
)

// Check compares a configuration with the devices of this box: what can never work is an error, what is only not there
// now is told in absent. It opens nothing that a running daemon might need.
func Check(cfg config.Config) (absent []string, err error) {
	c := &checker{nodes: map[string]string{}}
	for _, cam := range cfg.Cameras {
		c.camera(cam)
	}
	c.sound(cfg.Hall)
	for _, d := range cfg.Desks {
		c.desk(d)
	}
	if _, err := newLines(cfg, nil, nil, nil, nil); err != nil {
		c.errs = append(c.errs, err)
	}
	c.lines(cfg)
	return c.absent, errors.Join(c.errs...)
}

// checker collects.
type checker struct {
	nodes  map[string]string // who uses a device node
	absent []string
	errs   []error
}

// use notes that an entry uses a device. Two names can be one device, by its socket and by its serial number.
func (c *checker) use(who, node string) {
	if real, err := filepath.EvalSymlinks(node); err == nil {
		node = real
	}
	if other := c.nodes[node]; other != "" {
		c.errs = append(c.errs, fmt.Errorf("%s and %s are the same device, %s: remove one of the entries", other, who, node))
		return
	}
	c.nodes[node] = who
}

// sort puts an error of a device where it belongs.
func (c *checker) sort(who string, err error, gone ...error) {
	for _, g := range gone {
		if errors.Is(err, g) {
			c.absent = append(c.absent, who+": "+err.Error())
			return
		}
	}
	c.errs = append(c.errs, fmt.Errorf("%s: %w", who, err))
}

func (c *checker) camera(cam config.Camera) {
	who := "camera " + cam.Name
	if cam.Device == "test:picture" {
		return
	}
	if err := camera.CheckSpec(cam.Device); err != nil {
		c.errs = append(c.errs, fmt.Errorf("%s: %w", who, err))
		return
	}
	node, err := camera.Resolve(cam.Device)
	if err != nil {
		c.sort(who, err, camera.ErrAbsent)
		return
	}
	c.use(who, node)
	device, err := camera.Open(cam.Device)
	if err == nil {
		_, err = device.Modes()
		err = errors.Join(err, device.Close())
	}
	if err != nil {
		c.sort(who, err, camera.ErrAbsent, camera.ErrBusy)
	}
}

func (c *checker) sound(h config.Hall) {
	if mic := h.Microphone; mic.Device != "" && mic.Device != "test:voice" && c.card("hall.microphone", mic.Device) {
		// Only the card itself knows how many channels it has. One that is in use is most likely ours.
		in, err := sound.OpenCapture(sound.Options{Device: mic.Device, Channels: len(mic.Channels), Period: ms(mic.Period), Buffer: ms(mic.Buffer)})
		if err == nil {
			err = in.Close()
		}
		if err != nil {
			c.sort("hall.microphone", err, sound.ErrLost, sound.ErrBusy)
		}
	}
	if err := hall.CheckSink(h.Output.Device); err != nil {
		c.errs = append(c.errs, fmt.Errorf("hall.output: %w", err))
	} else if out := h.Output.Device; out != "null" && !strings.HasPrefix(out, "wav:") {
		c.card("hall.output", out)
	}
}

// card checks one side of a sound card and reports whether it is there. Capture and playback of one card are two devices.
func (c *checker) card(who, spec string) bool {
	if err := sound.CheckSpec(spec); err != nil {
		c.errs = append(c.errs, fmt.Errorf("%s: %w", who, err))
		return false
	}
	_, _, err := sound.Resolve(spec)
	if err != nil {
		c.sort(who, err, sound.ErrLost)
	}
	return err == nil
}

func (c *checker) desk(d config.Desk) {
	who := "desk " + d.Name
	if _, err := port.ParseSettings(d.Line, quinta.Settings()); err != nil {
		c.errs = append(c.errs, fmt.Errorf("%s: line: %w", who, err))
	}
	if err := port.CheckSpec(d.Port); err != nil {
		c.errs = append(c.errs, fmt.Errorf("%s: port: %w", who, err))
		return
	}
	if strings.HasPrefix(d.Port, "tcp://") {
		return
	}
	node, err := port.Resolve(d.Port)
	if err != nil {
		c.sort(who, err, port.ErrMissing)
		return
	}
	if _, err := os.Stat(node); err != nil {
		c.absent = append(c.absent, fmt.Sprintf("%s: %s: %v", who, node, port.ErrMissing))
		return
	}
	c.use(who, node)
}

func (c *checker) lines(cfg config.Config) {
	names := line.Names()
	look := func(who, name string) {
		switch {
		case len(names) == 0:
			c.absent = append(c.absent, fmt.Sprintf("%s: no GPIO line can be seen: is there a /dev/gpiochip*, and is the daemon's user in its group?", who))
		case !slices.Contains(names, name):
			c.absent = append(c.absent, fmt.Sprintf("%s: no chip has a line named %q; there are: %s", who, name, strings.Join(names, ", ")))
		}
	}
	for _, in := range cfg.Inputs {
		look("input "+in.Name, in.Line)
	}
	for _, out := range cfg.Outputs {
		look("output "+out.Name, out.Line)
	}
}
