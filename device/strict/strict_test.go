package strict

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// most is what decoding a file that passes may allocate in sum, bytes. The file of 40 KB that killed the daemon took 7 GB.
const most = 128 << 20

// allocated is how much a function allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func deep(open, inner, shut string, n int) string {
	return strings.Repeat(open, n) + inner + strings.Repeat(shut, n)
}

// fill repeats a piece, numbered, up to the largest size that a file may have.
func fill(head, piece string) string {
	var b strings.Builder
	b.WriteString(head)
	for n := 0; ; n++ {
		next := piece
		if strings.Contains(piece, "%") {
			next = fmt.Sprintf(piece, n)
		}
		if b.Len()+len(next) > MaxSize {
			return b.String()
		}
		b.WriteString(next)
	}
}

func long(n int) string { return strings.Repeat("k", n) }

func TestRefusedBeforeDecoding(t *testing.T) {
	tests := []struct {
		name, text string
		line       int
		want       string
	}{
		{"inline tables", "x = 1\na = " + deep("{a=", "1", "}", 400), 2, "nested deeper"},
		{"inline tables in lines", "a = {\n" + deep("a={\n", "a=1", "}\n", 400) + "}", 9, "nested deeper"},
		{"arrays", "a = " + deep("[", "", "]", 400), 1, "nested deeper"},
		{"arrays in lines", "a = " + deep("[\n", "", "]\n", 400), 8, "nested deeper"},
		{"arrays and tables in turn", "a = " + deep("[{a=", "1", "}]", 400), 1, "nested deeper"},
		{"behind other elements", "a = [1, [2, {b = 1, c = [3, " + deep("[0, ", "", "]", 10), 1, "nested deeper"},
		{"dotted key", strings.Repeat("a.", 400) + "a = 1", 1, "nested deeper"},
		{"dotted key with blanks", strings.Repeat("a . ", 400) + "a = 1", 1, "nested deeper"},
		{"dotted key, quoted", strings.Repeat(`"a".'b'.`, 400) + "a = 1", 1, "nested deeper"},
		{"dotted key of dots in quotes", "\"a.b.c.d.e.f.g.h.i\" = 1\n" + strings.Repeat(`"."."`+".", 3), 0, ""},
		{"heading", "\n[" + strings.Repeat("a.", 400) + "a]", 2, "nested deeper"},
		{"heading of an array", "[[" + strings.Repeat("a.", 400) + "a]]", 1, "nested deeper"},
		{"heading and dotted key", "[a.b.c.d]\ne.f.g.h.i = 1", 2, "nested deeper"},
		{"heading, dotted key and brackets", "[a.b]\nc.d = {e.f = {g = [[1]]}}", 2, "nested deeper"},
		{"behind a string of several lines", "a = \"\"\"\n#[[\n\\\"\"\"\"\nb = " + deep("[", "", "]", 9), 4, "nested deeper"},
		{"behind five quotes", "a = \"\"\"x\"\"\"\"\"\nb = " + deep("[", "", "]", 9), 2, "nested deeper"},
		{"behind an escaped backslash", `a = "\\"` + "\nb = " + deep("[", "", "]", 9), 2, "nested deeper"},
		{"behind a literal backslash", `a = '\'` + "\nb = " + deep("[", "", "]", 9), 2, "nested deeper"},
		{"behind literal lines", "a = '''\n'' \" [ \\'''\nb = " + deep("[", "", "]", 9), 3, "nested deeper"},
		{"behind a comment with a quote", "a = 1 # \"\"\"\nb = " + deep("[", "", "]", 9), 2, "nested deeper"},
		{"behind a comment in an array", "a = [ # '''\n" + deep("[", "", "]", 9) + "]", 2, "nested deeper"},
		{"behind a byte order mark", "\xef\xbb\xbfa = " + deep("{a=", "1", "}", 9), 1, "nested deeper"},
		{"behind the end of a line as on Windows", "a = 1\r\nb = " + deep("[", "", "]", 9), 2, "nested deeper"},
		{"long key", "a = 1\n" + long(65) + " = 1", 2, "longer than 64"},
		{"long quoted key", "a = { \"" + long(65) + "\" = 1 }", 1, "longer than 64"},
		{"long name in a heading", "[a." + long(65) + "]", 1, "longer than 64"},
		{"many keys", fill("", "a%x=1\n"), MaxKeys + 1, "more than 8192 keys"},
		{"many headings", fill("", "[[a]]\n"), MaxKeys + 1, "more than 8192 keys"},
		{"large", strings.Repeat("#", MaxSize+1), 0, "too large"},
		{"another character set", "a = 1\nb = \"\xfc\"", 2, "UTF-8"},
		{"UTF-16", "\xff\xfea\x00=\x001\x00", 1, "UTF-8"},
		{"UTF-16 without a mark", "a\x00=\x001\x00", 1, "UTF-8"},
		{"no TOML", "a = 1\n<html>", 2, "expected"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var into map[string]any
			var err error
			took := allocated(func() { _, err = Decode([]byte(tt.text), &into) })
			if took > 1<<20 {
				t.Errorf("refusing took %d bytes", took)
			}
			if tt.want == "" {
				return
			}
			bad, ok := errors.AsType[*Error](err)
			if !ok || bad.Line != tt.line || !strings.Contains(bad.EN, tt.want) || bad.DE == "" {
				t.Errorf("got %+v (%v), want %q in line %d", bad, err, tt.want, tt.line)
			}
			if tt.line > 0 && !strings.HasPrefix(bad.German(), fmt.Sprintf("Zeile %d: ", tt.line)) {
				t.Error(bad.German())
			}
		})
	}
}

func TestTaken(t *testing.T) {
	for name, text := range map[string]string{
		"empty":                       "",
		"as deep as may be":           "[a.b]\nc.d = {e.f = {g = [1]}}\n",
		"again and again":             "a = [[1], [2], [3], [4], [5], [6], [7], [8], [9]]\nb = [{c.d = 1}, {c.d = 2}, {c.d = 3}]\n",
		"many headings in a row":      strings.Repeat("[[a]]\n[[a.b]]\n[[a.b.c]]\n", 20),
		"brackets in strings":         "a = \"[[[[[[[[[[{{{{\"\nb = '[[[[[[[[[[\\'\nc = \"\"\"[[[[[[[[[[\n\\\"\"\" [[[[\"\"\"\nd = '''[[[[[[[[[['' [[[''''\ne = [\"]\", '[']\n",
		"brackets in comments":        "# [[[[[[[[[[\na = [ # [[[[[[[[[[ \"\n 1, # '''\n]\n",
		"dots in values":              "a = 1.5\nb = 1979-05-27T07:32:00.999999-07:00\nc = [1.5, 1e-5, 0x1F, 1_000]\nd = \"a.b.c.d.e.f.g.h.i\"\n",
		"quoted keys":                 "\"a.b.c.d.e.f.g.h.i\" = 1\n'x#y' = 2\n[\"]\".'[']\n\"=\" = 3\n",
		"long key":                    long(MaxKey) + " = 1\n",
		"tables in several lines":     "a = {\n b = 1, # {\n c = { d = 2 },\n}\ne = 1\n",
		"the largest":                 "a = \"" + strings.Repeat("x", MaxSize-7) + "\"\n",
		"empty strings":               "a = \"\"\nb = ''\nc = \"\"\"\"\"\"\nd = ''''''\ne = [\"\", '']\n",
		"backslash at a line's end":   "a = \"\"\"\\\n   b\"\"\"\nc = 1\n",
		"ends of lines as of Windows": "a = 1\r\n[b]\r\nc = [\r\n 1,\r\n]\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			var into map[string]any
			if _, err := Decode([]byte(text), &into); err != nil {
				t.Error(err)
			}
		})
	}
}

// The worst that passes: memory and, with it, time stay within bounds.
func TestBounded(t *testing.T) {
	eight := strings.Repeat(long(MaxKey)+".", MaxDepth-1)
	seven := strings.Repeat(long(MaxKey)+".", MaxDepth-2) + long(MaxKey)
	for name, text := range map[string]string{
		"keys below a long heading":     fill("["+seven+"]\n", "a%x=1\n")[:MaxKeys*6],
		"long dotted keys":              fill("", eight+"a%d=1\n"),
		"escaped keys":                  fill("[\""+strings.Repeat(`\t`, 32)+"\".b.c.d.e.f.g]\n", "\"\t%x\"=1\n")[:MaxKeys*6],
		"tables in an array":            fill("["+strings.TrimSuffix(seven, "."+long(MaxKey))+"]\na = [", "{},"),
		"tables in an array, with keys": fill("[a.b.c.d]\na = [", "{a.b=1},"),
		"elements":                      fill("a = [", "1,"),
		"arrays":                        fill("a = [", "[[[[[[]]]]]],"),
		"headings":                      fill("", "[[a.b.c.d]]\n"),
		"headings of their own":         fill("", "[a.b.c.d.e.f.a%d]\n"),
		"comments":                      fill("", "#\n"),
		"commas":                        fill("a = [1", ","),
		"brackets":                      fill("", "]"),
		"numbers":                       "a = " + strings.Repeat("9", MaxSize-5) + "\n",
		"fractions":                     "a = 0." + strings.Repeat("9", MaxSize-7) + "\n",
		"underscores":                   "a = 1" + strings.Repeat("_1", 30_000) + "\n",
		"dates":                         "a = 1979-" + strings.Repeat("5", MaxSize-10) + "\n",
		"escapes":                       "a = \"" + strings.Repeat(`\\`, 32_000) + "\"\n",
		"escaped ends of lines":         "a = \"\"\"" + strings.Repeat("\\\n", 32_000) + "\"\"\"\n",
		"backslashes and blanks":        "a = \"\"\"" + strings.Repeat("\\  ", 21_000) + "\"\"\"\n",
		"an open string":                "a = \"" + strings.Repeat("x", MaxSize-5),
		"open lines":                    "a = \"\"\"" + strings.Repeat("\n", MaxSize-7),
		"quotes":                        "a = \"\"\"" + strings.Repeat("\"", MaxSize-7),
		"quotes in pairs":               "a = \"\"\"" + strings.Repeat("\"\" ", 21_000),
		"literal quotes in pairs":       "a = '''" + strings.Repeat("'' ", 21_000),
	} {
		t.Run(name, func(t *testing.T) {
			if len(text) > MaxSize {
				t.Fatal(len(text))
			}
			took := allocated(func() {
				var into struct{ A any }
				_, _ = Decode([]byte(text), &into)
			})
			t.Logf("%d KiB", took>>10)
			if took > most {
				t.Errorf("decoding took %d MiB", took>>20)
			}
		})
	}
}

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, err := range map[string]error{
		"pipe":   syscall.Mkfifo(at("pipe"), 0o600),
		"folder": os.Mkdir(at("folder"), 0o700),
		"large":  os.WriteFile(at("large"), make([]byte, MaxSize+1), 0o600),
		"hole":   errors.Join(os.WriteFile(at("hole"), nil, 0o600), os.Truncate(at("hole"), 1<<40)),
		"device": os.Symlink("/dev/zero", at("device")),
		"link":   os.Symlink("good", at("link")), // many a /etc is full of them
		"good":   os.WriteFile(at("good"), make([]byte, MaxSize), 0o600),
	} {
		if err != nil {
			t.Fatal(name, err)
		}
	}
	for _, name := range []string{"pipe", "folder", "large", "hole", "device"} {
		if _, err := ReadFile(at(name)); errors.As(err, new(*Error)) == false {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"link", "good"} {
		if text, err := ReadFile(at(name)); err != nil || len(text) != MaxSize {
			t.Errorf("%s: %d bytes, %v", name, len(text), err)
		}
	}
	if _, err := ReadFile(at("none")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestLines(t *testing.T) {
	text := "\xef\xbb\xbf[[member]]\nname = \"\"\"a\n[[member]]\n\"\"\"\nb = [\n[\"[\"],\n] # [\nc = 'x\nd = 1\n\n[e]"
	var got []string
	for line, top := range Lines([]byte(text)) {
		got = append(got, fmt.Sprint(top, " ", strings.TrimSpace(string(line))))
	}
	want := []string{"true \xef\xbb\xbf[[member]]", "true name = \"\"\"a", "false [[member]]", "false \"\"\"", "true b = [", "false [\"[\"],", "false ] # [",
		"true c = 'x", "true d = 1", "true ", "true [e]"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}

func TestPlaces(t *testing.T) {
	text := "listen = 'x'\nnames = [\"a\",\n  \"b\", # c\n]\n[box]\nname = 1\n[[member]]\nid = 1\n[[member]]\n\nid = \"\"\"\n\n\"\"\"\nnmae = 2\n[[desk]]\n[[desk.seat]]\nunit = 1\n" +
		"[[desk.seat]]\nunit = 2\n[[desk]]\n[[desk.seat]]\n'unit' = 3\n[hall.microphone]\ndevice = 1\n[x]\nm = [{a = 1},\n {a = 2, b.c = [[1], [\n2]]}]\n"
	places := Places([]byte(text))
	for path, want := range map[string]int{
		"listen": 1, "names": 2, "names[0]": 2, "names[1]": 3, "box": 5, "box.name": 6, "member[0]": 7, "member[0].id": 8, "member[1]": 9, "member[1].id": 11, "member[1].nmae": 14,
		"member.nmae": 14, "member.id": 8, "desk[0]": 15, "desk[0].seat[0].unit": 17, "desk[0].seat[1].unit": 19, "desk[1].seat[0]": 21, "desk[1].seat[0].unit": 22,
		"hall.microphone.device": 24, "x.m[0].a": 26, "x.m[1].a": 27, "x.m[1].b.c[1][0]": 28,
	} {
		if places[path] != want {
			t.Errorf("%s is in line %d, want %d", path, places[path], want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	seed, err := os.ReadFile("testdata/deep.toml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte("[[a.b]]\n\"c\" = {d.'e' = [\"\"\"x\n\"\"\"\"\", '''y''', 1.5]} # z\n"))
	f.Add([]byte("a = \"\"\"\\\\\"\"\"\"\"\"\nb=[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var into map[string]any
		var err error
		if took := allocated(func() { _, err = Decode(text, &into) }); took > most {
			t.Errorf("%d bytes took %d MiB", len(text), took>>20)
		}
		Places(text)
		joined := 0
		for line := range Lines(text) {
			joined += len(line)
		}
		if joined != len(text) {
			t.Errorf("%d bytes of lines in %d", joined, len(text))
		}
		if err != nil {
			if _, ours := errors.AsType[*Error](err); !ours {
				t.Error(err)
			}
			return
		}
		if d := depth(into); d > MaxDepth {
			t.Errorf("%d levels were taken", d)
		}
	})
}

// depth counts tables and arrays, with the way to an element counted once.
func depth(v any) (most int) {
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			most = max(most, depth(e)+1)
		}
	case []map[string]any:
		for _, e := range v {
			most = max(most, depth(e))
		}
	case []any:
		for _, e := range v {
			most = max(most, depth(e)+1)
		}
		most = max(most, 1)
	}
	return most
}
