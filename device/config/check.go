package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"filippo.io/age"

	"plenum/device/names"
	"plenum/device/sitting"
	"plenum/device/strict"
)

// maxComplaints bounds what is told of a file at once; one of another kind has a fault in every line.
const (
	maxComplaints = 50
	maxComplaint  = 400 // characters of each
)

// complaints collects what is wrong, with the lines.
type complaints struct {
	text   []byte // of the file; nil: there is none
	places map[string]int
	where  string
	errs   []error
}

// at says of which key or table the next complaints are.
func (c *complaints) at(format string, args ...any) { c.where = fmt.Sprintf(format, args...) }

func (c *complaints) add(format string, args ...any) {
	said := strict.Printable(fmt.Sprintf(format, args...), maxComplaint)
	if line := c.line(said); line > 0 {
		said = fmt.Sprintf("line %d: %s", line, said)
	}
	c.errs = append(c.errs, fmt.Errorf("%w: %s", ErrInvalid, said))
}

// line is where the key stands that is complained of, or the table it should stand in; 0: nowhere. A complaint of a key at
// the top begins with its name.
func (c *complaints) line(said string) int {
	if c.places == nil {
		c.places = strict.Places(c.text)
	}
	path := c.where
	if path == "" {
		path, _, _ = strings.Cut(said, " ")
		path = strings.TrimSuffix(path, ":")
	}
	for path != "" {
		if line := c.places[path]; line > 0 {
			return line
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return 0
}

// join makes one error of the first complaints; nil when there are none.
func (c *complaints) join() error {
	if n := len(c.errs); n > maxComplaints {
		c.errs = append(c.errs[:maxComplaints:maxComplaints], fmt.Errorf("%w: and %d more", ErrInvalid, n-maxComplaints))
	}
	return errors.Join(c.errs...)
}

func (c Config) check(bad *complaints) {
	if host, port, err := net.SplitHostPort(c.Listen); err != nil {
		bad.add("listen = %q is not host:port, for example \"0.0.0.0:443\"", c.Listen)
	} else if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		bad.add("listen = %q needs a port from 1 to 65535", c.Listen)
	} else if ip, err := netip.ParseAddr(host); err == nil && !ip.Is4() {
		bad.add("listen = %q is IPv6; sound and picture go by IPv4, write an IPv4 address or \"0.0.0.0:%s\"", c.Listen, port)
	}
	c.checkNames(bad)
	c.checkPlaces(bad)
	c.checkBox(bad)
	c.checkSitting(bad)
	seats := c.checkDesks(bad)
	c.checkMembers(bad, seats)
	c.checkCameras(bad)
	c.checkSound(bad, seats)
	c.checkLines(bad)
}

func (c Config) checkBox(bad *complaints) {
	if c.Box.Name != "" && (len(c.Box.Name) > 63 || !hostName().MatchString(c.Box.Name)) {
		bad.add("box.name = %q is no host name: small letters, digits and - (not at the ends), up to 63 characters", c.Box.Name)
	}
	if c.Box.Metrics != "" {
		host, port, err := net.SplitHostPort(c.Box.Metrics)
		if n, noPort := strconv.Atoi(port); err != nil || noPort != nil || n < 1 || n > 65535 || c.Box.Metrics == c.Listen {
			bad.add("box.metrics = %q is not a host:port of its own, for example \"127.0.0.1:9100\"", c.Box.Metrics)
		} else if !near(host) {
			bad.add("box.metrics = %q can be read by anybody: metrics have neither TLS nor a password; write \"127.0.0.1:%s\", or an address of the house's own network", c.Box.Metrics, port)
		}
	}
	if c.Box.VendorKey != "" {
		if _, err := age.ParseRecipients(strings.NewReader(c.Box.VendorKey)); err != nil {
			bad.add("box.vendor_key is no public key of age (age1...): %v", err)
		}
	}
}

func hostName() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`) }

func (c Config) checkSitting(bad *complaints) {
	s := c.Sitting
	if s.Body == "" {
		bad.add("sitting.body is empty; write the name of the council or committee")
	}
	if !slices.Contains([]sitting.Mode{sitting.ModeChairGrants, sitting.ModeFirstCome, sitting.ModeOverride}, s.Mode) {
		bad.add("sitting.mode = %q; possible are chair_grants, first_come, override", s.Mode)
	}
	if s.MaxLimit < 1 || s.MaxLimit > 8 {
		bad.add("sitting.max_limit = %d; possible are 1 to 8", s.MaxLimit)
	}
	if s.Limit < 1 || s.Limit > s.MaxLimit {
		bad.add("sitting.limit = %d; possible are 1 to sitting.max_limit (%d)", s.Limit, s.MaxLimit)
	}
}

// checkDesks returns which seats have a desk.
func (c Config) checkDesks(bad *complaints) map[string]bool {
	names, seats, ports := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i, d := range c.Desks {
		where := fmt.Sprintf("desk %d (%q)", i+1, d.Name)
		bad.at("desk[%d]", i)
		switch {
		case d.Name == "":
			bad.add("%s needs a name", where)
		case names[d.Name]:
			bad.add("%s: this name is taken by another desk", where)
		}
		if d.Dialect != "quinta" {
			bad.add("%s: dialect = %q; possible is quinta", where, d.Dialect)
		}
		if d.AtStop != StopClose && d.AtStop != StopLeave {
			bad.add("%s: at_stop = %q; possible are close, leave", where, d.AtStop)
		}
		if d.Port == "" {
			bad.add("%s: port is empty; name a /dev/serial/by-id/… path or tcp://host:port", where)
		} else if ports[d.Port] {
			bad.add("%s: port %s is used by another desk", where, d.Port)
		}
		names[d.Name], ports[d.Port] = true, true
		units := map[string]bool{}
		for j, s := range d.Seats {
			bad.at("desk[%d].seat[%d]", i, j)
			key := s.Unit + "/" + s.Side
			switch {
			case !unitPattern.MatchString(s.Unit):
				bad.add("%s: seat %q: unit = %q; write the unit's number in six hex digits, for example \"00021E\"", where, s.Seat, s.Unit)
			case s.Side != "" && s.Side != "L" && s.Side != "R":
				bad.add("%s: seat %q: side = %q; possible are L, R or nothing", where, s.Seat, s.Side)
			case units[key]:
				bad.add("%s: unit %s stands at two seats", where, key)
			case s.Seat == "":
				bad.add("%s: unit %s has no seat", where, s.Unit)
			case seats[s.Seat]:
				bad.add("%s: seat %q has two units", where, s.Seat)
			}
			units[key], seats[s.Seat] = true, true
		}
	}
	bad.at("")
	return seats
}

var (
	unitPattern = regexp.MustCompile(`^[0-9A-F]{6}$`)
	idPattern   = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,39}$`)
)

func (c Config) checkMembers(bad *complaints, seats map[string]bool) {
	ids, taken, called, chairs := map[string]bool{}, map[string]bool{}, map[string]bool{}, 0
	for i, m := range c.Members {
		where := fmt.Sprintf("member %d (%q)", i+1, m.Name)
		bad.at("member[%d].id", i)
		switch {
		case !idPattern.MatchString(m.ID):
			bad.add("%s: id = %q; write small letters, digits, dot, dash, underscore, for example \"a.muster\"", where, m.ID)
		case ids[m.ID]:
			bad.add("%s: id %q is taken by another member", where, m.ID)
		case m.ID == ScreenID:
			bad.add("%s: the id %q is kept for the hall screen", where, m.ID)
		}
		bad.at("member[%d].name", i)
		_, unclean := names.Clean(m.Name)
		_, err := names.Person(m.Name)
		switch {
		case unclean != nil: // tidy has complained
		case err != nil:
			bad.add("%s: %v", where, err)
		case called[m.Name]:
			bad.add("%s: two members have this name, or one that looks the same; add a first name or title", where)
		}
		bad.at("member[%d].seat", i)
		if m.Seat != "" && taken[m.Seat] {
			bad.add("%s: seat %q is taken by another member", where, m.Seat)
		} else if m.Seat != "" && !seats[m.Seat] {
			bad.add("%s: no desk stands at seat %q; add it to a [[desk.seat]] table", where, m.Seat)
		}
		bad.at("member[%d].role", i)
		if !slices.Contains([]sitting.Role{sitting.RoleMember, sitting.RoleChair, sitting.RoleClerk, sitting.RoleGuest}, m.Role) {
			bad.add("%s: role = %q; possible are member, chair, clerk, guest", where, m.Role)
		}
		if m.Role == sitting.RoleChair {
			chairs++
			if m.Remote {
				bad.add("%s: the chair leads from the hall; remove remote = true", where)
			}
		}
		ids[m.ID], called[m.Name], taken[m.Seat] = true, true, true
	}
	bad.at("member")
	if len(c.Members) > 0 && chairs != 1 {
		bad.add("exactly one member needs role = \"chair\", there are %d", chairs)
	}
	bad.at("")
}

// ScreenID is the person the hall screen is for the media path; no member may have it.
const ScreenID = "screen"
