package capture

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/io/audio"
	"github.com/pion/mediadevices/pkg/prop"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"

	"plenum/media/codec"
)

// Microphone makes a source of Opus, 20 ms a packet, mono. A device that could
// never work is refused with ErrUnknown; one that is only absent fails in Run.
func Microphone(o Options) (*Source, error) {
	if err := checkMicrophone(o.Device); err != nil {
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
	s.attempt = s.runMicrophone
	return s, nil
}

func (s *Source) runMicrophone(ctx context.Context, write func(*rtp.Packet)) error {
	d, remove, err := register(newVoice(s.o.Pitch), driver.Microphone, s.o.Name)
	if err != nil {
		return err
	}
	defer remove()
	recorder, ok := d.(driver.AudioRecorder)
	if !ok {
		return fmt.Errorf("the driver of %s gives no sound", s.o.Device)
	}
	if err := d.Open(); err != nil {
		return fmt.Errorf("opening %s: %w", s.o.Device, err)
	}
	modes := d.Properties()
	if len(modes) == 0 {
		return errors.Join(fmt.Errorf("%s offers no sound format", s.o.Device), d.Close())
	}
	reader, err := recorder.AudioRecord(modes[0]) // closes the driver when it fails
	if err != nil {
		return fmt.Errorf("starting %s: %w", s.o.Device, err)
	}
	stop := closer(ctx, d)
	defer stop()
	return s.encodeSound(ctx, &codec.Opus{BitRate: s.o.BitRate}, reader, modes[0], write)
}

// stall is how late a packet may be before its timestamp jumps to the wall
// clock, in samples: sound that stood still must not come back as the past's.
const stall = codec.Rate / 5

// encodeSound lets timestamps follow the count of samples, which is the sound
// card's clock; only a stall is measured by ours.
func (s *Source) encodeSound(ctx context.Context, builder *codec.Opus, reader audio.Reader, mode prop.Media, write func(*rtp.Packet)) error {
	encoder, err := builder.BuildAudioEncoder(reader, mode)
	if err != nil {
		return err
	}
	defer encoder.Close()
	s.o.Log.Info("microphone is running", "rate", mode.SampleRate, "channels", mode.ChannelCount)
	before := s.stream.ticks(time.Now())
	samples := before
	for ctx.Err() == nil {
		data, _, err := encoder.Read()
		if err != nil {
			return fmt.Errorf("reading sound from %s: %w", s.o.Device, err)
		}
		now := s.stream.ticks(time.Now())
		if late := now - before - codec.Frame; late > stall {
			samples += late
		}
		before = now
		s.send(data, s.stream.base+uint32(samples), false, 0, write)
		samples += codec.Frame
	}
	return ctx.Err()
}
