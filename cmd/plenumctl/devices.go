package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"plenum/device/control"
	"plenum/device/health"
)

type devicesCmd struct{}

// Run prints what is known of all devices.
func (devicesCmd) Run(s *session) error {
	list, err := s.ctl.Devices(s.ctx)
	if err != nil {
		return err
	}
	return s.print(list, func(out io.Writer) {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		defer w.Flush()
		for _, d := range list.Devices {
			need := ""
			if d.Required {
				need = "required"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\tsince %s\n", d.State, d.Kind, d.Name, d.Device, need, told(d), d.Since.Local().Format("2006-01-02 15:04:05"))
		}
		if len(list.Devices) == 0 {
			fmt.Fprintln(w, "the configuration names no devices")
		}
	})
}

// told is what a device runs at and what is wrong with it.
func told(d health.Item) string {
	if d.Mode != "" && d.Reason != "" {
		return d.Mode + ", but " + d.Reason
	}
	return cmp.Or(d.Reason, d.Mode)
}

type selftestCmd struct{}

// errNoGo ends a self-test that found something.
var errNoGo = errors.New("no-go: a sitting cannot count on what is marked so")

// Run tries everything. Its error is that it is no go.
func (selftestCmd) Run(s *session) error {
	report, err := s.ctl.SelfTest(s.ctx)
	if err != nil {
		return err
	}
	err = s.print(report, func(out io.Writer) {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		for _, c := range report.Checks {
			fmt.Fprintf(w, "%s\t%s\t%s\n", mark(c), c.ID, c.EN)
		}
		w.Flush()
		if report.Go {
			fmt.Fprintln(out, "GO")
		}
	})
	if err == nil && !report.Go {
		return errNoGo
	}
	return err
}

// mark is the verdict on one line.
func mark(c health.Check) string {
	switch {
	case c.OK:
		return "GO"
	case c.Left:
		return "left out"
	case c.Required:
		return "NO-GO"
	}
	return "bad, not required"
}

type vitalsCmd struct{}

// Run prints what grows when something leaks.
func (vitalsCmd) Run(s *session) error {
	v, err := s.ctl.Vitals(s.ctx)
	if err != nil {
		return err
	}
	return s.print(v, func(w io.Writer) {
		fmt.Fprintf(w, "pid %d, up %s\n%d goroutines, %d open files, %d KiB on the heap, %d KiB from the system\n",
			v.PID, v.Uptime.Round(time.Second), v.Goroutines, v.Files, v.Heap>>10, v.Resident>>10)
	})
}

type openCmd struct {
	Override []string `help:"Id of a required device that may be red, such as camera/Totale. Can be given again." placeholder:"ID" sep:"none"`
}

// Run opens a sitting.
func (c openCmd) Run(s *session) error {
	d, err := s.ctl.OpenSitting(s.ctx, c.Override...)
	return s.decided("The sitting is open", d, err)
}

type closeCmd struct{}

// Run closes the sitting.
func (closeCmd) Run(s *session) error {
	d, err := s.ctl.CloseSitting(s.ctx)
	return s.decided("The sitting is closed", d, err)
}

type allClearCmd struct{}

// Run ends the alarm.
func (allClearCmd) Run(s *session) error {
	d, err := s.ctl.AllClear(s.ctx)
	return s.decided("The alarm has ended", d, err)
}

func (s *session) decided(what string, d control.Done, err error) error {
	if err != nil {
		return err
	}
	return s.print(d, func(w io.Writer) { fmt.Fprintf(w, "%s (event %d)\n", what, d.Seq) })
}

// printHouse prints what of the house must not be overlooked: the alarm, and what is red.
func printHouse(w io.Writer, st control.Status) {
	if a := st.Alarm; a != nil {
		fmt.Fprintf(w, "ALARM since %s: %s\n", a.Since.Local().Format("15:04:05"), a.Reason)
		if a.Over {
			fmt.Fprintln(w, "no contact reports it any more: plenumctl all-clear")
		}
	}
	for _, it := range st.Items {
		switch {
		case it.Red && it.Required:
			fmt.Fprintf(w, "RED %s, required: %s\n", it.ID, it.Reason)
		case it.Red:
			fmt.Fprintf(w, "red %s: %s\n", it.ID, it.Reason)
		}
	}
	for _, o := range st.Overrides {
		fmt.Fprintf(w, "opened in spite of %s (%s), by %s\n", o.Item, o.Reason, cmp.Or(string(o.By.Person), string(o.By.Role)))
	}
}
