package app

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"plenum/device/clerk"
	"plenum/device/config"
	"plenum/device/health"
	"plenum/device/sitting"
	"plenum/hal/camera"
	"plenum/hal/port"
	"plenum/media/capture"
)

// absentCamera is one that no machine has.
func absentCamera(required bool) config.Camera {
	return config.Camera{Name: "Totale", Device: "/dev/v4l/by-path/nothing", Shows: config.ShowsHall, Width: 640, Height: 360, FPS: 25, BitRate: 500_000, Required: required}
}

// A sitting does not open while a required device is red, not by itself and not by the chair, unless the device is named.
func TestRequiredDevice(t *testing.T) {
	c, _ := box(t, 3)
	c.Cameras = []config.Camera{absentCamera(true)}
	ctl, end := running(t, c)
	defer end()
	id := health.ID(health.Camera, "Totale")
	eventually(t, "the camera is missed", func() bool {
		l, err := ctl.Devices(t.Context())
		return err == nil && slices.ContainsFunc(l.Devices, func(it health.Item) bool {
			return it.ID == id && it.State == health.Lost && strings.Contains(it.Reason, "/dev/v4l")
		})
	})
	eventually(t, "and the desk is live", func() bool { return link(ctl).Link == sitting.LinkLive })
	if st, err := ctl.Status(t.Context()); err != nil || st.Phase != sitting.PhaseReady {
		t.Fatalf("the sitting opened by itself: %+v %v", st, err)
	}
	if _, err := ctl.OpenSitting(t.Context()); err == nil || !strings.Contains(err.Error(), id) {
		t.Fatalf("opened without the camera: %v", err)
	}
	if _, err := ctl.OpenSitting(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	st, err := ctl.Status(t.Context())
	if err != nil || st.Phase != sitting.PhaseOpen || len(st.Overrides) != 1 || st.Overrides[0].Reason == "" {
		t.Fatalf("%+v %v", st, err)
	}
}

// The self-test has a line for every device and for the box itself.
func TestSelfTest(t *testing.T) {
	c, units := box(t, 3)
	c.Hall.Microphone = config.Microphone{Device: "test:voice", Channels: []string{config.HallChannel}, Required: true}
	c.Cameras = []config.Camera{absentCamera(false),
		// So small and slow that any machine makes it at its rate: what the self-test says of a slow one is TestTryCamera's.
		{Name: "Redner", Device: "test:picture", Shows: config.ShowsSpeaker, Width: 64, Height: 64, FPS: 5, BitRate: 20_000, Required: true}}
	ctl, end := running(t, c)
	defer end()
	eventually(t, "a live desk", func() bool { return link(ctl).Link == sitting.LinkLive }) // nobody hears a key before
	for i := range 3 {
		if err := units.Press(i+1, ""); err != nil { // a unit is known to be there when it has said something
			t.Fatal(err)
		}
	}
	var report health.Report
	eventually(t, "a good report", func() bool {
		var err error
		report, err = ctl.SelfTest(t.Context())
		return err == nil && report.Go
	})
	found := map[string]health.Check{}
	for _, line := range report.Checks {
		found[line.ID] = line
		if line.DE == "" || line.EN == "" || line.Name == "" {
			t.Errorf("a line says nothing: %+v", line)
		}
	}
	for id, want := range map[string]bool{"camera/Totale": false, "camera/Redner": true, "microphone/Saal": true, "record/Protokoll": true, "clock": true, "disk": true} {
		if line, ok := found[id]; !ok || line.OK != want {
			t.Errorf("%s: %+v", id, line)
		}
	}
}

func TestCheckFindsOneDeviceTwice(t *testing.T) {
	dir := t.TempDir()
	node := filepath.Join(dir, "tty")
	if err := errors.Join(os.WriteFile(node, nil, 0o600), os.Symlink(node, filepath.Join(dir, "by-id"))); err != nil {
		t.Fatal(err)
	}
	c := config.Config{Hall: config.Hall{Output: config.Playback{Device: "null"}},
		Cameras: []config.Camera{absentCamera(false), {Name: "Zwei", Device: "/dev/video0"}},
		Desks:   []config.Desk{{Name: "a", Dialect: "quinta", Port: node}, {Name: "b", Dialect: "quinta", Port: filepath.Join(dir, "by-id"), Line: "57600 9X1"}, {Name: "c", Dialect: "quinta", Port: "usb:NOTHING"}}}
	absent, err := Check(c)
	if err == nil || !strings.Contains(err.Error(), "desk a and desk b are the same device") || !errors.Is(err, camera.ErrSpec) || !errors.Is(err, port.ErrSettings) {
		t.Errorf("%v", err)
	}
	if len(absent) != 2 || !strings.HasPrefix(absent[0], "camera Totale") || !strings.HasPrefix(absent[1], "desk c") {
		t.Errorf("%q", absent)
	}
}

func TestJudgements(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		name string
		st   capture.Status
		want health.State
	}{
		{"well", capture.Status{Moving: true, FPS: 25}, health.Live},
		{"frozen", capture.Status{FPS: 25}, health.Degraded},
		{"slow", capture.Status{Moving: true, FPS: 15}, health.Degraded},
	} {
		if got, why := judgeCamera(tt.st, 25); got != tt.want || (why == "") != (got == health.Live) {
			t.Errorf("%s: %s %q", tt.name, got, why)
		}
	}
	silent := capture.Status{Hearing: capture.Hearing{SilentSince: now.Add(-time.Minute)}}
	if got, _ := judgeMicrophone(silent, 30); got != health.Lost {
		t.Errorf("a minute of nothing: %s", got)
	}
	if got, _ := judgeMicrophone(silent, 0); got != health.Live {
		t.Errorf("nobody asked for it: %s", got)
	}
	for name, v := range map[string]verdict{
		"before the build":      tryClock(now, now.Add(time.Hour), time.Time{}),
		"before the record":     tryClock(now, time.Time{}, now.Add(time.Hour)),
		"far away":              tryClock(now.AddDate(20, 0, 0), now, now),
		"a folder that is gone": tryDisk(filepath.Join(t.TempDir(), "none")),
	} {
		if v.ok || v.de == "" || v.en == "" {
			t.Errorf("%s: %+v", name, v)
		}
	}
	if v := tryClock(now, now.Add(-time.Hour), now.Add(-time.Minute)); !v.ok {
		t.Errorf("%+v", v)
	}
}

func TestWhatLampsShow(t *testing.T) {
	open := sitting.New()
	open.Phase = sitting.PhaseOpen
	speaks := open
	speaks.Speakers = []sitting.Speaker{{Person: "a", Seat: "1", Grant: 1, Mic: sitting.MicOpen}}
	alarm := open
	alarm.Alarm = &sitting.Alarm{}
	for _, tt := range []struct {
		shows string
		snap  clerk.Snapshot
		want  bool
	}{
		{config.ShowsOnAir, clerk.Snapshot{State: open}, false},
		{config.ShowsOnAir, clerk.Snapshot{State: speaks}, true},
		{config.ShowsMute, clerk.Snapshot{State: open}, true},
		{config.ShowsMute, clerk.Snapshot{State: speaks}, false},
		{config.ShowsRecording, clerk.Snapshot{State: open}, false},
		{config.ShowsRecording, clerk.Snapshot{State: open, Recorded: true}, true},
		{config.ShowsAlarm, clerk.Snapshot{State: open}, false},
		{config.ShowsAlarm, clerk.Snapshot{State: alarm}, true},
	} {
		if got := wanted(tt.shows, tt.snap); got != tt.want {
			t.Errorf("%s: %v", tt.shows, got)
		}
	}
}
