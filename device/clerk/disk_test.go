package clerk

import (
	"database/sql"
	"path/filepath"
	"slices"
	"testing"

	"plenum/device/journal"
	"plenum/device/sitting"
)

// With the real journal: somebody else holds the database's lock, a technician's sqlite3 for instance.
func TestForeignLock(t *testing.T) {
	dir := t.TempDir()
	j, err := journal.Open(t.Context(), dir, sitting.RulesVersion)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	c, end := running(t, Options{Journal: j})
	opened(t, c)
	untilRecorded(c)
	other, err := sql.Open("sqlite", "file:"+filepath.Join(dir, journal.FileName)+"?_txlock=immediate&_busy_timeout=60000")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	lock, err := other.Begin()
	if err != nil {
		t.Fatal(err)
	}
	first := do(t, c, "", press("2"))
	last := do(t, c, "", press("3"))
	if first.Recorded || last.Recorded {
		t.Fatal(first, last)
	}
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	untilRecorded(c)
	gaps, err := j.Gaps(t.Context())
	if err != nil || !slices.ContainsFunc(gaps, func(g journal.Gap) bool { return g.First == first.Seq }) || gaps[len(gaps)-1].Last != last.Seq {
		t.Fatal(gaps, err)
	}
	before := c.Snapshot()
	if err := end(); err != nil {
		t.Fatal(err)
	}
	again, err := New(Options{Journal: j})
	if err != nil || fingerprint(again.Snapshot().State) != fingerprint(before.State) {
		t.Fatal(err)
	}
}

// untilRecorded waits until all is on the disk.
func untilRecorded(c *Clerk) {
	changes, stop := c.Watch()
	defer stop()
	for s := range changes {
		if s.Recorded {
			return
		}
	}
}
