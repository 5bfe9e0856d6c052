package access

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// Code points of RFC 8446.
const (
	aes128   = 0x1301
	aes256   = 0x1302
	chacha20 = 0x1303

	p256   = 0x0017
	p384   = 0x0018
	p521   = 0x0019
	x25519 = 0x001d

	recordAlert     = 21
	recordHandshake = 22
)

// TestProfile offers the box one cipher suite and one group at a time, as no library would.
func TestProfile(t *testing.T) {
	ca, err := OpenCA(t.TempDir(), CAOptions{Hosts: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	addr := serveTLS(t, Profile(ca.GetCertificate))
	tests := []struct {
		name         string
		suite, group uint16
		ok           bool
	}{
		{"AES-128 on P-256", aes128, p256, true},
		{"AES-256 on P-256", aes256, p256, true},
		{"AES-256 on P-384", aes256, p384, true},
		{"X25519 only", aes128, x25519, false},
		{"P-521 only", aes128, p521, false},
		// The profile alone cannot refuse it (requirements, M1); with fips140=on it is refused.
		{"ChaCha20 only", chacha20, p256, !Strict()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			kind, body := hello(t, addr, tt.suite, tt.group)
			switch {
			case tt.ok && kind != recordHandshake:
				t.Errorf("refused with alert %v", body)
			case !tt.ok && (kind != recordAlert || !bytes.Equal(body, []byte{2, 40})):
				t.Errorf("not refused as handshake_failure, but record %d: %.20x", kind, body)
			}
		})
	}
	t.Run("TLS 1.2", func(t *testing.T) {
		_, err := tls.Dial("tcp", addr, &tls.Config{MaxVersion: tls.VersionTLS12, InsecureSkipVerify: true})
		if err == nil || !strings.Contains(err.Error(), "protocol version") {
			t.Errorf("got %v", err)
		}
	})
}

// TestStrictProfile runs what needs cryptography as the daemon runs: with GODEBUG=fips140=on.
func TestStrictProfile(t *testing.T) {
	if Strict() {
		return // this is the process started below, or the whole run is strict
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestProfile$|^TestIsStrict$|^TestCA$|^TestChairSession$", "-test.v")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=on", "PLENUM_STRICT=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"--- PASS: TestProfile/ChaCha20_only", "--- PASS: TestIsStrict", "--- PASS: TestCA", "--- PASS: TestChairSession"} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestIsStrict(t *testing.T) {
	if want := os.Getenv("PLENUM_STRICT") != ""; want && !Strict() {
		t.Error("GODEBUG=fips140=on did not make the program strict")
	}
}

// serveTLS completes handshakes until the test ends.
func serveTLS(t *testing.T, cfg *tls.Config) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", cfg)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(time.Minute))
			_ = c.(*tls.Conn).Handshake() // the client sees the outcome
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

// hello sends a TLS 1.3 ClientHello with one suite and one group, and returns the first record of the answer.
func hello(t *testing.T, addr string, suite, group uint16) (kind byte, body []byte) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(clientHello(t, suite, group)); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 5)
	if _, err := io.ReadFull(c, head); err != nil {
		t.Fatal(err)
	}
	body = make([]byte, binary.BigEndian.Uint16(head[3:]))
	if _, err := io.ReadFull(c, body); err != nil {
		t.Fatal(err)
	}
	return head[0], body
}

// clientHello builds RFC 8446, 4.1.2 by hand.
func clientHello(t *testing.T, suite, group uint16) []byte {
	t.Helper()
	curve := map[uint16]ecdh.Curve{p256: ecdh.P256(), p384: ecdh.P384(), p521: ecdh.P521(), x25519: ecdh.X25519()}[group]
	var share []byte
	if key, err := curve.GenerateKey(rand.Reader); err == nil {
		share = key.PublicKey().Bytes()
	} else if Strict() { // the strict mode has no X25519: the server must refuse before it looks at the share
		share = bytes.Repeat([]byte{9}, 32)
	} else {
		t.Fatal(err)
	}
	u16 := func(v uint16) []byte { return binary.BigEndian.AppendUint16(nil, v) }
	vec16 := func(parts ...[]byte) []byte { b := slices.Concat(parts...); return append(u16(uint16(len(b))), b...) }
	ext := func(kind uint16, body []byte) []byte { return append(u16(kind), vec16(body)...) }
	random := make([]byte, 32)
	rand.Read(random)
	body := slices.Concat(
		u16(0x0303), random, []byte{0}, vec16(u16(suite)), []byte{1, 0},
		vec16(
			ext(43, []byte{2, 3, 4}),                                // supported_versions: TLS 1.3
			ext(10, vec16(u16(group))),                              // supported_groups
			ext(13, vec16(u16(0x0403))),                             // ecdsa_secp256r1_sha256
			ext(51, vec16(slices.Concat(u16(group), vec16(share)))), // key_share
		),
	)
	message := append([]byte{1, 0}, vec16(body)...) // 24-bit length, the upper byte is 0
	return append([]byte{recordHandshake, 3, 1}, vec16(message)...)
}
