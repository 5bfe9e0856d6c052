package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"plenum/device/journal"
	"plenum/device/sitting"
	"plenum/hal/port"
)

// Bytes on the line from a pressed key to the order that opens its microphone (Quinta control protocol):
// CR LF "q 0000021F 01 0030" CR, and "A 0000021F 1 0030" CR. The press is repeated after that, but the first report counts.
const (
	pressBytes = 21
	orderBytes = 18
)

// packetBytes is a datagram with 20 ms of Opus at 48 kbit/s: RTP header, sound, AEAD tag.
const packetBytes = 12 + 120 + 16

// limits are what the way of an event cannot do without, measured on their own: bytes over the kernel's line to another
// process and back, a datagram there and back, one commit on the disk.
type limits struct {
	echo    *process
	line    *cable
	udp     net.Conn
	journal *journal.Journal
	seq     uint64

	lines, datagrams, commits series
}

// newLimits measures with a line of the given speed; 0: as fast as the machine.
func newLimits(b *testing.B, baud int) *limits {
	b.Helper()
	l := &limits{echo: start(b, "echo"), line: newCable(b, baud)}
	b.Cleanup(func() { l.line.Close() })
	var err error
	a := l.echo.ask(b, question{Op: "open", Path: l.line.Path()})
	if l.udp, err = net.Dial("udp4", a.Addrs[0]); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.udp.Close() })
	if l.journal, err = journal.Open(b.Context(), b.TempDir(), sitting.RulesVersion); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.journal.Close() })
	return l
}

// measure takes each limit once.
func (l *limits) measure(b *testing.B) {
	b.Helper()
	l.lines.add(l.exchange(b, l.line, pressBytes, orderBytes))
	l.datagrams.add(l.exchange(b, l.udp, packetBytes, packetBytes))
	l.commit(b)
}

func (l *limits) exchange(b *testing.B, over io.ReadWriter, out, back int) time.Duration {
	b.Helper()
	buf := make([]byte, max(out, back))
	began := time.Now()
	if _, err := over.Write(buf[:out]); err != nil {
		b.Fatal(err)
	}
	if _, err := io.ReadFull(over, buf[:back]); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

// commit writes one record as large as that of a desk's request that gets the word.
func (l *limits) commit(b *testing.B) {
	b.Helper()
	l.seq++
	r := journal.Record{Seq: l.seq, Sitting: 1, Body: "Rat", At: time.Now(), Rules: sitting.RulesVersion,
		Event:   []byte(`{"kind":"request","at":"2026-05-04T17:00:00.123456789Z","by":{"role":"box"},"seat":"7","origin":"desk"}`),
		Effects: []byte(`[{"kind":"mic","seat":"7","on":true,"grant":17},{"kind":"stage","source":{"kind":"seat","person":"p7","seat":"7"}},{"kind":"lamp","seat":"7","lamp":"word"}]`),
	}
	began := time.Now()
	if err := l.journal.Append(b.Context(), []journal.Record{r}); err != nil {
		b.Fatal(err)
	}
	l.commits.add(time.Since(began))
}

// newEchoPart answers a press with an order's bytes on the line, and a datagram with the same.
func newEchoPart() part {
	var closers []io.Closer
	open := func(q question) (answer, error) {
		line, err := port.Open(context.Background(), q.Path, port.Settings{Baud: 57600})
		if err != nil {
			return answer{}, err
		}
		udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return answer{}, errors.Join(err, line.Close())
		}
		closers = append(closers, line, udp)
		go func() {
			buf := make([]byte, pressBytes)
			for {
				if _, err := io.ReadFull(line, buf); err != nil {
					return
				}
				if _, err := line.Write(buf[:orderBytes]); err != nil {
					return
				}
			}
		}()
		go func() {
			buf := make([]byte, 2048)
			for {
				n, from, err := udp.ReadFromUDPAddrPort(buf)
				if err != nil {
					return
				}
				if _, err := udp.WriteToUDPAddrPort(buf[:n], from); err != nil {
					return
				}
			}
		}()
		return answer{Addrs: []string{udp.LocalAddr().String()}}, nil
	}
	return part{
		do: func(q question) (answer, error) {
			if q.Op != "open" {
				return answer{}, fmt.Errorf("echo cannot %s", q.Op)
			}
			return open(q)
		},
		stop: func() {
			for _, c := range closers {
				c.Close()
			}
		},
	}
}
