package kernel

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// parts are the packages of one version; without those named.
func parts(release, version string, signed bool, without ...string) []Package {
	k := Kernel{Release: release, Version: version, Image: "linux-image-" + release}
	if !signed {
		k.Image += "-unsigned"
	}
	var all []Package
	for _, p := range k.Parts() {
		if !slices.ContainsFunc(without, func(w string) bool { return strings.Contains(p.Name, w) }) {
			all = append(all, p)
		}
	}
	return all
}

// november is the archive of 28 November 2026: the signed image was two days behind everything else.
func november() []Package {
	return slices.Concat(
		[]Package{{"linux-image-6.1.0-56-amd64", "6.1.192-2"}, {"linux-image-amd64", "6.1.192-2"}},
		parts("6.1.0-57-amd64", "6.1.192-3", true, "image"),
		parts("6.1.0-50-amd64", "6.1.176-1", true))
}

func TestChoice(t *testing.T) {
	unsigned := Package{"linux-image-6.1.0-57-amd64-unsigned", "6.1.192-3"}
	for name, c := range map[string]struct {
		list []Package
		want string
	}{
		"28 November 2026":                    {november(), "6.1.0-50-amd64 6.1.176-1 linux-image-6.1.0-50-amd64"},
		"with the unsigned image of that day": {append(november(), unsigned), "6.1.0-57-amd64 6.1.192-3 linux-image-6.1.0-57-amd64-unsigned"},
		"one day all is there": {append(november(), unsigned, Package{"linux-image-6.1.0-57-amd64", "6.1.192-3"}),
			"6.1.0-57-amd64 6.1.192-3 linux-image-6.1.0-57-amd64"},
		"numbers, not letters": {slices.Concat(parts("6.1.0-9-amd64", "6.1.27-1", true), parts("6.1.0-10-amd64", "6.1.112-1", true)),
			"6.1.0-10-amd64 6.1.112-1 linux-image-6.1.0-10-amd64"},
		"a rebuild is newer, a preview older": {slices.Concat(parts("6.1.0-11-amd64", "6.1.115-1~rc1", true), parts("6.1.0-11-amd64", "6.1.115-1+b1", true),
			parts("6.1.0-11-amd64", "6.1.115-1", true)), "6.1.0-11-amd64 6.1.115-1+b1 linux-image-6.1.0-11-amd64"},
		"only the rebuild is left": {parts("6.1.0-11-amd64", "6.1.115-1+b1", true), "6.1.0-11-amd64 6.1.115-1+b1 linux-image-6.1.0-11-amd64"},
		"other flavours are no kernel for the lab": {slices.Concat(parts("6.1.0-50-amd64", "6.1.176-1", true),
			[]Package{{"linux-image-6.1.0-99-cloud-amd64", "6.1.199-1"}, {"linux-image-6.1.0-99-rt-amd64-unsigned", "6.1.199-1"}, {"linux-image-6.1.0-99-amd64-dbg", "6.1.199-1"}}),
			"6.1.0-50-amd64 6.1.176-1 linux-image-6.1.0-50-amd64"},
		"a kernel of another series":        {slices.Concat(parts("6.1.0-50-amd64", "6.1.176-1", true), parts("6.12.0-2-amd64", "6.12.9-1", true)), "6.1.0-50-amd64 6.1.176-1 linux-image-6.1.0-50-amd64"},
		"headers without their common half": {slices.Concat(parts("6.1.0-57-amd64", "6.1.192-3", true, "common"), parts("6.1.0-50-amd64", "6.1.176-1", false)), "6.1.0-50-amd64 6.1.176-1 linux-image-6.1.0-50-amd64-unsigned"},
	} {
		for range 2 {
			if got, err := Choose(c.list); err != nil || got.Release+" "+got.Version+" "+got.Image != c.want {
				t.Errorf("%s: %q, %v, want %q", name, got, err, c.want)
			}
			slices.Reverse(c.list) // the order in which packages are listed must not matter
		}
	}
}

// What is for all architectures keeps its version when the others are rebuilt.
func TestWhatScriptsAreGiven(t *testing.T) {
	k, err := Choose(parts("6.1.0-11-amd64", "6.1.115-1+b1", false))
	const want = "6.1.0-11-amd64 linux-image-6.1.0-11-amd64-unsigned=6.1.115-1+b1 linux-headers-6.1.0-11-amd64=6.1.115-1+b1 " +
		"linux-headers-6.1.0-11-common=6.1.115-1 linux-kbuild-6.1=6.1.115-1+b1 linux-source-6.1=6.1.115-1"
	if err != nil || k.String() != want {
		t.Errorf("%s, %v", k, err)
	}
}

func TestNoKernelIsComplete(t *testing.T) {
	for name, c := range map[string]struct {
		list []Package
		want string
	}{
		"nothing":           {nil, "the package lists name no linux-image-6.1"},
		"other packages":    {[]Package{{"busybox-static", "1:1.35.0-4"}}, "the package lists name no linux-image-6.1"},
		"no common version": {[]Package{{"linux-image-6.1.0-56-amd64", "6.1.192-2"}, {"linux-kbuild-6.1", "6.1.192-3"}, {"linux-source-6.1", "6.1.192-3"}}, "the newest, linux-image-6.1.0-56-amd64 6.1.192-2, lacks linux-headers-6.1.0-56-amd64 and"},
		"no source":         {parts("6.1.0-57-amd64", "6.1.192-3", true, "source"), "lacks linux-source-6.1"},
		"no kbuild":         {parts("6.1.0-57-amd64", "6.1.192-3", false, "kbuild"), "lacks linux-kbuild-6.1"},
	} {
		if got, err := Choose(c.list); !errors.Is(err, ErrNone) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q, %v, want %q", name, got, err, c.want)
		}
	}
}

func TestListOfPackages(t *testing.T) {
	const list = `linux-image-6.1.0-57-amd64-unsigned |  6.1.192-3 | https://archive.example/debian-security bookworm-security/main amd64 Packages
linux-kbuild-6.1 |  6.1.192-3 | https://archive.example/debian-security bookworm-security/main amd64 Packages
 linux | 6.1.192-3 | https://archive.example/debian-security bookworm-security/main Sources
N: Unable to locate package linux-nothing

nonsense | without an end
`
	got, err := Read(strings.NewReader(list))
	if want := []Package{{"linux-image-6.1.0-57-amd64-unsigned", "6.1.192-3"}, {"linux-kbuild-6.1", "6.1.192-3"}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := Read(strings.NewReader(strings.Repeat("x", 1<<20))); err == nil {
		t.Error("a line without an end was read")
	}
}
