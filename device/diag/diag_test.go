package diag

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"plenum/device/access"
)

func TestMain(m *testing.M) {
	if os.Getenv(insideEnv) != "" {
		if err := inside(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func at() time.Time { return time.Date(2026, 11, 23, 17, 4, 5, 0, time.UTC) }

func write(t *testing.T, file string, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// unpack reads an archive, in order.
func unpack(t *testing.T, r io.Reader) (names []string, files map[string]string) {
	t.Helper()
	z, err := gzip.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	files = map[string]string{}
	for a := tar.NewReader(z); ; {
		h, err := a.Next()
		if errors.Is(err, io.EOF) {
			return names, files
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(a)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		files[h.Name] = string(text)
	}
}

// house makes folders as a box has them, full of secrets, and returns the secrets.
func house(t *testing.T) (data, etc string, secrets []string) {
	t.Helper()
	data, etc = t.TempDir(), t.TempDir()
	door, err := access.Open(data, access.Options{Hash: access.Hash{Memory: 64, Rounds: 1, Threads: 1}})
	if err != nil {
		t.Fatal(err)
	}
	const pin = "4938172650"
	link, err := door.Invite("a.muster", "member", time.Hour)
	if err == nil {
		err = door.SetPIN(pin)
	}
	if err != nil {
		t.Fatal(err)
	}
	session, _, err := door.Login(t.Context(), netip.MustParseAddr("127.0.0.1"), pin, "c.vorsitz")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := access.OpenCA(data, access.CAOptions{Hosts: []string{"plenum.example.org"}}); err != nil {
		t.Fatal(err)
	}
	secrets = append(secrets, pin, link, session, "hunter2", "AGE-SECRET-KEY-1", "$argon2id$")
	var keys string
	for _, name := range []string{"ca.key", "leaf.key"} {
		text, err := os.ReadFile(filepath.Join(data, name))
		if err != nil {
			t.Fatal(err)
		}
		_, key, _ := strings.Cut(string(text), "PRIVATE KEY-----\n")
		key, _, _ = strings.Cut(key, "-----END")
		for line := range strings.Lines(key) {
			secrets = append(secrets, strings.TrimSpace(line))
		}
		keys += string(text)
	}
	stored, err := os.ReadFile(filepath.Join(data, "access.json"))
	if err != nil {
		t.Fatal(err)
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	dirt := fmt.Sprintf("pin=%s session=%s\nhttps://box/member#%s\n%s\n%s\npassword: hunter2\n%s\nharmless\n", pin, session, link, keys, id, stored)
	for _, name := range []string{"plenum.toml", "tls/key.pem", "tls/cert.pem", "setup.pub", "usb.allow", "network/50-plenum.network", ".before/tls-key.pem"} {
		write(t, filepath.Join(etc, name), dirt)
	}
	write(t, filepath.Join(data, "crash/1.txt"), "goroutine 1 [running]:\n"+dirt)
	write(t, filepath.Join(data, "crash/core.77"), dirt)
	write(t, filepath.Join(data, "crash/2.bin"), "\x00"+dirt)
	write(t, filepath.Join(data, "journal.db"), dirt)
	return data, etc, append(secrets, id.String())
}

// everything packs whatever is in the folders, as no sane caller would.
func everything(t *testing.T, data, etc string) []Source {
	t.Helper()
	sources := []Source{Crashes(filepath.Join(data, "crash")), Listing("data.txt", data)}
	for _, dir := range []string{data, etc} {
		err := filepath.WalkDir(dir, func(p string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			rel, _ := filepath.Rel(filepath.Dir(dir), p)
			raw, err := os.ReadFile(p)
			sources = append(sources, File("file/"+rel, p), Text("text/"+rel, func() []byte { return raw }))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return append(sources, Source{Name: "health.json", Write: func(context.Context, io.Writer) error {
		return errors.New("no health, but pin=4938172650")
	}})
}

func TestNoSecretLeaves(t *testing.T) {
	data, etc, secrets := house(t)
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	plain, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, key string
		id        age.Identity
	}{{"clear", "", nil}, {"X25519", plain.Recipient().String(), plain}, {"hybrid", hybrid.Recipient().String(), hybrid}} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			d := New(Options{Host: "Ratssaal 1", Sources: everything(t, data, etc), Recipient: func() string { return tt.key + "\n" }, Now: at})
			if err := d.Insert(t.Context(), Medium{ID: "s", Path: dir}); err != nil {
				t.Fatal(err)
			}
			v := d.View()
			want := View{State: Written, File: "plenum-ratssaal-1-20261123-170405.tar.gz", Encrypted: tt.id != nil, DE: v.DE, EN: v.EN}
			if tt.id != nil {
				want.File += ".age"
			}
			if diff := cmp.Diff(want, v); diff != "" {
				t.Fatal(diff)
			}
			raw, err := os.ReadFile(filepath.Join(dir, v.File))
			if err != nil {
				t.Fatal(err)
			}
			var r io.Reader = bytes.NewReader(raw)
			if tt.id != nil {
				if r, err = age.Decrypt(r, tt.id); err != nil {
					t.Fatal(err)
				}
			}
			names, files := unpack(t, r)
			harmless := 0
			for name, text := range files {
				for _, s := range secrets {
					if strings.Contains(text, s) {
						t.Errorf("%s holds %s", name, s)
					}
				}
				harmless += strings.Count(text, "harmless")
			}
			if harmless < 10 || !strings.Contains(files["crash.txt"], "goroutine 1 [running]") || !strings.Contains(files["data.txt"], "leaf.key") {
				t.Errorf("too little is left: %d in %v", harmless, names)
			}
			contents := files[contentName]
			for _, s := range []string{"health.json: 0 bytes, then: no health, but pin=(withheld)", "secret as a whole"} {
				if !strings.Contains(contents, s) {
					t.Errorf("no %q in\n%s", s, contents)
				}
			}
		})
	}
}

func TestWrongVendorKey(t *testing.T) {
	for _, key := range []string{"age1wrong", "AGE-SECRET-KEY-1QQQ", "vendor"} {
		dir := t.TempDir()
		d := New(Options{Recipient: func() string { return key }, Now: at})
		if err := d.Insert(t.Context(), Medium{ID: "s", Path: dir}); !errors.Is(err, ErrKey) || strings.Contains(err.Error(), "SECRET-KEY-1QQQ") {
			t.Errorf("%q: %v", key, err)
		}
		if files, _ := os.ReadDir(dir); len(files) > 0 || !strings.Contains(d.View().DE, "Schlüssel des Herstellers") {
			t.Errorf("%v %+v", files, d.View())
		}
	}
}

// noise is a log that cannot be compressed much, newest line first, until nobody wants more. Its lines are long, some 200
// bytes: it is the bytes that fill a stick, and each line costs time.
func noise(name string, lines int) Source {
	return Source{Name: name, Max: 1 << 30, Write: func(ctx context.Context, w io.Writer) error {
		r := rand.New(rand.NewPCG(1, 2))
		for i := range lines {
			line := strconv.AppendInt(nil, int64(i), 10)
			for range 12 {
				line = strconv.AppendUint(append(line, ' '), r.Uint64(), 16)
			}
			if _, err := w.Write(append(line, '\n')); err != nil {
				return err
			}
		}
		return nil
	}}
}

func TestBoundedSize(t *testing.T) {
	dir := t.TempDir()
	d := New(Options{Max: 3 << 20, Now: at, Sources: []Source{Text("first.txt", func() []byte { return []byte("x\n") }), noise("logs/boot-0.txt", 6_000), noise("logs/boot-1.txt", 1e9), noise("logs/boot-2.txt", 9)}})
	for range 2 { // the clock stands still: the second one has a name of its own
		if err := d.Insert(t.Context(), Medium{ID: "s", Path: dir}); err != nil {
			t.Fatal(err)
		}
	}
	if v := d.View(); v.File != "plenum-box-20261123-170405-2.tar.gz" || !strings.Contains(v.EN, "Older logs were left out") {
		t.Errorf("%+v", v)
	}
	f, err := os.Open(filepath.Join(dir, d.View().File))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	names, files := unpack(t, f)
	total, first := 0, ""
	for _, n := range names {
		total += len(files[n])
		if strings.HasPrefix(n, "logs/boot-0.") {
			first += files[n]
		}
	}
	if total > 3<<20+10_000 || strings.Count(first, "\n") != 6_000 || !strings.HasPrefix(first, "0 ") {
		t.Errorf("%d bytes, %d lines, %v", total, strings.Count(first, "\n"), names)
	}
	if !strings.Contains(files[contentName], "boot-1.txt: ") || files["logs/boot-1.001.txt"] == "" || files["first.txt"] != "x\n" {
		t.Errorf("%v\n%s", names, files[contentName])
	}
}
