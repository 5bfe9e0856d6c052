package bench

import (
	"fmt"
	"testing"
	"time"
)

// slice is how long each forwarder has the load before it is the next one's turn.
const slice = 500 * time.Millisecond

// BenchmarkForwardCPU: processor seconds (user and system, the forwarder's process alone) for 1,000 packets that reached
// listeners, with one picture of 1.5 Mbit/s and one sound: 230 packets a second for each listener. Listeners and the
// publisher are another process.
//
// Beside it, in turns of half a second so that a busy machine is busy for all: pion as in its examples, without and with
// congestion control (ours has it), and the bare limit, AES-256-GCM and one datagram for each packet and listener.
func BenchmarkForwardCPU(b *testing.B) {
	for _, n := range []int{10, 40, 90} {
		b.Run(fmt.Sprintf("listeners=%d", n), func(b *testing.B) { forwardCPU(b, n) })
	}
}

// runner is one of those that are compared.
type runner struct {
	name      string
	forwarder *process
	sender    *process // who makes the packets
	audience  int      // its number at the load
	n         int      // listeners
	cpu       time.Duration
	got, due  uint64 // packets that arrived, and that should have
}

func forwardCPU(b *testing.B, n int) {
	load := start(b, "load")
	runners := []*runner{{name: "plenum"}, {name: "pion"}, {name: "pion-control"}, {name: "bare"}}
	for i, r := range runners {
		r.n, r.audience, r.forwarder, r.sender = n, i, start(b, r.name), load
		if r.name == "bare" {
			r.sender = r.forwarder
			r.forwarder.ask(b, question{Op: "open", Addrs: load.ask(b, question{Op: "sinks", N: n}).Addrs})
			continue
		}
		load.ask(b, question{Op: "join", N: n, URL: r.forwarder.ask(b, question{Op: "open"}).URL})
	}
	for _, r := range runners { // all streams have begun, all buffers are there
		r.turn(b, load)
		r.cpu, r.got, r.due = 0, 0, 0
	}
	for b.Loop() {
		for range 6 {
			for _, r := range runners {
				r.turn(b, load)
			}
		}
	}
	onlyOurs(b)
	ours, bare := runners[0], runners[3]
	b.ReportMetric(ours.cost(), "cpu-s/1000pkt")
	b.ReportMetric(bare.cost(), "limit-cpu-s/1000pkt")
	b.ReportMetric(ours.cost()/bare.cost(), "x-limit")
	b.ReportMetric(ours.forwarder.resident(b), "MB")
	b.ReportMetric(ours.lost(), "lost-%")
	b.ReportMetric(float64(ours.got), "packets")
	for _, other := range runners[1:3] {
		b.ReportMetric(other.cost(), other.name+"-cpu-s/1000pkt")
		b.ReportMetric(ours.cost()/other.cost(), "x-"+other.name)
		b.ReportMetric(other.forwarder.resident(b), other.name+"-MB")
		b.ReportMetric(other.lost(), other.name+"-lost-%")
	}
}

// turn gives a forwarder the load for one slice.
func (r *runner) turn(b *testing.B, load *process) {
	b.Helper()
	q := question{N: r.audience}
	q.Op = "got"
	before, cpu := load.ask(b, q).Got, r.forwarder.cpu(b)
	q.Op, q.For = "send", slice
	sent := r.sender.ask(b, q).Sent
	r.cpu += r.forwarder.cpu(b) - cpu
	q.Op = "got"
	r.got += load.ask(b, q).Got - before
	r.due += sent * uint64(r.n)
}

// cost is processor seconds for 1,000 packets that arrived.
func (r *runner) cost() float64 { return r.cpu.Seconds() / float64(max(r.got, 1)) * 1000 }

// lost is the share that did not arrive, in percent.
func (r *runner) lost() float64 { return 100 * (1 - float64(r.got)/float64(max(r.due, 1))) }
