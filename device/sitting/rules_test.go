package sitting

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestVersion1 folds what the rules of version 1 decided: three random sittings, one in each mode, with the effects of
// every event and the state at the end. The file was written by version 1 itself and is not to be made anew: where this
// test fails, the past would be rewritten.
func TestVersion1(t *testing.T) {
	raw, err := os.ReadFile("testdata/rules1.json")
	if err != nil {
		t.Fatal(err)
	}
	var sittings []struct {
		Records []struct {
			Event   Event
			Effects json.RawMessage
		}
		State map[string]json.RawMessage
	}
	if err := json.Unmarshal(raw, &sittings); err != nil || len(sittings) != 3 {
		t.Fatalf("%d sittings, %v", len(sittings), err)
	}
	kinds := map[Kind]bool{}
	for _, then := range sittings {
		s := New()
		for i, r := range then.Records {
			kinds[r.Event.Kind] = true
			next, es, err := Apply(s, r.Event)
			if err != nil {
				t.Fatalf("record %d: %v", i, err)
			}
			if got := form(t, append([]Effect{}, es...)); got != string(r.Effects) {
				t.Fatalf("record %d had %s, now %s", i, r.Effects, got)
			}
			s = next
		}
		now := map[string]json.RawMessage{}
		if err := json.Unmarshal([]byte(form(t, s)), &now); err != nil {
			t.Fatal(err)
		}
		then.State["rules"] = json.RawMessage("2") // what it goes on with
		then.State["items"], then.State["overrides"] = json.RawMessage("[]"), json.RawMessage("[]")
		if d := cmp.Diff(then.State, now); d != "" {
			t.Fatalf("another state than by version 1: %s", d)
		}
	}
	if len(kinds) != 18 {
		t.Fatalf("of the 18 kinds of version 1 only %d were folded", len(kinds))
	}
}

func form(t tester, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
