package access

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// pinCheck tries a PIN.
func pinCheck(t *testing.T, a *Access, from netip.Addr, pin string) error {
	t.Helper()
	return a.CheckPIN(t.Context(), from, pin)
}

func TestPINStrength(t *testing.T) {
	a := open(t, t.TempDir(), &clock{now: start})
	for _, weak := range []string{
		"", "12345", "000000", "99999999", "123456", "654321", "456789", "12345a", "４０２９１７", " 402917",
		"402917402917402917402917402917402",
	} {
		if err := a.SetPIN(weak); !errors.Is(err, ErrWeakPIN) {
			t.Errorf("%q: got %v, want %v", weak, err, ErrWeakPIN)
		}
	}
	for _, fair := range []string{"402917", "123457", "112233", "246801", "135791"} {
		if err := a.SetPIN(fair); err != nil {
			t.Errorf("%q: %v", fair, err)
		}
	}
}

// What a PIN costs when nobody says otherwise is what RFC 9106 recommends. All other tests have a cheap one.
func TestUsualCost(t *testing.T) {
	a, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.SetPIN(pin); err != nil {
		t.Fatal(err)
	}
	if got := a.file.PIN; !strings.HasPrefix(got, "$argon2id$v=19$m=65536,t=3,p=1$") {
		t.Errorf("%.40s", got)
	}
	if err := pinCheck(t, a, hall, pin); err != nil {
		t.Error(err)
	}
}

func TestWrongPINWaits(t *testing.T) {
	c := &clock{now: start}
	a := open(t, t.TempDir(), c)
	if err := a.SetPIN(pin); err != nil {
		t.Fatal(err)
	}
	for i, want := range []time.Duration{0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60} {
		want *= time.Second
		if err := pinCheck(t, a, hall, "111222"); !errors.Is(err, ErrWrongPIN) {
			t.Fatalf("try %d: got %v, want %v", i+1, err, ErrWrongPIN)
		}
		err := pinCheck(t, a, hall, pin)
		if want == 0 {
			if err != nil {
				t.Fatalf("try %d: the right PIN: %v", i+1, err)
			}
			// That forgave the wrong tries; make them again.
			for range i + 1 {
				if err := pinCheck(t, a, hall, "111222"); !errors.Is(err, ErrWrongPIN) {
					t.Fatal(err)
				}
			}
			continue
		}
		many, ok := errors.AsType[*TooManyError](err)
		if !ok || many.Wait != want {
			t.Fatalf("try %d: got %v, want a wait of %v", i+1, err, want)
		}
		c.pass(want)
	}
	if err := pinCheck(t, a, hall, pin); err != nil {
		t.Errorf("never for ever: %v", err)
	}
}

func FuzzParseStored(f *testing.F) {
	s := stored{cost: Hash{Memory: 64, Rounds: 1, Threads: 1}, salt: make([]byte, saltBytes), hash: make([]byte, hashBytes)}
	f.Add(s.String())
	f.Add("$argon2id$v=19$m=0,t=0,p=0$$")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseStored(text)
		if err != nil {
			return
		}
		if got.cost.Memory > maxMemory || got.cost.Rounds > maxRounds || got.cost.Rounds == 0 || got.cost.Threads == 0 {
			t.Fatalf("%q costs %+v", text, got.cost)
		}
		if again, err := parseStored(got.String()); err != nil || again.String() != got.String() {
			t.Fatalf("%q: written %q, read %v", text, got.String(), err)
		}
	})
}

// BenchmarkCheckPIN measures the cost of a PIN check as the appliance does it.
func BenchmarkCheckPIN(b *testing.B) {
	a, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	if err := a.SetPIN(pin); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := a.CheckPIN(b.Context(), hall, pin); err != nil {
			b.Fatal(err)
		}
	}
}
