package sound

/*
#cgo pkg-config: alsa
#include <alsa/asoundlib.h>
*/
import "C"

import "encoding/binary"

// sample is a form of samples that cards have, little endian.
type sample struct {
	alsa int // SND_PCM_FORMAT_...
	size int // bytes
	bits int // of them used, the lowest
}

// samples are the forms we take, the cheapest first. A card's own form is turned here and not by ALSA's plug layer, which
// would also change rate and channels without a word.
func samples() []sample {
	return []sample{
		{C.SND_PCM_FORMAT_S16_LE, 2, 16}, {C.SND_PCM_FORMAT_S32_LE, 4, 32},
		{C.SND_PCM_FORMAT_S24_LE, 4, 24}, {C.SND_PCM_FORMAT_S24_3LE, 3, 24},
	}
}

// decode appends samples to dst, rounded to 16 bits.
func (s sample) decode(dst []int16, b []byte) []int16 {
	if s.size == 2 {
		for ; len(b) >= 2; b = b[2:] {
			dst = append(dst, int16(binary.LittleEndian.Uint16(b)))
		}
		return dst
	}
	for ; len(b) >= s.size; b = b[s.size:] {
		var v uint32
		for i := range s.size {
			v |= uint32(b[i]) << (8 * i)
		}
		wide := int64(int32(v << (32 - s.bits))) // full scale is 1<<31 now
		dst = append(dst, int16(min((wide+1<<15)>>16, 32767)))
	}
	return dst
}

// encode appends each sample so many times to dst.
func (s sample) encode(dst []byte, mono []int16, channels int) []byte {
	for _, v := range mono {
		wide := int32(v) << (s.bits - 16)
		for range channels {
			for i := range s.size {
				dst = append(dst, byte(wide>>(8*i)))
			}
		}
	}
	return dst
}
