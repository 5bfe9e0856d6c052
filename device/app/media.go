package app

import (
	"cmp"
	"fmt"
	"log/slog"
	"net"
	"time"

	"plenum/device/config"
	"plenum/device/health"
	"plenum/media/capture"
	"plenum/media/hall"
	"plenum/media/stage"
	"plenum/media/wire"
)

// Names of the box's own sources on the stage. A member's source is "member/" and the person.
const (
	hallSound   = "hall"
	cameraFirst = "camera/"
)

// media is the sound and picture of the house: cameras and microphones on the stage, remote members by the wire, and
// remote speakers played into the hall.
type media struct {
	cfg     config.Config
	log     *slog.Logger
	board   *health.Board
	voices  int
	stage   *stage.Stage
	host    *wire.Host
	playout *hall.Playout
	cameras map[string]*capture.Source // by name in the configuration
	voice   *capture.Source
	legs    *legs
	wide    string // stage source of the wide shot
	speaker string // stage source of the camera on whoever speaks
}

// voices is how many remote speakers can be carried: what the configuration says, and what an open sitting may still need
// that was begun under a larger one.
func openMedia(cfg config.Config, voices int, board *health.Board, do doer, log *slog.Logger) (_ *media, err error) {
	m := &media{cfg: cfg, board: board, voices: voices, log: log, cameras: map[string]*capture.Source{}, legs: newLegs(do, log)}
	m.stage = stage.New(stage.Options{Voices: voices, Log: log})
	for _, c := range cfg.Cameras {
		if m.cameras[c.Name], err = capture.Camera(m.cameraOptions(c)); err != nil {
			return nil, fmt.Errorf("camera %s: %w", c.Name, err)
		}
		m.place(c)
	}
	if err := m.openSound(); err != nil {
		return nil, err
	}
	return m, m.openWire()
}

func (m *media) cameraOptions(c config.Camera) capture.Options {
	id := health.ID(health.Camera, c.Name)
	return capture.Options{Name: c.Name, Device: c.Device, Width: c.Width, Height: c.Height, FPS: c.FPS, BitRate: c.BitRate,
		Pass: c.Pass, House: m.cfg.Sitting.Body, Caption: []string{c.Name}, Log: m.log,
		Live: func(mode string) { m.board.Set(id, health.Live, mode, "") }}
}

// openSound makes the microphones' source and the playout. Their cards are opened when they run.
func (m *media) openSound() (err error) {
	if mic := m.cfg.Hall.Microphone; mic.Device != "" {
		id := health.ID(health.Microphone, hallName)
		o := capture.Options{Name: hallSound, Device: mic.Device, Channels: mic.Channels, Period: ms(mic.Period), Buffer: ms(mic.Buffer),
			Silence: time.Duration(mic.Silence) * time.Second, Log: m.log,
			Live: func(mode string) { m.board.Set(id, health.Live, mode, "") }}
		if m.voice, err = capture.Microphone(o); err != nil {
			return fmt.Errorf("hall microphone: %w", err)
		}
	}
	out := m.cfg.Hall.Output
	spec := hall.Spec{Device: cmp.Or(out.Device, "null"), Period: ms(out.Period), Buffer: ms(out.Buffer)}
	if err := spec.Check(); err != nil {
		return fmt.Errorf("hall output: %w", err)
	}
	id := health.ID(health.Output, hallName)
	m.playout, err = hall.NewPlayout(hall.Options{Voices: m.voices, Log: m.log,
		Open: func() (hall.Sink, error) { return hall.OpenSink(spec) },
		Live: func() { m.board.Set(id, health.Live, "", "") }})
	if err != nil {
		return fmt.Errorf("hall output: %w", err)
	}
	return nil
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// place notes which camera shows what. One camera can do both.
func (m *media) place(c config.Camera) {
	id := cameraFirst + c.Name
	if c.Shows == config.ShowsHall && m.wide == "" {
		m.wide = id
	}
	if c.Shows == config.ShowsSpeaker && m.speaker == "" {
		m.speaker = id
	}
}

func (m *media) openWire() error {
	addr, err := net.ResolveUDPAddr("udp4", m.cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	listen := addr.AddrPort()
	m.host, err = wire.New(wire.Options{Listen: listen, Addresses: announced(m.cfg), Stage: m.stage, OnLeg: m.legs.note, Log: m.log})
	if err != nil {
		return fmt.Errorf("listening for sound and picture: %w", err)
	}
	return nil
}
