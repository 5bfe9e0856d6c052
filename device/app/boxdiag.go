package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strconv"

	"plenum/device/diag"
	"plenum/device/stick"
)

// Lines of the logs that go onto a stick, the newest ones.
const (
	linesNow    = 50_000 // of this boot
	linesBefore = 20_000 // of each of the boots before
	bootsBefore = 3
)

// newDiagnosis says what a PLENUM-DIAG stick gets.
func (b *boxed) newDiagnosis(a *App) *diag.Diag {
	sources := []diag.Source{
		diag.Text("health.json", func() []byte { return asText(a.Judge()) }),
		diag.Text("service.json", func() []byte { return asText(b.service.View()) }),
		diag.Text("status.json", func() []byte { return asText(a.figures()) }),
		{Name: "metrics.txt", Write: func(_ context.Context, w io.Writer) error { return a.WriteMetrics(w) }},
		{Name: "slots.json", Write: func(ctx context.Context, w io.Writer) error {
			slots, err := b.bus.Slots(ctx)
			if err != nil {
				return err
			}
			_, err = w.Write(asText(slots))
			return err
		}},
		diag.Text("bus.json", func() []byte { return asText(b.bus.Services()) }),
		diag.File("release", b.Release),
		diag.File("cmdline", b.Cmdline),
		diag.File("plenum.toml", b.Config),
		diag.File("network/50-plenum.network", filepath.Join(b.etc(), "network", "50-plenum.network")),
		diag.File("update/trial.json", filepath.Join(b.updateDir(), "trial.json")),
		diag.File("update/last.json", filepath.Join(b.updateDir(), "last.json")),
		diag.Listing("state.txt", b.State),
		diag.Listing("etc.txt", b.etc()),
		diag.Crashes(b.crashes()),
		logs("log/this-boot.txt", 0, linesNow),
	}
	for n := 1; n <= bootsBefore; n++ {
		sources = append(sources, logs(fmt.Sprintf("log/boot-%d.txt", n), n, linesBefore))
	}
	return diag.New(diag.Options{Host: b.Name(), Sources: sources, Recipient: func() string { return a.cfg.Box.VendorKey }, Log: b.log,
		Unmount: b.bus.Unmount}) // before it is said that the stick may be pulled
}

// asText is a value as people read it.
func asText(v any) []byte {
	out, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return []byte(err.Error())
	}
	return append(out, '\n')
}

// logs is the system's journal of a boot, 0 for this one, 1 for the one before.
func logs(name string, boot, lines int) diag.Source {
	return diag.Source{Name: name, Write: func(ctx context.Context, w io.Writer) error {
		cmd := exec.CommandContext(ctx, "journalctl", "--no-pager", "--reverse", "--output=short-iso-precise", "--boot=-"+strconv.Itoa(boot), "--lines="+strconv.Itoa(lines))
		cmd.Stdout = w
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("reading the logs: %w", err)
		}
		return nil
	}}
}

// diagSticks lets package stick hand over to package diag.
type diagSticks struct {
	*diag.Diag
	log *slog.Logger
}

// Insert implements stick.Handler.
func (d diagSticks) Insert(ctx context.Context, m stick.Medium) {
	if err := d.Diag.Insert(ctx, diag.Medium{ID: m.ID, Label: m.Label, Path: m.Path, ReadOnly: m.ReadOnly}); err != nil {
		d.log.Warn("a diagnosis stick", "error", err)
	}
}
