package access

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOwner(t *testing.T) {
	dir, here, ctx := t.TempDir(), netip.MustParseAddr("127.0.0.1"), context.Background()
	cheap := Options{Hash: Hash{Memory: 64, Rounds: 1, Threads: 1}}
	o, err := OpenOwner(dir, cheap)
	if err != nil || o.HasPIN() {
		t.Fatal(err, o)
	}
	if err := o.Check(ctx, here, "271828"); !errors.Is(err, ErrNoPIN) {
		t.Error("without a PIN:", err)
	}
	if err := o.Set(ctx, here, "", "123456"); !errors.Is(err, ErrWeakPIN) {
		t.Error("a plain run:", err)
	}
	if err := o.Set(ctx, here, "", "271828"); err != nil {
		t.Fatal(err)
	}
	if err := o.Set(ctx, here, "", "314159"); !errors.Is(err, ErrOwnerSet) {
		t.Error("set twice:", err)
	}
	if err := o.Set(ctx, here, "999991", "314159"); !errors.Is(err, ErrWrongPIN) {
		t.Error("with a wrong old one:", err)
	}
	o, err = OpenOwner(dir, cheap)
	if err != nil || !o.HasPIN() {
		t.Fatal("read again:", err)
	}
	if err := o.Check(ctx, here, "271828"); err != nil {
		t.Error(err)
	}
	if err := o.Set(ctx, here, "271828", "314159"); err != nil {
		t.Error("with the old one:", err)
	}
	if err := o.Check(ctx, netip.MustParseAddr("10.1.2.3"), "271828"); !errors.Is(err, ErrWrongPIN) {
		t.Error("the old one:", err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "owner.json"))
	if err != nil || strings.Contains(string(raw), "314159") {
		t.Errorf("%s %v", raw, err)
	}
	for _, bad := range []string{"", "{", `{"version":1,"pin":""}`, `{"version":2,"pin":"x"}`} {
		if err := os.WriteFile(filepath.Join(dir, "owner.json"), []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenOwner(dir, cheap); !errors.Is(err, ErrDamaged) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
