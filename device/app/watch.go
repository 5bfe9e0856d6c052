package app

import (
	"context"
	"fmt"
	"time"

	"plenum/device/health"
	"plenum/media/capture"
)

const (
	watchEvery = time.Second
	warmUp     = 3 * time.Second // a camera that just came is measured over two seconds
	slowest    = 0.8             // of the rate asked for; less is a fault people see
)

// watch looks every second whether what runs also does what it is there for: a camera that runs and shows nothing new,
// a microphone that delivers nothing but zeros.
func (m *media) watch(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		for _, c := range m.cfg.Cameras {
			if st := m.cameras[c.Name].Status(); st.Running && time.Since(st.Since) > warmUp {
				state, reason := judgeCamera(st, c.FPS)
				m.board.Set(health.ID(health.Camera, c.Name), state, st.Mode, reason)
			}
		}
		if m.voice != nil {
			if st := m.voice.Status(); st.Running && time.Since(st.Since) > warmUp {
				state, reason := judgeMicrophone(st, m.cfg.Hall.Microphone.Silence)
				m.board.Set(health.ID(health.Microphone, hallName), state, st.Mode, reason)
			}
		}
	}
}

// judgeCamera says how a running camera does that was asked for fps frames a second.
func judgeCamera(st capture.Status, fps int) (health.State, string) {
	switch {
	case !st.Moving:
		return health.Degraded, "the picture stands still: is the camera's own picture frozen, or the cable of a test source plugged in?"
	case st.FPS < slowest*float64(fps):
		return health.Degraded, fmt.Sprintf("only %.0f of %d pictures a second: too little light, or a USB socket that is too slow", st.FPS, fps)
	}
	return health.Live, ""
}

// judgeMicrophone says how a running microphone does. Digital silence is no quiet hall: it is a cable or a card that
// delivers nothing, and remote members hear nothing.
func judgeMicrophone(st capture.Status, limit int) (health.State, string) {
	if limit > 0 && !st.SilentSince.IsZero() && time.Since(st.SilentSince) > time.Duration(limit)*time.Second {
		return health.Lost, fmt.Sprintf("nothing but digital silence since %s: is the card's input connected and not muted?", st.SilentSince.Format("15:04:05"))
	}
	return health.Live, ""
}
