package sitting

// EffectKind names an order to the devices.
type EffectKind string

// Kinds of effects.
const (
	EffectMic   EffectKind = "mic"   // [Seat, On, Grant] open or close a desk microphone
	EffectCarry EffectKind = "carry" // [Person, On] let a remote member's sound and picture through, or stop it
	EffectStage EffectKind = "stage" // [Source] who stands in the word slot
	EffectLamp  EffectKind = "lamp"  // [Seat, Lamp] what the desk at the seat shows

	// EffectTransmit [On] lets sound and picture of hall and members out to people's links and to screens, or nothing of
	// either. Whoever carries it out transmits nothing before the first such order.
	EffectTransmit EffectKind = "transmit"
)

// Lamp is what a seat's desk shows, where it can.
type Lamp string

// Lamps of a desk.
const (
	LampOff      Lamp = "off"
	LampWaiting  Lamp = "waiting"
	LampNext     Lamp = "next"
	LampSpeaking Lamp = "speaking"
)

// SourceKind says what kind of picture stands in the word slot.
type SourceKind string

// Kinds of word-slot pictures.
const (
	SourceHall   SourceKind = "hall"   // nobody speaks: the wide shot
	SourceSeat   SourceKind = "seat"   // the hall camera on a seat
	SourceRemote SourceKind = "remote" // a remote member's own camera
)

// Source is who stands in the word slot.
type Source struct {
	Kind   SourceKind `json:"kind"`
	Seat   SeatID     `json:"seat,omitempty"`
	Person PersonID   `json:"person,omitempty"`
}

// Effect is one order to a device. Effects are carried out only after their event is on disk.
type Effect struct {
	Kind   EffectKind `json:"kind"`
	Seat   SeatID     `json:"seat,omitempty"`
	Person PersonID   `json:"person,omitempty"`
	On     bool       `json:"on,omitempty"`
	Grant  uint64     `json:"grant,omitempty"` // to be handed back with the desk's answer
	Lamp   Lamp       `json:"lamp,omitempty"`
	Source *Source    `json:"source,omitempty"`
}
