package house

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// script runs a script of scripts/ with programs of its own in front of the machine's. It gives its exit code and all it said.
func script(t *testing.T, programs map[string]string, env []string, name string, args ...string) (int, string) {
	t.Helper()
	bin := t.TempDir()
	for program, text := range programs {
		if err := os.WriteFile(filepath.Join(bin, program), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(filepath.Join(root, "scripts", name), args...)
	cmd.Env = append(append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "TMPDIR="+t.TempDir()), env...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// lastLine is what stays on the screen when everything else has gone by.
func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// The end of make test is one line that tells what passed, with its seconds, or what failed and where to look.
func TestPartsAreTold(t *testing.T) {
	const mk = `for part; do :; done; echo "this is $part"; [ "$part" != broken ]`
	code, out := script(t, map[string]string{"mk": mk}, []string{"MAKE=mk"}, "parts.sh", "trial", "one", "two")
	if last := lastLine(out); code != 0 || !strings.HasPrefix(last, "make trial: all parts passed in ") || !strings.Contains(last, ": one ") || !strings.Contains(last, " s, two ") {
		t.Errorf("%d: %s", code, out)
	}
	code, out = script(t, map[string]string{"mk": mk}, []string{"MAKE=mk"}, "parts.sh", "trial", "one", "broken", "three", "four")
	if code != 1 || !strings.Contains(out, "make trial: FAILED in broken after ") || !strings.Contains(out, "run/log/broken.log") ||
		!strings.Contains(lastLine(out), "make trial: passed: one ") || !strings.HasSuffix(lastLine(out), "; not run: three four") {
		t.Errorf("%d: %s", code, out)
	}
	if kept, err := os.ReadFile(filepath.Join(root, "run/log/broken.log")); err != nil || string(kept) != "this is broken\n" {
		t.Errorf("%q, %v", kept, err)
	}
	code, out = script(t, map[string]string{"mk": mk}, []string{"MAKE=mk"}, "parts.sh", "trial", "broken")
	if code != 1 || lastLine(out) != "make trial: passed: nothing" {
		t.Errorf("%d: %s", code, out)
	}
	// Two at the same time: each waits for the other one's sign.
	const both = `for part; do :; done; touch "$DIR/$part"; [ "$part" = one ] && other=two || other=one
[ "$part" = broken ] && exit 7; [ "$part" = last ] || until [ -e "$DIR/$other" ]; do :; done; echo "this is $part"`
	code, out = script(t, map[string]string{"mk": both}, []string{"MAKE=mk", "DIR=" + t.TempDir()}, "parts.sh", "trial", "one+two", "last+broken", "never+more")
	if code != 1 || !strings.Contains(out, "[one] this is one\n") || !strings.Contains(out, "[two] this is two\n") || !strings.Contains(out, "make trial: FAILED in broken after ") ||
		!strings.Contains(lastLine(out), "make trial: passed: one ") || !strings.Contains(lastLine(out), " s, last ") || !strings.HasSuffix(lastLine(out), "; not run: never more") {
		t.Errorf("%d: %s", code, out)
	}
	// A part that is killed before it can tell how it ended has not passed.
	const killed = `for part; do :; done; [ "$part" != killed ] || kill -9 $PPID`
	code, out = script(t, map[string]string{"mk": killed}, []string{"MAKE=mk"}, "parts.sh", "trial", "one+killed", "two")
	if code != 1 || !strings.Contains(out, "make trial: FAILED in killed after ? s") || !strings.HasSuffix(lastLine(out), "; not run: two") {
		t.Errorf("%d: %s", code, out)
	}
	for _, part := range []string{"one", "two", "broken", "last", "killed"} {
		os.Remove(filepath.Join(root, "run/log", part+".log"))
	}
}

// What a machine lacks is said before anything begins, with what to do, all at once.
func TestWhatIsMissingIsSaid(t *testing.T) {
	good := map[string]string{"go": `case $2 in GOVERSION) echo go1.26.8 ;; GOCACHE) echo /nowhere/at/all ;; esac`, "node": "echo v20.20.2", "npm": "echo 11.0.0",
		"df": `echo Avail; echo " 99999999"`, "id": "echo 0", "uname": "echo x86_64"}
	with := func(change map[string]string) map[string]string {
		all := map[string]string{}
		for _, m := range []map[string]string{good, change} {
			for k, v := range m {
				all[k] = v
			}
		}
		return all
	}
	bookworm := filepath.Join(t.TempDir(), "bookworm")
	trixie := filepath.Join(t.TempDir(), "trixie")
	for file, text := range map[string]string{
		bookworm: "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n",
		trixie:   "PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nVERSION_ID=\"13\"\nID=debian\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		programs map[string]string
		want     []string // nothing: all is well
	}{
		"all is there":              {with(nil), nil},
		"a disk that does not tell": {with(map[string]string{"df": "exit 1"}), nil},
		"another machine":           {with(map[string]string{"uname": "echo aarch64"}), []string{"not amd64 but aarch64: "}},
		"little disk":               {with(map[string]string{"df": `echo Avail; echo " 7000000"`}), []string{"has 6 GB free, 8 GB are needed. Make room"}},
		"not root":                  {with(map[string]string{"id": "echo 1000"}), []string{"sudo env PATH="}},
		"old tools":                 {with(map[string]string{"go": "echo go1.25.1", "node": "echo v18.20.4"}), []string{"too old: Go is 1.25.1, 1.26.0", "too old: Node.js is 18.20.4, 20.19.0"}},
		"no Node at all":            {with(map[string]string{"node": "exit 127", "npm": "exit 127"}), []string{"missing: Node.js 20.19.0 or newer. Install it from", "missing: npm"}},
	} {
		code, out := script(t, c.programs, []string{"OS_RELEASE=" + bookworm}, "tools.sh", "go", "debian12", "root", "disk=8")
		if (code == 0) != (c.want == nil) || strings.Count(out, "\n") != len(c.want) {
			t.Errorf("%s: %d, %s", name, code, out)
		}
		for _, want := range c.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s: not said: %q in %s", name, want, out)
			}
		}
	}
	for system, want := range map[string]string{trixie: "not Debian 12 but Debian GNU/Linux 13 (trixie): ", "/nowhere": "not Debian 12 but "} {
		if code, out := script(t, good, []string{"OS_RELEASE=" + system}, "tools.sh", "go", "debian12"); code != 1 || !strings.HasPrefix(out, want) {
			t.Errorf("%s: %d, %s", system, code, out)
		}
	}
	if code, out := script(t, good, []string{"TMPDIR=/nowhere/at/all"}, "tools.sh", "go"); code != 1 || !strings.Contains(out, "TMPDIR names /nowhere/at/all") {
		t.Errorf("%d, %s", code, out)
	}
}

// Packages that cannot be installed are told in one line at the end, with the likely cause.
func TestPackagesThatCannotBeHad(t *testing.T) {
	const none = `echo not-installed` // dpkg-query
	for name, c := range map[string]struct {
		programs map[string]string
		code     int
		last     string // begins so
		says     string
	}{
		"all there":  {map[string]string{"dpkg-query": "printf installed"}, 0, "", ""},
		"installed":  {map[string]string{"dpkg-query": none, "id": "echo 0", "apt-get": "exit 0"}, 0, "Installing Debian packages: one two", ""},
		"no network": {map[string]string{"dpkg-query": none, "id": "echo 0", "apt-get": "echo 'Temporary failure resolving'; exit 100"}, 1, "The Debian packages one two could not be installed: the package archive was not reached. Check the network", "Temporary failure resolving"},
		"no network, and update does not mind": {map[string]string{"dpkg-query": none, "id": "echo 0", "apt-get": `case "$*" in *install*) echo "Temporary failure resolving 'x'"; exit 100 ;; esac`},
			1, "The Debian packages one two could not be installed: the package archive was not reached. Check the network", "Temporary failure resolving"},
		"one is gone": {map[string]string{"dpkg-query": none, "id": "echo 0", "apt-get": `case "$*" in *install*) echo "E: Unable to locate package two"; exit 100 ;; esac`},
			1, "The Debian packages one two could not be installed: see what apt says above", "Unable to locate package two"},
		"with sudo":   {map[string]string{"dpkg-query": none, "id": "echo 1000", "sudo": `"$@"`, "apt-get": "exit 0"}, 0, "Installing Debian packages: one two", ""},
		"not allowed": {map[string]string{"dpkg-query": none, "id": "echo 1000", "sudo": "exit 1", "apt-get": "exit 0"}, 1, "The Debian packages one two could not be installed", ""},
	} {
		code, out := script(t, c.programs, nil, "packages.sh", "one", "two")
		if code != c.code || !strings.HasPrefix(lastLine(out), c.last) || !strings.Contains(out, c.says) {
			t.Errorf("%s: %d, %s", name, code, out)
		}
	}
}

// make help lists every command that has a text, and every part of make test and make quick is a command.
func TestMakeHelpIsWhole(t *testing.T) {
	out, err := exec.Command("make", "-s", "-C", root, "help").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		name, _, target := strings.Cut(line, ":")
		if target && strings.Contains(line, "## ") && !strings.HasPrefix(line, "\t") && !strings.Contains(string(out), "  make "+name+" ") {
			t.Errorf("make help says nothing of %s", name)
		}
		for _, list := range []string{"QUICK_PARTS := ", "TEST_PARTS  := "} {
			parts, ok := strings.CutPrefix(line, list)
			for part := range strings.FieldsSeq(strings.ReplaceAll(parts, "+", " ")) {
				if ok && !strings.Contains(string(out), "  make "+part+" ") {
					t.Errorf("the part %s has no text in make help", part)
				}
			}
		}
	}
}
