// Package sitting is the pure core of Plenum: who may speak, in which order, and what follows from it.
//
// A sitting is a fold over events: state = fold(Apply, events). Nothing in here reads a clock, starts a goroutine,
// touches a device or imports another room of the house. Time is in the event; devices follow the effects.
package sitting

import "time"

// RulesVersion is the version of the rules in this package. It is journaled with every decision, so that an update
// never rewrites the past: a journal of a newer version is refused, an older one is folded by its own rules where they
// differ from the present ones.
//
// Version 2 added the alarm and the items that an opening counts on. Every rule it brought asks first whether there is
// an alarm or an item, and only events of its own kinds bring either: a record of version 1 has no such event before
// it, and each of its rules stands as it stood. So the present rules fold it to the very same state with the very same
// effects, and a sitting opened under version 1 goes on under version 2 without a seam.
//
// Version 3 takes rights away and adds an order. Whoever leads has the rights that are listed (rights) and no longer yields
// or lowers in a member's name; what version 3 accepts, version 2 would have decided alike. And sound and picture go out in
// an open sitting only, by the order to transmit, which changes no state. Repeat folds what older versions accepted by their
// rights and without that order: testdata/rules1.json and rules2.json, decided by versions 1 and 2, prove it.
const RulesVersion = 3

// transmitRules is the first version that orders to transmit.
const transmitRules = 3

// PersonID names one person of the roster, stable over reconnects, restarts and other browsers.
type PersonID string

// SeatID is the name of a place in the house as people say it ("7"). Which desk hardware stands there is the
// installer's table (package config), not the core's business.
type SeatID string

// Role is what a person is in the sitting, or what kind of actor sent an event.
type Role string

// The first four are roles of people in the roster, the others only act.
const (
	RoleMember   Role = "member"   // Gremienmitglied
	RoleChair    Role = "chair"    // Sitzungsleitung
	RoleClerk    Role = "clerk"    // Schriftführung
	RoleGuest    Role = "guest"    // Gast
	RoleOperator Role = "operator" // the technician at the box's own unix socket
	RoleBox      Role = "box"      // the appliance itself: desks, media legs, timers
)

// Origin tells by which way a person takes part when asking for the word.
type Origin string

// Ways of a request into the one list.
const (
	OriginDesk   Origin = "desk"   // the microphone desk in the hall
	OriginRemote Origin = "remote" // a browser
	OriginText   Origin = "text"   // real-time text
)

// Mode is the rule by which requests become the word.
type Mode string

// Modes of the speakers' list.
const (
	ModeChairGrants Mode = "chair_grants" // the chair grants (default)
	ModeFirstCome   Mode = "first_come"   // first come, first served, up to the limit
	ModeOverride    Mode = "override"     // a new speaker displaces the one who has spoken longest
)

// Phase is where the sitting stands.
type Phase string

// Phases of a sitting.
const (
	PhaseReady  Phase = "ready"  // not opened yet
	PhaseOpen   Phase = "open"   // requests and the word are possible
	PhaseClosed Phase = "closed" // ended
)

// Member is a line of the roster.
type Member struct {
	ID     PersonID `json:"id"`
	Name   string   `json:"name"`
	Group  string   `json:"group,omitempty"` // parliamentary group
	Role   Role     `json:"role"`
	Seat   SeatID   `json:"seat,omitempty"`   // empty: no place in the hall
	Desk   string   `json:"desk,omitempty"`   // desk system that serves the seat
	Remote bool     `json:"remote,omitempty"` // may take part remotely; never true for the chair (N14)
}

// Presence is how a person takes part at this moment.
type Presence string

// Presence of a person. Remote counts only while sound and picture work both ways.
const (
	PresenceAbsent     Presence = "absent"
	PresenceHall       Presence = "hall"
	PresenceRemote     Presence = "remote"
	PresenceConnecting Presence = "connecting" // connected, but sound and picture do not work both ways
)

// Leg is what is known of a remote person's media connection. Empty strings: not known yet.
type Leg struct {
	Publishes bool   `json:"publishes"` // the person's connection to us stands
	Plays     bool   `json:"plays"`     // our connection to the person stands, and what is sent on it arrives
	Audio     bool   `json:"audio"`     // sound of the person arrives
	Video     bool   `json:"video"`     // picture of the person arrives
	DTLS      string `json:"dtls,omitempty"`
	Cipher    string `json:"cipher,omitempty"`
	SRTP      string `json:"srtp,omitempty"`
}

// Complete reports whether sound and picture work both ways.
func (l Leg) Complete() bool { return l.Publishes && l.Plays && l.Audio && l.Video }

// Person is a member with what is known of them now.
type Person struct {
	Member
	SeatOnline bool `json:"seat_online,omitempty"` // the desk unit at the seat answers
	Leg        Leg  `json:"leg"`
}

// Request is one raised hand (Wortmeldung).
type Request struct {
	ID        uint64    `json:"id"`
	Person    PersonID  `json:"person"`
	Seat      SeatID    `json:"seat,omitempty"`
	Origin    Origin    `json:"origin"`
	At        time.Time `json:"at"`                   // when it arrived at the box
	EnteredBy Role      `json:"entered_by,omitempty"` // set when somebody else entered it
	Moved     bool      `json:"moved,omitempty"`      // the chair gave it its place
	Failed    bool      `json:"failed,omitempty"`     // its microphone did not open; waits for the chair
}

// Rule tells why somebody has the word.
type Rule string

// Rules by which the word was given.
const (
	RuleChair     Rule = "chair"      // granted by the chair
	RuleNext      Rule = "next"       // next in the list, called by the chair
	RuleFirstCome Rule = "first_come" // by arrival
	RuleOverride  Rule = "override"   // displaced the longest speaker
	RuleChairKey  Rule = "chair_key"  // the chair's own microphone
)

// Mic is what the device in front of the speaker says.
type Mic string

// States of a speaker's microphone.
const (
	MicOpening Mic = "opening" // ordered, not confirmed yet
	MicOpen    Mic = "open"    // confirmed
)

// Speaker is somebody who has the word.
type Speaker struct {
	Person  PersonID  `json:"person"`
	Seat    SeatID    `json:"seat,omitempty"` // empty when speaking remotely
	Origin  Origin    `json:"origin"`
	Since   time.Time `json:"since"`
	Rule    Rule      `json:"rule"`
	Chair   bool      `json:"chair,omitempty"` // not counted against the limit
	Mic     Mic       `json:"mic"`
	Request *Request  `json:"request,omitempty"` // what it came from; returns to the list when the microphone does not open
	Place   int       `json:"place,omitempty"`   // where that request stood
	Grant   uint64    `json:"grant"`             // number of this grant
}

// Link is the state of the connection to a desk system.
type Link string

// Link states, as in hal/desk. Only a live desk feeds the list.
const (
	LinkDown       Link = "down"
	LinkConnecting Link = "connecting"
	LinkSyncing    Link = "syncing"
	LinkLive       Link = "live"
	LinkDegraded   Link = "degraded"
	LinkStandalone Link = "standalone"
)

// Desk is one desk system and its connection.
type Desk struct {
	Name   string `json:"name"`
	Link   Link   `json:"link"`
	Reason string `json:"reason,omitempty"`
}

// Fault is a microphone that did not do what the sitting decided.
type Fault struct {
	Seat   SeatID    `json:"seat"`
	On     bool      `json:"on"` // what was ordered
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// State is the whole sitting. It is a value: Apply never changes the one it was given.
type State struct {
	Rules    int       `json:"rules"` // version of the rules that decide what comes next
	Body     string    `json:"body"`
	Phase    Phase     `json:"phase"`
	OpenedAt time.Time `json:"opened_at,omitzero"`
	ClosedAt time.Time `json:"closed_at,omitzero"`
	Mode     Mode      `json:"mode"`
	Limit    int       `json:"limit"`     // simultaneous speakers, hall and remote together, chair not counted
	MaxLimit int       `json:"max_limit"` // what the house can carry at most
	Roster   []Person  `json:"roster"`
	Requests []Request `json:"requests"`
	Speakers []Speaker `json:"speakers"` // in the order of their grants
	Silenced bool      `json:"silenced"` // the chair holds priority: nobody else is heard
	Desks    []Desk    `json:"desks"`
	Faults   []Fault   `json:"faults"`
	Next     uint64    `json:"next"` // the next request or grant number

	Alarm     *Alarm     `json:"alarm,omitempty"` // nil: none stands
	Items     []Item     `json:"items"`           // what the sitting counts on
	Overrides []Override `json:"overrides"`       // what was red when it was opened; kept until the next one opens
}

// Person finds a person of the roster.
func (s State) Person(id PersonID) (Person, bool) {
	for _, p := range s.Roster {
		if p.ID == id {
			return p, true
		}
	}
	return Person{}, false
}

// Presence tells how the person takes part now. A seat counts only while its desk system answers.
func (s State) Presence(p Person) Presence {
	switch {
	case !p.Remote && s.answers(p): // whoever only watches by a browser sits in the hall
		return PresenceHall
	case p.Leg.Complete():
		return PresenceRemote
	case p.Leg.Publishes || p.Leg.Plays:
		return PresenceConnecting
	case s.answers(p):
		return PresenceHall
	}
	return PresenceAbsent
}

// answers reports whether the desk in front of the person can be reached.
func (s State) answers(p Person) bool {
	return p.Seat != "" && p.SeatOnline && s.live(p.Desk)
}

// live reports whether the named desk system can carry out orders. No name: there is nothing to wait for.
func (s State) live(desk string) bool {
	if desk == "" {
		return true
	}
	for _, d := range s.Desks {
		if d.Name == desk {
			return d.Link == LinkLive || d.Link == LinkDegraded
		}
	}
	return false
}

// AtSeat finds who sits at a seat.
func (s State) AtSeat(seat SeatID) (Person, bool) {
	for _, p := range s.Roster {
		if seat != "" && p.Seat == seat {
			return p, true
		}
	}
	return Person{}, false
}

// Speaking returns the index of the person among the speakers, or -1.
func (s State) Speaking(id PersonID) int {
	for i, sp := range s.Speakers {
		if sp.Person == id {
			return i
		}
	}
	return -1
}

// Waiting returns the index of the person's request in the list, or -1.
func (s State) Waiting(id PersonID) int {
	for i, r := range s.Requests {
		if r.Person == id {
			return i
		}
	}
	return -1
}

// Counted is the number of speakers that count against the limit.
func (s State) Counted() int {
	n := 0
	for _, sp := range s.Speakers {
		if !sp.Chair {
			n++
		}
	}
	return n
}
