package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"syscall"

	"modernc.org/sqlite"
)

// busyTimeout is how long a statement waits for another connection's lock, in ms.
const busyTimeout = "2000"

// lockFolder makes the folder, and holds it against a second daemon. The lock is the kernel's: it ends with the process.
func lockFolder(dir string) (*os.File, error) {
	switch err := os.Mkdir(dir, 0o700); {
	case err == nil:
		if err := syncFolder(filepath.Dir(dir)); err != nil {
			return nil, err
		}
	case !errors.Is(err, os.ErrExist):
		return nil, err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrInUse
		}
		return nil, fmt.Errorf("locking the folder: %w", err)
	}
	return f, nil
}

// create builds an empty journal beside its place and moves it there in one step. So a journal that is found empty or
// without tables is a damaged one, never one whose creation was cut short.
func create(ctx context.Context, path string) error {
	fresh := path + ".new"
	for _, leftover := range []string{fresh, fresh + "-wal", fresh + "-shm"} {
		if err := os.Remove(leftover); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	f, err := os.OpenFile(fresh, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	db, err := connect(fresh, "_txlock=immediate", 1)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID))
	for i, script := range migrations() {
		if err == nil {
			err = step(ctx, db, i+1, script)
		}
	}
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := os.Rename(fresh, path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// connect opens a pool of at most n connections. Nothing is read before the first statement.
func connect(path, extra string, n int) (*sql.DB, error) {
	dsn := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: "_journal_mode=WAL&_synchronous=FULL&_foreign_keys=1&_busy_timeout=" +
		busyTimeout + "&_defensive=1&_dqs=0&mode=rw&" + extra}
	connector, err := sqlite.NewConnector(dsn.String())
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}

// checkDurable reads back what SQLite made of the settings: a file system that cannot do WAL gives another mode without
// an error.
func checkDurable(ctx context.Context, db *sql.DB) error {
	var mode string
	var sync int
	if err := db.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return fmt.Errorf("reading the journal mode: %w", damage(err))
	}
	if err := db.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&sync); err != nil {
		return fmt.Errorf("reading the synchronous mode: %w", damage(err))
	}
	if mode != "wal" || sync != 2 {
		return fmt.Errorf("the file system does not carry a durable journal (journal_mode=%s, synchronous=%d)", mode, sync)
	}
	return nil
}

// syncFolder makes the folder's entries durable.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
