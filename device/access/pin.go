package access

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"

	"plenum/device/sitting"
)

// Hash is the cost of argon2id (RFC 9106). 64 MiB, 3 rounds, 1 thread is its second recommended choice with one lane,
// because a small box has few cores and they carry sound and picture.
type Hash struct {
	Memory  uint32 // KiB
	Rounds  uint32
	Threads uint8
}

// Bounds of a PIN, and of what a damaged file may make us compute.
const (
	minPIN    = 6
	maxPIN    = 32
	saltBytes = 16
	hashBytes = 32
	maxMemory = 1 << 20 // KiB
	maxRounds = 64
)

// stored is a PIN as it is kept: $argon2id$v=19$m=65536,t=3,p=1$salt$hash (PHC string format).
type stored struct {
	cost Hash
	salt []byte
	hash []byte
}

// SetPIN replaces the chair's PIN: 6 to 32 digits, not all the same and not a plain run (ErrWeakPIN). Every chair's
// session ends with the old PIN.
func (a *Access) SetPIN(pin string) error {
	if err := checkStrength(pin); err != nil {
		return err
	}
	hashed := hash(a.opts.Hash, a.hashing, pin)
	err := a.change(func(f *file, _ time.Time) error {
		f.PIN = hashed
		f.Sessions = nil
		return nil
	})
	if err != nil {
		return fmt.Errorf("set the PIN: %w", err)
	}
	a.tries.forget()
	a.tries.save()
	return nil
}

// hash makes the stored form of a PIN.
func hash(cost Hash, hashing chan struct{}, pin string) string {
	s := stored{cost: cost, salt: make([]byte, saltBytes)}
	rand.Read(s.salt) // never fails (crypto/rand)
	hashing <- struct{}{}
	s.hash = s.derive(pin)
	<-hashing
	return s.String()
}

// CheckPIN compares a PIN with the chair's. Source is where the try comes from; each source waits longer after every
// wrong try, up to a minute, and never for ever, also after a restart: see TooManyError. The box itself and places where
// the PIN was right before wait for nobody else's wrong tries. Other results are nil, ErrNoPIN, ErrWrongPIN, or the
// context's error when others stood in line for too long.
func (a *Access) CheckPIN(ctx context.Context, source netip.Addr, pin string) error {
	_, err := a.check(ctx, source, pin)
	return err
}

// check also gives the stored PIN that was compared with.
func (a *Access) check(ctx context.Context, source netip.Addr, pin string) (string, error) {
	a.mu.Lock()
	text := a.file.PIN
	a.mu.Unlock()
	if text == "" {
		return "", ErrNoPIN
	}
	if err := compare(ctx, a.tries, a.hashing, source, text, pin); err != nil {
		return "", err
	}
	return text, nil
}

// compare holds a PIN against a stored one. A wrong try makes the source wait, and only one is computed at a time. What
// a try changed is on disk before it is answered, so that a restart gives nobody another one.
func compare(ctx context.Context, t *tries, hashing chan struct{}, source netip.Addr, text, pin string) error {
	s, err := parseStored(text)
	if err != nil {
		return fmt.Errorf("check the PIN: %w", err)
	}
	stranger, err := t.begin(source)
	if err != nil {
		return err
	}
	if stranger {
		if err := enter(ctx, t.line); err != nil {
			return err
		}
		defer func() { <-t.line }()
	}
	if err := enter(ctx, hashing); err != nil {
		return err
	}
	right := len(pin) <= maxPIN && subtle.ConstantTimeCompare(s.derive(pin), s.hash) == 1
	<-hashing
	defer t.save()
	if !right {
		return ErrWrongPIN
	}
	t.passed(source)
	return nil
}

// enter waits for a place in a line.
func enter(ctx context.Context, line chan struct{}) error {
	select {
	case line <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("check the PIN: %w", ctx.Err())
	}
}

// Login checks the PIN as CheckPIN does and opens a session of the chair for the person. The session is kept on disk
// too, so that the chair's panel comes back by itself after a crash; it ends by itself, or when the PIN is set anew.
func (a *Access) Login(ctx context.Context, source netip.Addr, pin string, person sitting.PersonID) (string, Identity, error) {
	checked, err := a.check(ctx, source, pin)
	if err != nil {
		return "", Identity{}, err
	}
	token, hash := newToken()
	var c credential
	err = a.change(func(f *file, now time.Time) error {
		if f.PIN != checked {
			return ErrWrongPIN // set anew while we compared
		}
		c = credential{
			Person: person, Role: sitting.RoleChair, Hash: hash, Issued: now, Expires: now.Add(a.opts.SessionTTL),
		}
		f.Sessions = append(f.Sessions, c)
		f.Sessions = f.Sessions[max(0, len(f.Sessions)-maxSessions):]
		return nil
	})
	if err != nil {
		return "", Identity{}, fmt.Errorf("open a session: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return token, a.identity(c), nil
}

// HasPIN reports whether a PIN has been set.
func (a *Access) HasPIN() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.file.PIN != ""
}

func checkStrength(pin string) error {
	if len(pin) < minPIN || len(pin) > maxPIN || strings.Trim(pin, "0123456789") != "" {
		return fmt.Errorf("a PIN has %d to %d digits: %w", minPIN, maxPIN, ErrWeakPIN)
	}
	step := int(pin[1]) - int(pin[0])
	run := step >= -1 && step <= 1 && !slices.ContainsFunc(slices.Collect(steps(pin)), func(s int) bool { return s != step })
	if run {
		return fmt.Errorf("a PIN is not one digit repeated or a plain run: %w", ErrWeakPIN)
	}
	return nil
}

// steps yields the differences between neighbouring digits.
func steps(pin string) func(func(int) bool) {
	return func(yield func(int) bool) {
		for i := 1; i < len(pin); i++ {
			if !yield(int(pin[i]) - int(pin[i-1])) {
				return
			}
		}
	}
}

func (s stored) derive(pin string) []byte {
	return argon2.IDKey([]byte(pin), s.salt, s.cost.Rounds, s.cost.Memory, s.cost.Threads, hashBytes)
}

// String writes the PHC form.
func (s stored) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		s.cost.Memory, s.cost.Rounds, s.cost.Threads, b64.EncodeToString(s.salt), b64.EncodeToString(s.hash))
}

// parseStored reads the PHC form.
func parseStored(text string) (stored, error) {
	bad := func(what string) (stored, error) { return stored{}, errors.New("the stored PIN has a bad " + what) }
	part := strings.Split(text, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" {
		return bad("form")
	}
	if part[2] != "v="+strconv.Itoa(argon2.Version) {
		return bad("version")
	}
	var s stored
	cost := strings.Split(part[3], ",")
	if len(cost) != 3 {
		return bad("cost")
	}
	var n [3]uint64
	for i, limit := range []struct {
		name string
		max  uint64
	}{{"m=", maxMemory}, {"t=", maxRounds}, {"p=", 255}} {
		digits, ok := strings.CutPrefix(cost[i], limit.name)
		v, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil || v == 0 || v > limit.max {
			return bad("cost")
		}
		n[i] = v
	}
	s.cost = Hash{Memory: uint32(n[0]), Rounds: uint32(n[1]), Threads: uint8(n[2])}
	var err error
	if s.salt, err = base64.RawStdEncoding.DecodeString(part[4]); err != nil || len(s.salt) < 8 {
		return bad("salt")
	}
	if s.hash, err = base64.RawStdEncoding.DecodeString(part[5]); err != nil || len(s.hash) != hashBytes {
		return bad("hash")
	}
	return s, nil
}
