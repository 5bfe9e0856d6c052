// Package access is the door of the house: the chair's PIN, the chair's sessions, the personal links, and the box's own
// certificate authority by which browsers know that they talk to the box.
//
// No secret is kept: of a PIN its argon2id hash, of a token its SHA-256. The chair comes in by PIN only; a link never
// carries the chair's role (requirement N14).
package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"plenum/device/sitting"
)

// RoleScreen is the role of a screen in the hall: it sees what everybody sees and may ask for nothing. It is no role of
// a person, so the core does not know it and refuses whatever it asks for.
const RoleScreen sitting.Role = "screen"

// Errors callers branch on.
var (
	ErrUnknown   = errors.New("this link or session is not known here")
	ErrExpired   = errors.New("this link or session has expired")
	ErrRole      = errors.New("a link cannot carry this role")
	ErrNoPIN     = errors.New("no PIN has been set")
	ErrWrongPIN  = errors.New("the PIN is wrong")
	ErrWeakPIN   = errors.New("the PIN is too easy to guess")
	ErrTooWide   = errors.New("others may read or write this file")
	ErrDamaged   = errors.New("the file cannot be understood")
	errNoPerson  = errors.New("a link needs a person")
	errBadExpiry = errors.New("a link needs a time in the future at which it expires")
)

// Identity is who a token stands for.
type Identity struct {
	Person  sitting.PersonID
	Role    sitting.Role
	Expires time.Time
	Gone    <-chan struct{} // closed when the token was revoked or replaced; expiry does not close it
}

// Single reports whether this identity may have one session at a time only. A personal link is for one person in one
// place; the chair and the screens may stand on several tables.
func (i Identity) Single() bool {
	return i.Role != sitting.RoleChair && i.Role != RoleScreen
}

// Options are what Open can be told. The zero value is right for the appliance.
type Options struct {
	Now        func() time.Time // the clock; nil: time.Now
	SessionTTL time.Duration    // how long a chair's session lasts; 0: 12 h
	Hash       Hash             // cost of a PIN check; zero: 64 MiB, 3 rounds, 1 thread
	Log        *slog.Logger     // nil: nothing is said
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.SessionTTL == 0 {
		o.SessionTTL = 12 * time.Hour
	}
	if o.Hash == (Hash{}) {
		o.Hash = Hash{Memory: 64 << 10, Rounds: 3, Threads: 1}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Access is the door. It is safe for concurrent use.
type Access struct {
	path string
	opts Options

	tries   *tries
	hashing chan struct{} // one argon2id at a time: each takes Hash.Memory

	mu   sync.Mutex
	file file
	gone map[digest]chan struct{} // one per credential of file
}

// Limits that keep the file small whatever happens.
const (
	maxSessions = 16               // the chair's; the oldest falls off
	keepExpired = 30 * 24 * 3600e9 // ns an expired credential is remembered, to say "expired" instead of "unknown"
	tokenBytes  = 32
)

// Open reads access.json in dir, or starts without a PIN and without links when there is none. It refuses a file that
// others than its owner may read (ErrTooWide) and one that it does not understand (ErrDamaged): losing every block and
// link silently would be worse than not starting. Beside it stands tries.json, which remembers wrong PINs and the places
// where it was right; nothing about that file keeps the box from starting.
func Open(dir string, opts Options) (*Access, error) {
	opts = opts.withDefaults()
	a := &Access{
		path:    filepath.Join(dir, "access.json"),
		opts:    opts,
		tries:   openTries(filepath.Join(dir, "tries.json"), opts),
		hashing: make(chan struct{}, 1),
		gone:    make(map[digest]chan struct{}),
	}
	f, err := load(a.path)
	if err != nil {
		return nil, err
	}
	a.file = f
	for _, c := range f.credentials() {
		a.gone[c.Hash] = make(chan struct{})
	}
	return a, nil
}

// Invite makes the personal link of a person: 256 random bits in base64url. The person's earlier link ends with it.
// Role is what the person may do by the link, never the chair's (ErrRole). A screen has a name of its own as person.
func (a *Access) Invite(person sitting.PersonID, role sitting.Role, ttl time.Duration) (string, error) {
	switch role {
	case sitting.RoleMember, sitting.RoleClerk, sitting.RoleGuest, RoleScreen:
	default:
		return "", fmt.Errorf("invite %s as %q: %w", person, role, ErrRole)
	}
	if person == "" {
		return "", errNoPerson
	}
	if ttl <= 0 {
		return "", errBadExpiry
	}
	token, hash := newToken()
	err := a.change(func(f *file, now time.Time) error {
		f.Invitations = append(without(f.Invitations, person), credential{
			Person: person, Role: role, Hash: hash, Issued: now, Expires: now.Add(ttl),
		})
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("invite %s: %w", person, err)
	}
	return token, nil
}

// Revoke ends the link of a person. It returns ErrUnknown when the person has none.
func (a *Access) Revoke(person sitting.PersonID) error {
	err := a.change(func(f *file, _ time.Time) error {
		left := without(f.Invitations, person)
		if len(left) == len(f.Invitations) {
			return ErrUnknown
		}
		f.Invitations = left
		return nil
	})
	if err != nil {
		return fmt.Errorf("revoke the link of %s: %w", person, err)
	}
	return nil
}

// Resolve tells who a token stands for: a link's or a chair's session. It returns ErrUnknown or ErrExpired.
// The token is looked up by its hash, so the time taken tells nothing about the tokens there are.
func (a *Access) Resolve(token string) (Identity, error) {
	if len(token) != base64.RawURLEncoding.EncodedLen(tokenBytes) {
		return Identity{}, ErrUnknown
	}
	hash := digest(sha256.Sum256([]byte(token)))
	now := a.opts.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.file.credentials() {
		if c.Hash != hash {
			continue
		}
		if !now.Before(c.Expires) {
			return Identity{}, ErrExpired
		}
		return a.identity(c), nil
	}
	return Identity{}, ErrUnknown
}

// identity is what a credential stands for. a.mu is held.
func (a *Access) identity(c credential) Identity {
	return Identity{Person: c.Person, Role: c.Role, Expires: c.Expires, Gone: a.gone[c.Hash]}
}

// change edits a copy of the file, makes it durable and only then lets it count. What disappeared by it is told to
// those who hold it.
func (a *Access) change(edit func(*file, time.Time) error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.opts.Now()
	next := a.file.clone()
	if err := edit(&next, now); err != nil {
		return err
	}
	next.forget(now.Add(-keepExpired))
	if err := next.save(a.path); err != nil {
		return err
	}
	a.file = next
	left := make(map[digest]bool)
	for _, c := range next.credentials() {
		left[c.Hash] = true
		if a.gone[c.Hash] == nil {
			a.gone[c.Hash] = make(chan struct{})
		}
	}
	for hash, gone := range a.gone {
		if !left[hash] {
			close(gone)
			delete(a.gone, hash)
		}
	}
	return nil
}

// newToken makes 256 random bits as text, and what is kept of them. The text does not begin with a dash, so that no
// command line takes it for an option.
func newToken() (string, digest) {
	var raw [tokenBytes]byte
	for {
		rand.Read(raw[:]) // never fails: crypto/rand ends the program instead
		if token := base64.RawURLEncoding.EncodeToString(raw[:]); token[0] != '-' {
			return token, digest(sha256.Sum256([]byte(token)))
		}
	}
}

// without leaves out the credentials of a person.
func without(list []credential, person sitting.PersonID) []credential {
	return slices.DeleteFunc(slices.Clone(list), func(c credential) bool { return c.Person == person })
}
