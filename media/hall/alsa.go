package hall

import (
	"context"
	"fmt"
	"time"

	"plenum/hal/sound"
)

// alsa is a sink on a sound card, paced by the card.
type alsa struct {
	play *sound.Playback
	// guard holds back a device that takes everything at once, as plugins do.
	// It runs 1 % fast: a card whose clock is a little fast must not run dry.
	guard clock
}

func openALSA(name string) (Sink, error) {
	p, err := sound.OpenPlayback(name, Frame)
	if err != nil {
		return nil, err
	}
	return &alsa{play: p, guard: clock{period: FrameTime * 99 / 100}}, nil
}

// stuck is how long a device may take no sound.
const stuck = time.Second

// Wait returns when the device has room for a frame.
func (a *alsa) Wait(ctx context.Context) error {
	if err := a.guard.Wait(ctx); err != nil {
		return err
	}
	for since := time.Now(); ; {
		ready, err := a.play.Wait(20 * time.Millisecond)
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if ready {
			return nil
		}
		if time.Since(since) > stuck {
			return fmt.Errorf("sound device %s has taken no sound for %v", a.play.Name(), stuck)
		}
	}
}

func (a *alsa) Write(pcm []int16) error          { return a.play.Write(pcm) }
func (a *alsa) Close() error                     { return a.play.Close() }
func (a *alsa) Trouble() (xruns, dropped uint64) { return a.play.Trouble() }
