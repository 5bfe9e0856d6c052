package capture

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pion/mediadevices/pkg/io/audio"
	"github.com/pion/mediadevices/pkg/prop"
	"github.com/pion/mediadevices/pkg/wave"

	"plenum/hal/sound"
	"plenum/media/codec"
)

// checkMicrophone says at construction what could never work.
func checkMicrophone(o Options) error {
	if err := checkChannels(o.Channels); err != nil {
		return fmt.Errorf("microphone %q: %w", o.Device, err)
	}
	if o.Device == testVoice {
		return nil
	}
	if err := sound.CheckSpec(o.Device); err != nil {
		return fmt.Errorf("microphone: %w: %w; also possible is %s", ErrUnknown, err, testVoice)
	}
	if err := cardOptions(o).Check(); err != nil {
		return fmt.Errorf("microphone: %w", err)
	}
	return nil
}

func cardOptions(o Options) sound.Options {
	return sound.Options{Device: o.Device, Channels: max(1, len(o.Channels)), Period: o.Period, Buffer: o.Buffer}
}

// microphones is the mediadevices driver of a sound card: one channel, mixed of those that the map names.
type microphones struct {
	o     Options
	mixer *mixer
	ear   *ear

	card    *sound.Capture
	closing context.Context
	close   context.CancelFunc

	// Of the goroutine that reads.
	frames  []int16
	next    time.Time // of the frame after the last one
	began   time.Time
	skipped int64 // samples that timestamps are to jump
}

func (m *microphones) Open() error {
	card, err := sound.OpenCapture(cardOptions(m.o))
	if errors.Is(err, sound.ErrFormat) && len(m.o.Channels) > 1 {
		return fmt.Errorf("the channel map has %d entries, and the card needs that many channels: %w", len(m.o.Channels), err)
	}
	if errors.Is(err, sound.ErrLost) {
		return absent{err}
	}
	if err != nil {
		return err
	}
	m.card = card
	m.closing, m.close = context.WithCancel(context.Background())
	m.frames = make([]int16, codec.Frame*card.Channels())
	m.ear.open(card)
	return nil
}

// absent is an error of hal/sound that is also this package's ErrAbsent, without saying so twice.
type absent struct{ error }

func (a absent) Unwrap() []error { return []error{a.error, ErrAbsent} }

// Close wakes a read that waits.
func (m *microphones) Close() error {
	if m.card == nil {
		return nil
	}
	m.close()
	return m.card.Close()
}

func (m *microphones) Properties() []prop.Media {
	return []prop.Media{{Audio: prop.Audio{
		ChannelCount: 1, SampleRate: codec.Rate, SampleSize: 2, IsInterleaved: true, Latency: m.card.Period(),
	}}}
}

// AudioRecord returns a reader whose chunks are the reader's to keep, as long as the card's periods.
func (m *microphones) AudioRecord(prop.Media) (audio.Reader, error) {
	return audio.ReaderFunc(func() (wave.Audio, func(), error) {
		pcm, err := m.read()
		info := wave.ChunkInfo{Len: len(pcm), Channels: 1, SamplingRate: codec.Rate}
		return &wave.Int16Interleaved{Size: info, Data: pcm}, func() {}, err
	}), nil
}

// least is the shortest hole in the sound that is one: clocks that are still being compared may be this far off.
const least = 5 * time.Millisecond

// read mixes what the card has. A short hole, after an xrun, is filled, for what comes after it must not come too early.
func (m *microphones) read() ([]int16, error) {
	n, at, err := m.card.Read(m.closing, m.frames)
	if errors.Is(err, sound.ErrLost) {
		err = absent{err}
	}
	if err != nil {
		return nil, err
	}
	pcm := make([]int16, 0, 2*n)
	if m.began.IsZero() {
		m.began = at
	} else if hole := at.Sub(m.next); hole > least {
		missing := int64(hole) * codec.Rate / int64(time.Second)
		if missing > stall {
			m.skipped += missing
		} else {
			pcm = append(pcm, make([]int16, missing)...)
		}
	}
	m.next = at.Add(time.Duration(n) * time.Second / codec.Rate)
	filled := len(pcm)
	pcm, dead := m.mixer.mix(pcm, m.frames[:n*m.card.Channels()], m.card.Channels())
	m.ear.hear(pcm[filled:], dead)
	return pcm, nil
}

// first is when the first sample was at the card.
func (m *microphones) first() time.Time { return m.began }

// jump is how many samples are missing before the next packet.
func (m *microphones) jump() int64 {
	n := m.skipped
	m.skipped = 0
	return n
}

func (m *microphones) mode() string {
	return fmt.Sprintf("%d of %d channels at 48 kHz, period %v, buffer %v",
		min(max(1, len(m.o.Channels)), m.card.Channels()), m.card.Channels(), m.card.Period(), m.card.Buffer())
}
