package update

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plenum/device/stick"
)

func TestOffer(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		p := h.plug("sda1", "plenum-1.3.0.raucb", "._plenum-1.3.0.raucb", "README.TXT")
		defer p.cancel(nil)
		want := View{
			State: Offered, Version: "1.3.0", Notes: "Schneller.", Built: "2026-11-20T08:00:00Z", Size: 18, Current: "1.2.0",
			DE: "Version 1.3.0 kann installiert werden; es läuft 1.2.0. Zum Installieren mit der PIN bestätigen.",
			EN: "Version 1.3.0 can be installed; 1.2.0 is running. Confirm with the PIN to install it.",
		}
		if diff := cmp.Diff(want, h.u.View()); diff != "" {
			t.Fatal(diff)
		}
		raw, err := json.Marshal(h.u.View())
		if err != nil {
			t.Fatal(err)
		}
		golden := `{"state":"offered","reason":"","version":"1.3.0","notes":"Schneller.","built":"2026-11-20T08:00:00Z","size":18,"current":"1.2.0",` +
			`"percent":0,"step":"","text_de":"` + want.DE + `","text_en":"` + want.EN + `","last":null}`
		if diff := cmp.Diff(golden, string(raw)); diff != "" {
			t.Fatal(diff)
		}
		if h.rauc.seemPath != filepath.Join(p.medium.Path, "plenum-1.3.0.raucb") || p.free() {
			t.Fatal(h.rauc.seemPath)
		}
		h.pull(p)
		h.want(Idle, "")
	})
}

// refusal is a stick that is refused, and what is said.
type refusal struct {
	name   string
	files  []string
	change func(*rauc)
	why    Reason
	de, en string // parts of the sentences
}

func refusalTable() []refusal {
	one := []string{"x.raucb"}
	says := func(text string) func(*rauc) {
		return func(r *rauc) { r.inspect = func(string) error { return fmt.Errorf("InspectBundle: %s", text) } }
	}
	version := func(v string) func(*rauc) { return func(r *rauc) { r.bundle.Version = v } }
	return []refusal{
		{"only what a Mac left", []string{"._x.raucb"}, nil, NoBundle, "keine Update-Datei", "no update file"},
		{"two bundles", []string{"x.raucb", "y.raucb"}, nil, TwoBundles, "mehrere Update-Dateien", "several update files"},
		{"another kind of box", one, func(r *rauc) { r.bundle.Compatible = "plenum-rpi4" }, WrongBox, "anderes Gerät (plenum-rpi4)", "another device (plenum-rpi4)"},
		{"older", one, version("1.1.9"), Older, "ältere Version 1.1.9; es läuft 1.2.0", "older version 1.1.9; 1.2.0 is running"},
		{"older by its preview", one, version("1.2.0-rc.1"), Older, "ältere Version", "older version"},
		{"the same", one, version("1.2.0"), SameVersion, "läuft schon", "running already"},
		{"the same by another build", one, version("1.2.0+7"), SameVersion, "läuft schon", "running already"},
		{"no version", one, version(""), NoVersion, "keine gültige Version", "no valid version"},
		{"no such version", one, version("latest"), NoVersion, "keine gültige Version", "no valid version"},
		{"foreign key", one, says("signature verification failed: Verify error: self-signed certificate"), Foreign, "nicht vom Hersteller", "not signed"},
		{"foreign chain", one, says("signature verification failed: Verify error: unable to get local issuer certificate"), Foreign, "nicht vom Hersteller", "not signed"},
		{"changed signature", one, says("signature verification failed: error:2E09D06D:CMS routines:CMS_verify:verification failure"), Foreign, "wurde verändert", "was changed"},
		{"the box's clock is behind", one, says("signature verification failed: Verify error: certificate is not yet valid"), TooEarly, "Uhr des Geräts stellen", "Set the clock"},
		{"expired", one, says("signature verification failed: Verify error: certificate has expired"), Expired, "abgelaufen", "expired"},
		{"half a file", one, says("Invalid bundle format: Signature size (18446744073709551615) exceeds bundle size"), Damaged, "beschädigt", "damaged"},
		{"zeros", one, says("Invalid bundle format: Signature size is 0"), Damaged, "beschädigt", "damaged"},
		{"RAUC 1.8 says nothing, and the file is no bundle", one, says("rauc info error"), Damaged, "beschädigt", "damaged"},
		{"not allowed to ask", one, func(r *rauc) { r.broken = fmt.Errorf("org.freedesktop.DBus.Error.AccessDenied: %w", ErrRefused) }, Denied, "darf", "not allowed"},
	}
}

func TestRefused(t *testing.T) {
	for _, tt := range refusalTable() {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, h *house) {
				if tt.change != nil {
					tt.change(h.rauc)
				}
				p := h.plug("sda1", tt.files...)
				v := h.want(Refused, tt.why)
				if !strings.Contains(v.DE, tt.de) || !strings.Contains(v.EN, tt.en) || strings.ContainsAny(v.DE+v.EN, "{}") {
					t.Errorf("%s\n%s", v.DE, v.EN)
				}
				if !p.free() {
					t.Error("a stick that is of no use is kept mounted")
				}
				if err := h.u.Install(t.Context()); !errors.Is(err, ErrNothing) || h.rauc.asked != 0 || len(h.disk.files) != 0 {
					t.Errorf("%v, asked %d, %v", err, h.rauc.asked, h.disk.files)
				}
				h.pull(p)
				h.want(Idle, "")
			})
		})
	}
}

func TestOldRAUCSaysTooLittle(t *testing.T) {
	raw, err := os.ReadFile("testdata/verity.raucb")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x.raucb"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	m := stick.Medium{ID: "sda1", Path: dir}
	t.Run("notes and time come from the manifest", func(t *testing.T) {
		bubble(t, func(t *testing.T, h *house) {
			h.rauc.bundle = Bundle{Compatible: "plenum-lab-x86_64", Version: "1.3.0"}
			p := h.insert(m)
			v := h.u.View()
			if v.Reason != WrongBox || v.Notes != "Neu: Pult-Abfrage schneller; Fehler behoben." || v.Built != "2026-11-20T08:00:00Z" || v.Size != int64(len(raw)) {
				t.Fatalf("%+v", v)
			}
			h.pull(p)
			h.rauc.with(func() { h.rauc.bundle.Version = "1.4.0" }) // not what the file says
			h.insert(m)
			if v := h.u.View(); v.Notes != "" {
				t.Fatalf("%+v", v)
			}
		})
	})
	t.Run("a foreign key is told from a wrong clock", func(t *testing.T) {
		silent := errors.New("rauc info error")
		if why := seen(silent, "testdata/verity.raucb"); why != Foreign {
			t.Fatal(why)
		}
		bubble(t, func(t *testing.T, h *house) {
			h.rauc.inspect = func(string) error { return silent }
			h.insert(m)
			h.want(Refused, TooEarly) // fake time is in the year 2000
		})
	})
}

func TestUpdateServiceComesLater(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.rauc.broken = fmt.Errorf("de.pengutronix.rauc: %w", ErrAbsent)
		p := h.plug("sda1", "x.raucb")
		h.want(Refused, Absent)
		if p.free() {
			t.Fatal("given back although it is still wanted")
		}
		for _, busy := range []error{errors.New("already processing a different method"), fmt.Errorf("Operation is not idle: %w", ErrBusy)} {
			h.rauc.with(func() { h.rauc.broken = busy })
			pass(recheck)
			h.want(Refused, Engaged)
		}
		h.rauc.with(func() { h.rauc.broken = nil })
		pass(recheck)
		h.want(Offered, "")
		h.pull(p)
		h.rauc.with(func() { h.rauc.broken = ErrAbsent })
		p = h.plug("sda1", "x.raucb")
		h.pull(p)
		h.want(Idle, "")
	})
}

func TestTwoSticks(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		a, b := h.plug("sda1", "x.raucb"), h.plug("sdb1", "x.raucb")
		h.want(Refused, TwoSticks)
		if err := h.u.Install(t.Context()); !errors.Is(err, ErrTwo) {
			t.Fatal(err)
		}
		h.pull(a)
		h.want(Offered, "")
		c := h.plug("sdc1", "y.raucb", "z.raucb") // refused by itself: does not stand in the way
		h.want(Offered, "")
		h.pull(b)
		h.want(Refused, TwoBundles)
		h.pull(c)
		h.want(Idle, "")
	})
}

func TestStickGoesWhileItIsLookedAt(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		var p *plugged
		h.rauc.inspect = func(string) error {
			p.cancel(stick.ErrPulled)
			return io.ErrUnexpectedEOF
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		p = &plugged{stick.Medium{ID: "sda1"}, cancel, nil}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "x.raucb"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		h.u.Insert(ctx, stick.Medium{ID: "sda1", Path: dir})
		h.want(Idle, "")
		h.u.Insert(t.Context(), stick.Medium{ID: "sda1", Path: filepath.Join(dir, "gone")})
		h.want(Refused, Unreadable)
	})
}

func TestSittingWithdrawsTheOffer(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		p := h.plug("sda1", "x.raucb")
		h.sitting = errSitting
		if err := h.u.Install(t.Context()); !errors.Is(err, errSitting) || h.rauc.asked != 0 || h.u.Busy() {
			t.Fatal(err)
		}
		h.want(Offered, "")
		p.cancel(stick.ErrSitting)
		<-p.ended
		h.want(Idle, "")
		h.sitting = nil
		p = h.insert(p.medium) // the sitting has closed
		h.want(Offered, "")
		h.pull(p)
	})
}

func TestVersionByHand(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		p := h.plug("sda1", "x.raucb")
		h.want(Offered, "")
		h.pull(p)
	}, func(h *house) { h.opt.Release.Version = "dirty" })
}
