package access

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"plenum/device/sitting"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	start = time.Date(2026, 11, 23, 18, 0, 0, 0, time.UTC)
	hall  = netip.MustParseAddr("192.0.2.10")
	other = netip.MustParseAddr("198.51.100.7")
)

const pin = "402917"

// clock is a clock that tests set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// open opens a door with a cheap hash.
func open(t *testing.T, dir string, c *clock) *Access {
	t.Helper()
	a, err := Open(dir, Options{Now: c.Now, Hash: Hash{Memory: 64, Rounds: 1, Threads: 1}})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func closed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

func TestLinks(t *testing.T) {
	c := &clock{now: start}
	dir := t.TempDir()
	a := open(t, dir, c)
	first, err := a.Invite("p-anna", sitting.RoleMember, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if len(first) != 43 {
		t.Errorf("a token of 256 bits has 43 characters, got %d", len(first))
	}
	id, err := a.Resolve(first)
	if err != nil || id.Person != "p-anna" || id.Role != sitting.RoleMember || !id.Expires.Equal(start.Add(time.Hour)) {
		t.Fatalf("got %+v, %v", id, err)
	}

	second, err := a.Invite("p-anna", sitting.RoleMember, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Resolve(first); !errors.Is(err, ErrUnknown) {
		t.Errorf("the replaced link: got %v", err)
	}
	if !closed(id.Gone) {
		t.Error("who holds the replaced link was not told")
	}

	again := open(t, dir, c) // a restart
	id, err = again.Resolve(second)
	if err != nil || id.Person != "p-anna" || closed(id.Gone) {
		t.Fatalf("after a restart: %+v, %v", id, err)
	}
	if err := again.Revoke("p-anna"); err != nil || !closed(id.Gone) {
		t.Errorf("revoke: %v, told %v", err, closed(id.Gone))
	}
	if err := again.Revoke("p-anna"); !errors.Is(err, ErrUnknown) {
		t.Errorf("revoke twice: %v", err)
	}
	if _, err := open(t, dir, c).Resolve(second); !errors.Is(err, ErrUnknown) {
		t.Errorf("a revoked link after a restart: %v", err)
	}
}

func TestLinksExpire(t *testing.T) {
	c := &clock{now: start}
	a := open(t, t.TempDir(), c)
	token, err := a.Invite("p-anna", sitting.RoleGuest, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	c.pass(time.Hour)
	if _, err := a.Resolve(token); !errors.Is(err, ErrExpired) {
		t.Errorf("got %v, want %v", err, ErrExpired)
	}
	c.pass(31 * 24 * time.Hour)
	if _, err := a.Invite("p-ben", sitting.RoleMember, time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Resolve(token); !errors.Is(err, ErrUnknown) {
		t.Errorf("long expired: got %v, want %v", err, ErrUnknown)
	}
}

func TestInviteRefuses(t *testing.T) {
	a := open(t, t.TempDir(), &clock{now: start})
	for _, role := range []sitting.Role{sitting.RoleChair, sitting.RoleOperator, sitting.RoleBox, "", "mayor"} {
		if _, err := a.Invite("p-anna", role, time.Hour); !errors.Is(err, ErrRole) {
			t.Errorf("link as %q: got %v, want %v", role, err, ErrRole)
		}
	}
	if _, err := a.Invite("", sitting.RoleMember, time.Hour); err == nil {
		t.Error("a link for nobody was made")
	}
	if _, err := a.Invite("p-anna", sitting.RoleMember, 0); err == nil {
		t.Error("a link without an end was made")
	}
}

func TestResolveUnknown(t *testing.T) {
	a := open(t, t.TempDir(), &clock{now: start})
	for _, token := range []string{"", "x", strings.Repeat("A", 43), strings.Repeat("A", 1<<20)} {
		if _, err := a.Resolve(token); !errors.Is(err, ErrUnknown) {
			t.Errorf("%.10q: got %v", token, err)
		}
	}
}

func TestChairSession(t *testing.T) {
	c := &clock{now: start}
	dir := t.TempDir()
	a := open(t, dir, c)
	ctx := t.Context()
	if _, _, err := a.Login(ctx, hall, pin, "p-chair"); !errors.Is(err, ErrNoPIN) || a.HasPIN() {
		t.Fatalf("without a PIN: %v", err)
	}
	if err := a.SetPIN(pin); err != nil {
		t.Fatal(err)
	}
	token, id, err := a.Login(ctx, hall, pin, "p-chair")
	if err != nil {
		t.Fatal(err)
	}
	if id.Role != sitting.RoleChair || id.Person != "p-chair" || !id.Expires.Equal(start.Add(12*time.Hour)) || id.Single() {
		t.Errorf("got %+v", id)
	}

	a = open(t, dir, c) // kill -9 and again: the panel comes back by itself
	id, err = a.Resolve(token)
	if err != nil || id.Role != sitting.RoleChair {
		t.Fatalf("after a restart: %+v, %v", id, err)
	}
	if err := a.SetPIN("918273"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Resolve(token); !errors.Is(err, ErrUnknown) || !closed(id.Gone) {
		t.Errorf("session of the old PIN: %v, told %v", err, closed(id.Gone))
	}

	token, _, err = a.Login(ctx, hall, "918273", "p-chair")
	if err != nil {
		t.Fatal(err)
	}
	c.pass(12 * time.Hour)
	if _, err := a.Resolve(token); !errors.Is(err, ErrExpired) {
		t.Errorf("after 12 h: %v", err)
	}
}

func TestSessionsAreBounded(t *testing.T) {
	a := open(t, t.TempDir(), &clock{now: start})
	if err := a.SetPIN(pin); err != nil {
		t.Fatal(err)
	}
	var tokens []string
	for range maxSessions + 1 {
		token, _, err := a.Login(t.Context(), hall, pin, "p-chair")
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, token)
	}
	if _, err := a.Resolve(tokens[0]); !errors.Is(err, ErrUnknown) {
		t.Errorf("the oldest session: %v", err)
	}
	if _, err := a.Resolve(tokens[1]); err != nil {
		t.Errorf("the second oldest session: %v", err)
	}
}

func TestNothingSecretOnDisk(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir, &clock{now: start})
	if err := a.SetPIN(pin); err != nil {
		t.Fatal(err)
	}
	link, err := a.Invite("p-anna", sitting.RoleMember, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	session, _, err := a.Login(t.Context(), hall, pin, "p-chair")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "access.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{link, session, `"` + pin + `"`} {
		if strings.Contains(string(raw), secret) {
			t.Errorf("the file holds %q", secret)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "access.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestOpenRefuses(t *testing.T) {
	good := `{"version":1,"invitations":[],"sessions":[]}`
	tests := []struct {
		name, text string
		mode       os.FileMode
		want       error
	}{
		{"readable by the group", good, 0o640, ErrTooWide},
		{"readable by all", good, 0o604, ErrTooWide},
		{"empty", "", 0o600, ErrDamaged},
		{"cut off", good[:20], 0o600, ErrDamaged},
		{"unknown key", `{"version":1,"backdoor":true}`, 0o600, ErrDamaged},
		{"two objects", good + good, 0o600, ErrDamaged},
		{"newer", `{"version":2}`, 0o600, ErrDamaged},
		{"too big", strings.Repeat(" ", maxFile+1), 0o600, ErrDamaged},
		{"chair by link", `{"version":1,"invitations":[{"person":"p","role":"chair","sha256":"` + strings.Repeat("0", 64) + `"}]}`, 0o600, ErrRole},
		{"member by session", `{"version":1,"sessions":[{"person":"p","role":"member","sha256":"` + strings.Repeat("0", 64) + `"}]}`, 0o600, ErrDamaged},
		{"short hash", `{"version":1,"invitations":[{"person":"p","role":"member","sha256":"00"}]}`, 0o600, ErrDamaged},
		{"bad PIN", `{"version":1,"pin":"123456"}`, 0o600, ErrDamaged},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "access.json")
			if err := os.WriteFile(path, []byte(tt.text), tt.mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, tt.mode); err != nil { // whatever the umask is
				t.Fatal(err)
			}
			if _, err := Open(dir, Options{}); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// A file that cannot be written changes nothing.
func TestChangeIsDurableOrNothing(t *testing.T) {
	dir := t.TempDir()
	a := open(t, filepath.Join(dir, "gone"), &clock{now: start})
	if _, err := a.Invite("p-anna", sitting.RoleMember, time.Hour); err == nil {
		t.Fatal("invited without a disk")
	}
	if n := len(a.file.Invitations); n != 0 {
		t.Errorf("%d links count without being on disk", n)
	}
	if err := a.SetPIN(pin); err == nil || a.HasPIN() {
		t.Error("a PIN counts without being on disk")
	}
}

// The PIN that is set while another is being compared wins.
func TestLoginRacesSetPIN(t *testing.T) {
	a := open(t, t.TempDir(), &clock{now: start})
	if err := a.SetPIN(pin); err != nil {
		t.Fatal(err)
	}
	a.hashing <- struct{}{} // hold the login at the comparison
	done := make(chan error, 1)
	go func() {
		_, _, err := a.Login(context.Background(), hall, pin, "p-chair")
		done <- err
	}()
	for { // the try is counted just before the comparison
		a.tries.mu.Lock()
		waiting := len(a.tries.strangers) > 0
		a.tries.mu.Unlock()
		if waiting {
			break
		}
		time.Sleep(time.Millisecond)
	}
	err := a.change(func(f *file, _ time.Time) error {
		s := stored{cost: a.opts.Hash, salt: make([]byte, saltBytes)}
		s.hash = s.derive("918273")
		f.PIN = s.String()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	<-a.hashing
	if err := <-done; !errors.Is(err, ErrWrongPIN) {
		t.Errorf("got %v, want %v", err, ErrWrongPIN)
	}
}

func TestConcurrentUse(t *testing.T) {
	a := open(t, t.TempDir(), &clock{now: start})
	if err := a.SetPIN(pin); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 4 {
		person := sitting.PersonID("p-" + string(rune('a'+i)))
		wg.Go(func() {
			for range 5 {
				token, err := a.Invite(person, sitting.RoleMember, time.Hour)
				if err != nil {
					t.Error(err)
					return
				}
				if id, err := a.Resolve(token); err != nil || id.Person != person {
					t.Errorf("got %+v, %v", id, err)
				}
			}
		})
		wg.Go(func() {
			if err := a.CheckPIN(t.Context(), hall, pin); err != nil && !errors.As(err, new(*TooManyError)) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func FuzzParseFile(f *testing.F) {
	f.Add([]byte(`{"version":1,"pin":"$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","invitations":[],"sessions":[]}`))
	f.Add([]byte(`{"version":1,"sessions":[{"role":"chair","sha256":"` + strings.Repeat("ab", 32) + `"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := parse(raw)
		if err != nil {
			return
		}
		for _, c := range got.Invitations {
			if c.Role == sitting.RoleChair {
				t.Fatal("the chair's role by link")
			}
		}
		text, err := json.Marshal(got)
		if err != nil {
			t.Skip("a time that JSON cannot write back")
		}
		if _, err := parse(text); err != nil {
			t.Fatalf("cannot be read again: %v", err)
		}
	})
}

// A token is handed over on command lines too.
func TestTokensAreNoOptions(t *testing.T) {
	for range 2000 {
		if token, _ := newToken(); token[0] == '-' {
			t.Fatal(token)
		}
	}
}
