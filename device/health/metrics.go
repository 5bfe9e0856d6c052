package health

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ContentType of what WriteMetrics writes.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// Family is one metric with all its samples. Nothing in it tells of a person: no names, no seats.
type Family struct {
	Name    string // with its unit at the end, such as plenum_journal_commit_seconds
	Help    string
	Counter bool // it only grows; else it is a gauge
	Samples []Sample
}

// Sample is one value.
type Sample struct {
	Labels []Label
	Value  float64
}

// Label is one of what tells samples of a family apart.
type Label struct{ Name, Value string }

// Gatherer gives what it knows at the moment it is called.
type Gatherer func() []Family

var (
	metricName = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)
	labelName  = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
)

// WriteMetrics writes everything in Prometheus' text format 0.0.4
// (https://prometheus.io/docs/instrumenting/exposition_formats/). What does not fit the format, or was said already, is
// left out and stands in the error; the rest is written all the same.
func WriteMetrics(w io.Writer, gather ...Gatherer) error {
	var (
		out   bytes.Buffer
		errs  []error
		named = map[string]bool{}
	)
	for _, g := range gather {
		for _, f := range g() {
			if named[f.Name] || !metricName.MatchString(f.Name) {
				errs = append(errs, fmt.Errorf("the metric %q is given twice or has no good name", f.Name))
				continue
			}
			named[f.Name] = true
			if err := f.write(&out); err != nil {
				errs = append(errs, err)
			}
		}
	}
	_, err := w.Write(out.Bytes())
	return errors.Join(append(errs, err)...)
}

func (f Family) write(out *bytes.Buffer) error {
	var errs []error
	series := map[string]bool{}
	kind := "gauge"
	if f.Counter {
		kind = "counter"
	}
	for _, s := range f.Samples {
		text, err := s.series(f.Name)
		if err == nil && series[text] {
			err = fmt.Errorf("the series %s is given twice", text)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if len(series) == 0 {
			fmt.Fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", f.Name, escape(f.Help, false), f.Name, kind)
		}
		series[text] = true
		fmt.Fprintf(out, "%s %s\n", text, number(s.Value))
	}
	return errors.Join(errs...)
}

// series is the name with its labels, which stand in the order of their names: two samples with the same labels are the
// same series in whatever order they came.
func (s Sample) series(name string) (string, error) {
	if len(s.Labels) == 0 {
		return name, nil
	}
	labels := slices.SortedFunc(slices.Values(s.Labels), func(x, y Label) int { return strings.Compare(x.Name, y.Name) })
	var parts []string
	for i, l := range labels {
		if !labelName.MatchString(l.Name) || strings.HasPrefix(l.Name, "__") || i > 0 && labels[i-1].Name == l.Name {
			return "", fmt.Errorf("the metric %s has a label %q that is given twice or has no good name", name, l.Name)
		}
		parts = append(parts, l.Name+`="`+escape(l.Value, true)+`"`)
	}
	return name + "{" + strings.Join(parts, ",") + "}", nil
}

func escape(text string, quoted bool) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if quoted {
		return strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`).Replace(text)
	}
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(text)
}

func number(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "+Inf"
	case math.IsInf(v, -1):
		return "-Inf"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// Gauge is a family of one sample without labels.
func Gauge(name, help string, value float64) Family {
	return Family{Name: name, Help: help, Samples: []Sample{{Value: value}}}
}

// Counter is a family of one sample without labels that only grows; its name ends in _total.
func Counter(name, help string, value float64) Family {
	return Family{Name: name, Help: help, Counter: true, Samples: []Sample{{Value: value}}}
}

// OneOf are the samples of something that is in one of several states: 1 for the one it is in, 0 for all others.
func OneOf[T ~string](label string, current T, all []T, more ...Label) []Sample {
	var out []Sample
	for _, v := range all {
		s := Sample{Labels: append(slices.Clone(more), Label{label, string(v)})}
		if v == current {
			s.Value = 1
		}
		out = append(out, s)
	}
	return out
}
