package update

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// left puts a file on the disk as an earlier life of the daemon left it.
func (h *house) left(name string, what any) {
	h.t.Helper()
	raw, err := json.Marshal(what)
	if err != nil {
		h.t.Fatal(err)
	}
	h.disk.files[name] = raw
}

func trialOf(s Stage) Trial {
	return Trial{
		State: s, Version: "1.3.0", FromVersion: "1.2.0", FromSlot: "A", ToSlot: "B", At: time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC),
		Live: []string{"desk/saal"},
	}
}

// inB makes a house run the new version from B, not marked good yet.
func inB(h *house) {
	h.opt.Release = Release{"1.3.0", "plenum-x86_64", "B"}
	h.rauc.slots[0].Booted, h.rauc.slots[1].Booted, h.rauc.slots[1].Good = false, true, false
}

func (h *house) wantLast(r Result, parts ...string) {
	h.t.Helper()
	l := h.u.View().Last
	if l == nil || l.Result != r {
		h.t.Fatalf("wanted %s, got %+v", r, l)
	}
	for _, p := range parts {
		if !strings.Contains(l.DE, p) && !strings.Contains(l.EN, p) {
			h.t.Errorf("%q is not said: %s %s", p, l.DE, l.EN)
		}
	}
}

func TestTrialPasses(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		tr, on := h.u.Trial()
		if !on || tr.State != StageTrial {
			t.Fatalf("%v %+v", on, tr)
		}
		if diff := cmp.Diff([]string{"desk/saal"}, tr.Live); diff != "" {
			t.Fatal(diff)
		}
		h.wantLast(OnTrial, "1.3.0", "1.2.0")
		p := h.plug("sda1", "x.raucb") // left in since the installation
		if v := h.want(Idle, ""); !strings.Contains(v.DE, "erprobt") {
			t.Fatalf("%+v", v)
		}
		if err := h.u.Install(t.Context()); !errors.Is(err, ErrUnproven) {
			t.Fatal(err)
		}
		pass(time.Minute)
		h.wantLast(OnTrial)
		h.rauc.with(func() { h.rauc.slots[1].Good = true })
		pass(recheck)
		h.wantLast(Updated, "1.3.0", "1.2.0")
		if _, on := h.u.Trial(); on || h.disk.has(trialFile) {
			t.Fatal("still on trial")
		}
		v := h.want(Refused, SameVersion)
		if !p.free() || !strings.Contains(v.DE, "nichts zu tun") {
			t.Fatalf("%+v", v)
		}
	}, func(h *house) { inB(h); h.left(trialFile, trialOf(StageInstalled)) })
}

func TestTrialIsKnownBeforeRun(t *testing.T) {
	h := &house{t: t, rauc: healthy(), disk: &shelf{files: map[string][]byte{}}}
	inB(h)
	h.left(trialFile, trialOf(StageInstalling)) // the power was cut before its end was noted
	u := open(h.opt, h.disk)
	if tr, on := u.Trial(); !on || tr.Version != "1.3.0" {
		t.Fatal(tr)
	}
}

func TestSomebodyElseKnowsWhatIsGood(t *testing.T) {
	type answer struct {
		good bool
		err  error
	}
	var says atomic.Pointer[answer]
	says.Store(&answer{})
	bubble(t, func(t *testing.T, h *house) {
		h.wantLast(OnTrial)
		says.Store(&answer{true, errors.New("systemd does not answer")})
		pass(recheck)
		h.wantLast(OnTrial)
		says.Store(&answer{true, nil})
		pass(recheck)
		h.wantLast(Updated)
	}, func(h *house) {
		inB(h)
		h.rauc.slots[1].Good = true // as U-Boot has it from the beginning
		h.opt.Good = func(context.Context) (bool, error) { a := says.Load(); return a.good, a.err }
		h.left(trialFile, trialOf(StageInstalled))
	})
}

func TestWhatBecameOfIt(t *testing.T) {
	activated := func(h *house) { h.rauc.slots[1].Activated = time.Date(1999, 12, 31, 1, 0, 0, 0, time.UTC) }
	next := func(h *house) { h.rauc.next = "B" }
	for _, tt := range []struct {
		name   string
		stage  Stage
		change func(*house)
		want   Result
		state  State
	}{
		{"never finished", StageInstalling, nil, Interrupted, Idle},
		{"finished unseen, tried, went back", StageInstalling, activated, WentBack, Idle},
		{"finished, tried, went back", StageInstalled, nil, WentBack, Idle},
		{"ran up to the daemon, went back", StageTrial, nil, WentBack, Idle},
		{"ran up to the daemon, went back, RAUC gone", StageTrial, func(h *house) { h.rauc.broken = ErrAbsent }, WentBack, Idle},
		{"finished, and the daemon restarted before the box", StageInstalled, func(h *house) { next(h); activated(h) }, "", Installed},
		{"finished unseen, and the daemon restarted", StageInstalling, func(h *house) { next(h); activated(h) }, "", Installed},
		{"never finished, and the other slot is next with its old version", StageInstalling, next, Interrupted, Idle},
		{"finished unseen, before RAUC noted it", StageInstalling, func(h *house) { next(h); h.rauc.slots[1].Version = "1.3.0" }, "", Installed},
		{"what RAUC says is not known", StageInstalled, func(h *house) { h.rauc.broken = ErrAbsent }, "", Idle},
		{"started from a slot nobody spoke of", StageInstalled, func(h *house) { h.opt.Release.Slot = "C" }, "", Idle},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, h *house) {
				v := h.want(tt.state, "")
				if tt.want == "" {
					if v.Last != nil {
						t.Fatalf("%+v", v.Last)
					}
					return
				}
				h.wantLast(tt.want, "1.3.0", "1.2.0")
				if h.disk.has(trialFile) {
					t.Fatal("trial.json stays")
				}
				h.stop()
				h.start()
				h.wantLast(tt.want)
			}, func(h *house) {
				h.left(trialFile, trialOf(tt.stage))
				if tt.change != nil {
					tt.change(h)
				}
			})
		})
	}
}

func TestOutcomeIsUnsureWhileRAUCIsAtWork(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		if v := h.want(Idle, ""); v.Last != nil || !strings.Contains(v.DE, "geprüft") {
			t.Fatalf("%+v", v)
		}
		p := h.plug("sda1", "x.raucb")
		h.want(Idle, "")
		h.rauc.with(func() { h.rauc.broken = nil })
		pass(recheck)
		h.wantLast(Interrupted)
		h.want(Offered, "")
		h.pull(p)
	}, func(h *house) {
		h.rauc.broken = errors.New("already processing a different method")
		h.left(trialFile, trialOf(StageInstalling))
	})
}

// On a box that is busy RAUC needs seconds for an answer. Asked again too early it was never done with the questions of
// before, and a stick was not looked at any more.
func TestSlowRAUC(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		p := h.plug("sda1", "x.raucb")
		h.want(Idle, "")
		pass(2 * 12 * time.Second)
		h.wantLast(Interrupted)
		h.want(Offered, "")
		h.pull(p)
	}, func(h *house) {
		h.rauc.slow = 12 * time.Second
		h.rauc.free <- struct{}{}
		h.left(trialFile, trialOf(StageInstalling))
	})
}

func TestAcknowledge(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.wantLast(WentBack)
		changed, stop := h.u.Watch()
		defer stop()
		<-changed
		h.u.Acknowledge()
		<-changed
		if !h.u.View().Last.Seen {
			t.Fatal("not noted")
		}
		h.stop()
		h.start()
		if l := h.u.View().Last; l == nil || !l.Seen {
			t.Fatalf("forgotten: %+v", l)
		}
		p := h.plug("sda1", "x.raucb") // the same version once more
		if v := h.want(Offered, ""); !strings.Contains(v.DE, "schon einmal versucht") {
			t.Fatal(v.DE)
		}
		h.rauc.install = func(context.Context, string, func(Progress)) error { return errors.New("no") }
		if err := h.u.Install(t.Context()); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		h.want(Failed, Trouble)
		h.u.Acknowledge()
		h.want(Offered, "")
		h.pull(p)
	}, func(h *house) { h.left(trialFile, trialOf(StageTrial)) })
}

func TestRelapse(t *testing.T) {
	good := record{Outcome: Outcome{Result: Updated, Version: "1.3.0", From: "1.2.0", Seen: true}, Trial: trialOf(StageTrial)}
	bubble(t, func(t *testing.T, h *house) {
		h.wantLast(WentBack, "1.3.0", "1.2.0", "nicht mehr gestartet")
		if h.u.View().Last.Seen {
			t.Fatal("it counts as read")
		}
		h.stop()
		h.start()
		h.wantLast(WentBack, "nicht mehr gestartet")
	}, func(h *house) { h.left(lastFile, good) })
	bubble(t, func(t *testing.T, h *house) {
		h.wantLast(Updated) // a newer version was put into A by hand
	}, func(h *house) { h.left(lastFile, good); h.opt.Release.Version = "1.4.0" })
}

// What was left can come back, when the power is cut too early in the old version's start: then it is on trial again.
func TestRecalled(t *testing.T) {
	for _, r := range []Result{WentBack, Interrupted} {
		bubble(t, func(t *testing.T, h *house) {
			if tr, on := h.u.Trial(); !on || len(tr.Live) != 1 || !h.disk.has(trialFile) {
				t.Fatalf("%+v", tr)
			}
			h.wantLast(OnTrial)
			h.rauc.with(func() { h.rauc.slots[1].Good = true })
			pass(recheck)
			h.wantLast(Updated, "1.3.0", "1.2.0")
			if h.u.View().Last.Seen || h.disk.has(trialFile) {
				t.Fatal("not told")
			}
		}, func(h *house) {
			inB(h)
			h.left(lastFile, record{Outcome: Outcome{Result: r, Version: "1.3.0", From: "1.2.0", Seen: true}, Trial: trialOf(StageInstalled)})
		})
	}
}

// The boot loader leaves a slot whose start was never marked good: then the other slot's old version runs, from the
// very slot that the installation was about to write.
func TestOldVersionInTheTargetSlot(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		if _, on := h.u.Trial(); on {
			t.Fatal("the old version takes itself for the new one")
		}
		h.wantLast(Interrupted, "1.1.0")
	}, func(h *house) {
		inB(h)
		h.opt.Release.Version = "1.1.0"
		h.left(trialFile, trialOf(StageInstalling))
	})
}

func TestOutcomeOnAFullDisk(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.wantLast(WentBack)
		if !h.disk.has(trialFile) {
			t.Fatal("removed before the outcome was kept")
		}
		h.disk.fails(nil)
		pass(recheck)
		if h.disk.has(trialFile) || !h.disk.has(lastFile) {
			t.Fatalf("not made up for: %v", h.disk.files)
		}
	}, func(h *house) { h.left(trialFile, trialOf(StageTrial)); h.disk.err = syscall.ENOSPC })
}

func TestDamagedNotes(t *testing.T) {
	for _, raw := range []string{"", "{", "null", "[]", `{"state":"installing"}`, `{"from_slot":"A","to_slot":"A"}`, "\x00\x00"} {
		bubble(t, func(t *testing.T, h *house) {
			h.want(Idle, "")
			if _, on := h.u.Trial(); on || h.u.View().Last != nil {
				t.Fatalf("%q: %+v", raw, h.u.View())
			}
			p := h.plug("sda1", "x.raucb")
			if err := h.u.Install(t.Context()); err != nil {
				t.Fatal(err)
			}
			h.want(Installed, "")
			h.pull(p)
		}, func(h *house) { h.disk.files[trialFile], h.disk.files[lastFile] = []byte(raw), []byte(raw) })
	}
}
