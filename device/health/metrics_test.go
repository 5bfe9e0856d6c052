package health

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	nameLine  = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)
	labelPart = regexp.MustCompile(`^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"`)
)

// parse reads Prometheus' text format 0.0.4, and takes nothing that a strict reader might not: HELP, TYPE and samples of a
// family in one piece and in this order, no family or series twice, every escape a known one, a line feed at the end.
func parse(text string) (map[string]float64, error) {
	values := map[string]float64{}
	seen := map[string]bool{}
	family, typed, samples := "", false, 0
	if text != "" && !strings.HasSuffix(text, "\n") {
		return nil, errors.New("no line feed at the end")
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if help, ok := strings.CutPrefix(line, "# HELP "); ok {
			name, said, _ := strings.Cut(help, " ")
			if family != "" && samples == 0 || seen[name] || !nameLine.MatchString(name) || said == "" {
				return nil, fmt.Errorf("%q: a family twice, without samples or without a name", line)
			}
			seen[name], family, typed, samples = true, name, false, 0
			continue
		}
		if kind, ok := strings.CutPrefix(line, "# TYPE "); ok {
			counter := kind == family+" counter" && strings.HasSuffix(family, "_total")
			if typed || samples > 0 || !counter && (kind != family+" gauge" || strings.HasSuffix(family, "_total")) {
				return nil, fmt.Errorf("%q: not the type of %s", line, family)
			}
			typed = true
			continue
		}
		series, value, err := parseSample(line)
		if err != nil {
			return nil, err
		}
		if name, _, _ := strings.Cut(series, "{"); name != family || !typed {
			return nil, fmt.Errorf("%q stands under %q", line, family)
		}
		if _, twice := values[series]; twice {
			return nil, fmt.Errorf("%q: the series is there twice", line)
		}
		samples++
		values[series] = value
	}
	return values, nil
}

// parseSample gives the series with its labels unescaped and sorted.
func parseSample(line string) (string, float64, error) {
	end := strings.IndexAny(line, "{ ")
	if end < 0 || !nameLine.MatchString(line[:end]) {
		return "", 0, fmt.Errorf("%q: no name", line)
	}
	name, rest := line[:end], line[end:]
	labels := map[string]string{}
	if inner, ok := strings.CutPrefix(rest, "{"); ok {
		for {
			m := labelPart.FindStringSubmatch(inner)
			if m == nil {
				return "", 0, fmt.Errorf("%q: no label at %q", line, inner)
			}
			if _, twice := labels[m[1]]; twice {
				return "", 0, fmt.Errorf("%q: the label %s is there twice", line, m[1])
			}
			labels[m[1]] = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n").Replace(m[2])
			inner = inner[len(m[0]):]
			if after, done := strings.CutPrefix(inner, "}"); done {
				rest = after
				break
			}
			if inner, ok = strings.CutPrefix(inner, ","); !ok {
				return "", 0, fmt.Errorf("%q: no comma", line)
			}
		}
	}
	number, ok := strings.CutPrefix(rest, " ")
	value, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil {
		return "", 0, fmt.Errorf("%q: no value", line)
	}
	series := name
	for i, l := range slices.Sorted(maps.Keys(labels)) {
		series += string("{,"[min(i, 1)]) + l + "=" + labels[l]
	}
	return series, value, nil
}

func scrape(t *testing.T, gather ...Gatherer) map[string]float64 {
	t.Helper()
	var out strings.Builder
	if err := WriteMetrics(&out, gather...); err != nil {
		t.Error(err)
	}
	values, err := parse(out.String())
	if err != nil {
		t.Fatalf("%v in\n%s", err, &out)
	}
	return values
}

func TestMetrics(t *testing.T) {
	b, c := NewBoard(nil), NewConditions(nil)
	b.Set(b.Add(Camera, `To"ta\le`+"\n", "usb:4F2A01", true), Live, "", "")
	c.Set(DiskFull, "", "")
	c.Set("teapot", "", "")
	c.Set(RecordFailed, "a", "Anna")
	c.Set(RecordFailed, "b", "")
	sat := Figures{Phase: "open", Phases: []string{"ready", "open", "closed"}, Speakers: 2, Requests: 3, Remote: 4, Seq: 17, Recorded: true, Commit: 3 * time.Millisecond}
	got := scrape(t, c.Gather, b.Gather, Process(time.Now().Add(-time.Minute)), Sitting(func() Figures { return sat }))
	for series, want := range map[string]float64{
		"plenum_condition{code=disk-full,severity=critical":            1,
		"plenum_condition{code=record-failed,severity=critical":        2,
		"plenum_condition{code=bus-gone,severity=error":                0,
		"plenum_condition{code=teapot,severity=error":                  1,
		"plenum_device_state{kind=camera,name=To\"ta\\le\n,state=live": 1,
		"plenum_device_state{kind=camera,name=To\"ta\\le\n,state=lost": 0,
		"plenum_device_required{kind=camera,name=To\"ta\\le\n":         1,
		"plenum_sitting_phase{phase=open":                              1,
		"plenum_sitting_phase{phase=ready":                             0,
		"plenum_sitting_speakers":                                      2,
		"plenum_sitting_requests":                                      3,
		"plenum_remote_members":                                        4,
		"plenum_journal_recorded":                                      1,
		"plenum_journal_records_total":                                 17,
		"plenum_journal_commit_seconds":                                0.003,
	} {
		if v, ok := got[series]; !ok || v != want {
			t.Errorf("%s is %v (there: %v), want %v", series, v, ok, want)
		}
	}
	for _, series := range []string{"plenum_goroutines", "plenum_heap_bytes", "plenum_memory_bytes", "plenum_open_files"} {
		if got[series] <= 0 {
			t.Errorf("%s is %v", series, got[series])
		}
	}
	if up := got["plenum_uptime_seconds"]; up < 60 {
		t.Errorf("up for %v s", up)
	}
	for series := range got {
		if strings.Contains(series, "Anna") || strings.Contains(series, "4F2A01") {
			t.Errorf("%s tells too much", series)
		}
	}
	if n := len(c.All()); strings.Count(strings.Join(slices.Collect(maps.Keys(got)), "\n"), "plenum_condition{") != n+1 {
		t.Error("not every code has a series")
	}
	sat.Commit = -1
	if _, ok := scrape(t, Sitting(func() Figures { return sat }))["plenum_journal_commit_seconds"]; ok {
		t.Error("an unknown commit time is told")
	}
}

// What does not fit is left out and said; the rest is there.
func TestMetricsThatDoNotFit(t *testing.T) {
	ok := Gauge("plenum_ok", "Fine.", math.Inf(1))
	for _, tt := range []struct {
		name string
		f    []Family
		want map[string]float64
	}{
		{"a name of two words", []Family{Gauge("plenum ok", "Help.", 1), ok}, map[string]float64{"plenum_ok": math.Inf(1)}},
		{"a family twice", []Family{ok, ok}, map[string]float64{"plenum_ok": math.Inf(1)}},
		{"a series twice", []Family{{Name: "x", Help: "Help.", Samples: []Sample{{[]Label{{"a", "1"}, {"b", "2"}}, 1}, {[]Label{{"b", "2"}, {"a", "1"}}, 2}}}}, map[string]float64{"x{a=1,b=2": 1}},
		{"a label twice", []Family{{Name: "x", Help: "Help.", Samples: []Sample{{Value: 3}, {[]Label{{"a", "1"}, {"a", "2"}}, 1}}}}, map[string]float64{"x": 3}},
		{"a label with a bad name", []Family{{Name: "x", Help: "Help.", Samples: []Sample{{[]Label{{"__a", "1"}}, 1}, {[]Label{{"a-b", "1"}}, 1}, {Value: -2}}}}, map[string]float64{"x": -2}},
		{"no sample that fits", []Family{{Name: "x", Help: "Help.", Samples: []Sample{{[]Label{{"a-b", "1"}}, 1}}}, ok}, map[string]float64{"plenum_ok": math.Inf(1)}},
	} {
		var out strings.Builder
		if err := WriteMetrics(&out, func() []Family { return tt.f }); err == nil {
			t.Errorf("%s: no error", tt.name)
		}
		got, err := parse(out.String())
		if d := cmp.Diff(tt.want, got); err != nil || d != "" {
			t.Errorf("%s: %v %s\n%s", tt.name, err, d, &out)
		}
	}
	if got := scrape(t, func() []Family { return []Family{{Name: "x", Help: "None yet."}} }); len(got) > 0 {
		t.Errorf("a family without samples: %v", got)
	}
	if got := scrape(t, func() []Family { return []Family{Gauge("x", "Help\nof two\\lines.", math.NaN())} }); !math.IsNaN(got["x"]) {
		t.Errorf("%v", got)
	}
}

func TestStrictParser(t *testing.T) {
	for _, text := range []string{
		"x 1\n", "# HELP x y\nx 1\n", "# HELP x y\n# TYPE x gauge\nx 1", "# HELP x y\n# TYPE x gauge\ny 1\n", "# HELP x y\n# TYPE x counter\nx 1\n",
		"# HELP x y\n# TYPE x gauge\nx 1\nx 1\n", "# HELP x y\n# TYPE x gauge\nx{a=\"\\t\"} 1\n", "# HELP x y\n# TYPE x gauge\nx{a=\"1\",} 1\n",
		"# HELP x y\n# TYPE x gauge\nx{a=\"1\"}  1\n", "# HELP x y\n# TYPE x gauge\n# HELP z y\n# TYPE z gauge\nz 1\n",
	} {
		if got, err := parse(text); err == nil {
			t.Errorf("%q is taken as %v", text, got)
		}
	}
}

func FuzzMetrics(f *testing.F) {
	f.Add("name", "label", "va\"l\\ue\n", "help\\\n", 1.5)
	f.Add("na me", "__x", "\xff", "", math.Inf(-1))
	f.Fuzz(func(t *testing.T, name, label, value, help string, v float64) {
		var out strings.Builder
		err := WriteMetrics(&out, func() []Family { return []Family{{name, "h" + help, false, []Sample{{[]Label{{label, value}}, v}}}} })
		got, bad := parse(out.String())
		if strings.HasSuffix(name, "_total") {
			return // a gauge by the name of a counter is the caller's fault
		}
		if bad != nil {
			t.Fatalf("%v in %q", bad, &out)
		}
		read, there := got[name+"{"+label+"="+strings.ToValidUTF8(value, "\uFFFD")]
		if there != (err == nil) || there && read != v && !math.IsNaN(v) {
			t.Fatalf("%v became %v (there: %v, %v) in %q", v, read, there, err, &out)
		}
	})
}
