package journal

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkAppend: fsynced commits of n records. ns/op is one commit.
func BenchmarkAppend(b *testing.B) {
	for _, n := range []uint64{1, 8, 64, 256} {
		b.Run(fmt.Sprintf("records=%d", n), func(b *testing.B) {
			j := open(b, b.TempDir())
			next := uint64(1)
			for b.Loop() {
				appended(b, j, numbered(next, next+n-1))
				next += n
			}
			b.ReportMetric(float64(next-1)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(float64(b.Elapsed())/float64(time.Millisecond)/float64(b.N), "ms/commit")
		})
	}
}

// BenchmarkReplay: 10,000 records, chain checked. ns/op is the whole.
func BenchmarkReplay(b *testing.B) {
	j := open(b, b.TempDir())
	appended(b, j, numbered(1, 10_000))
	for b.Loop() {
		if err := j.Replay(b.Context(), nil); err != nil {
			b.Fatal(err)
		}
	}
}
