package checks

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

// buildrootGo is the Go of the Buildroot release that README.md names (package/go/go.mk there).
const buildrootGo = "v1.26.3"

// scripts are all shell scripts of the tree.
func scripts(t *testing.T) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(tree(t), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if strings.HasPrefix(read(t, path), "#!/bin/") {
			list = append(list, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestScripts(t *testing.T) {
	list := scripts(t)
	run(t, tree(t), "shellcheck", list...)
	for _, path := range list {
		if info, err := os.Stat(path); err != nil || info.Mode()&0o111 == 0 {
			t.Errorf("%s cannot be run: %v", path, err)
		}
	}
}

func TestNamedPathsExist(t *testing.T) {
	named := regexp.MustCompile(`\$(?:\(BR2_EXTERNAL_PLENUM_PATH\)|BR2_EXTERNAL_PLENUM_PATH)/([A-Za-z0-9_./-]+)`)
	files := []string{"Config.in", "external.mk", "package/plenumd/plenumd.mk"}
	for _, name := range boards() {
		files = append(files, "configs/plenum_"+name+"_defconfig")
	}
	found := 0
	for _, file := range files {
		for _, m := range named.FindAllStringSubmatch(read(t, filepath.Join(tree(t), file)), -1) {
			found++
			if _, err := os.Stat(filepath.Join(tree(t), m[1])); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d paths found: the test looks in the wrong place", found)
	}
	if info, err := os.Stat(filepath.Join(top(t), "systemd/install.sh")); err != nil || info.Mode()&0o111 == 0 {
		t.Errorf("plenumd.mk runs systemd/install.sh: %v", err)
	}
}

// Buildroot builds with its own Go and no other (GOTOOLCHAIN=local), from vendored modules.
func TestGoFitsBuildroot(t *testing.T) {
	mod, err := modfile.Parse("go.mod", []byte(read(t, filepath.Join(top(t), "go.mod"))), nil)
	if err != nil {
		t.Fatal(err)
	}
	if semver.Compare("v"+mod.Go.Version, buildrootGo) > 0 {
		t.Errorf("go.mod asks for Go %s, Buildroot has %s", mod.Go.Version, buildrootGo)
	}
	if mod.Toolchain != nil {
		t.Errorf("go.mod has a toolchain line: %s", mod.Toolchain.Name)
	}
	if !strings.Contains(read(t, filepath.Join(tree(t), "README.md")), "Go "+strings.TrimPrefix(buildrootGo, "v")) {
		t.Error("README.md names another Go of Buildroot")
	}
	mk := read(t, filepath.Join(tree(t), "package/plenumd/plenumd.mk"))
	for _, want := range []string{
		"PLENUMD_GOMOD = " + mod.Module.Mod.Path + "\n",
		"PLENUMD_BUILD_TARGETS = cmd/plenumd cmd/plenumctl\n",
	} {
		if !strings.Contains(mk, want) {
			t.Errorf("plenumd.mk lacks %q", want)
		}
	}
	if strings.Contains(mk, "PLENUMD_TAGS") {
		t.Error("plenumd.mk sets build tags: what is in the image would not be what is tested")
	}
}

// The root file system cannot be written, so whom systemd-sysusers would make has to be in the image.
func TestUsers(t *testing.T) {
	mk := read(t, filepath.Join(tree(t), "package/plenumd/plenumd.mk"))
	made := regexp.MustCompile(`(?m)^\t(\S+) -1 (\S+) -1`).FindAllStringSubmatch(mk, -1)
	groups := regexp.MustCompile(`(?m)^\t- - (\S+) -1`).FindAllStringSubmatch(mk, -1)
	var have, want []string
	for _, m := range made {
		have = append(have, "u "+m[1])
	}
	for _, m := range groups {
		have = append(have, "g "+m[1])
	}
	for line := range strings.Lines(read(t, filepath.Join(top(t), "systemd/sysusers.d/plenum.conf"))) {
		if f := strings.Fields(line); len(f) > 1 && (f[0] == "u" || f[0] == "u!" || f[0] == "g") {
			want = append(want, f[0][:1]+" "+f[1])
		}
	}
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		t.Errorf("plenumd.mk makes %q, systemd/sysusers.d %q", have, want)
	}
}

func TestRelease(t *testing.T) {
	release := values(read(t, filepath.Join(tree(t), "release.env")))
	for _, key := range []string{"VERSION", "MIN_VERSION"} {
		if !semver.IsValid("v" + release[key]) {
			t.Errorf("%s=%s is no semantic version", key, release[key])
		}
	}
	if semver.Compare("v"+release["MIN_VERSION"], "v"+release["VERSION"]) > 0 {
		t.Error("the release would refuse itself: MIN_VERSION is newer than VERSION")
	}
	if !regexp.MustCompile(`^20\d\d-(0[1-9]|1[0-2])$`).MatchString(release["SUPPORT_UNTIL"]) {
		t.Errorf("SUPPORT_UNTIL=%s is no YYYY-MM", release["SUPPORT_UNTIL"])
	}
}

func TestKconfig(t *testing.T) {
	program := `import kconfiglib, os, sys
os.environ["BR2_EXTERNAL_PLENUM_PATH"] = sys.argv[1]
k = kconfiglib.Kconfig(sys.argv[1] + "/Config.in", warn_to_stderr=False)
foreign = ("UNDEFINED", "undefined symbol")
for w in k.warnings:
    if not any(f in w for f in foreign): print("warning:", w)
print(" ".join(sorted(s.name for s in k.unique_defined_syms)))`
	// Debian's own Python: another one on PATH does not see Debian's packages.
	if out := strings.TrimSpace(run(t, tree(t), "/usr/bin/python3", "-c", program, tree(t))); out != "BR2_PACKAGE_PLENUMD" {
		t.Errorf("Config.in: %s", out)
	}
}

// A custom kernel's archive is only taken with its hash.
func TestKernelHashes(t *testing.T) {
	hashes := read(t, filepath.Join(tree(t), "patches/linux/linux.hash"))
	for _, name := range boards() {
		config := read(t, filepath.Join(tree(t), "configs/plenum_"+name+"_defconfig"))
		archive := ""
		if m := regexp.MustCompile(`KERNEL_CUSTOM_VERSION_VALUE="(.*)"`).FindStringSubmatch(config); m != nil {
			archive = "linux-" + m[1] + ".tar.xz"
		} else if m := regexp.MustCompile(`CUSTOM_TARBALL_LOCATION=".*/(linux-.*)"`).FindStringSubmatch(config); m != nil {
			archive = m[1]
		}
		if archive == "" || !strings.Contains(hashes, "  "+archive+"\n") {
			t.Errorf("%s: patches/linux/linux.hash has no hash of the kernel's archive %q", name, archive)
		}
	}
}
