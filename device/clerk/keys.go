package clerk

// keys remembers the last commands by their idempotency keys.
type keys struct {
	known map[string]seen
	order []named // a ring, the oldest at next once it is full
	next  int
}

type named struct {
	key string
	seq uint64
}

type seen struct {
	seq    uint64
	digest digest
}

func newKeys(n int) *keys {
	return &keys{known: make(map[string]seen), order: make([]named, n)}
}

// find tells the receipt number of a key, and whether it belongs to the same command.
func (k *keys) find(key string, d digest) (seq uint64, same, known bool) {
	s, known := k.known[key]
	return s.seq, s.digest == d, known
}

// put remembers a key and forgets the oldest when there are too many.
func (k *keys) put(key string, d digest, seq uint64) {
	// A key that came again after it was forgotten stands in the ring twice; only the later one counts.
	if old := k.order[k.next]; k.known[old.key].seq == old.seq {
		delete(k.known, old.key)
	}
	k.order[k.next] = named{key: key, seq: seq}
	k.next = (k.next + 1) % len(k.order)
	k.known[key] = seen{seq: seq, digest: d}
}
