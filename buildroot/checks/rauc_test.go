package checks

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// render is rauc/render.sh on one of the templates beside it.
func render(t *testing.T, flavour, name, template string, pairs ...string) string {
	t.Helper()
	dir := filepath.Join(tree(t), "rauc")
	args := append([]string{flavour, board(t, name, "board.env"), template}, pairs...)
	return run(t, dir, filepath.Join(dir, "render.sh"), args...)
}

// What the product's RAUC knows and the lab's 1.8 does not, and nothing else, tells the two renderings apart.
func TestLabLacks(t *testing.T) {
	product := sections(render(t, "product", "x86_64", "system.conf.in"))
	lab := sections(render(t, "lab", "x86_64", "system.conf.in"))
	var lacks []string
	for name, section := range product {
		for key, value := range section {
			if got, ok := lab[name][key]; !ok {
				lacks = append(lacks, key)
			} else if got != value && key != "compatible" {
				t.Errorf("[%s] %s is %q in the product and %q in the lab", name, key, value, got)
			}
		}
	}
	slices.Sort(lacks)
	if diff := cmp.Diff([]string{"min-bundle-version", "perform-pre-check"}, lacks); diff != "" {
		t.Errorf("keys the lab lacks:\n%s", diff)
	}
	if got := lab["system"]["compatible"]; got != "plenum-lab-x86_64" {
		t.Errorf("the lab's compatible is %s", got)
	}
	if _, ok := lab["system"]["boot-attempts"]; ok {
		t.Error("boot-attempts is for U-Boot only")
	}
}

func TestRenderRefuses(t *testing.T) {
	dir := filepath.Join(tree(t), "rauc")
	script := filepath.Join(dir, "render.sh")
	if out, err := try(t, dir, script, "product", board(t, "x86_64", "board.env"), "manifest.raucm.in"); err == nil {
		t.Errorf("a template with nothing known for BUILD was rendered: %s", out)
	}
	if _, err := try(t, dir, script, "beta", board(t, "x86_64", "board.env"), "system.conf.in"); err == nil {
		t.Error("an unknown flavour was rendered")
	}
}

// signer makes a CA with a signer of the extended key usage given and returns their folder.
func signer(t *testing.T, usage string) string {
	t.Helper()
	dir := t.TempDir()
	run(t, dir, filepath.Join(tree(t), "keys/dev-keys.sh"), dir)
	if usage == "codeSigning" {
		return dir
	}
	write(t, filepath.Join(dir, "ext"), "basicConstraints=critical,CA:FALSE\nextendedKeyUsage=critical,"+usage+"\n")
	run(t, dir, "openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=other",
		"-keyout", "signer.key", "-out", "signer.csr")
	run(t, dir, "openssl", "x509", "-req", "-in", "signer.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
		"-days", "30", "-extfile", "ext", "-out", "signer.pem")
	return dir
}

// bundle makes one with the real RAUC. Its own check is left out where keys do not fit, since that is what the box has to do.
func bundle(t *testing.T, keys string, check bool) string {
	t.Helper()
	dir := t.TempDir()
	// RAUC takes no payload below 4 KiB, and it is compressed.
	payload := make([]byte, 16<<10)
	rand.NewChaCha8([32]byte{}).Read(payload)
	content := write(t, filepath.Join(dir, "content/rootfs.img"), string(payload))
	write(t, filepath.Join(filepath.Dir(content), "manifest.raucm"),
		render(t, "lab", "x86_64", "manifest.raucm.in", "BUILD=2026-01-01T00:00:00Z", "NOTES=For a test"))
	args := []string{"--cert", filepath.Join(keys, "signer.pem"), "--key", filepath.Join(keys, "signer.key")}
	if check {
		write(t, filepath.Join(dir, "sign.conf"), "[system]\ncompatible=x\nbootloader=noop\n[keyring]\ncheck-purpose=codesign\npath="+filepath.Join(keys, "ca.pem")+"\n")
		args = append(args, "--conf", filepath.Join(dir, "sign.conf"))
	}
	run(t, dir, "rauc", append(args, "bundle", "content", "b.raucb")...)
	return filepath.Join(dir, "b.raucb")
}

// box is the lab's system.conf with the CA of keys in its place.
func box(t *testing.T, keys string) string {
	t.Helper()
	conf := render(t, "lab", "x86_64", "system.conf.in")
	conf = strings.Replace(conf, "path=/etc/rauc/ca.pem", "path="+filepath.Join(keys, "ca.pem"), 1)
	return write(t, filepath.Join(t.TempDir(), "system.conf"), conf)
}

func TestBundles(t *testing.T) {
	ours, strangers, mail := signer(t, "codeSigning"), signer(t, "codeSigning"), signer(t, "emailProtection")
	good := bundle(t, ours, true)
	tests := []struct {
		name, bundle, keys string
		refused            string // what RAUC says, empty: taken
	}{
		{"ours", good, ours, ""},
		{"foreign key", bundle(t, strangers, true), ours, "signature verification failed"},
		{"wrong purpose", bundle(t, mail, false), mail, "unsuitable certificate purpose"},
		{"tampered manifest", tampered(t, good), ours, "signature verification failed"},
		{"cut short", short(t, good), ours, "signature"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			out, err := try(t, t.TempDir(), "rauc", "--conf", box(t, test.keys), "info", test.bundle)
			switch {
			case test.refused == "" && (err != nil || !strings.Contains(out, "plenum-lab-x86_64")):
				t.Errorf("%v: %s", err, out)
			case test.refused != "" && (err == nil || !strings.Contains(strings.ToLower(out), test.refused)):
				t.Errorf("want a refusal with %q, got %v: %s", test.refused, err, out)
			}
		})
	}
}

// tampered is the bundle with another version in its signed manifest.
func tampered(t *testing.T, path string) string {
	t.Helper()
	b := []byte(read(t, path))
	at := bytes.LastIndex(b, []byte("\nversion="))
	if at < 0 {
		t.Fatal("the bundle's signature holds no manifest")
	}
	b[at+len("\nversion=")]++
	return write(t, filepath.Join(t.TempDir(), "tampered.raucb"), string(b))
}

func short(t *testing.T, path string) string {
	t.Helper()
	b := read(t, path)
	return write(t, filepath.Join(t.TempDir(), "short.raucb"), b[:len(b)-100])
}

// The lab's RAUC has to stop at the product's keys: otherwise two renderings are one too many.
func TestLabRefusesProduct(t *testing.T) {
	if out := run(t, "/", "rauc", "--version"); !strings.Contains(out, "rauc 1.8") {
		t.Logf("this is not the lab's RAUC: %s", out)
	}
	conf := write(t, filepath.Join(t.TempDir(), "system.conf"), render(t, "product", "x86_64", "system.conf.in"))
	out, err := try(t, "/", "rauc", "--conf", conf, "info", os.DevNull)
	if err == nil || !strings.Contains(out, "Invalid key") {
		t.Errorf("the product's rendering was read: %v %s", err, out)
	}
}
