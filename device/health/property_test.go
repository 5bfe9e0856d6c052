package health

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// act is one change of the history of a chain of three: b follows from a, c from b.
type act struct {
	Wait time.Duration
	Code string
	On   bool
}

const tick = 100 * time.Millisecond

func chain() []Definition {
	return []Definition{
		{Code: "a", Severity: Error, Delay: 3 * tick, Hold: 5 * tick},
		{Code: "b", Severity: Error, DependsOn: "a", Delay: 2 * tick, Hold: 4 * tick},
		{Code: "c", Severity: Error, DependsOn: "b", Delay: tick},
	}
}

// TestCauseAndEffect: in whatever order cause and effect come and go, an effect is never shown beside its cause, nothing
// is shown that did not stand for its delay with no cause, nor for less than its time, what stands long enough is shown,
// those who watch are told of every change, and it does not matter who looks when.
func TestCauseAndEffect(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		acts := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) act {
			return act{tick * time.Duration(rapid.IntRange(0, 7).Draw(rt, "wait")), rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "code"), rapid.Bool().Draw(rt, "on")}
		}), 1, 30).Draw(rt, "acts")
		rest := tick * time.Duration(rapid.IntRange(0, 12).Draw(rt, "rest"))
		var film []frame
		synctest.Test(t, func(*testing.T) { film = play(acts, rest) })
		if err := judge(film); err != nil {
			rt.Fatal(err)
		}
		if end := glance(acts, rest+tick/2); end != film[len(film)-1].shown {
			rt.Fatalf("watched all the time it ends as %v, looked at once as %v", film[len(film)-1].shown, end)
		}
	})
}

// frame is what stood from a tick on, what was set or cleared at its beginning, what was shown in its middle, and
// whether those who watch were told.
type frame struct {
	set, touched, shown [3]bool
	told                bool
}

// play carries a history out, and looks in the middle of every tick.
func play(acts []act, rest time.Duration) (film []frame) {
	c := NewConditions(nil)
	c.rules = chain()
	changed, stop := c.Watch()
	defer stop()
	<-changed
	var f frame
	for _, a := range append(acts, act{Wait: rest + tick}) {
		for range int(a.Wait / tick) {
			time.Sleep(tick / 2)
			synctest.Wait()
			select {
			case <-changed:
				f.told = true
			default:
				f.told = false
			}
			f.shown = shownOf(c)
			film = append(film, f)
			f.touched = [3]bool{}
			time.Sleep(tick / 2)
		}
		if a.Code != "" {
			n := a.Code[0] - 'a'
			f.set[n], f.touched[n] = a.On, true
			a.do(c)
		}
	}
	return film
}

// glance carries a history out by a clock that no timer follows, and looks at its end.
func glance(acts []act, rest time.Duration) [3]bool {
	began := time.Now()
	var passed atomic.Int64
	c := NewConditions(func() time.Time { return began.Add(time.Duration(passed.Load())) })
	c.rules = chain()
	for _, a := range acts {
		passed.Add(int64(a.Wait))
		a.do(c)
	}
	if c.timer != nil {
		c.timer.Stop()
	}
	passed.Add(int64(rest))
	return shownOf(c)
}

func (a act) do(c *Conditions) {
	if a.On {
		c.Set(a.Code, "", "")
	} else {
		c.Clear(a.Code)
	}
}

func shownOf(c *Conditions) (out [3]bool) {
	for _, v := range c.List() {
		out[v.Code[0]-'a'] = true
	}
	return out
}

// judge holds a film against the rules.
func judge(film []frame) error {
	rules := chain()
	for i := range film {
		f := film[i]
		was := frame{}
		if i > 0 {
			was = film[i-1]
		}
		for n, d := range rules {
			delay, hold := int(d.Delay/tick), int(d.Hold/tick)
			caused := func(f frame) bool { return anyOf(f.set[:n]) || anyOf(f.shown[:n]) }
			all := func(from int, ok func(frame) bool) bool {
				for j := from; j < i; j++ {
					if j < 0 || !ok(film[j]) {
						return false
					}
				}
				return true
			}
			quiet := func(f frame) bool { return f.set[n] && !caused(f) && !anyOf(f.touched[:n+1]) }
			switch {
			case f.shown[n] && anyOf(f.shown[:n]):
				return fmt.Errorf("tick %d: %s is shown beside its cause: %+v", i, d.Code, f)
			case f.shown[n] && !was.shown[n] && !all(i-delay, func(f frame) bool { return f.set[n] && !caused(f) }):
				return fmt.Errorf("tick %d: %s is shown without its delay", i, d.Code)
			case !f.shown[n] && was.shown[n] && !anyOf(f.shown[:n]) && (f.set[n] && was.set[n] && !f.touched[n] || !all(i-hold, func(f frame) bool { return f.shown[n] })):
				return fmt.Errorf("tick %d: %s goes too early", i, d.Code)
			case !f.shown[n] && quiet(f) && all(i-delay-1, quiet):
				return fmt.Errorf("tick %d: %s is not shown although it stands", i, d.Code)
			case f.shown != was.shown && !f.told:
				return fmt.Errorf("tick %d: nobody was told that %v became %v", i, was.shown, f.shown)
			}
		}
	}
	return nil
}

func anyOf(list []bool) bool {
	for _, v := range list {
		if v {
			return true
		}
	}
	return false
}
