package lab

import (
	"context"
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// suiteLimit is how long the tests of one package may take in the guest; long soaks there have until soakLimit.
const (
	suiteLimit = 30 * time.Minute
	soakLimit  = 2 * time.Hour
)

// Suite is the tests of one package that want the lab: those in files with "lab" in their go:build line.
type Suite struct {
	Package string // path from the module's root, such as hal/camera
	Tests   []string
}

// Suites finds all of them below folders of the module.
func Suites(folders ...string) ([]Suite, error) {
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	var all []Suite
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && d.Name() == "node_modules":
				return fs.SkipDir
			case !strings.HasSuffix(path, "_test.go"):
				return nil
			}
			tests, err := labTests(path)
			if err != nil || len(tests) == 0 {
				return err
			}
			pkg, err := filepath.Rel(root, filepath.Dir(path))
			if err != nil {
				return err
			}
			if n := len(all); n == 0 || all[n-1].Package != pkg {
				all = append(all, Suite{Package: pkg})
			}
			last := &all[len(all)-1]
			last.Tests = append(last.Tests, tests...)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("looking for tests of the lab: %w", err)
		}
	}
	return all, nil
}

// labTests gives the names of the tests of a file that is only built with the tag lab.
func labTests(path string) ([]string, error) {
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(f.Comments, func(g *ast.CommentGroup) bool { return g.Pos() < f.Package && wantsLab(g) }) {
		return nil, nil
	}
	var names []string
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") && fn.Name.Name != "TestMain" {
			names = append(names, fn.Name.Name)
		}
	}
	return names, nil
}

func wantsLab(g *ast.CommentGroup) bool {
	for _, c := range g.List {
		x, err := constraint.Parse(c.Text)
		if err != nil {
			continue
		}
		with := func(lab bool) bool { return x.Eval(func(tag string) bool { return tag != "lab" || lab }) }
		return with(true) && !with(false)
	}
	return false
}

// RunTests builds the package's tests on the host, runs those of the suite in the guest as root, one after the other,
// and reports each as a subtest of t. A test that is skipped has failed: what it misses is to be in the guest.
func (v *VM) RunTests(t *testing.T, s Suite) {
	t.Helper()
	began := time.Now()
	dir := "/lab/" + s.Package
	if err := v.putTests(t.Context(), s, dir, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	limit := time.Duration(Cycles(int(suiteLimit), int(soakLimit)))
	ctx, cancel := context.WithTimeout(t.Context(), limit+time.Minute)
	defer cancel()
	report := newReport(t.Output())
	built := time.Since(began)
	err := v.Stream(ctx, fmt.Sprintf("cd %s && PLENUM_SOAK=%s exec ./lab.test -test.v=test2json -test.timeout %v -test.run '^(%s)$'",
		dir, os.Getenv("PLENUM_SOAK"), limit, strings.Join(s.Tests, "|")), report, report)
	report.flush()
	for _, name := range s.Tests {
		t.Run(name, func(t *testing.T) {
			if r := report.results[name]; r != "PASS" {
				t.Errorf("%s in the guest: %s%s", name, report.said[name], map[bool]string{true: "it did not come to an end"}[r == ""])
			}
		})
	}
	if err != nil && !t.Failed() {
		t.Errorf("the tests passed, but %v", err)
	}
	t.Logf("%s: built and copied in %.1f s, %d tests in the guest in %.1f s", s.Package, built.Seconds(), len(s.Tests), (time.Since(began) - built).Seconds())
}

// putTests builds the test binary and puts it into the guest with the package's testdata.
func (v *VM) putTests(ctx context.Context, s Suite, dir, tmp string) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	binary := filepath.Join(tmp, "lab.test")
	args := []string{"test", "-c", "-ldflags=-s -w", "-tags", "lab", "-o", binary}
	if os.Getenv("PLENUM_LAB_RACE") == "1" {
		args = append(args, "-race")
	}
	if err := goTool(ctx, root, io.Discard, nil, append(args, "./"+s.Package)...); err != nil {
		return err
	}
	if err := v.PutFile(ctx, binary, dir+"/lab.test"); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(root, s.Package, "testdata")); err != nil {
		return nil // most have none
	}
	archive := filepath.Join(tmp, "testdata.tar")
	if out, err := exec.CommandContext(ctx, "tar", "-C", filepath.Join(root, s.Package), "-cf", archive, "testdata").CombinedOutput(); err != nil {
		return fmt.Errorf("packing testdata of %s: %w: %s", s.Package, err, out)
	}
	if err := v.PutFile(ctx, archive, dir+"/testdata.tar"); err != nil {
		return err
	}
	_, err = v.Run(ctx, "cd "+dir+" && tar -xf testdata.tar")
	return err
}
