package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

const rules = 3

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, dir string) *Journal {
	t.Helper()
	j, err := Open(context.Background(), dir, rules)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

// numbered makes records first to last, ten to a sitting.
func numbered(first, last uint64) []Record {
	var rs []Record
	for n := first; n <= last; n++ {
		rs = append(rs, Record{
			Seq: n, Sitting: 1 + (n-1)/10, Body: "Rat", At: time.Unix(1_800_000_000, int64(n)).UTC(), Key: fmt.Sprint("k", n),
			Rules: rules, Event: fmt.Appendf(nil, `{"kind":"request","person":"p%d"}`, n), Effects: []byte("[]"),
		})
	}
	return rs
}

func appended(t testing.TB, j *Journal, rs []Record) []Record {
	t.Helper()
	if err := j.Append(context.Background(), rs); err != nil {
		t.Fatal(err)
	}
	return rs
}

func read(j *Journal) (rs []Record, err error) {
	err = j.Replay(context.Background(), func(r Record) error {
		rs = append(rs, r)
		return nil
	})
	return rs, err
}

// want compares what a journal holds, its bodies aside: those go to the table of sittings.
func want(t *testing.T, j *Journal, rs []Record) {
	t.Helper()
	got, err := read(j)
	if err != nil {
		t.Fatal(err)
	}
	var bare []Record
	for _, r := range rs {
		r.Body = ""
		bare = append(bare, r)
	}
	if d := cmp.Diff(bare, got); d != "" {
		t.Fatal(d)
	}
}

func TestRoundTrip(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	j := open(t, dir)
	want(t, j, nil)
	if last, number, first, err := j.Head(t.Context()); err != nil || last+number+first != 0 {
		t.Fatal(last, number, first, err)
	}
	rs := appended(t, j, numbered(1, 7))
	rs = append(rs, appended(t, j, numbered(8, 25))...)
	want(t, j, rs)
	gaps := []Gap{
		{First: 3, Last: 5, From: time.Unix(5, 1).UTC(), Until: time.Unix(6, 2).UTC(), Reason: "disk full"},
		{First: 9, Last: 8, From: time.Unix(7, 0).UTC(), Reason: "slow"},
	}
	for _, g := range gaps {
		if err := j.Note(t.Context(), g); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}

	j = open(t, dir)
	want(t, j, rs)
	if last, number, first, err := j.Head(t.Context()); err != nil || last != 25 || number != 3 || first != 21 {
		t.Fatal(last, number, first, err)
	}
	got, err := j.Gaps(t.Context())
	if d := cmp.Diff(gaps, got); err != nil || d != "" {
		t.Fatal(err, d)
	}
	sittings, err := j.Sittings(t.Context())
	if d := cmp.Diff([]Sitting{{1, rs[0].At, "Rat"}, {2, rs[10].At, "Rat"}, {3, rs[20].At, "Rat"}}, sittings); err != nil || d != "" {
		t.Fatal(err, d)
	}
	var tail []uint64
	err = j.ReplayFrom(t.Context(), 24, func(r Record) error { tail = append(tail, r.Seq); return nil })
	if d := cmp.Diff([]uint64{24, 25}, tail); err != nil || d != "" {
		t.Fatal(err, d)
	}
	if err := j.ReplayFrom(t.Context(), 27, nil); !errors.Is(err, ErrChain) {
		t.Fatal("replay from beyond the end:", err)
	}
	stop := errors.New("stop")
	if err := j.Replay(t.Context(), func(Record) error { return stop }); !errors.Is(err, stop) {
		t.Fatal(err)
	}
}

func TestFileModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	j := open(t, dir)
	appended(t, j, numbered(1, 1))
	n := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o600)
		if d.IsDir() {
			mode = 0o700
		}
		if info.Mode().Perm() != mode {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		n++
		return nil
	})
	if err != nil || n != 4 {
		t.Fatal(n, err)
	}
}

func TestOneDaemonOnly(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	if _, err := Open(t.Context(), dir, rules); !errors.Is(err, ErrInUse) {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
}

func TestAppendRefusesWhatDoesNotFollow(t *testing.T) {
	j := open(t, t.TempDir())
	rs := appended(t, j, numbered(1, 12))
	other := numbered(12, 13)
	other[0].Event = []byte(`{"kind":"grant"}`)
	back := numbered(13, 13)
	back[0].Sitting = 1
	ahead := numbered(13, 13)
	ahead[0].Sitting = 4
	for name, batch := range map[string][]Record{"hole": numbered(14, 14), "other record": other, "older sitting": back, "sitting left out": ahead} {
		if err := j.Append(t.Context(), batch); !errors.Is(err, ErrChain) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What is known already is taken as said, for its end may not have been heard.
	rs = append(rs, appended(t, j, numbered(10, 14))[3:]...)
	appended(t, j, numbered(10, 14))
	want(t, j, rs)
}

func TestAppendIsAllOrNothing(t *testing.T) {
	j := open(t, t.TempDir())
	rs := appended(t, j, numbered(1, 3))
	batch := numbered(4, 6)
	batch[2].Seq = 9
	if err := j.Append(t.Context(), batch); !errors.Is(err, ErrChain) {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := j.Append(gone, numbered(4, 6)); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	want(t, j, rs)
	want(t, j, append(rs, appended(t, j, numbered(4, 6))...))
}

// A full disk is reported, and when there is room again the same records go in.
func TestDiskFull(t *testing.T) {
	j := open(t, t.TempDir())
	pages := func(n int) {
		t.Helper()
		if _, err := j.write.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", n)); err != nil {
			t.Fatal(err)
		}
	}
	pages(1)
	var rs []Record
	var full error
	for n := uint64(1); n <= 5000 && full == nil; n++ {
		batch := numbered(n, n)
		if full = j.Append(t.Context(), batch); full == nil {
			rs = append(rs, batch...)
		}
	}
	if full == nil || errors.Is(full, ErrCorrupt) {
		t.Fatal("a full disk gives:", full)
	}
	want(t, j, rs)
	pages(1 << 20)
	n := uint64(len(rs)) + 1
	want(t, j, append(rs, appended(t, j, numbered(n, n))...))
}

func TestAppendOnly(t *testing.T) {
	j := open(t, t.TempDir())
	appended(t, j, numbered(1, 3))
	for _, q := range []string{"DELETE FROM events", "UPDATE events SET key = ''", "DELETE FROM events WHERE seq = 3"} {
		if _, err := j.write.Exec(q); err == nil {
			t.Error(q, "went through")
		}
	}
}

func TestTampering(t *testing.T) {
	drop := "DROP TRIGGER events_stay; DROP TRIGGER events_fixed; "
	for name, c := range map[string]struct {
		sql string
		err error
	}{
		"event":         {"UPDATE events SET event = replace(event, 'p5', 'p6') WHERE seq = 5", ErrChain},
		"effects":       {"UPDATE events SET effects = '[ ]' WHERE seq = 5", ErrChain},
		"time":          {"UPDATE events SET at = at + 1 WHERE seq = 25", ErrChain},
		"key":           {"UPDATE events SET key = '' WHERE seq = 5", ErrChain},
		"sitting":       {"UPDATE events SET sitting = 2 WHERE seq = 5", ErrChain},
		"rules":         {"UPDATE events SET rules = 1 WHERE seq = 5", ErrChain},
		"hash":          {"UPDATE events SET hash = zeroblob(32) WHERE seq = 5", ErrChain},
		"first":         {"DELETE FROM events WHERE seq = 1", ErrChain},
		"middle":        {"DELETE FROM events WHERE seq = 5", ErrChain},
		"last":          {"DELETE FROM events WHERE seq = 25", ErrChain},
		"all":           {"DELETE FROM events", ErrChain},
		"no head":       {"DELETE FROM head", ErrCorrupt},
		"table":         {"ALTER TABLE events RENAME TO things", ErrCorrupt},
		"newer schema":  {"INSERT INTO migrations VALUES (99, 0)", ErrNewer},
		"not ours":      {"PRAGMA application_id = 7", ErrCorrupt},
		"no migrations": {"DROP TABLE migrations", ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			j := open(t, dir)
			appended(t, j, numbered(1, 25))
			if _, err := j.write.Exec(drop + c.sql); err != nil {
				t.Fatal(err)
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			if err := verify(dir); !errors.Is(err, c.err) {
				t.Fatal(err)
			}
		})
	}
}

func TestNewerRules(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	rs := numbered(1, 5)
	rs[4].Rules = rules + 1
	appended(t, j, rs)
	if _, err := read(j); !errors.Is(err, ErrNewer) {
		t.Fatal(err)
	}
}

// verify opens a journal and replays it.
func verify(dir string) error {
	j, err := Open(context.Background(), dir, rules)
	if err != nil {
		return err
	}
	_, err = read(j)
	return errors.Join(err, j.Close())
}

func TestNotAJournal(t *testing.T) {
	foreign := filepath.Join(t.TempDir(), "foreign.db")
	if err := os.WriteFile(foreign, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := connect(foreign, "", 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("CREATE TABLE events (x)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile(foreign)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"empty": {}, "text": []byte("Niederschrift über die Sitzung, die niemand lesen kann"), "foreign": other} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, FileName), content, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := verify(dir); !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
		})
	}
}

// A creation that was cut short is begun again.
func TestCreationCutShort(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{FileName + ".new", FileName + ".new-wal"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	j := open(t, dir)
	want(t, j, appended(t, j, numbered(1, 2)))
}

// A reader that takes its time is not in the way of a commit.
func TestReplayDoesNotBlockAppend(t *testing.T) {
	j := open(t, t.TempDir())
	rs := appended(t, j, numbered(1, 3))
	n := 0
	err := j.Replay(t.Context(), func(Record) error {
		n++
		return j.Append(t.Context(), numbered(uint64(3+n), uint64(3+n)))
	})
	if err != nil || n != len(rs) {
		t.Fatal(n, err)
	}
	got, err := read(j)
	if err != nil || len(got) != 6 {
		t.Fatal(len(got), err)
	}
}

func TestDurableSettings(t *testing.T) {
	j := open(t, t.TempDir())
	for pragma, value := range map[string]int{"synchronous": 2, "foreign_keys": 1, "busy_timeout": 2000} {
		for name, db := range map[string]*sql.DB{"write": j.write, "read": j.read} {
			var got int
			if err := db.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != value {
				t.Errorf("%s, %s: %d %v", pragma, name, got, err)
			}
		}
	}
	if n := j.write.Stats().MaxOpenConnections; n != 1 {
		t.Error(n, "writers")
	}
}
