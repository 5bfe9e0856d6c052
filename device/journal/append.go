package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// head is the end of the chain.
type head struct {
	seq, sitting uint64
	hash         Hash
}

func readHead(ctx context.Context, q interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}) (head, error) {
	var h head
	var hash []byte
	switch err := q.QueryRowContext(ctx, "SELECT seq, sitting, hash FROM head").Scan(&h.seq, &h.sitting, &hash); {
	case errors.Is(err, sql.ErrNoRows):
		return h, fmt.Errorf("%w: it has no head", ErrCorrupt)
	case err != nil:
		return h, fmt.Errorf("reading the head: %w", damage(err))
	}
	if copy(h.hash[:], hash) != len(h.hash) {
		return h, fmt.Errorf("%w: the head's hash has %d bytes", ErrCorrupt, len(hash))
	}
	return h, nil
}

// Append writes the records in one transaction and returns when they are on the disk; the Hash of each is set. All or
// none are written. Records that are already there, because an earlier Append of them reported an error although it
// had got through, are recognised by their hash and left alone.
//
// Errors: ErrChain when the records do not continue the chain, ErrCorrupt, or what SQLite says (disk full, I/O).
func (j *Journal) Append(ctx context.Context, records []Record) error {
	if len(records) == 0 {
		return nil
	}
	if err := j.append(ctx, records); err != nil {
		return fmt.Errorf("writing records %d to %d: %w", records[0].Seq, records[len(records)-1].Seq, damage(err))
	}
	return nil
}

func (j *Journal) append(ctx context.Context, records []Record) error {
	tx, err := j.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	h, err := readHead(ctx, tx)
	if err != nil {
		return err
	}
	if records, err = skipKnown(ctx, tx, h, records); err != nil || len(records) == 0 {
		return err
	}
	insert, err := tx.PrepareContext(ctx, "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
	if err != nil {
		return err
	}
	defer insert.Close()
	for i := range records {
		r := &records[i]
		if r.Seq != h.seq+1 || r.Sitting < max(h.sitting, 1) || r.Sitting > h.sitting+1 {
			return fmt.Errorf("%w: record %d of sitting %d cannot follow record %d of sitting %d", ErrChain, r.Seq, r.Sitting, h.seq, h.sitting)
		}
		if r.Sitting != h.sitting {
			if _, err := tx.ExecContext(ctx, "INSERT INTO sittings VALUES (?, ?, ?)", r.Sitting, r.At.UnixNano(), r.Body); err != nil {
				return err
			}
		}
		r.Hash = link(h.hash, *r)
		if _, err := insert.ExecContext(ctx, r.Seq, r.Sitting, r.At.UnixNano(), r.Key, r.Rules, string(r.Event), string(r.Effects), r.Hash[:]); err != nil {
			return err
		}
		h = head{seq: r.Seq, sitting: r.Sitting, hash: r.Hash}
	}
	if _, err := tx.ExecContext(ctx, "UPDATE head SET seq = ?, sitting = ?, hash = ?", h.seq, h.sitting, h.hash[:]); err != nil {
		return err
	}
	return tx.Commit()
}

// skipKnown takes those records off the front that the journal holds already.
func skipKnown(ctx context.Context, tx *sql.Tx, h head, records []Record) ([]Record, error) {
	for len(records) > 0 && records[0].Seq <= h.seq {
		r := &records[0]
		prev, err := hashAt(ctx, tx, r.Seq-1)
		if err != nil {
			return nil, err
		}
		have, err := hashAt(ctx, tx, r.Seq)
		if err != nil {
			return nil, err
		}
		if r.Hash = link(prev, *r); r.Hash != have {
			return nil, fmt.Errorf("%w: there is another record %d already", ErrChain, r.Seq)
		}
		records = records[1:]
	}
	return records, nil
}

// Note puts down a time in which the sitting was not being recorded.
func (j *Journal) Note(ctx context.Context, g Gap) error {
	until := sql.NullInt64{Int64: g.Until.UnixNano(), Valid: !g.Until.IsZero()}
	if _, err := j.write.ExecContext(ctx, "INSERT INTO gaps (first_seq, last_seq, from_at, until_at, reason) VALUES (?, ?, ?, ?, ?)",
		g.First, g.Last, g.From.UnixNano(), until, g.Reason); err != nil {
		return fmt.Errorf("noting a gap from record %d: %w", g.First, damage(err))
	}
	return nil
}

// fromNano is the inverse of UnixNano, in UTC.
func fromNano(ns int64) time.Time { return time.Unix(0, ns).UTC() }
