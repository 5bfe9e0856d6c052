package sound

/*
#cgo pkg-config: alsa
#include <alsa/asoundlib.h>

// ALSA's params are opaque and live on the stack, so what touches them is in C.

// Errors are returned to us; nothing of it belongs on stderr.
static void plenum_quiet(const char *file, int line, const char *function, int err, const char *fmt, ...) {}

static int plenum_open(snd_pcm_t **pcm, const char *name, int stream)
{
	snd_lib_error_set_handler(plenum_quiet);
	// Non-blocking: a device somebody else holds is an error, not a wait.
	return snd_pcm_open(pcm, name, stream, SND_PCM_NONBLOCK);
}

// What a device can do: 1, 0, or an error below.
static int plenum_has(snd_pcm_t *pcm, int access, int format, unsigned channels, unsigned rate)
{
	snd_pcm_hw_params_t *hw;
	int err;

	snd_pcm_hw_params_alloca(&hw);
	if ((err = snd_pcm_hw_params_any(pcm, hw)) < 0)
		return err;
	return (access < 0 || snd_pcm_hw_params_test_access(pcm, hw, access) == 0) &&
	       (format < 0 || snd_pcm_hw_params_test_format(pcm, hw, format) == 0) &&
	       (channels == 0 || snd_pcm_hw_params_test_channels(pcm, hw, channels) == 0) &&
	       (rate == 0 || snd_pcm_hw_params_test_rate(pcm, hw, rate, 0) == 0);
}

static int plenum_hw(snd_pcm_t *pcm, int format, unsigned channels, unsigned rate,
                     snd_pcm_uframes_t *period, snd_pcm_uframes_t *buffer)
{
	snd_pcm_hw_params_t *hw;
	int err;

	snd_pcm_hw_params_alloca(&hw);
	if ((err = snd_pcm_hw_params_any(pcm, hw)) < 0 ||
	    (err = snd_pcm_hw_params_set_access(pcm, hw, SND_PCM_ACCESS_RW_INTERLEAVED)) < 0 ||
	    (err = snd_pcm_hw_params_set_format(pcm, hw, format)) < 0 ||
	    (err = snd_pcm_hw_params_set_channels(pcm, hw, channels)) < 0 ||
	    (err = snd_pcm_hw_params_set_rate(pcm, hw, rate, 0)) < 0 ||
	    (err = snd_pcm_hw_params_set_period_size_near(pcm, hw, period, NULL)) < 0 ||
	    (err = snd_pcm_hw_params_set_buffer_size_near(pcm, hw, buffer)) < 0 ||
	    (err = snd_pcm_hw_params(pcm, hw)) < 0 ||
	    (err = snd_pcm_hw_params_get_period_size(hw, period, NULL)) < 0)
		return err;
	return snd_pcm_hw_params_get_buffer_size(hw, buffer);
}

static int plenum_sw(snd_pcm_t *pcm, snd_pcm_uframes_t start, snd_pcm_uframes_t avail)
{
	snd_pcm_sw_params_t *sw;
	int err;

	snd_pcm_sw_params_alloca(&sw);
	if ((err = snd_pcm_sw_params_current(pcm, sw)) < 0 ||
	    (err = snd_pcm_sw_params_set_start_threshold(pcm, sw, start)) < 0 ||
	    (err = snd_pcm_sw_params_set_avail_min(pcm, sw, avail)) < 0 ||
	    (err = snd_pcm_sw_params_set_tstamp_mode(pcm, sw, SND_PCM_TSTAMP_ENABLE)) < 0 ||
	    (err = snd_pcm_sw_params_set_tstamp_type(pcm, sw, SND_PCM_TSTAMP_TYPE_MONOTONIC)) < 0)
		return err;
	return snd_pcm_sw_params(pcm, sw);
}

// How many frames are available and the age of that figure in ns.
static int plenum_status(snd_pcm_t *pcm, snd_pcm_uframes_t *avail, long long *age)
{
	snd_htimestamp_t at, now;
	int err;

	if ((err = snd_pcm_htimestamp(pcm, avail, &at)) < 0)
		return err;
	clock_gettime(CLOCK_MONOTONIC, &now);
	*age = (now.tv_sec - at.tv_sec) * 1000000000LL + now.tv_nsec - at.tv_nsec;
	return 0;
}
*/
import "C"

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pcm is an open ALSA PCM at 48 kHz, interleaved. Its methods are for one goroutine at a time.
type pcm struct {
	h        *C.snd_pcm_t
	capture  bool
	spec     string // for texts
	name     string // ALSA's
	card     Card   // empty for an alsa: spec
	format   sample
	channels int
	period   int // frames
	buffer   int // frames
	raw      []byte
}

// openPCM resolves a spec and opens it.
func openPCM(o Options, capture bool) (*pcm, error) {
	name, card, err := Resolve(o.Device)
	if err != nil {
		return nil, err
	}
	return openNamed(name, card, o, capture)
}

// openNamed opens a PCM of ALSA by its name, also one that CheckSpec refuses.
func openNamed(name string, card Card, o Options, capture bool) (*pcm, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	p := &pcm{capture: capture, spec: o.Device, name: name, card: card}
	if err := p.open(name); err != nil {
		return nil, err
	}
	if p.h != nil && strings.HasPrefix(name, "hw:") && p.has(C.SND_PCM_ACCESS_RW_INTERLEAVED, -1, 0, 0) == 0 {
		// Some mixers know only one buffer for each channel; the plug layer sorts them.
		C.snd_pcm_close(p.h)
		if err := p.open("plug" + name); err != nil {
			return nil, err
		}
	}
	if err := p.setup(o); err != nil {
		C.snd_pcm_close(p.h)
		return nil, err
	}
	return p, nil
}

func (p *pcm) open(name string) error {
	stream := C.int(C.SND_PCM_STREAM_PLAYBACK)
	if p.capture {
		stream = C.SND_PCM_STREAM_CAPTURE
	}
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	rc := C.plenum_open(&p.h, cname, stream)
	if rc >= 0 {
		return nil
	}
	if p.card.ID == "" {
		return p.fail("opening", errno(rc))
	}
	if errno(rc) == syscall.ENOENT {
		return p.missing()
	}
	// ALSA looks for the card through a device that it may not open either, and then says that there is none.
	if errors.Is(unix.Access(system.path("dev/snd", fmt.Sprintf("controlC%d", p.card.Index)), unix.R_OK|unix.W_OK), syscall.EACCES) {
		return p.fail("opening", syscall.EACCES)
	}
	return p.fail("opening", errno(rc))
}

// missing explains a card that is there but has not the device that was asked for.
func (p *pcm) missing() error {
	word := func(capture bool) string {
		name, dir := "playback", byte('p')
		if capture {
			name, dir = "capture", 'c'
		}
		numbers := system.devices(p.card.Index, dir)
		if len(numbers) == 0 {
			return "no " + name
		}
		return fmt.Sprintf("%s devices %s", name, strings.Trim(fmt.Sprint(numbers), "[]"))
	}
	return fmt.Errorf("opening sound device %s (%s): %w: the card %s has %s and %s",
		p.spec, p.name, ErrFormat, p.card.ID, word(p.capture), word(!p.capture))
}

func (p *pcm) has(access, format, channels, rate int) C.int {
	return C.plenum_has(p.h, C.int(access), C.int(format), C.uint(channels), C.uint(rate))
}

// setup takes the simplest sample format and the fewest channels that do.
func (p *pcm) setup(o Options) error {
	if rc := p.has(-1, -1, 0, 0); rc < 0 {
		return p.fail("asking what there is of", errno(rc))
	}
	found := false
	for _, f := range samples() {
		if found = p.has(-1, f.alsa, 0, Rate) == 1; found {
			p.format = f
			break
		}
	}
	if !found {
		return p.refuse(o, nil)
	}
	want := o.Channels
	if want == 0 {
		want = 2
	}
	for p.channels = want; p.channels <= maxChannels && p.has(-1, p.format.alsa, p.channels, Rate) != 1; p.channels++ {
	}
	if p.channels > maxChannels && o.Channels == 0 {
		p.channels = 1
	}
	if p.channels > maxChannels {
		return p.refuse(o, nil)
	}
	period, buffer := C.snd_pcm_uframes_t(frames(o.Period)), C.snd_pcm_uframes_t(frames(o.Buffer))
	if rc := C.plenum_hw(p.h, C.int(p.format.alsa), C.uint(p.channels), Rate, &period, &buffer); rc < 0 {
		if errno(rc) == syscall.EINVAL {
			return p.refuse(o, syscall.EINVAL)
		}
		return p.fail("setting up", errno(rc))
	}
	p.period, p.buffer = int(period), int(buffer)
	p.raw = make([]byte, p.buffer*p.channels*p.format.size)
	if rc := C.plenum_sw(p.h, C.snd_pcm_uframes_t(p.startAt()), period); rc < 0 {
		return p.fail("setting the buffer of", errno(rc))
	}
	return nil
}

// startAt is how full the buffer of a playback is when it starts by itself, and how full it is kept just after a write: in
// the middle of what a write may find.
func (p *pcm) startAt() int {
	if p.capture {
		return 1
	}
	return (p.buffer + p.period) / 2
}

// refuse says what the device has instead of what was asked for.
func (p *pcm) refuse(o Options, cause error) error {
	var rates, formats, channels []string
	for _, hz := range []int{8000, 16000, 22050, 32000, 44100, 48000, 88200, 96000, 192000} {
		if p.has(-1, -1, 0, hz) == 1 {
			rates = append(rates, strconv.Itoa(hz))
		}
	}
	for f := range C.int(C.SND_PCM_FORMAT_LAST) {
		if p.has(-1, int(f), 0, 0) == 1 {
			formats = append(formats, C.GoString(C.snd_pcm_format_name(C.snd_pcm_format_t(f))))
		}
	}
	for n := 1; n <= maxChannels; n++ {
		if p.has(-1, -1, n, 0) == 1 {
			channels = append(channels, strconv.Itoa(n))
		}
	}
	want := "16, 24 or 32 bit"
	if o.Channels > 0 {
		want = fmt.Sprintf("%d or more channels of ", o.Channels) + want
	}
	list := func(of []string) string {
		if len(of) > 12 {
			return of[0] + " to " + of[len(of)-1]
		}
		if len(of) == 0 {
			return "none of the usual"
		}
		return strings.Join(of, ", ")
	}
	err := fmt.Errorf("%w: wanted are %s at %d Hz; it has channels: %s; rates: %s Hz; formats: %s (a device in use by another program has only what that one took)",
		ErrFormat, want, Rate, list(channels), list(rates), list(formats))
	if cause != nil {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return fmt.Errorf("setting up sound device %s: %w", p.spec, err)
}

// start starts a capture.
func (p *pcm) start() error {
	if rc := C.snd_pcm_start(p.h); rc < 0 {
		return p.fail("starting", errno(rc))
	}
	return nil
}

// wait waits for a period's worth, at most one slice.
func (p *pcm) wait() (ready bool, e syscall.Errno) {
	rc := C.snd_pcm_wait(p.h, C.int(slice.Milliseconds()))
	return rc > 0, errno(rc)
}

// status is how many frames can be read or written, and when that was so. A capture's is as of the card's last interrupt,
// which is the exact one; for a playback the kernel looks anew.
func (p *pcm) status() (avail int, at time.Time, e syscall.Errno) {
	if !p.capture {
		if rc := C.snd_pcm_hwsync(p.h); rc < 0 {
			return 0, time.Time{}, errno(rc)
		}
	}
	var n C.snd_pcm_uframes_t
	var age C.longlong
	if rc := C.plenum_status(p.h, &n, &age); rc < 0 {
		return 0, time.Time{}, errno(rc)
	}
	at = time.Now()
	if age := time.Duration(age); age > 0 && age < 10*time.Second { // plugins have no such clock
		at = at.Add(-age)
	}
	return int(n), at, 0
}

// read takes at most the given number of frames and appends them to dst.
func (p *pcm) read(dst []int16, n int) ([]int16, syscall.Errno) {
	n = min(n, p.buffer)
	got := C.snd_pcm_readi(p.h, unsafe.Pointer(&p.raw[0]), C.snd_pcm_uframes_t(n))
	if got < 0 {
		return dst, errno(C.int(got))
	}
	return p.format.decode(dst, p.raw[:int(got)*p.channels*p.format.size]), 0
}

// write gives frames to the card, each sample to all its channels.
func (p *pcm) write(mono []int16) (n int, e syscall.Errno) {
	b := p.format.encode(p.raw[:0], mono, p.channels)
	got := C.snd_pcm_writei(p.h, unsafe.Pointer(&b[0]), C.snd_pcm_uframes_t(len(mono)))
	if got < 0 {
		return 0, errno(C.int(got))
	}
	return int(got), 0
}

// mend brings a device back that ran over or dry (EPIPE) or was suspended (ESTRPIPE), counts, and says whether the card
// began anew. snd_pcm_recover does the same but waits for a suspended device without end.
func (p *pcm) mend(doing string, e syscall.Errno, count *Counters) (anew bool, err error) {
	switch e {
	case syscall.EINTR, syscall.EAGAIN:
		return false, nil
	case syscall.EPIPE:
		count.XRuns++
	case syscall.ESTRPIPE:
		switch errno(C.snd_pcm_resume(p.h)) {
		case 0:
			count.Suspends++
			return false, nil
		case syscall.EAGAIN:
			time.Sleep(slice) // not awake yet; who calls gives up in the end
			return false, nil
		}
		count.Suspends++
	default:
		return false, p.fail(doing, e)
	}
	if rc := C.snd_pcm_prepare(p.h); rc < 0 {
		return false, p.fail("starting anew", errno(rc))
	}
	if p.capture {
		return true, p.start()
	}
	return true, nil
}

// close stops at once. That a card is gone is no news then; ALSA frees what it held all the same.
func (p *pcm) close() error {
	C.snd_pcm_drop(p.h)
	if rc := C.snd_pcm_close(p.h); rc < 0 {
		if err := p.fail("closing", errno(rc)); !errors.Is(err, ErrLost) {
			return err
		}
	}
	return nil
}

// errno is the error in what ALSA returned, 0 for none.
func errno(rc C.int) syscall.Errno { return syscall.Errno(max(-rc, 0)) }

func (p *pcm) fail(doing string, e syscall.Errno) error {
	err := error(e)
	for kind, of := range map[error][]syscall.Errno{
		// EBADFD is a card that went in the middle of a call, EIO a USB card that no longer answers.
		ErrLost:       {syscall.ENODEV, syscall.ENOENT, syscall.ENXIO, syscall.EIO, syscall.EBADFD, syscall.ESHUTDOWN},
		ErrBusy:       {syscall.EBUSY},
		ErrPermission: {syscall.EACCES, syscall.EPERM},
	} {
		if slices.Contains(of, e) {
			err = fmt.Errorf("%w: %w", kind, err)
		}
	}
	if doing == "opening" && errors.Is(err, ErrLost) {
		err = fmt.Errorf("%w; %s", err, system.list())
	}
	return fmt.Errorf("%s sound device %s: %w", doing, p.spec, err)
}
