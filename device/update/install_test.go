package update

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plenum/device/stick"
)

// slowly is an installation that takes its time, as RAUC tells of it, and ends as said.
func (h *house) slowly(end func(ctx context.Context) error) {
	h.rauc.install = func(ctx context.Context, _ string, told func(Progress)) error {
		for _, p := range []Progress{{0, "Installing"}, {20, "Checking bundle done."}, {60, "Copying image to rootfs.1"}, {40, "Determining slot states"}} {
			told(p)
			time.Sleep(time.Second)
		}
		return end(ctx)
	}
}

func TestInstall(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.slowly(func(context.Context) error { h.rauc.finish(); return nil })
		p := h.plug("sda1", "x.raucb")
		if err := h.u.Reboot(t.Context()); !errors.Is(err, ErrNotReady) {
			t.Fatal(err)
		}
		if err := h.u.Install(t.Context()); err != nil {
			t.Fatal(err)
		}
		pass(2500 * time.Millisecond)
		v := h.want(Installing, "")
		if v.Percent != 60 || v.Step != "Copying image to rootfs.1" || !strings.Contains(v.DE, "60 %") || v.Version != "1.3.0" || !h.u.Busy() {
			t.Fatalf("%+v", v)
		}
		if err := h.u.Install(t.Context()); !errors.Is(err, ErrBusy) {
			t.Fatal(err)
		}
		pass(time.Second)
		if v := h.want(Installing, ""); v.Percent != 60 {
			t.Fatalf("the bar went back to %d", v.Percent)
		}
		pass(time.Second)
		if v := h.want(Installed, ""); v.Percent != 100 || !p.free() || h.u.Busy() {
			t.Fatalf("%+v, stick free: %v", v, p.free())
		}
		if err := h.u.Install(t.Context()); !errors.Is(err, ErrInstalled) {
			t.Fatal(err)
		}
		h.pull(p)
		h.want(Installed, "")
		if p = h.plug("sda1", "x.raucb"); !p.free() {
			t.Fatal("a stick is looked at before the restart")
		}
		h.sitting = errSitting
		if err := h.u.Reboot(t.Context()); !errors.Is(err, errSitting) || h.reboots != 0 {
			t.Fatal(err)
		}
		h.sitting = nil
		if err := h.u.Reboot(t.Context()); err != nil || h.reboots != 1 {
			t.Fatal(err)
		}
		h.want(Rebooting, "")
	})
}

func TestTrialIsNotedBeforeAnythingIsWritten(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		before := time.Date(1999, 12, 31, 23, 0, 0, 0, time.UTC)
		h.rauc.slots[1].Activated = before
		var noted Trial
		h.slowly(func(context.Context) error {
			raw, err := h.disk.read(trialFile)
			if err == nil {
				err = json.Unmarshal(raw, &noted)
			}
			h.rauc.finish()
			return err
		})
		h.plug("sda1", "x.raucb")
		at := time.Now().UTC()
		if err := h.u.Install(t.Context()); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		want := Trial{
			State: StageInstalling, Version: "1.3.0", FromVersion: "1.2.0", FromSlot: "A", ToSlot: "B", At: at,
			Live: []string{"camera/Totale", "desk/saal"}, Activated: before,
		}
		if diff := cmp.Diff(want, noted); diff != "" {
			t.Fatal(diff)
		}
		raw, err := h.disk.read(trialFile)
		if err != nil || !strings.Contains(string(raw), `"state": "installed"`) || !strings.Contains(string(raw), `"to_slot": "B"`) {
			t.Fatalf("%v\n%s", err, raw)
		}
		if _, on := h.u.Trial(); on {
			t.Fatal("the old version takes itself for the one on trial")
		}
	})
}

// failure is an installation that fails, and what is said.
type failure struct {
	name  string
	end   func(h *house) error
	why   Reason
	part  string // of the German sentence
	again bool   // the same stick can be tried again
}

func failureTable() []failure {
	says := func(text string) func(*house) error {
		return func(*house) error { return fmt.Errorf("LastError: %s", text) }
	}
	return []failure{
		{"tampered payload, 1.8", says("Installation error: Failed updating slot rootfs.1: Failed splicing data: Error reading from file: Input/output error"), Damaged, "beschädigt oder verändert", false},
		{"tampered payload, pre-check", says("Failed mounting bundle: Check /dev/dm-0 device failed between 0 and 4194304 bytes with error: Input/output error"), Damaged, "beschädigt oder verändert", false},
		{"first block tampered", says("Failed mounting bundle: failed to mount bundle: Invalid argument"), Damaged, "beschädigt", false},
		{"foreign key found late", says("signature verification failed: Verify error: self-signed certificate"), Foreign, "nicht vom Hersteller", false},
		{"slot too small", says("Installation error: Failed updating slot rootfs.1: Slot (335544320 bytes) is too small for image (400000000 bytes)."), TooBig, "passt nicht", false},
		{"slot too small, 1.8", says("Size of image (400000000) does not fit to slot size 335544320"), TooBig, "passt nicht", false},
		{"slot breaks", says("Failed updating slot rootfs.1: Failed splicing data: Error writing to file: Input/output error"), NoSlot, "nicht beschreiben", true},
		{"slot is mounted", says("Destination device '/dev/vda3' already mounted"), NoSlot, "nicht beschreiben", true},
		{"status file", says("Error while writing status file: Failed to write file: No space left on device"), Full, "voll", true},
		{"RAUC gone in the middle", func(h *house) error {
			h.rauc.with(func() { h.rauc.broken = ErrAbsent })
			return fmt.Errorf("waiting for the end: %w", ErrAbsent)
		}, Absent, "ausgefallen", true},
		{"RAUC busy", says("already processing a different method"), Engaged, "beschäftigt", true},
		{"nobody knows", says("Unexpected thing"), Trouble, "fehlgeschlagen", true},
	}
}

func TestInstallationFails(t *testing.T) {
	for _, tt := range failureTable() {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, h *house) {
				h.slowly(func(context.Context) error { return tt.end(h) })
				p := h.plug("sda1", "x.raucb")
				if err := h.u.Install(t.Context()); err != nil {
					t.Fatal(err)
				}
				pass(10 * time.Second)
				v := h.want(Failed, tt.why)
				if !strings.Contains(v.DE, tt.part) || v.Version != "1.3.0" || p.free() == tt.again || h.u.Busy() || v.Last != nil {
					t.Fatalf("%+v, stick free: %v", v, p.free())
				}
				h.rauc.with(func() { h.rauc.broken = nil })
				pass(2 * recheck)
				if h.disk.has(trialFile) {
					t.Fatal("the note of a failed installation stays")
				}
				if !tt.again {
					if err := h.u.Install(t.Context()); !errors.Is(err, ErrNothing) {
						t.Fatal(err)
					}
					h.pull(p)
					h.want(Failed, tt.why) // until somebody has read it, or another stick comes
					h.plug("sda1", "x.raucb")
					h.want(Offered, "")
					return
				}
				h.rauc.with(func() { h.rauc.install = nil })
				if err := h.u.Install(t.Context()); err != nil {
					t.Fatal(err)
				}
				h.want(Installed, "")
			})
		})
	}
}

func TestPulledWhileInstalling(t *testing.T) {
	for _, late := range []bool{false, true} {
		bubble(t, func(t *testing.T, h *house) {
			var p *plugged
			h.slowly(func(context.Context) error {
				if late { // the read error comes before the bus tells that the drive is gone
					go func() {
						time.Sleep(time.Second)
						p.cancel(stick.ErrPulled)
					}()
				} else {
					p.cancel(stick.ErrPulled)
				}
				return errors.New("Failed splicing data: Error reading from file: Input/output error")
			})
			p = h.plug("sda1", "x.raucb")
			if err := h.u.Install(t.Context()); err != nil {
				t.Fatal(err)
			}
			pass(time.Minute)
			v := h.want(Failed, Gone)
			if !p.free() || h.disk.has(trialFile) || !strings.Contains(v.DE, "abgezogen") || v.Version != "1.3.0" {
				t.Fatalf("%+v", v)
			}
			h.u.Remove("sda1")
			h.want(Failed, Gone)
			h.rauc.with(func() { h.rauc.install = nil })
			h.plug("sda1", "x.raucb")
			h.want(Offered, "")
			if err := h.u.Install(t.Context()); err != nil {
				t.Fatal(err)
			}
			h.want(Installed, "")
		})
	}
}

func TestSittingOpensWhileInstalling(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.slowly(func(context.Context) error { h.rauc.finish(); return nil })
		p := h.plug("sda1", "x.raucb")
		if err := h.u.Install(t.Context()); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		h.sitting = errSitting
		p.cancel(stick.ErrSitting)
		pass(time.Second)
		if p.free() {
			t.Fatal("the stick is given back under RAUC's hands")
		}
		pass(5 * time.Second)
		h.want(Installed, "")
		if !p.free() {
			t.Fatal("the stick is kept")
		}
	})
}

func TestBusBreaksButRAUCFinishes(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.slowly(func(context.Context) error {
			h.rauc.with(func() { h.rauc.broken = ErrAbsent })
			return ErrAbsent
		})
		h.plug("sda1", "x.raucb")
		if err := h.u.Install(t.Context()); err != nil {
			t.Fatal(err)
		}
		pass(10 * time.Second)
		h.want(Failed, Absent)
		if err := h.u.Install(t.Context()); !errors.Is(err, ErrUnproven) {
			t.Fatalf("RAUC may still be writing: %v", err)
		}
		h.rauc.finish()
		h.rauc.with(func() { h.rauc.broken = nil })
		pass(recheck)
		h.want(Installed, "")
		if err := h.u.Reboot(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestStalled(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.slowly(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		h.plug("sda1", "x.raucb")
		if err := h.u.Install(t.Context()); err != nil {
			t.Fatal(err)
		}
		pass(limit + time.Minute)
		h.want(Failed, Stalled)
	})
}

func TestDataPartitionIsFull(t *testing.T) {
	for _, err := range []error{syscall.ENOSPC, syscall.EROFS, errors.New("disk of another mind")} {
		bubble(t, func(t *testing.T, h *house) {
			h.plug("sda1", "x.raucb")
			h.disk.fails(err)
			if err := h.u.Install(t.Context()); err != nil {
				t.Fatal(err)
			}
			pass(time.Second)
			if h.want(Failed, Full); h.rauc.asked != 0 {
				t.Fatal("RAUC was asked although nothing could be noted")
			}
			h.disk.fails(nil)
			if err := h.u.Install(t.Context()); err != nil {
				t.Fatal(err)
			}
			h.want(Installed, "")
		})
	}
}

func TestDiskFillsUpWhileInstalling(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.slowly(func(context.Context) error { h.rauc.finish(); h.disk.fails(syscall.ENOSPC); return nil })
		h.plug("sda1", "x.raucb")
		if err := h.u.Install(t.Context()); err != nil {
			t.Fatal(err)
		}
		pass(10 * time.Second)
		h.want(Installed, "")
		h.disk.fails(nil)
		pass(recheck)
		if raw, _ := h.disk.read(trialFile); !strings.Contains(string(raw), string(StageInstalled)) {
			t.Fatalf("not made up for: %s", raw)
		}
	})
}

func TestStickIsNotTheOneThatWasOffered(t *testing.T) {
	for name, change := range map[string]func(h *house, p *plugged){
		"another version": func(h *house, _ *plugged) { h.rauc.bundle.Version = "1.4.0" },
		"another size": func(h *house, p *plugged) {
			if err := os.WriteFile(filepath.Join(p.medium.Path, "x.raucb"), []byte("longer than before"), 0o600); err != nil {
				h.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, h *house) {
				p := h.plug("sda1", "x.raucb")
				change(h, p)
				if err := h.u.Install(t.Context()); err != nil {
					t.Fatal(err)
				}
				pass(10 * time.Second)
				if h.want(Failed, Changed); h.rauc.asked != 0 || !p.free() {
					t.Fatal("installed what was not offered")
				}
			})
		})
	}
}

func TestBoxWithoutTwoSlots(t *testing.T) {
	for name, change := range map[string]func(*house){
		"one slot":      func(h *house) { h.rauc.slots = h.rauc.slots[:1] },
		"not from disk": func(h *house) { h.opt.Release.Slot = "" },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, h *house) {
				h.plug("sda1", "x.raucb")
				if err := h.u.Install(t.Context()); err != nil {
					t.Fatal(err)
				}
				if h.want(Failed, NoSlot); h.rauc.asked != 0 {
					t.Fatal("asked")
				}
			}, change)
		})
	}
}

func TestRebootFails(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.plug("sda1", "x.raucb")
		if err := h.u.Install(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.want(Installed, "")
		if err := h.u.Reboot(t.Context()); !errors.Is(err, ErrRefused) {
			t.Fatal(err)
		}
		h.want(Installed, "")
	}, func(h *house) { h.opt.Reboot = func(context.Context) error { return ErrRefused } })
}

func TestInstallWithoutRun(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		u := open(h.opt, h.disk)
		ctx, cancel := context.WithCancel(t.Context())
		h.inside.Go(func() { u.Insert(ctx, h.plug("sda1", "x.raucb").medium) })
		pass(time.Second)
		soon, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if err := u.Install(soon); !errors.Is(err, context.DeadlineExceeded) || u.Busy() {
			t.Fatal(err)
		}
		cancel()
	})
}
