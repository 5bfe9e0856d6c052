package app

import (
	"strings"
	"sync/atomic"
	"testing"

	"plenum/device/config"
	"plenum/device/control"
	"plenum/device/health"
	"plenum/device/sitting"
)

// chamber is a running appliance with cameras and microphones that work, and remote members.
type chamber struct {
	t    *testing.T
	c    config.Config
	app  *App
	ctl  *control.Client
	end  func()
	link map[string]string // tokens by person

	sent *atomic.Int64 // packets of the member whose camera and microphone are on
}

func newChamber(t *testing.T) *chamber {
	t.Helper()
	c, _ := box(t, 2)
	c.Sitting.OpenAtStart, c.Desks = false, nil
	c.Cameras = []config.Camera{ // so small and slow that any machine makes them at their rate
		{Name: "Totale", Device: "test:picture", Shows: config.ShowsHall, Width: 64, Height: 64, FPS: 5, BitRate: 20_000},
		{Name: "Redner", Device: "test:picture", Shows: config.ShowsSpeaker, Width: 64, Height: 64, FPS: 5, BitRate: 20_000}}
	c.Hall.Microphone = config.Microphone{Device: "test:voice", Channels: []string{config.HallChannel}}
	for _, m := range []config.Member{{ID: "anna", Role: sitting.RoleMember}, {ID: "ben", Role: sitting.RoleMember}, {ID: "gast", Role: sitting.RoleGuest}, {ID: "protokoll", Role: sitting.RoleClerk}} {
		m.Name, m.Remote = m.ID, true
		c.Members = append(c.Members, m)
	}
	h := &chamber{t: t, c: c, link: map[string]string{}}
	h.start()
	for _, who := range []string{"anna", "ben", "gast", "protokoll", control.Screen} {
		i, err := h.ctl.Invite(t.Context(), who)
		if err != nil {
			t.Fatal(err)
		}
		h.link[who] = i.Token
	}
	t.Cleanup(func() { h.end() })
	return h
}

func (h *chamber) start() {
	h.t.Helper()
	h.app, h.ctl, h.end = started(h.t, h.c)
	eventually(h.t, "the box answers", func() bool { _, err := h.ctl.Status(h.t.Context()); return err == nil })
}

func (h *chamber) restart() {
	h.t.Helper()
	h.end()
	h.c.Listen = freePort(h.t)
	h.start()
}

// speaks has ben's camera and microphone send from now on.
func (h *chamber) speaks() {
	h.t.Helper()
	h.sent = publishes(h.t, h.c, h.link["ben"])
	eventually(h.t, "ben's sound and picture arrive", func() bool {
		p, ok := h.app.state().Person("ben")
		return ok && p.Leg.Audio && p.Leg.Video
	})
}

// goesOn waits until every camera, the microphones and the member have given a good deal more.
func (h *chamber) goesOn() {
	h.t.Helper()
	const more = 5
	m := h.app.media
	given := map[string]func() int64{"member": h.sent.Load, "microphones": func() int64 { return int64(m.voice.Stats().Packets) }}
	for name, c := range m.cameras {
		given[name] = func() int64 { return int64(c.Stats().Packets) }
	}
	before := map[string]int64{}
	for name, count := range given {
		before[name] = count()
	}
	for name, count := range given {
		eventually(h.t, name+" goes on", func() bool { return count() >= before[name]+more })
	}
}

// silent checks at their sockets that nobody is sent any media.
func (h *chamber) silent(when string, peers map[string]*peer) {
	h.t.Helper()
	before := map[string]int{}
	for who, p := range peers {
		before[who] = p.mark(h.t)
	}
	h.goesOn()
	for who, p := range peers {
		if n := p.mark(h.t) - before[who]; n != 0 {
			h.t.Errorf("%s: %d packets of media to %s", when, n, who)
		}
	}
}

// all has everybody who may play join.
func (h *chamber) all() map[string]*peer {
	h.t.Helper()
	peers := map[string]*peer{}
	for who, token := range h.link {
		peers[who] = plays(h.t, h.c, token)
	}
	return peers
}

// flows waits until everybody gets picture and sound.
func (h *chamber) flows(peers map[string]*peer) {
	h.t.Helper()
	for who, p := range peers {
		p.mu.Lock()
		clear(p.media)
		p.mu.Unlock()
		eventually(h.t, "picture and sound to "+who, func() bool { return p.kinds() >= 2 })
	}
}

// Outside an open sitting nobody is sent sound or picture of the hall or of a member, at whatever socket: not before the
// first opening, not after the close, not after a restart with nothing open; those who were connected before the close as
// little as those who come after it. In an open sitting all get it, after a restart into it too.
func TestNoMediaOutsideASitting(t *testing.T) {
	h := newChamber(t)
	h.speaks()
	early := h.all()
	h.silent("before the first opening", early)
	h.selfTests()
	h.silent("after a self-test", early)

	h.must(h.ctl.OpenSitting(t.Context()))
	h.flows(early)
	h.must(h.ctl.Grant(t.Context(), "ben"))
	h.flows(early)
	h.must(h.ctl.CloseSitting(t.Context()))
	h.silent("after the close", early)
	h.silent("to those who come after the close", h.all()) // each takes the place of the person's earlier one

	h.restart()
	h.speaks()
	late := h.all()
	h.silent("after a restart with nothing open", late)
	h.must(h.ctl.OpenSitting(t.Context()))
	h.flows(late)

	h.restart()
	h.speaks()
	h.flows(h.all())
}

// selfTests: the box looks at its cameras and hears its microphones although nobody is sent anything of them. How fast the
// pictures come is not asked here: the machine may be busy.
func (h *chamber) selfTests() {
	h.t.Helper()
	r, err := h.ctl.SelfTest(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	tried := 0
	for _, line := range r.Checks {
		switch line.ID {
		case health.ID(health.Camera, "Totale"), health.ID(health.Camera, "Redner"):
			if !strings.Contains(line.EN, "pictures a second") {
				h.t.Errorf("%s: %s", line.ID, line.EN)
			}
		case health.ID(health.Microphone, hallName):
			if !line.OK {
				h.t.Errorf("%s: %s", line.ID, line.EN)
			}
		default:
			continue
		}
		tried++
	}
	if tried != 3 {
		h.t.Errorf("%d of cameras and microphones were tried", tried)
	}
}

func (h *chamber) must(_ control.Done, err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}
