// Package codec is where sound changes its form: Opus packets to samples and
// back. It holds what the capture side and the hall's playout share, so that
// both speak of the same rate, frame and limits.
//
// Inside the house sound is always 48 kHz, one channel, signed 16 bit.
package codec

import (
	"errors"
	"fmt"
)

const (
	// Rate is the sample rate of all sound in the house, in Hz. It is also the
	// RTP clock of Opus, whatever was encoded (RFC 7587, section 4.1).
	Rate = 48000

	// Frame is the number of samples of one 20 ms Opus frame.
	Frame = Rate / 50

	// MaxSamples is the longest sound one Opus packet can hold: 120 ms
	// (RFC 6716, section 3.2.5), in samples.
	MaxSamples = Rate * 120 / 1000

	// MaxPacket bounds the bytes of an Opus packet taken from the network:
	// a UDP payload that fits an Ethernet frame.
	MaxPacket = 1472
)

// ErrPacket says that bytes are not an Opus packet.
var ErrPacket = errors.New("not an Opus packet")

// Duration reads how many samples at 48 kHz a packet holds from its first two
// bytes (RFC 6716, sections 3.1 and 3.2), without decoding it. It fails with
// ErrPacket on an empty packet, a missing frame count, or more than 120 ms.
func Duration(packet []byte) (samples int, err error) {
	if len(packet) == 0 {
		return 0, fmt.Errorf("empty: %w", ErrPacket)
	}
	frames := 1
	switch packet[0] & 3 {
	case 1, 2:
		frames = 2
	case 3:
		if len(packet) < 2 {
			return 0, fmt.Errorf("frame count missing: %w", ErrPacket)
		}
		frames = int(packet[1] & 0x3f)
	}
	samples = frames * frameSamples(packet[0]>>3)
	if samples == 0 || samples > MaxSamples {
		return 0, fmt.Errorf("%d samples in one packet: %w", samples, ErrPacket)
	}
	return samples, nil
}

// frameSamples is table 2 of RFC 6716: the frame length of a configuration.
func frameSamples(config byte) int {
	const ms = Rate / 1000
	switch {
	case config < 12: // SILK: 10, 20, 40, 60 ms
		return [4]int{10 * ms, 20 * ms, 40 * ms, 60 * ms}[config&3]
	case config < 16: // hybrid: 10, 20 ms
		return [2]int{10 * ms, 20 * ms}[config&1]
	default: // CELT: 2.5, 5, 10, 20 ms
		return [4]int{120, 5 * ms, 10 * ms, 20 * ms}[config&3]
	}
}
