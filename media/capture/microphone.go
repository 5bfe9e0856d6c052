package capture

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/io/audio"
	"github.com/pion/mediadevices/pkg/prop"
	"github.com/pion/mediadevices/pkg/wave"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"

	"plenum/media/codec"
)

// Microphone makes a source of Opus, 20 ms a packet, mono: the channels of a sound card that the map names. A device or a map
// that could never work is refused, a device with ErrUnknown; one that is only absent fails in Run with ErrAbsent. Run's
// errors wrap those of hal/sound.
func Microphone(o Options) (*Source, error) {
	if err := checkMicrophone(o); err != nil {
		return nil, err
	}
	if o.Pitch == 0 {
		h := fnv.New32a()
		h.Write([]byte(o.Name))
		o.Pitch = 120 + float64(h.Sum32()%281)
	}
	if o.Pitch < 50 || o.Pitch > 4000 || o.BitRate < 0 || o.BitRate > 510_000 {
		return nil, fmt.Errorf("microphone %s: pitch %g Hz and %d bit/s; possible are 50 to 4000 Hz and up to 510000 bit/s", o.Name, o.Pitch, o.BitRate)
	}
	s, err := newSource(o)
	if err != nil {
		return nil, err
	}
	s.stream = newStream(&codecs.OpusPayloader{}, PayloadOpus, codec.Rate)
	s.mixer = newMixer(o.Channels)
	s.ear = &ear{silence: o.Silence, log: s.o.Log}
	s.attempt = s.runMicrophone
	return s, nil
}

// taker is what is needed of a microphone's driver beyond mediadevices' interface. Its methods are for the goroutine that
// reads.
type taker interface {
	driver.Adapter
	driver.AudioRecorder
	mode() string
	first() time.Time // when the first sample was taken
	jump() int64      // samples missing before the next packet, since the last call
}

func (s *Source) runMicrophone(ctx context.Context, write func(*rtp.Packet)) error {
	var mic taker = &microphones{o: s.o, mixer: s.mixer, ear: s.ear}
	if s.o.Device == testVoice {
		mic = &heard{voice: newVoice(s.o.Pitch), ear: s.ear}
	}
	d, remove, err := register(mic, driver.Microphone, s.o.Name)
	if err != nil {
		return err
	}
	defer remove()
	if err := d.Open(); err != nil {
		return err
	}
	modes := d.Properties()
	if len(modes) == 0 {
		return errors.Join(fmt.Errorf("%s offers no sound format", s.o.Device), d.Close())
	}
	reader, err := d.(driver.AudioRecorder).AudioRecord(modes[0]) // closes the driver when it fails
	if err != nil {
		return fmt.Errorf("starting %s: %w", s.o.Device, err)
	}
	stop := closer(ctx, d)
	defer stop()
	return s.encodeSound(ctx, reader, modes[0], mic, write)
}

// stall is the longest hole in the sound that is filled, in samples. After a longer one timestamps jump: sound that stood
// still must not come back as the past's.
const stall = codec.Rate / 5

// encodeSound lets timestamps follow the count of samples from the time of the first one on. Cards are brought to the box's
// clock before, so the count is time; only a stall is measured.
func (s *Source) encodeSound(ctx context.Context, reader audio.Reader, media prop.Media, mic taker, write func(*rtp.Packet)) error {
	encoder, err := (&codec.Opus{BitRate: s.o.BitRate}).BuildAudioEncoder(reader, media)
	if err != nil {
		return err
	}
	defer encoder.Close()
	defer s.eye.close()
	running := false
	for ctx.Err() == nil {
		data, _, err := encoder.Read()
		if err != nil {
			return err
		}
		if !running {
			running = true
			s.sounds(mic.mode())
			s.stream.last = max(s.stream.last+1, s.stream.ticks(mic.first()))
		}
		s.stream.last += mic.jump()
		s.send(data, s.stream.base+uint32(s.stream.last), false, 0, write)
		s.stream.last += codec.Frame
	}
	return ctx.Err()
}

// sounds tells of the first sound of an attempt.
func (s *Source) sounds(mode string) {
	s.eye.open(mode)
	s.o.Log.Info("microphone is running", "mode", mode)
	if s.o.Live != nil {
		s.o.Live(mode)
	}
}

// heard is the test voice with an ear on it.
type heard struct {
	*voice
	ear    *ear
	began  time.Time
	before time.Time
}

// AudioRecord returns the voice's reader.
func (h *heard) AudioRecord(p prop.Media) (audio.Reader, error) {
	reader, err := h.voice.AudioRecord(p)
	h.ear.open(nil)
	h.began = time.Now()
	h.before = h.began
	return audio.ReaderFunc(func() (wave.Audio, func(), error) {
		chunk, release, err := reader.Read()
		if c, ok := chunk.(*wave.Int16Interleaved); ok && err == nil {
			h.ear.hear(c.Data, !slices.ContainsFunc(c.Data, func(s int16) bool { return s != 0 }))
		}
		return chunk, release, err
	}), err
}

func (h *heard) mode() string { return "test voice at 48 kHz" }

func (h *heard) first() time.Time { return h.began }

// jump measures a stall by the clock, for the voice leaves out what it missed.
func (h *heard) jump() int64 {
	late := time.Since(h.before)*codec.Rate/time.Second - codec.Frame
	h.before = time.Now()
	if late > stall {
		return int64(late)
	}
	return 0
}
