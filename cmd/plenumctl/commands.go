package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"
	"time"

	"plenum/device/clerk"
	"plenum/device/control"
)

type statusCmd struct{}

// Run prints how everything stands.
func (statusCmd) Run(s *session) error {
	st, err := s.ctl.Status(s.ctx)
	if err != nil {
		return err
	}
	return s.print(st, func(w io.Writer) {
		fmt.Fprintf(w, "plenumd %s: %s, %s, limit %d, mode %s, event %d\n", st.Version, st.Body, st.Phase, st.Limit, st.Mode, st.Seq)
		if !st.Recorded {
			fmt.Fprintln(w, "NOT BEING RECORDED: the journal cannot be written; look at the disk and the log")
		}
		if !st.PIN {
			fmt.Fprintln(w, "no PIN for the chair yet: plenumctl pin")
		}
		printHouse(w, st)
		for _, d := range st.Desks {
			fmt.Fprintf(w, "desk %s: %s %s\n", d.Name, d.Link, d.Reason)
		}
		for _, f := range st.Faults {
			fmt.Fprintf(w, "seat %s: the microphone did not do it (on: %v): %s\n", f.Seat, f.On, f.Reason)
		}
		for _, p := range st.People {
			fmt.Fprintf(w, "%-28s %-8s %s\n", p.Name, p.Role, p.Presence)
		}
	})
}

type speakersCmd struct{}

// Run prints the list.
func (speakersCmd) Run(s *session) error {
	l, err := s.ctl.Speakers(s.ctx)
	if err != nil {
		return err
	}
	return s.print(l, func(out io.Writer) {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		defer w.Flush()
		for _, sp := range l.Speakers {
			fmt.Fprintf(w, "speaks\t%s\t%s\t%s\t%s\n", sp.Name, place(string(sp.Seat), string(sp.Origin)), sp.Since.Local().Format(time.TimeOnly), sp.Mic)
		}
		for i, r := range l.Requests {
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t\n", i+1, r.Name, place(string(r.Seat), string(r.Origin)), r.At.Local().Format("15:04:05.000"))
		}
		if len(l.Speakers)+len(l.Requests) == 0 {
			fmt.Fprintln(w, "nobody speaks, nobody waits")
		}
	})
}

func place(seat, origin string) string {
	if seat != "" {
		return "seat " + seat
	}
	return origin
}

type grantCmd struct {
	Who string `arg:"" help:"Name, part of a name, seat or id."`
}

// Run gives the word.
func (c grantCmd) Run(s *session) error {
	d, err := s.ctl.Grant(s.ctx, c.Who)
	return s.done("has the word", d, err)
}

type withdrawCmd struct {
	Who string `arg:"" help:"Name, part of a name, seat or id."`
}

// Run takes the word.
func (c withdrawCmd) Run(s *session) error {
	d, err := s.ctl.Withdraw(s.ctx, c.Who)
	return s.done("no longer has the word", d, err)
}

type nextCmd struct{}

// Run calls the next in the list.
func (nextCmd) Run(s *session) error {
	d, err := s.ctl.Next(s.ctx)
	return s.done("has the word", d, err)
}

func (s *session) done(what string, d control.Done, err error) error {
	if err != nil {
		return err
	}
	return s.print(d, func(w io.Writer) { fmt.Fprintf(w, "%s %s (event %d)\n", d.Name, what, d.Seq) })
}

type eventsCmd struct {
	Follow bool `help:"Print every event from now on, until interrupted." required:""`
}

// Run prints events as they are decided, one a line.
func (c eventsCmd) Run(s *session) error {
	err := s.ctl.Follow(s.ctx, func(e clerk.Entry) error {
		return s.print(e, func(w io.Writer) {
			ev := e.Event
			fmt.Fprintf(w, "%d  %s  %-9s %s%s %s", e.Seq, e.At.Local().Format("15:04:05.000"), ev.Kind, ev.Person, ev.Seat, ev.By.Role)
			for _, f := range e.Effects {
				b, _ := json.Marshal(f)
				fmt.Fprintf(w, "  %s", b)
			}
			fmt.Fprintln(w)
		})
	})
	if s.ctx.Err() != nil { // interrupted, as asked
		return nil
	}
	return err
}

type pinCmd struct{}

// Run sets the chair's PIN. It comes by standard input, so that it stands in no shell history and no process list, and
// a terminal does not show it.
func (pinCmd) Run(s *session) error {
	pin, err := s.readPIN()
	if err != nil {
		return fmt.Errorf("reading the PIN: %w", err)
	}
	if err := s.ctl.SetPIN(s.ctx, pin); err != nil {
		return err
	}
	return s.print(struct{}{}, func(w io.Writer) {
		fmt.Fprintln(w, "The PIN is set; whoever led by the old one has to enter the new one.")
	})
}

// readPIN takes the chair's PIN from the terminal, or from standard input where there is none.
func (s *session) readPIN() (string, error) {
	if s.terminal() == nil {
		return s.readLine()
	}
	return s.askSecret("New PIN for the chair (6 to 32 digits): ")
}

type inviteCmd struct {
	Who string `arg:"" help:"Name, part of a name or id; \"screen\" for the hall screen."`
}

// Run makes a link.
func (c inviteCmd) Run(s *session) error {
	i, err := s.ctl.Invite(s.ctx, c.Who)
	if err != nil {
		return err
	}
	return s.print(i, func(w io.Writer) {
		fmt.Fprintf(w, "%s\n%s\nGood until %s. Send it to this person only.\n", i.Name, i.Link, i.Expires.Local().Format("2006-01-02 15:04"))
	})
}

type revokeCmd struct {
	Who string `arg:"" help:"Name, part of a name or id; \"screen\" for the hall screens."`
}

// Run ends a link.
func (c revokeCmd) Run(s *session) error {
	d, err := s.ctl.Revoke(s.ctx, c.Who)
	if err != nil {
		return err
	}
	return s.print(d, func(w io.Writer) { fmt.Fprintf(w, "The link of %s has ended.\n", d.Name) })
}

type demoCmd struct {
	Press pressCmd `cmd:"" help:"Press the key of a virtual desk."`
}

type pressCmd struct {
	Seat string `arg:"" help:"Seat of the desk."`
}

// Run presses a desk of plenum-demo.
func (c pressCmd) Run(s *session) error {
	return s.ctl.Call(s.ctx, http.MethodPost, "/demo/press", map[string]string{"seat": c.Seat}, nil)
}
