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
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

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
	named   *health.Conditions
	commits *timed
	began   time.Time
	latest  time.Time     // of the records; lookAfter's own
	again   chan struct{} // the daemon is to end, to be started anew
	plugged *nudge
	desks   []*deskSystem
	lines   *lines
	media   *media
	box     *boxed     // nil: a program on somebody's own machine
	testing sync.Mutex // held by a running self-test
	ca      *access.CA
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
func New(ctx context.Context, cfg config.Config, log *slog.Logger) (*App, error) {
	return newApp(ctx, cfg, log, nil)
}

func newApp(ctx context.Context, cfg config.Config, log *slog.Logger, box *boxed) (_ *App, err error) {
	a := &App{cfg: cfg, log: log, box: box, board: health.NewBoard(nil), named: health.NewConditions(nil), plugged: newNudge(), began: time.Now(),
		again: make(chan struct{}, 1)}
	defer func() {
		if err != nil {
			a.Close()
		}
	}()
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return nil, fmt.Errorf("making the data folder: %w", err)
	}
	if box != nil {
		if err := box.open(ctx, a); err != nil {
			return nil, err
		}
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
	if box != nil {
		if err := box.join(a); err != nil {
			return nil, err
		}
	}
	return a, a.openConsole()
}

// Close undoes what New did. It is called after Run has ended.
func (a *App) Close() {
	for _, undo := range slices.Backward(a.cleanup) {
		undo()
	}
	a.cleanup = nil
}

// openSitting opens the journal and brings the sitting back. A journal that a version left which had to give way is
// replaced by the one from before it.
func (a *App) openSitting(ctx context.Context) error {
	err := a.openJournal(ctx)
	if err != nil && a.box != nil {
		if err = a.box.older(ctx, err); err == nil {
			err = a.openJournal(ctx)
		}
	}
	if err != nil {
		return err
	}
	a.cleanup = append(a.cleanup, func() {
		if err := a.journal.Close(); err != nil {
			a.log.Error("closing the journal", "error", err)
		}
	})
	if a.access, err = access.Open(a.cfg.Data, access.Options{Log: a.log}); err != nil {
		return fmt.Errorf("reading who may come in: %w", err)
	}
	return nil
}

func (a *App) openJournal(ctx context.Context) error {
	var err error
	if a.journal, err = journal.Open(ctx, a.cfg.Data, sitting.RulesVersion); err != nil {
		return fmt.Errorf("opening the journal: %w", err)
	}
	a.commits = &timed{Journal: a.journal}
	if a.clerk, err = clerk.New(clerk.Options{Journal: a.commits, Effects: a.carryOut, Log: a.log}); err != nil {
		return errors.Join(fmt.Errorf("reading the journal: %w", err), a.journal.Close())
	}
	a.latest = a.clerk.Snapshot().At
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
	given := ""
	if a.box != nil {
		given = a.box.certificates()
	}
	var err error
	if a.ca, err = access.OpenCA(a.cfg.Data, access.CAOptions{Hosts: names, Given: given, Log: a.log}); err != nil {
		return fmt.Errorf("the box's certificate: %w", err)
	}
	listener, err := net.Listen("tcp", a.cfg.Listen)
	if err != nil {
		return fmt.Errorf("listening for pages: %w", err)
	}
	a.cleanup = append(a.cleanup, func() { listener.Close() })
	pages := console.Options{
		Listener: listener, TLS: access.Profile(a.ca.GetCertificate), CA: a.ca.PEM(),
		Clerk: a.clerk, Access: a.access, Media: a.media.host.Handler(a.caller), Voices: a.media.voices,
		Devices: a, Version: Version(), Log: a.log,
	}
	if a.box != nil {
		pages.Service = a.box.service
	}
	a.console, err = console.New(pages)
	if err != nil {
		return fmt.Errorf("the pages: %w", err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return fmt.Errorf("the pages: %w", err)
	}
	door := control.Options{
		Socket: a.cfg.Socket, Clerk: a.clerk, Access: a.access, Base: "https://" + net.JoinHostPort(names[0], port),
		Devices: a, Health: a, Version: Version(), Log: a.log,
	}
	if a.box != nil {
		door.Service = a.box.service
	}
	a.control, err = control.New(door)
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
		vital("addresses", a.followAddresses)
		vital("health", a.lookAfter)
		vital("conditions", func(ctx context.Context) error { return a.named.Follow(ctx, a.board) })
		vital("journal", a.verify)
		vital("clerk", a.beat)
		vital("record", a.watchRecord)
		vital("pages", a.console.Run)
		vital("control socket", a.control.Run)
		if a.box != nil {
			a.box.run(ctx, vital)
		}
		a.log.Info("ready", "listen", a.cfg.Listen, "version", Version())
	}
	select {
	case <-ctx.Done():
	case <-a.again:
		a.log.Info("ending to be started anew")
		cancel(nil)
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
