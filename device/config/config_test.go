package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"plenum/device/sitting"
)

func TestExampleIsValidAndNamesEveryKey(t *testing.T) {
	c, err := Parse([]byte(Example))
	if err != nil {
		t.Fatal(err)
	}
	ms := c.Roster()
	if len(ms) != 2 || ms[0].Desk != "saal" || ms[1].Role != sitting.RoleMember || ms[0].Role != sitting.RoleChair {
		t.Fatalf("%+v", ms)
	}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		for f := range typ.Fields() {
			if key := f.Tag.Get("toml"); !strings.Contains(Example, key) {
				t.Errorf("key %s is not explained in plenum.toml", key)
			}
			ft := f.Type
			if ft.Kind() == reflect.Slice {
				ft = ft.Elem()
			}
			if ft.Kind() == reflect.Struct {
				walk(ft)
			}
		}
	}
	walk(reflect.TypeFor[Config]())
}

func TestComplaints(t *testing.T) {
	for _, tt := range []struct{ name, old, new, want string }{
		{"unknown key", "[hall.output]", "[hall.output]\nloudness = 3", "unknown key hall.output.loudness"},
		{"syntax", "[hall.output]", "[hall.output", "line"},
		{"wrong type", "limit = 1", `limit = "one"`, "line"},
		{"mode", `"chair_grants"`, `"loudest"`, "sitting.mode"},
		{"limit", "limit = 1\n", "limit = 9\n", "sitting.limit"},
		{"max limit", "max_limit = 4", "max_limit = 40", "sitting.max_limit"},
		{"no port", "0.0.0.0:443\"\n", "0.0.0.0\"\n", "not host:port"},
		{"IPv6", "0.0.0.0:443\"\n", "[::]:443\"\n", "IPv6"},
		{"port 0", "0.0.0.0:443\"\n", "0.0.0.0:0\"\n", "needs a port"},
		{"same person twice", `"m.beispiel"`, `"c.vorsitz"`, "taken by another member"},
		{"person at a seat without a desk", `seat = "2"` + "\nremote", `seat = "3"` + "\nremote", "no desk stands"},
		{"two at a seat", `seat = "2"` + "\nremote", `seat = "1"` + "\nremote", "taken by another member"},
		{"no chair", `"chair"  `, `"guest"  `, "exactly one member"},
		{"remote chair", `role = "chair"`, "role = \"chair\"\nremote = true", "leads from the hall"},
		{"unit number", `"00021F"`, `"21f"`, "six hex digits"},
		{"unit at two seats", `"00021F"`, `"00021E"`, "stands at two seats"},
		{"what becomes of microphones", `at_stop = "close"`, `at_stop = "hand"`, "possible are close, leave"},
		{"dialect", `"quinta"`, `"klingon"`, "dialect"},
		{"frame rate", "fps = 25", "fps = 10", "fps = 10"},
		{"odd size", "width = 1280", "width = 1281", "even sizes"},
		{"shows", `shows = "hall"`, `shows = "sky"`, "shows"},
		{"channel map without a use", `["hall", "2"]`, `[""]`, "uses no channel"},
		{"channel of no seat", `["hall", "2"]`, `["hall", "17"]`, "no desk stands at this seat"},
		{"channel twice", `["hall", "2"]`, `["2", "2"]`, "another channel already"},
		{"channels without a card", `device = "card:Saal"`, `device = ""`, "hall.microphone.device is empty"},
		{"buffer", "buffer = 60", "buffer = 15", "two periods"},
		{"silence", "silence = 120", "silence = -1", "silence"},
		{"what a contact does", `does = "alarm"`, `does = "coffee"`, "does"},
		{"bias", `bias = "pull-up"`, `bias = "strong"`, "bias"},
		{"debounce", "debounce = 10", "debounce = 5000", "debounce"},
		{"line twice", `line = "on-air"`, `line = "fire"`, "used by another"},
		{"what a lamp shows", `shows = "on-air"`, `shows = "mood"`, "shows"},
		{"kept id", `"m.beispiel"`, `"screen"`, "hall screen"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !strings.Contains(Example, tt.old) {
				t.Fatalf("the example has no %q", tt.old)
			}
			_, err := Parse([]byte(strings.Replace(Example, tt.old, tt.new, 1)))
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %q in it", err, tt.want)
			}
		})
	}
}

// Small files that strangers made. Each is refused, with the line.
func TestFilesOfOthers(t *testing.T) {
	for file, want := range map[string][]string{
		"blank-name": {"line 14: member 2 (\"\"): the name is missing"},
		"same-name":  {"line 19: member 3 (\"Max Kohl\"): two members"},
		"deep":       {"line 1: brackets or dots"},
		"names": {"line 2: names: \"https://plenum.example/\"", "\"10.0.0.5:443\"", "\"plenüm.example\"", "\"*.rathaus.example\"", "\"x.\"", "\"\" is neither", "\" x \"",
			"\"Plenum Box\""},
	} {
		_, err := Load(filepath.Join("testdata", file+".toml"))
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: got %v, want %q", file, err, w)
			}
		}
	}
}

// What looks the same is the same, and what people read has one spelling.
func TestSpelling(t *testing.T) {
	c, err := Parse([]byte(strings.NewReplacer(`"Clara Vorsitz"`, `" Clara\u00A0 Vorsitz\u200B "`, `"Bürgermeisterin"`, `"Bu\u0308rgermeisterin"`).Replace(Example)))
	if err != nil || c.Members[0].Name != "Clara Vorsitz" || c.Members[0].Group != "Bürgermeisterin" || c.Roster()[0].Name != "Clara Vorsitz" {
		t.Errorf("%+v, %v", c.Members, err)
	}
	for _, tt := range []struct{ old, new, want string }{
		{`"Max Beispiel"`, `"Clara  Vorsitz"`, "line 49: member 2"},
		{`"Max Beispiel"`, `"Clara Vors\u00ADitz"`, "looks the same"},
		{`"Max Beispiel"`, `"Max\u001b[2J"`, "line 49: member[1].name: character 4 (U+001B)"},
		{`"Max Beispiel"`, `"Max\u202eBeispiel"`, "turns the direction"},
		{`"Max Beispiel"`, `"\u2800"`, "the name is missing"},
		{`"Fraktion A"`, `"Fraktion\u0007"`, "member[1].group: character 9"},
		{`"Rat der Stadt Musterstadt"`, `"Rat\u202e"`, "sitting.body: character 4"},
		{`"Rat der Stadt Musterstadt"`, `" \u00a0"`, "sitting.body is empty"},
		{`"Totale"`, `"\u001b]0;x"`, "camera[0].name: character 1"},
		{`metrics = ""`, `metrics = "0.0.0.0:9100"`, "line 22: box.metrics = \"0.0.0.0:9100\" can be read by anybody"},
		{`metrics = ""`, `metrics = ":9100"`, "can be read by anybody"},
		{`metrics = ""`, `metrics = "203.0.113.7:9100"`, "can be read by anybody"},
		{`metrics = ""`, `metrics = "plenum.example.org:9100"`, "can be read by anybody"},
		{`metrics = ""`, `metrics = "[2001:db8::1]:9100"`, "can be read by anybody"},
		{`metrics = ""`, `metrics = "127.0.0.1:0"`, "not a host:port of its own"},
		{`socket = "/run/plenum/plenumd.sock"`, `socket = "plenumd.sock"`, "line 15: socket = "},
		{`socket = "/run/plenum/plenumd.sock"`, `socket = "/run/plenum/"`, "no path of a file"},
		{`socket = "/run/plenum/plenumd.sock"`, `socket = "/` + strings.Repeat("x", 107) + `"`, "longer than the 107 bytes"},
		{`data = "/var/lib/plenum"`, `data = "/"`, "line 12: data = "},
		{`data = "/var/lib/plenum"`, `data = "/var/\u001b"`, "no folder of the daemon's own"},
		{`data = "/var/lib/plenum"`, `data = "  "`, "data is empty"},
		{`["plenum.example.org"]`, "[\n  \"plenum.example.org\",\n  \"10.0.0.256\",\n]", "line 11: names: \"10.0.0.256\""},
		{`["plenum.example.org"]`, `["0.0.0.0"]`, "no address by which"},
		{`does = "alarm"`, `deos = "alarm"`, "unknown key input.deos"},
	} {
		if !strings.Contains(Example, tt.old) {
			t.Fatalf("the example has no %q", tt.old)
		}
		_, err := Parse([]byte(strings.Replace(Example, tt.old, tt.new, 1)))
		if err == nil || !errors.Is(err, ErrInvalid) || strings.ContainsAny(err.Error(), "\x1b\u202e\u0007") {
			t.Errorf("%s: %v", tt.new, err)
		}
		if err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.new, err, tt.want)
		}
	}
	for _, good := range []string{"127.0.0.1:9100", "[::1]:9100", "localhost:9100", "192.168.10.20:9100"} {
		if _, err := Parse([]byte(strings.Replace(Example, `metrics = ""`, `metrics = "`+good+`"`, 1))); err != nil {
			t.Error(good, err)
		}
	}
	if _, err := Parse([]byte(strings.Replace(Example, `["plenum.example.org"]`, `["saal", "xn--plenm-lva.example", "192.0.2.7", "fd00::7", "10.1.2.3.nip.example"]`, 1))); err != nil {
		t.Error(err)
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plenum.toml")
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "--example") {
		t.Fatalf("missing file: %v", err)
	}
	if err := os.WriteFile(path, []byte(Example), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err != nil {
		t.Fatal(err)
	}
}

// What would take the decoder gigabytes, or for ever to read, is refused before it is decoded or read.
func TestLoadRefusesBeforeDecoding(t *testing.T) {
	dir := t.TempDir()
	at := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		at("deep", Example+"\na = "+strings.Repeat("{a=", 8000)+"1"+strings.Repeat("}", 8000)): "nested deeper",
		at("large", Example+strings.Repeat("#\n", 32<<10)):                                     "too large",
		"/dev/zero": "no plain file", pipe: "no plain file", dir: "no plain file",
	} {
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("got %v, want %s: %q", err, path, want)
		}
	}
	_, err := Parse([]byte(Example + strings.Repeat("[[camera]]\n", 2000)))
	if n := strings.Count(err.Error(), "\n"); n > maxComplaints || !strings.Contains(err.Error(), "more") {
		t.Errorf("%d complaints", n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(Example))
	f.Fuzz(func(t *testing.T, b []byte) { _, _ = Parse(b) })
}
