package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"plenum/device/config"
	"plenum/device/health"
	"plenum/device/setup"
	"plenum/device/update"
)

const (
	watchBoxEvery = 5 * time.Second
	calm          = 500 * time.Millisecond // after a change, before it is looked at: one that comes and goes costs one look
	slotsRest     = 30 * time.Second       // between two looks at the slots: RAUC starts a dozen programs for an answer
	slotsEvery    = 5 * time.Minute
	readyLimit    = 40 * time.Second // for devices to be tried; the box is ready without those that are not there
	scrapeTime    = 5 * time.Second
)

// watch keeps the conditions of the box itself true.
func (b *boxed) watch(ctx context.Context) error {
	services, stop := b.bus.Watch()
	defer stop()
	updates, leave := b.updates.Watch()
	defer leave()
	b.begin(ctx)
	tick := time.NewTicker(watchBoxEvery)
	defer tick.Stop()
	for {
		b.look(ctx)
		select {
		case <-ctx.Done():
		case <-services:
		case <-updates:
			b.changed.give()
		case <-tick.C:
		}
		select {
		case <-ctx.Done():
			noteEnd(b.State)
			return ctx.Err()
		case <-time.After(calm):
		}
	}
}

// begin tells what is known at the start and does not change by itself.
func (b *boxed) begin(ctx context.Context) {
	named := b.app.named
	if b.fault != nil {
		named.Set(health.ConfigFallback, "", b.fault.Error())
	}
	forced, err := noteStart(b.State, "/proc/sys/kernel/random/boot_id")
	if err != nil {
		b.log.Warn("it is not known how the daemon before ended", "error", err)
	}
	named.Note(health.Restarted, forced, "the daemon before did not end by itself")
	became, err := os.ReadFile(b.Data)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		b.log.Warn("it is not known what became of the data partition", "error", err)
	}
	codes := map[string]string{"repaired": health.DataRepaired, "read-only": health.DataReadOnly, "lost": health.DataLost}
	if code := codes[strings.TrimSpace(string(became))]; code != "" {
		named.Set(code, "", "")
	}
	name := b.app.cfg.Box.Name
	if given, err := setup.Name(b.etc()); err == nil && given != "" {
		name = given
	}
	if name == "" || name == b.Name() {
		return
	}
	go func() { // as soon as the bus is there
		for {
			if err := b.bus.SetHostname(ctx, name); err == nil || ctx.Err() != nil {
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(watchBoxEvery):
			}
		}
	}()
}

// look notes what stands now.
func (b *boxed) look(ctx context.Context) {
	named := b.app.named
	codes := map[string]string{"bus": health.BusGone, "systemd": health.SystemdGone, "udisks2": health.UDisksGone, "rauc": health.RAUCGone}
	for _, s := range b.bus.Services() {
		code, subject := codes[s.Name], ""
		if code == "" {
			code, subject = health.ServiceGone, s.Name
		}
		if s.Present {
			named.Clear(code, subject)
		} else {
			named.Set(code, subject, s.Reason)
		}
	}
	named.Note(health.OwnerPINMissing, !b.owner.HasPIN(), "")
	refused := []string{}
	for _, d := range b.Refused() {
		refused = append(refused, d.IDs+" "+d.Name)
	}
	named.Note(health.USBRefused, len(refused) > 0, strings.Join(refused, ", "))
	v := b.updates.View()
	_, trial := b.updates.Trial()
	named.Note(health.UpdateOffered, v.State == update.Offered, v.Version)
	named.Note(health.UpdateTrial, trial, b.release.version)
	last := func(r update.Result) bool { return v.Last != nil && !v.Last.Seen && v.Last.Result == r }
	named.Note(health.UpdateWentBack, last(update.WentBack), versionOf(v.Last))
	named.Note(health.UpdateInterrupted, last(update.Interrupted), versionOf(v.Last))
	if !trial && !b.updates.Busy() {
		// What a version on trial might have had to give back is not needed any more.
		if err := os.Remove(b.journalBefore()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			b.log.Warn("the copy of the journal from before the update stays", "error", err)
		}
	}
}

func versionOf(o *update.Outcome) string {
	if o == nil {
		return ""
	}
	return o.Version
}

// spare looks now and then, and after every change of an update, at whether there is a slot to fall back on. RAUC may take
// its time: nothing else waits for it.
func (b *boxed) spare(ctx context.Context) error {
	updates, leave := b.updates.Watch()
	defer leave()
	for {
		wait := slotsRest
		if _, trial := b.updates.Trial(); !trial && !b.updates.Busy() && b.lookAtSlots(ctx) {
			wait = slotsEvery
		}
		select {
		case <-ctx.Done():
		case <-updates:
		case <-time.After(wait):
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(slotsRest):
		}
	}
}

// lookAtSlots notes when there is nothing to fall back on, and reports whether it could be told. RAUC that is not there is
// a condition of its own.
func (b *boxed) lookAtSlots(ctx context.Context) bool {
	slots, err := b.bus.Slots(ctx)
	if err != nil {
		return false
	}
	bad := ""
	for _, s := range slots {
		if !s.Booted && s.Version != "" && !s.Good {
			bad = fmt.Sprintf("%s: version %s", s.Bootname, s.Version)
		}
	}
	b.app.named.Note(health.SlotBad, bad != "", bad)
	return true
}

// keepPower holds a lock against switching off for as long as a sitting is open or an update is being installed.
func (b *boxed) keepPower(ctx context.Context) error {
	defer b.letGo()
	snaps, stop := b.app.clerk.Watch()
	defer stop()
	updates, leave := b.updates.Watch()
	defer leave()
	retry := time.NewTicker(watchBoxEvery)
	defer retry.Stop()
	for {
		busy, why := b.app.sitting(), "Eine Sitzung ist offen. A sitting is open."
		if v := b.updates.View(); v.State == update.Installing {
			busy, why = true, "Ein Update wird installiert. An update is being installed."
		}
		switch {
		case !busy:
			b.letGo()
		case b.lock == nil:
			release, err := b.bus.Inhibit(ctx, "shutdown:sleep", why)
			if err == nil {
				b.lock = release
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case _, ok := <-snaps:
			if !ok {
				return nil
			}
		case <-updates:
		case <-retry.C:
		}
	}
}

func (b *boxed) letGo() {
	if b.lock != nil {
		b.lock()
		b.lock = nil
	}
}

// ready tells systemd that the chamber is live: every device has been tried. Then the configuration has proved itself.
func (b *boxed) ready(ctx context.Context) error {
	changed, stop := b.app.board.Watch()
	defer stop()
	limit := time.NewTimer(readyLimit)
	defer limit.Stop()
	for waiting := true; waiting; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limit.C:
			waiting = false
		case <-changed:
			waiting = false
			for _, it := range b.app.board.List() {
				waiting = waiting || it.State == health.Starting
			}
		}
	}
	if err := b.notify.Ready(); err != nil {
		b.log.Error("systemd was not told that the chamber is live", "error", err)
	}
	b.log.Info("the chamber is live", "after", time.Since(b.app.began).Round(time.Millisecond), "slot", b.slot, "version", b.release.version)
	if b.fault == nil {
		if err := config.Keep(b.Config, b.kept()); err != nil {
			b.log.Error("the configuration is not kept as the last good one", "error", err)
		}
	}
	<-ctx.Done()
	_ = b.notify.Stopping() // systemd asked for it
	return ctx.Err()
}

// feed feeds systemd's watchdog while no vital condition stands: what hangs is ended and begins anew.
func (b *boxed) feed(ctx context.Context) error {
	every := b.notify.Interval()
	if every <= 0 {
		<-ctx.Done()
		return ctx.Err()
	}
	tick := time.NewTicker(every / 2)
	defer tick.Stop()
	for {
		if err := b.app.named.Vital(); err != nil {
			b.log.Error("the watchdog is not fed", "error", err)
		} else if err := b.notify.Alive(); err != nil {
			b.log.Error("feeding the watchdog", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// metrics serves Prometheus on the port the configuration names. A port that cannot be had costs nobody the sitting.
func (b *boxed) metrics(ctx context.Context) error {
	said := ""
	for ctx.Err() == nil && b.app.cfg.Box.Metrics != "" {
		if err := b.serveMetrics(ctx, b.app.cfg.Box.Metrics); ctx.Err() == nil && err.Error() != said {
			said = err.Error()
			b.log.Error("metrics are not served", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(watchBoxEvery):
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

func (b *boxed) serveMetrics(ctx context.Context, addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("box.metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", health.ContentType)
		if err := b.app.WriteMetrics(w); err != nil {
			b.log.Error("metrics are not complete", "error", err)
		}
	})
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: scrapeTime, WriteTimeout: scrapeTime, IdleTimeout: scrapeTime}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	return srv.Serve(l)
}
