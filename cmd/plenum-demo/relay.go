package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"strconv"
	"time"
)

// relay answers plenumctl at the demo's socket: what concerns the virtual desks itself, everything else by the daemon's
// own socket. So the daemon knows nothing of the demo.
type relay struct {
	hall   *hall
	daemon string // the daemon's own socket
	log    *slog.Logger
}

func (r relay) handler() http.Handler {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host = "http", "plenumd"
		},
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", r.daemon)
		}},
		FlushInterval: -1, // events are to be seen as they come
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			problem(w, http.StatusBadGateway, "plenumd does not answer; it is being started again, try once more")
		},
		ErrorLog: slog.NewLogLogger(r.log.Handler(), slog.LevelDebug),
	}
	mux := http.NewServeMux()
	mux.Handle("/", proxy)
	mux.HandleFunc("POST /demo/press", r.press)
	return mux
}

// press pushes a desk's key as a hand would: POST /demo/press {"seat":"7"}.
func (r relay) press(w http.ResponseWriter, req *http.Request) {
	var body struct {
		Seat string `json:"seat"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, req.Body, 1024)).Decode(&body); err != nil {
		problem(w, http.StatusBadRequest, `send {"seat":"7"}`)
		return
	}
	if err := r.hall.press(body.Seat); err != nil {
		problem(w, http.StatusNotFound, err.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// problem answers as the daemon's own socket does.
func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"status": status, "title": http.StatusText(status), "detail": detail})
}

// seatNumber reads a seat of 1 to desks.
func seatNumber(seat string, desks int) (int, error) {
	n, err := strconv.Atoi(seat)
	if err != nil || n < 1 || n > desks {
		return 0, fmt.Errorf("there is no desk at seat %q: seats are 1 to %d", seat, desks)
	}
	return n, nil
}

// serve runs an HTTP server until ctx ends.
func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving %s: %w", l.Addr(), err)
	}
	return nil
}

// listenUnix opens a unix socket for the user alone, replacing one that a killed demo left.
func listenUnix(path string) (net.Listener, error) {
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return nil, fmt.Errorf("%s: another demo runs with this data folder", path)
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("removing an old socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("opening the socket: %w", err)
	}
	return l, os.Chmod(path, 0o600)
}
