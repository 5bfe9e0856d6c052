package config

import (
	"errors"
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
	if _, fault, err := LoadKept(path, kept); err == nil || fault != nil {
		t.Fatal("neither file is there:", fault, err)
	}
	write(Example)
	if c, fault, err := LoadKept(path, kept); err != nil || fault != nil || c.Sitting.Body == "" {
		t.Fatal(fault, err)
	}
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
		if c, fault, err := LoadKept(path, kept); err != nil || fault == nil || len(c.Members) == 0 {
			t.Errorf("%s: %d members, fault %v, %v", name, len(c.Members), fault, err)
		}
		if err := Keep(path, kept); err == nil {
			t.Errorf("%s is kept as the last good one", name)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, fault, err := LoadKept(path, kept); err != nil || fault == nil {
		t.Error("lost:", fault, err)
	}
	if err := os.WriteFile(filepath.Join(kept, keptName), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	write("y")
	if _, _, err := LoadKept(path, kept); !errors.Is(err, ErrInvalid) {
		t.Error("both bad:", err)
	}
}
