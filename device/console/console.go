// Package console is the face of the box: its HTTPS API and the pages of chair, members and hall screens.
//
// It translates and decides nothing: a command becomes an event with its actor, and the core says yes or no. What the
// API looks like is written in openapi.yaml, which the box serves and the tests hold against the handlers.
package console

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"plenum/device/access"
	"plenum/device/clerk"
	"plenum/device/sitting"
)

// Clerk is what the console needs of package clerk.
type Clerk interface {
	Do(ctx context.Context, key string, e sitting.Event) (clerk.Receipt, error)
	Snapshot() clerk.Snapshot
	Watch() (snapshots <-chan clerk.Snapshot, stop func())
}

// Options say what the console works with. Clerk, Access and TLS are needed, and Listen or Listener.
type Options struct {
	Listen   string         // host:port
	Listener net.Listener   // instead of Listen; plain TCP, the console speaks TLS on it and closes it
	TLS      *tls.Config    // as access.Profile makes it
	CA       []byte         // the root certificate for browsers to import, PEM
	Clerk    Clerk          //
	Access   *access.Access //
	Media    http.Handler   // gets /whip, /whep and below, of people who may use them; nil: there is no media
	Devices  Devices        // nil: nothing is known of devices
	Service  Service        // nil: this is no appliance
	Voices   int            // how many remote voices the media room hands out, for the pages
	Pages    fs.FS          // nil: those built into the program
	Version  string
	Log      *slog.Logger     // nil: nothing is logged
	Now      func() time.Time // nil: time.Now
}

// Console serves the API and the pages.
type Console struct {
	opts Options
	log  *slog.Logger
	hub  *hub
	mux  *http.ServeMux
}

// Limits of the server. A request is small and quick; only the event stream lasts, and it sets its own deadlines.
const (
	headerTime   = 5 * time.Second
	readTime     = 15 * time.Second
	writeTime    = 30 * time.Second
	idleTime     = 2 * time.Minute
	shutdownTime = 3 * time.Second
	commandTime  = 5 * time.Second
	maxHeader    = 16 << 10  // bytes
	maxBody      = 4 << 10   // bytes of a command
	maxSDP       = 256 << 10 // bytes of a session description
)

// New checks the options and lays out the routes. It opens nothing.
func New(o Options) (*Console, error) {
	switch {
	case o.Clerk == nil, o.Access == nil, o.TLS == nil:
		return nil, errors.New("the console needs a clerk, an access and a TLS configuration")
	case o.Listen == "" && o.Listener == nil:
		return nil, errors.New("the console needs an address to listen on")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Pages == nil {
		built, err := builtPages()
		if err != nil {
			return nil, fmt.Errorf("find the pages in the program: %w", err)
		}
		o.Pages = built
	}
	c := &Console{opts: o, log: o.Log, hub: newHub(o.Clerk.Snapshot())}
	c.mux = c.layOut()
	return c, nil
}

// Run serves until ctx ends, tells the open streams that it closes, and returns nil; or the error for which it cannot
// serve, such as an address in use.
func (c *Console) Run(ctx context.Context) error {
	l, err := c.listen()
	if err != nil {
		return fmt.Errorf("start the console: %w", err)
	}
	failures := new(failures)
	srv := &http.Server{
		Handler:           c.guard(c.mux),
		TLSConfig:         c.opts.TLS.Clone(),
		ReadHeaderTimeout: headerTime, ReadTimeout: readTime, WriteTimeout: writeTime, IdleTimeout: idleTime,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       log.New(failures, "", 0),
	}
	c.hub.open()
	var wg sync.WaitGroup
	defer wg.Wait()
	side, stop := context.WithCancel(ctx)
	defer stop()
	snapshots, unwatch := c.opts.Clerk.Watch()
	defer unwatch()
	wg.Go(func() { c.hub.pump(side, snapshots) })
	wg.Go(func() { failures.report(side, c.log) })
	served := make(chan error, 1)
	wg.Go(func() { served <- srv.ServeTLS(l, "", "") })
	c.log.Info("the console is up", "addr", l.Addr().String())
	if !access.Strict() {
		c.log.Warn("TLS does not refuse ChaCha20: this program must run with GODEBUG=fips140=on")
	}
	select {
	case err := <-served:
		c.hub.close()
		srv.Close()
		return fmt.Errorf("serve the console: %w", err)
	case <-ctx.Done():
	}
	c.hub.close()
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	if err := srv.Shutdown(late); err != nil {
		srv.Close() // what is still open then was warned
	}
	return nil
}

func (c *Console) listen() (net.Listener, error) {
	if c.opts.Listener != nil {
		return c.opts.Listener, nil
	}
	return net.Listen("tcp", c.opts.Listen)
}

// Authenticate tells who a request comes from by its bearer token. A screen has a person's name of its own.
// The error is a *Problem with status 401.
func (c *Console) Authenticate(r *http.Request) (access.Identity, error) {
	lines := r.Header.Values("Authorization")
	if len(lines) != 1 {
		return access.Identity{}, unauthorized("Send your token as: Authorization: Bearer TOKEN.")
	}
	scheme, token, _ := strings.Cut(lines[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return access.Identity{}, unauthorized("Send your token as: Authorization: Bearer TOKEN.")
	}
	id, err := c.opts.Access.Resolve(strings.TrimSpace(token))
	switch {
	case errors.Is(err, access.ErrExpired):
		return id, unauthorized("This link or session has expired; ask for a new link, or log in again.")
	case err != nil:
		return id, unauthorized("This link or session is not valid any more; ask for a new link, or log in again.")
	}
	return id, onRoster(c.opts.Clerk.Snapshot().State, id)
}

// onRoster reports why a link or a session opens nothing any more although it is good: it outlives its person's place
// and role on the roster, which alone gives them (N14).
func onRoster(s sitting.State, id access.Identity) error {
	if id.Role == access.RoleScreen {
		return nil
	}
	switch p, ok := s.Person(id.Person); {
	case !ok:
		return unauthorized("This person is not on the roster any more; ask the clerk.")
	case p.Role != id.Role:
		return unauthorized("This person has another role on the roster now; log in again, or ask for a new link.")
	}
	return nil
}

func unauthorized(detail string) *Problem {
	return newProblem(http.StatusUnauthorized, "unauthorized", detail)
}
