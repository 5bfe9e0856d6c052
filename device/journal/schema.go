package journal

import (
	"context"
	"database/sql"
	"fmt"
)

// applicationID marks the file as ours in SQLite's header ("Plnm").
const applicationID = 0x506c6e6d

// migrations returns the steps of the schema: version n is reached by running step n-1. Steps are never changed, only added.
//
// The table head repeats the last record's number and hash: if damage makes SQLite see fewer records than there were,
// the chain alone would look complete.
func migrations() []string {
	return []string{`
CREATE TABLE migrations (version INTEGER PRIMARY KEY, at INTEGER NOT NULL) STRICT;
CREATE TABLE sittings (id INTEGER PRIMARY KEY, opened INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
CREATE TABLE events (
	seq     INTEGER PRIMARY KEY,
	sitting INTEGER NOT NULL REFERENCES sittings (id),
	at      INTEGER NOT NULL,
	key     TEXT NOT NULL,
	rules   INTEGER NOT NULL,
	event   TEXT NOT NULL,
	effects TEXT NOT NULL,
	hash    BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE TABLE gaps (
	id        INTEGER PRIMARY KEY,
	first_seq INTEGER NOT NULL,
	last_seq  INTEGER NOT NULL,
	from_at   INTEGER NOT NULL,
	until_at  INTEGER,
	reason    TEXT NOT NULL
) STRICT;
CREATE TABLE head (
	one     INTEGER PRIMARY KEY CHECK (one = 1),
	seq     INTEGER NOT NULL,
	sitting INTEGER NOT NULL,
	hash    BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
INSERT INTO head VALUES (1, 0, 0, zeroblob(32));
CREATE TRIGGER events_stay BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER events_fixed BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER gaps_stay BEFORE DELETE ON gaps BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER gaps_fixed BEFORE UPDATE ON gaps BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
`}
}

// migrate brings the schema of an existing journal up to date, each step in its own transaction.
func migrate(ctx context.Context, db *sql.DB) error {
	var id int
	if err := db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id); err != nil {
		return fmt.Errorf("reading the file's mark: %w", damage(err))
	}
	if id != applicationID {
		return fmt.Errorf("%w: it is not a journal of ours (mark %#x)", ErrCorrupt, id)
	}
	var have int
	if err := db.QueryRowContext(ctx, "SELECT coalesce(max(version), 0) FROM migrations").Scan(&have); err != nil {
		return fmt.Errorf("reading the schema's version: %w", damage(err))
	}
	steps := migrations()
	if have > len(steps) {
		return fmt.Errorf("%w: it has schema %d, known are up to %d", ErrNewer, have, len(steps))
	}
	for v := have + 1; v <= len(steps); v++ {
		if err := step(ctx, db, v, steps[v-1]); err != nil {
			return fmt.Errorf("bringing the schema to version %d: %w", v, damage(err))
		}
	}
	return nil
}

// step runs one migration and notes it.
func step(ctx context.Context, db *sql.DB, version int, script string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	if _, err := tx.ExecContext(ctx, script); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO migrations VALUES (?, unixepoch())", version); err != nil {
		return err
	}
	return tx.Commit()
}
