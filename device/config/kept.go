package config

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"plenum/device/strict"
)

// keptName is the file of the last good configuration, which an appliance falls back to.
const keptName = "plenum.good.toml"

// LoadGood reads the kept configuration; fs.ErrNotExist when there is none.
func LoadGood(kept string) (Config, error) {
	path := filepath.Join(kept, keptName)
	if _, err := os.Stat(path); err != nil {
		return Config{}, fmt.Errorf("the last good configuration: %w", err)
	}
	return Load(path)
}

// Keep makes the file the one that LoadGood reads. It is called when the box has come up with it.
func Keep(path, kept string) error {
	text, err := strict.ReadFile(path)
	if err != nil {
		return fmt.Errorf("keeping the configuration: %w", err)
	}
	if _, err := Parse(text); err != nil {
		return fmt.Errorf("keeping the configuration: it has been changed since: %w", err)
	}
	to := filepath.Join(kept, keptName)
	if was, err := os.ReadFile(to); err == nil && bytes.Equal(was, text) {
		return nil
	}
	if err := os.MkdirAll(kept, 0o700); err != nil {
		return fmt.Errorf("keeping the configuration: %w", err)
	}
	if err := renameio.WriteFile(to, text, 0o600); err != nil {
		return fmt.Errorf("keeping the configuration: %w", err)
	}
	return nil
}
