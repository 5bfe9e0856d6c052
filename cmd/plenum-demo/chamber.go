package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/renameio/v2"

	"plenum/device/config"
	"plenum/device/control"
	"plenum/device/sitting"
	"plenum/hal/desk/sim"
)

// chamber is the virtual hall and the daemon in it.
type chamber struct {
	o       options
	log     *slog.Logger
	hall    *hall
	members []config.Member
	daemon  daemon
	socket  string // for plenumctl
	own     string // the daemon's own
}

// hall is the desks.
type hall struct {
	units *sim.Sim
	names []string // by seat, from 1 at index 0
}

func newChamber(o options, log *slog.Logger) (*chamber, error) {
	binary, err := findDaemon()
	if err != nil {
		return nil, err
	}
	units, err := sim.New(sim.Options{Units: o.desks, Chair: 1, Log: log})
	if err != nil {
		return nil, fmt.Errorf("the desks' line: %w", err)
	}
	c := &chamber{o: o, log: log, hall: &hall{units: units}, members: roster(o.desks),
		socket: filepath.Join(o.data, "plenum.sock"), own: filepath.Join(o.data, "plenumd.sock")}
	for _, m := range c.members {
		if m.Seat != "" {
			c.hall.names = append(c.hall.names, m.Name)
		}
	}
	path, err := writeConfig(o, units, c.own)
	if err != nil {
		return nil, errors.Join(err, units.Close())
	}
	c.daemon = daemon{binary: binary, config: path, logFile: filepath.Join(o.data, "plenumd.log"), verbose: o.verbose, log: log}
	return c, nil
}

// run keeps everything going until ctx ends. tell is called once, when the chamber is up.
func (c *chamber) run(ctx context.Context, tell func(invitation) error) error {
	defer c.hall.units.Close()
	socket, err := listenUnix(c.socket)
	if err != nil {
		return err
	}
	defer os.Remove(c.socket)
	plan, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("the seat plan: %w", err)
	}
	pages, err := seatplan(c.hall)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	part := func(run func() error) {
		wg.Go(func() {
			if err := run(); err != nil && !errors.Is(err, context.Canceled) {
				cancel(err)
			}
		})
	}
	part(func() error { return c.hall.units.Run(ctx) })
	part(func() error { return c.daemon.run(ctx) })
	part(func() error {
		return serve(ctx, socket, relay{hall: c.hall, daemon: c.own, log: c.log}.handler())
	})
	part(func() error { return serve(ctx, plan, pages) })
	part(func() error {
		i, err := c.invite(ctx, "http://"+plan.Addr().String()+"/")
		if err != nil {
			return err
		}
		return tell(i)
	})
	<-ctx.Done()
	wg.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// invite waits for the daemon, sets a PIN and makes the links. A data folder that was used before keeps its own.
func (c *chamber) invite(ctx context.Context, plan string) (invitation, error) {
	ctl, err := c.reach(ctx)
	if err != nil {
		return invitation{}, err
	}
	base := "https://" + reached(c.o.listen)
	kept := filepath.Join(c.o.data, "demo.json")
	i := invitation{}
	if b, err := os.ReadFile(kept); err == nil && json.Unmarshal(b, &i) == nil && i.Panel == base+"/panel" {
		i.Seatplan = plan
		return i, nil
	}
	i = invitation{Panel: base + "/panel", Seatplan: plan, CA: filepath.Join(c.o.data, "ca.pem"), ChairPIN: newPIN(),
		WHIP: base + "/whip", WHEP: base + "/whep", Socket: c.socket}
	if err := ctl.SetPIN(ctx, i.ChairPIN); err != nil {
		return i, fmt.Errorf("setting the chair's PIN: %w", err)
	}
	screen, err := ctl.Invite(ctx, config.ScreenID)
	if err != nil {
		return i, fmt.Errorf("inviting the hall screen: %w", err)
	}
	i.Screen = base + "/screen#" + screen.Token
	for _, m := range c.members {
		if !m.Remote {
			continue
		}
		link, err := ctl.Invite(ctx, m.ID)
		if err != nil {
			return i, fmt.Errorf("inviting %s: %w", m.Name, err)
		}
		i.Members = append(i.Members, member{Name: m.Name, Link: base + "/member#" + link.Token, Token: link.Token})
	}
	b, err := json.Marshal(i)
	if err != nil {
		return i, fmt.Errorf("keeping the links: %w", err)
	}
	return i, renameio.WriteFile(kept, b, 0o600)
}

// reach waits until the daemon answers and the desks are live: before that a key pressed is a key pressed for nobody.
func (c *chamber) reach(ctx context.Context) (*control.Client, error) {
	ctl := control.Dial(c.own)
	for {
		if st, err := ctl.Status(ctx); err == nil && desksLive(st) {
			return ctl, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// desksLive says whether every line of desks answers.
func desksLive(st control.Status) bool {
	for _, d := range st.Desks {
		if d.Link != sitting.LinkLive {
			return false
		}
	}
	return true
}

// newPIN is six digits, none of them easy to guess from the others.
func newPIN() string {
	for {
		pin := fmt.Sprintf("%06d", rand.N(1_000_000))
		seen := map[rune]bool{}
		for _, d := range pin {
			seen[d] = true
		}
		if len(seen) >= 4 && pin != "123456" && pin != "654321" {
			return pin
		}
	}
}

// press pushes the key of the desk at a seat.
func (h *hall) press(seat string) error {
	n, err := seatNumber(seat, len(h.names))
	if err != nil {
		return err
	}
	return h.units.Press(n, "")
}

// watch tells when a desk changed.
func (h *hall) watch() (<-chan struct{}, func()) { return h.units.Subscribe() }

// desks are all desks as the page shows them.
func (h *hall) desks() []deskView {
	var out []deskView
	for _, u := range h.units.State() {
		out = append(out, deskView{Seat: fmt.Sprint(u.Unit), Name: h.names[u.Unit-1], Open: u.Open, Requesting: u.Requesting, Lost: u.Lost})
	}
	return out
}
