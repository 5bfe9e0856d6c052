package bench

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// newBarePart is the limit: for each packet and listener nothing but an RTP header, AES-256-GCM under the listener's own
// key, and one datagram from one socket. No connection, no protocol; it makes its packets itself.
func newBarePart() part {
	var conn *net.UDPConn
	var to []netip.AddrPort
	var keys []cipher.AEAD
	open := func(addrs []string) error {
		var err error
		if conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
			return err
		}
		for n, a := range addrs {
			addr, err1 := netip.ParseAddrPort(a)
			key := make([]byte, 32)
			binary.BigEndian.PutUint32(key, uint32(n))
			block, err2 := aes.NewCipher(key)
			if err := errors.Join(err1, err2); err != nil {
				return err
			}
			gcm, err := cipher.NewGCM(block)
			if err != nil {
				return err
			}
			to, keys = append(to, addr), append(keys, gcm)
		}
		return conn.SetWriteBuffer(socketBuffer)
	}
	sent, payload, out := uint64(0), make([]byte, videoBytes), make([]byte, 0, 1500)
	fan := func(n int) {
		sent++
		var nonce [12]byte
		binary.BigEndian.PutUint64(nonce[4:], sent)
		for i := range to {
			out = append(out[:0], 0x80, 96)
			out = binary.BigEndian.AppendUint64(append(out, nonce[10:]...), sent) // RTP header, RFC 3550 section 5.1
			out = keys[i].Seal(out, nonce[:], payload[:n], out)
			_, _ = conn.WriteToUDPAddrPort(out, to[i]) // what does not arrive shows as lost
		}
	}
	return part{
		do: func(q question) (answer, error) {
			switch q.Op {
			case "open":
				return answer{}, open(q.Addrs)
			case "send":
				n := pace(q.For, func() {
					for range framePackets {
						fan(videoBytes)
					}
				}, func() { fan(audioBytes) })
				time.Sleep(drain)
				return answer{Sent: n}, nil
			}
			return answer{}, fmt.Errorf("the limit cannot %s", q.Op)
		},
		stop: func() { conn.Close() },
	}
}
