package access

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const wrongPIN = "111222"

var (
	boxAt = netip.MustParseAddr("127.0.0.1")
	box6  = netip.MustParseAddr("::1")
)

// siege is a door under attack by strangers from several addresses, who try whenever they may.
type siege struct {
	t       *testing.T
	dir     string
	clock   *clock
	door    *Access
	guesses int // that were checked
	step    time.Duration
	from    []netip.Addr
}

func newSiege(t *testing.T, attackers int) *siege {
	t.Helper()
	if _, err := os.Stat("/dev/shm"); err == nil {
		t.Setenv("TMPDIR", "/dev/shm") // hours of guessing are hundreds of files; a disk would take minutes
	}
	s := &siege{t: t, dir: t.TempDir(), clock: &clock{now: start}, step: time.Second}
	s.restart()
	if err := s.door.SetPIN(pin); err != nil {
		t.Fatal(err)
	}
	for i := range attackers {
		s.from = append(s.from, netip.AddrFrom4([4]byte{203, 0, byte(113 + i/250), byte(1 + i%250)}))
	}
	return s
}

func (s *siege) restart() { s.door = open(s.t, s.dir, s.clock) }

// goOn lets each attacker guess at every step for a while, and once more: whoever else stands there finds what they left.
func (s *siege) goOn(d time.Duration) {
	s.t.Helper()
	s.guess()
	for range int(d / s.step) {
		s.clock.pass(s.step)
		s.guess()
	}
}

// guess lets each attacker guess once.
func (s *siege) guess() {
	s.t.Helper()
	for _, at := range s.from {
		switch err := pinCheck(s.t, s.door, at, wrongPIN); {
		case errors.Is(err, ErrWrongPIN):
			s.guesses++
		case !errors.As(err, new(*TooManyError)):
			s.t.Fatal(err)
		}
	}
}

// signIn expects that somebody is let in, at once.
func (s *siege) signIn(who string, at netip.Addr) {
	s.t.Helper()
	if _, _, err := s.door.Login(s.t.Context(), at, pin, "p-chair"); err != nil {
		s.t.Errorf("%s at %v: %v", who, at, err)
	}
}

// Eight strangers who guess for hours keep nobody out but themselves: not the box itself, not a known place, not somebody
// at a new place, before a restart and after it.
func TestStrangersKeepNobodyOut(t *testing.T) {
	for _, attackers := range []int{1, 6, 8, 30} {
		t.Run(fmt.Sprint(attackers), func(t *testing.T) {
			s := newSiege(t, attackers)
			s.signIn("before the attack", hall)
			fresh := byte(0)
			newcomer := func() netip.Addr { fresh++; return netip.AddrFrom4([4]byte{198, 51, 100, fresh}) }
			for _, d := range []time.Duration{time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute} {
				s.goOn(d)
				s.signIn("the box", boxAt)
				s.signIn("a known place", hall)
				if attackers <= 8 {
					s.signIn("somebody new", newcomer())
				}
				s.restart()
				s.goOn(time.Second)
				s.signIn("the box after a restart", box6)
				s.signIn("a known place after a restart", hall)
			}
			s.goOn(30 * time.Minute)
			at := newcomer()
			s.signIn("somebody new", at)
			s.signIn("and again there", at)
			s.restart()
			s.signIn("somebody new after a restart", newcomer())
			at = newcomer()
			for range 2 { // mistyped twice
				if err := pinCheck(t, s.door, at, wrongPIN); !errors.Is(err, ErrWrongPIN) {
					t.Errorf("a mistake of somebody new: %v", err)
				}
				s.goOn(5 * time.Second)
			}
			s.signIn("somebody new at the third try", at)
			hours := s.clock.Now().Sub(start).Hours()
			if most := 40 + int(hours*360); s.guesses > most {
				t.Errorf("%d guesses in %.1f hours, at most %d", s.guesses, hours, most)
			}
		})
	}
}

// However many they are, strangers get so many tries and no more, and their mistakes are nobody else's.
func TestStrangersShareAnAllowance(t *testing.T) {
	s := newSiege(t, 600)
	s.step = sharedEvery
	s.signIn("before the attack", hall)
	s.goOn(10 * time.Minute)
	if most := sharedTries + 60; s.guesses > most || s.guesses < most-1 {
		t.Errorf("%d guesses, want %d", s.guesses, most)
	}
	s.signIn("the box", boxAt)
	s.signIn("a known place", hall)
	many, ok := errors.AsType[*TooManyError](pinCheck(t, s.door, other, pin))
	if !ok || !many.Others || many.Wait > sharedEvery {
		t.Errorf("somebody new among so many: %v", many)
	}
	if n := len(s.door.tries.strangers); n > maxStrangers {
		t.Errorf("%d strangers are remembered", n)
	}
	s.goOn(2 * time.Hour)
	if n := len(s.door.tries.strangers); n > maxStrangers {
		t.Errorf("%d strangers are remembered", n)
	}
	info, err := os.Stat(filepath.Join(s.dir, "tries.json"))
	if err != nil || info.Size() > 64<<10 || info.Mode() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	s.restart()
	s.signIn("the box after a restart", boxAt)
	s.signIn("a known place after a restart", hall)
}

// A wait is as long after a restart as before it: at the box, at a known place and for a stranger.
func TestWaitsSurviveARestart(t *testing.T) {
	for _, tt := range []struct {
		name  string
		at    netip.Addr
		known bool
	}{{"box", boxAt, false}, {"box, IPv6", box6, false}, {"known", hall, true}, {"stranger", other, false}} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSiege(t, 0)
			if tt.known {
				s.signIn("first", tt.at)
			}
			for i, want := range []time.Duration{0, 0, 1, 2, 4, 8, 16, 32, 60, 60} {
				if err := pinCheck(t, s.door, tt.at, wrongPIN); !errors.Is(err, ErrWrongPIN) {
					t.Fatalf("try %d: %v", i+1, err)
				}
				s.restart()
				if want == 0 {
					continue
				}
				want *= time.Second
				s.clock.pass(want - time.Second)
				s.restart()
				many, ok := errors.AsType[*TooManyError](pinCheck(t, s.door, tt.at, pin))
				if !ok || many.Wait != time.Second || many.Others {
					t.Fatalf("try %d: %v a second before the end of %v", i+1, many, want)
				}
				s.clock.pass(time.Second)
			}
			s.signIn("never for ever", tt.at)
			s.restart()
			for range freeTries { // it was known and its mistakes forgiven
				if err := pinCheck(t, s.door, tt.at, wrongPIN); !errors.Is(err, ErrWrongPIN) {
					t.Error(err)
				}
			}
		})
	}
}

// Who is in the same IPv6 network as a known place is a stranger there, and all of that network are one.
func TestNetworksOfIPv6(t *testing.T) {
	s := newSiege(t, 0)
	tablet := netip.MustParseAddr("2001:db8:1:2::10")
	s.signIn("first", tablet)
	checked := 0
	for i := range 200 {
		at := netip.MustParseAddr(fmt.Sprintf("2001:db8:1:2::bad:%x", i))
		if errors.Is(pinCheck(t, s.door, at, wrongPIN), ErrWrongPIN) {
			checked++
		}
	}
	if checked != freeTries {
		t.Errorf("%d guesses of one network, want %d", checked, freeTries)
	}
	s.signIn("beside them", tablet)
	s.signIn("elsewhere", netip.MustParseAddr("2001:db8:1:3::10"))
	for _, same := range [][2]string{
		{"192.0.2.77", "::ffff:192.0.2.77"}, {"fe80::1%eth0", "fe80::1%eth1"}, {"::ffff:127.0.0.1", "127.8.8.8"}, {"::1", "127.0.0.1"},
	} {
		s := newSiege(t, 0)
		for i := range freeTries + 1 {
			err := pinCheck(t, s.door, netip.MustParseAddr(same[i%2]), wrongPIN)
			if errors.Is(err, ErrWrongPIN) != (i < freeTries) {
				t.Errorf("%v are one source; try %d: %v", same, i+1, err)
			}
		}
	}
}

// Known places are so many at most; who signed in longest ago is a stranger again. Of unknown origin nobody is known.
func TestKnownPlacesAreBounded(t *testing.T) {
	s := newSiege(t, 0)
	for i := range 3 * maxPlaces {
		s.signIn("one of many", netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}))
	}
	s.signIn("of unknown origin", netip.Addr{})
	s.restart()
	known := s.door.tries.known
	if len(known) != maxPlaces || known[maxPlaces-1].At != netip.AddrFrom4([4]byte{10, 0, 0, 3 * maxPlaces}) {
		t.Errorf("%d are known: %v", len(known), known)
	}
}

// A new PIN lets everybody start anew, and the known places are known still, also after a restart.
func TestNewPINForgives(t *testing.T) {
	s := newSiege(t, 8)
	s.signIn("before", hall)
	for range freeTries {
		_ = pinCheck(t, s.door, boxAt, wrongPIN)
		_ = pinCheck(t, s.door, hall, wrongPIN)
	}
	s.goOn(time.Hour)
	if err := s.door.SetPIN(pin); err != nil {
		t.Fatal(err)
	}
	s.restart()
	s.signIn("the box", boxAt)
	s.goOn(time.Minute)
	s.signIn("a known place", hall)
}

// A stranger who is being checked lets another one wait, and the box itself not.
func TestStrangersHaveALineOfTheirOwn(t *testing.T) {
	s := newSiege(t, 0)
	s.door.tries.line <- struct{}{} // a stranger is being checked, and does not come to an end
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.door.CheckPIN(gone, other, pin); !errors.Is(err, context.Canceled) {
		t.Errorf("another stranger: %v", err)
	}
	s.signIn("the box", boxAt)
	<-s.door.tries.line
	s.signIn("the stranger", other)
}

// The owner's PIN and the chair's are two doors: what is mistaken or known at one says nothing at the other.
func TestDoorsDoNotMix(t *testing.T) {
	s := newSiege(t, 0)
	opts := Options{Now: s.clock.Now, Hash: Hash{Memory: 64, Rounds: 1, Threads: 1}}
	owner, err := OpenOwner(s.dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Set(t.Context(), boxAt, "", "271828"); err != nil {
		t.Fatal(err)
	}
	for range freeTries {
		if err := owner.Check(t.Context(), boxAt, pin); !errors.Is(err, ErrWrongPIN) {
			t.Error(err)
		}
	}
	s.restart()
	s.signIn("the chair", boxAt)
	if owner, err = OpenOwner(s.dir, opts); err != nil {
		t.Fatal(err)
	}
	if err := owner.Check(t.Context(), boxAt, "271828"); !errors.As(err, new(*TooManyError)) {
		t.Errorf("the owner after a restart: %v", err)
	}
	s.clock.pass(time.Second)
	if err := owner.Check(t.Context(), boxAt, "271828"); err != nil {
		t.Error(err)
	}
}
