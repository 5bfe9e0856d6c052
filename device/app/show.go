package app

import (
	"context"
	"fmt"

	"github.com/pion/rtp"

	"plenum/device/health"
	"plenum/device/sitting"
	"plenum/media/stage"
	"plenum/media/wire"
)

// run starts cameras, microphone, hall output and the media port.
func (m *media) run(ctx context.Context, sup *supervisor, vital func(string, func(context.Context) error)) {
	for name, camera := range m.cameras {
		src := m.stage.AddSource(cameraFirst+name, stage.Video, "", camera.RequestKey)
		sup.keep(ctx, device{
			id: health.ID(health.Camera, name), name: "camera " + name,
			run: func(ctx context.Context) error { return camera.Run(ctx, src.Write) },
			// Whoever looks must see that there is no picture, and not the last one there was.
			meanwhile: func(ctx context.Context) {
				if err := camera.Slate(ctx, src.Write, name, "kein Bild · no picture"); err != nil && ctx.Err() == nil {
					m.log.Error("no slate for a camera without a picture", "camera", name, "error", err)
				}
			},
		})
	}
	if m.voice != nil {
		src := m.stage.AddSource(hallSound, stage.Audio, "", nil)
		sup.keep(ctx, device{id: health.ID(health.Microphone, hallName), name: "hall microphone",
			run: func(ctx context.Context) error { return m.voice.Run(ctx, src.Write) }})
	}
	m.stage.SetHall(m.wide, hallSound)
	for n := range m.voices {
		play := m.playout.Voice(n)
		// The hall hears every voice slot; it is nobody's own voice.
		stop, err := m.stage.Subscribe("", stage.Voice(n+1), stage.SinkFunc(func(h rtp.Header, payload []byte) { play(&h, payload) }))
		if err != nil {
			m.log.Error("the hall does not hear a voice slot", "slot", n+1, "error", err)
			continue
		}
		context.AfterFunc(ctx, stop)
	}
	sup.keep(ctx, device{id: health.ID(health.Output, hallName), name: "hall output", run: m.playout.Run})
	vital("media watch", m.watch)
	vital("media port", m.host.Run)
	vital("connections", m.legs.run)
}

// seats lets those desk channels into the hall's sound whose seat has the word.
func (m *media) seats(s sitting.State) {
	if m.voice == nil {
		return
	}
	var open []string
	for _, sp := range s.Speakers {
		if sp.Seat != "" && s.Hears(sp.Grant) {
			open = append(open, string(sp.Seat))
		}
	}
	m.voice.OpenSeats(open)
}

// carry lets a member through, or not any more. When it returns after "not any more", nothing of the member goes out,
// and nothing that waits for the hall's loudspeakers is played.
func (m *media) carry(person string, on bool) {
	slot := m.stage.VoiceOf(person)
	if err := m.stage.Carry(person, on); err != nil {
		m.log.Error("a member with the word is not carried", "person", person, "error", err)
	}
	if !on && slot > 0 {
		m.playout.Cut(slot - 1)
	}
}

// show puts a source into the word slot.
func (m *media) show(src sitting.Source, s sitting.State) {
	switch src.Kind {
	case sitting.SourceRemote:
		m.stage.SetWord(wire.SourceID(string(src.Person)))
	case sitting.SourceSeat:
		m.caption(src, s)
		m.stage.SetWord(m.pick(m.speaker, m.wide))
	default:
		m.stage.SetWord(m.pick(m.wide, m.speaker))
	}
}

func (m *media) pick(first, second string) string {
	if first != "" {
		return first
	}
	return second
}

// caption points the speaker's camera at a seat. For a test camera that is a caption; camera presets follow.
func (m *media) caption(src sitting.Source, s sitting.State) {
	p, ok := s.Person(src.Person)
	if !ok {
		return
	}
	for name, camera := range m.cameras {
		if cameraFirst+name == m.speaker {
			camera.SetCaption(fmt.Sprintf("Platz %s", src.Seat), p.Name, p.Group)
		}
	}
}
