//go:debug fips140=on

// Package bench measures what people wait for and what the box pays for it: from a pressed key to the open microphone,
// from the word to the first packet and back, processor time for each forwarded packet. Every figure stands beside a
// limit, or beside what somebody would take instead, measured in the same run; nothing here passes or fails by time.
//
// The measured side runs in a process of its own, as it does on the box: this binary starts itself again in a role.
package bench

import (
	"os"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		if role == cameraRole {
			os.Exit(playCamera(os.Args[1]))
		}
		os.Exit(play(role))
	}
	goleak.VerifyTestMain(m)
}

// series is a set of times of the same thing.
type series []time.Duration

func (s *series) add(d time.Duration) { *s = append(*s, d) }

// at gives the time below which the share q of all lies.
func (s series) at(q float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[min(int(q*float64(len(s))), len(s)-1)]
}

func (s series) median() time.Duration { return s.at(0.5) }

// report gives median and 99th percentile in microseconds and how many times were measured. With fewer than 100 the
// 99th percentile is the largest.
func (s series) report(b *testing.B, name string) {
	b.Helper()
	b.ReportMetric(micros(s.median()), name+"p50-us")
	b.ReportMetric(micros(s.at(0.99)), name+"p99-us")
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// onlyOurs drops the time of a whole iteration, which holds the limits and the pauses as well.
func onlyOurs(b *testing.B) {
	b.Helper()
	b.ReportMetric(0, "ns/op")
}

// within waits for something another process does.
func within(b *testing.B, limit time.Duration, what string, ok func() bool) {
	b.Helper()
	for end := time.Now().Add(limit); !ok(); {
		if time.Now().After(end) {
			b.Fatalf("not within %v: %s", limit, what)
		}
		time.Sleep(200 * time.Microsecond)
	}
}
