package health

import (
	"os"
	"runtime"
	"slices"
	"time"
)

// Gather tells for each code how often it is shown now; 0 too, so that an alarm rule has something to look at.
func (c *Conditions) Gather() []Family {
	shown := map[string]int{}
	all := c.All()
	for _, v := range c.List() {
		shown[v.Code]++
		if !slices.ContainsFunc(all, func(d Definition) bool { return d.Code == v.Code }) {
			all = append(all, Definition{Code: v.Code, Severity: v.Severity})
		}
	}
	f := Family{Name: "plenum_condition", Help: "Conditions shown now, by code."}
	for _, d := range all {
		f.Samples = append(f.Samples, Sample{[]Label{{"code", d.Code}, {"severity", string(d.Severity)}}, float64(shown[d.Code])})
	}
	return []Family{f}
}

// Gather tells how each device does.
func (b *Board) Gather() []Family {
	f := Family{Name: "plenum_device_state", Help: "1 for the state a device is in."}
	need := Family{Name: "plenum_device_required", Help: "1 when a sitting does not open without the device."}
	for _, it := range b.List() {
		who := []Label{{"kind", string(it.Kind)}, {"name", it.Name}}
		f.Samples = append(f.Samples, OneOf("state", it.State, []State{Starting, Live, Degraded, Lost}, who...)...)
		s := Sample{Labels: who}
		if it.Required {
			s.Value = 1
		}
		need.Samples = append(need.Samples, s)
	}
	return []Family{f, need}
}

// Process tells what grows when something leaks, of a process that began then.
func Process(began time.Time) Gatherer {
	return func() []Family {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		out := []Family{
			Gauge("plenum_uptime_seconds", "Since the daemon began.", time.Since(began).Seconds()),
			Gauge("plenum_goroutines", "Goroutines.", float64(runtime.NumGoroutine())),
			Gauge("plenum_heap_bytes", "In use on Go's heap.", float64(m.HeapInuse)),
			Gauge("plenum_memory_bytes", "That Go has from the system; what C code has is not in it.", float64(m.Sys-m.HeapReleased)),
			Counter("plenum_gc_cycles_total", "Garbage collections.", float64(m.NumGC)),
		}
		if files, err := os.ReadDir("/proc/self/fd"); err == nil { // without /proc there is nothing to tell
			out = append(out, Gauge("plenum_open_files", "Open file descriptors.", float64(len(files))))
		}
		return out
	}
}

// Figures are what is told of a sitting: numbers only.
type Figures struct {
	Phase    string
	Phases   []string // all there are
	Speakers int      // who have the word
	Requests int      // who wait
	Remote   int      // members who take part remotely now
	Seq      uint64   // of the last record of the journal
	Recorded bool
	Commit   time.Duration // of the last commit; negative: not known
}

// Sitting tells of the sitting what figures gives.
func Sitting(figures func() Figures) Gatherer {
	return func() []Family {
		f := figures()
		recorded := 0.0
		if f.Recorded {
			recorded = 1
		}
		out := []Family{
			{Name: "plenum_sitting_phase", Help: "1 for the phase the sitting is in.", Samples: OneOf("phase", f.Phase, f.Phases)},
			Gauge("plenum_sitting_speakers", "People who have the word.", float64(f.Speakers)),
			Gauge("plenum_sitting_requests", "People in the list.", float64(f.Requests)),
			Gauge("plenum_remote_members", "Members who take part remotely now.", float64(f.Remote)),
			Gauge("plenum_journal_recorded", "1 while the sitting is being recorded.", recorded),
			Counter("plenum_journal_records_total", "Number of the journal's last record.", float64(f.Seq)),
		}
		if f.Commit >= 0 {
			out = append(out, Gauge("plenum_journal_commit_seconds", "How long the journal's last commit took.", f.Commit.Seconds()))
		}
		return out
	}
}
