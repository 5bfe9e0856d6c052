package hall

import (
	"plenum/hal/sound"
)

// card is a sink on a sound card. It is paced by the box's clock, like all that comes to be played; the card follows.
type card struct {
	clock
	*sound.Playback
}

func openCard(o sound.Options) (Sink, error) {
	p, err := sound.OpenPlayback(o)
	if err != nil {
		return nil, err
	}
	return &card{clock: clock{period: FrameTime}, Playback: p}, nil
}
