//go:build lab

package appliance_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"plenum/device/control"
	"plenum/test/lab"
	"plenum/test/lab/appliance"
)

// TestCuts pulls the plug at random times while the box does what must not be torn: its first boot, writing the journal,
// writing the configuration, an update, marking good. Whatever the guest has not flushed is lost, as on a real disk. After
// each cut the box boots, the old version or the new one, the journal is whole and the open sitting is back.
// One cut of each kind in make test, 100 in make soak.
func TestCuts(t *testing.T) {
	cuts := lab.Cycles(5, 100)
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	c := powerOn(t)
	first := max(1, cuts/10)
	c.firstBoots(t, random, first)
	c.own()
	c.Until("everything live", c.live)
	for n := first; n < cuts; n++ {
		what := []string{"journal", "update", "configuration", "mark-good"}[n%4]
		began := time.Now()
		c.cut(t, what, random)
		t.Logf("cut %d, %s: up after %.0f s, slot %s", n+1, what, time.Since(began).Seconds(), c.Booted())
		if t.Failed() {
			return
		}
	}
}

// firstBoots cuts a new box before it has come up for the first time.
func (c *chamber) firstBoots(t *testing.T, random *rand.Rand, n int) {
	for range n {
		c.PowerCut()
		if err := c.SwitchOn(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(random.IntN(12_000)) * time.Millisecond)
		c.PowerCut()
		c.comesUp(t, "first boot", func(context.Context) error { return nil })
	}
}

// comesUp switches on and waits, over restarts that the box orders by itself, which are told.
func (c *chamber) comesUp(t *testing.T, what string, want func(context.Context) error) {
	t.Helper()
	if endings := c.Settle(want); len(endings) > 0 {
		t.Logf("%s: restarts by itself: %v", what, endings)
	}
}

// cut begins something, pulls the plug in the middle of it, and looks at what is there afterwards.
func (c *chamber) cut(t *testing.T, what string, random *rand.Rand) {
	t.Helper()
	within := func(most time.Duration) { time.Sleep(time.Duration(random.Int64N(int64(most)))) }
	c.Until("settled", func(ctx context.Context) error { // a trial is judged before the next begins
		u, err := c.update(ctx)
		if err == nil && u.Update.Last != nil && u.Update.Last.Result == "trial" {
			err = fmt.Errorf("on trial")
		}
		return err
	})
	versions := []string{c.Release()["VERSION"]}
	switch what {
	case "journal":
		c.Until("a sitting opens", func(ctx context.Context) error {
			out, err := c.Run(ctx, "plenumctl open 2>&1")
			if strings.Contains(out, "open already") {
				return nil
			}
			return err
		})
		c.grant("2")
		c.Must(t, "plenumctl withdraw 2")
		// Busy for a random time, then a decision that was answered for: it must be there afterwards.
		c.Must(t, fmt.Sprintf("timeout %.2f bash -c 'while plenumctl grant 2 && plenumctl withdraw 2; do :; done' >/dev/null 2>&1; plenumctl withdraw 2 >/dev/null 2>&1; plenumctl grant 3",
			0.2+4*random.Float64()))
	case "update", "mark-good":
		c.Must(t, "plenumctl close || true")
		next := after(t, versions[0])
		versions = append(versions, next)
		c.plug(appliance.Stick{Label: "UPDATE", Files: []appliance.StickFile{{Name: "p.raucb", From: c.bundle(appliance.Bundle{Slot: slot(t, next, "")})}}})
		c.reads("offered")
		if what == "update" {
			c.Must(t, "(echo "+ownerPIN+" | plenumctl update --install --pin-stdin >/dev/null 2>&1; true) &")
			within(15 * time.Second)
			break
		}
		if out, err := c.order("update --install"); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		c.PowerCut() // instead of a restart in order
		c.comesUp(t, what, func(context.Context) error { return nil })
		within(20 * time.Second)
	case "configuration":
		c.Must(t, `(while sed -i "s/^body = .*/body = \"Rat $RANDOM\"/;s/^  body = .*/  body = \"Rat $RANDOM\"/" /etc/plenum/plenum.toml; do :; done; true) >/dev/null 2>&1 &`)
		c.Must(t, "systemctl restart plenumd --no-block")
		within(5 * time.Second)
	}
	c.PowerCut()
	c.comesUp(t, what+", the daemon answers and the record is whole", c.whole)
	if v := c.Release()["VERSION"]; !slices.Contains(versions, v) {
		t.Errorf("%s: version %s runs, neither of %v", what, v, versions)
	}
	if what == "journal" {
		c.Until("the open sitting is back", func(ctx context.Context) error {
			var st control.Status
			var l control.Speakers
			if err := c.ask(ctx, &st, "status"); err != nil {
				return err
			}
			if err := c.ask(ctx, &l, "speakers"); err != nil {
				return err
			}
			for _, s := range l.Speakers {
				if s.Seat == "3" && st.Phase == "open" {
					return nil
				}
			}
			return fmt.Errorf("%s, %+v", st.Phase, l.Speakers)
		})
		c.Must(t, "plenumctl close")
	}
}

// after is the version that follows on one like 1.7.0.
func after(t *testing.T, version string) string {
	t.Helper()
	var minor int
	if _, err := fmt.Sscanf(version, "1.%d.0", &minor); err != nil {
		t.Fatalf("version %q runs: %v", version, err)
	}
	return fmt.Sprintf("1.%d.0", minor+1)
}
