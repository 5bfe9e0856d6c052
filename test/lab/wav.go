package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// Recording is what QEMU's sound card played.
type Recording struct {
	Rate     int // Hz
	Channels int
	Samples  []int16 // interleaved
}

// WAV is the file with what a plugged Sound device plays. QEMU begins it anew whenever the guest opens the card.
func (v *VM) WAV() string { return v.path("hall.wav") }

// Recorded reads what has been played so far, also while it goes on. QEMU buffers up to 4 KiB.
func (v *VM) Recorded() (Recording, error) {
	f, err := os.Open(v.WAV())
	if err != nil {
		return Recording{}, err
	}
	defer f.Close()
	return readWAV(f)
}

// readWAV reads the plain header that QEMU writes (44 bytes, 16 bit PCM) and everything behind it: the lengths in the
// header are only right once the file is closed.
func readWAV(r io.Reader) (Recording, error) {
	var head [44]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return Recording{}, fmt.Errorf("WAV header: %w", err)
	}
	if string(head[:4]) != "RIFF" || string(head[8:16]) != "WAVEfmt " || binary.LittleEndian.Uint16(head[34:]) != 16 {
		return Recording{}, errors.New("not a WAV file of 16 bit samples")
	}
	rec := Recording{Rate: int(binary.LittleEndian.Uint32(head[24:])), Channels: int(binary.LittleEndian.Uint16(head[22:]))}
	body, err := io.ReadAll(r)
	if err != nil {
		return Recording{}, err
	}
	rec.Samples = make([]int16, len(body)/2)
	for i := range rec.Samples {
		rec.Samples[i] = int16(binary.LittleEndian.Uint16(body[2*i:]))
	}
	return rec, nil
}

// Channel gives the samples of one channel, the first is 0.
func (r Recording) Channel(n int) []int16 {
	var out []int16
	for i := n; i < len(r.Samples); i += r.Channels {
		out = append(out, r.Samples[i])
	}
	return out
}
