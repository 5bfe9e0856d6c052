package sitting

import (
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the table into docs/rights.md instead of comparing it")

// named lists the constants of a type as the package's source has them.
func named(t *testing.T, typ string) []string {
	t.Helper()
	var all []string
	for _, name := range []string{"event.go", "types.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if id, ok := v.Type.(*ast.Ident); !ok || id.Name != typ {
				return true
			}
			value, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, value)
			return true
		})
	}
	if len(all) < 6 {
		t.Fatalf("%s: only %q found", typ, all)
	}
	return all
}

// A kind without a row is nobody's; whoever adds one says here whose it is, and Apply knows it.
func TestEveryKindHasItsRow(t *testing.T) {
	var rows []string
	for _, r := range rights() {
		rows = append(rows, string(r.kind))
		s := house(t, ModeChairGrants, 1)
		if _, err := s.handle(Event{Kind: r.kind, At: start}); err != nil && strings.Contains(err.Error(), "unknown kind") {
			t.Errorf("%s has rights, and nothing happens by it", r.kind)
		}
		if r.box == never && r.operator == never && r.chair == never && r.people == never {
			t.Errorf("%s is nobody's", r.kind)
		}
	}
	want := named(t, "Kind")
	slices.Sort(want)
	slices.Sort(rows)
	if d := cmp.Diff(want, rows); d != "" {
		t.Fatalf("kinds (-) and rows of rights (+) differ:\n%s", d)
	}
}

// TestNobodyDoesWhatIsNotListed tries every kind that there is, and some that there are not, by every role, for oneself,
// for others and for seats, whether the sitting is open or not: what was not refused stands in the table of the document.
func TestNobodyDoesWhatIsNotListed(t *testing.T) {
	kinds := append(named(t, "Kind"), "", "applause", "Open", "open ", "undo")
	roles := append(named(t, "Role"), "", "root", "screen", "Chair", "owner")
	table := documented(t)
	open := house(t, ModeChairGrants, 1)
	shut := must(t, open, Event{Kind: KindClose, By: chair})
	persons := map[Role]PersonID{RoleChair: "p1", RoleMember: "p2", RoleClerk: "clerk", RoleGuest: "guest"}
	for _, s := range []*State{&open, &shut} {
		e := roster(ModeChairGrants, 1, 8)
		e.Roster = append(e.Roster, Member{ID: "clerk", Name: "C", Role: RoleClerk}, Member{ID: "guest", Name: "G", Role: RoleGuest})
		*s = must(t, *s, e)
		for _, kind := range kinds {
			for _, role := range roles {
				me := persons[Role(role)]
				for _, e := range []Event{{Person: me}, {Person: "p3"}, {Seat: "2"}, {Seat: "3"}, {Person: me, Seat: "3"}, {Person: me, Queue: true}, {Overrides: []string{"x"}}, {}} {
					e.Kind, e.At, e.By = Kind(kind), start, Actor{Role: Role(role), Person: me}
					_, _, err := Apply(*s, e)
					listed := covers(table[kind][role], e)
					refused := errors.Is(err, ErrNotAllowed) || listed == maybe && errors.Is(err, ErrInvalid)
					if (listed == yes) == refused || listed == maybe && !refused {
						t.Errorf("%q by %q %q for person %q, seat %q, queue %t: %v, in the document %q", kind, role, me, e.Person, e.Seat, e.Queue, err, table[kind][role])
					}
				}
			}
		}
	}
}

type cover int

const (
	no    cover = iota
	yes         // it is within the right
	maybe       // refused, and if only because it contradicts itself
)

// covers reads a cell of the document.
func covers(cell string, e Event) cover {
	own := e.By.Person != "" && e.Person == e.By.Person && e.Seat == ""
	switch {
	case e.Queue && e.By.Role != RoleChair && e.By.Role != RoleBox && e.By.Role != RoleOperator:
		return no
	case cell == "+", cell == "own" && own, cell == "seat" && e.Seat != "" && e.Person == "", cell == "plain" && e.Overrides == nil:
		return yes
	case cell == "seat":
		return maybe
	}
	return no
}

// documented reads the table of docs/rights.md: by kind and role what a cell says.
func documented(t *testing.T) map[string]map[string]string {
	t.Helper()
	_, rows, _ := strings.Cut(block(t), "|---|---|---|---|---|\n")
	table := map[string]map[string]string{}
	for line := range strings.Lines(rows) {
		var cells []string
		for cell := range strings.SplitSeq(strings.Trim(line, "|\n "), "|") {
			cells = append(cells, strings.Trim(cell, " `"))
		}
		if len(cells) != 5 {
			t.Fatalf("docs/rights.md: %q has not five cells", line)
		}
		table[cells[0]] = map[string]string{"box": cells[1], "operator": cells[2], "chair": cells[3],
			"member": cells[4], "clerk": cells[4], "guest": cells[4]}
	}
	return table
}

const document, begin, end = "../../docs/rights.md", "<!-- acts -->\n", "<!-- /acts -->\n"

func block(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(raw), begin)
	table, _, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no table between %s and %s", document, begin, end)
	}
	return table
}

// The document shows the rights that there are.
func TestRightsAreDocumented(t *testing.T) {
	cell := map[reach]string{never: "–", always: "+", own: "own", bySeat: "seat", plainly: "plain"}
	var b strings.Builder
	b.WriteString("| `kind` | box | operator | chair | member, clerk, guest |\n|---|---|---|---|---|\n")
	for _, r := range rights() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", r.kind, cell[r.box], cell[r.operator], cell[r.chair], cell[r.people])
	}
	if *update {
		raw, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(document, []byte(strings.Replace(string(raw), block(t), b.String(), 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(block(t), b.String()); d != "" {
		t.Fatalf("docs/rights.md (-) and the rules (+) differ; go test ./device/sitting -run TestRightsAreDocumented -update writes it:\n%s", d)
	}
}
