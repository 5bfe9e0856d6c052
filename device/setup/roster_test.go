package setup

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plenum/device/config"
	"plenum/device/sitting"
)

func TestRoster(t *testing.T) {
	want := []Row{
		{config.Member{ID: "c.vorsitz", Name: "Clara Vorsitz", Group: "Bürgermeisterin", Role: sitting.RoleChair, Seat: "1"}, 0},
		{config.Member{ID: "n.neu", Name: "Neu; \"Nora\"", Group: "Fraktion B", Role: sitting.RoleMember, Seat: "2", Remote: true}, 0},
	}
	body := "c.vorsitz;Clara Vorsitz;Bürgermeisterin;chair;1;\nn.neu;\"Neu; \"\"Nora\"\"\";Fraktion B;;2;ja\n"
	for _, tt := range []struct {
		name, text string
		lines      [2]int
	}{
		{"plain", body, [2]int{1, 2}},
		{"heading", "id;name;group;role;seat;remote\n" + body, [2]int{2, 3}},
		{"byte order mark and CRLF", "\xef\xbb\xbf" + strings.ReplaceAll("id;name;group;role;seat;remote\n"+body, "\n", "\r\n"), [2]int{2, 3}},
		{"spreadsheet's line", "sep=;\r\n" + body, [2]int{2, 3}},
		{"empty lines", "\n;;;;;\n" + body + ";;;;;\n\n", [2]int{3, 4}},
		{"commas", "id,name,group,role,seat,remote\nc.vorsitz,Clara Vorsitz,Bürgermeisterin,chair,1,\nn.neu,\"Neu; \"\"Nora\"\"\",Fraktion B,,2,x\n", [2]int{2, 3}},
		{"German heading in another order", "Platz;Name;Kennung;Fraktion;Rolle;Fern\n1;Clara Vorsitz;c.vorsitz;Bürgermeisterin;Sitzungsleitung;nein\n2;\"Neu; \"\"Nora\"\"\";n.neu;Fraktion B;Mitglied;WAHR\n", [2]int{2, 3}},
		{"quotes and spaces", "\"c.vorsitz\"; Clara Vorsitz ;\"Bürgermeisterin\";\"chair\";\"1\"\n" + "n.neu;\"Neu; \"\"Nora\"\"\";Fraktion B;member;2;1;;", [2]int{1, 2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rows, _, err := ParseRoster([]byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			want[0].Line, want[1].Line = tt.lines[0], tt.lines[1]
			if d := cmp.Diff(want, rows); d != "" {
				t.Error(d)
			}
		})
	}
}

// Files as others wrote them; what each should come to is in the README of the cases.
func TestRosterOfOthers(t *testing.T) {
	for _, tt := range []struct {
		file  string
		names string // of those who were read
		note  string
		want  string // what it is refused for
	}{
		{"05-tab-utf8", "Lena Haas, Tjark Voß, Özge Rühl", "", ""},
		{"06-blank-separator-row-first", "Lena Haas, Tjark Voß, Özge Rühl", "", ""},
		{"07-title-row-first", "Lena Haas, Tjark Voß, Özge Rühl", "", ""},
		{"08-no-id-column", "", "", "line 1: the column \"id\" is missing"},
		{"10-nbsp-in-name", "Dr. Lena Haas", "", ""},
		{"15-nfd-nfc-same-name", "", "", "line 4: the name \"Jürgen Müller\" stands in line 3"},
		{"19-cr-only", "Lena Haas, Tjark Voß, Özge Rühl", "", ""},
		{"25-extra-columns", "Lena Haas", "columns left out: Nr., E-Mail", ""},
	} {
		t.Run(tt.file, func(t *testing.T) {
			text, err := os.ReadFile("testdata/roster/" + tt.file + ".csv")
			if err != nil {
				t.Fatal(err)
			}
			rows, notes, err := ParseRoster(text)
			var names []string
			for _, r := range rows {
				names = append(names, r.Name)
			}
			if strings.Join(names, ", ") != tt.names || !strings.Contains(texts(notes), tt.note) || (err == nil) != (tt.want == "") {
				t.Errorf("%v, %v, %v", names, notes, err)
			}
			if r, ok := errors.AsType[*Refusal](err); ok && (!strings.Contains(r.Error(), tt.want) || len(r.Lines) != 1) {
				t.Errorf("%v, want only %q", r, tt.want)
			}
		})
	}
}

func TestRosterRefused(t *testing.T) {
	chair := "c;Clara;;chair;1;\n"
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", "nobody"},
		{"heading only", "id;name;group;role;seat;remote\n", "nobody"},
		{"id twice", chair + "\nc;Carl;;;2;\n", "line 3: the id \"c\" stands in line 1"},
		{"name twice", chair + "d;Clara;;;2;\n", "line 2: the name \"Clara\" stands in line 1"},
		{"seat twice", chair + "d;Dora;;;1;\n", "line 2: the seat \"1\" is taken in line 1"},
		{"no chair", "d;Dora;;;1;\n", "there are 0"},
		{"two chairs", chair + "d;Dora;;chair;;\n", "there are 2"},
		{"remote chair", "c;Clara;;chair;1;ja\n", "line 1: the chair leads from the hall"},
		{"role", chair + "d;Dora;;boss;;\n", "line 2: role \"boss\""},
		{"remote", chair + "d;Dora;;;;vielleicht\n", "line 2: remote"},
		{"id", chair + "Dora M;Dora;;;;\n", "line 2: id"},
		{"screen", chair + "screen;Dora;;;;\n", "line 2: id"},
		{"no name", chair + "d;;;;2;\n", "line 2: the name is missing"},
		{"too many fields", chair + "d;Dora;a;member;2;ja;mehr\n", "line 2: there are 7 fields"},
		{"quotes", chair + "d;\"Dora;;;;\n", "line 2: the quotes"},
		{"control characters", chair + "d;Do\x1bra;;;;\n", "line 2: \"Do?ra\""},
		{"UTF-16", "\xff\xfec\x00;\x00", "UTF-8"},
		{"no id column", "Name;Platz\nClara;1\n", "line 1: the column \"id\" is missing"},
		{"no heading", "Ratsmitglieder;;\nClara Vorsitz;c;1\n", "line 1: no heading found"},
		{"blank name", chair + "d;\u00a0;;;;\n", "line 2: the name is missing"},
		{"name of signs that are not seen", chair + "d;\u200b\u2800;;;;\n", "line 2: \"?\u2800\": the name is missing"},
		{"name twice but for blanks", chair + "d;Clara\u00a0;;;2;\n", "line 2: the name \"Clara\" stands in line 1"},
		{"name twice but for what is not seen", "c;Cla Ra;;chair;1;\nd;Cla\u200b  Ra\u00ad;;;2;\n", "line 2: the name \"Cla Ra\" stands in line 1"},
		{"turned round", chair + "d;Do\u202era;;;;\n", "line 2: \"Do?ra\": character 3 (U+202E) turns"},
		{"control characters in a group", chair + "d;Dora;a\x07;;;\n", "line 2: \"a?\": character 2 (U+0007)"},
		{"column twice", "id;name;name\n", "stands there twice"},
		{"no name column", "id;seat\n", "\"name\" is missing"},
		{"too many", chair + strings.Repeat("d;D;;;;\n", maxRows), "more than 1000"},
		{"all faults at once", "a b;A;;chair;;\nc d;B;;;;\n", "line 2: id"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := ParseRoster([]byte(tt.text))
			if r, ok := errors.AsType[*Refusal](err); !ok || !strings.Contains(r.Error(), tt.want) || strings.Contains(texts(r.Lines), "%!") {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func FuzzRoster(f *testing.F) {
	f.Add([]byte(goodRoster))
	f.Add([]byte("sep=,\r\nid,name\r\n\"a\",\"b\"\"c\"\r\n"))
	f.Add([]byte("c;Clara # ]] \"\"\" ' \\;[[member]];chair;1;\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		rows, _, err := ParseRoster(text)
		if err != nil {
			if strings.Contains(err.Error(), "%!") {
				t.Error(err)
			}
			return
		}
		for i := range rows {
			rows[i].Seat = "" // the example has two seats only
		}
		// What the parser takes the configuration takes, whatever stands in the names.
		_, cfg, kept, err := merge([]byte(config.Example), rows)
		if err != nil && strings.Contains(err.Error(), "larger than") {
			return
		}
		if err != nil || !kept || len(cfg.Members) != len(rows) {
			t.Fatalf("%d rows, kept %v: %v", len(rows), kept, err)
		}
		for i, m := range cfg.Members {
			if m != rows[i].Member {
				t.Errorf("%+v became %+v", rows[i].Member, m)
			}
		}
	})
}
