package update

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"plenum/device/stick"
)

var errDark = errors.New("there is no power")

// world is a box down to its disks: a boot loader that counts tries, two slots, RAUC, and a data partition. The power
// can be cut before every single thing that is done to a disk. What was not synced may or may not be there afterwards.
type world struct {
	mu     sync.Mutex
	pick   func(n int) int // chance
	clock  time.Duration   // added to the time: a box without a clock begins every start in 1970
	steps  int             // things done to disks so far
	cutAt  int             // the power is cut before this one; 0: never
	killAt int             // the daemon, and only it, is killed at this one; 0: never
	dark   bool
	kill   func() // ends the daemon
	cut    func() // ends the power
	trace  []string

	// On disks.
	order  string            // grubenv
	ok     map[string]int    //
	try    map[string]int    //
	inside map[string]string // version in each slot; empty: torn
	status map[string]Slot   // rauc.status
	kept   map[string]string // data partition, synced
	seen   map[string]string // data partition, as long as there is power

	booted string
	busy   bool // RAUC is installing
	nature string

	// What happened, as somebody watching would know it.
	asked  bool // somebody asked for the installation
	begun  bool // RAUC began to write
	noted  bool // trial.json was on the disk
	tried  bool // the new version was started
	good   bool // it was marked good
	proved bool // the new version has noted that it was started
	blind  bool // the power was cut between the boot loader's note and RAUC's that the new version is next
}

func newWorld(nature string, pick func(int) int) *world {
	w := &world{
		pick: pick, nature: nature, order: "A B", ok: map[string]int{"A": 1, "B": 1}, try: map[string]int{},
		inside: map[string]string{"A": "1.2.0", "B": "1.1.0"}, kept: map[string]string{}, seen: map[string]string{},
		status: map[string]Slot{
			"A": {Name: "rootfs.0", Bootname: "A", Version: "1.2.0"},
			"B": {Name: "rootfs.1", Bootname: "B", Version: "1.1.0", Activated: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)},
		},
	}
	return w
}

// step is one thing done to a disk. It is not done when there is no power. The lock is held.
func (w *world) step(what string) bool {
	if w.dark {
		return false
	}
	w.steps++
	w.trace = append(w.trace, fmt.Sprintf("%d %s", w.steps, what))
	if w.steps == w.killAt {
		w.trace = append(w.trace, "daemon killed")
		w.kill()
	}
	if w.steps == w.cutAt {
		w.trace = append(w.trace, "power cut")
		w.dark = true
		w.cut()
		return false
	}
	return true
}

// do makes a step and what it changes.
func (w *world) do(what string, change func()) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.step(what) {
		return errDark
	}
	change()
	return nil
}

// The data partition.

func (w *world) read(name string) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	raw, there := w.seen[name]
	if !there {
		return nil, fs.ErrNotExist
	}
	return []byte(raw), nil
}

func (w *world) write(name string, raw []byte) error {
	return w.change(name, func(files map[string]string) { files[name] = string(raw) })
}

func (w *world) remove(name string) error {
	return w.change(name, func(files map[string]string) { delete(files, name) })
}

// change replaces or removes a file: a temporary file, a rename, and a sync of the folder.
func (w *world) change(name string, change func(map[string]string)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.step("temporary file for "+name) || !w.step("rename "+name) {
		return errDark
	}
	change(w.seen)
	if !w.step("sync for " + name) {
		if w.pick(2) == 1 { // the kernel had written it back by itself
			change(w.kept)
			w.note()
		}
		return errDark
	}
	change(w.kept)
	w.note()
	return nil
}

func (w *world) note() {
	w.noted = w.noted || w.kept[trialFile] != ""
	w.proved = w.proved || strings.Contains(w.kept[trialFile], string(StageTrial)+`"`)
}

// RAUC.

func (w *world) Inspect(context.Context, string) (Bundle, error) {
	return Bundle{"plenum-x86_64", "1.3.0", "Neu", "2026"}, nil
}

func (w *world) Compatible(context.Context) (string, error) { return "plenum-x86_64", nil }

// Install goes on in RAUC's own process when the one who asked is gone.
func (w *world) Install(ctx context.Context, _ string, told func(Progress)) error {
	w.mu.Lock()
	w.busy, w.begun = true, true
	w.mu.Unlock()
	ended := make(chan error, 1)
	go func() { ended <- w.install(told) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *world) install(told func(Progress)) error {
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.busy = false
	}()
	activated := false
	for _, s := range []struct {
		what   string
		change func()
	}{
		{"grubenv: B is not to be started", func() { w.ok["B"], w.try["B"] = 0, 0 }},
		{"first block of B", func() { w.inside["B"] = "" }},
		{"some blocks of B", func() {}},
		{"last block of B", func() { w.inside["B"] = "1.3.0" }},
		{"rauc.status: B is written", func() { s := w.status["B"]; s.Version, s.Installed = "1.3.0", w.now(); w.status["B"] = s }},
		{"grubenv: B is next", func() { w.ok["B"], w.try["B"], w.order, activated = 1, 0, "B A", true }},
		{"rauc.status: B is activated", func() { s := w.status["B"]; s.Activated, activated = w.now(), false; w.status["B"] = s }},
		{"signal that it is done", func() {}},
	} {
		time.Sleep(700 * time.Millisecond)
		told(Progress{50, s.what})
		if err := w.do(s.what, s.change); err != nil {
			w.mu.Lock()
			w.blind = activated
			w.mu.Unlock()
			return err
		}
	}
	return nil
}

func (w *world) now() time.Time { return time.Now().Add(w.clock).UTC().Truncate(time.Second) }

func (w *world) Slots(context.Context) ([]Slot, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy {
		return nil, errors.New("already processing a different method")
	}
	var all []Slot
	for _, name := range []string{"A", "B"} {
		s := w.status[name]
		s.Booted, s.Good = name == w.booted, w.ok[name] == 1 && w.try[name] == 0
		all = append(all, s)
	}
	return all, nil
}

func (w *world) Primary(context.Context) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range strings.Fields(w.order) {
		if w.ok[name] == 1 && w.try[name] == 0 {
			return w.status[name].Name, nil
		}
	}
	return "", errors.New("no bootable slot found in ORDER")
}

// boot does what grub.cfg does, until something starts.
func (w *world) boot() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dark, w.busy, w.seen = false, false, maps.Clone(w.kept)
	for range 5 {
		chosen := ""
		for _, name := range strings.Fields(w.order) {
			if w.ok[name] == 1 && w.try[name] == 0 {
				chosen = name
				w.try[name] = 1
				break
			}
		}
		if chosen == "" {
			maps.DeleteFunc(w.try, func(name string, _ int) bool { return w.ok[name] == 1 })
			chosen = "A"
		}
		w.booted = chosen
		fresh := w.inside[chosen] == "1.3.0"
		w.tried = w.tried || fresh
		w.trace = append(w.trace, "boot "+chosen+" "+w.inside[chosen])
		if w.inside[chosen] != "" && !(fresh && w.nature == "dead") {
			return nil
		}
	}
	return errors.New("nothing starts any more: neither old nor new")
}

// life is one life of the daemon, with the health gate and somebody at the panel, until it comes to rest (end), the
// power is cut or the box restarts (boot), or the daemon is killed (start).
func (w *world) life(folder string) (next string, last View) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	var errBoot, errKill = errors.New("boot"), errors.New("start")
	w.mu.Lock()
	w.kill, w.cut = func() { cancel(errKill) }, func() { cancel(errBoot) }
	version := w.inside[w.booted]
	w.mu.Unlock()
	u := open(Options{
		Installer: w, Release: Release{version, "plenum-x86_64", w.booted},
		Reboot: func(context.Context) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.trace = append(w.trace, "restart")
			cancel(errBoot)
			return nil
		},
	}, w)
	var wg sync.WaitGroup
	wg.Go(func() { _ = u.Run(ctx) })
	wg.Go(func() { u.Insert(ctx, stick.Medium{ID: "s", Path: folder}) })
	wg.Go(func() { w.gate(ctx, func() { cancel(errBoot) }) })
	for range 60 {
		time.Sleep(time.Second)
		synctest.Wait()
		if ctx.Err() != nil {
			break
		}
		switch v := u.View(); {
		case v.State == Offered && !w.asked:
			w.asked = true
			_ = u.Install(ctx)
		case v.State == Installed:
			_ = u.Reboot(ctx)
		}
	}
	last = u.View()
	cause := context.Cause(ctx)
	cancel(nil)
	wg.Wait()
	if cause == nil {
		return "end", last
	}
	return cause.Error(), last
}

// gate is plenum-health, mark-good and fallback: the units around the daemon.
func (w *world) gate(ctx context.Context, reboot func()) {
	select {
	case <-time.After(3 * time.Second):
	case <-ctx.Done():
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.inside[w.booted] != "1.3.0" || w.nature == "good" {
		if w.step("grubenv: " + w.booted + " is good") {
			w.ok[w.booted], w.try[w.booted] = 1, 0
			w.good = w.good || w.inside[w.booted] == "1.3.0"
		}
		return
	}
	var t Trial
	if json.Unmarshal([]byte(w.seen[trialFile]), &t) == nil && t.ToSlot == w.booted {
		w.trace = append(w.trace, "fallback")
		reboot()
	}
}

// truth is what somebody watching would say happened; several answers when either is true.
func (w *world) truth() []Result {
	switch {
	case w.inside[w.booted] == "1.3.0" && w.good:
		return []Result{Updated}
	case w.inside[w.booted] == "1.3.0":
		return []Result{OnTrial}
	case w.tried:
		return []Result{WentBack}
	case w.begun:
		return []Result{Interrupted}
	case w.noted:
		return []Result{Interrupted, ""} // RAUC was not asked: as good as nothing
	}
	return []Result{""}
}
