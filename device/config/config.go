// Package config reads the box's one TOML file. It is strict: a key it does not know, a value that cannot be, a person
// at two seats are errors that name the key and say what to do; nothing is guessed.
package config

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"plenum/device/sitting"
	"plenum/device/strict"
)

// Example is a whole configuration file with every key, its meaning and its default.
//
//go:embed plenum.toml
var Example string

// Config is the whole file.
type Config struct {
	Listen  string   `toml:"listen"` // TCP for pages and API, UDP of the same port for sound and picture
	Names   []string `toml:"names"`  // host names and addresses the box is reached by
	Data    string   `toml:"data"`   // folder of journal, keys, invitations
	Socket  string   `toml:"socket"` // unix socket of plenumctl
	Box     Box      `toml:"box"`
	Sitting Sitting  `toml:"sitting"` // rules
	Members []Member `toml:"member"`
	Desks   []Desk   `toml:"desk"`
	Cameras []Camera `toml:"camera"`
	Hall    Hall     `toml:"hall"`
	Inputs  []Input  `toml:"input"`
	Outputs []Output `toml:"output"`
}

// Box is the appliance itself.
type Box struct {
	Name      string `toml:"name"`       // host name; empty: as it is
	Metrics   string `toml:"metrics"`    // TCP address of Prometheus metrics; empty: on the control socket only
	VendorKey string `toml:"vendor_key"` // age recipient for diagnosis sticks; empty: they are not encrypted
}

// Sitting is the body and its rules at the start of a sitting.
type Sitting struct {
	Body        string       `toml:"body"`
	Mode        sitting.Mode `toml:"mode"`
	Limit       int          `toml:"limit"`     // simultaneous speakers, chair not counted
	MaxLimit    int          `toml:"max_limit"` // highest limit the chair may set; also the number of remote voices carried
	OpenAtStart bool         `toml:"open_at_start"`
}

// Member is one person of the roster.
type Member struct {
	ID     string       `toml:"id"`
	Name   string       `toml:"name"`
	Group  string       `toml:"group"`
	Role   sitting.Role `toml:"role"`
	Seat   string       `toml:"seat"`
	Remote bool         `toml:"remote"`
}

// Desk is one desk system and the table of its units.
type Desk struct {
	Name     string `toml:"name"`
	Dialect  string `toml:"dialect"`
	Port     string `toml:"port"`
	Line     string `toml:"line"` // line settings other than the dialect's own, such as "57600 8N1 rtscts"
	Required bool   `toml:"required"`
	AtStop   string `toml:"at_stop"` // what becomes of open microphones when the daemon is stopped
	Seats    []Seat `toml:"seat"`
}

// What becomes of a desk system's open microphones when the daemon is stopped.
const (
	StopClose = "close" // they close: nobody is left to take the word back
	StopLeave = "leave" // they stay open until their own keys close them
)

// Seat says which unit stands at which seat of the house.
type Seat struct {
	Seat string `toml:"seat"`
	Unit string `toml:"unit"`
	Side string `toml:"side"`
}

// ErrInvalid is wrapped by every complaint about the content of a file.
var ErrInvalid = errors.New("invalid configuration")

// Load reads, completes and checks a file.
func Load(path string) (Config, error) {
	b, err := strict.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Config{}, fmt.Errorf("no configuration at %s; plenumd --example prints one to start from", path)
	}
	if err != nil {
		return Config{}, fmt.Errorf("reading the configuration: %w", err)
	}
	c, err := Parse(b)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Parse reads, completes and checks the text of a file. All complaints come at once, one a line.
func Parse(text []byte) (Config, error) {
	c := defaults()
	unknown, err := strict.Decode(text, &c)
	if err != nil {
		return Config{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	bad := &complaints{text: text}
	for _, k := range unknown {
		bad.at("%s", k)
		bad.add("unknown key %s; see plenumd --example", k)
	}
	c.complete()
	c.tidy(bad)
	c.check(bad)
	return c, bad.join()
}

func defaults() Config {
	return Config{
		Listen: "0.0.0.0:443", Data: "/var/lib/plenum", Socket: "/run/plenum/plenumd.sock",
		Sitting: Sitting{Mode: sitting.ModeChairGrants, Limit: 1, MaxLimit: 4},
		Hall:    Hall{Output: Playback{Device: "null"}},
	}
}

// complete fills what depends on other keys.
func (c *Config) complete() {
	for i := range c.Members {
		if c.Members[i].Role == "" {
			c.Members[i].Role = sitting.RoleMember
		}
	}
	for i := range c.Desks {
		c.Desks[i].AtStop = cmp.Or(c.Desks[i].AtStop, StopClose)
	}
	c.completeDevices()
	if strings.TrimSpace(c.Data) != "" && !filepath.IsAbs(c.Data) {
		if abs, err := filepath.Abs(c.Data); err == nil {
			c.Data = abs
		}
	}
}

// Roster is the sitting's roster: members and the desk systems that serve their seats.
func (c Config) Roster() []sitting.Member {
	desk := map[string]string{}
	for _, d := range c.Desks {
		for _, s := range d.Seats {
			desk[s.Seat] = d.Name
		}
	}
	ms := make([]sitting.Member, 0, len(c.Members))
	for _, m := range c.Members {
		ms = append(ms, sitting.Member{ID: sitting.PersonID(m.ID), Name: m.Name, Group: m.Group, Role: m.Role,
			Seat: sitting.SeatID(m.Seat), Desk: desk[m.Seat], Remote: m.Remote})
	}
	return ms
}
