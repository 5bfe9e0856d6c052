package setup

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	namePattern = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
	usbPattern  = regexp.MustCompile(`^[0-9a-f]{4}:[0-9a-f]{4}$`)
)

// maxUSB is how many devices usb.allow may name.
const maxUSB = 64

// ParseName reads the file "name": the box's host name, one label of letters, digits and hyphens (RFC 1123, 2.1). The
// error is a *Refusal.
func ParseName(text []byte) (string, error) {
	name := strings.TrimSpace(string(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))))
	if !namePattern.MatchString(name) || name == "localhost" {
		return "", refuse(say("name: „%s“ gilt nicht; möglich sind bis zu 63 Kleinbuchstaben, Ziffern und Bindestriche, vorn ein Buchstabe, zum Beispiel ratssaal.",
			"name: %q does not do; possible are up to 63 small letters, digits and hyphens, a letter first, for example ratssaal.", shown(name)))
	}
	return name, nil
}

// ParseUSB reads usb.allow: one vvvv:pppp a line (vendor and product in hexadecimal), with # before a comment. It
// returns them in small letters, sorted, each once. The error is a *Refusal.
func ParseUSB(text []byte) ([]string, error) {
	var ids []string
	var bad []Line
	no := 0
	for line := range bytes.Lines(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))) {
		no++
		value, _, _ := strings.Cut(string(line), "#")
		value = strings.ToLower(strings.TrimSpace(value))
		switch {
		case value == "" || slices.Contains(ids, value):
		case !usbPattern.MatchString(value):
			bad = append(bad, say("usb.allow, Zeile %d: „%s“; bitte Hersteller:Produkt schreiben, zum Beispiel 0eef:0001 (lsusb zeigt sie).",
				"usb.allow, line %d: %q; write vendor:product, for example 0eef:0001 (lsusb shows them).", no, shown(value)))
		case len(ids) == maxUSB:
			return nil, refuse(say("usb.allow: mehr als %d Geräte sind nicht möglich.", "usb.allow: more than %d devices are not possible.", maxUSB))
		default:
			ids = append(ids, value)
		}
	}
	slices.Sort(ids)
	return ids, refuse(bad...)
}

// renderUSB writes usb.allow from what was read, so that the script that reads it as root meets nothing else.
func renderUSB(ids []string) []byte {
	var b bytes.Buffer
	for _, id := range ids {
		b.WriteString(id + "\n")
	}
	return b.Bytes()
}

// ParseOwner reads the owner's public key: Ed25519 in PEM ("openssl genpkey -algorithm ed25519 -out setup.key;
// openssl pkey -in setup.key -pubout -out setup.pub"). The error is a *Refusal.
func ParseOwner(text []byte) (ed25519.PublicKey, error) {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if strings.Contains(block.Type, "PRIVATE") {
			return nil, refuse(say("setup.pub: das ist der geheime Schlüssel! Er gehört auf keinen Stick; bitte den öffentlichen nehmen: openssl pkey -in setup.key -pubout -out setup.pub",
				"setup.pub: this is the private key! It belongs on no stick; take the public one: openssl pkey -in setup.key -pubout -out setup.pub"))
		}
		if key, err := x509.ParsePKIXPublicKey(block.Bytes); err == nil {
			if ed, ok := key.(ed25519.PublicKey); ok {
				return ed, nil
			}
		}
	}
	return nil, refuse(say("setup.pub: kein öffentlicher Ed25519-Schlüssel im PEM-Format.", "setup.pub: no public Ed25519 key in PEM form."))
}

// renderOwner writes the key in PEM.
func renderOwner(key ed25519.PublicKey) []byte {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil // cannot be: it is an Ed25519 key
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// fingerprint is the beginning of the SHA-256 of the key's DER form, as "openssl pkey -pubin -in setup.pub -outform DER
// | sha256sum" shows it.
func fingerprint(key ed25519.PublicKey) string {
	block, _ := pem.Decode(renderOwner(key))
	sum := sha256.Sum256(block.Bytes)
	return fmt.Sprintf("%x", sum[:8])
}
