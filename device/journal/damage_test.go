package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// copied takes an open journal's files away as a power cut would leave them.
func copied(t testing.TB, from, to string) {
	t.Helper()
	for _, name := range []string{FileName, FileName + "-wal"} {
		b, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Wherever the write-ahead log is cut off, whole transactions are left, and with them a chain that holds.
func TestHalfWrittenTransaction(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	var rs []Record
	ends := map[int]bool{0: true}
	var sizes []int64
	for n := uint64(1); n <= 40; n += 4 {
		rs = append(rs, appended(t, j, numbered(n, n+3))...)
		ends[len(rs)] = true
		info, err := os.Stat(filepath.Join(dir, FileName+"-wal"))
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, info.Size())
	}
	seen := map[int]bool{}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		cut := rnd.Int64N(sizes[len(sizes)-1] + 1)
		other := t.TempDir()
		copied(t, dir, other)
		if err := os.Truncate(filepath.Join(other, FileName+"-wal"), cut); err != nil {
			t.Fatal(err)
		}
		j := open(t, other)
		got, err := read(j)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		whole := 0
		for i, size := range sizes {
			if size <= cut {
				whole = 4 * (i + 1)
			}
		}
		if len(got) != whole || !ends[len(got)] {
			t.Fatalf("cut at %d of %v: %d records", cut, sizes, len(got))
		}
		seen[len(got)] = true
		// And it goes on from there.
		n := uint64(len(got)) + 1
		appended(t, j, numbered(n, n))
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) < 5 {
		t.Fatal("only", seen)
	}
}

// Bytes of the file that change are found out, or did not matter: a replay without an error has every record.
func TestDamagedBytes(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	appended(t, j, numbered(1, 120))
	all, err := read(j)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(filepath.Join(dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	var found, harmless int
	for i := range 400 {
		bad := bytes.Clone(good)
		at := rnd.IntN(len(bad))
		if i%4 == 0 { // where SQLite keeps how many cells a page has
			at = rnd.IntN(len(bad)/4096)*4096 + 3 + rnd.IntN(2)
		}
		switch i % 3 {
		case 0:
			bad[at] ^= 1 << rnd.IntN(8)
		case 1:
			bad[at] = byte(rnd.Uint32())
		case 2:
			bad = bad[:at]
		}
		if bytes.Equal(bad, good) {
			continue
		}
		if damagedButTaken(t, bad, all) {
			harmless++
		} else {
			found++
		}
	}
	t.Logf("%d found out, %d without consequence", found, harmless)
	if found == 0 {
		t.Fatal("nothing was found out")
	}
}

// damagedButTaken reports whether a file is read without an error, and fails when it then lacks anything.
func damagedButTaken(t *testing.T, file []byte, all []Record) bool {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, FileName), file, 0o600); err != nil {
		t.Fatal(err)
	}
	j, err := Open(t.Context(), dir, rules)
	if err != nil {
		return reported(t, err)
	}
	got, err := read(j)
	if err := j.Close(); err != nil {
		t.Logf("closing a damaged journal: %v", err)
	}
	if err != nil {
		return reported(t, err)
	}
	if !reflect.DeepEqual(all, got) { // cheaper than cmp.Diff, which is for the eye
		t.Fatal("damage went unnoticed:", cmp.Diff(all, got))
	}
	return true
}

// reported checks that damage is told by one of the errors that callers branch on.
func reported(t *testing.T, err error) bool {
	t.Helper()
	if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrChain) && !errors.Is(err, ErrNewer) {
		t.Errorf("damage gives another error: %v", err)
	}
	return false
}

// FuzzLink: no two different records share their canonical bytes.
func FuzzLink(f *testing.F) {
	f.Add("k", `{"kind":"open"}`, "[]", "", `k{"kind":"open"}`, "[]", uint64(1), uint64(1))
	f.Fuzz(func(t *testing.T, k1, e1, f1, k2, e2, f2 string, s1, s2 uint64) {
		var prev Hash
		binary.BigEndian.PutUint64(prev[:], s1^s2)
		a := Record{Seq: s1, Sitting: 1, Key: k1, Event: []byte(e1), Effects: []byte(f1)}
		b := Record{Seq: s2, Sitting: 1, Key: k2, Event: []byte(e2), Effects: []byte(f2)}
		same := k1 == k2 && e1 == e2 && f1 == f2 && s1 == s2
		if (link(prev, a) == link(prev, b)) != same {
			t.Fatalf("%+v and %+v", a, b)
		}
	})
}
