package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// keptName is the file of the last good configuration.
const keptName = "plenum.good.toml"

// LoadKept reads the file as Load does. When it is missing or bad and there is a kept one, that is what the box works
// with: fault is then what is wrong with the file, to be shown until it is mended. Without a kept one the fault is the
// error.
func LoadKept(path, kept string) (c Config, fault, err error) {
	c, err = Load(path)
	if err == nil {
		return c, nil, nil
	}
	good, kerr := LoadGood(kept)
	if errors.Is(kerr, fs.ErrNotExist) {
		return Config{}, nil, err
	}
	if kerr != nil {
		return Config{}, nil, errors.Join(err, kerr)
	}
	return good, err, nil
}

// LoadGood reads the kept configuration; fs.ErrNotExist when there is none.
func LoadGood(kept string) (Config, error) {
	path := filepath.Join(kept, keptName)
	if _, err := os.Stat(path); err != nil {
		return Config{}, fmt.Errorf("the last good configuration: %w", err)
	}
	return Load(path)
}

// Keep makes the file the one LoadKept falls back to. It is called when the box has come up with it.
func Keep(path, kept string) error {
	text, err := os.ReadFile(path)
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
