package app

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"

	"plenum/device/config"
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
func openMedia(cfg config.Config, voices int, do doer, log *slog.Logger) (_ *media, err error) {
	m := &media{cfg: cfg, voices: voices, log: log, cameras: map[string]*capture.Source{}, legs: newLegs(do, log)}
	m.stage = stage.New(stage.Options{Voices: voices, Log: log})
	for _, c := range cfg.Cameras {
		o := capture.Options{Name: c.Name, Device: c.Device, Width: c.Width, Height: c.Height, FPS: c.FPS, BitRate: c.BitRate,
			House: cfg.Sitting.Body, Caption: []string{c.Name}, Log: log}
		if m.cameras[c.Name], err = capture.Camera(o); err != nil {
			return nil, fmt.Errorf("camera %s: %w", c.Name, err)
		}
		m.place(c)
	}
	if cfg.Hall.Microphone.Device != "" {
		if m.voice, err = capture.Microphone(capture.Options{Name: hallSound, Device: cfg.Hall.Microphone.Device, Log: log}); err != nil {
			return nil, fmt.Errorf("hall microphone: %w", err)
		}
	}
	if err := hall.CheckSink(cfg.Hall.Output.Device); err != nil {
		return nil, fmt.Errorf("hall output: %w", err)
	}
	open := func() (hall.Sink, error) { return hall.OpenSink(cfg.Hall.Output.Device) }
	if m.playout, err = hall.NewPlayout(hall.Options{Open: open, Voices: voices, Log: log}); err != nil {
		return nil, fmt.Errorf("hall output: %w", err)
	}
	return m, m.openWire()
}

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
	announce := []netip.Addr{listen.Addr().Unmap()}
	if !announce[0].IsValid() || announce[0].IsUnspecified() {
		announce = ownAddresses()
	}
	// Behind a router that forwards the port, the address others use is one of the configured names.
	for _, name := range m.cfg.Names {
		if addr, err := netip.ParseAddr(name); err == nil && addr.Is4() && !slices.Contains(announce, addr) {
			announce = append(announce, addr)
		}
	}
	m.host, err = wire.New(wire.Options{Listen: listen, Addresses: announce, Stage: m.stage, OnLeg: m.legs.note, Log: m.log})
	if err != nil {
		return fmt.Errorf("listening for sound and picture: %w", err)
	}
	return nil
}
