package health

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// codes are what is shown, as code or code/subject.
func codes(list []Condition) []string {
	out := []string{}
	for _, c := range list {
		out = append(out, strings.TrimSuffix(c.Code+"/"+c.Subject, "/"))
	}
	return out
}

func TestTable(t *testing.T) {
	all := NewConditions(nil).All()
	at := map[string]int{}
	for i, d := range all {
		if _, twice := at[d.Code]; twice || d.Severity.rank() < 0 || d.Delay < 0 || d.Hold < 0 {
			t.Errorf("%s: twice, or no good definition: %+v", d.Code, d)
		}
		at[d.Code] = i
		for _, text := range []string{d.DE, d.EN} {
			if len(text) < 60 || len(text) > 260 || !strings.HasSuffix(text, ".") {
				t.Errorf("%s: %d characters do not say what it means and what to do: %s", d.Code, len(text), text)
			}
		}
		if d.DependsOn == "" {
			continue
		}
		cause, ok := at[d.DependsOn]
		if !ok {
			t.Errorf("%s comes before its cause %s", d.Code, d.DependsOn)
		}
		if d.Boot && !all[cause].Boot {
			t.Errorf("%s would wait for a cause that does not count at boot", d.Code)
		}
	}
	for _, d := range all {
		if d.Vital && (d.Delay > 0 || d.Hold > 0 || d.DependsOn != "") {
			t.Errorf("%s keeps the watchdog waiting", d.Code)
		}
	}
	if len(all) < 27 {
		t.Errorf("only %d conditions", len(all))
	}
}

// step is what happens at a time, and what is shown right after it. An empty code only looks.
type step struct {
	at    time.Duration
	do    string // "+code", "-code", with "/subject"
	shown []string
}

func TestTransitions(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"at once and only so long", []step{{0, "+update-offered", []string{UpdateOffered}}, {s, "-update-offered", nil}}},
		{"a flap is no alarm", []step{{0, "+bus-gone", nil}, {9 * s, "-bus-gone", nil}, {11 * s, "", nil}, {12 * s, "+bus-gone", nil}, {21 * s, "", nil}, {22 * s, "", []string{BusGone}}}},
		{"shown long enough to be read", []step{{0, "+disk-full", []string{DiskFull}}, {s, "-disk-full", []string{DiskFull}}, {9 * s, "", []string{DiskFull}}, {10 * s, "", nil}}},
		{"stands longer than it has to be shown", []step{{0, "+disk-full", []string{DiskFull}}, {15 * s, "-disk-full", nil}}},
		{"back while it is still shown", []step{{0, "+disk-full", []string{DiskFull}}, {s, "-disk-full", []string{DiskFull}}, {8 * s, "+disk-full", []string{DiskFull}},
			{20 * s, "", []string{DiskFull}}, {21 * s, "-disk-full", nil}}},
		{"the cause is shown alone", []step{{0, "+rauc-gone", nil}, {s, "+bus-gone", nil}, {10 * s, "", nil}, {11 * s, "", []string{BusGone}}, {60 * s, "", []string{BusGone}}}},
		{"the cause comes later", []step{{0, "+rauc-gone", nil}, {10 * s, "", []string{RAUCGone}}, {20 * s, "+bus-gone", []string{RAUCGone}}, {30 * s, "", []string{BusGone}}}},
		{"the cause was a flap: the consequence stays", []step{{0, "+rauc-gone", nil}, {20 * s, "+bus-gone", []string{RAUCGone}}, {25 * s, "-bus-gone", []string{RAUCGone}}, {99 * s, "", []string{RAUCGone}}}},
		{"the cause goes: the consequence has its delay", []step{{0, "+bus-gone", nil}, {0, "+rauc-gone", nil}, {20 * s, "", []string{BusGone}}, {30 * s, "-bus-gone", nil}, {39 * s, "", nil}, {40 * s, "", []string{RAUCGone}}}},
		{"both go", []step{{0, "+bus-gone", nil}, {0, "+rauc-gone", nil}, {20 * s, "", []string{BusGone}}, {30 * s, "-bus-gone", nil}, {35 * s, "-rauc-gone", nil}, {60 * s, "", nil}}},
		{"the cause is still shown: the consequence waits", []step{{0, "+bus-gone", nil}, {0, "+rauc-gone", nil}, {12 * s, "-bus-gone", []string{BusGone}}, {19 * s, "", []string{BusGone}},
			{20 * s, "", nil}, {29 * s, "", nil}, {30 * s, "", []string{RAUCGone}}}},
		{"the consequence is still shown when the cause comes", []step{{0, "+rauc-gone", nil}, {12 * s, "-rauc-gone", []string{RAUCGone}}, {12 * s, "+bus-gone", []string{RAUCGone}}, {22 * s, "", []string{BusGone}}, {50 * s, "-bus-gone", nil}}},
		{"at one remove", []step{{0, "+slot-bad", nil}, {0, "+bus-gone", nil}, {20 * s, "", []string{BusGone}}, {30 * s, "-bus-gone", nil}, {40 * s, "", []string{SlotBad}}}},
		{"several subjects", []step{{0, "+device-lost/camera/a", nil}, {2 * s, "+device-lost/camera/b", nil}, {3 * s, "", []string{"device-lost/camera/a"}},
			{5 * s, "", []string{"device-lost/camera/a", "device-lost/camera/b"}}, {9 * s, "-device-lost/camera/a", []string{"device-lost/camera/b"}}, {20 * s, "-device-lost", nil}}},
		{"the heaviest first", []step{{0, "+update-offered", []string{UpdateOffered}}, {0, "+record-failed", []string{RecordFailed, UpdateOffered}}, {0, "+restarted", []string{RecordFailed, Restarted, UpdateOffered}}}},
		{"of no table", []step{{0, "+teapot", []string{"teapot"}}, {s, "-teapot", nil}}},
		{"cleared twice, cleared without", []step{{0, "-bus-gone", nil}, {0, "+clock-unset", []string{ClockUnset}}, {9 * s, "-clock-unset", nil}, {9 * s, "-clock-unset", nil}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, looking := range []bool{true, false} { // it must not matter whether somebody looks meanwhile
				synctest.Test(t, func(t *testing.T) { walk(t, tt.steps, looking) })
			}
		})
	}
}

func walk(t *testing.T, steps []step, looking bool) {
	began := time.Now()
	c := NewConditions(nil)
	changed, stop := c.Watch()
	defer stop()
	<-changed
	known := []Condition{}
	for i, st := range steps {
		time.Sleep(st.at - time.Since(began))
		synctest.Wait()
		if code, subject, _ := strings.Cut(strings.TrimLeft(st.do, "+-"), "/"); strings.HasPrefix(st.do, "+") {
			c.Set(code, subject, "because")
		} else if subject != "" {
			c.Clear(code, subject)
		} else if code != "" {
			c.Clear(code)
		}
		if !looking && i < len(steps)-1 {
			continue
		}
		now := c.List()
		if d := cmp.Diff(append([]string{}, st.shown...), codes(now)); d != "" {
			t.Errorf("after %s %q: %s", st.at, st.do, d)
		}
		told := false
		select {
		case <-changed:
			told = true
		default:
		}
		if looking && told != !cmp.Equal(known, now) {
			t.Errorf("after %s %q: told %v, %v became %v", st.at, st.do, told, codes(known), codes(now))
		}
		known = now
	}
}

func TestWhatAConditionSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewConditions(nil)
		changed, stop := c.Watch()
		defer stop()
		began := time.Now()
		c.Set(DeviceLost, "camera/Totale", "plug it in")
		time.Sleep(4 * time.Second)
		synctest.Wait()
		<-changed
		c.Set(DeviceLost, "camera/Totale", "no power")
		<-changed
		c.Set(DeviceLost, "camera/Totale", "no power")
		select {
		case <-changed:
			t.Error("told of nothing new")
		default:
		}
		d := c.rule(DeviceLost)
		want := []Condition{{Code: DeviceLost, Subject: "camera/Totale", Severity: Error, DE: d.DE, EN: d.EN, Detail: "no power", Since: began}}
		if d := cmp.Diff(want, c.List()); d != "" {
			t.Error(d)
		}
	})
}

func TestVital(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewConditions(nil)
		clerk, sup := c.Pulse(ClerkStuck, "turn", 5*time.Second), c.Pulse(SupervisorStuck, "supervisor", 2*time.Second)
		clerk.Rest()
		changed, stop := c.Watch()
		defer stop()
		<-changed
		for range 100 {
			time.Sleep(time.Second)
			sup.Beat()
		}
		if err := c.Vital(); err != nil {
			t.Fatalf("all is well, but: %v", err)
		}
		clerk.Beat() // a turn begins
		time.Sleep(2 * time.Second)
		if err := c.Vital(); err == nil || !strings.Contains(err.Error(), SupervisorStuck) || strings.Contains(err.Error(), ClerkStuck) {
			t.Errorf("got %v", err)
		}
		synctest.Wait()
		<-changed // by the timer: nobody asked before
		time.Sleep(3 * time.Second)
		if err := c.Vital(); err == nil || !strings.Contains(err.Error(), "turn: no sign of life since") {
			t.Errorf("got %v", err)
		}
		if d := cmp.Diff([]string{"clerk-stuck/turn", "supervisor-stuck/supervisor"}, codes(c.List())); d != "" {
			t.Error(d)
		}
		sup.Beat()
		clerk.Rest()
		if err := c.Vital(); err != nil || len(c.List()) > 0 {
			t.Errorf("they live again, but: %v", err)
		}
		time.Sleep(time.Second)
		sup.Rest()
		time.Sleep(time.Hour)
		if err := c.Vital(); err != nil {
			t.Errorf("at rest: %v", err)
		}
		c.Set(DiskFull, "", "")
		if err := c.Vital(); err != nil {
			t.Errorf("a restart mends no disk: %v", err)
		}
		var none *Pulse
		none.Beat()
		none.Rest()
	})
}

func TestAPartThatNeverBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewConditions(nil)
		c.Pulse(ClerkStuck, "turn", 5*time.Second)
		time.Sleep(5*time.Second - 1)
		if err := c.Vital(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Nanosecond)
		if c.Vital() == nil {
			t.Error("nobody noticed")
		}
		again := c.Pulse(ClerkStuck, "turn", 5*time.Second) // started anew
		if err := c.Vital(); err != nil || len(c.pulses) != 1 {
			t.Errorf("%v, %d pulses", err, len(c.pulses))
		}
		again.Rest()
	})
}

func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, c := NewBoard(nil), NewConditions(nil)
		cam := b.Add(Camera, "Totale", "usb:1", true)
		mic := b.Add(Microphone, "Saal", "hw:1", false)
		rec := b.Add(Record, "Protokoll", "/data", true)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Follow(ctx, b) }()
		check := func(wait time.Duration, want ...string) {
			t.Helper()
			time.Sleep(wait)
			synctest.Wait()
			if d := cmp.Diff(append([]string{}, want...), codes(c.List())); d != "" {
				t.Error(d)
			}
		}
		check(29 * time.Second)
		b.Set(rec, Live, "", "")
		b.Set(mic, Live, "", "")
		check(time.Second, "device-starting/camera/Totale")
		b.Set(cam, Lost, "", "plug it in")
		b.Set(mic, Lost, "", "plug it in")
		b.Set(rec, Lost, "", "disk on fire")
		check(10*time.Second, "record-failed/record/Protokoll", "device-lost/camera/Totale", "device-lost-optional/microphone/Saal")
		b.Set(cam, Degraded, "", "stands still")
		b.Set(mic, Live, "", "")
		b.Set(rec, Live, "", "")
		check(10*time.Second, "device-degraded/camera/Totale")
		b.Set(cam, Live, "", "")
		check(10 * time.Second)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
