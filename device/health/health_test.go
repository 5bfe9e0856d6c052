package health

import (
	"testing"
	"time"
)

func TestBoard(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	b := NewBoard(func() time.Time { return now })
	desk := b.Add(Desk, "saal", "/dev/serial", true)
	cam := b.Add(Camera, "Totale", "/dev/v4l", false)
	changed, stop := b.Watch()
	defer stop()
	<-changed // there is always something to look at first
	if l := b.List(); l[0].ID != cam || l[1].ID != desk || !l[1].State.Red() || l[1].Since != now {
		t.Fatalf("%+v", l)
	}
	now = now.Add(time.Minute)
	b.Set(desk, Live, "quinta", "")
	b.Set("desk/other", Live, "", "")
	select {
	case <-changed:
	default:
		t.Fatal("nobody was told")
	}
	if l := b.List(); l[1].State != Live || l[1].Since != now || l[1].Mode != "quinta" || len(l) != 2 {
		t.Fatalf("%+v", l)
	}
	now = now.Add(time.Minute)
	b.Set(desk, Live, "quinta", "")
	select {
	case <-changed:
		t.Fatal("told of nothing new")
	default:
	}
	b.Set(desk, Live, "quinta", "battery low")
	if l := b.List(); l[1].Since == now {
		t.Fatal("the same state began anew")
	}
}

func TestReport(t *testing.T) {
	for _, tt := range []struct {
		name   string
		checks []Check
		want   bool
	}{
		{"nothing to go by", nil, false},
		{"all good", []Check{{Required: true, OK: true}}, true},
		{"a required one is bad", []Check{{Required: true}, {OK: true}}, false},
		{"one that is not required is bad", []Check{{Required: true, OK: true}, {}}, true},
		{"a required one was left out", []Check{{Required: true, Left: true}, {OK: true}}, true},
	} {
		r := Report{Checks: tt.checks}
		if r.Judge(); r.Go != tt.want {
			t.Errorf("%s: go = %v", tt.name, r.Go)
		}
	}
}
