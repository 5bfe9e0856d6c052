//go:build buildroot

package checks

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/semver"
)

// checkout is the Buildroot that BUILDROOT names. It has to be of the supported release.
func checkout(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("BUILDROOT")
	if dir == "" {
		t.Fatal("BUILDROOT=/path is not set")
	}
	version := regexp.MustCompile(`(?m)^export BR2_VERSION := (\S+)`).FindStringSubmatch(read(t, filepath.Join(dir, "Makefile")))
	if version == nil || !strings.HasPrefix(version[1], "2026.02") {
		t.Fatalf("%s is Buildroot %q, 2026.02.x is supported", dir, version)
	}
	if got := values(strings.ReplaceAll(read(t, filepath.Join(dir, "package/go/go.mk")), " = ", "="))["GO_VERSION"]; semver.Compare("v"+got, buildrootGo) < 0 {
		t.Errorf("this Buildroot has Go %s, README.md says %s", got, buildrootGo)
	}
	return dir
}

// Each board's configuration, asked of Buildroot itself.
func TestBuildrootBoards(t *testing.T) {
	buildroot := checkout(t)
	for _, name := range boards() {
		t.Run(name, func(t *testing.T) {
			out := t.TempDir()
			run(t, buildroot, "make", "-s", "O="+out, "BR2_EXTERNAL="+tree(t), "plenum_"+name+"_defconfig")
			inEffect(t, out, name)
			inside(t, out)
		})
	}
}

// inEffect: Kconfig drops lines in silence whose dependencies are not met. All of ours have to be in .config, and in the
// order that savedefconfig gives them.
func inEffect(t *testing.T, out, name string) {
	t.Helper()
	committed := filepath.Join(tree(t), "configs/plenum_"+name+"_defconfig")
	effective := "\n" + read(t, filepath.Join(out, ".config"))
	for line := range strings.Lines(read(t, committed) + "BR2_TARGET_ROOTFS_SQUASHFS4_GZIP=y\n") {
		if !strings.Contains(effective, "\n"+line) {
			t.Errorf("not in effect: %s", line)
		}
	}
	saved := filepath.Join(t.TempDir(), "saved")
	run(t, out, "make", "-s", "BR2_DEFCONFIG="+saved, "savedefconfig")
	if diff, err := try(t, out, "diff", "-u", committed, saved); err != nil {
		t.Errorf("savedefconfig gives another file:\n%s", diff)
	}
}

// inside: what the daemon stands on is in the image, in which versions and under which licences.
func inside(t *testing.T, out string) {
	t.Helper()
	var info map[string]struct{ Type, Version, Licenses string }
	text := run(t, out, "make", "-s", "show-info")
	if err := json.Unmarshal([]byte(text[max(0, strings.Index(text, "{")):]), &info); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"plenumd", "rauc", "systemd", "udisks", "polkit", "opus", "libvpx", "alsa-lib", "cog", "weston", "nftables", "host-rauc", "host-genimage"} {
		if _, ok := info[want]; !ok {
			t.Errorf("%s is not in the image", want)
		}
	}
	if got, want := info["plenumd"].Version, values(read(t, filepath.Join(tree(t), "release.env")))["VERSION"]; got != want {
		t.Errorf("plenumd has the version %q, release.env says %s", got, want)
	}
	table := []string{}
	for pkg, p := range info {
		if p.Type == "target" && p.Version != "" {
			table = append(table, fmt.Sprintf("%-28s %-14s %s", pkg, p.Version, p.Licenses))
		}
	}
	slices.Sort(table)
	t.Logf("%d packages in the image:\n%s", len(table), strings.Join(table, "\n"))
}

func TestBuildrootCheckPackage(t *testing.T) {
	buildroot := checkout(t)
	var files []string
	for _, name := range []string{"Config.in", "external.mk", "package/plenumd/Config.in", "package/plenumd/plenumd.mk", "patches/linux/linux.hash"} {
		files = append(files, filepath.Join(tree(t), name))
	}
	for _, name := range boards() {
		files = append(files, filepath.Join(tree(t), "configs/plenum_"+name+"_defconfig"))
	}
	// Debian's own Python: another one on PATH does not see Debian's packages.
	script := filepath.Join(buildroot, "utils/check-package")
	if out := run(t, buildroot, "/usr/bin/python3", append([]string{script, "-b", "--failed-only"}, files...)...); !strings.Contains(out, "\n0 warnings generated") {
		t.Error(out)
	}
}
