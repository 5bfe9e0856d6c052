package clerk

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"plenum/device/journal"
	"plenum/device/sitting"
)

// onDisk opens a real journal.
func onDisk(b *testing.B, dir string) *journal.Journal {
	b.Helper()
	j, err := journal.Open(b.Context(), dir, sitting.RulesVersion)
	if err != nil {
		b.Fatal(err)
	}
	return j
}

// counted is a journal that counts its commits.
type counted struct {
	*journal.Journal
	mu      sync.Mutex
	commits int
}

func (j *counted) Append(ctx context.Context, rs []journal.Record) error {
	j.mu.Lock()
	j.commits++
	j.mu.Unlock()
	return j.Journal.Append(ctx, rs)
}

// BenchmarkDo: from the call of Do to its answer, the event on the disk, with n callers at once.
func BenchmarkDo(b *testing.B) {
	for _, n := range []int{1, 8, 200} {
		b.Run(fmt.Sprintf("callers=%d", n), func(b *testing.B) {
			j := &counted{Journal: onDisk(b, b.TempDir())}
			defer j.Close()
			c, end := running(b, Options{Journal: j})
			opened(b, c)
			before := j.commits
			took := make([]time.Duration, 0, b.N)
			var mu sync.Mutex
			var people sync.WaitGroup
			b.ResetTimer()
			for w := range n {
				people.Go(func() {
					name := fmt.Sprint("d", w)
					for i := range (b.N + n - 1 - w) / n {
						e := sitting.Event{Kind: sitting.KindDesk, By: box(), Desk: &sitting.Desk{Name: name, Reason: fmt.Sprint(i)}}
						start := time.Now()
						do(b, c, "", e)
						d := time.Since(start)
						mu.Lock()
						took = append(took, d)
						mu.Unlock()
					}
				})
			}
			people.Wait()
			b.StopTimer()
			slices.Sort(took)
			ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
			b.ReportMetric(ms(took[len(took)/2]), "p50-ms")
			b.ReportMetric(ms(took[len(took)*99/100]), "p99-ms")
			b.ReportMetric(ms(took[len(took)-1]), "max-ms")
			b.ReportMetric(float64(len(took))/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(len(took))/float64(j.commits-before), "events/commit")
			if err := end(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkRestart: open the journal and restore a sitting of 10,000 events. ns/op is the whole.
func BenchmarkRestart(b *testing.B) {
	const events = 10_000
	dir := b.TempDir()
	j := onDisk(b, dir)
	c, end := running(b, Options{Journal: j})
	opened(b, c)
	for c.Snapshot().Seq < events {
		_, _ = c.Do(b.Context(), fmt.Sprint("k", c.Snapshot().Seq), anything(rand.IntN))
	}
	if err := end(); err != nil {
		b.Fatal(err)
	}
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		j := onDisk(b, dir)
		c, err := New(Options{Journal: j})
		if err != nil || c.Replayed().Records != events {
			b.Fatal(err, c.Replayed())
		}
		if err := j.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
