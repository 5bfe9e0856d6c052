package clerk

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plenum/device/journal"
	"plenum/device/sitting"
)

// An alarm outlives a restart and the end of the sitting; what the sitting counts on goes over into the next one, and
// what was overridden does not.
func TestAlarmAndItemsGoOn(t *testing.T) {
	disk := &memory{}
	c, end := running(t, Options{Journal: disk, Patience: patient})
	opened(t, c)
	again := func() {
		t.Helper()
		was := c.Snapshot()
		if err := end(); err != nil {
			t.Fatal(err)
		}
		c, end = running(t, Options{Journal: disk, Patience: patient})
		if d := cmp.Diff(was, c.Snapshot()); d != "" || c.Replayed().Deviations > 0 {
			t.Fatalf("%+v %s", c.Replayed(), d)
		}
	}
	open := sitting.Event{Kind: sitting.KindOpen, By: operator(), Overrides: []string{"camera/hall"}}
	fire := sitting.Event{Kind: sitting.KindAlarm, By: box(), On: true, Reason: "fire"}
	for _, e := range []sitting.Event{
		grant("p2"),
		{Kind: sitting.KindItems, By: box(), Items: []sitting.Item{{ID: "camera/hall", Name: "hall", Required: true, Red: true, Reason: "unplugged"}, {ID: "desk/hall"}}},
		fire,
		{Kind: sitting.KindClose, By: operator()},
	} {
		do(t, c, "", e)
	}
	again()
	before := c.Snapshot()
	if _, err := c.Do(t.Context(), "", open); !errors.Is(err, sitting.ErrAlarm) {
		t.Fatal(err)
	}
	do(t, c, "", sitting.Event{Kind: sitting.KindAllClear, By: operator()})
	if _, err := c.Do(t.Context(), "", sitting.Event{Kind: sitting.KindOpen, By: operator()}); !errors.Is(err, sitting.ErrNotReady) {
		t.Fatal(err)
	}
	if now := c.Snapshot(); now.Sitting != 1 || now.Seq != before.Seq+1 {
		t.Fatalf("a refused opening began a sitting: %d, %d", now.Sitting, now.Seq)
	}
	do(t, c, "", open)
	now := c.Snapshot()
	if d := cmp.Diff(before.State.Items, now.State.Items); d != "" || now.Sitting != 2 || len(now.State.Overrides) != 1 || now.State.Alarm != nil {
		t.Fatalf("%+v %s", now, d)
	}
	again()
	do(t, c, "", fire)
	do(t, c, "", sitting.Event{Kind: sitting.KindItem, By: box(), Item: &sitting.Item{ID: "camera/hall", Name: "hall", Required: true}})
	again()
	for _, e := range []sitting.Event{{Kind: sitting.KindAllClear, By: operator()}, {Kind: sitting.KindClose, By: operator()}, open} {
		do(t, c, "", e)
	}
	again()
	if now := c.Snapshot(); now.Sitting != 3 || len(now.State.Overrides) != 0 || len(now.State.Items) != 2 {
		t.Fatalf("%+v", now)
	}
}

// A journal of an older version is taken up as it is, and goes on under the present rules in the open: by the number in
// each record.
func TestJournalsOfOlderVersions(t *testing.T) {
	for version := 1; version < sitting.RulesVersion; version++ {
		raw, err := os.ReadFile(fmt.Sprintf("../sitting/testdata/rules%d.json", version))
		if err != nil {
			t.Fatal(err)
		}
		var sittings []struct {
			Records []struct{ Event, Effects json.RawMessage }
			State   struct{ Speakers, Requests json.RawMessage }
		}
		if err := json.Unmarshal(raw, &sittings); err != nil {
			t.Fatal(err)
		}
		for _, then := range sittings {
			var records []journal.Record
			for i, r := range then.Records {
				records = append(records, journal.Record{Seq: uint64(i) + 1, Sitting: 1, Rules: version, Event: r.Event, Effects: r.Effects})
			}
			takenUp(t, version, records, string(then.State.Speakers)+string(then.State.Requests))
		}
	}
}

func takenUp(t *testing.T, version int, records []journal.Record, words string) {
	t.Helper()
	j, err := journal.Open(t.Context(), t.TempDir(), sitting.RulesVersion)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if err := j.Append(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	c, end := running(t, Options{Journal: j, Patience: patient})
	if got := c.Replayed(); got.Records != len(records) || got.Deviations != 0 {
		t.Fatalf("version %d: %+v", version, got)
	}
	now := c.Snapshot().State
	speakers, errS := json.Marshal(now.Speakers)
	requests, errR := json.Marshal(now.Requests)
	if err := errors.Join(errS, errR); err != nil || string(speakers)+string(requests) != words {
		t.Fatalf("version %d: %v, the words are %s%s, then %s", version, err, speakers, requests, words)
	}
	last := do(t, c, "", sitting.Event{Kind: sitting.KindAlarm, By: box(), On: true, Reason: "a contact of its own"})
	if err := end(); err != nil {
		t.Fatal(err)
	}
	err = j.Replay(t.Context(), func(r journal.Record) error {
		want := version
		if r.Seq == last.Seq {
			want = sitting.RulesVersion
		}
		if r.Rules != want {
			t.Errorf("record %d of %d is by rules %d", r.Seq, last.Seq, r.Rules)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
