package hall

import (
	"sync"

	"github.com/pion/rtp"

	"plenum/media/codec"
)

// voice is one place of the mix: a jitter buffer, a decoder, and the samples
// that were decoded and not played yet.
type voice struct {
	mu     sync.Mutex // guards the jitter buffer and the meter; held briefly
	jitter jitter
	meter  meter
	active bool

	// The rest belongs to whoever holds the playout's out lock.
	decoder *codec.Decoder
	packet  [codec.MaxPacket]byte
	pcm     [codec.MaxSamples]int16
	held    []int16
	drift   float64 // smoothed lag behind the wanted delay, samples
	slew    bool    // playing slightly faster or slower to mend it
	out     [Frame]int16
}

func newVoice() (*voice, error) {
	d, err := codec.NewDecoder()
	if err != nil {
		return nil, err
	}
	return &voice{decoder: d, held: make([]int16, 0, 2*codec.MaxSamples)}, nil
}

func (v *voice) push(at int64, h *rtp.Header, payload []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.jitter.push(at, h, payload)
}

// cut forgets everything. The decoder's memory goes too: concealment would
// sound on with the voice of who spoke before.
func (v *voice) cut() error {
	v.mu.Lock()
	v.jitter.reset()
	v.meter, v.active = meter{}, false
	v.mu.Unlock()
	v.held, v.drift, v.slew = v.held[:0], 0, false
	return v.decoder.Reset()
}

func (v *voice) counters() Counters {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.jitter.count
}

func (v *voice) state() VoiceState {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := VoiceState{Level: v.meter.level(), Playing: v.active, Counters: v.jitter.count}
	if v.jitter.begun {
		s.Delay = span(v.jitter.delay())
	}
	return s
}

// next returns the frame to be played at time at; false is silence.
func (v *voice) next(at int64) ([]int16, bool) {
	want := v.pace(at)
	for len(v.held) < want && v.decode(at) {
	}
	sound := len(v.held) > 0
	for len(v.held) < want && sound { // the end of what there is
		v.held = append(v.held, 0)
	}
	var frame []int16
	if sound {
		stretch(v.out[:], v.held[:want])
		v.held = append(v.held[:0], v.held[want:]...)
		frame = v.out[:]
	}
	v.mu.Lock()
	v.meter.add(frame)
	v.active = sound
	v.mu.Unlock()
	return frame, sound
}

// decode adds the next piece of sound to held; false means there is none.
func (v *voice) decode(at int64) bool {
	v.mu.Lock()
	s, bytes, samples := v.jitter.take(at, &v.packet)
	v.mu.Unlock()
	if s == stepSilence {
		return false
	}
	var err error
	switch s {
	case stepPacket:
		var n int
		if n, err = v.decoder.Decode(v.packet[:bytes], v.pcm[:]); err == nil {
			samples = n
		}
	case stepRecover:
		err = v.decoder.Recover(v.packet[:bytes], v.pcm[:samples])
	case stepConceal:
		err = v.decoder.Conceal(v.pcm[:samples])
	}
	if err != nil {
		// The timeline must not move, so what cannot be decoded is silence.
		clear(v.pcm[:samples])
		v.mu.Lock()
		v.jitter.count.Bad++
		v.mu.Unlock()
	}
	v.held = append(v.held, v.pcm[:samples]...)
	return true
}

const (
	tooLate  = 200 * ms // beyond this sound is dropped to catch up
	slewFrom = 10 * ms  // where mending begins
	slewTo   = 1 * ms   // and where it ends
	slewMost = 4        // samples a frame: 0.8 %, 14 cents, not noticed in speech
)

// pace returns how many decoded samples the next frame uses up: Frame, or a few
// more or less to bring the delay back to what is wanted. So the sender's clock
// may differ from ours without the buffer ever running over or dry.
func (v *voice) pace(at int64) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.jitter.phase != playing {
		v.drift, v.slew = 0, false
		return Frame
	}
	lag := v.jitter.behind(at, len(v.held))
	if lag > tooLate && v.jitter.skip(at) {
		v.held, v.drift = v.held[:0], 0
		return Frame
	}
	v.drift += (float64(lag) - v.drift) / 32
	switch {
	case v.drift > slewFrom || v.drift < -slewFrom:
		v.slew = true
	case v.drift < slewTo && v.drift > -slewTo:
		v.slew = false
	}
	if !v.slew {
		return Frame
	}
	return Frame + int(min(max(v.drift/(4*ms)*slewMost, -slewMost), slewMost))
}

// stretch writes all of src over the length of dst by linear interpolation.
func stretch(dst, src []int16) {
	if len(src) == len(dst) {
		copy(dst, src)
		return
	}
	for i := range dst {
		at := i * len(src)
		k, f := at/len(dst), at%len(dst)
		a, b := int(src[k]), int(src[min(k+1, len(src)-1)])
		dst[i] = int16(a + (b-a)*f/len(dst))
	}
}
