package capture

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/driver/camera"
)

// This file is the one place where devices meet mediadevices' driver registry.
// The drivers of hal/camera and hal/sound register here once they exist.
//
// Importing mediadevices' camera driver looks at every /dev/video* in its
// init(), and nothing short of not importing it prevents that; it only asks for
// names and closes them again. It does not watch for cameras that come later,
// so find asks it to look again when a path is there and no driver for it.
// mediadevices' microphone driver is not used at all: it hands out buffers that
// the audio thread overwrites, and shows a silent device where there is none.

const (
	testPicture = "test:picture"
	testVoice   = "test:voice"
)

// register puts a driver of ours into the registry and takes it out again with
// the function returned. The registry gives no handle, hence the unique label.
func register(a driver.Adapter, kind driver.DeviceType, name string) (driver.Driver, func(), error) {
	m := driver.GetManager()
	label := name + camera.LabelSeparator + rand.Text()
	if err := m.Register(a, driver.Info{Label: label, Name: name, DeviceType: kind}); err != nil {
		return nil, nil, fmt.Errorf("registering the driver of %s: %w", name, err)
	}
	found := m.Query(func(d driver.Driver) bool { return d.Info().Label == label })
	if len(found) != 1 {
		return nil, nil, fmt.Errorf("the driver of %s vanished while the cameras were being listed: %w", name, ErrAbsent)
	}
	return found[0], func() { m.Delete(found[0].ID()) }, nil
}

// checkCamera says at construction what could never work.
func checkCamera(device string) error {
	if device == testPicture || strings.HasPrefix(device, "/dev/") {
		return nil
	}
	return fmt.Errorf("camera %q: %w; possible are %q and the path of a V4L2 camera such as /dev/v4l/by-path/pci-0000:00:14.0-usb-0:2:1.0-video-index0",
		device, ErrUnknown, testPicture)
}

func checkMicrophone(device string) error {
	if device == testVoice {
		return nil
	}
	return fmt.Errorf("microphone %q: %w; possible is %q (capture from sound cards is not part of this version)",
		device, ErrUnknown, testVoice)
}

// find returns the registered driver of a V4L2 path. Drivers are told apart by
// the device node behind the path, for their own ids change at every start.
func find(path string) (driver.Driver, error) {
	node, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, fmt.Errorf("camera %s: %w (is it plugged in? see ls /dev/v4l/by-path): %w", path, ErrAbsent, err)
	}
	if info, err := os.Stat(node); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil, fmt.Errorf("camera %s: %w: not a character device", path, ErrAbsent)
	}
	suffix := camera.LabelSeparator + filepath.Base(node)
	query := func() []driver.Driver {
		return driver.GetManager().Query(func(d driver.Driver) bool {
			_, ok := d.(driver.VideoRecorder)
			return ok && strings.HasSuffix(d.Info().Label, suffix)
		})
	}
	found := query()
	if len(found) == 0 {
		camera.Initialize()
		found = query()
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("camera %s: %w: the V4L2 driver does not list it", path, ErrAbsent)
	}
	return found[0], nil
}

// closer closes a running driver once: as soon as ctx has ended, which is what
// wakes a blocked Read, or when the function returned is called. That one
// returns after the driver is closed.
func closer(ctx context.Context, d driver.Driver) func() {
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		_ = d.Close()
	})
	return func() {
		if stop() {
			_ = d.Close()
			return
		}
		<-closed
	}
}
