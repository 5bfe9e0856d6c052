// Package sound is the box's sound cards, through ALSA: so far playback, which remote members need to be heard in the hall.
package sound

/*
#cgo pkg-config: alsa
#include <alsa/asoundlib.h>

// The params are set in C because ALSA's are opaque and live on the stack.
static int plenum_hw(snd_pcm_t *pcm, unsigned channels, unsigned rate,
                     snd_pcm_uframes_t *period, snd_pcm_uframes_t *buffer)
{
	snd_pcm_hw_params_t *hw;
	int err;

	snd_pcm_hw_params_alloca(&hw);
	if ((err = snd_pcm_hw_params_any(pcm, hw)) < 0 ||
	    (err = snd_pcm_hw_params_set_access(pcm, hw, SND_PCM_ACCESS_RW_INTERLEAVED)) < 0 ||
	    (err = snd_pcm_hw_params_set_format(pcm, hw, SND_PCM_FORMAT_S16)) < 0 ||
	    (err = snd_pcm_hw_params_set_channels(pcm, hw, channels)) < 0 ||
	    (err = snd_pcm_hw_params_set_rate(pcm, hw, rate, 0)) < 0 ||
	    (err = snd_pcm_hw_params_set_period_size_near(pcm, hw, period, NULL)) < 0 ||
	    (err = snd_pcm_hw_params_set_buffer_size_near(pcm, hw, buffer)) < 0)
		return err;
	return snd_pcm_hw_params(pcm, hw);
}

static int plenum_sw(snd_pcm_t *pcm, snd_pcm_uframes_t start, snd_pcm_uframes_t avail)
{
	snd_pcm_sw_params_t *sw;
	int err;

	snd_pcm_sw_params_alloca(&sw);
	if ((err = snd_pcm_sw_params_current(pcm, sw)) < 0 ||
	    (err = snd_pcm_sw_params_set_start_threshold(pcm, sw, start)) < 0 ||
	    (err = snd_pcm_sw_params_set_avail_min(pcm, sw, avail)) < 0)
		return err;
	return snd_pcm_sw_params(pcm, sw);
}
*/
import "C"

import (
	"errors"
	"fmt"
	"syscall"
	"time"
	"unsafe"
)

// Rate is the sample rate of all sound of the house, in Hz.
const Rate = 48000

// ErrLost says that a device is gone: unplugged, or never there.
var ErrLost = errors.New("sound device is not there")

// Playback plays 16-bit sound on one ALSA device. Its methods are for one
// goroutine.
type Playback struct {
	pcm      *C.snd_pcm_t
	name     string
	channels int
	frame    int
	wide     []int16 // a frame for all channels
	xruns    uint64
	dropped  uint64
}

// OpenPlayback opens an ALSA PCM by name, such as "plughw:CARD=Hall", for mono
// frames of the given number of samples at 48 kHz. A device without a mono mode
// plays the same on both channels. The buffer is about four frames, sound
// starts with the second. A name is needed: ALSA's "default" and "null" play
// only where they are asked for by name. The error wraps ErrLost when the
// device does not exist.
func OpenPlayback(name string, frame int) (*Playback, error) {
	if name == "" || frame < 48 || frame > Rate {
		return nil, fmt.Errorf("sound device %q with frames of %d samples: a name and 1 ms to 1 s are needed", name, frame)
	}
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	p := &Playback{name: name, frame: frame}
	// Non-blocking: a device somebody else holds is an error, not a wait.
	if rc := C.snd_pcm_open(&p.pcm, cname, C.SND_PCM_STREAM_PLAYBACK, C.SND_PCM_NONBLOCK); rc < 0 {
		return nil, p.fail("opening", rc)
	}
	if err := p.setup(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func (p *Playback) setup() error {
	var rc C.int
	for p.channels = 1; p.channels <= 2; p.channels++ {
		period, buffer := C.snd_pcm_uframes_t(p.frame), C.snd_pcm_uframes_t(4*p.frame)
		if rc = C.plenum_hw(p.pcm, C.uint(p.channels), Rate, &period, &buffer); rc < 0 {
			continue
		}
		p.wide = make([]int16, p.channels*p.frame)
		start := min(2*C.snd_pcm_uframes_t(p.frame), buffer)
		if rc = C.plenum_sw(p.pcm, start, C.snd_pcm_uframes_t(p.frame)); rc < 0 {
			return p.fail("setting the buffer of", rc)
		}
		return nil
	}
	return p.fail("setting 48 kHz, 16 bit, 1 or 2 channels (a plughw: name converts) on", rc)
}

// Name returns the ALSA name of the device.
func (p *Playback) Name() string { return p.name }

// Wait waits until a frame can be written, at most for the time given, and says
// whether it can. A device that ran dry or was suspended is started again.
func (p *Playback) Wait(timeout time.Duration) (bool, error) {
	rc := C.snd_pcm_wait(p.pcm, C.int(timeout.Milliseconds()))
	if rc < 0 {
		return false, p.recover("waiting for", rc)
	}
	avail := C.snd_pcm_avail_update(p.pcm)
	if avail < 0 {
		return false, p.recover("asking", C.int(avail))
	}
	return int(avail) >= p.frame, nil
}

// Write plays one frame. It does not block: what the device does not take now
// is dropped and counted.
func (p *Playback) Write(mono []int16) error {
	if len(mono) != p.frame {
		return fmt.Errorf("%d samples for a frame of %d", len(mono), p.frame)
	}
	for i, s := range mono {
		for ch := range p.channels {
			p.wide[i*p.channels+ch] = s
		}
	}
	n := C.snd_pcm_writei(p.pcm, unsafe.Pointer(&p.wide[0]), C.snd_pcm_uframes_t(p.frame))
	if n >= 0 {
		p.dropped += uint64(p.frame - int(n))
		return nil
	}
	p.dropped += uint64(p.frame)
	if syscall.Errno(-n) == syscall.EAGAIN {
		return nil
	}
	return p.recover("writing to", C.int(n))
}

// Trouble returns how often the device ran dry and how many samples it did not
// take.
func (p *Playback) Trouble() (xruns, dropped uint64) { return p.xruns, p.dropped }

// Close stops at once; what is still in the buffer is not played.
func (p *Playback) Close() error {
	C.snd_pcm_drop(p.pcm)
	if rc := C.snd_pcm_close(p.pcm); rc < 0 {
		return p.fail("closing", rc)
	}
	return nil
}

// recover mends what can be mended (EPIPE: ran dry, ESTRPIPE: suspended).
func (p *Playback) recover(doing string, rc C.int) error {
	p.xruns++
	if again := C.snd_pcm_recover(p.pcm, rc, 1); again < 0 {
		return p.fail(doing, again)
	}
	return nil
}

func (p *Playback) fail(doing string, rc C.int) error {
	err := error(syscall.Errno(-rc))
	if errors.Is(err, syscall.ENODEV) || errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENXIO) {
		err = fmt.Errorf("%w: %w", ErrLost, err)
	}
	return fmt.Errorf("%s sound device %s: %w", doing, p.name, err)
}
