package access

import (
	"crypto/fips140"
	"crypto/tls"
)

// Profile is how the box speaks TLS: 1.3 only, key agreement on P-256 or P-384 (BSI TR-02102-2; requirements B20 to
// B22). Go lets no program choose the TLS 1.3 cipher suites: ChaCha20 is refused only when the program runs with
// GODEBUG=fips140=on, see Strict.
func Profile(certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{
		MinVersion:       tls.VersionTLS13,
		CurvePreferences: []tls.CurveID{tls.CurveP256, tls.CurveP384},
		NextProtos:       []string{"h2", "http/1.1"},
		GetCertificate:   certificate,
	}
}

// Strict reports whether this program refuses what Profile alone cannot: Go's FIPS 140-3 module is on.
func Strict() bool { return fips140.Enabled() }
