package setup

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net"
	"slices"
	"strings"
	"time"
)

// Pair is a certificate of the owner's and its key, checked.
type Pair struct {
	Leaf  *x509.Certificate
	Chain []byte // PEM: the leaf first, then those that signed it
	Key   []byte // PEM, PKCS #8: a secret
	Notes []Line // what is worth knowing, but no fault
}

// Bounds of certificates. TR-02102-2 asks for 3000 bits of RSA; many authorities still give 2048, which is only noted.
const (
	maxChain     = 10
	minRSA       = 2048 // bits
	advisedRSA   = 3000 // bits
	clockNotSet  = 2026 // no box was built before this year: an earlier clock has not been set
	soonExpiring = 30 * 24 * time.Hour
)

// CheckPair checks that a certificate chain and a key, both PEM, are what browsers take from this box by TLS 1.3: the
// key belongs to the first certificate and is P-256, P-384 or RSA, and the certificate has not expired and names one of
// the box's names (no names: any). A clock that is behind refuses nothing: a box in 1970 must take its certificate. The error is a *Refusal.
func CheckPair(cert, key []byte, names []string, now time.Time) (Pair, error) {
	chain, bad := readChain(cert)
	signer, canonical, fault := readKey(key)
	if fault != nil {
		bad = append(bad, *fault)
	}
	if len(bad) > 0 {
		return Pair{}, refuse(bad...)
	}
	p := Pair{Leaf: chain[0], Key: canonical}
	for _, c := range chain {
		p.Chain = append(p.Chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	if public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(p.Leaf.PublicKey) {
		bad = append(bad, say("tls: der Schlüssel gehört nicht zum Zertifikat. Das eigene Zertifikat muss in cert.pem zuerst stehen, danach die der Zertifizierungsstelle.",
			"tls: the key does not belong to the certificate. The box's own certificate must stand first in cert.pem, then those of the authority."))
	}
	for i := range len(chain) - 1 {
		if chain[i].CheckSignatureFrom(chain[i+1]) != nil {
			bad = append(bad, say("tls/cert.pem: Zertifikat %d ist nicht von Zertifikat %d unterschrieben; die Reihenfolge ist: eigenes, Zwischenstelle, Wurzel.",
				"tls/cert.pem: certificate %d is not signed by certificate %d; the order is: own, intermediate, root.", i+1, i+2))
			break
		}
	}
	bad = append(bad, p.checkUse(names)...)
	bad = append(bad, p.checkTime(now)...)
	if err := refuse(bad...); err != nil {
		return Pair{}, err
	}
	return p, nil
}

func readChain(text []byte) (chain []*x509.Certificate, bad []Line) {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, []Line{say("tls/cert.pem: enthält „%s“; hierher gehören nur Zertifikate, der Schlüssel in tls/key.pem.",
				"tls/cert.pem: holds %q; only certificates belong here, the key into tls/key.pem.", shown(block.Type))}
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil || len(chain) == maxChain {
			return nil, []Line{say("tls/cert.pem: das %d. Zertifikat ist nicht zu lesen oder eines zu viel.", "tls/cert.pem: certificate %d cannot be read, or is one too many.", len(chain)+1)}
		}
		chain = append(chain, c)
	}
	if len(chain) == 0 {
		return nil, []Line{say("tls/cert.pem: kein Zertifikat im PEM-Format („-----BEGIN CERTIFICATE-----“). Umwandeln: openssl x509 -inform DER -in cert.cer -out cert.pem",
			"tls/cert.pem: no certificate in PEM form (\"-----BEGIN CERTIFICATE-----\"). To convert: openssl x509 -inform DER -in cert.cer -out cert.pem")}
	}
	return chain, nil
}

// readKey reads the first private key of a PEM text. It never says anything of the key.
func readKey(text []byte) (crypto.Signer, []byte, *Line) {
	fault := func(de, en string) (crypto.Signer, []byte, *Line) {
		return nil, nil, &Line{DE: "tls/key.pem: " + de, EN: "tls/key.pem: " + en}
	}
	var block *pem.Block
	for {
		if block, text = pem.Decode(text); block == nil {
			return fault("kein Schlüssel im PEM-Format („-----BEGIN PRIVATE KEY-----“).", "no key in PEM form (\"-----BEGIN PRIVATE KEY-----\").")
		}
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			break
		}
	}
	if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
		return fault("der Schlüssel ist mit einem Kennwort verschlüsselt; die Anlage startet ohne Menschen. Entschlüsseln: openssl pkey -in key.pem -out plain.pem, und plain.pem als tls/key.pem auf den Stick.",
			"the key is encrypted with a password; the box starts without people. To decrypt: openssl pkey -in key.pem -out plain.pem, and put plain.pem on the stick as tls/key.pem.")
	}
	var key any
	var err error
	switch block.Type {
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		return fault("der Schlüssel ist nicht zu lesen.", "the key cannot be read.")
	}
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		if k.Curve != elliptic.P256() && k.Curve != elliptic.P384() {
			return fault("die Kurve des Schlüssels gilt nicht; möglich sind P-256 und P-384.", "the key's curve does not do; possible are P-256 and P-384.")
		}
	case *rsa.PrivateKey:
		if k.N.BitLen() < minRSA {
			return fault("der RSA-Schlüssel ist zu kurz; nötig sind 2048 Bit, empfohlen 3072.", "the RSA key is too short; 2048 bits are needed, 3072 advised.")
		}
	default:
		return fault("diese Art von Schlüssel nehmen Browser nicht; möglich sind P-256, P-384 und RSA.", "browsers do not take this kind of key; possible are P-256, P-384 and RSA.")
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fault("der Schlüssel ist nicht zu lesen.", "the key cannot be read.")
	}
	return key.(crypto.Signer), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// checkUse checks what the certificate is good for.
func (p *Pair) checkUse(names []string) (bad []Line) {
	leaf := p.Leaf
	if len(leaf.ExtKeyUsage) > 0 && !slices.ContainsFunc(leaf.ExtKeyUsage, func(u x509.ExtKeyUsage) bool {
		return u == x509.ExtKeyUsageServerAuth || u == x509.ExtKeyUsageAny
	}) {
		bad = append(bad, say("tls/cert.pem: das Zertifikat ist nicht für Server (serverAuth) ausgestellt.", "tls/cert.pem: the certificate is not made for servers (serverAuth)."))
	}
	if k, ok := leaf.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() < advisedRSA {
		p.Notes = append(p.Notes, say("Hinweis: der RSA-Schlüssel hat %d Bit; das BSI empfiehlt mindestens 3000.", "Note: the RSA key has %d bits; the BSI advises 3000 at least.", k.N.BitLen()))
	}
	if len(leaf.DNSNames)+len(leaf.IPAddresses) == 0 {
		return append(bad, say("tls/cert.pem: das Zertifikat nennt keinen Namen (subjectAltName); Browser lehnen es ab.", "tls/cert.pem: the certificate names no name (subjectAltName); browsers refuse it."))
	}
	var missing []string
	for _, n := range names {
		if leaf.VerifyHostname(n) != nil {
			missing = append(missing, n)
		}
	}
	de, en := some(missing)
	switch {
	case len(missing) == 0:
	case len(missing) == len(names):
		bad = append(bad, say("tls/cert.pem: das Zertifikat gilt für %s, die Anlage heißt aber %s (names in plenum.toml).",
			"tls/cert.pem: the certificate is for %s, but the box is called %s (names in plenum.toml).", p.names(), de))
	default:
		p.Notes = append(p.Notes, Line{DE: "Hinweis: das Zertifikat gilt nicht für " + de + ".", EN: "Note: the certificate is not for " + en + "."})
	}
	return bad
}

func (p *Pair) checkTime(now time.Time) (bad []Line) {
	const day = "2006-01-02"
	switch leaf := p.Leaf; {
	case now.Year() < clockNotSet:
		p.Notes = append(p.Notes, say("Hinweis: die Uhr der Anlage ist nicht gestellt; die Gültigkeit (%s bis %s) ist nicht geprüft.",
			"Note: the box's clock has not been set; the validity (%s to %s) was not checked.", leaf.NotBefore.Format(day), leaf.NotAfter.Format(day)))
	case now.After(leaf.NotAfter):
		bad = append(bad, say("tls/cert.pem: das Zertifikat ist am %s abgelaufen.", "tls/cert.pem: the certificate expired on %s.", leaf.NotAfter.Format(day)))
	case now.Before(leaf.NotBefore):
		p.Notes = append(p.Notes, say("Hinweis: das Zertifikat gilt erst ab %s.", "Note: the certificate is valid from %s only.", leaf.NotBefore.Format(day)))
	case leaf.NotAfter.Sub(now) < soonExpiring:
		p.Notes = append(p.Notes, say("Hinweis: das Zertifikat läuft am %s ab.", "Note: the certificate expires on %s.", leaf.NotAfter.Format(day)))
	}
	return bad
}

// names lists what the certificate is for.
func (p *Pair) names() string {
	all := slices.Clone(p.Leaf.DNSNames)
	for _, ip := range p.Leaf.IPAddresses {
		all = append(all, net.IP(ip).String())
	}
	de, _ := some(all)
	return de
}

// line says the pair in one sentence.
func (p *Pair) line() Line {
	issuer := p.Leaf.Issuer.CommonName
	if bytes.Equal(p.Leaf.RawIssuer, p.Leaf.RawSubject) || issuer == "" {
		issuer = p.Leaf.Issuer.String()
	}
	return say("Zertifikat für %s, ausgestellt von %s, gültig bis %s", "Certificate for %s, issued by %s, valid until %s",
		p.names(), shown(issuer), p.Leaf.NotAfter.Format("2006-01-02"))
}
