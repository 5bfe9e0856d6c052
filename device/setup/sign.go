package setup

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"path"
	"regexp"
	"strings"
)

var sumPattern = regexp.MustCompile(`^([0-9a-fA-F]{64}) [ *](.+)$`)

// parseSums reads SHA256SUMS as sha256sum writes it: digest, two spaces (or space and asterisk), name. Names are given
// in our spelling where they are ours. The error is a *Refusal.
func parseSums(text []byte) (map[string][sha256.Size]byte, error) {
	sums := map[string][sha256.Size]byte{}
	no := 0
	for line := range bytes.Lines(text) {
		no++
		plain := strings.TrimRight(string(line), "\r\n")
		if plain == "" {
			continue
		}
		m := sumPattern.FindStringSubmatch(plain)
		if m == nil {
			return nil, refuse(say("SHA256SUMS, Zeile %d: ist nicht zu verstehen; bitte mit sha256sum schreiben.", "SHA256SUMS, line %d: cannot be understood; write it with sha256sum.", no))
		}
		name := path.Clean(m[2])
		for _, ours := range names() {
			if strings.EqualFold(name, ours) {
				name = ours
			}
		}
		if _, twice := sums[name]; twice {
			return nil, refuse(say("SHA256SUMS, Zeile %d: „%s“ steht zweimal da.", "SHA256SUMS, line %d: %q stands there twice.", no, shown(name)))
		}
		var sum [sha256.Size]byte
		if _, err := hex.Decode(sum[:], []byte(m[1])); err != nil {
			return nil, refuse(say("SHA256SUMS, Zeile %d: ist nicht zu verstehen; bitte mit sha256sum schreiben.", "SHA256SUMS, line %d: cannot be understood; write it with sha256sum.", no))
		}
		sums[name] = sum
	}
	return sums, nil
}

// verify checks the sums and the signature of a stick, as far as there are any. Signed is true only when the owner's
// key (nil: none is known) vouches for every file that we would use. A signature that is there and wrong, or that does
// not cover everything, is a *Refusal, never just unsigned.
func verify(files map[string][]byte, key ed25519.PublicKey) (signed bool, notes []Line, err error) {
	text, hasSums := files[onSums]
	sig, hasSig := files[onSig]
	if !hasSums && !hasSig {
		return false, nil, nil
	}
	if !hasSums {
		return false, nil, refuse(say("SHA256SUMS.sig liegt auf dem Stick, SHA256SUMS aber nicht. Bitte den Stick neu schreiben.",
			"SHA256SUMS.sig is on the stick, but SHA256SUMS is not. Write the stick anew."))
	}
	if hasSig && key != nil && (len(sig) != ed25519.SignatureSize || !ed25519.Verify(key, text, sig)) {
		return false, nil, refuse(say("Die Unterschrift des Sticks ist falsch: nicht mit dem Schlüssel dieser Anlage (%s) gemacht, oder SHA256SUMS wurde danach geändert.",
			"The stick's signature is wrong: not made with this box's key (%s), or SHA256SUMS was changed afterwards.", fingerprint(key)))
	}
	sums, err := parseSums(text)
	if err != nil {
		return false, nil, err
	}
	if err := refuse(compare(files, sums)...); err != nil {
		return false, nil, err
	}
	if hasSig && key == nil {
		notes = append(notes, say("Hinweis: die Unterschrift ist nicht geprüft, denn die Anlage kennt noch keinen Schlüssel (setup.pub).",
			"Note: the signature was not checked, for the box knows no key (setup.pub) yet."))
	}
	return hasSig && key != nil, notes, nil
}

// compare says which files are not what the sums say: changed, missing, or not listed.
func compare(files map[string][]byte, sums map[string][sha256.Size]byte) (bad []Line) {
	for _, name := range names() {
		if name == onSums || name == onSig {
			continue
		}
		text, there := files[name]
		want, listed := sums[name]
		got := sha256.Sum256(text)
		switch {
		case there && !listed:
			bad = append(bad, say("%s: steht nicht in SHA256SUMS; bitte neu schreiben und unterschreiben.", "%s: is not listed in SHA256SUMS; write and sign it anew.", name))
		case listed && !there:
			bad = append(bad, say("%s: steht in SHA256SUMS, fehlt aber auf dem Stick.", "%s: is listed in SHA256SUMS, but missing on the stick.", name))
		case there && subtle.ConstantTimeCompare(got[:], want[:]) != 1:
			bad = append(bad, say("%s: wurde nach SHA256SUMS geändert oder ist beschädigt.", "%s: was changed after SHA256SUMS was written, or is damaged.", name))
		}
	}
	return bad
}
