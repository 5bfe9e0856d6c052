// Package systemd_test proves the box's units, rules and scripts with the tools that would judge them on the box.
package systemd_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"plenum/device/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// installed is a root file system with what install.sh puts there.
func installed(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	run(t, nil, "./install.sh", root)
	return root
}

// run gives what a program says, and fails the test when the program fails.
func run(t *testing.T, env []string, name string, arg ...string) string {
	t.Helper()
	out, code := try(t, env, name, arg...)
	if code != 0 {
		t.Fatalf("%s %v: exit code %d\n%s", name, arg, code, out)
	}
	return out
}

// try gives what a program says and its exit code, -1 when a signal ended it. Its environment is env and PATH.
func try(t *testing.T, env []string, name string, arg ...string) (string, int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, arg...)
	cmd.WaitDelay = time.Minute
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}, env...)
	out, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatalf("%s: %v (is it installed? make test-packages)", name, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// installTwice: installing over an older version changes the same files and no others.
func TestInstall(t *testing.T) {
	root := installed(t)
	write(t, filepath.Join(root, "usr/lib/systemd/system/plenumd.service"), "old", 0o600)
	run(t, nil, "./install.sh", root)
	var got []string
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name := strings.TrimPrefix(path, root)
		got = append(got, name)
		info, err := os.Stat(path)
		if d.Type()&os.ModeSymlink != 0 {
			if to, lerr := os.Readlink(path); err != nil && to != "/etc/plenum/network/50-plenum.network" {
				return errors.Join(err, lerr)
			}
			return nil
		}
		want := os.FileMode(0o644)
		if strings.HasPrefix(name, "/usr/libexec/") {
			want = 0o755
		}
		if err == nil && info.Mode() != want {
			t.Errorf("%s has mode %v, want %v", name, info.Mode(), want)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"/usr/lib/systemd/system/multi-user.target.wants/plenumd.service",
		"/usr/lib/systemd/system/boot-complete.target.requires/plenum-health.service",
		"/usr/lib/systemd/system/local-fs.target.wants/var-log-journal.mount",
		"/etc/systemd/network/50-plenum.network",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if text := read(t, filepath.Join(root, "usr/lib/systemd/system/plenumd.service")); text == "old" {
		t.Error("an older unit was kept")
	}
}

// machineRoot is an installed root with the units and programs of the machine that ours refer to.
func machineRoot(t *testing.T) string {
	t.Helper()
	root := installed(t)
	units := filepath.Join(root, "usr/lib/systemd/system")
	from := "/usr/lib/systemd/system"
	if _, err := os.Stat(from); err != nil {
		from = "/lib/systemd/system"
	}
	files, err := filepath.Glob(from + "/*.*")
	if err != nil || len(files) == 0 {
		t.Fatalf("the machine has no units of systemd: %v", err)
	}
	for _, file := range files {
		to := filepath.Join(units, filepath.Base(file))
		if _, err := os.Lstat(to); err == nil {
			continue // a folder of drop-ins of ours
		}
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			write(t, to, read(t, file), 0o644)
		}
	}
	// Programs need only be there.
	exec := regexp.MustCompile(`(?m)^Exec\w+=[-+!:@]*(/\S+)`)
	all, err := filepath.Glob(units + "/*.service")
	if err != nil {
		t.Fatal(err)
	}
	for _, unit := range all {
		for _, m := range exec.FindAllStringSubmatch(read(t, unit), -1) {
			if program := filepath.Join(root, m[1]); !exists(program) {
				write(t, program, "#!/bin/sh\n", 0o755)
			}
		}
	}
	return root
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// ours are the units of this folder, templates with an instance.
func ours(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("system/*")
	if err != nil || len(files) == 0 {
		t.Fatal("no units", err)
	}
	for i, f := range files {
		files[i] = strings.ReplaceAll(filepath.Base(f), "@.", "@panel.")
	}
	return files
}

func TestUnitsAreSound(t *testing.T) {
	root := machineRoot(t)
	units := ours(t)
	out, code := try(t, nil, "systemd-analyze", append([]string{"verify", "--man=no", "--recursive-errors=no", "--root=" + root}, units...)...)
	for line := range strings.Lines(out) {
		if strings.Contains(line, "plenum") || strings.Contains(line, "media.mount") {
			t.Error(strings.TrimSpace(line))
		}
	}
	if code != 0 {
		t.Errorf("systemd-analyze verify ends with %d\n%s", code, out)
	}
	// A unit that is broken on purpose is found, so that silence above means something.
	write(t, filepath.Join(root, "usr/lib/systemd/system/plenum-broken.service"), "[Service]\nExecStart=/usr/bin/none\nNoSuchKey=1\n", 0o644)
	if out, _ := try(t, nil, "systemd-analyze", "verify", "--man=no", "--root="+root, "plenum-broken.service"); !strings.Contains(out, "NoSuchKey") {
		t.Errorf("a broken unit passes:\n%s", out)
	}
}

// The gate: an exposure of at most 2.0 of 10 for what people on the network can reach, 20 in the tool's own scale.
func TestSandbox(t *testing.T) {
	root := machineRoot(t)
	for unit, most := range map[string]string{"plenumd.service": "20", "plenum-health.service": "20", "plenum-display.service": "45", "plenum-kiosk@panel.service": "55"} {
		out, code := try(t, nil, "systemd-analyze", "security", "--no-pager", "--offline=yes", "--threshold="+most, "--root="+root, unit)
		last := out[strings.LastIndex(strings.TrimSpace(out), "\n")+1:]
		t.Log(strings.TrimSpace(last))
		if code != 0 {
			t.Errorf("%s is exposed more than %s:\n%s", unit, most, out)
		}
	}
}

// What the unit has to say for the daemon to be able to keep its promises; the reasons stand in the unit.
func TestDaemonUnit(t *testing.T) {
	unit := read(t, "system/plenumd.service")
	for _, line := range []string{
		"Type=notify", "WatchdogSec=15", "Restart=always", "StartLimitIntervalSec=0", "User=plenum", "KillMode=process", "TimeoutStartSec=120",
		"RuntimeDirectory=plenum", "StateDirectory=plenum", "CapabilityBoundingSet=CAP_NET_BIND_SERVICE", "DevicePolicy=closed", "LimitCORE=0",
		"ExecStart=/usr/bin/plenumd -config /etc/plenum/plenum.toml -appliance",
	} {
		if !strings.Contains(unit, "\n"+line+"\n") {
			t.Errorf("plenumd.service lacks %s", line)
		}
	}
	if strings.Contains(unit, "ProcSubset=pid") {
		t.Error("the daemon reads /proc/asound and /proc/cmdline")
	}
}

func TestScriptsAreSound(t *testing.T) {
	scripts, err := filepath.Glob("libexec/*")
	if err != nil {
		t.Fatal(err)
	}
	scripts = append(scripts, "install.sh")
	run(t, nil, "shellcheck", append([]string{"-s", "sh"}, scripts...)...)
	for _, script := range scripts {
		if !strings.HasPrefix(read(t, script), "#!/bin/sh\n# ") {
			t.Errorf("%s does not begin as a POSIX script that says what it is for", script)
		}
		for _, shell := range [][]string{{"dash", "-n"}, {"busybox", "ash", "-n"}} {
			run(t, nil, shell[0], append(shell[1:], script)...)
		}
	}
}

// The box's first configuration is one that the daemon takes.
func TestFirstConfiguration(t *testing.T) {
	if _, err := config.Load(filepath.Join(installed(t), "usr/share/plenum/plenum.toml")); err != nil {
		t.Error(err)
	}
}
