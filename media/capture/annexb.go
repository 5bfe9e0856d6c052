package capture

import (
	"bytes"
	"iter"
	"maps"
	"math/bits"
	"slices"
)

// nals gives the NAL units of a byte stream (ITU-T H.264, annex B): what stands between start codes, without the zeros that
// may follow a unit. None is empty.
func nals(data []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		code := []byte{0, 0, 1}
		_, data, found := bytes.Cut(data, code)
		for found {
			var nal []byte
			nal, data, found = bytes.Cut(data, code)
			if nal = bytes.TrimRight(nal, "\x00"); len(nal) > 0 && !yield(nal) {
				return
			}
		}
	}
}

// appendUnit adds a NAL unit with its start code.
func appendUnit(to, nal []byte) []byte {
	return append(append(to, 0, 0, 0, 1), nal...)
}

// appendSets adds parameter sets in the order of their ids.
func appendSets(to []byte, sets map[uint32][]byte) []byte {
	for _, id := range slices.Sorted(maps.Keys(sets)) {
		to = appendUnit(to, sets[id])
	}
	return to
}

// golomb reads an unsigned Exp-Golomb number (ITU-T H.264, 9.1) of up to 16 bits; false when there is none.
func golomb(b []byte) (uint32, bool) {
	var word uint64
	for i := range 8 {
		word <<= 8
		if i < len(b) {
			word |= uint64(b[i])
		}
	}
	zeros := bits.LeadingZeros64(word)
	length := 2*zeros + 1
	if zeros > 16 || length > 8*len(b) {
		return 0, false
	}
	return uint32(word>>(64-length)) - 1, true
}
