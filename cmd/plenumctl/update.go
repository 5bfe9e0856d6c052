package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"plenum/device/control"
)

// lookEvery is how often an installation is looked at.
const lookEvery = 500 * time.Millisecond

type updateCmd struct {
	Install bool `help:"Install what the stick offers; asks for the owner's PIN and waits until it is done."`
	Reboot  bool `help:"Restart the box into what was installed; asks for the owner's PIN."`
	Seen    bool `help:"Say that the outcome of the last update was seen."`
	ownerPIN
}

// Run shows what is offered, installs it, or restarts the box.
func (c updateCmd) Run(s *session) error {
	view, err := s.ctl.Service(s.ctx)
	if err != nil {
		return err
	}
	if c.Seen {
		if view, err = s.ctl.Acknowledge(s.ctx); err != nil {
			return err
		}
	}
	if !c.Install && !c.Reboot {
		return s.print(struct {
			Release control.Release `json:"release"`
			Update  control.Update  `json:"update"`
			Sticks  []control.Stick `json:"sticks"`
		}{view.Release, view.Update, view.Sticks}, func(w io.Writer) { printUpdate(w, view) })
	}
	pin, err := c.ask(s)
	if err != nil {
		return err
	}
	if c.Install {
		if view.Update, err = s.install(pin); err != nil {
			return err
		}
	}
	if c.Reboot {
		if view, err = s.ctl.Reboot(s.ctx, pin); err != nil {
			return err
		}
	}
	return s.print(view.Update, func(w io.Writer) {
		switch {
		case c.Reboot:
			fmt.Fprintln(w, "The box restarts. Afterwards plenumctl update says what became of it.")
		default:
			fmt.Fprintf(w, "%s is installed. Restart the box with: plenumctl update --reboot\n", cmp.Or(view.Update.Version, "The update"))
		}
	})
}

// install has the offered update installed and waits for the end of it.
func (s *session) install(pin string) (control.Update, error) {
	view, err := s.ctl.Install(s.ctx, pin)
	if err != nil {
		return view.Update, err
	}
	bar := newBar(s.err)
	if s.json {
		bar = newBar(io.Discard)
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for view.Update.State == control.UpdateInstalling {
		bar.show(view.Update.Percent, view.Update.Step)
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			bar.end()
			return view.Update, fmt.Errorf("stopped looking, the installation goes on: %w", context.Cause(s.ctx))
		}
		if view, err = s.ctl.Service(s.ctx); err != nil {
			bar.end()
			return view.Update, fmt.Errorf("look how far the installation is: %w", err)
		}
	}
	if view.Update.State != control.UpdateInstalled {
		bar.end()
		return view.Update, errors.New("not installed: " + cmp.Or(view.Update.EN, "the stick is gone ("+view.Update.State+")"))
	}
	bar.show(100, "done")
	bar.end()
	return view.Update, nil
}

// printUpdate prints what runs, what is offered, and what became of the last update.
func printUpdate(w io.Writer, view control.ServiceView) {
	u := view.Update
	fmt.Fprintf(w, "running %s, built %s, slot %s\n", cmp.Or(view.Release.Version, u.Current), cmp.Or(view.Release.Build, "?"), cmp.Or(view.Release.Slot, "?"))
	if view.Sitting {
		fmt.Fprintln(w, "a sitting is open: sticks are looked at when it is closed")
	}
	switch u.State {
	case "idle":
		fmt.Fprintln(w, "nothing is offered")
	case control.UpdateInstalling:
		fmt.Fprintf(w, "installing %s: %d %% %s\n", u.Version, u.Percent, u.Step)
	case control.UpdateOffered:
		fmt.Fprintf(w, "offered: %s, built %s, %.1f MB\n", u.Version, cmp.Or(u.Built, "?"), float64(u.Size)/1e6)
	default:
		fmt.Fprintf(w, "%s: %s\n", u.State, u.Version)
	}
	printText(w, "", u.Text)
	for line := range strings.Lines(u.Notes) {
		fmt.Fprintf(w, "  %s\n", strings.TrimRight(line, "\r\n"))
	}
	for _, stick := range view.Sticks {
		printText(w, "stick "+cmp.Or(stick.Label, stick.Drive, stick.ID)+": ", stick.Text)
	}
	if l := u.Last; l != nil {
		fmt.Fprintf(w, "last update, %s, %s to %s: %s\n", l.At.Local().Format(minute), l.From, l.Version, l.Result)
		printText(w, "", l.Text)
	}
}

// bar shows how far something is: on a terminal a line that moves, elsewhere a line for every tenth.
type bar struct {
	out   io.Writer
	moves bool // a terminal: the line is drawn over
	tenth int  // the last that was printed elsewhere
	drawn bool
}

func newBar(out io.Writer) *bar {
	f, ok := out.(*os.File)
	return &bar{out: out, moves: ok && term.IsTerminal(int(f.Fd())), tenth: -1}
}

// show draws a percentage and what is being done.
func (b *bar) show(percent int, step string) {
	const width = 40
	percent = min(max(percent, 0), 100)
	switch full := percent * width / 100; {
	case b.moves:
		fmt.Fprintf(b.out, "\r\033[K[%s%s] %3d %% %.30s", strings.Repeat("#", full), strings.Repeat(".", width-full), percent, step)
		b.drawn = true
	case percent/10 > b.tenth:
		b.tenth = percent / 10
		fmt.Fprintf(b.out, "%3d %% %s\n", percent, step)
	}
}

// end leaves the line.
func (b *bar) end() {
	if b.drawn {
		fmt.Fprintln(b.out)
	}
}
