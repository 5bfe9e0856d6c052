package checks

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestDevKeys(t *testing.T) {
	script := filepath.Join(tree(t), "keys/dev-keys.sh")
	dir := filepath.Join(t.TempDir(), "keys")
	run(t, "/", script, dir)
	for _, name := range []string{"ca.key", "signer.key"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("others may read %s: %v", name, info.Mode())
		}
	}
	before := read(t, filepath.Join(dir, "ca.pem"))
	run(t, "/", script, dir)
	if read(t, filepath.Join(dir, "ca.pem")) != before {
		t.Error("a second run made new keys: every box of the developer would refuse the next bundle")
	}
	run(t, dir, "openssl", "verify", "-purpose", "any", "-CAfile", "ca.pem", "signer.pem")

	repo := t.TempDir()
	run(t, repo, "git", "init", "-q")
	inside := filepath.Join(repo, "keys")
	if _, err := try(t, "/", script, inside); err == nil {
		t.Error("keys were made in a git work tree")
	}
	if _, err := os.Stat(filepath.Join(inside, "ca.key")); err == nil {
		t.Error("a refused run left a key in a git work tree")
	}
}

func TestGate(t *testing.T) {
	gate := filepath.Join(tree(t), "keys/gate.sh")
	dev := signer(t, "codeSigning")
	devCA := filepath.Join(dev, "ca.pem")
	prod := t.TempDir()
	ca := func(name, subject string, more ...string) string {
		path := filepath.Join(prod, name)
		run(t, prod, "openssl", append([]string{"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
			"-days", "30", "-subj", subject, "-keyout", path + ".key", "-out", path}, more...)...)
		return path
	}
	good := ca("ca.pem", "/CN=Plenum release CA")
	leaf := ca("leaf.pem", "/CN=Plenum release", "-addext", "basicConstraints=critical,CA:FALSE")
	two := write(t, filepath.Join(prod, "two.pem"), read(t, good)+read(t, devCA))
	private := write(t, filepath.Join(prod, "private.pem"), read(t, good)+read(t, good+".key"))

	tests := []struct {
		name, channel, trusted, dev string
		pass                        bool
	}{
		{"development", "dev", devCA, devCA, true},
		{"product", "prod", good, devCA, true},
		{"product on a machine without development keys", "prod", good, filepath.Join(prod, "none.pem"), true},
		{"development certificate by name", "prod", devCA, "", false},
		{"development certificate by fingerprint", "prod", good, good, false},
		{"one more certificate", "prod", two, "", false},
		{"one more certificate in development", "dev", two, devCA, false},
		{"private key", "prod", private, devCA, false},
		{"no authority", "prod", leaf, devCA, false},
		{"unknown channel", "beta", good, devCA, false},
		{"nothing", "prod", filepath.Join(prod, "none.pem"), devCA, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			out, err := try(t, "/", gate, test.channel, test.trusted, test.dev)
			if (err == nil) != test.pass {
				t.Errorf("pass %v wanted: %v %s", test.pass, err, out)
			}
		})
	}
}

// secrets are what a private key looks like in a file: PEM, and age's own form. Split here, so that this file is none.
func secrets() *regexp.Regexp {
	return regexp.MustCompile(`-----BEGIN ([A-Z]+ )*PRIVATE` + ` KEY-----\s+[A-Za-z0-9+/=\s]{64}|AGE-SECRET` + `-KEY-1[A-Z0-9]{58}`)
}

func TestNoPrivateKeyInGit(t *testing.T) {
	// What is tracked, and what would be with the next git add.
	out := run(t, top(t), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	looked := 0
	for name := range strings.SplitSeq(strings.TrimRight(out, "\x00"), "\x00") {
		b, err := os.ReadFile(filepath.Join(top(t), name))
		if err != nil {
			continue // deleted but not yet committed, or a link to nothing
		}
		looked++
		if secrets().Match(b) {
			t.Errorf("%s holds a private key", name)
		}
	}
	if looked < 100 {
		t.Errorf("only %d files looked at", looked)
	}

	dir := signer(t, "codeSigning")
	age := "AGE-SECRET" + "-KEY-1" + strings.Repeat("Q", 58)
	for _, key := range []string{read(t, filepath.Join(dir, "ca.key")), age} {
		if !secrets().MatchString(key) {
			t.Errorf("this key would not be found: %.40q", key)
		}
	}
}
