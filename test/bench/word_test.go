package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"

	"plenum/device/config"
	"plenum/device/sitting"
)

// chamber is the daemon with one member who publishes and one who listens.
type chamber struct {
	daemon *daemon
	src    source
	pace   time.Duration

	mu      sync.Mutex
	arrived []voice
	news    chan struct{}
}

// voice is a packet of the member's sound at the listener; times since the source's beginning.
type voice struct{ made, came time.Duration }

const speaker = "anna"

// openChamber has the member send sound at a pace: 20 ms as browsers do, or 1 ms to look closer.
func openChamber(b *testing.B, pace time.Duration) *chamber {
	b.Helper()
	cfg := config.Config{Sitting: config.Sitting{Mode: sitting.ModeChairGrants, Limit: 1, MaxLimit: 1}}
	cfg.Members = []config.Member{{ID: "chair", Name: "Clara", Role: sitting.RoleChair},
		{ID: speaker, Name: "Anna", Role: sitting.RoleMember, Remote: true}, {ID: "ben", Name: "Ben", Role: sitting.RoleMember, Remote: true}}
	c := &chamber{daemon: startDaemon(b, cfg), src: source{began: time.Now()}, pace: pace, news: make(chan struct{}, 1)}
	h := host{c.daemon.base, c.daemon.client}
	invite := func(who string) string {
		i, err := c.daemon.ctl.Invite(b.Context(), who)
		if err != nil {
			b.Fatal(err)
		}
		return i.Token
	}
	token := invite(speaker)
	pub, err := h.publish(b.Context(), token)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pub.close)
	ctx, cancel := context.WithCancel(context.Background())
	var sending sync.WaitGroup
	sending.Go(func() { c.send(ctx, pub) })
	b.Cleanup(func() { cancel(); sending.Wait() })
	for token, got := range map[string]func(string, *rtp.Packet){token: func(string, *rtp.Packet) {}, invite("ben"): c.hear} {
		p, err := h.play(b.Context(), token, got)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(p.close)
	}
	within(b, 20*time.Second, "the member's sound and picture work both ways", func() bool { return c.daemon.present(b, "remote") == 1 })
	c.grant(b) // the first packet of a stream takes longer at the listener: not to be measured
	c.first(b)
	c.withdraw(b)
	return c
}

// send keeps the member's picture and sound going.
func (c *chamber) send(ctx context.Context, p *peer) {
	picture, sound := time.NewTicker(time.Second/frameRate), time.NewTicker(c.pace)
	defer picture.Stop()
	defer sound.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-picture.C:
			for _, pkt := range c.src.frame(p.key.Swap(false)) {
				_ = p.video.WriteRTP(pkt) // the end is near
			}
		case <-sound.C:
			_ = p.audio.WriteRTP(c.src.sound())
		}
	}
}

func (c *chamber) hear(line string, p *rtp.Packet) {
	if line != "voice-1" {
		return
	}
	v := voice{made(p), c.now()}
	c.mu.Lock()
	c.arrived = append(c.arrived, v)
	c.mu.Unlock()
	select {
	case c.news <- struct{}{}:
	default:
	}
}

func (c *chamber) now() time.Duration { return time.Since(c.src.began) }

// heard gives what came so far.
func (c *chamber) heard() []voice {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.arrived
}

// grant gives the word; the listener's list starts anew.
func (c *chamber) grant(b *testing.B) {
	b.Helper()
	c.mu.Lock()
	c.arrived = nil
	c.mu.Unlock()
	if _, err := c.daemon.ctl.Grant(b.Context(), speaker); err != nil {
		b.Fatal(err)
	}
}

func (c *chamber) withdraw(b *testing.B) {
	b.Helper()
	if _, err := c.daemon.ctl.Withdraw(b.Context(), speaker); err != nil {
		b.Fatal(err)
	}
}

// first waits for the first packet of sound.
func (c *chamber) first(b *testing.B) voice {
	b.Helper()
	for patience := time.After(10 * time.Second); ; {
		if all := c.heard(); len(all) > 0 {
			return all[0]
		}
		select {
		case <-c.news:
		case <-patience:
			b.Fatal("no sound after the word was given")
		}
	}
}

// settle waits until what is on its way has come, and at a random moment between two packets.
func (c *chamber) settle() { time.Sleep(20*time.Millisecond + c.pace + rand.N(20*time.Millisecond)) }

func paces(b *testing.B, run func(*testing.B, *chamber, *limits)) {
	for _, pace := range []time.Duration{20 * time.Millisecond, time.Millisecond} {
		b.Run(fmt.Sprintf("pace=%v", pace), func(b *testing.B) {
			l := newLimits(b, 0)
			run(b, openChamber(b, pace), l)
		})
	}
}

// BenchmarkGrantToFirstPacket: from the call at the control socket until the first packet of the member's sound is with
// the listener. It holds the wait for the member's next packet: at a pace of 20 ms that is 10 ms on average.
//
// limit-us is a datagram over loopback to another process and back, one commit on the disk, and half the pace.
func BenchmarkGrantToFirstPacket(b *testing.B) {
	paces(b, func(b *testing.B, c *chamber, l *limits) {
		var first, call, hop series
		for b.Loop() {
			c.settle()
			began := c.now()
			c.grant(b)
			call.add(c.now() - began)
			v := c.first(b)
			first.add(v.came - began)
			hop.add(v.came - v.made)
			c.withdraw(b)
			c.settle() // a disk at rest is slower than one at work, and it was at rest before the call
			l.measure(b)
		}
		onlyOurs(b)
		first.report(b, "")
		b.ReportMetric(micros(call.median()), "call-p50-us")
		b.ReportMetric(micros(hop.median()), "packet-p50-us")
		c.reportLimit(b, l, first.median(), c.pace/2)
	})
}

// BenchmarkWithdrawToLastPacket: from the call at the control socket until the last packet of the member's sound is with
// the listener, 0 when it came before; and what comes after the call has returned. A packet that the member made after
// the return must not come at all: that is no figure but an error.
//
// limit-us is a datagram over loopback to another process and back, and one commit; x-limit sets the call beside it.
func BenchmarkWithdrawToLastPacket(b *testing.B) {
	paces(b, func(b *testing.B, c *chamber, l *limits) {
		var last, call series
		var after int
		var latest time.Duration
		for b.Loop() {
			c.grant(b)
			c.first(b)
			c.settle()
			began := c.now()
			c.withdraw(b)
			returned := c.now()
			call.add(returned - began)
			c.settle()
			all := c.heard()
			last.add(max(0, all[len(all)-1].came-began))
			for _, v := range all {
				if v.made > returned {
					b.Fatalf("a packet made %v after the withdrawal had returned was forwarded", v.made-returned)
				}
				if v.came > returned {
					after++
					latest = max(latest, v.came-returned)
				}
			}
			l.measure(b)
		}
		onlyOurs(b)
		last.report(b, "")
		b.ReportMetric(micros(call.median()), "call-p50-us")
		b.ReportMetric(float64(after)/float64(len(last)), "after-return-packets/op")
		b.ReportMetric(micros(latest), "after-return-max-us")
		c.reportLimit(b, l, call.median(), 0)
	})
}

// reportLimit sets a time beside the limit of a datagram, a commit and a wait.
func (c *chamber) reportLimit(b *testing.B, l *limits, took, wait time.Duration) {
	b.Helper()
	limit := l.datagrams.median() + l.commits.median() + wait
	b.ReportMetric(micros(limit), "limit-us")
	b.ReportMetric(micros(l.datagrams.median()), "limit-udp-us")
	b.ReportMetric(micros(l.commits.median()), "limit-commit-us")
	b.ReportMetric(float64(took)/float64(limit), "x-limit")
	b.ReportMetric(float64(len(l.commits)), "times")
}
