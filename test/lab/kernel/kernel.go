// Package kernel chooses the Debian kernel that the lab's guest is made of.
//
// The guest needs a kernel's image and, to build two modules beside it, headers, build tools and source of exactly the same
// version. Debian publishes these one after the other: a signed image comes hours or days later than its source package, and
// by then the archive may already hold the next version's headers only. So the newest image is not always one that everything
// else exists for; the newest version at which every part exists is.
package kernel

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"pault.ag/go/debian/version"
)

// series is the kernel of Debian 12, as its packages are named.
const series = "6.1"

// image matches the images for ordinary machines, signed and unsigned; the cloud and rt flavours lack what the lab needs.
var image = regexp.MustCompile(`^linux-image-(\d+(?:\.\d+)+-\d+)-amd64(-unsigned)?$`)

// ErrNone: the archive holds no version at which every part of a kernel exists.
var ErrNone = errors.New("no kernel is complete")

// Package is one version of one package that can be had.
type Package struct{ Name, Version string }

// Kernel is a kernel whose parts all exist.
type Kernel struct {
	Release string // what uname -r says, such as 6.1.0-57-amd64
	Version string // of its packages for one architecture, such as 6.1.192-3 or, rebuilt, 6.1.192-3+b1
	Image   string // the package with the kernel itself: signed, or unsigned where only that exists
}

// rebuilt matches what a rebuild of the same source adds to the version. Packages for all architectures are not rebuilt.
var rebuilt = regexp.MustCompile(`\+b\d+$`)

// String is what scripts are given: the release and each part with its version, as apt-get takes them.
func (k Kernel) String() string {
	words := []string{k.Release}
	for _, p := range k.Parts() {
		words = append(words, p.Name+"="+p.Version)
	}
	return strings.Join(words, " ")
}

// Parts are the packages of a kernel, all made of one source. The first is the image.
func (k Kernel) Parts() []Package {
	base, source := strings.TrimSuffix(k.Release, "-amd64"), rebuilt.ReplaceAllString(k.Version, "")
	return []Package{{k.Image, k.Version}, {"linux-headers-" + k.Release, k.Version}, {"linux-headers-" + base + "-common", source},
		{"linux-kbuild-" + series, k.Version}, {"linux-source-" + series, source}}
}

// Choose takes the newest version at which every part exists. Where nothing is complete it fails with ErrNone and says what
// the newest image lacks.
func Choose(all []Package) (Kernel, error) {
	have := map[Package]bool{}
	for _, p := range all {
		have[p] = true
	}
	candidates := images(all)
	for _, k := range candidates {
		if len(missing(k, have)) == 0 {
			return k, nil
		}
	}
	if len(candidates) == 0 {
		return Kernel{}, fmt.Errorf("%w: the package lists name no linux-image-%s.…-amd64", ErrNone, series)
	}
	newest := candidates[0]
	return Kernel{}, fmt.Errorf("%w: of %d images none has all of its parts; the newest, %s %s, lacks %s", ErrNone, len(candidates),
		newest.Image, newest.Version, strings.Join(missing(newest, have), " and "))
}

// images are the kernels that an image exists of, the newest first, and of two alike the signed one.
func images(all []Package) []Kernel {
	var found []Kernel
	for _, p := range all {
		if m := image.FindStringSubmatch(p.Name); m != nil && strings.HasPrefix(m[1], series+".") {
			found = append(found, Kernel{Release: m[1] + "-amd64", Version: p.Version, Image: p.Name})
		}
	}
	slices.SortStableFunc(found, func(a, b Kernel) int {
		if c := compare(b.Version, a.Version); c != 0 {
			return c
		}
		if c := compare(b.Release, a.Release); c != 0 {
			return c
		}
		return len(a.Image) - len(b.Image)
	})
	return found
}

// compare orders versions as dpkg does. What is no version is older than any.
func compare(a, b string) int {
	x, errX := version.Parse(a)
	y, errY := version.Parse(b)
	switch {
	case errX != nil && errY != nil:
		return strings.Compare(a, b)
	case errX != nil:
		return -1
	case errY != nil:
		return 1
	}
	return version.Compare(x, y)
}

func missing(k Kernel, have map[Package]bool) []string {
	var lacks []string
	for _, p := range k.Parts() {
		if !have[p] {
			lacks = append(lacks, p.Name)
		}
	}
	return lacks
}

// Read reads what "apt-cache madison" prints: "name | version | where from". Sources and lines of another form are left out.
func Read(r io.Reader) ([]Package, error) {
	var all []Package
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		column := strings.Split(lines.Text(), "|")
		if len(column) != 3 || !strings.HasSuffix(strings.TrimSpace(column[2]), "Packages") {
			continue
		}
		all = append(all, Package{strings.TrimSpace(column[0]), strings.TrimSpace(column[1])})
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading the list of packages: %w", err)
	}
	return all, nil
}
