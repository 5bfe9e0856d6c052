package journal

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// Hash is a link of the chain: SHA-256 over the hash before it and the record.
type Hash [sha256.Size]byte

// Record is one decision.
type Record struct {
	Seq     uint64    // 1, 2, 3 … over all sittings, without gaps
	Sitting uint64    // number of the sitting, 1, 2, 3 …; a higher one than before starts a new sitting
	Body    string    // name of the body; kept for the first record of a sitting only
	At      time.Time // when the event reached the box; kept in UTC to the nanosecond
	Key     string    // idempotency key of the command, or empty
	Rules   int       // version of the rules that decided
	Event   []byte    // JSON of what happened or was asked for
	Effects []byte    // JSON of what was decided to follow from it
	Hash    Hash      // set by Append and Replay
}

// Gap is a time in which the sitting went on although its records were not on the disk.
type Gap struct {
	First, Last uint64    // records that were written afterwards; Last < First: none could be
	From, Until time.Time // Until is zero when records were lost and the gap lasted until the program ended
	Reason      string
}

// Sitting is one sitting of the journal.
type Sitting struct {
	ID     uint64
	Opened time.Time // time of its first record
	Body   string
}

// chainVersion is hashed with every record, so that a later form of the canonical bytes cannot be taken for this one.
const chainVersion = "plenum journal 1\n"

// link computes the hash of a record that follows one with the hash prev. The canonical bytes are: version text, prev,
// then as big-endian 64-bit numbers sequence, sitting, time in ns since 1970, rules, then key, event and effects, each
// behind its length as such a number.
func link(prev Hash, r Record) Hash {
	b := make([]byte, 0, len(chainVersion)+len(prev)+7*8+len(r.Key)+len(r.Event)+len(r.Effects))
	b = append(b, chainVersion...)
	b = append(b, prev[:]...)
	for _, n := range []uint64{r.Seq, r.Sitting, uint64(r.At.UnixNano()), uint64(r.Rules)} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	for _, s := range [][]byte{[]byte(r.Key), r.Event, r.Effects} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(s)))
		b = append(b, s...)
	}
	return sha256.Sum256(b)
}
