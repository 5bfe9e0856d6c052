//go:build lab

package camera

import (
	"errors"
	"math"
	"testing"
)

// The modes of vivid's control "DV Timings Signal Mode".
const (
	sameTimings = iota
	noSignal
	noLock
	outOfRange
	otherTimings
)

// hdmi is vivid's HDMI input with a lever for its signal.
type hdmi struct {
	t     *testing.T
	lever *Camera
}

func (h hdmi) mode(m int64) { set(h.t, h.lever, "DV Timings Signal Mode", m) }

func (h hdmi) choose(timings string) {
	set(h.t, h.lever, "DV Timings", entry(h.t, h.lever, "DV Timings", timings))
}

// stream starts the input, takes a picture and closes it.
func (h hdmi) stream() Mode {
	h.t.Helper()
	c := openVivid(h.t, 1, "1")
	m := start(h.t, c, small)
	read(h.t, c).Release()
	if err := c.Close(); err != nil {
		h.t.Error(err)
	}
	return m
}

// settle brings the input to timings and leaves them there.
func (h hdmi) settle(timings string) Mode {
	h.t.Helper()
	h.choose(timings)
	h.mode(otherTimings)
	m := h.stream()
	h.mode(sameTimings)
	return m
}

func openHDMI(t *testing.T) hdmi {
	h := hdmi{t, openVivid(t, 1, "")}
	probe := openVivid(t, 1, "1")
	if err := probe.selectInput(); err != nil { // vivid keeps the signal mode for each input
		t.Fatal(err)
	}
	t.Cleanup(func() { // leave it as it was
		h.settle("1280x720p60")
		if err := openVivid(t, 1, "0").selectInput(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func TestLabSignal(t *testing.T) {
	h := openHDMI(t)
	for _, m := range []int64{noSignal, noLock, outOfRange} {
		c := openVivid(t, 1, "1")
		start(t, c, small)
		read(t, c).Release()
		h.mode(m)
		took, err := until(t, c)
		if !errors.Is(err, ErrNoSignal) {
			t.Errorf("signal mode %d: %v, want ErrNoSignal", m, err)
		}
		t.Logf("signal mode %d: %v after %v", m, err, took)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		again := openVivid(t, 1, "1")
		if _, err := again.Start(small); !errors.Is(err, ErrNoSignal) {
			t.Errorf("signal mode %d at Start: %v, want ErrNoSignal", m, err)
		}
		if _, err := again.Modes(); !errors.Is(err, ErrNoSignal) {
			t.Errorf("signal mode %d, modes: %v, want ErrNoSignal", m, err)
		}
		h.mode(sameTimings)
		start(t, again, small) // the same camera, once more
		read(t, again).Release()
		if err := again.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestLabTimingsChange(t *testing.T) {
	h := openHDMI(t)
	if m := h.settle("1280x720p50"); math.Abs(m.Rate-50) > 0.1 {
		t.Errorf("a signal of 50 pictures a second gives %v", m)
	}
	h.choose("640x480p59")
	c := openVivid(t, 1, "1")
	start(t, c, small)
	read(t, c).Release()
	h.mode(otherTimings)
	took, err := until(t, c)
	if !errors.Is(err, ErrChanged) {
		t.Errorf("other timings: %v, want ErrChanged", err)
	}
	t.Logf("%v after %v", err, took)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if m := h.stream(); math.Abs(m.Rate-59.94) > 0.1 {
		t.Errorf("after the change: %v", m)
	}
}
