package diag

import (
	"context"
	"errors"
	"fmt"

	"plenum/device/stick"
)

// State is how far a diagnosis is.
type State string

// States of a diagnosis.
const (
	Idle    State = "idle"
	Writing State = "writing"
	Written State = "written"
	Failed  State = "failed"
)

// View is what panel and command line show.
type View struct {
	State     State  `json:"state"`
	File      string `json:"file"` // its name on the stick
	Encrypted bool   `json:"encrypted"`
	DE        string `json:"text_de"`
	EN        string `json:"text_en"`
}

// view says in plain words how it went.
func (r result) view(err error) View {
	v := View{State: Failed}
	switch {
	case err == nil:
		v = View{State: Written, File: r.file, Encrypted: r.encrypted}
		mb := float64(r.size) / 1e6
		v.DE = fmt.Sprintf("Die Diagnose ist geschrieben: %s (%.1f MB). Der Stick kann abgezogen werden.", r.file, mb)
		v.EN = fmt.Sprintf("The diagnosis is written: %s (%.1f MB). You can take the stick out.", r.file, mb)
		if r.cut {
			v.DE += " Ältere Protokolle wurden aus Platzgründen weggelassen."
			v.EN += " Older logs were left out for want of room."
		}
		if r.encrypted {
			v.DE += " Nur der Hersteller kann sie lesen."
			v.EN += " Only the vendor can read it."
		} else {
			v.DE += " Sie ist nicht verschlüsselt und nennt Personen: bitte nur dem Hersteller geben und den Stick danach löschen."
			v.EN += " It is not encrypted and names people: give it to the vendor only and wipe the stick afterwards."
		}
	case errors.Is(err, ErrReadOnly):
		v.DE, v.EN = "Der Stick ist schreibgeschützt. Bitte den Schalter am Stick umlegen oder einen anderen nehmen.", "The stick is write-protected. Turn its switch or take another."
	case errors.Is(err, ErrFull):
		v.DE, v.EN = "Der Stick ist voll. Bitte Platz schaffen und noch einmal einstecken.", "The stick is full. Make room and plug it in again."
	case errors.Is(err, ErrPulled):
		v.DE, v.EN = "Der Stick wurde beim Schreiben abgezogen oder ist defekt. Bitte noch einmal einstecken und warten, bis die Diagnose fertig ist.",
			"The stick was pulled while it was written, or is broken. Plug it in again and wait until the diagnosis is done."
	case errors.Is(err, ErrKey):
		v.DE, v.EN = "Der Schlüssel des Herstellers ist ungültig; unverschlüsselt wird nichts geschrieben. Bitte den Schlüssel (age1…) berichtigen.",
			"The vendor's key is not valid, and nothing is written unencrypted. Correct the key (age1…)."
	case errors.Is(err, stick.ErrSitting):
		v.DE, v.EN = "Eine Sitzung hat begonnen; die Diagnose wird danach neu geschrieben, wenn der Stick stecken bleibt.",
			"A sitting has opened; the diagnosis is written anew afterwards if the stick stays in."
	case errors.Is(err, context.Canceled):
		v.DE, v.EN = "Die Diagnose wurde abgebrochen. Bitte den Stick noch einmal einstecken.", "The diagnosis was broken off. Plug the stick in again."
	default:
		v.DE, v.EN = "Die Diagnose konnte nicht geschrieben werden. Bitte einen anderen Stick nehmen.", "The diagnosis could not be written. Take another stick."
	}
	return v
}
