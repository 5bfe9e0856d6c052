package capture

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/pion/mediadevices/pkg/driver"
)

// This file is the one place where devices meet mediadevices' driver registry:
// the drivers over hal/camera and hal/sound register here for as long as they
// run. mediadevices' own drivers are not used at all: its camera driver opens
// every /dev/video* when it is imported and knows cameras by numbers, its
// microphone driver hands out buffers that the audio thread overwrites, and
// shows a silent device where there is none.

const (
	testPicture = "test:picture"
	testVoice   = "test:voice"
)

// register puts a driver of ours into the registry and takes it out again with
// the function returned. The registry gives no handle, hence the unique label.
func register(a driver.Adapter, kind driver.DeviceType, name string) (driver.Driver, func(), error) {
	m := driver.GetManager()
	label := name + ";" + rand.Text()
	if err := m.Register(a, driver.Info{Label: label, Name: name, DeviceType: kind}); err != nil {
		return nil, nil, fmt.Errorf("registering the driver of %s: %w", name, err)
	}
	found := m.Query(func(d driver.Driver) bool { return d.Info().Label == label })
	if len(found) != 1 {
		return nil, nil, fmt.Errorf("the driver of %s vanished while it was being registered: %w", name, ErrAbsent)
	}
	return found[0], func() { m.Delete(found[0].ID()) }, nil
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
