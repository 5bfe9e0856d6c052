package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
)

// socketBuffer is what a forwarder's socket gets: a frame to 90 listeners leaves in one burst. Bytes.
const socketBuffer = 4 << 20

// audience is one publisher and many listeners of one forwarder. It also holds the sinks of the bare limit.
type audience struct {
	src   source
	pub   *peer
	close []func()
	got   atomic.Uint64
}

// newLoadPart plays everybody on the other side: "join" a forwarder with N listeners, "sinks" for the bare limit, "send"
// for a time to the N-th audience, in the order of joining.
func newLoadPart() part {
	var all []*audience
	add := func(open func(*audience) (answer, error)) (answer, error) {
		a := &audience{src: source{began: time.Now()}}
		all = append(all, a)
		return open(a)
	}
	return part{
		do: func(q question) (answer, error) {
			switch q.Op {
			case "join":
				return add(func(a *audience) (answer, error) { return answer{}, a.join(q) })
			case "sinks":
				return add(func(a *audience) (answer, error) { return a.sinks(q.N) })
			case "send":
				return all[q.N].send(q.For), nil
			case "got":
				return answer{Got: all[q.N].got.Load()}, nil
			}
			return answer{}, fmt.Errorf("load cannot %s", q.Op)
		},
		stop: func() {
			for _, a := range all {
				for _, f := range a.close {
					f()
				}
			}
		},
	}
}

// join connects to a forwarder, a few at a time.
func (a *audience) join(q question) error {
	h := host{q.URL, &http.Client{Timeout: 20 * time.Second}}
	a.close = append(a.close, h.client.CloseIdleConnections)
	var err error
	if a.pub, err = h.publish(context.Background(), "publisher"); err != nil {
		return err
	}
	a.close = append(a.close, a.pub.close)
	var mu sync.Mutex
	var errs []error
	var joining sync.WaitGroup
	free := make(chan struct{}, 8)
	for n := range q.N {
		free <- struct{}{}
		joining.Go(func() {
			defer func() { <-free }()
			p, err := h.play(context.Background(), fmt.Sprintf("listener-%d", n), func(string, *rtp.Packet) { a.got.Add(1) })
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
			if p != nil {
				a.close = append(a.close, p.close)
			}
		})
	}
	joining.Wait()
	return errors.Join(errs...)
}

// sinks opens N sockets that swallow what comes.
func (a *audience) sinks(n int) (answer, error) {
	var out answer
	for range n {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return out, err
		}
		var reading sync.WaitGroup
		reading.Go(func() {
			buf := make([]byte, 2048)
			for {
				if _, _, err := c.ReadFromUDPAddrPort(buf); err != nil {
					return
				}
				a.got.Add(1)
			}
		})
		a.close = append(a.close, func() { c.Close(); reading.Wait() })
		out.Addrs = append(out.Addrs, c.LocalAddr().String())
	}
	return out, nil
}

// send publishes for a time, waits until all has come, and tells what was sent and what came.
func (a *audience) send(d time.Duration) answer {
	before := a.got.Load()
	sent := pace(d, func() {
		for _, p := range a.src.frame(a.pub.key.Swap(false)) {
			_ = a.pub.video.WriteRTP(p) // what does not arrive shows as lost
		}
	}, func() { _ = a.pub.audio.WriteRTP(a.src.sound()) })
	time.Sleep(drain)
	return answer{Sent: sent, Got: a.got.Load() - before}
}

// drain is how long packets may be on their way.
const drain = 50 * time.Millisecond

// pace calls for frames and sounds at their rate for a time and gives how many packets that made.
func pace(d time.Duration, frame, sound func()) (packets uint64) {
	frames, sounds := time.NewTicker(time.Second/frameRate), time.NewTicker(20*time.Millisecond)
	defer frames.Stop()
	defer sounds.Stop()
	for end := time.After(d); ; {
		select {
		case <-end:
			return packets
		case <-frames.C:
			frame()
			packets += framePackets
		case <-sounds.C:
			sound()
			packets++
		}
	}
}
