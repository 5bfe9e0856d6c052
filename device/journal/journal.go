// Package journal keeps what was decided in a sitting on the disk: an append-only, hash-chained list of records in one
// SQLite file. A record that Append has taken survives a power cut; a record that was changed, removed or cut off
// afterwards is found out by Replay.
//
// The journal knows nothing of the rules: events and effects are JSON that it stores and hashes as it got them.
package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// FileName is the journal's file inside its folder. SQLite keeps two more beside it while it is open (-wal, -shm).
const FileName = "journal.db"

// Reasons why a journal is not read or not written to. They are wrapped with what was being done.
var (
	// ErrChain: a record is missing, was changed, or does not follow from the one before it.
	ErrChain = errors.New("the journal's chain is broken")
	// ErrNewer: the journal was written by a newer schema or under newer rules than this program knows.
	ErrNewer = errors.New("the journal is newer than this program")
	// ErrCorrupt: the file is damaged or is no journal at all.
	ErrCorrupt = errors.New("the journal's file is damaged")
	// ErrInUse: another process has the journal open.
	ErrInUse = errors.New("the journal is in use by another process")
)

// Journal is an open journal. All methods may be called from any goroutine; appends are done one after the other.
type Journal struct {
	rules int
	lock  *os.File // the folder, locked against a second daemon
	write *sql.DB  // exactly one connection
	read  *sql.DB  // never in the way of a commit
}

// Open opens the journal in the folder, creating both when they are not there (folder 0700, file 0600), and brings an
// older schema up to date. rules is the newest version of the rules that the program knows.
//
// Errors: ErrInUse, ErrNewer, ErrCorrupt, or what the file system says.
func Open(ctx context.Context, dir string, rules int) (*Journal, error) {
	lock, err := lockFolder(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the journal in %s: %w", dir, err)
	}
	j := &Journal{rules: rules, lock: lock}
	if err := j.open(ctx, filepath.Join(dir, FileName)); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the journal in %s: %w", dir, err), j.Close())
	}
	return j, nil
}

func (j *Journal) open(ctx context.Context, path string) error {
	switch _, err := os.Stat(path); {
	case errors.Is(err, os.ErrNotExist):
		if err := create(ctx, path); err != nil {
			return fmt.Errorf("creating it: %w", err)
		}
	case err != nil:
		return err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	var err error
	if j.write, err = connect(path, "_txlock=immediate", 1); err != nil {
		return err
	}
	if err := migrate(ctx, j.write); err != nil {
		return err
	}
	if err := checkDurable(ctx, j.write); err != nil {
		return err
	}
	j.read, err = connect(path, "_query_only=1", 2)
	return err
}

// Close writes the log back into the main file and gives the journal free.
func (j *Journal) Close() error {
	var errs []error
	// The writer goes last, so that it is the connection that writes the log back.
	if j.read != nil {
		errs = append(errs, j.read.Close())
	}
	if j.write != nil {
		errs = append(errs, j.write.Close())
	}
	errs = append(errs, j.lock.Close())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("closing the journal: %w", err)
	}
	return nil
}

// damage marks SQLite's errors that mean a damaged file with ErrCorrupt. A plain SQL error counts as damage too: our
// statements never change, so it is the file's schema that is not what it was.
func damage(err error) error {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_FORMAT:
			return fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
	}
	return err
}
