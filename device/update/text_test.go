package update

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func reasons() []Reason {
	return []Reason{
		NoBundle, TwoBundles, TwoSticks, Unreadable, Foreign, TooEarly, Expired, Damaged, WrongBox, NoVersion, SameVersion, Older,
		Absent, Denied, Engaged, Gone, Changed, TooBig, Full, NoSlot, Stalled, Trouble,
	}
}

// Everything that can be shown has a sentence in both languages, with the same places to fill, and none is left over.
func TestSentences(t *testing.T) {
	place := regexp.MustCompile(`\{[a-z]+\}`)
	known := place.FindAllString("{version}{current}{file}{kind}{want}{percent}", -1)
	for about, s := range sentences() {
		places := func(text string) []string {
			return slices.Compact(slices.Sorted(slices.Values(place.FindAllString(text, -1))))
		}
		de, en := places(s.de), places(s.en)
		if s.de == s.en || !slices.Equal(de, en) || !strings.HasSuffix(s.de, ".") || !strings.HasSuffix(s.en, ".") {
			t.Errorf("%s: %s %s", about, s.de, s.en)
		}
		for _, p := range de {
			if !slices.Contains(known, p) {
				t.Errorf("%s: nothing fills %s", about, p)
			}
		}
	}
	for _, r := range reasons() {
		if s := say(topic("failed "+r), facts{}); s.de == "" {
			t.Errorf("nothing is said when it failed: %s", r)
		}
	}
	for _, h := range hints() {
		if h.part != strings.ToLower(h.part) || !slices.Contains(reasons(), h.why) {
			t.Errorf("%+v can never be found", h)
		}
		r := seen(errors.New(h.part), "testdata/verity.raucb")
		if s := sentences()[topic("refused "+r)]; s.de == "" {
			t.Errorf("nothing is said when it is refused: %s", r)
		}
	}
	for _, s := range []State{Idle, Offered, Installing, Installed, Rebooting} {
		if say(topic(s), facts{}).de == "" {
			t.Errorf("nothing is said of %s", s)
		}
	}
	for _, r := range []Result{Updated, WentBack, Interrupted, OnTrial} {
		if say(topic("last "+r), facts{}).de == "" {
			t.Errorf("nothing is said of %s", r)
		}
	}
}
