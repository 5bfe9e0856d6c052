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

// What a box writes meanwhile, in blocks of 4 KiB: until its agent answers, an update into its slot, and a configuration that changes
// again and again.
const (
	pause        = time.Second // between two looks
	bootBlocks   = 800
	slotBlocks   = 110 << 20 / 4096
	configBlocks = 200
)

// cuts pulls the plug at random moments while the box does what must not be torn: its first boot, writing the journal,
// writing the configuration, an update, marking good. Whatever the guest has not flushed is lost, as on a real disk. After
// each cut the box boots, the old version or the new one, the journal is whole and the open sitting is back. A moment is counted
// in what the box has written, not in seconds, of which a busy machine makes nothing.
// One cut of each kind in make test, 100 in make soak.
func cuts(t *testing.T) {
	number := lab.Cycles(5, 100)
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	c := powerOn(t)
	first := max(1, number/10)
	c.firstBoots(t, random, first)
	begun := c.Written()
	c.own()
	c.ease(blind)
	c.Until("everything live", c.live)
	c.settled()
	toGood := c.Written() - begun
	for n := first; n < number; n++ {
		what := []string{"journal", "update", "configuration", "mark-good"}[n%4]
		began := time.Now()
		c.cut(t, what, random, toGood)
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
		up := make(chan error, 1)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { up <- c.Await(ctx) }()
		c.writes(t, "first boot", random.Uint64N(bootBlocks), func() bool { return len(up) > 0 })
		cancel()
		<-up
		c.PowerCut()
		c.comesUp(t, "first boot", func(context.Context) error { return nil })
	}
}

// writes waits until the box has written so many blocks more, or is done with what it does.
func (c *chamber) writes(t *testing.T, what string, blocks uint64, done func() bool) {
	t.Helper()
	begun, last := c.Written(), time.Now()
	for end := time.Now().Add(lab.Patience); c.Written() < begun+blocks; time.Sleep(5 * time.Millisecond) {
		if time.Since(last) > pause { // asking costs the box time
			if done() {
				t.Logf("%s: done after %d blocks, before %d", what, c.Written()-begun, blocks)
				return
			}
			last = time.Now()
		}
		if time.Now().After(end) {
			t.Fatalf("%s: within %v only %d of %d blocks were written", what, lab.Patience, c.Written()-begun, blocks)
		}
	}
	t.Logf("%s: cut after %d blocks", what, blocks)
}

// settled waits until a trial is judged.
func (c *chamber) settled() {
	c.t.Helper()
	c.Until("settled", func(ctx context.Context) error {
		u, err := c.update(ctx)
		if err == nil && u.Update.Last != nil && u.Update.Last.Result == "trial" {
			err = fmt.Errorf("on trial")
		}
		return err
	})
}

// comesUp switches on and waits, over restarts that the box orders by itself, which are told.
func (c *chamber) comesUp(t *testing.T, what string, want func(context.Context) error) {
	t.Helper()
	if endings := c.Settle(want); len(endings) > 0 {
		t.Logf("%s: restarts by itself: %v", what, endings)
	}
}

// cut begins something, pulls the plug in the middle of it, and looks at what is there afterwards. toGood is how many blocks a box
// writes from its agent's first answer until it is live.
func (c *chamber) cut(t *testing.T, what string, random *rand.Rand, toGood uint64) {
	t.Helper()
	c.settled() // before the next trial begins
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
			c.writes(t, what, random.Uint64N(slotBlocks), func() bool {
				u, err := c.update(t.Context())
				return err == nil && u.Update.State != "offered" && u.Update.State != "installing"
			})
			break
		}
		if out, err := c.order("update --install"); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		c.PowerCut() // instead of a restart in order
		c.comesUp(t, what, func(context.Context) error { return nil })
		c.writes(t, what, random.Uint64N(toGood+1), func() bool {
			u, err := c.update(t.Context())
			return err == nil && u.Update.Last != nil && u.Update.Last.Result != "trial"
		})
	case "configuration":
		c.Must(t, `(while sed -i "s/^body = .*/body = \"Rat $RANDOM\"/;s/^  body = .*/  body = \"Rat $RANDOM\"/" /etc/plenum/plenum.toml; do :; done; true) >/dev/null 2>&1 &`)
		c.Must(t, "systemctl restart plenumd --no-block")
		c.writes(t, what, random.Uint64N(configBlocks), func() bool { return false })
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
