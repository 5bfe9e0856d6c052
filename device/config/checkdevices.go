package config

import (
	"fmt"
	"slices"
	"strings"
)

func (c Config) checkCameras(bad *complaints) {
	names, devices := map[string]bool{}, map[string]bool{}
	for i, cam := range c.Cameras {
		where := fmt.Sprintf("camera %d (%q)", i+1, cam.Name)
		bad.at("camera[%d]", i)
		if cam.Name == "" || names[cam.Name] {
			bad.add("%s needs a name of its own", where)
		}
		if cam.Device == "" {
			bad.add("%s: device is empty; name a /dev/v4l/by-path/… path, usb:SERIAL or test:picture", where)
		} else if devices[cam.Device] && cam.Device != "test:picture" {
			bad.add("%s: device %s is used by another camera; one camera can be shown as hall and speaker with one entry", where, cam.Device)
		}
		if cam.Shows != ShowsHall && cam.Shows != ShowsSpeaker {
			bad.add("%s: shows = %q; possible are hall, speaker", where, cam.Shows)
		}
		if cam.FPS < 20 || cam.FPS > 60 {
			bad.add("%s: fps = %d; possible are 20 to 60 (EN 301 549, 6.5.3 wants 20 at least)", where, cam.FPS)
		}
		if cam.Width < 320 || cam.Width > 3840 || cam.Height < 180 || cam.Height > 2160 || cam.Width%2+cam.Height%2 != 0 {
			bad.add("%s: %dx%d; possible are even sizes from 320x180 to 3840x2160", where, cam.Width, cam.Height)
		}
		if cam.BitRate < 100_000 || cam.BitRate > 20_000_000 {
			bad.add("%s: bitrate = %d; possible are 100000 to 20000000 bit/s", where, cam.BitRate)
		}
		names[cam.Name], devices[cam.Device] = true, true
	}
	bad.at("")
}

func (c Config) checkSound(bad *complaints, seats map[string]bool) {
	mic, out := c.Hall.Microphone, c.Hall.Output
	if mic.Device == "" && (len(mic.Channels) > 0 || mic.Required) {
		bad.add("hall.microphone.device is empty; name the sound card, for example \"card:Saal\"")
	}
	if mic.Device != "" && mic.Device == out.Device && strings.HasPrefix(mic.Device, "wav:") {
		bad.add("hall.microphone.device = %q; a file is no microphone", mic.Device)
	}
	taken, used := map[string]bool{}, false
	for i, ch := range mic.Channels {
		where := fmt.Sprintf("hall.microphone.channels: channel %d = %q", i+1, ch)
		bad.at("hall.microphone.channels[%d]", i)
		switch {
		case ch == "":
			continue
		case ch == HallChannel:
		case taken[ch]:
			bad.add("%s: this seat has another channel already", where)
		case !seats[ch]:
			bad.add("%s: no desk stands at this seat; write \"hall\" for the mix, a seat of a [[desk.seat]], or \"\" for unused", where)
		}
		taken[ch], used = true, true
	}
	bad.at("")
	if mic.Device != "" && !used {
		bad.add("hall.microphone.channels uses no channel; write \"hall\" for the one that carries the hall")
	}
	checkTimes(bad, "hall.microphone", mic.Period, mic.Buffer)
	checkTimes(bad, "hall.output", out.Period, out.Buffer)
	if mic.Silence < 0 {
		bad.add("hall.microphone.silence = %d; write seconds, or 0 for never", mic.Silence)
	}
	if out.Loop && mic.Device == "" {
		bad.add("hall.output.loop is set, but there is no hall.microphone to hear it")
	}
}

func checkTimes(bad *complaints, where string, period, buffer int) {
	if period < 2 || period > 40 || buffer < 2*period || buffer > 500 {
		bad.add("%s: period = %d, buffer = %d; possible are periods of 2 to 40 ms and buffers of two periods to 500 ms", where, period, buffer)
	}
}

func (c Config) checkLines(bad *complaints) {
	names, lines := map[string]bool{}, map[string]bool{}
	common := func(where, name, line string) {
		if name == "" || names[name] {
			bad.add("%s needs a name of its own", where)
		}
		if line == "" {
			bad.add("%s: line is empty; write the kernel's name of the line (gpioinfo lists them)", where)
		} else if lines[line] {
			bad.add("%s: line %q is used by another input or output", where, line)
		}
		names[name], lines[line] = true, true
	}
	for i, in := range c.Inputs {
		where := fmt.Sprintf("input %d (%q)", i+1, in.Name)
		bad.at("input[%d]", i)
		common(where, in.Name, in.Line)
		if !slices.Contains([]string{DoesAlarm, DoesPriority, DoesSelfTest}, in.Does) {
			bad.add("%s: does = %q; possible are alarm, priority, selftest", where, in.Does)
		}
		if !slices.Contains([]string{"", "pull-up", "pull-down", "disabled"}, in.Bias) {
			bad.add("%s: bias = %q; possible are pull-up, pull-down, disabled or nothing", where, in.Bias)
		}
		if in.Debounce < 0 || in.Debounce > 1000 {
			bad.add("%s: debounce = %d; possible are 0 to 1000 ms", where, in.Debounce)
		}
	}
	for i, out := range c.Outputs {
		where := fmt.Sprintf("output %d (%q)", i+1, out.Name)
		bad.at("output[%d]", i)
		common(where, out.Name, out.Line)
		if !slices.Contains([]string{ShowsOnAir, ShowsRecording, ShowsMute, ShowsAlarm}, out.Shows) {
			bad.add("%s: shows = %q; possible are on-air, recording, mute, alarm", where, out.Shows)
		}
	}
	bad.at("")
}
