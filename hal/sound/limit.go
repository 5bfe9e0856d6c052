package sound

import "math"

// knee is where the limiter begins: 2 dB below full scale.
const knee = 26000

// Limit brings a sum of voices into 16 bits. Below 2 dB under full scale it changes nothing, above it bends, so that two
// loud speakers at once do not crackle.
func Limit(s int32) int16 {
	if s >= -knee && s <= knee {
		return int16(s)
	}
	const room = 32767 - knee
	if s > 0 {
		return int16(knee + room*math.Tanh(float64(s-knee)/room))
	}
	return int16(-knee - room*math.Tanh(float64(-s-knee)/room))
}
