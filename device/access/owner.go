package access

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"sync"
)

// ErrOwnerSet says that the owner's PIN has been set already and the old one was not given.
var ErrOwnerSet = errors.New("the owner's PIN has been set already; the old one is needed to set another")

// Owner is the PIN of whoever owns the box: updates, provisioning, technician mode and the factory reset ask for it, and
// no sitting opens on an appliance without it (B16, DEV.4.8). It is another PIN than the chair's: who leads a sitting
// need not be able to change the box. It is safe for concurrent use.
type Owner struct {
	path    string
	opts    Options
	tries   *tries
	hashing chan struct{}

	mu   sync.Mutex
	text string // in PHC form; empty: not set
}

// ownerFile is owner.json.
type ownerFile struct {
	Version int    `json:"version"`
	PIN     string `json:"pin"`
}

// OpenOwner reads owner.json in dir; without one no PIN is set. Errors are those of Open: ErrTooWide, ErrDamaged.
func OpenOwner(dir string, opts Options) (*Owner, error) {
	opts = opts.withDefaults()
	o := &Owner{path: filepath.Join(dir, "owner.json"), opts: opts, hashing: make(chan struct{}, 1)}
	o.tries = openTries(filepath.Join(dir, "owner-tries.json"), opts)
	raw, err := readPrivate(o.path)
	if errors.Is(err, fs.ErrNotExist) {
		return o, nil
	}
	if err != nil {
		return nil, err
	}
	var f ownerFile
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, fmt.Errorf("read %s: %w: %w", o.path, ErrDamaged, err)
	}
	if _, err := parseStored(f.PIN); err != nil || f.Version != fileVersion {
		return nil, fmt.Errorf("read %s: %w: %w", o.path, ErrDamaged, errors.Join(err, fmt.Errorf("version %d", f.Version)))
	}
	o.text = f.PIN
	return o, nil
}

// HasPIN reports whether the owner's PIN has been set.
func (o *Owner) HasPIN() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text != ""
}

// Check compares a PIN with the owner's, with the waits and errors of Access.CheckPIN.
func (o *Owner) Check(ctx context.Context, source netip.Addr, pin string) error {
	o.mu.Lock()
	text := o.text
	o.mu.Unlock()
	if text == "" {
		return ErrNoPIN
	}
	return compare(ctx, o.tries, o.hashing, source, text, pin)
}

// Set sets the PIN: the first one without a word, another one for the old. Errors: ErrWeakPIN, ErrOwnerSet when the old
// one is missing, and Check's.
func (o *Owner) Set(ctx context.Context, source netip.Addr, old, pin string) error {
	if err := checkStrength(pin); err != nil {
		return err
	}
	o.mu.Lock()
	before := o.text
	o.mu.Unlock()
	if before != "" {
		if old == "" {
			return ErrOwnerSet
		}
		if err := o.Check(ctx, source, old); err != nil {
			return err
		}
	}
	text := hash(o.opts.Hash, o.hashing, pin)
	raw, err := json.Marshal(ownerFile{Version: fileVersion, PIN: text})
	if err != nil {
		return fmt.Errorf("set the owner's PIN: %w", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if subtle.ConstantTimeCompare([]byte(o.text), []byte(before)) != 1 {
		return ErrOwnerSet // somebody else was quicker
	}
	if err := replaceFile(o.path, append(raw, '\n'), 0o600); err != nil {
		return fmt.Errorf("set the owner's PIN: %w", err)
	}
	o.text = text
	o.tries.forget()
	o.tries.save()
	return nil
}
