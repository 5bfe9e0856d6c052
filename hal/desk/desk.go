// Package desk is the one interface behind which every delegate-microphone system stands, whatever it speaks.
//
// A driver is codec (bytes and messages), session (login, prompts, retries, keep-alive) and mapper (messages and the
// events below). It decides nothing: it reports keys and microphones and carries out orders, and it never says that an
// order was done without the desk having said so.
package desk

import (
	"context"
	"time"
)

// Key names one microphone position of a desk system, as the hardware knows it.
type Key struct {
	ID   string // as the system prints it, e.g. "00021E"
	Side string // "" for a single unit, "L" or "R" for a double one
}

// String gives ID, or ID/side.
func (k Key) String() string {
	if k.Side == "" {
		return k.ID
	}
	return k.ID + "/" + k.Side
}

// Kind names what a desk reported.
type Kind string

// Kinds of events.
const (
	KindMic      Kind = "mic"      // Key, On: a microphone opened or closed
	KindRequest  Kind = "request"  // Key, On: the speak key asks for the word, or takes the request back
	KindSeat     Kind = "seat"     // Key, On: a unit came or went
	KindPriority Kind = "priority" // Priority: the chair's key
	KindHealth   Kind = "health"   // Key, Text: battery, radio
	KindMode     Kind = "mode"     // Text: somebody changed the desk's mode
	KindLink     Kind = "link"     // Link, Text
)

// Priority is what the chair's key asked for.
type Priority string

// Priorities of the chair's key.
const (
	PriorityClear   Priority = "clear"   // all others lose the word
	PriorityHold    Priority = "hold"    // all others are silenced
	PriorityRelease Priority = "release" // the silence ends
	PriorityToggle  Priority = "toggle"  // hold, or release while held: the key knows no state
)

// Link is the state of the connection to the desk system.
type Link string

// Link states. Only a live link feeds the speakers' list.
const (
	LinkDown       Link = "down"
	LinkConnecting Link = "connecting"
	LinkSyncing    Link = "syncing"
	LinkLive       Link = "live"
	LinkDegraded   Link = "degraded"   // live, but with time-outs or damaged frames
	LinkStandalone Link = "standalone" // the desk grants by itself
)

// Origin tells who caused a change at the desk.
type Origin string

// Origins of a change.
const (
	OriginButton Origin = "button" // a key at the unit
	OriginEcho   Origin = "echo"   // the answer to our own order
	OriginOther  Origin = "other"  // another controller, or unknown
)

// Event is one thing a desk reported, duplicates removed.
type Event struct {
	Seq      uint64 // counts from 1 per driver; a gap means the reader was too slow and must take a Snapshot
	Kind     Kind
	Key      Key
	On       bool
	Priority Priority
	Link     Link
	Text     string
	Origin   Origin
	At       time.Time // wall and monotonic time of the first byte of the frame
	Raw      []byte    // the frame, for the log
}

// Outcome is how an order ended. There is no fourth way.
type Outcome string

// Outcomes of an order.
const (
	Confirmed Outcome = "confirmed" // the desk said so
	Refused   Outcome = "refused"   // the desk said no
	Unknown   Outcome = "unknown"   // no answer in time: compare with a snapshot
)

// Result is the end of an order. Reason is plain text for people, empty when confirmed.
type Result struct {
	Outcome Outcome
	Reason  string
}

// Authority tells who grants: the desk by itself, or the host.
type Authority string

// Authorities.
const (
	DeskGrants Authority = "desk"
	HostGrants Authority = "host"
)

// Caps tells what a dialect can do.
type Caps struct {
	Dialect   string
	Authority Authority     // what the driver sets and verifies at start
	Snapshot  bool          // the desk can be asked for its whole state; else the driver asserts what it knows
	Position  bool          // the desk reports the place in its own list
	Lamps     bool          // the desk's lamps can be set one by one
	MaxOpen   int           // simultaneous microphones, 0: not known
	Timeout   time.Duration // after this an order without an answer is Unknown
}

// Seat is what a snapshot says of one position.
type Seat struct {
	Key     Key
	Online  bool
	Open    bool // microphone
	Request bool
	Chair   bool
}

// Snapshot is the desk's whole state. It is compared with ours, never replayed as new presses.
type Snapshot struct {
	At    time.Time
	Link  Link
	Seats []Seat
}

// Driver is one desk system.
//
// Run connects, logs in, sets and verifies the authority, and serves until ctx ends or the line breaks; the supervisor
// calls it again. When ctx ends it closes the microphones or leaves them to the desk, as it was told, before it returns. The other methods may be called from any goroutine at any time; without a live link they end Refused
// or Unknown, never hang past Caps().Timeout plus the order before them.
type Driver interface {
	Run(ctx context.Context) error
	Caps() Caps
	Events() <-chan Event
	Snapshot(ctx context.Context) (Snapshot, error)
	SetMic(ctx context.Context, key Key, on bool) Result
	SetRequest(ctx context.Context, key Key, on bool) Result
	AllOff(ctx context.Context) Result
}

// Lamp is what a position shows to the one who sits there.
type Lamp string

// Lamps, nearest match per dialect.
const (
	LampOff      Lamp = "off"
	LampWaiting  Lamp = "waiting"
	LampNext     Lamp = "next"
	LampSpeaking Lamp = "speaking"
)

// Indicator is implemented by drivers whose desks have lamps of their own to set.
type Indicator interface {
	Indicate(ctx context.Context, key Key, lamp Lamp) Result
}
