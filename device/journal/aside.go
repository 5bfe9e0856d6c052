package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// newerName is where Restore leaves the journal that this program cannot read.
const newerName = "journal.newer.db"

// Save puts a copy of the journal in the folder at a path, whole or not at all. It is made before a program that may
// have to give way to an older one opens the journal. A copy that is there already stays: it is the older state. No
// journal is nothing to save.
func Save(ctx context.Context, dir, to string) error {
	if _, err := os.Stat(to); err == nil {
		return nil
	}
	path := filepath.Join(dir, FileName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return fmt.Errorf("saving the journal: %w", err)
	}
	defer lock.Close()
	if err := save(ctx, path, to); err != nil {
		return fmt.Errorf("saving the journal: %w", err)
	}
	return nil
}

func save(ctx context.Context, path, to string) error {
	fresh := to + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	db, err := connect(path, "", 1)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", fresh)
	if err := errors.Join(err, db.Close()); err != nil {
		return damage(err)
	}
	f, err := os.OpenFile(fresh, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(0o600), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(fresh, to); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(to))
}

// Restore replaces a journal that a newer program wrote by the copy that Save made before; the newer one stays beside
// it. A power cut leaves the one or the other. Without a copy it returns fs.ErrNotExist and changes nothing.
func Restore(ctx context.Context, dir, from string) error {
	if _, err := os.Stat(from); err != nil {
		return fmt.Errorf("restoring the journal: %w", err)
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return fmt.Errorf("restoring the journal: %w", err)
	}
	defer lock.Close()
	path, newer := filepath.Join(dir, FileName), filepath.Join(dir, newerName)
	// Closing the last connection writes the log back, so that the file alone is the journal.
	db, err := connect(path, "", 1)
	if err == nil {
		_, err = db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		return fmt.Errorf("restoring the journal: closing the newer one: %w", err)
	}
	if err := os.Remove(newer); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("restoring the journal: %w", err)
	}
	if err := errors.Join(os.Link(path, newer), os.Rename(from, path), syncFolder(dir)); err != nil {
		return fmt.Errorf("restoring the journal: %w", err)
	}
	return nil
}
