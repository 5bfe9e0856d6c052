package wire

import (
	"crypto/ecdsa"
	stdelliptic "crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/elliptic"
	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"
)

// Profile is what a peer may negotiate. A peer that offers nothing of it is refused.
type Profile struct {
	SRTP   []dtls.SRTPProtectionProfile // AEAD only, best first
	Suites []dtls.CipherSuiteID         // ECDHE-ECDSA with AES-GCM only, best first
	Curves []elliptic.Curve             // P-256, P-384
	Answer webrtc.DTLSRole              // our role when the offer leaves it open: DTLSRoleServer or DTLSRoleClient

	// Replay windows in packets, 128 or more: on a bad line a retransmission
	// comes 0.3 s late and later, which is 64 packets of a picture.
	ReplaySRTP, ReplaySRTCP, ReplayDTLS uint
}

// DefaultProfile returns the profile the box runs with. Browsers take the
// 128-bit DTLS suite whatever stands first, so both suites have to stay.
func DefaultProfile() Profile {
	return Profile{
		SRTP: []dtls.SRTPProtectionProfile{dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AEAD_AES_128_GCM},
		Suites: []dtls.CipherSuiteID{
			dtls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
		},
		Curves:     []elliptic.Curve{elliptic.P256, elliptic.P384},
		Answer:     webrtc.DTLSRoleServer,
		ReplaySRTP: 1024, ReplaySRTCP: 128, ReplayDTLS: 128,
	}
}

// check refuses a profile that is weaker than the house rule.
func (p Profile) check() error {
	strong := DefaultProfile()
	within := func(n int, ok bool, what string) error {
		if n == 0 || !ok {
			return fmt.Errorf("%s: empty or weaker than allowed", what)
		}
		return nil
	}
	const least = 128
	return errors.Join(
		within(len(p.SRTP), subset(p.SRTP, strong.SRTP), "SRTP profiles"),
		within(len(p.Suites), subset(p.Suites, strong.Suites), "DTLS suites"),
		within(len(p.Curves), subset(p.Curves, strong.Curves), "curves"),
		within(1, p.Answer == webrtc.DTLSRoleServer || p.Answer == webrtc.DTLSRoleClient, "DTLS role"),
		within(1, min(p.ReplaySRTP, p.ReplaySRTCP, p.ReplayDTLS) >= least, "replay windows"),
	)
}

func subset[T comparable](some, all []T) bool {
	return !slices.ContainsFunc(some, func(v T) bool { return !slices.Contains(all, v) })
}

// accepts tells whether a negotiated SRTP profile, by its IANA name, is one of ours.
func (p Profile) accepts(srtp string) bool {
	names := map[dtls.SRTPProtectionProfile]string{
		dtls.SRTP_AEAD_AES_256_GCM: "SRTP_AEAD_AES_256_GCM",
		dtls.SRTP_AEAD_AES_128_GCM: "SRTP_AEAD_AES_128_GCM",
	}
	return slices.ContainsFunc(p.SRTP, func(v dtls.SRTPProtectionProfile) bool { return names[v] == srtp })
}

// apply puts the profile into pion's settings.
func (p Profile) apply(se *webrtc.SettingEngine) {
	se.SetSRTPProtectionProfiles(p.SRTP...)
	se.SetDTLSCipherSuites(p.Suites...)
	se.SetDTLSEllipticCurves(p.Curves...)
	se.SetDTLSExtendedMasterSecret(dtls.RequireExtendedMasterSecret)
	// pion's defaults are 64; the last call wins, so nothing may switch these off later.
	se.SetSRTPReplayProtectionWindow(p.ReplaySRTP)
	se.SetSRTCPReplayProtectionWindow(p.ReplaySRTCP)
	se.SetDTLSReplayProtectionWindow(p.ReplayDTLS)
}

// settings are pion's settings for one session.
func (h *Host) settings(role webrtc.DTLSRole) (webrtc.SettingEngine, error) {
	se := webrtc.SettingEngine{LoggerFactory: pionLog{h.log}}
	h.profile.apply(&se)
	if err := se.SetAnsweringDTLSRole(role); err != nil {
		return se, fmt.Errorf("setting the DTLS role: %w", err)
	}
	se.SetLite(true)
	se.SetICEUDPMux(h.mux)
	se.SetICEBindingRequestHandler(h.mux.guard.follow)
	se.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	se.SetIncludeLoopbackCandidate(true) // what is announced is decided by the mux alone
	se.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	se.SetICETimeouts(5*time.Second, 15*time.Second, 2*time.Second)
	return se, nil
}

// newCertificate makes the host's ECDSA P-256 certificate. Peers check its
// fingerprint, not its dates; but pion refuses to use an expired one, its own
// default expires after a month, and a box without a clock battery starts in
// 1970. So the dates are as wide as X.509 goes.
func newCertificate() (*webrtc.Certificate, error) {
	key, err := ecdsa.GenerateKey(stdelliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	return webrtc.NewCertificate(key, x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "plenum"},
		NotBefore:    time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), // RFC 5280 4.1.2.5: no date given
	})
}
