// Package house keeps the rules of the house: imports run one way, every package says what it is for, files and
// functions stay readable, no private key or workplace name gets in.
package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// file is one Go file of the tree.
type file struct {
	path string // from the root
	pkg  string // import path without the module's name
	set  *token.FileSet
	ast  *ast.File
}

func tree(t *testing.T) []file {
	t.Helper()
	var all []file
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{"node_modules", ".git", ".cache", "bin", "run"}, d.Name()):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go"):
			return nil
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		all = append(all, file{rel, filepath.ToSlash(filepath.Dir(rel)), set, f})
		return err
	})
	if err != nil || len(all) < 20 {
		t.Fatalf("reading the tree: %d files, %v", len(all), err)
	}
	return all
}

// room is a part of the house and where it may look.
type room struct {
	prefix string
	sees   []string // prefixes of our own packages it may import
}

// rooms, the most specific first. device/app wires, so it sees everything below cmd.
func rooms() []room {
	return []room{
		{"device/sitting", nil},
		{"device/health", nil},
		{"device/strict", nil},
		{"device/names", nil},
		{"device/config", []string{"device/names", "device/sitting", "device/strict"}},
		{"device/journal", []string{"device/sitting"}},
		{"device/clerk", []string{"device/sitting", "device/journal"}},
		{"device/access", []string{"device/sitting"}},
		{"device/stick", nil},
		{"device/update", []string{"device/stick"}},
		{"device/setup", []string{"device/config", "device/names", "device/sitting", "device/strict"}},
		{"device/diag", []string{"device/access", "device/stick"}},
		{"device/service", []string{"device/access", "device/health", "device/stick", "device/update", "device/setup", "device/diag"}},
		{"device/console", []string{"device/sitting", "device/clerk", "device/access", "device/health", "device/service", "device/console",
			"device/stick", "device/update", "device/setup", "device/diag"}}, // what the technician's room shows
		{"device/control", []string{"device/sitting", "device/clerk", "device/access", "device/health", "device/service", "device/control",
			"device/stick", "device/update", "device/setup", "device/diag"}},
		{"device/app", []string{"device", "media", "hal"}},
		{"media", []string{"media", "hal"}},
		{"hal", []string{"hal"}},
		{"cmd", []string{"device", "hal", "media", "cmd"}},
		{"test", []string{"device", "media", "hal", "test", "cmd"}},
		{"systemd", []string{"device", "test"}},
		{"buildroot", []string{"device", "test"}},
	}
}

func TestImportsRunOneWay(t *testing.T) {
	for _, f := range tree(t) {
		i := slices.IndexFunc(rooms(), func(r room) bool { return f.pkg == r.prefix || strings.HasPrefix(f.pkg, r.prefix+"/") })
		if i < 0 {
			t.Errorf("%s is in no room of the house: add it to rooms and to ARCHITECTURE.md", f.path)
			continue
		}
		for _, spec := range f.ast.Imports {
			path := strings.Trim(spec.Path.Value, `"`)
			own, ok := strings.CutPrefix(path, "plenum/")
			if !ok || own == f.pkg || strings.HasSuffix(f.path, "_test.go") && strings.HasPrefix(own, "hal/") {
				continue
			}
			if !slices.ContainsFunc(rooms()[i].sees, func(p string) bool { return own == p || strings.HasPrefix(own, p+"/") }) {
				t.Errorf("%s imports %s: rooms under %s may not", f.path, path, rooms()[i].prefix)
			}
		}
	}
}

// What is decoded without a look at its depth first can take all memory there is.
func TestOnlyStrictDecodesTOML(t *testing.T) {
	for _, f := range tree(t) {
		if f.pkg == "device/strict" {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "toml" && !slices.Contains([]string{"NewEncoder", "Marshal"}, s.Sel.Name) {
					t.Errorf("%s: %s uses toml.%s; device/strict decodes", f.path, f.set.Position(s.Pos()), s.Sel.Name)
				}
			}
			return true
		})
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	docs := map[string]int{}
	for _, f := range tree(t) {
		if _, seen := docs[f.pkg]; !seen {
			docs[f.pkg] = 0
		}
		if f.ast.Doc != nil && len(f.ast.Doc.Text()) > 60 {
			docs[f.pkg]++
		}
	}
	for pkg, n := range docs {
		if n != 1 {
			t.Errorf("%s has %d package comments, it needs exactly one that says what the room is for", pkg, n)
		}
	}
}

func TestExportedNamesAreExplained(t *testing.T) {
	for _, f := range tree(t) {
		if strings.HasSuffix(f.path, "_test.go") {
			continue
		}
		for _, d := range f.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
					t.Errorf("%s: %s has no comment", f.set.Position(d.Pos()), d.Name.Name)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if ts, ok := s.(*ast.TypeSpec); ok && ts.Name.IsExported() && d.Doc == nil && ts.Doc == nil {
						t.Errorf("%s: %s has no comment", f.set.Position(ts.Pos()), ts.Name.Name)
					}
				}
			}
		}
	}
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	id, ok := typ.(*ast.Ident)
	return ok && id.IsExported()
}

func TestFilesAndFunctionsStayReadable(t *testing.T) {
	for _, f := range tree(t) {
		if n := f.set.Position(f.ast.End()).Line; n > 400 {
			t.Errorf("%s has %d lines, a room has 400 at most", f.path, n)
		}
		if strings.HasSuffix(f.path, "_test.go") {
			continue
		}
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				if n := f.set.Position(fn.End()).Line - f.set.Position(fn.Pos()).Line; n > 60 {
					t.Errorf("%s: %s has %d lines, it should fit a screen", f.set.Position(fn.Pos()), fn.Name.Name, n)
				}
			}
		}
	}
}

// TestNoMutablePackageVariables: state belongs to somebody. Errors, compiled patterns and embedded files may stand at
// package level.
func TestNoMutablePackageVariables(t *testing.T) {
	for _, f := range tree(t) {
		if strings.HasSuffix(f.path, "_test.go") {
			continue
		}
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s works at import", f.set.Position(fn.Pos()))
			}
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			embedded := g.Doc != nil && strings.Contains(commentText(g.Doc), "go:embed")
			for _, s := range g.Specs {
				v := s.(*ast.ValueSpec)
				if v.Doc != nil && strings.Contains(commentText(v.Doc), "go:embed") || embedded || v.Names[0].Name == "_" || constant(v) {
					continue
				}
				t.Errorf("%s: %s is a package variable", f.set.Position(v.Pos()), v.Names[0].Name)
			}
		}
	}
}

func commentText(c *ast.CommentGroup) string {
	out := ""
	for _, l := range c.List {
		out += l.Text
	}
	return out
}

// constant reports whether every value is an error or a compiled pattern.
func constant(v *ast.ValueSpec) bool {
	if len(v.Values) == 0 {
		return false
	}
	for _, val := range v.Values {
		call, ok := val.(*ast.CallExpr)
		if !ok {
			return false
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || !slices.Contains([]string{"New", "Errorf", "MustCompile"}, sel.Sel.Name) {
			return false
		}
	}
	return true
}

func TestNoPrivateKeyInTheTree(t *testing.T) {
	marker := regexp.MustCompile("PRIVATE" + ` KEY-----\s+(?:[A-Za-z0-9-]+: .*\s+)*[A-Za-z0-9+/=]{40,}\s`)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains([]string{"node_modules", ".git", ".cache", "bin", "run"}, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil || info.Size() > 1<<20 || !info.Mode().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if err == nil && marker.Match(b) {
			t.Errorf("%s holds a private key", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
