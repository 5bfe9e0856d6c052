package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKept(t *testing.T) {
	dir := t.TempDir()
	path, kept := filepath.Join(dir, "plenum.toml"), filepath.Join(dir, "kept")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := LoadGood(kept); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal("there is none:", err)
	}
	write(Example)
	if err := Keep(path, kept); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"torn":    Example[:len(Example)/2],
		"empty":   "",
		"zeros":   string(make([]byte, 4096)),
		"a typo":  strings.Replace(Example, "listen =", "listne =", 1),
		"no toml": "<html>",
	} {
		write(bad)
		if _, err := Load(path); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s is taken: %v", name, err)
		}
		if err := Keep(path, kept); err == nil {
			t.Errorf("%s is kept as the last good one", name)
		}
	}
	if c, err := LoadGood(kept); err != nil || len(c.Members) == 0 {
		t.Error(c.Members, err)
	}
	if err := os.WriteFile(filepath.Join(kept, keptName), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadGood(kept); !errors.Is(err, ErrInvalid) {
		t.Error("the kept one is bad:", err)
	}
}
