package access

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A box without a clock of its own believes in 1970 after each start. That lets nobody in sooner, and keeps nobody out
// for longer than the wait there was.
func TestClockOfTheNextStart(t *testing.T) {
	for _, to := range []time.Time{
		time.Unix(0, 0).UTC(), start.Add(-time.Minute), time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		t.Run(to.Format(time.DateOnly), func(t *testing.T) {
			s := newSiege(t, 8)
			s.signIn("before", hall)
			s.goOn(time.Hour)
			for range freeTries {
				_ = pinCheck(t, s.door, boxAt, wrongPIN)
				_ = pinCheck(t, s.door, hall, wrongPIN)
			}
			s.clock.pass(to.Sub(s.clock.Now()))
			for s.clock.Now().Before(to) || s.clock.Now().After(to) { // a Duration holds 292 years
				s.clock.pass(to.Sub(s.clock.Now()))
			}
			s.restart()
			for _, at := range []netip.Addr{boxAt, hall} {
				many, _ := errors.AsType[*TooManyError](pinCheck(t, s.door, at, pin))
				if back := to.Before(start); (many != nil) != back || back && many.Wait > time.Second {
					t.Errorf("%v: %v", at, many)
				}
			}
			s.clock.pass(time.Second)
			s.signIn("the box", boxAt)
			s.signIn("a known place", hall)
			s.guesses = 0
			s.goOn(time.Minute)
			if s.guesses > sharedTries+6 {
				t.Errorf("%d guesses by the other clock", s.guesses)
			}
			s.clock.pass(10 * time.Second)
			s.signIn("somebody new", other)
		})
	}
}

// Whatever became of the file, the door opens and the box itself signs in; strangers gain no try by it.
func TestDamagedTries(t *testing.T) {
	write := func(text string) func(string) error {
		return func(path string) error { return os.WriteFile(path, []byte(text), 0o600) }
	}
	whole := `{"version":1,"box":{"wrong":0},"known":[],"strangers":[]}`
	for name, damage := range map[string]func(path string) error{
		"empty": write(""), "cut": write(`{"version":1,"box":{"wro`), "zeros": write(string(make([]byte, 4096))),
		"another": write(`[]`), "null": write(`null`), "newer": write(`{"version":2}`), "twice": write(whole + whole),
		"negative": write(`{"version":1,"box":{"wrong":-5}}`), "huge number": write(`{"version":1,"box":{"wrong":1e300}}`),
		"the greatest number": write(`{"version":1,"box":{"wrong":9223372036854775807}}`),
		"loopback is known":   write(`{"version":1,"known":[{"at":"127.0.0.1"}]}`), "no address": write(`{"version":1,"known":[{"at":""}]}`),
		"a stranger with bits":  write(`{"version":1,"strangers":[{"at":"10.0.0.0/8"}]}`),
		"a time that cannot be": write(`{"version":1,"shared":"yesterday"}`), "huge": write(string(make([]byte, maxFile+1))),
		"others may read": func(path string) error { return os.Chmod(path, 0o644) },
		"a folder":        func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
		"a link to nothing": func(path string) error {
			return errors.Join(os.Remove(path), os.Symlink(path+".gone", path))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSiege(t, 8)
			s.signIn("before", hall)
			s.goOn(time.Minute)
			if err := damage(filepath.Join(s.dir, "tries.json")); err != nil {
				t.Fatal(err)
			}
			s.guesses = 0
			s.restart()
			s.signIn("the box", boxAt)
			s.goOn(time.Minute)
			if free := name == "a link to nothing"; s.guesses > 6 && !free { // that looks as if there never was one
				t.Errorf("%d guesses in a minute", s.guesses)
			}
			s.clock.pass(sharedEvery)
			s.signIn("the place that was known", hall)
			s.restart()
			s.goOn(time.Minute)
			s.signIn("and is again", hall)
		})
	}
}

// A disk that takes nothing keeps nobody from trying, and the waits hold until the next start.
func TestTriesOnAFullDisk(t *testing.T) {
	s := newSiege(t, 0)
	if err := os.RemoveAll(s.dir); err != nil {
		t.Fatal(err)
	}
	for i := range freeTries + 1 {
		if err := pinCheck(t, s.door, other, wrongPIN); errors.Is(err, ErrWrongPIN) != (i < freeTries) {
			t.Errorf("try %d: %v", i+1, err)
		}
	}
	if err := pinCheck(t, s.door, hall, pin); err != nil {
		t.Error(err)
	}
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := pinCheck(t, s.door, boxAt, pin); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "tries.json")); err != nil {
		t.Error("written down as soon as it can be:", err)
	}
}

// A stranger who is refused costs the disk nothing.
func TestRefusedTriesCostNothing(t *testing.T) {
	s := newSiege(t, 8)
	s.goOn(time.Hour)
	before, err := os.Stat(filepath.Join(s.dir, "tries.json"))
	if err != nil {
		t.Fatal(err)
	}
	s.guesses = 0
	for range 1000 {
		s.guess()
	}
	after, err := os.Stat(filepath.Join(s.dir, "tries.json"))
	if err != nil || s.guesses > 0 || !os.SameFile(before, after) {
		t.Errorf("%d guesses were checked; written: %v %v", s.guesses, !os.SameFile(before, after), err)
	}
}

// Whatever the file says, what is taken from it is bounded, and is read again as it was written.
func FuzzParseTries(f *testing.F) {
	f.Add(`{"version":1,"box":{"wrong":4,"last":"2026-11-23T18:00:00Z"},"known":[{"at":"192.0.2.10","wrong":0},{"at":"2001:db8::1","wrong":1}],` +
		`"strangers":[{"at":"203.0.113.1/32","wrong":9},{"at":"2001:db8::/64","wrong":1},{"at":"","wrong":1}],"shared":"2026-11-23T18:00:00Z"}`)
	f.Add(`{"version":1,"known":[{"at":"::ffff:127.0.0.1"}],"strangers":[{"at":"fe80::1/64"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseTries([]byte(text))
		if err != nil {
			return
		}
		got.carry(start)
		if got.Box.settle(start, forgetPlace); got.Box.wait(start) > maxWait {
			t.Fatalf("the box waits %v", got.Box.wait(start))
		}
		for _, p := range got.Known {
			if p.At.Unmap().IsLoopback() {
				t.Fatalf("%v is known", p.At)
			}
		}
		raw, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseTries(raw); err != nil {
			t.Fatalf("written %s, read %v", raw, err)
		}
	})
}
