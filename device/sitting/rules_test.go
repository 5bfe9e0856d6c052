package sitting

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOlderVersions folds what the rules of versions 1 and 2 decided: three random sittings each, one in each mode, with
// the effects of every event and the state at the end; in those of version 2 the chair and the technician also yield and
// lower in members' names. The files were written by these versions themselves and are not to be made anew: where this
// test fails, the past would be rewritten.
func TestOlderVersions(t *testing.T) {
	for version, n := range map[int]int{1: 18, 2: 22} {
		raw, err := os.ReadFile(fmt.Sprintf("testdata/rules%d.json", version))
		if err != nil {
			t.Fatal(err)
		}
		var sittings []sat
		if err := json.Unmarshal(raw, &sittings); err != nil || len(sittings) != 3 {
			t.Fatalf("%d sittings, %v", len(sittings), err)
		}
		kinds := map[Kind]bool{}
		for _, then := range sittings {
			then.again(t, version, kinds)
		}
		if len(kinds) != n {
			t.Fatalf("of the %d kinds of version %d only %d were folded", n, version, len(kinds))
		}
	}
}

// sat is a sitting that an older version decided.
type sat struct {
	Records []struct {
		Event   Event
		Effects json.RawMessage
	}
	State map[string]json.RawMessage
}

func (then sat) again(t *testing.T, version int, kinds map[Kind]bool) {
	s := New()
	for i, r := range then.Records {
		kinds[r.Event.Kind] = true
		next, es, err := Repeat(s, r.Event, version)
		if err != nil {
			t.Fatalf("version %d, record %d: %v", version, i, err)
		}
		if got := form(t, append([]Effect{}, es...)); got != string(r.Effects) {
			t.Fatalf("version %d, record %d had %s, now %s", version, i, r.Effects, got)
		}
		s = next
	}
	now := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(form(t, s)), &now); err != nil {
		t.Fatal(err)
	}
	then.State["rules"] = json.RawMessage(fmt.Sprint(RulesVersion)) // what it goes on with
	if version == 1 {
		then.State["items"], then.State["overrides"] = json.RawMessage("[]"), json.RawMessage("[]")
	}
	if d := cmp.Diff(then.State, now); d != "" {
		t.Fatalf("another state than by version %d: %s", version, d)
	}
}

// What older rules allowed is allowed in their records only.
func TestRightsThatWereTakenAway(t *testing.T) {
	s := must(t, house(t, ModeChairGrants, 1), press(2, 0))
	s = must(t, must(t, s, press(3, 1)), lead(KindGrant, "p3"))
	for _, e := range []Event{lead(KindLower, "p2"), lead(KindYield, "p3"), {Kind: KindLower, By: chair, Seat: "2"}, {Kind: KindYield, By: operator, Person: "p3"},
		{Kind: KindPriority, By: operator, Priority: PriorityClear}, {Kind: KindRefuse, By: operator, Person: "p2"}} {
		e.At = start
		for version := range RulesVersion + 2 {
			_, _, err := Repeat(s, e, version)
			if known := version == 1 || version == 2; known != (err == nil) {
				t.Errorf("%s by %s, version %d: %v", e.Kind, e.By.Role, version, err)
			}
		}
	}
	if _, _, err := Repeat(s, Event{Kind: "applause", At: start, By: chair}, 1); !errors.Is(err, ErrNotAllowed) {
		t.Errorf("a kind that version 1 did not know: %v", err)
	}
	if _, _, err := Repeat(s, Event{Kind: KindAlarm, At: start, By: chair, On: true, Reason: "fire"}, 2); !errors.Is(err, ErrNotAllowed) {
		t.Errorf("the chair plays contact: %v", err)
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
