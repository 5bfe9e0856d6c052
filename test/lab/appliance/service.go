package appliance

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"plenum/device/control"
	"plenum/device/health"
	"plenum/test/lab"
)

// OwnerPIN is the PIN that SetOwner gives a box.
const OwnerPIN = "730164"

// Call asks the daemon at its control socket: GET, or POST of order when there is one. The answer is read into out.
func (b *Box) Call(ctx context.Context, path string, order, out any) error {
	command := "curl -sS --fail-with-body --unix-socket /run/plenum/plenumd.sock http://box" + path
	if order != nil {
		body, err := json.Marshal(order)
		if err != nil {
			return err
		}
		command += " -H 'Content-Type: application/json' -d '" + strings.ReplaceAll(string(body), "'", `'\''`) + "'"
	}
	text, err := b.Run(ctx, command)
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal([]byte(text), out); err != nil {
		return fmt.Errorf("the answer of %s: %w: %s", path, err, text)
	}
	return nil
}

// Service is how the box stands as a technician sees it.
func (b *Box) Service(ctx context.Context) (view control.ServiceView, err error) {
	err = b.Call(ctx, "/service", nil, &view)
	return view, err
}

// Health is what the box says about itself.
func (b *Box) Health(ctx context.Context) (j health.Judgement, err error) {
	err = b.Call(ctx, "/health", nil, &j)
	return j, err
}

// SetOwner gives a new box its owner's PIN.
func (b *Box) SetOwner() {
	b.t.Helper()
	b.Until(3*time.Minute, "the owner's PIN is set", func(ctx context.Context) error {
		if view, err := b.Service(ctx); err == nil && view.Owner {
			return nil
		}
		return b.Call(ctx, "/service/owner", control.Order{PIN: OwnerPIN}, nil)
	})
}

// Ready waits until the daemon has begun its work and somebody has decided about this boot: the box is what it will be.
func (b *Box) Ready() {
	b.t.Helper()
	b.Until(6*time.Minute, "the boot is decided", func(ctx context.Context) error {
		out, err := b.Run(ctx, "systemctl show -P ActiveState plenumd plenum-health plenum-mark-good | xargs")
		if err != nil {
			return err
		}
		if got := strings.TrimSpace(out); got != "active active active" {
			return fmt.Errorf("plenumd, plenum-health, plenum-mark-good: %s", got)
		}
		return nil
	})
}

// Insert plugs a stick in.
func (b *Box) Insert(id string, s Stick) {
	b.t.Helper()
	if err := b.Plug(b.t.Context(), lab.Device{ID: id, Kind: lab.Stick, Serial: strings.ToUpper(id), Disk: b.Stick(s)}); err != nil {
		b.t.Fatal(err)
	}
}

// UpdateStick is a stick with bundles named plenum-1.raucb and so on.
func UpdateStick(bundles ...string) Stick {
	s := Stick{Label: "UPDATE"}
	for i, path := range bundles {
		s.Files = append(s.Files, StickFile{Name: fmt.Sprintf("plenum-%d.raucb", i+1), From: path})
	}
	return s
}

// UpdateIs waits until the update is in a state, and gives it. Without one of the states it fails with what was said last.
func (b *Box) UpdateIs(within time.Duration, states ...string) (u control.Update) {
	b.t.Helper()
	b.Until(within, "update "+strings.Join(states, " or "), func(ctx context.Context) error {
		view, err := b.Service(ctx)
		if err != nil {
			return err
		}
		u = view.Update
		for _, s := range states {
			if u.State == s {
				return nil
			}
		}
		return fmt.Errorf("update %s %d %% %s: %s (sticks %+v)", u.State, u.Percent, u.Step, u.EN, view.Sticks)
	})
	return u
}

// Install has the offered update installed by the owner's PIN and gives the percentages that were seen on the way.
func (b *Box) Install() (seen []int) {
	b.t.Helper()
	if err := b.Call(b.t.Context(), "/service/install", control.Order{PIN: OwnerPIN}, nil); err != nil {
		b.t.Fatal(err)
	}
	b.Until(limit, "update installed", func(ctx context.Context) error {
		view, err := b.Service(ctx)
		if err != nil {
			return err
		}
		if n := len(seen); n == 0 || seen[n-1] != view.Update.Percent {
			seen = append(seen, view.Update.Percent)
		}
		if view.Update.State != control.UpdateInstalled {
			return fmt.Errorf("update %s %d %%: %s", view.Update.State, view.Update.Percent, view.Update.EN)
		}
		return nil
	})
	return seen
}

// RebootByPIN restarts the box as the technician does and keeps it switched on until want gives no error.
func (b *Box) RebootByPIN(within time.Duration, want func(context.Context) error) []lab.Ending {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), within)
	defer cancel()
	if err := b.Call(ctx, "/service/reboot", control.Order{PIN: OwnerPIN}, nil); err != nil {
		b.t.Fatal(err)
	}
	if how, err := b.Ended(ctx); err != nil || how != lab.Reset {
		b.t.Fatalf("a reboot ended as %q, %v", how, err)
	}
	return b.Settle(within, want)
}

// Outcome wants an update to have ended in a way: "updated", "went-back", "interrupted".
func (b *Box) Outcome(result string) func(context.Context) error {
	return func(ctx context.Context) error {
		view, err := b.Service(ctx)
		if err != nil {
			return err
		}
		if view.Update.Last == nil || view.Update.Last.Result != result {
			return fmt.Errorf("the last update: %+v", view.Update.Last)
		}
		return nil
	}
}

// Has wants a condition to be visible.
func (b *Box) Has(code string) func(context.Context) error {
	return func(ctx context.Context) error {
		view, err := b.Service(ctx)
		if err != nil {
			return err
		}
		var codes []string
		for _, c := range view.Conditions {
			if c.Code == code {
				return nil
			}
			codes = append(codes, c.Code)
		}
		return fmt.Errorf("conditions %v", codes)
	}
}
