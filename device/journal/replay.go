package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Replay hands every record to fn in order, the chain checked up to and including it. It sees the journal as it was at
// the call and is not in the way of Append. An error of fn ends it and is returned; a nil fn only checks the chain.
//
// Errors: ErrChain, ErrNewer (rules), ErrCorrupt, or what SQLite says. Without an error, every record ever
// appended was handed over.
func (j *Journal) Replay(ctx context.Context, fn func(Record) error) error {
	return j.ReplayFrom(ctx, 1, fn)
}

// ReplayFrom is Replay that starts at record seq and takes the chain before it on trust.
func (j *Journal) ReplayFrom(ctx context.Context, seq uint64, fn func(Record) error) error {
	if err := j.replay(ctx, max(seq, 1), fn); err != nil {
		return fmt.Errorf("replaying the journal: %w", damage(err))
	}
	return nil
}

func (j *Journal) replay(ctx context.Context, seq uint64, fn func(Record) error) error {
	// One read transaction, so that head and records are of the same moment.
	tx, err := j.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // nothing to keep
	end, err := readHead(ctx, tx)
	if err != nil {
		return err
	}
	prev, err := hashAt(ctx, tx, seq-1)
	if err != nil {
		return err
	}
	rows, err := tx.QueryContext(ctx, "SELECT seq, sitting, at, key, rules, event, effects, hash FROM events WHERE seq >= ? ORDER BY seq", seq)
	if err != nil {
		return err
	}
	defer rows.Close()
	at := head{seq: seq - 1, hash: prev}
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return err
		}
		if r.Seq != at.seq+1 || link(at.hash, r) != r.Hash {
			return fmt.Errorf("%w: record %d does not follow record %d as written", ErrChain, r.Seq, at.seq)
		}
		if r.Rules > j.rules {
			return fmt.Errorf("%w: record %d was decided by rules %d, known are up to %d", ErrNewer, r.Seq, r.Rules, j.rules)
		}
		if fn != nil {
			if err := fn(r); err != nil {
				return err
			}
		}
		at = head{seq: r.Seq, sitting: r.Sitting, hash: r.Hash}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if at.seq != end.seq || at.hash != end.hash {
		return fmt.Errorf("%w: it ends with record %d instead of %d", ErrChain, at.seq, end.seq)
	}
	return nil
}

// scan reads one record from a row.
func scan(rows *sql.Rows) (Record, error) {
	var r Record
	var at int64
	var hash []byte
	if err := rows.Scan(&r.Seq, &r.Sitting, &at, &r.Key, &r.Rules, &r.Event, &r.Effects, &hash); err != nil {
		return r, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	r.At = fromNano(at)
	if copy(r.Hash[:], hash) != len(r.Hash) {
		return r, fmt.Errorf("%w: record %d has a hash of %d bytes", ErrChain, r.Seq, len(hash))
	}
	return r, nil
}

// hashAt reads a record's hash; record 0 stands for the beginning of the chain.
func hashAt(ctx context.Context, tx *sql.Tx, seq uint64) (h Hash, err error) {
	if seq == 0 {
		return h, nil
	}
	var hash []byte
	switch err := tx.QueryRowContext(ctx, "SELECT hash FROM events WHERE seq = ?", seq).Scan(&hash); {
	case errors.Is(err, sql.ErrNoRows):
		return h, fmt.Errorf("%w: there is no record %d", ErrChain, seq)
	case err != nil:
		return h, err
	}
	if copy(h[:], hash) != len(h) {
		return h, fmt.Errorf("%w: record %d has a hash of %d bytes", ErrChain, seq, len(hash))
	}
	return h, nil
}

// Head tells the number of the last record and of its sitting, and the number of that sitting's first record; all are
// 0 in an empty journal.
func (j *Journal) Head(ctx context.Context) (last, sitting, first uint64, err error) {
	h, err := readHead(ctx, j.read)
	if err != nil || h.seq == 0 {
		return 0, 0, 0, err
	}
	// Sittings follow one another: walking down from the head finds the beginning without an index that every
	// commit would have to keep.
	err = j.read.QueryRowContext(ctx, `SELECT coalesce((SELECT seq FROM events WHERE sitting < ? ORDER BY seq DESC LIMIT 1), 0) + 1`, h.sitting).Scan(&first)
	if err != nil {
		return 0, 0, 0, fmt.Errorf("looking for the beginning of sitting %d: %w", h.sitting, damage(err))
	}
	return h.seq, h.sitting, first, nil
}

// Sittings lists all sittings, the oldest first.
func (j *Journal) Sittings(ctx context.Context) ([]Sitting, error) {
	return list(ctx, j.read, "SELECT id, opened, body FROM sittings ORDER BY id", func(rows *sql.Rows) (s Sitting, err error) {
		var opened int64
		err = rows.Scan(&s.ID, &opened, &s.Body)
		s.Opened = fromNano(opened)
		return s, err
	})
}

// Gaps lists the times in which a sitting was not being recorded, the oldest first.
func (j *Journal) Gaps(ctx context.Context) ([]Gap, error) {
	return list(ctx, j.read, "SELECT first_seq, last_seq, from_at, until_at, reason FROM gaps ORDER BY id", func(rows *sql.Rows) (g Gap, err error) {
		var from int64
		var until sql.NullInt64
		err = rows.Scan(&g.First, &g.Last, &from, &until, &g.Reason)
		g.From = fromNano(from)
		if until.Valid {
			g.Until = fromNano(until.Int64)
		}
		return g, err
	})
}

// list collects the rows of a query.
func list[T any](ctx context.Context, db *sql.DB, query string, scan func(*sql.Rows) (T, error)) ([]T, error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("reading the journal: %w", damage(err))
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("reading the journal: %w", damage(err))
		}
		all = append(all, one)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading the journal: %w", damage(err))
	}
	return all, nil
}
