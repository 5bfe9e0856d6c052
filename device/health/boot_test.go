package health

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestJudgeBoot(t *testing.T) {
	cam := Item{ID: "camera/Totale", Kind: Camera, Required: true, State: Live}
	mic := Item{ID: "microphone/Saal", Kind: Microphone, State: Live}
	rec := Item{ID: "record/Protokoll", Kind: Record, Required: true, State: Live}
	is := func(it Item, s State) Item { it.State = s; return it }
	both := []string{cam.ID, mic.ID, rec.ID}
	for _, tt := range []struct {
		name    string
		items   []Item
		trial   bool
		before  []string
		stands  []string // for an hour
		fresh   []string // just now
		pending []string
		against []string
	}{
		{name: "nothing there"},
		{name: "all live", items: []Item{cam, mic, rec}, trial: true, before: both},
		{name: "one starts", items: []Item{is(cam, Starting), mic}, trial: true, before: both, pending: []string{cam.ID}},
		{name: "one starts, on no trial", items: []Item{is(cam, Starting)}, pending: []string{cam.ID}},
		{name: "one that was live is lost", items: []Item{is(cam, Lost), mic}, trial: true, before: both, against: []string{"device-lost/camera/Totale"}},
		{name: "one that was lost is lost", items: []Item{is(cam, Lost), mic}, trial: true, before: []string{mic.ID}},
		{name: "one that nobody needs is lost", items: []Item{cam, is(mic, Lost)}, trial: true, before: both},
		{name: "lost, on no trial", items: []Item{is(cam, Lost)}, before: both},
		{name: "degraded", items: []Item{is(cam, Degraded)}, trial: true, before: both},
		{name: "not recorded", items: []Item{is(rec, Lost)}, trial: true, before: both, against: []string{"record-failed/record/Protokoll"}},
		{name: "no bus", trial: true, stands: []string{BusGone, RAUCGone}, against: []string{BusGone}},
		{name: "no bus, on no trial", stands: []string{BusGone, RAUCGone}},
		{name: "no bus yet", trial: true, fresh: []string{BusGone, RAUCGone}, pending: []string{BusGone}},
		{name: "no bus as before", trial: true, before: []string{"!bus-gone"}, stands: []string{BusGone}},
		{name: "what is not the version's fault", trial: true, stands: []string{DiskFull, ClockUnset, OwnerPINMissing, UpdateTrial, USBRefused}},
		{name: "hangs, on no trial", fresh: []string{ClerkStuck}, against: []string{ClerkStuck}},
		{name: "hangs as before", trial: true, before: []string{"!clerk-stuck"}, fresh: []string{ClerkStuck}, against: []string{ClerkStuck}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := NewConditions(nil)
				for _, code := range tt.stands {
					c.Set(code, "", "")
				}
				time.Sleep(time.Hour)
				for i := range tt.items {
					tt.items[i].Since = time.Now()
				}
				c.FromBoard(tt.items)
				for _, code := range tt.fresh {
					c.Set(code, "", "")
				}
				j := c.JudgeBoot(tt.items, tt.trial, tt.before)
				if d := cmp.Diff(append([]string{}, tt.pending...), j.Pending); d != "" {
					t.Error(d)
				}
				if d := cmp.Diff(append([]string{}, tt.against...), codes(j.Conditions)); d != "" {
					t.Error(d)
				}
				if want := len(tt.pending)+len(tt.against) == 0; j.Good != want {
					t.Errorf("good: %v", j.Good)
				}
			})
		})
	}
}

// A device that starts for ever holds up a boot only when it worked before and is required.
func TestPatienceWithDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, c := NewBoard(nil), NewConditions(nil)
		id := b.Add(Camera, "Totale", "usb:1", true)
		other := b.Add(Camera, "Pult", "usb:2", false)
		all := []string{id, other}
		for _, tt := range []struct {
			wait   time.Duration
			before []string
			want   []string
		}{
			{29 * time.Second, all, all}, {0, nil, all},
			{time.Second, all, []string{id}}, {0, []string{other}, []string{}}, {0, nil, []string{}},
			{time.Hour, all, []string{id}},
		} {
			time.Sleep(tt.wait)
			if d := cmp.Diff(tt.want, c.JudgeBoot(b.List(), true, tt.before).Pending); d != "" {
				t.Error(d)
			}
		}
	})
}

func TestAwait(t *testing.T) {
	c := NewConditions(nil)
	c.Await(BusGone, ClockUnset)
	for _, j := range []Judgement{c.JudgeBoot(nil, true, nil), c.Judge(nil)} {
		if d := cmp.Diff([]string{BusGone, ClockUnset}, j.Pending); d != "" || j.Good {
			t.Error(j.Good, d)
		}
	}
	c.Clear(BusGone)
	c.Set(ClockUnset, "", "1970")
	if j := c.JudgeBoot(nil, true, nil); !j.Good {
		t.Errorf("%+v", j)
	}
	if j := c.Judge(nil); j.Good || len(j.Pending) > 0 || len(j.Conditions) != 1 {
		t.Errorf("%+v", j)
	}
}

func TestBefore(t *testing.T) {
	c := NewConditions(nil)
	c.Set(ConfigFallback, "", "")
	c.Set(DiskFull, "", "")
	c.Set(BusGone, "", "")
	items := []Item{{ID: "camera/a", State: Live}, {ID: "camera/b", State: Degraded}, {ID: "camera/c", State: Lost}, {ID: "camera/d", State: Starting}}
	if d := cmp.Diff([]string{"camera/a", "camera/b", "!config-fallback", "!bus-gone"}, c.Before(items)); d != "" {
		t.Error(d)
	}
}

func TestJudge(t *testing.T) {
	c := NewConditions(nil)
	j := c.Judge(nil)
	raw, err := json.Marshal(j)
	if want := `{"good":true,"pending":[],"conditions":[],"items":[]}`; err != nil || string(raw) != want {
		t.Errorf("%s %v", raw, err)
	}
	c.Set(Restarted, "", "killed")
	if j = c.Judge(nil); !j.Good || len(j.Conditions) != 1 {
		t.Errorf("a warning: %+v", j)
	}
	c.Set(UpdateWentBack, "", "1.2.3")
	if j = c.Judge(nil); j.Good || j.Conditions[0].Code != UpdateWentBack {
		t.Errorf("an error: %+v", j)
	}
	raw, err = json.Marshal(j.Conditions[0])
	if err != nil || !strings.HasPrefix(string(raw), `{"code":"update-went-back","severity":"error","text_de":"Die neue`) || !strings.Contains(string(raw), `"detail":"1.2.3","since":"`) {
		t.Errorf("%s %v", raw, err)
	}
	if j = c.Judge([]Item{{ID: "camera/a", State: Starting, Since: time.Now()}}); len(j.Pending) != 1 {
		t.Errorf("%+v", j)
	}
}
