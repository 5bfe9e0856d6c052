package e2e

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
)

// hallLoud reports whether the last half second that the hall's loudspeakers played was louder than -50 dBFS.
func (d *demo) hallLoud() bool {
	b, err := os.ReadFile(filepath.Join(d.data, "hall.wav"))
	const half = 48000 / 2 * 2 // bytes of mono s16 at 48 kHz
	if err != nil || len(b) < 44+half {
		return false
	}
	b = b[len(b)-half:]
	var sum float64
	for i := 0; i+1 < len(b); i += 2 {
		v := float64(int16(binary.LittleEndian.Uint16(b[i:]))) / 32768
		sum += v * v
	}
	return 10*math.Log10(sum/(half/2)+1e-12) > -50
}
