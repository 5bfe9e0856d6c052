package setup

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plenum/device/config"
)

func rows(t *testing.T) []Row {
	t.Helper()
	r, _, err := ParseRoster([]byte(goodRoster))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The example's own text around the members stays to the letter.
func TestMergeKeepsTheText(t *testing.T) {
	start := strings.Index(config.Example, "[[member]]")
	end := strings.Index(config.Example, "# Desk systems")
	text, cfg, kept, err := merge([]byte(config.Example), rows(t))
	if err != nil || !kept || len(cfg.Members) != 3 {
		t.Fatalf("%v, %v, %+v", kept, err, cfg.Members)
	}
	if !strings.HasPrefix(string(text), config.Example[:start]) || !strings.HasSuffix(string(text), config.Example[end:]) {
		t.Error(cmp.Diff(config.Example, string(text)))
	}
	again, _, _, err := merge(text, rows(t))
	if d := cmp.Diff(string(text), string(again)); d != "" || err != nil {
		t.Errorf("not stable: %v %s", err, d)
	}
}

func TestMergeShapes(t *testing.T) {
	start := strings.Index(config.Example, "[[member]]")
	end := strings.Index(config.Example, "# Desk systems")
	bare := config.Example[:start] + config.Example[end:]
	for _, tt := range []struct {
		name, text string
		kept       bool
	}{
		{"no members yet", bare, true},
		{"no newline at the end", strings.TrimRight(bare, "\n"), true},
		{"at the end", bare + config.Example[start:end], true},
		{"apart", config.Example[:start] + "[[member]]\nid = 'x'\nname = 'X'\nrole='chair'\n" + config.Example[end:] + "\n [[ 'member' ]] # last\nid = \"y\"\nname = \"\"\"\n[[desk]]\"\"\"\n", true},
		{"CRLF", strings.ReplaceAll(config.Example, "\n", "\r\n"), true},
		{"a header's look in other places", strings.Replace(bare, `body = "Rat der Stadt Musterstadt"`, "body = '''Rat\n[[member]]\nid = \"'''", 1), true},
		{"in brackets", "member = [ { id = \"c\", name = \"C\", role = \"chair\" } ]\n" + bare, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text, cfg, kept, err := merge([]byte(tt.text), rows(t))
			if err != nil || kept != tt.kept {
				t.Fatalf("kept %v: %v\n%s", kept, err, text)
			}
			base, err := config.Parse([]byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			base.Members = cfg.Members
			if !reflect.DeepEqual(cfg, base) || len(cfg.Members) != 3 {
				t.Error(cmp.Diff(base, cfg))
			}
			if strings.Count(string(text), "Desk systems") != 1 && tt.kept {
				t.Error("comments were lost")
			}
		})
	}
}

func FuzzMerge(f *testing.F) {
	f.Add([]byte(config.Example))
	f.Add([]byte("a = [\n[1],\n\"]\"]\n[[member]]\nid=\"\"\"\n[x]\n\"\"\" # ]\n# c\n\n[y]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		people, _, err := ParseRoster([]byte("c;Clara;;chair;;\n"))
		if err != nil {
			t.Fatal(err)
		}
		was, wasErr := config.Parse(text)
		_, is, _, err := merge(text, people)
		if wasErr == nil && err == nil {
			was.Members = is.Members
			if !reflect.DeepEqual(was, is) {
				t.Error(cmp.Diff(was, is))
			}
		}
		if wasErr == nil && err != nil {
			t.Errorf("a good configuration does not take a roster: %v", err)
		}
	})
}
