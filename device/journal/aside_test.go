package journal

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// A program that gives way to the one before it leaves a journal which that one cannot read; the copy made before brings
// back every record up to then, and the newer journal is kept.
func TestAside(t *testing.T) {
	ctx, dir := context.Background(), filepath.Join(t.TempDir(), "data")
	to := filepath.Join(t.TempDir(), "before.db")
	if err := Save(ctx, dir, to); err != nil {
		t.Fatal("no journal is nothing to save:", err)
	}
	if err := Restore(ctx, dir, to); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	j := open(t, dir)
	old := appended(t, j, numbered(1, 20))
	if err := Save(ctx, dir, to); !errors.Is(err, ErrInUse) {
		t.Fatal("saved while in use:", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Save(ctx, dir, to); err != nil {
		t.Fatal(err)
	}
	j = open(t, dir)
	rs := numbered(21, 25)
	rs[4].Rules = rules + 1
	appended(t, j, rs)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Save(ctx, dir, to); err != nil { // a second start of the newer program
		t.Fatal(err)
	}
	if err := verify(dir); !errors.Is(err, ErrNewer) {
		t.Fatal(err)
	}
	if err := Restore(ctx, dir, to); err != nil {
		t.Fatal(err)
	}
	j = open(t, dir)
	want(t, j, old)
	appended(t, j, numbered(21, 22))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, newerName)); err != nil {
		t.Error("the newer one is lost:", err)
	}
	if _, err := os.Stat(to); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the copy is still there and would be used again:", err)
	}
}
