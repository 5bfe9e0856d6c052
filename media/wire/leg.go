package wire

// Direction tells what a peer does, seen from the peer.
type Direction string

// The two directions of a leg.
const (
	Publish Direction = "publish" // WHIP: the peer sends
	Play    Direction = "play"    // WHEP: the peer receives
)

// Leg is the state of one peer connection as it is shown and journaled.
type Leg struct {
	Person    string
	Direction Direction
	Session   uint64 // counts up; a later session of the same person has a higher number
	Up        bool   // connected, encrypted as the profile demands
	Audio     bool   // sound packets came from the peer (publish) or went to it and arrive (play) in the last 2 s
	Video     bool   // the same for pictures
	Arrives   bool   // the peer's reports say that it gets what it is sent, or nothing was sent (play)
	Missing   string // codec of a slot that the peer has not negotiated: nothing of it was sent in the last 2 s (play); "" = none
	DTLS      string // negotiated version, "1.2"; "" before the connection
	Cipher    string // negotiated DTLS suite, IANA name
	SRTP      string // negotiated SRTP profile, IANA name
	Peer      string // address the session was asked for from, "ip:port" of the HTTP request
	Reason    string // why the session ended, "" while it lives
}

// LegStats adds figures that change all the time.
type LegStats struct {
	Leg
	Packets     uint64  // media packets received (publish) or sent (play)
	LeftOut     uint64  // packets not sent because the peer has not negotiated their codec (play)
	Resent      uint64  // packets sent again on request (play)
	Loss        float64 // worst share of packets lost in the peer's last reports, 0..1 (play)
	Estimate    int     // what the peer's line carries by transport-wide feedback, bit/s; 0 = no feedback yet (play)
	KeyRequests uint64  // key frames the peer asked for (play) or was asked for (publish)
}
