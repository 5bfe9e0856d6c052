package console

import (
	"time"

	"plenum/device/access"
	"plenum/device/clerk"
	"plenum/device/sitting"
)

// View is the sitting as one viewer may see it. Times are RFC 3339 in UTC with milliseconds.
type View struct {
	Seq      uint64        `json:"seq"`      // number of the last event in it
	Now      string        `json:"now"`      // the box's clock
	Recorded bool          `json:"recorded"` // false: the journal cannot be written, and every page says so
	Body     string        `json:"body"`
	Phase    sitting.Phase `json:"phase"`
	OpenedAt string        `json:"opened_at,omitempty"`
	Mode     sitting.Mode  `json:"mode"`
	Limit    int           `json:"limit"`
	MaxLimit int           `json:"max_limit"`
	Silenced bool          `json:"silenced"`
	Me       Me            `json:"me"`
	Speakers []Speaker     `json:"speakers"` // in the order of their grants
	Requests []Request     `json:"requests"` // in the order of the list
	People   []Person      `json:"people"`   // in the order of the roster
	Word     Word          `json:"word"`
	Desks    []Desk        `json:"desks"`
	Faults   []Fault       `json:"faults"` // for the chair only
	Media    Media         `json:"media"`

	Alarm     *Alarm     `json:"alarm"`     // nil: none stands
	Items     []Item     `json:"items"`     // for the chair only
	Overrides []Override `json:"overrides"` // for the chair only
}

// Me is the viewer.
type Me struct {
	ID   sitting.PersonID `json:"id"`
	Name string           `json:"name"`
	Role sitting.Role     `json:"role"` // of the token, with screen beside the roster's
}

// Speaker is somebody who has the word.
type Speaker struct {
	Person sitting.PersonID `json:"person"`
	Name   string           `json:"name"`
	Group  string           `json:"group"`
	Seat   sitting.SeatID   `json:"seat"` // where they speak; empty when remote
	Origin sitting.Origin   `json:"origin"`
	Since  string           `json:"since"`
	Rule   sitting.Rule     `json:"rule"`
	Chair  bool             `json:"chair"` // not counted against the limit
	Mic    sitting.Mic      `json:"mic"`
	Grant  uint64           `json:"grant"`
}

// Request is a raised hand.
type Request struct {
	ID        uint64           `json:"id"`
	Person    sitting.PersonID `json:"person"`
	Name      string           `json:"name"`
	Group     string           `json:"group"`
	Seat      sitting.SeatID   `json:"seat"`
	Origin    sitting.Origin   `json:"origin"`
	At        string           `json:"at"`
	EnteredBy sitting.Role     `json:"entered_by,omitempty"`
	Moved     bool             `json:"moved,omitempty"`
	Failed    bool             `json:"failed,omitempty"` // its microphone did not open
}

// Person is a line of the roster with how they take part now. Media is for the chair and for oneself.
type Person struct {
	ID       sitting.PersonID `json:"id"`
	Name     string           `json:"name"`
	Group    string           `json:"group"`
	Role     sitting.Role     `json:"role"`
	Seat     sitting.SeatID   `json:"seat"`
	Remote   bool             `json:"remote"`
	Presence sitting.Presence `json:"presence"`
	Media    *Leg             `json:"media,omitempty"`
}

// Leg is a remote person's media connection. Empty strings: not known yet.
type Leg struct {
	Publishes bool   `json:"publishes"`
	Plays     bool   `json:"plays"`
	Audio     bool   `json:"audio"`
	Video     bool   `json:"video"`
	DTLS      string `json:"dtls"`
	Cipher    string `json:"cipher"`
	SRTP      string `json:"srtp"`
}

// Word is who stands in the word slot.
type Word struct {
	Kind   sitting.SourceKind `json:"kind"`
	Seat   sitting.SeatID     `json:"seat,omitempty"`
	Person sitting.PersonID   `json:"person,omitempty"`
	Name   string             `json:"name,omitempty"`
}

// Desk is a desk system and its connection.
type Desk struct {
	Name   string       `json:"name"`
	Link   sitting.Link `json:"link"`
	Reason string       `json:"reason,omitempty"`
}

// Fault is a microphone that did not do what the sitting decided.
type Fault struct {
	Seat   sitting.SeatID `json:"seat"`
	Name   string         `json:"name"` // who sits there
	On     bool           `json:"on"`   // what was ordered
	Reason string         `json:"reason"`
	At     string         `json:"at"`
}

// Media is what the pages must know to ask for sound and picture.
type Media struct {
	Voices int `json:"voices"`
}

// build makes the view of one viewer. It is pure.
func build(snap clerk.Snapshot, viewer access.Identity, voices int, now time.Time) View {
	s := snap.State
	v := View{
		Seq: snap.Seq, Now: stamp(now), Recorded: snap.Recorded,
		Body: s.Body, Phase: s.Phase, OpenedAt: stamp(s.OpenedAt),
		Mode: s.Mode, Limit: s.Limit, MaxLimit: s.MaxLimit, Silenced: s.Silenced,
		Me:       Me{ID: viewer.Person, Role: viewer.Role},
		Speakers: make([]Speaker, 0, len(s.Speakers)),
		Requests: make([]Request, 0, len(s.Requests)),
		People:   make([]Person, 0, len(s.Roster)),
		Desks:    make([]Desk, 0, len(s.Desks)),
		Faults:   []Fault{},
		Media:    Media{Voices: voices},
	}
	members := make(map[sitting.PersonID]sitting.Member, len(s.Roster))
	for _, p := range s.Roster {
		members[p.ID] = p.Member
		v.People = append(v.People, person(s, p, viewer))
	}
	v.Me.Name = members[viewer.Person].Name
	for _, sp := range s.Speakers {
		m := members[sp.Person]
		v.Speakers = append(v.Speakers, Speaker{
			Person: sp.Person, Name: m.Name, Group: m.Group, Seat: sp.Seat, Origin: sp.Origin,
			Since: stamp(sp.Since), Rule: sp.Rule, Chair: sp.Chair, Mic: sp.Mic, Grant: sp.Grant,
		})
	}
	for _, r := range s.Requests {
		m := members[r.Person]
		v.Requests = append(v.Requests, Request{
			ID: r.ID, Person: r.Person, Name: m.Name, Group: m.Group, Seat: r.Seat, Origin: r.Origin,
			At: stamp(r.At), EnteredBy: r.EnteredBy, Moved: r.Moved, Failed: r.Failed,
		})
	}
	for _, d := range s.Desks {
		v.Desks = append(v.Desks, Desk{Name: d.Name, Link: d.Link, Reason: d.Reason})
	}
	if viewer.Role == sitting.RoleChair {
		for _, f := range s.Faults {
			p, _ := s.AtSeat(f.Seat)
			v.Faults = append(v.Faults, Fault{Seat: f.Seat, Name: p.Name, On: f.On, Reason: f.Reason, At: stamp(f.At)})
		}
	}
	v.showHouse(s, viewer)
	src := s.Word()
	v.Word = Word{Kind: src.Kind, Seat: src.Seat, Person: src.Person, Name: members[src.Person].Name}
	return v
}

// person makes a line of the roster, with the media connection for those who may see it.
func person(s sitting.State, p sitting.Person, viewer access.Identity) Person {
	line := Person{
		ID: p.ID, Name: p.Name, Group: p.Group, Role: p.Role, Seat: p.Seat, Remote: p.Remote, Presence: s.Presence(p),
	}
	self := viewer.Person == p.ID && viewer.Role != access.RoleScreen
	if p.Remote && (self || viewer.Role == sitting.RoleChair) {
		line.Media = &Leg{
			Publishes: p.Leg.Publishes, Plays: p.Leg.Plays, Audio: p.Leg.Audio, Video: p.Leg.Video,
			DTLS: p.Leg.DTLS, Cipher: p.Leg.Cipher, SRTP: p.Leg.SRTP,
		}
	}
	return line
}

// stamp writes a time as RFC 3339 in UTC with milliseconds; the zero time is empty.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
}
