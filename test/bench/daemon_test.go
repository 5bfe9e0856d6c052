package bench

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/BurntSushi/toml"

	"plenum/device/app"
	"plenum/device/config"
	"plenum/device/control"
	"plenum/device/sitting"
)

// daemon is the whole appliance in a process of its own, on a data folder of its own.
type daemon struct {
	ctl    *control.Client
	base   string
	client *http.Client
}

// startDaemon completes the configuration, writes it, and runs on it what plenumd runs.
func startDaemon(b *testing.B, c config.Config) *daemon {
	b.Helper()
	dir := b.TempDir()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	c.Listen = free.Addr().String()
	free.Close()
	c.Data, c.Socket = filepath.Join(dir, "data"), filepath.Join(dir, "s")
	c.Sitting.Body, c.Sitting.OpenAtStart, c.Hall.Output.Device = "Rat", true, "null"
	var text bytes.Buffer
	if err := toml.NewEncoder(&text).Encode(c); err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(dir, "plenum.toml")
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	start(b, "daemon").ask(b, question{Op: "run", Path: path})
	d := &daemon{ctl: control.Dial(c.Socket), base: "https://" + c.Listen}
	within(b, 20*time.Second, "the daemon answers", func() bool {
		st, err := d.ctl.Status(b.Context())
		return err == nil && !slices.ContainsFunc(st.Desks, func(k sitting.Desk) bool { return k.Link != sitting.LinkLive })
	})
	pem, err := os.ReadFile(filepath.Join(c.Data, "ca.pem"))
	if err != nil {
		b.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	d.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}}}
	b.Cleanup(d.client.CloseIdleConnections)
	return d
}

// speaker is who has the word: the state of the microphone, "" when nobody has it.
func (d *daemon) speaker(b *testing.B) string {
	b.Helper()
	s, err := d.ctl.Speakers(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	if len(s.Speakers) == 0 {
		return ""
	}
	return string(s.Speakers[0].Mic)
}

// present counts the people of the roster who are there in the given way.
func (d *daemon) present(b *testing.B, way string) int {
	b.Helper()
	s, err := d.ctl.Status(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	for _, p := range s.People {
		if string(p.Presence) == way {
			n++
		}
	}
	return n
}

func newDaemonPart() part {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	running := false
	return part{
		do: func(q question) (answer, error) {
			cfg, err := config.Load(q.Path)
			if err != nil {
				return answer{}, err
			}
			running = true
			go func() {
				err := app.Run(ctx, cfg, slog.New(slog.NewTextHandler(os.Stderr, nil)))
				if err != nil {
					fmt.Fprintln(os.Stderr, "daemon:", err)
				}
				done <- err
			}()
			return answer{}, nil
		},
		stop: func() {
			cancel()
			if running {
				<-done
			}
		},
	}
}
