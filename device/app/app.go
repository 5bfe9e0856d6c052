// Package app wires the house: desks, cameras, sound and remote members to the one sitting, and the sitting's decisions
// back to them. Everything that may fail is opened in New and rolled back together; Run keeps it going.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"plenum/device/access"
	"plenum/device/clerk"
	"plenum/device/config"
	"plenum/device/console"
	"plenum/device/control"
	"plenum/device/health"
	"plenum/device/journal"
	"plenum/device/sitting"
	"plenum/media/wire"
)

// App is the running appliance.
type App struct {
	cfg     config.Config
	log     *slog.Logger
	journal *journal.Journal
	clerk   *clerk.Clerk
	access  *access.Access
	board   *health.Board
	plugged *nudge
	desks   []*deskSystem
	lines   *lines
	media   *media
	testing sync.Mutex // held by a running self-test
	console *console.Console
	control *control.Server
	cleanup []func() // what New opened, undone in reverse
}

// Run opens everything and serves until ctx ends.
func Run(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	a, err := New(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer a.Close()
	return a.Run(ctx)
}

// New opens the journal, the keys, the network and the devices' tables. What it opened is closed again when a later
// part fails.
func New(ctx context.Context, cfg config.Config, log *slog.Logger) (_ *App, err error) {
	a := &App{cfg: cfg, log: log, board: health.NewBoard(nil), plugged: newNudge()}
	defer func() {
		if err != nil {
			a.Close()
		}
	}()
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return nil, fmt.Errorf("making the data folder: %w", err)
	}
	if err := a.openSitting(ctx); err != nil {
		return nil, err
	}
	a.addDevices()
	if err := a.openDesks(); err != nil {
		return nil, err
	}
	if a.lines, err = newLines(cfg, a.board, a.report, a.startTest, log); err != nil {
		return nil, fmt.Errorf("contacts and lamps: %w", err)
	}
	if a.media, err = openMedia(cfg, max(cfg.Sitting.MaxLimit, a.state().MaxLimit), a.board, a.report, log); err != nil {
		return nil, err
	}
	a.cleanup = append(a.cleanup, func() { a.media.host.Close() })
	return a, a.openConsole()
}

// Close undoes what New did. It is called after Run has ended.
func (a *App) Close() {
	for _, undo := range slices.Backward(a.cleanup) {
		undo()
	}
	a.cleanup = nil
}

func (a *App) openSitting(ctx context.Context) error {
	var err error
	if a.journal, err = journal.Open(ctx, a.cfg.Data, sitting.RulesVersion); err != nil {
		return fmt.Errorf("opening the journal: %w", err)
	}
	a.cleanup = append(a.cleanup, func() {
		if err := a.journal.Close(); err != nil {
			a.log.Error("closing the journal", "error", err)
		}
	})
	if a.clerk, err = clerk.New(clerk.Options{Journal: a.journal, Effects: a.carryOut, Log: a.log}); err != nil {
		return fmt.Errorf("reading the journal: %w", err)
	}
	if a.access, err = access.Open(a.cfg.Data, access.Options{}); err != nil {
		return fmt.Errorf("reading who may come in: %w", err)
	}
	return nil
}

func (a *App) openDesks() error {
	for _, c := range a.cfg.Desks {
		driver, err := newDriver(c, a.log)
		if err != nil {
			return err
		}
		a.desks = append(a.desks, newDeskSystem(c, driver, a.report, a.state, a.board, a.log))
	}
	return nil
}

func (a *App) openConsole() error {
	names := a.names()
	ca, err := access.OpenCA(a.cfg.Data, access.CAOptions{Hosts: names, Log: a.log})
	if err != nil {
		return fmt.Errorf("the box's certificate: %w", err)
	}
	listener, err := net.Listen("tcp", a.cfg.Listen)
	if err != nil {
		return fmt.Errorf("listening for pages: %w", err)
	}
	a.cleanup = append(a.cleanup, func() { listener.Close() })
	a.console, err = console.New(console.Options{
		Listener: listener, TLS: access.Profile(ca.GetCertificate), CA: ca.PEM(),
		Clerk: a.clerk, Access: a.access, Media: a.media.host.Handler(a.caller), Voices: a.media.voices,
		Devices: a, Version: Version(), Log: a.log,
	})
	if err != nil {
		return fmt.Errorf("the pages: %w", err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return fmt.Errorf("the pages: %w", err)
	}
	a.control, err = control.New(control.Options{
		Socket: a.cfg.Socket, Clerk: a.clerk, Access: a.access, Base: "https://" + net.JoinHostPort(names[0], port),
		Devices: a, Version: Version(), Log: a.log,
	})
	if err != nil {
		return fmt.Errorf("the control socket: %w", err)
	}
	a.cleanup = append(a.cleanup, a.control.Close)
	return nil
}

// caller tells the media path whose request it is.
func (a *App) caller(r *http.Request) (wire.Caller, error) {
	id, err := a.console.Authenticate(r)
	return wire.Caller{Person: string(id.Person), Gone: id.Gone, Expires: id.Expires, Many: !id.Single()}, err
}

// names are what the box is reached by, the first one for links.
func (a *App) names() []string {
	names := slices.Clone(a.cfg.Names)
	host, _, _ := net.SplitHostPort(a.cfg.Listen)
	if ip, err := netip.ParseAddr(host); err == nil && !ip.IsUnspecified() {
		names = append(names, host)
	} else if err == nil {
		for _, own := range ownAddresses() {
			names = append(names, own.String())
		}
	} else if host != "" {
		names = append(names, host)
	}
	if name, err := os.Hostname(); err == nil {
		names = append(names, name)
	}
	return append(names, "localhost", "127.0.0.1")
}

// ownAddresses are the host's IPv4 addresses, those others can reach first.
func ownAddresses() []netip.Addr {
	var far, near []netip.Addr
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		switch {
		case err != nil || !p.Addr().Is4():
		case p.Addr().IsLoopback():
			near = append(near, p.Addr())
		default:
			far = append(far, p.Addr())
		}
	}
	return append(far, near...)
}

// Run serves until ctx ends. When one of the parts without which there is no sitting ends, all end: the service
// manager starts the box's daemon again, and the journal brings the sitting back.
func (a *App) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	sup := &supervisor{log: a.log, board: a.board, plugged: a.plugged}
	vital := func(name string, run func(context.Context) error) {
		sup.wg.Go(func() {
			err := run(ctx)
			if ctx.Err() == nil || (err != nil && !errors.Is(err, context.Canceled)) {
				cancel(fmt.Errorf("%s: %w", name, errors.Join(errEnded, err)))
			}
		})
	}
	// The clerk ends last, so that what people were promised while the others end is still recorded.
	clerkCtx, stopClerk := context.WithCancel(context.WithoutCancel(ctx))
	defer stopClerk()
	clerkDone := make(chan error, 1)
	go func() { clerkDone <- a.clerk.Run(clerkCtx) }()

	if err := a.begin(ctx); err != nil {
		cancel(err)
	} else {
		a.media.run(ctx, sup, vital)
		for _, d := range a.desks {
			d.run(ctx, sup)
		}
		a.lines.run(ctx, sup, a.clerk)
		sup.keep(ctx, device{name: "plugs", run: a.plugs})
		vital("devices", a.follow)
		vital("record", a.watchRecord)
		vital("pages", a.console.Run)
		vital("control socket", a.control.Run)
		a.log.Info("ready", "listen", a.cfg.Listen, "version", Version())
	}
	select {
	case <-ctx.Done():
	case err := <-clerkDone:
		cancel(fmt.Errorf("the sitting: %w", errors.Join(errEnded, err)))
		clerkDone <- nil
	}
	sup.wait()
	stopClerk()
	err := <-clerkDone
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return errors.Join(cause, err)
	}
	return err
}

var errEnded = errors.New("ended, and nothing works without it")

// Version is what the build says of itself.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := strings.TrimPrefix(info.Main.Version, "v")
	if v == "" || v == "(devel)" {
		return "0-devel"
	}
	return v
}
