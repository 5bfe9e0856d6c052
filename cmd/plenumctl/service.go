package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"plenum/device/control"
)

const minute = "2006-01-02 15:04"

type technicianCmd struct {
	Mode string `arg:"" optional:"" enum:"show,on,off" default:"show" help:"on, off, or nothing to see how it is."`
	ownerPIN
}

// Run shows or switches the technician mode.
func (c technicianCmd) Run(s *session) error {
	view, err := s.ctl.Service(s.ctx)
	if err != nil {
		return err
	}
	if c.Mode != "show" {
		pin, err := c.ask(s)
		if err != nil {
			return err
		}
		if view, err = s.ctl.Technician(s.ctx, pin, c.Mode == "on"); err != nil {
			return err
		}
	}
	return s.print(struct {
		Technician control.Technician   `json:"technician"`
		RefusedUSB []control.RefusedUSB `json:"refused_usb"`
	}{view.Technician, view.RefusedUSB}, func(w io.Writer) { printTechnician(w, view) })
}

func printTechnician(w io.Writer, view control.ServiceView) {
	switch t := view.Technician; {
	case t.On && t.Until.IsZero():
		fmt.Fprintln(w, "technician mode is on: every USB device is let in")
	case t.On:
		fmt.Fprintf(w, "technician mode is on until %s (%s left): every USB device is let in\n",
			t.Until.Local().Format("15:04:05"), max(0, time.Until(t.Until)).Round(time.Second))
	default:
		fmt.Fprintln(w, "technician mode is off")
	}
	for _, d := range view.RefusedUSB {
		fmt.Fprintf(w, "not let in: %s  %s  (%s)\n", d.IDs, cmp.Or(d.Name, "no name"), cmp.Or(strings.Join(d.Classes, ", "), "no class"))
	}
}

type setupCmd struct {
	Apply bool `help:"Take it over; asks for the owner's PIN."`
	ownerPIN
}

// Run shows or takes over what the setup stick brings.
func (c setupCmd) Run(s *session) error {
	view, err := s.ctl.Service(s.ctx)
	if err != nil {
		return err
	}
	if c.Apply {
		pin, err := c.ask(s)
		if err != nil {
			return err
		}
		if view, err = s.ctl.ApplySetup(s.ctx, pin); err != nil {
			return err
		}
	}
	return s.print(view.Setup, func(w io.Writer) {
		signed := "not signed: needs the owner's PIN"
		if view.Setup.Signed {
			signed = "signed"
		}
		switch view.Setup.State {
		case "idle":
			fmt.Fprintln(w, "no setup stick (label PLENUMSETUP)")
		case "offered":
			fmt.Fprintf(w, "a setup stick is there, %s\n", signed)
		default:
			fmt.Fprintf(w, "setup: %s\n", view.Setup.State)
		}
		printText(w, "", view.Setup.Text)
		for _, l := range view.Setup.Lines {
			printText(w, "  ", l)
		}
	})
}

type resetCmd struct {
	Confirm string `help:"The box's host name, instead of asking for it." placeholder:"HOST"`
	ownerPIN
}

// Run wipes the box.
func (c resetCmd) Run(s *session) error {
	if c.Confirm == "" {
		if s.terminal() == nil {
			return errors.New("name the box with --confirm HOST: a factory reset wipes people, keys and logs")
		}
		name, err := s.askText("A factory reset wipes people, keys and logs, and restarts the box.\nType the box's host name to go on: ")
		if err != nil {
			return err
		}
		c.Confirm = name
	}
	pin, err := c.ask(s)
	if err != nil {
		return err
	}
	if _, err := s.ctl.Reset(s.ctx, pin, c.Confirm); err != nil {
		return err
	}
	return s.print(struct{}{}, func(w io.Writer) {
		fmt.Fprintln(w, "The box restarts and wipes itself. It comes back as it left the factory.")
	})
}

type ownerPINCmd struct {
	ownerPIN
}

// Run sets or changes the owner's PIN. With --pin-stdin the old PIN, if there is one, and the new one stand on a line each.
func (c ownerPINCmd) Run(s *session) error {
	view, err := s.ctl.Service(s.ctx)
	if err != nil {
		return err
	}
	var old string
	if view.Owner {
		if old, err = c.secret(s, "Owner's PIN so far: "); err != nil {
			return err
		}
	}
	pin, err := c.secret(s, "New PIN of the owner (6 to 32 digits): ")
	if err != nil {
		return err
	}
	if !c.Stdin {
		again, err := c.secret(s, "Once more: ")
		if err != nil {
			return err
		}
		if again != pin {
			return errors.New("these are two different PINs; nothing was changed")
		}
	}
	if _, err := s.ctl.SetOwner(s.ctx, old, pin); err != nil {
		return err
	}
	return s.print(struct{}{}, func(w io.Writer) {
		fmt.Fprintln(w, "The owner's PIN is set. Keep it where the technician finds it; the box cannot tell it.")
	})
}

// printText prints the English sentence of a text, if there is one.
func printText(w io.Writer, before string, t control.Text) {
	if t.EN != "" {
		fmt.Fprintf(w, "%s%s\n", before, t.EN)
	}
}
