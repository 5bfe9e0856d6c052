package setup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"plenum/device/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const goodRoster = "id;name;group;role;seat;remote\nc.vorsitz;Clara Vorsitz;Bürgermeisterin;chair;1;\nn.neu;Nora Neu;Fraktion B;;2;ja\ng.gast;Gerd Gast;;guest;;nein\n"

// box is a configured box and a stick.
type box struct {
	*Setup
	dir, stick string
	called     []string
	sitting    error
}

func newBox(t *testing.T) *box {
	t.Helper()
	b := &box{dir: t.TempDir(), stick: t.TempDir()}
	put(t, b.dir, toConfig, config.Example)
	note := func(what string) func(context.Context) error {
		return func(context.Context) error { b.called = append(b.called, what); return nil }
	}
	b.Setup = New(Options{Dir: b.dir, Data: "/var/lib/plenum", Socket: "/run/plenum/plenumd.sock",
		Allowed:  func() error { return b.sitting },
		Hostname: func(_ context.Context, name string) error { b.called = append(b.called, "name "+name); return nil },
		Network:  note("network"), USB: note("usb"), Restart: note("restart"),
		Now: func() time.Time { return time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC) }})
	return b
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// insert plugs the stick in and returns the view.
func (b *box) insert(t *testing.T) View {
	t.Helper()
	if err := b.Insert(t.Context(), Medium{ID: "s", Label: "PLENUM-SETUP", Path: b.stick}); err != nil {
		t.Fatal(err)
	}
	return b.View()
}

// tree is every file below a folder.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func texts(lines []Line) string {
	var all []string
	for _, l := range lines {
		all = append(all, l.DE, l.EN)
	}
	return strings.Join(all, "\n")
}

func TestUnsignedStickWaitsForTheOwner(t *testing.T) {
	b := newBox(t)
	put(t, b.stick, "Roster.CSV", goodRoster) // FAT knows no case
	put(t, b.stick, onNetwork, "interface = \"eth0\"\naddress = \"192.168.10.20/24\"\ngateway = \"192.168.10.1\"\n")
	put(t, b.stick, onName, "ratssaal\r\n")
	put(t, b.stick, onUSB, "0EEF:0001 # Touch\n")
	put(t, b.stick, "roster.cvs", "")
	put(t, b.stick, "._name", "")
	before := tree(t, b.dir)
	v := b.insert(t)
	if v.State != Offered || v.Signed || cmp.Diff(before, tree(t, b.dir)) != "" {
		t.Fatalf("%+v", v)
	}
	for _, want := range []string{"Mitgliederliste: 3 Personen statt 2", "Neu dabei: Nora Neu, Gerd Gast", "Nicht mehr dabei: Max Beispiel",
		"Netz an eth0: feste Adresse 192.168.10.20/24, Gateway 192.168.10.1", "Name der Anlage: ratssaal", "Zugelassene USB-Geräte: 1 statt 0 (0eef:0001)",
		"Nicht verwendet: roster.cvs", "Roster: 3 people instead of 2"} {
		if !strings.Contains(texts(v.Lines), want) {
			t.Errorf("no %q in\n%s", want, texts(v.Lines))
		}
	}
	b.sitting = errors.New("a sitting is open")
	if err := b.Apply(t.Context()); !errors.Is(err, b.sitting) || cmp.Diff(before, tree(t, b.dir)) != "" {
		t.Fatalf("in a sitting: %v", err)
	}
	b.sitting = nil
	if err := b.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v := b.View(); v.State != Applied {
		t.Fatalf("%+v", v)
	}
	if want := []string{"name ratssaal", "network", "usb", "restart"}; !slices.Equal(b.called, want) {
		t.Errorf("called %v", b.called)
	}
	after := tree(t, b.dir)
	if after[".before/plenum.toml"] != config.Example || after[toUSB] != "0eef:0001\n" || after[toName] != "ratssaal\n" {
		t.Errorf("%v", after)
	}
	if !strings.Contains(after[toConfig], "# Desk systems: one table each") {
		t.Error("comments were lost")
	}
	if name, err := Name(b.dir); name != "ratssaal" || err != nil {
		t.Errorf("name %q, %v", name, err)
	}
	if err := b.Apply(t.Context()); !errors.Is(err, ErrNothing) {
		t.Errorf("twice: %v", err)
	}
	// The daemon starts again with the stick still in: nothing is done twice.
	if v := b.insert(t); v.State != Applied || len(b.called) != 4 || cmp.Diff(after, tree(t, b.dir)) != "" {
		t.Errorf("again: %+v %v", v, b.called)
	}
	b.Remove("other")
	if b.View().State != Applied {
		t.Error("another stick's going counted")
	}
	b.Remove("s")
	if b.View().State != Idle {
		t.Error("still there")
	}
}

// persons are so many rows of a roster.
func persons(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "p%d;Person %d mit einem langen Namen;Fraktion;;;ja\n", i, i)
	}
	return b.String()
}

func TestBadStickChangesNothing(t *testing.T) {
	for _, tt := range []struct{ name, file, text, want string }{
		{"empty", "README.txt", "hello", "nothing to set up"},
		{"bad configuration", onConfig, strings.Replace(config.Example, "limit = 1\n", "limit = 9\n", 1), "sitting.limit"},
		{"broken configuration", onConfig, "[[[", "line 1"},
		{"configuration nested too deep", onConfig, "a = " + strings.Repeat("{a=", 400) + "1" + strings.Repeat("}", 400), "plenum.toml: line 1: brackets"},
		{"network nested too deep", onNetwork, "dhcp = true\n" + strings.Repeat("a.", 400) + "a = 1", "network.toml: Zeile 2: Klammern"},
		{"large configuration", onConfig, strings.Repeat("# 40 KB and more\n", 4000), "too large"},
		{"large roster", onRoster, "c;Clara;;chair;;\n" + strings.Repeat(";;;;;\n", 11_000), "too large"},
		{"roster that makes the configuration too large", onRoster, "c;Clara;;chair;;\n" + persons(900), "with these people plenum.toml is larger than 64 KiB"},
		{"moved data", onConfig, strings.Replace(config.Example, `data = "/var/lib/plenum"`, `data = "/tmp"`, 1), "data must stay"},
		{"seat without desk", onRoster, "c;Clara;;chair;77;\n", "roster.csv, line 1: no desk stands at seat \"77\""},
		{"roster of another character set", onRoster, "c;B\xfcrger;;chair;;\n", "UTF-8"},
		{"network", onNetwork, "dhcp = true\naddress = \"10.0.0.1/8\"", "exclude each other"},
		{"name", onName, "Rats Saal", "small letters"},
		{"usb", onUSB, "0eef:0001\nkeyboard\n", "usb.allow, line 2"},
		{"private owner's key", onOwner, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "private key"},
		{"certificate without key", onCert, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read"},
		{"too large", onName, strings.Repeat("a", 5000), "too large"},
		{"signature without sums", onSig, "x", "SHA256SUMS is not"},
		{"damaged", onSums, strings.Repeat("0", 64) + "  name\n", "missing on the stick"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBox(t)
			put(t, b.stick, onUSB, "1234:5678\n") // a good file beside the bad one: not taken either
			if tt.name == "empty" {
				os.Remove(filepath.Join(b.stick, onUSB))
			}
			put(t, b.stick, tt.file, tt.text)
			before := tree(t, b.dir)
			v := b.insert(t)
			if all := texts(v.Lines); v.State != Refused || !strings.Contains(all, tt.want) {
				t.Errorf("%s, want %q in\n%s", v.State, tt.want, all)
			}
			if d := cmp.Diff(before, tree(t, b.dir)); d != "" {
				t.Error(d)
			}
			if err := b.Apply(t.Context()); !errors.Is(err, ErrNothing) {
				t.Error(err)
			}
		})
	}
}

// Whatever a stick does with the file system, nothing outside of it is read.
func TestStickTricks(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	put(t, filepath.Dir(secret), "secret", "wonderland")
	for name, trick := range map[string]func(dir string) error{
		"link":          func(dir string) error { return os.Symlink(secret, filepath.Join(dir, onName)) },
		"near link":     func(dir string) error { return os.Symlink("x", filepath.Join(dir, onName)) },
		"linked tls":    func(dir string) error { return os.Symlink(filepath.Dir(secret), filepath.Join(dir, "tls")) },
		"folder":        func(dir string) error { return os.Mkdir(filepath.Join(dir, onRoster), 0o755) },
		"pipe":          func(dir string) error { return exec.Command("mkfifo", filepath.Join(dir, onRoster)).Run() },
		"two spellings": func(dir string) error { return os.WriteFile(filepath.Join(dir, "NAME"), []byte("b"), 0o644) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			put(t, b.stick, "x", "name-of-x")
			if name == "two spellings" {
				put(t, b.stick, onName, "a")
			}
			if err := trick(b.stick); err != nil {
				t.Fatal(err)
			}
			if v := b.insert(t); v.State != Refused || strings.Contains(texts(v.Lines), "wonderland") {
				t.Errorf("%+v", v)
			}
		})
	}
}

func TestStickGone(t *testing.T) {
	b := newBox(t)
	if err := b.Insert(t.Context(), Medium{ID: "s", Path: filepath.Join(b.stick, "gone")}); err == nil || b.View().State != Refused {
		t.Errorf("%v, %+v", err, b.View())
	}
}

func TestBoxChangedMeanwhile(t *testing.T) {
	b := newBox(t)
	put(t, b.stick, onName, "saal")
	b.insert(t)
	put(t, b.dir, toName, "halle\n")
	if err := b.Apply(t.Context()); !errors.Is(err, ErrChanged) {
		t.Fatal(err)
	}
	if v := b.View(); !strings.Contains(texts(v.Lines), "saal statt halle") {
		t.Errorf("%+v", v)
	}
	if err := b.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A box whose own configuration is broken can be helped by a whole one.
func TestBrokenBox(t *testing.T) {
	b := newBox(t)
	put(t, b.dir, toConfig, "broken")
	put(t, b.stick, onRoster, goodRoster)
	if v := b.insert(t); v.State != Refused || !strings.Contains(texts(v.Lines), "whole plenum.toml") {
		t.Errorf("%+v", v)
	}
	put(t, b.stick, onConfig, config.Example)
	if v := b.insert(t); v.State != Offered || !strings.Contains(texts(v.Lines), "3 people") {
		t.Errorf("%+v", v)
	}
}

func TestLateAnnouncement(t *testing.T) {
	b := newBox(t)
	b.opts.Network = func(context.Context) error { return errors.New("no networkd") }
	put(t, b.stick, onNetwork, "dhcp = true")
	b.insert(t)
	if err := b.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v := b.View(); v.State != Applied || !strings.Contains(texts(v.Lines), "Netz: gilt erst nach") {
		t.Errorf("%+v", v)
	}
}

func TestTrouble(t *testing.T) {
	for err, want := range map[error]string{syscall.ENOSPC: "Speicher der Anlage ist voll", syscall.EIO: "abgezogen", errors.New("a\x1bb"): "Technischer Fehler: a?b"} {
		b := newBox(t)
		if got := b.refuse("s", fmt.Errorf("writing: %w", err)); !errors.Is(got, err) {
			t.Error(got)
		}
		if v := b.View(); v.State != Refused || !strings.Contains(v.Lines[0].DE, strings.TrimPrefix(want, "Technischer Fehler: ")) {
			t.Errorf("%+v", v)
		}
	}
}
