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

	"plenum/device/health"
)

type healthCmd struct {
	Boot    bool          `help:"Judge this boot: whether it is to be kept."`
	Wait    time.Duration `help:"Ask until it is good, for at most so long; a daemon that is not up yet is waited for." placeholder:"2m"`
	Metrics bool          `help:"Print the metrics in Prometheus' text format instead."`
}

const (
	askEvery = 500 * time.Millisecond
	askTime  = 5 * time.Second // a daemon that hangs is asked again
)

// errNotGood ends a judgement; what speaks against the box has been printed.
var errNotGood = errors.New("not good")

// Run prints how the box is. Its error is that it is not good.
func (c healthCmd) Run(s *session) error {
	if c.Metrics {
		text, err := s.ctl.Metrics(s.ctx)
		if err != nil {
			return err
		}
		_, err = io.WriteString(s.out, text)
		return err
	}
	j, err := c.judge(s)
	if err != nil {
		return err
	}
	err = s.print(j, func(w io.Writer) { printHealth(w, j, speaks(os.Getenv)) })
	if err == nil && !j.Good {
		return errNotGood
	}
	return err
}

// judge asks until it is good or the time is over. It returns the last that is known: an answer, or why there is none.
func (c healthCmd) judge(s *session) (health.Judgement, error) {
	late := time.After(c.Wait) // at once without waiting
	for {
		ctx, cancel := context.WithTimeout(s.ctx, askTime)
		j, err := s.ctl.Health(ctx, c.Boot)
		cancel()
		if err == nil && j.Good || c.Wait <= 0 {
			return j, err
		}
		select {
		case <-s.ctx.Done():
			return j, err
		case <-late:
			return j, err
		case <-time.After(askEvery):
		}
	}
}

// speaks tells which language the environment asks for: German where it does not ask for English, as LC_ALL, LC_MESSAGES
// and LANG say it (POSIX.1-2024, 8.2).
func speaks(env func(string) string) (german bool) {
	asked := cmp.Or(env("LC_ALL"), env("LC_MESSAGES"), env("LANG"))
	return !strings.HasPrefix(asked, "en")
}

func printHealth(w io.Writer, j health.Judgement, german bool) {
	said := func(de, en string) string {
		if german {
			return de
		}
		return en
	}
	for _, c := range j.Conditions {
		what := c.Code
		if c.Subject != "" {
			what += " " + c.Subject
		}
		fmt.Fprintf(w, "%s: %s\n  %s\n", severity(c.Severity, german), what, said(c.DE, c.EN))
		if c.Detail != "" {
			fmt.Fprintf(w, "  %s\n", c.Detail)
		}
		fmt.Fprintf(w, "  %s %s\n", said("seit", "since"), c.Since.Local().Format("2006-01-02 15:04:05"))
	}
	if len(j.Pending) > 0 {
		fmt.Fprintf(w, "%s: %s\n", said("noch nicht bekannt", "not known yet"), strings.Join(j.Pending, ", "))
	}
	if j.Good {
		fmt.Fprintln(w, said("GUT", "GOOD"))
	} else {
		fmt.Fprintln(w, said("NICHT GUT", "NOT GOOD"))
	}
}

// severity is how a condition's weight is printed.
func severity(s health.Severity, german bool) string {
	if !german {
		return strings.ToUpper(string(s))
	}
	known := map[health.Severity]string{health.Info: "HINWEIS", health.Warning: "WARNUNG", health.Error: "FEHLER", health.Critical: "KRITISCH"}
	return cmp.Or(known[s], strings.ToUpper(string(s)))
}
