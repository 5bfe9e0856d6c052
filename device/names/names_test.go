package names

import (
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", ""}, {"Max Kohl", "Max Kohl"}, {"  Max   Kohl ", "Max Kohl"}, {"Dr.\u00a0Lena\u202fHaas\u3000", "Dr. Lena Haas"}, {"max kohl", "max kohl"}, {"Max\r\n\tKohl\n", "Max Kohl"},
		{"Ju\u0308rgen Mu\u0308ller", "Jürgen Müller"}, {"Jürgen", "Jürgen"}, {"Andre\u0301 A\u030angstro\u0308m", "André Ångström"},
		{"Nguye\u0302\u0303n", "Nguyễn"}, {"Vie\u0323\u0302t", "Việt"}, {"Vie\u0302\u0323t", "Việt"}, {"Việt", "Việt"}, {"Vi\u1eb9\u0302t", "Việt"}, {"Đo\u031b\u0323", "Đợ"}, {"Đo\u0323\u031b", "Đợ"},
		{"И\u0306", "Й"}, {"Ω\u0301", "Ώ"}, {"x\u0302y", "x\u0302y"}, {"Çağrı Şen", "Çağrı Şen"}, {"C\u0327ag\u0306r\u0131 S\u0327en", "Çağrı Şen"},
		{"Ma\u00adx\u200b Ko\u2060hl\ufeff", "Max Kohl"}, {"Max\ufe0f", "Max"}, {"\u2800\u3164", ""}, {"\u00a0\u2003", ""}, {"Żaneta Łoś-O’Neil", "Żaneta Łoś-O’Neil"},
		{"علي", "علي"}, {"王小明", "王小明"}, {"\u0301", "\u0301"},
	} {
		got, err := Clean(tt.in)
		if err != nil || got != tt.want {
			t.Errorf("%+q became %+q (%v), want %+q", tt.in, got, err, tt.want)
		}
		if again, err := Clean(got); err != nil || again != got {
			t.Errorf("%+q is not at rest: %+q %v", got, again, err)
		}
	}
}

func TestRefused(t *testing.T) {
	for in, want := range map[string]string{
		"Max\x1b[31m":               "character 4 (U+001B)",
		"Max\u202eKohl":             "character 4 (U+202E) turns",
		"\u200fMax":                 "character 1 (U+200F) turns",
		"a\u2066b\u2069":            "character 2 (U+2066) turns",
		"a\u061cb":                  "turns",
		"a\u0085":                   "character 2 (U+0085)",
		"a\u2028b":                  "character 2 (U+2028)",
		"a\ue000":                   "cannot be shown",
		"a\xffb":                    "cannot be shown",
		"a\u0378":                   "cannot be shown",
		"Z\u0300\u0301\u0302\u0303": "more than 3 marks",
		strings.Repeat("ä", 101):    "101 characters are too long",
	} {
		_, err := Clean(in)
		if f, ok := errors.AsType[*Fault](err); !ok || !strings.Contains(f.EN, want) || f.DE == "" || strings.Contains(f.DE+f.EN, "%!") {
			t.Errorf("%+q: %v, want %q", in, err, want)
		}
	}
	for _, in := range []string{"", "   ", "\u00a0", "\u200b", "\u2800", "...", "-", "\u0301", "\u3164"} {
		if got, err := Person(in); err == nil {
			t.Errorf("%+q is a person's name: %+q", in, got)
		}
	}
	for _, in := range []string{"Max Kohl", "3", "王"} {
		if _, err := Person(in); err != nil {
			t.Error(in, err)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("Ju\u0308rgen \u00a0 Vie\u0302\u0323t")
	f.Add("\u202e\u200b\x1b")
	f.Fuzz(func(t *testing.T, text string) {
		clean, err := Clean(text)
		if err != nil {
			return
		}
		if again, err := Clean(clean); err != nil || again != clean {
			t.Errorf("%+q became %+q, then %+q (%v)", text, clean, again, err)
		}
		if strings.TrimSpace(clean) != clean || strings.Contains(clean, "  ") || !utf8.ValidString(clean) ||
			strings.ContainsFunc(clean, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%+q became %+q", text, clean)
		}
	})
}
