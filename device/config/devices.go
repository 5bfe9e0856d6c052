package config

import "cmp"

// Camera is one hall camera.
type Camera struct {
	Name     string `toml:"name"`
	Device   string `toml:"device"`
	Shows    string `toml:"shows"`  // "hall": the wide shot; "speaker": whoever has the word
	Width    int    `toml:"width"`  // pixels
	Height   int    `toml:"height"` // pixels
	FPS      int    `toml:"fps"`
	BitRate  int    `toml:"bitrate"` // bit/s
	Pass     bool   `toml:"pass"`    // take the camera's own H.264
	Required bool   `toml:"required"`
}

// Hall is the chamber's sound.
type Hall struct {
	Microphone Microphone `toml:"microphone"`
	Output     Playback   `toml:"output"`
}

// Microphone is the sound card that the chamber's microphones come in by. Without a device there is none.
type Microphone struct {
	Device   string   `toml:"device"`
	Channels []string `toml:"channels"` // one per channel of the card: "hall", a seat's name, or "" for unused
	Period   int      `toml:"period"`   // ms
	Buffer   int      `toml:"buffer"`   // ms
	Silence  int      `toml:"silence"`  // s of digital silence after which something is wrong; 0: never
	Required bool     `toml:"required"`
}

// Playback is the sound card by which remote speakers are heard in the chamber.
type Playback struct {
	Device   string `toml:"device"`
	Period   int    `toml:"period"` // ms
	Buffer   int    `toml:"buffer"` // ms
	Loop     bool   `toml:"loop"`   // the microphone hears it: the self-test plays a tone and listens
	Required bool   `toml:"required"`
}

// Input is a contact on a GPIO line.
type Input struct {
	Name      string `toml:"name"`
	Line      string `toml:"line"` // the kernel's name of the line
	Does      string `toml:"does"`
	ActiveLow bool   `toml:"active_low"`
	Bias      string `toml:"bias"`     // pull-up, pull-down, disabled, or "" as it is
	Debounce  int    `toml:"debounce"` // ms
	Required  bool   `toml:"required"`
}

// Output is a lamp or relay on a GPIO line.
type Output struct {
	Name      string `toml:"name"`
	Line      string `toml:"line"` // the kernel's name of the line
	Shows     string `toml:"shows"`
	ActiveLow bool   `toml:"active_low"`
	Safe      bool   `toml:"safe"` // state when the daemon stops or dies
	Required  bool   `toml:"required"`
}

// What a camera can be pointed at.
const (
	ShowsHall    = "hall"
	ShowsSpeaker = "speaker"
)

// HallChannel is the channel of a sound card that carries the mix of the hall.
const HallChannel = "hall"

// What a contact does.
const (
	DoesAlarm    = "alarm"    // active: fire, evacuation; all speaking stops
	DoesPriority = "priority" // the chair's key: while it is pressed everybody else is silenced
	DoesSelfTest = "selftest" // the technician's button
)

// What a lamp or relay shows.
const (
	ShowsOnAir     = "on-air"    // somebody has the word and is heard
	ShowsRecording = "recording" // the sitting is open and written to the record
	ShowsMute      = "mute"      // nobody is to be heard: a relay that silences the loudspeakers
	ShowsAlarm     = "alarm"     // an alarm stands
)

// completeDevices fills what a device's table leaves out.
func (c *Config) completeDevices() {
	for i := range c.Cameras {
		cam := &c.Cameras[i]
		cam.Width, cam.Height = cmp.Or(cam.Width, 1280), cmp.Or(cam.Height, 720)
		cam.FPS, cam.BitRate = cmp.Or(cam.FPS, 25), cmp.Or(cam.BitRate, 2_000_000)
	}
	mic, out := &c.Hall.Microphone, &c.Hall.Output
	if mic.Device != "" && len(mic.Channels) == 0 {
		mic.Channels = []string{HallChannel}
	}
	mic.Period, mic.Buffer = cmp.Or(mic.Period, 10), cmp.Or(mic.Buffer, 60)
	out.Device, out.Period, out.Buffer = cmp.Or(out.Device, "null"), cmp.Or(out.Period, 10), cmp.Or(out.Buffer, 40)
	for i := range c.Inputs {
		c.Inputs[i].Debounce = cmp.Or(c.Inputs[i].Debounce, 10)
	}
}
