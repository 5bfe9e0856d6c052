package setup

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// sh runs a command line of the owner's manual in a folder.
func sh(t *testing.T, dir, line string) string {
	t.Helper()
	cmd := exec.Command("sh", "-e", "-c", line)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return string(out)
}

const (
	makeKey = "openssl genpkey -algorithm ed25519 -out setup.key && openssl pkey -in setup.key -pubout -out setup.pub"
	makeSig = "find . -type f ! -name 'SHA256SUMS*' | xargs sha256sum > SHA256SUMS && openssl pkeyutl -sign -rawin -inkey %K/setup.key -in SHA256SUMS -out SHA256SUMS.sig"
)

func TestSignedStickByOpenSSL(t *testing.T) {
	owner, other := t.TempDir(), t.TempDir()
	sh(t, owner, makeKey)
	sh(t, other, makeKey)
	sign := func(t *testing.T, b *box, keys string) { sh(t, b.stick, strings.ReplaceAll(makeSig, "%K", keys)) }
	fresh := func(t *testing.T) *box {
		b := newBox(t)
		pub, err := os.ReadFile(filepath.Join(owner, "setup.pub"))
		if err != nil {
			t.Fatal(err)
		}
		put(t, b.dir, toOwner, string(pub))
		put(t, b.stick, onRoster, goodRoster)
		put(t, b.stick, onName, "saal")
		return b
	}
	t.Run("applied by itself", func(t *testing.T) {
		b := fresh(t)
		sign(t, b, owner)
		if v := b.insert(t); v.State != Applied || !v.Signed || len(b.called) != 2 {
			t.Errorf("%+v %v", v, b.called)
		}
	})
	t.Run("not in a sitting", func(t *testing.T) {
		b := fresh(t)
		sign(t, b, owner)
		b.sitting = os.ErrPermission
		if v := b.insert(t); v.State != Offered || !v.Signed {
			t.Errorf("%+v", v)
		}
		b.sitting = nil
		if err := b.Apply(t.Context()); err != nil || b.View().State != Applied {
			t.Error(err)
		}
	})
	t.Run("first key, then a new one", func(t *testing.T) {
		b := fresh(t)
		if err := os.Remove(filepath.Join(b.dir, toOwner)); err != nil {
			t.Fatal(err)
		}
		sh(t, b.stick, "cp "+owner+"/setup.pub .")
		sign(t, b, owner)
		v := b.insert(t)
		if v.State != Offered || v.Signed || !strings.Contains(texts(v.Lines), "not checked") {
			t.Fatalf("a key vouched for itself: %+v", v)
		}
		sum := sh(t, owner, "openssl pkey -pubin -in setup.pub -outform DER | sha256sum")
		if !strings.Contains(texts(v.Lines), sum[:16]) {
			t.Errorf("no fingerprint %s in %s", sum[:16], texts(v.Lines))
		}
		if err := b.Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		sh(t, b.stick, "cp "+other+"/setup.pub .")
		sign(t, b, owner)
		if v := b.insert(t); v.State != Applied || !v.Signed {
			t.Errorf("%+v", v)
		}
		if v := b.insert(t); v.State != Applied { // still plugged in after the restart, now signed by the key of before
			t.Errorf("%+v", v)
		}
		sh(t, b.stick, "echo halle > name")
		sign(t, b, owner)
		if v := b.insert(t); v.State != Refused {
			t.Errorf("the old key still counts: %+v", v)
		}
	})
	for name, spoil := range map[string]string{
		"another's key":     strings.ReplaceAll(makeSig, "%K", other),
		"changed file":      "echo halle > name",
		"added file":        "echo 1234:5678 > usb.allow",
		"removed file":      "rm name",
		"changed sums":      "sha256sum name > SHA256SUMS",
		"signature cut":     "truncate -s 60 SHA256SUMS.sig",
		"signature empty":   ": > SHA256SUMS.sig",
		"signature in text": "openssl base64 -in SHA256SUMS.sig -out x && mv x SHA256SUMS.sig",
		"sums removed":      "rm SHA256SUMS",
		"sums damaged":      "rm SHA256SUMS.sig && echo hello > SHA256SUMS",
	} {
		t.Run(name, func(t *testing.T) {
			b := fresh(t)
			sign(t, b, owner)
			sh(t, b.stick, spoil)
			before := tree(t, b.dir)
			if v := b.insert(t); v.State != Refused || v.Signed || len(b.called) > 0 || len(tree(t, b.dir)) != len(before) {
				t.Errorf("%+v", v)
			}
		})
	}
	t.Run("another's key is found out before anything is decoded", func(t *testing.T) {
		b := fresh(t)
		put(t, b.stick, onConfig, "names = 7")
		sign(t, b, other)
		c, err := read(b.stick)
		if err != nil {
			t.Fatal(err)
		}
		f, err := openFolder(b.dir)
		if err != nil {
			t.Fatal(err)
		}
		defer f.root.Close()
		k := &checker{opts: b.opts, disk: f, stick: c.files}
		if _, err := k.check(nil); err == nil || len(k.bad)+len(k.plan.files) > 0 {
			t.Errorf("%v, %v", err, k.bad)
		}
	})
	t.Run("sums without signature", func(t *testing.T) {
		b := fresh(t)
		sign(t, b, owner)
		sh(t, b.stick, "rm SHA256SUMS.sig")
		if v := b.insert(t); v.State != Offered || v.Signed {
			t.Errorf("%+v", v)
		}
	})
}

func FuzzSums(f *testing.F) {
	f.Add([]byte(strings.Repeat("0a", 32) + "  ./name\n" + strings.Repeat("0A", 32) + " *tls/key.pem\r\n"))
	f.Fuzz(func(_ *testing.T, text []byte) { _, _ = parseSums(text) })
}
