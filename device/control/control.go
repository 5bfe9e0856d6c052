// Package control is the technician's door: HTTP over the daemon's unix socket, and the client that plenumctl uses.
//
// Whoever may open the socket is trusted as operator by the file's permission (0660); there are no tokens. It stands
// beside the console, not behind it: it works when the network or the certificates do not.
package control

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"plenum/device/access"
	"plenum/device/clerk"
	"plenum/device/sitting"
)

// Clerk is what the operator needs of package clerk.
type Clerk interface {
	Do(ctx context.Context, key string, e sitting.Event) (clerk.Receipt, error)
	Snapshot() clerk.Snapshot
	Follow() (entries <-chan clerk.Entry, stop func())
}

// Options say what the socket works with. Socket, Clerk and Access are needed.
type Options struct {
	Socket  string // path of the unix socket
	Clerk   Clerk
	Access  *access.Access
	Devices Devices       // nil: nothing is known of devices
	Health  Health        // nil: nothing is known of conditions and metrics
	Service Service       // nil: this is no appliance
	Base    string        // address of the pages for personal links, such as https://saal.example.de
	LinkTTL time.Duration // how long a personal link is good; 0: 30 days
	Version string
	Log     *slog.Logger // nil: nothing is logged
}

// Server answers at the socket.
type Server struct {
	opts   Options
	log    *slog.Logger
	listen net.Listener
	began  time.Time
}

const (
	maxBody      = 4 << 10 // bytes
	commandTime  = 5 * time.Second
	shutdownTime = 2 * time.Second
)

// New opens the socket, replacing one that a killed daemon left. It refuses when another daemon answers there.
func New(o Options) (*Server, error) {
	if o.Clerk == nil || o.Access == nil {
		return nil, errors.New("the control socket needs a clerk and an access")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.LinkTTL == 0 {
		o.LinkTTL = 30 * 24 * time.Hour
	}
	l, err := listen(o.Socket)
	if err != nil {
		return nil, err
	}
	return &Server{opts: o, log: o.Log, listen: l, began: time.Now()}, nil
}

// listen opens a unix socket that its owner and group may use.
func listen(path string) (net.Listener, error) {
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return nil, fmt.Errorf("open %s: another daemon answers there", path)
	}
	switch info, err := os.Lstat(path); {
	case err == nil && info.Mode()&fs.ModeSocket == 0:
		return nil, fmt.Errorf("open %s: there is a file that is no socket", path)
	case err == nil:
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("remove the socket of a daemon that is gone: %w", err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make the control socket's folder: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("open the control socket: %w", err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		l.Close()
		return nil, fmt.Errorf("open %s to its group: %w", path, err)
	}
	return l, nil
}

// Close removes the socket when Run was never called; after Run it does nothing.
func (s *Server) Close() { s.listen.Close() }

// Run answers until ctx ends, then closes the socket and returns nil.
func (s *Server) Run(ctx context.Context) error {
	srv := &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: commandTime,
		BaseContext:       func(net.Listener) context.Context { return ctx }, // those who follow end with us
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(s.listen) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve the control socket: %w", err)
	case <-ctx.Done():
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	if err := srv.Shutdown(late); err != nil {
		srv.Close() // who did not take their answer
	}
	<-served
	return nil
}

// handler lays out the routes. A handler gives its answer, or the reason why there is none.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	all := map[string]func(*http.Request) (any, error){
		"GET /status":     s.status,
		"GET /speakers":   s.speakers,
		"POST /grant":     s.grant,
		"POST /withdraw":  s.withdraw,
		"POST /next":      s.next,
		"POST /pin":       s.pin,
		"POST /invite":    s.invite,
		"POST /revoke":    s.revoke,
		"GET /devices":    s.devices,
		"GET /vitals":     s.vitals,
		"POST /selftest":  s.selfTest,
		"POST /open":      s.openSitting,
		"POST /close":     s.closeSitting,
		"POST /all-clear": s.allClear,
	}
	maps.Copy(all, s.serviceRoutes())
	for pattern, handle := range all {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			out, err := handle(r)
			if err != nil {
				s.refuse(w, r, err)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(out) // the client may be gone
		})
	}
	mux.HandleFunc("GET /events", s.follow)
	if s.opts.Health != nil {
		mux.HandleFunc("GET /health", s.health)
		mux.Handle("GET /metrics", Metrics(s.opts.Health.WriteMetrics, s.log))
	}
	return mux
}

// ask gives an event to the sitting in the operator's name.
func (s *Server) ask(r *http.Request, e sitting.Event) (clerk.Receipt, error) {
	ctx, cancel := context.WithTimeout(r.Context(), commandTime)
	defer cancel()
	e.By = sitting.Actor{Role: sitting.RoleOperator}
	return s.opts.Clerk.Do(ctx, "", e)
}

func (s *Server) grant(r *http.Request) (any, error)    { return s.about(r, sitting.KindGrant) }
func (s *Server) withdraw(r *http.Request) (any, error) { return s.about(r, sitting.KindWithdraw) }

// about asks for something that concerns one person.
func (s *Server) about(r *http.Request, kind sitting.Kind) (any, error) {
	var who Who
	if err := read(r, &who); err != nil {
		return nil, err
	}
	p, err := find(s.opts.Clerk.Snapshot().State, who)
	if err != nil {
		return nil, err
	}
	receipt, err := s.ask(r, sitting.Event{Kind: kind, Person: p.ID})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Name, err)
	}
	return Done{Seq: receipt.Seq, Person: p.ID, Name: p.Name}, nil
}

func (s *Server) next(r *http.Request) (any, error) {
	receipt, err := s.ask(r, sitting.Event{Kind: sitting.KindNext})
	if err != nil {
		return nil, err
	}
	// Who it was: the latest speaker, unless the sitting has gone on since.
	done := Done{Seq: receipt.Seq}
	snap := s.opts.Clerk.Snapshot()
	if n := len(snap.State.Speakers); snap.Seq == receipt.Seq && n > 0 {
		p, _ := snap.State.Person(snap.State.Speakers[n-1].Person)
		done.Person, done.Name = p.ID, p.Name
	}
	return done, nil
}

func (s *Server) pin(r *http.Request) (any, error) {
	var body struct {
		PIN string `json:"pin"`
	}
	if err := read(r, &body); err != nil {
		return nil, err
	}
	if err := s.opts.Access.SetPIN(body.PIN); err != nil {
		return nil, err
	}
	s.log.Info("the operator set the chair's PIN")
	return struct{}{}, nil
}

// revoke ends a personal link and what is connected by it. People who left the roster are named by their id.
func (s *Server) revoke(r *http.Request) (any, error) {
	var who Who
	if err := read(r, &who); err != nil {
		return nil, err
	}
	id, name := sitting.PersonID(cmp.Or(who.Person, who.Name)), cmp.Or(who.Person, who.Name)
	if p, err := find(s.opts.Clerk.Snapshot().State, who); err == nil {
		id, name = p.ID, p.Name
	}
	if err := s.opts.Access.Revoke(id); err != nil {
		return nil, err
	}
	s.log.Info("the operator ended a personal link", "person", id)
	return Done{Seq: s.opts.Clerk.Snapshot().Seq, Person: id, Name: name}, nil
}

// invite makes a personal link, or one for the hall's screens. The chair never gets one (N14).
func (s *Server) invite(r *http.Request) (any, error) {
	var who Who
	if err := read(r, &who); err != nil {
		return nil, err
	}
	p := sitting.Person{Member: sitting.Member{ID: Screen, Name: Screen, Role: access.RoleScreen}}
	page := "/screen#"
	if who.Person != Screen && who.Name != Screen {
		var err error
		if p, err = find(s.opts.Clerk.Snapshot().State, who); err != nil {
			return nil, err
		}
		page = "/member#"
	}
	token, err := s.opts.Access.Invite(p.ID, p.Role, s.opts.LinkTTL)
	if err != nil {
		return nil, err
	}
	s.log.Info("the operator made a personal link", "person", p.ID, "role", p.Role)
	return Invitation{
		Person: p.ID, Name: p.Name, Role: p.Role, Token: token,
		Link: strings.TrimSuffix(s.opts.Base, "/") + page + token, Expires: time.Now().Add(s.opts.LinkTTL).UTC().Truncate(time.Second),
	}, nil
}

// follow streams what is decided from now on, one JSON object a line, until the client goes.
func (s *Server) follow(w http.ResponseWriter, r *http.Request) {
	if !r.URL.Query().Has("follow") {
		s.refuse(w, r, bad("only what is decided from now on can be had here: GET /events?follow"))
		return
	}
	entries, stop := s.opts.Clerk.Follow()
	defer stop()
	w.Header().Set("Content-Type", "application/x-ndjson")
	control := http.NewResponseController(w)
	out := json.NewEncoder(w)
	if control.Flush() != nil {
		return
	}
	for {
		select {
		case e, ok := <-entries:
			if !ok || out.Encode(e) != nil || control.Flush() != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

// read takes a body that is one JSON object with known fields.
func read(r *http.Request, into any) error {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return bad("the body is not understood: " + strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return bad("something follows the JSON object")
	}
	return nil
}
