// Command plenum-demo is the newcomer's first command: a virtual chamber with desks on a serial line, two cameras and a
// voice, around a real plenumd with a data folder of its own. It prints where to look and goes on running.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

// options are the flags.
type options struct {
	listen  string
	data    string
	desks   int
	json    bool
	verbose bool
}

func main() {
	o := options{}
	flags := flag.NewFlagSet("plenum-demo", flag.ExitOnError)
	flags.StringVar(&o.listen, "listen", "127.0.0.1:8443", "`address` of pages and API, and of sound and picture by UDP; port 0 takes a free one")
	flags.StringVar(&o.data, "data", "", "data `folder`, kept when the demo ends (default: a fresh one, removed at the end)")
	flags.IntVar(&o.desks, "desks", 24, "`number` of desks in the hall, 2 to 200")
	flags.BoolVar(&o.json, "json", false, "print one line of JSON instead of text")
	flags.BoolVar(&o.verbose, "verbose", false, "show the daemon's debug log")
	_ = flags.Parse(os.Args[1:]) // ends the program itself
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "plenum-demo:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, o options, out io.Writer) error {
	if o.desks < 2 || o.desks > 200 {
		return fmt.Errorf("--desks %d: possible are 2 to 200", o.desks)
	}
	listen, release, err := takePort(o.listen)
	if err != nil {
		return err
	}
	defer release()
	o.listen = listen
	if o.data == "" {
		dir, err := os.MkdirTemp("", "plenum-demo-")
		if err != nil {
			return fmt.Errorf("making a data folder: %w", err)
		}
		defer os.RemoveAll(dir)
		o.data = dir
	} else if o.data, err = filepath.Abs(o.data); err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	if err := os.MkdirAll(o.data, 0o700); err != nil {
		return fmt.Errorf("making the data folder: %w", err)
	}
	level := slog.LevelWarn
	if o.verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	c, err := newChamber(o, log)
	if err != nil {
		return err
	}
	return c.run(ctx, func(i invitation) error { return announce(out, o, i) })
}

// reached is the address others use: where it listens, or with 0.0.0.0 the machine's first address that is not its own
// loopback.
func reached(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsUnspecified() {
		return listen
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return net.JoinHostPort("127.0.0.1", port)
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			return net.JoinHostPort(n.IP.String(), port)
		}
	}
	return net.JoinHostPort("127.0.0.1", port)
}

// invitation is what the demo tells: the contract of plenum-demo --json.
type invitation struct {
	Panel    string   `json:"panel"`
	Screen   string   `json:"screen"`
	Seatplan string   `json:"seatplan"`
	CA       string   `json:"ca"`
	ChairPIN string   `json:"chair_pin"`
	Members  []member `json:"members"`
	WHIP     string   `json:"whip"`
	WHEP     string   `json:"whep"`
	Socket   string   `json:"socket"`
}

// member is one remote member's way in.
type member struct {
	Name  string `json:"name"`
	Link  string `json:"link"`
	Token string `json:"token"`
}

func announce(out io.Writer, o options, i invitation) error {
	if o.json {
		return json.NewEncoder(out).Encode(i)
	}
	_, err := fmt.Fprintf(out, `
A council chamber with %d desks is up, the sitting is open.

  chair's panel   %s        PIN %s
  hall screen     %s
  desks to click  %s
`, o.desks, i.Panel, i.ChairPIN, i.Screen, i.Seatplan)
	for _, m := range i.Members {
		fmt.Fprintf(out, "  %-15s %s\n", m.Name, m.Link)
	}
	fmt.Fprintf(out, `
Your browser will warn of the box's own certificate: go on, or import %s.
Press a desk from here:   bin/plenumctl --socket %s demo press 7
Who waits, who speaks:    bin/plenumctl --socket %s speakers
Remote speakers are heard in the hall: %s. The daemon's log: %s
Ctrl-C ends it.
`, i.CA, i.Socket, i.Socket, filepath.Join(o.data, "hall.wav"), filepath.Join(o.data, "plenumd.log"))
	return err
}
