package systemd_test

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// path puts bin before the programs of the machine.
func path(bin string) string { return "PATH=" + bin + ":" + os.Getenv("PATH") }

func TestFallback(t *testing.T) {
	const trial = `{"state":"installed","version":"1.2.0","from_version":"1.1.0","from_slot":"A","to_slot":"B","at":"2026-11-23T17:00:00Z","live":["camera:Totale"]}`
	for _, tt := range []struct {
		name, cmdline, trial, before string
		folder                       string // "": var/lib/plenum/update
		reboots                      bool
	}{
		{name: "first boot of an update", cmdline: "ro rauc.slot=B quiet", trial: trial, reboots: true},
		{name: "on several lines", cmdline: "rauc.slot=B", trial: strings.ReplaceAll(trial, ",", ",\n  "), reboots: true},
		{name: "with spaces", cmdline: "rauc.slot=B", trial: strings.ReplaceAll(trial, ":", " : "), reboots: true},
		{name: "binds are missing", cmdline: "rauc.slot=B", trial: trial, folder: "data/plenum/update", reboots: true},
		{name: "no trial", cmdline: "rauc.slot=B"},
		{name: "went back already", cmdline: "rauc.slot=A", trial: trial},
		{name: "cut before its end was written down", cmdline: "rauc.slot=B", trial: strings.Replace(trial, `"installed"`, `"installing"`, 1), reboots: true},
		{name: "the daemon had begun the trial", cmdline: "rauc.slot=B", trial: strings.Replace(trial, `"installed"`, `"trial"`, 1), reboots: true},
		{name: "no slots here", cmdline: "root=/dev/vda", trial: trial},
		{name: "torn file", cmdline: "rauc.slot=B", trial: `{"state":"inst`},
		{name: "empty file", cmdline: "rauc.slot=B", trial: "\n"},
		{name: "a restart did not help", cmdline: "rauc.slot=B", trial: trial, before: "1.2.0 2026-11-23T17:00:00Z\n"},
		{name: "a restart of another trial", cmdline: "rauc.slot=B", trial: trial, before: "1.2.0 2026-10-01T09:00:00Z\n", reboots: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			write(t, filepath.Join(root, "proc/cmdline"), tt.cmdline+"\n", 0o644)
			folder := filepath.Join(root, cmp.Or(tt.folder, "var/lib/plenum/update"))
			if tt.trial != "" {
				write(t, filepath.Join(folder, "trial.json"), tt.trial, 0o600)
			}
			if tt.before != "" {
				write(t, filepath.Join(folder, "fallback"), tt.before, 0o600)
			}
			bin, log := recorder(t, "systemctl", "sync")
			for again := range 2 { // the second time it stays, whatever the boot loader did
				said := run(t, []string{path(bin), "PLENUM_ROOT=" + root}, "libexec/fallback")
				if said == "" {
					t.Error("the journal does not hear why")
				}
				if got, want := strings.Contains(read(t, log), "systemctl reboot"), tt.reboots && again == 0; got != want {
					t.Errorf("time %d: restarts: %v, want %v\n%s", again+1, got, want, said)
				}
				write(t, log, "", 0o644)
			}
		})
	}
}

// keptByWipe is what a factory reset leaves.
var keptByWipe = []string{"lost+found/", "rauc.status"}

// fill makes a data partition with people, keys and logs.
func fill(t *testing.T) string {
	data := t.TempDir()
	for _, f := range []string{"rauc.status", "plenum/journal.db", "plenum/ca.key", "plenum/update/trial.json", "etc/plenum.toml", "etc/tls/key.pem",
		"log/0123/system.journal", ".hidden", "..odd", "-rf", "a b/c", "lost+found/#12/roster.csv", ".factory-reset"} {
		write(t, filepath.Join(data, f), "secret", 0o600)
	}
	if err := os.Symlink("/nowhere", filepath.Join(data, "dangling")); err != nil {
		t.Fatal(err)
	}
	return data
}

func entries(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name := strings.TrimPrefix(path, dir+"/")
		if d.IsDir() {
			name += "/"
		}
		names = append(names, name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestWipe cuts the power at each step of a factory reset and boots again.
func TestWipe(t *testing.T) {
	done := false
	for cut := 1; !done; cut++ {
		if cut > 100 {
			t.Fatal("the wipe never ends")
		}
		data := fill(t)
		bin := t.TempDir()
		// The plug is pulled after (even: before) a program that changes something.
		for _, name := range []string{"rm", "sync", "fstrim"} {
			write(t, filepath.Join(bin, name), fmt.Sprintf(`#!/bin/sh
n=$(($(cat %[1]s/n 2>/dev/null || echo 0) + 1))
echo $n >%[1]s/n
[ $n != %[2]d ] || [ $(($n %% 2)) = 1 ] || kill -9 $PPID
[ %[3]s = fstrim ] || PATH=${PATH#*:} command %[3]s "$@"
[ $n != %[2]d ] || kill -9 $PPID
`, bin, cut, name), 0o755)
		}
		_, code := try(t, []string{path(bin), "PLENUM_DATA=" + data}, "libexec/wipe")
		left := entries(t, data)
		marked := slices.Contains(left, ".factory-reset")
		if done = code == 0; done && marked {
			t.Fatal("the mark is left after a whole wipe")
		}
		if !marked && !slices.Equal(left, keptByWipe) {
			t.Fatalf("cut %d: nothing tells the next boot to go on, and this is left: %v", cut, left)
		}
		run(t, []string{"PLENUM_DATA=" + data}, "libexec/wipe")
		if diff := gocmp.Diff(keptByWipe, entries(t, data)); diff != "" {
			t.Errorf("cut %d, after the next boot: %s", cut, diff)
		}
	}
}

func TestWipeNeedsTheMark(t *testing.T) {
	data := fill(t)
	if err := os.Remove(filepath.Join(data, ".factory-reset")); err != nil {
		t.Fatal(err)
	}
	before := entries(t, data)
	run(t, []string{"PLENUM_DATA=" + data}, "libexec/wipe")
	if diff := gocmp.Diff(before, entries(t, data)); diff != "" {
		t.Error(diff)
	}
}

func TestReset(t *testing.T) {
	data := t.TempDir()
	bin, log := recorder(t, "systemctl", "sync")
	run(t, []string{path(bin), "PLENUM_DATA=" + data}, "libexec/reset")
	if got := read(t, log); got != "sync "+filepath.Join(data, ".factory-reset")+" "+data+"\n" || !exists(filepath.Join(data, ".factory-reset")) {
		t.Errorf("mark: %v, called: %q", exists(filepath.Join(data, ".factory-reset")), got)
	}
	if _, code := try(t, []string{path(bin), "PLENUM_DATA=" + data + "/none"}, "libexec/reset"); code == 0 {
		t.Error("the job is done without the mark, and its unit restarts the box")
	}
}

func TestFolders(t *testing.T) {
	for _, tt := range []struct{ hostname, want string }{
		{"rathaus-1\nmore", "rathaus-1\n"}, {"", "plenum\n"}, {"-x", "plenum\n"}, {"a b", "plenum\n"}, {"x;reboot", "plenum\n"},
		{"../x", "plenum\n"}, {strings.Repeat("a", 64), "plenum\n"}, {strings.Repeat("a", 63), strings.Repeat("a", 63) + "\n"},
	} {
		data := t.TempDir()
		kernel := filepath.Join(t.TempDir(), "hostname")
		write(t, kernel, "as it was", 0o644)
		env := []string{"PLENUM_DATA=" + data, "PLENUM_HOSTNAME=" + kernel, "PLENUM_OWNER=nobody:nogroup", "PLENUM_LOG_OWNER=root:root"}
		run(t, env, "libexec/folders")
		for name, want := range map[string]string{"plenum": "700 nobody:nogroup", "etc": "755 nobody:nogroup", "log": "2755 root:root"} {
			if got := run(t, nil, "stat", "-c", "%a %U:%G", filepath.Join(data, name)); got != want+"\n" {
				t.Errorf("%s is %s, want %s", name, got, want)
			}
		}
		write(t, filepath.Join(data, "etc/name"), tt.hostname, 0o644)
		bin, log := recorder(t, "chown", "chmod", "mkdir")
		run(t, append(env, path(bin)), "libexec/folders")
		if got := read(t, log); got != "" {
			t.Errorf("what is right is changed: %s", got)
		}
		if got := read(t, kernel); got != tt.want {
			t.Errorf("the name %q makes the box %q", tt.hostname, got)
		}
	}
}

func TestIdentity(t *testing.T) {
	root := t.TempDir()
	env := func(bin string) []string { return []string{path(bin), "PLENUM_ROOT=" + root} }
	write(t, filepath.Join(root, "etc/machine-id"), "0123456789abcdef0123456789abcdef\n", 0o444)

	bin, log := recorder(t, "fw_setenv", "sync")
	run(t, env(bin), "libexec/identity")
	if got := read(t, log); got != "fw_setenv MACHINE_ID 0123456789abcdef0123456789abcdef\nsync \n" {
		t.Errorf("with U-Boot: %q", got)
	}
	write(t, filepath.Join(root, "etc/rauc/system.conf"), "[system]\nbootloader=grub\ngrubenv = /grub/grubenv\n", 0o644)
	bin, log = recorder(t, "grub-editenv", "sync")
	run(t, env(bin), "libexec/identity")
	if got, want := read(t, log), "grub-editenv "+root+"/grub/grubenv set MACHINE_ID=0123456789abcdef0123456789abcdef\nsync \n"; got != want {
		t.Errorf("with GRUB: %q", got)
	}
	for _, bad := range []string{"uninitialized\n", "", "0123 panic=0\n"} {
		write(t, filepath.Join(root, "etc/machine-id.new"), bad, 0o444)
		if err := os.Rename(filepath.Join(root, "etc/machine-id.new"), filepath.Join(root, "etc/machine-id")); err != nil {
			t.Fatal(err)
		}
		if _, code := try(t, env(bin), "libexec/identity"); code == 0 {
			t.Errorf("%q is taken as an identity", bad)
		}
	}
}

func TestStopped(t *testing.T) {
	for _, tt := range []struct {
		name, result string
		technician   bool
		want         string
	}{
		{"ended well", "success", false, ""},
		{"fell", "watchdog", false, "systemctl start --no-block plenum-crash@abc.service\n"},
		{"in technician mode", "success", true, "systemctl start --no-block plenum-usb.service\n"},
		{"fell in technician mode", "signal", true, "systemctl start --no-block plenum-usb.service plenum-crash@abc.service\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			flag := filepath.Join(dir, "technician")
			if tt.technician {
				write(t, flag, "", 0o644)
			}
			bin, log := recorder(t, "systemctl")
			run(t, []string{path(bin), "PLENUM_RUN=" + dir, "SERVICE_RESULT=" + tt.result, "INVOCATION_ID=abc"}, "libexec/stopped")
			if got := read(t, log); got != tt.want || exists(flag) {
				t.Errorf("called %q, flag there: %v", got, exists(flag))
			}
		})
	}
}

func TestCrash(t *testing.T) {
	state := t.TempDir()
	for i := range 12 {
		write(t, filepath.Join(state, "crash", fmt.Sprintf("20250101T0000%02dZ.txt", i)), "old", 0o600)
	}
	bin := t.TempDir()
	write(t, filepath.Join(bin, "journalctl"), "#!/bin/sh\necho \"goroutine 1 [running] $*\"\n", 0o755)
	env := []string{path(bin), "PLENUM_STATE=" + state, "PLENUM_PAUSE=0"}
	run(t, env, "libexec/crash", "0123abcd")
	got := entries(t, filepath.Join(state, "crash"))
	if len(got) != 10 || got[0] != "20250101T000003Z.txt" || !strings.Contains(read(t, filepath.Join(state, "crash", got[9])), "_SYSTEMD_INVOCATION_ID=0123abcd") {
		t.Errorf("kept %v", got)
	}
	for _, bad := range []string{"", "../x", "a b", "0123 -b"} {
		if _, code := try(t, env, "libexec/crash", bad); code == 0 {
			t.Errorf("%q is taken as an invocation", bad)
		}
	}
}
