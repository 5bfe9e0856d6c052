package update

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestFolder(t *testing.T) {
	d := folder(filepath.Join(t.TempDir(), "update"))
	if _, err := d.read(trialFile); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, text := range []string{"one", "two"} {
		if err := d.write(trialFile, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if raw, err := d.read(trialFile); err != nil || string(raw) != text {
			t.Fatalf("%q, %v", raw, err)
		}
	}
	info, err := os.Stat(filepath.Join(string(d), trialFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	for range 2 {
		if err := d.remove(trialFile); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.read(trialFile); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

func TestFolderIsSweptOfWhatAPowerCutLeft(t *testing.T) {
	d := folder(t.TempDir())
	for _, name := range []string{".trial.json123", ".trial.json456", ".last.json7", "other"} {
		if err := os.WriteFile(filepath.Join(string(d), name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.write(trialFile, nil); err != nil {
		t.Fatal(err)
	}
	if err := d.write(lastFile, nil); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(string(d))
	if err != nil || len(left) != 3 {
		t.Fatalf("%v, %v", left, err)
	}
}

func TestFolderThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d := folder(filepath.Join(file, "update"))
	if d.write(trialFile, nil) == nil || d.remove(trialFile) == nil {
		t.Fatal("written into a file")
	}
}

func TestNewOnARealFolder(t *testing.T) {
	u := New(Options{Installer: healthy(), Dir: t.TempDir(), Release: Release{Version: "1.2.0", Slot: "A"}})
	if v := u.View(); v.State != Idle || v.Current != "1.2.0" {
		t.Fatalf("%+v", v)
	}
}
