package update

import (
	"context"
	"errors"
	"strings"
	"time"
)

// Reason says why a bundle is refused, or why its installation failed.
type Reason string

// Reasons for refusing what is on a stick.
const (
	NoBundle    Reason = "no-bundle"
	TwoBundles  Reason = "two-bundles"
	TwoSticks   Reason = "two-sticks"
	Unreadable  Reason = "unreadable" // the stick
	Foreign     Reason = "foreign"    // not signed for this box, or changed afterwards
	TooEarly    Reason = "too-early"  // by the box's clock the signature is not valid yet
	Expired     Reason = "expired"    // by the box's clock the signature is not valid any more
	Damaged     Reason = "damaged"    // the file
	WrongBox    Reason = "wrong-box"
	NoVersion   Reason = "no-version"
	SameVersion Reason = "same-version"
	Older       Reason = "older"
)

// Reasons why an installation failed, or could not begin. Damaged, Foreign and others can come here too.
const (
	Absent  Reason = "absent"  // RAUC does not answer
	Denied  Reason = "denied"  // RAUC may not be asked
	Engaged Reason = "engaged" // RAUC is at something else
	Gone    Reason = "gone"    // the stick
	Changed Reason = "changed" // the stick holds something else than was offered
	TooBig  Reason = "too-big" // for the slot
	Full    Reason = "full"    // the data partition takes nothing
	NoSlot  Reason = "no-slot" // there is no second slot, or it cannot be written
	Stalled Reason = "stalled" // it took too long
	Trouble Reason = "trouble" // anything else
)

// passing reports whether a reason may pass by itself, so that the stick is looked at again.
func (r Reason) passing() bool { return r == Absent || r == Engaged }

// final reports whether a stick is of no more use after an installation that failed for this reason.
func (r Reason) final() bool {
	switch r {
	case Foreign, TooEarly, Expired, Damaged, WrongBox, Older, Gone, Changed, TooBig:
		return true
	}
	return false
}

// hint is a part of what RAUC says, in small letters, and what it means.
type hint struct {
	part string
	why  Reason
}

// hints are RAUC's words from 1.8 to 1.15 (src/signature.c, bundle.c, install.c, update_handler.c there), and OpenSSL's
// in them. The first that fits counts.
func hints() []hint {
	return []hint{
		{"not yet valid", TooEarly},
		{"has expired", Expired},
		{"signature verification failed", Foreign},
		{"failed to verify x509", Foreign},
		{"allowed-signer-cns", Foreign},
		{"unexpected hash", Changed},
		{"compatible mismatch", WrongBox},
		{"version mismatch", Older},
		{"bundle rejected", WrongBox},
		{"already processing", Engaged},
		{"does not fit to slot", TooBig},
		{"is too small for image", TooBig},
		{"larger than size-limit", TooBig},
		{"no space left", Full},
		{"status file", Full},
		{"error writing", NoSlot},
		{"opening output device", NoSlot},
		{"syncing content", NoSlot},
		{"mounted", NoSlot},
		{"no target slot", NoSlot},
		{"target group", NoSlot},
		{"failed marking slot", NoSlot},
		{"failed to activate", NoSlot},
		{"destination device", NoSlot},
		{"failed to start bundle hook", Trouble},
		{"input/output error", Damaged},
		{"payload is corrupted", Damaged},
		{"device failed between", Damaged},
		{"invalid bundle format", Damaged},
		{"failed to load manifest", Damaged},
		{"bundle size", Damaged},
		{"signature size", Damaged},
		{"payload size", Damaged},
		{"parse signature", Damaged},
		{"no valid cms", Damaged},
		{"failed splicing", Damaged},
		{"failed to copy data", Damaged},
		{"failed to read", Damaged},
		{"mount point", Trouble},
		{"failed mounting bundle", Damaged},
		{"no such file", Gone},
	}
}

// known finds the reason in an error, and none when it says nothing that is known.
func known(err error) Reason {
	switch {
	case errors.Is(err, ErrAbsent):
		return Absent
	case errors.Is(err, ErrRefused):
		return Denied
	case errors.Is(err, ErrGone):
		return Gone
	case errors.Is(err, ErrBusy):
		return Engaged
	case errors.Is(err, errChanged):
		return Changed
	case errors.Is(err, errNoSlot):
		return NoSlot
	case errors.Is(err, errNote) || full(err):
		return Full
	case errors.Is(err, context.DeadlineExceeded):
		return Stalled
	}
	words := strings.ToLower(err.Error())
	for _, h := range hints() {
		if strings.Contains(words, h.part) {
			return h.why
		}
	}
	return ""
}

// seen is why RAUC did not like a bundle when it was looked at. RAUC 1.8 gives no reason over the bus: then a file that
// is built like a bundle bears a foreign signature, and any other is damaged.
func seen(err error, path string) Reason {
	switch r := known(err); r {
	case "":
	case Gone, Stalled, Trouble, Changed, TooBig, Full, NoSlot:
		return Unreadable // these are for later: now nothing but the stick can be meant
	default:
		return r
	}
	b, err := readManifest(path)
	if err != nil {
		return Damaged
	}
	if at, ok := built(b); ok && time.Now().Before(at) {
		return TooEarly
	}
	return Foreign
}

// broken is why an installation failed.
func broken(err error) Reason {
	if r := known(err); r != "" {
		return r
	}
	return Trouble
}
