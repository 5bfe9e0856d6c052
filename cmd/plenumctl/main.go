// Command plenumctl is the technician's command line, over the daemon's unix socket. Who may write to the socket may do
// what the technician may. --json gives every answer as JSON.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"plenum/device/control"
)

// line is the whole command line.
type line struct {
	Socket string `help:"The daemon's unix socket." default:"/run/plenum/plenumd.sock" type:"path"`
	JSON   bool   `help:"Print JSON." name:"json"`

	Status     statusCmd     `cmd:"" help:"How the daemon and the sitting are."`
	Devices    devicesCmd    `cmd:"" help:"Cameras, sound, desks, lines and the record: how each one does, and since when."`
	Selftest   selftestCmd   `cmd:"" help:"Try every device: go or no-go. Ends with 1 on no-go."`
	Health     healthCmd     `cmd:"" help:"What is wrong with the box and what to do about it. Ends with 1 when it is not good."`
	Vitals     vitalsCmd     `cmd:"" help:"How much memory, goroutines and files the daemon uses."`
	Open       openCmd       `cmd:"" help:"Open a sitting."`
	Close      closeCmd      `cmd:"" help:"Close the sitting."`
	AllClear   allClearCmd   `cmd:"" help:"End an alarm, even while a contact still reports it."`
	Speakers   speakersCmd   `cmd:"" help:"Who speaks and who waits."`
	Grant      grantCmd      `cmd:"" help:"Give the word."`
	Withdraw   withdrawCmd   `cmd:"" help:"Take the word."`
	Next       nextCmd       `cmd:"" help:"Call the next in the list."`
	Events     eventsCmd     `cmd:"" help:"What is decided."`
	Update     updateCmd     `cmd:"" help:"What a stick offers and what became of the last update; installs and restarts."`
	Setup      setupCmd      `cmd:"" help:"What a setup stick brings; takes it over."`
	Technician technicianCmd `cmd:"" help:"Technician mode, in which every USB device is let in: on, off, or how it is."`
	Diagnosis  diagnosisCmd  `cmd:"" help:"What was written onto a diagnosis stick (label PLENUM-DIAG)."`
	Reset      resetCmd      `cmd:"" help:"Factory reset: wipes people, keys and logs, and restarts the box."`
	OwnerPIN   ownerPINCmd   `cmd:"" name:"owner-pin" help:"Set or change the owner's PIN."`
	PIN        pinCmd        `cmd:"" name:"pin" help:"Set the chair's PIN, read from standard input."`
	Invite     inviteCmd     `cmd:"" help:"Make a personal link; an earlier one ends with it."`
	Revoke     revokeCmd     `cmd:"" help:"End a personal link and what is connected by it."`
	Demo       demoCmd       `cmd:"" help:"The virtual chamber of plenum-demo."`
}

// session is what a command works with.
type session struct {
	ctx  context.Context
	ctl  *control.Client
	json bool
	in   io.Reader
	out  io.Writer
	err  io.Writer // for questions and progress, so that out stays clean
}

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "plenumctl:", err)
		os.Exit(1)
	}
}

func run(args []string, in io.Reader, out, errOut io.Writer) error {
	var l line
	parser, err := kong.New(&l, kong.Name("plenumctl"), kong.Description("Talks to plenumd on this machine."),
		kong.Writers(out, errOut), kong.UsageOnError())
	if err != nil {
		return fmt.Errorf("the command line: %w", err)
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return parsed.Run(&session{ctx: ctx, ctl: control.Dial(l.Socket), json: l.JSON, in: in, out: out, err: errOut})
}

// print writes v as JSON when asked for, else what text writes.
func (s *session) print(v any, text func(io.Writer)) error {
	if !s.json {
		text(s.out)
		return nil
	}
	return json.NewEncoder(s.out).Encode(v)
}
