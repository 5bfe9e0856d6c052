package app

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"plenum/device/config"
	"plenum/device/health"
	"plenum/device/journal"
	"plenum/device/sitting"
	"plenum/hal/desk"
	"plenum/media/capture"
)

// What the self-test wants to see and hear.
const (
	rateShare   = 0.9   // of the rate the camera was asked for
	quietest    = -75.0 // dBFS; an open microphone in an empty hall is louder, an unplugged one is not
	tonePitch   = 1000  // Hz
	toneLevel   = -20.0 // dBFS
	toneTime    = time.Second
	toneAbove   = 12.0 // dB the tone must stand out above what was heard there before
	leastFree   = 0.05 // of the data partition
	saneForward = 10 * 365 * 24 * time.Hour
)

// tryCamera wants moving pictures at the asked rate.
func (m *media) tryCamera(ctx context.Context, it health.Item) verdict {
	camera := m.cameras[it.Name]
	i := slices.IndexFunc(m.cfg.Cameras, func(c config.Camera) bool { return c.Name == it.Name })
	if camera == nil || i < 0 {
		return poor("unbekannt", "unknown")
	}
	want := float64(m.cfg.Cameras[i].FPS)
	st := settledStatus(ctx, camera)
	switch {
	case !st.Running:
		return poor("liefert kein Bild: "+it.Reason, "gives no picture: "+it.Reason)
	case st.FPS < rateShare*want:
		return poor(fmt.Sprintf("%.0f statt %.0f Bilder je Sekunde", st.FPS, want), fmt.Sprintf("%.0f instead of %.0f pictures a second", st.FPS, want))
	case !st.Moving:
		return poor("das Bild steht", "the picture stands still")
	}
	return good(fmt.Sprintf("%s, %.0f Bilder je Sekunde", st.Mode, st.FPS), fmt.Sprintf("%s, %.0f pictures a second", st.Mode, st.FPS))
}

// settledStatus waits until a source has run long enough to be measured.
func settledStatus(ctx context.Context, s *capture.Source) capture.Status {
	ctx, cancel := context.WithTimeout(ctx, testTime/3)
	defer cancel()
	for {
		st := s.Status()
		if st.Running && time.Since(st.Since) > warmUp {
			return st
		}
		select {
		case <-ctx.Done():
			return st
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// tryMicrophone wants a signal that a connected microphone gives.
func (m *media) tryMicrophone(ctx context.Context) verdict {
	st := settledStatus(ctx, m.voice)
	switch {
	case !st.Running:
		return poor("liefert keinen Ton", "gives no sound")
	case st.Level < quietest || math.IsInf(st.Level, -1):
		return poor(fmt.Sprintf("kein Signal: %.0f dBFS; ist der Eingang verbunden und aufgedreht?", st.Level),
			fmt.Sprintf("no signal: %.0f dBFS; is the input connected and turned up?", st.Level))
	}
	return good(fmt.Sprintf("%.0f dBFS, %s", st.Level, st.Mode), fmt.Sprintf("%.0f dBFS, %s", st.Level, st.Mode))
}

// tryOutput wants the playout to run; where the microphone hears the loudspeakers, it plays a tone and listens.
func (m *media) tryOutput(ctx context.Context, it health.Item, phase sitting.Phase) verdict {
	if it.State != health.Live {
		return poor("spielt nicht: "+it.Reason, "does not play: "+it.Reason)
	}
	if !m.cfg.Hall.Output.Loop {
		return good("spielt (ob man es hört, wurde nicht geprüft: keine Schleife eingerichtet)", "plays (not listened to: no loop configured)")
	}
	if phase == sitting.PhaseOpen {
		return left("während der Sitzung wird kein Prüfton gespielt", "no test tone is played while the sitting is open")
	}
	before, err := m.voice.Listen(ctx, tonePitch, toneTime/2)
	if err != nil {
		return poor("die Mikrofone hören nicht: "+err.Error(), "the microphones do not hear: "+err.Error())
	}
	m.playout.Tone(tonePitch, toneLevel, 2*toneTime)
	defer m.playout.Tone(0, 0, 0)
	select {
	case <-ctx.Done():
	case <-time.After(toneTime / 2): // buffers and the room
	}
	heard, err := m.voice.Listen(ctx, tonePitch, toneTime)
	switch {
	case err != nil:
		return poor("die Mikrofone hören nicht: "+err.Error(), "the microphones do not hear: "+err.Error())
	case heard < quietest || heard < before+toneAbove:
		return poor(fmt.Sprintf("der Prüfton ist nicht zu hören (%.0f dBFS, vorher %.0f)", heard, before),
			fmt.Sprintf("the test tone is not heard (%.0f dBFS, %.0f before)", heard, before))
	}
	return good(fmt.Sprintf("Prüfton gehört, %.0f dBFS", heard), fmt.Sprintf("test tone heard at %.0f dBFS", heard))
}

// tryRecord verifies the journal from its first record.
func (a *App) tryRecord(ctx context.Context) verdict {
	if !a.clerk.Snapshot().Recorded {
		return poor("wird nicht geschrieben", "is not being written")
	}
	records := 0
	err := a.journal.Replay(ctx, func(journal.Record) error { records++; return nil })
	if err != nil {
		return poor("ist beschädigt: "+err.Error(), "is damaged: "+err.Error())
	}
	return good(fmt.Sprintf("%d Einträge, Kette unversehrt", records), fmt.Sprintf("%d records, chain intact", records))
}

// tryClock wants a time that can be: after the program was built and after the last thing that was recorded.
func tryClock(now, built, last time.Time) verdict {
	text := now.Format("02.01.2006 15:04:05")
	switch {
	case now.Before(built):
		return poor(text+" liegt vor dem Bau der Software: Uhr stellen", text+" is before the software was built: set the clock")
	case now.Before(last):
		return poor(text+" liegt vor dem letzten Eintrag im Protokoll: Uhr stellen", text+" is before the last record: set the clock")
	case !built.IsZero() && now.After(built.Add(saneForward)):
		return poor(text+" liegt weit in der Zukunft: Uhr stellen", text+" is far in the future: set the clock")
	}
	return good(text, text)
}

// built is when the program's source was committed, as far as the build says so.
func built() time.Time {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return time.Time{}
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.time" {
			t, _ := time.Parse(time.RFC3339, s.Value) // a build without it is no fault of the clock
			return t
		}
	}
	return time.Time{}
}

// tryDisk writes a file through to the disk and looks at the room that is left.
func tryDisk(dir string) verdict {
	path := filepath.Join(dir, ".selftest")
	f, err := os.Create(path)
	if err == nil {
		_, err = f.WriteString("plenum")
		err = errors.Join(err, f.Sync(), f.Close(), os.Remove(path))
	}
	if err != nil {
		return poor("nicht beschreibbar: "+err.Error(), "cannot be written: "+err.Error())
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return poor("nicht lesbar: "+err.Error(), "cannot be read: "+err.Error())
	}
	free := int64(fs.Bavail) * fs.Bsize
	mib := free >> 20
	if float64(fs.Bavail) < leastFree*float64(fs.Blocks) {
		return poor(fmt.Sprintf("nur noch %d MiB frei", mib), fmt.Sprintf("only %d MiB left", mib))
	}
	return good(fmt.Sprintf("beschreibbar, %d MiB frei", mib), fmt.Sprintf("can be written, %d MiB free", mib))
}

func isOnline(snap desk.Snapshot, key desk.Key) bool {
	return slices.ContainsFunc(snap.Seats, func(s desk.Seat) bool { return s.Key == key && s.Online })
}

// sorted puts seats in the order in which people count them.
func sorted(seats []string) []string {
	slices.SortFunc(seats, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	return seats
}
