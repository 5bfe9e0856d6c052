package console

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"plenum/device/access"
	"plenum/device/clerk"
	"plenum/device/sitting"
)

// Heartbeat, expiry and the latest state, by a fake clock.
func TestStreamClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Console{opts: Options{Now: time.Now, Voices: 4}, hub: newHub(clerk.Snapshot{Seq: 1, State: sitting.New()})}
		id := access.Identity{Person: "p-anna", Role: sitting.RoleMember, Expires: time.Now().Add(35 * time.Second)}
		place, err := c.hub.enter(id)
		if err != nil {
			t.Fatal(err)
		}
		defer place.leave()
		var got []string
		began := time.Now()
		done := make(chan struct{})
		busy := make(chan struct{})
		go func() {
			defer close(done)
			c.stream(t.Context(), id, place, func(text []byte) error {
				name, _, _ := bytes.Cut(text, []byte("\n"))
				got = append(got, fmt.Sprintf("%v %s", time.Since(began), name))
				if bytes.Contains(text, []byte("id: 2\n")) {
					<-busy // the viewer is slow while 3 and 4 happen
				}
				return nil
			})
		}()
		synctest.Wait()
		for seq := range uint64(3) {
			c.hub.publish(clerk.Snapshot{Seq: seq + 2, State: sitting.New()})
			synctest.Wait()
		}
		close(busy)
		<-done
		want := []string{"0s event: snapshot", "0s event: change", "0s event: change", // 2, then at once 4
			"10s : beat", "20s : beat", "30s : beat", "35s event: gone"}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	})
}

func TestPumpCoalesces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(clerk.Snapshot{})
		in := make(chan clerk.Snapshot, 1)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); h.pump(ctx, in) }()
		seen := 0
		for i := range uint64(1000) { // one a millisecond
			select {
			case <-in:
			default:
			}
			in <- clerk.Snapshot{Seq: i + 1}
			_, changed := h.now()
			time.Sleep(time.Millisecond)
			select {
			case <-changed:
				seen++
			default:
			}
		}
		time.Sleep(breath)
		if last, _ := h.now(); last.Seq != 1000 {
			t.Errorf("the last snapshot is %d", last.Seq)
		}
		if limit := int(time.Second/breath) + 1; seen > limit {
			t.Errorf("%d snapshots in a second, at most %d", seen, limit)
		}
		cancel()
		<-done
	})
}

func TestStreamsAreBounded(t *testing.T) {
	h := newHub(clerk.Snapshot{})
	id := access.Identity{Person: "screen", Role: access.RoleScreen}
	var leave []func()
	for range maxStreams {
		s, err := h.enter(id)
		if err != nil {
			t.Fatal(err)
		}
		leave = append(leave, s.leave)
	}
	if _, err := h.enter(id); problemOf(err).Status != 503 {
		t.Errorf("got %v", err)
	}
	for _, l := range leave {
		l()
	}
	if _, err := h.enter(id); err != nil {
		t.Error(err)
	}
}

func TestMessage(t *testing.T) {
	opened := time.Date(2026, 11, 23, 18, 0, 0, 123456789, time.FixedZone("CET", 3600))
	state := sitting.New()
	state.Phase, state.OpenedAt = sitting.PhaseOpen, opened
	viewer := access.Identity{Person: "p-anna", Role: sitting.RoleMember}
	at := func(seq uint64, s sitting.State, now time.Time) View {
		return build(clerk.Snapshot{Seq: seq, State: s, Recorded: true}, viewer, 4, now)
	}
	_, sent, err := message(nil, at(1, state, opened))
	if err != nil {
		t.Fatal(err)
	}
	if string(sent["opened_at"]) != `"2026-11-23T17:00:00.123Z"` {
		t.Errorf("opened at %s", sent["opened_at"])
	}
	for _, empty := range []string{"speakers", "requests", "people", "desks"} {
		if string(sent[empty]) != "[]" {
			t.Errorf("%s is %s, want an empty list", empty, sent[empty])
		}
	}
	if text, _, err := message(sent, at(1, state, opened.Add(time.Second))); err != nil || len(text) != 0 {
		t.Errorf("only the clock changed: %s, %v", text, err)
	}
	text, _, err := message(sent, at(2, sitting.New(), opened)) // a new sitting begins
	if err != nil {
		t.Fatal(err)
	}
	data, _ := bytes.CutPrefix(text, []byte("event: change\nid: 2\ndata: "))
	var got map[string]any
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	want := map[string]any{"seq": 2.0, "now": "2026-11-23T17:00:00.123Z", "phase": "ready", "opened_at": nil}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// BenchmarkMessage measures what one event costs for one viewer: 60 people, 20 of them waiting.
func BenchmarkMessage(b *testing.B) {
	state := sitting.New()
	for i := range 60 {
		id := sitting.PersonID(fmt.Sprintf("p-%02d", i))
		state.Roster = append(state.Roster, sitting.Person{Member: sitting.Member{ID: id, Name: "Anna Mustermann-Beispiel", Group: "Fraktion A", Remote: true}})
		if i < 20 {
			state.Requests = append(state.Requests, sitting.Request{ID: uint64(i), Person: id, At: time.Now()})
		}
	}
	viewer := access.Identity{Person: "p-00", Role: sitting.RoleMember}
	_, sent, err := message(nil, build(clerk.Snapshot{State: state}, viewer, 4, time.Now()))
	if err != nil {
		b.Fatal(err)
	}
	state.Requests = state.Requests[1:]
	for b.Loop() {
		if _, _, err := message(sent, build(clerk.Snapshot{Seq: 1, State: state}, viewer, 4, time.Now())); err != nil {
			b.Fatal(err)
		}
	}
}
