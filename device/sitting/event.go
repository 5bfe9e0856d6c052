package sitting

import (
	"errors"
	"fmt"
	"time"
)

// Kind names what happened or is asked for.
type Kind string

// Kinds of events. In brackets: the fields that matter beside Kind, At and By.
const (
	KindRoster   Kind = "roster"     // [Body, Roster, Mode, Limit, MaxLimit] who takes part, by which rules
	KindOpen     Kind = "open"       // [Overrides] the chair opens the sitting, although these items may be red
	KindClose    Kind = "close"      // the chair closes the sitting
	KindRules    Kind = "rules"      // [Mode, Limit]
	KindRequest  Kind = "request"    // [Person or Seat, Origin] a raised hand or desk key; Queue: the chair wants to wait in the list
	KindLower    Kind = "lower"      // [Person or Seat] the hand is taken down by its owner, never by another
	KindRefuse   Kind = "refuse"     // [Person, Reason] the chair strikes a request
	KindMove     Kind = "move"       // [Person, Index] the chair gives a request its place, 0 is the front
	KindGrant    Kind = "grant"      // [Person] the chair gives the word, with or without a request
	KindNext     Kind = "next"       // the longest speaker gives way, the first in the list gets the word
	KindWithdraw Kind = "withdraw"   // [Person] the chair takes the word
	KindYield    Kind = "yield"      // [Person or Seat] the speaker gives the word back, never another for them
	KindPriority Kind = "priority"   // [Priority] the chair's priority key
	KindMic      Kind = "mic"        // [Seat, On, Grant] a desk reports its microphone
	KindMicFail  Kind = "mic_failed" // [Seat, On, Grant, Reason] a desk refused or did not confirm an order
	KindSeat     Kind = "seat"       // [Seat, On] a desk unit came or went
	KindLeg      Kind = "leg"        // [Person, Leg] a remote media connection changed
	KindDesk     Kind = "desk"       // [Desk] the connection to a desk system changed
	KindAlarm    Kind = "alarm"      // [On, Reason] an alarm contact closed or opened; Reason is the contact's name, the same both times
	KindAllClear Kind = "all_clear"  // the alarm is ended: by the chair when it is over, by the technician at any time
	KindItems    Kind = "items"      // [Items] what the sitting counts on; known ids keep their colour
	KindItem     Kind = "item"       // [Item] what is known of one of them now
)

// Priority is what the chair's priority key asks for.
type Priority string

// Kinds of priority.
const (
	PriorityClear   Priority = "clear"   // everybody but the chair loses the word
	PriorityHold    Priority = "hold"    // everybody but the chair is silenced until released
	PriorityRelease Priority = "release" // those silenced are heard again
	PriorityToggle  Priority = "toggle"  // hold, or release while held: a desk's key knows no state
)

// Actor is who caused an event. Rights are decided here in the core, not by the adapters.
type Actor struct {
	Role   Role     `json:"role"`
	Person PersonID `json:"person,omitempty"`
}

// Event is one thing that happened or is asked for. It is plain data; fields a kind does not use are empty.
type Event struct {
	Kind     Kind      `json:"kind"`
	At       time.Time `json:"at"` // when it reached the box (for a desk: the first byte of the frame)
	By       Actor     `json:"by"`
	Person   PersonID  `json:"person,omitempty"`
	Seat     SeatID    `json:"seat,omitempty"`
	Origin   Origin    `json:"origin,omitempty"`
	Queue    bool      `json:"queue,omitempty"`
	Index    int       `json:"index,omitempty"`
	On       bool      `json:"on,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Grant    uint64    `json:"grant,omitempty"` // the grant whose order a desk answers; 0: a key at the desk
	Priority Priority  `json:"priority,omitempty"`
	Body     string    `json:"body,omitempty"`
	Mode     Mode      `json:"mode,omitempty"`
	Limit    int       `json:"limit,omitempty"`
	MaxLimit int       `json:"max_limit,omitempty"`
	Roster   []Member  `json:"roster,omitempty"`
	Leg      *Leg      `json:"leg,omitempty"`
	Desk     *Desk     `json:"desk,omitempty"`

	Overrides []string `json:"overrides,omitempty"` // ids of items
	Item      *Item    `json:"item,omitempty"`
	Items     []Item   `json:"items,omitempty"`
}

// Reasons why an event is refused. A refused event changes nothing and is not journaled.
var (
	ErrNotAllowed     = errors.New("not allowed for this role")
	ErrTheirOwn       = fmt.Errorf("%w: only they do this themselves; take the word with withdraw, strike the request with refuse", ErrNotAllowed)
	ErrNotOpen        = errors.New("the sitting is not open")
	ErrAlreadyOpen    = errors.New("the sitting is already open")
	ErrUnknownPerson  = errors.New("this person is not on the roster")
	ErrUnknownSeat    = errors.New("nobody of the roster sits at this seat")
	ErrAlreadyListed  = errors.New("this person is already on the list")
	ErrNotListed      = errors.New("this person is not on the list")
	ErrAlreadySpeaks  = errors.New("this person already has the word")
	ErrNotSpeaking    = errors.New("this person does not have the word")
	ErrLimit          = errors.New("as many people as allowed have the word already")
	ErrSilenced       = errors.New("the chair holds priority; release it first")
	ErrListEmpty      = errors.New("nobody is waiting")
	ErrNoWay          = errors.New("this person has neither a desk that answers nor a remote connection")
	ErrAlarm          = errors.New("an alarm stands: nobody has the word until it is ended")
	ErrNotReady       = errors.New("the sitting is not ready to open")
	ErrInvalid        = errors.New("the event is incomplete or contradicts itself")
	ErrNothingChanged = errors.New("nothing changed")
)
