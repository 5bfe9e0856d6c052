package access

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func openCA(t *testing.T, dir string, c *clock, log *bytes.Buffer, names ...string) *CA {
	t.Helper()
	ca, err := OpenCA(dir, CAOptions{Hosts: names, Now: c.Now, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// leafOf gives the certificate the box shows, verified for a name.
func leafOf(t *testing.T, ca *CA, name string, at time.Time) *x509.Certificate {
	t.Helper()
	pair, err := ca.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca.PEM()) {
		t.Fatal("the root's PEM cannot be read")
	}
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: at}); err != nil {
		t.Fatalf("verify for %s: %v", name, err)
	}
	return pair.Leaf
}

func TestCA(t *testing.T) {
	c := &clock{now: start}
	dir := t.TempDir()
	var log bytes.Buffer
	ca := openCA(t, dir, c, &log, "saal.example.de", "192.0.2.5", "localhost", "127.0.0.1", "::1")
	for _, name := range []string{"saal.example.de", "192.0.2.5", "localhost", "127.0.0.1", "::1"} {
		leafOf(t, ca, name, start)
	}
	leaf := leafOf(t, ca, "localhost", start)
	if life := leaf.NotAfter.Sub(start); life != leafLife {
		t.Errorf("the certificate lives %v, want %v", life, leafLife)
	}
	if ca.root.NotAfter != start.AddDate(10, 0, 0) || !ca.root.IsCA || !ca.root.MaxPathLenZero {
		t.Errorf("root until %v, CA %v, path length zero %v", ca.root.NotAfter, ca.root.IsCA, ca.root.MaxPathLenZero)
	}
	for _, cert := range []*x509.Certificate{ca.root, leaf} {
		if key, ok := cert.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() || cert.SignatureAlgorithm != x509.ECDSAWithSHA256 {
			t.Errorf("%s: %T, %v", cert.Subject, cert.PublicKey, cert.SignatureAlgorithm)
		}
	}
	for _, name := range []string{"ca.key", "leaf.key"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	public, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil || !bytes.Equal(public, ca.PEM()) || strings.Contains(string(public), "PRIVATE") {
		t.Errorf("the root to import is %q, %v", public, err)
	}

	again := openCA(t, dir, c, &log, "saal.example.de", "192.0.2.5", "localhost", "127.0.0.1", "::1")
	if !bytes.Equal(again.PEM(), ca.PEM()) || !bytes.Equal(leafOf(t, again, "localhost", start).Raw, leaf.Raw) {
		t.Error("a restart made new certificates")
	}
}

// Who steals the root cannot pose as somebody else.
func TestRootIsConstrained(t *testing.T) {
	ca := openCA(t, t.TempDir(), &clock{now: start}, new(bytes.Buffer), "saal.example.de")
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.PEM())
	for _, name := range []string{"bank.example", "198.51.100.7"} {
		dns, ips := split([]string{name})
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
			SerialNumber: serial(), NotBefore: start, NotAfter: start.Add(time.Hour), DNSNames: dns, IPAddresses: ips,
		}, ca.root, key.Public(), ca.rootKey)
		if err != nil {
			t.Fatal(err)
		}
		forged, err := x509.ParseCertificate(raw)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := forged.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: start}); err == nil {
			t.Errorf("a certificate for %s was accepted", name)
		}
	}
}

func TestLeafRenewsByItself(t *testing.T) {
	c := &clock{now: start}
	dir := t.TempDir()
	var log bytes.Buffer
	ca := openCA(t, dir, c, &log, "localhost")
	first := leafOf(t, ca, "localhost", start)
	c.pass(leafLife * 65 / 100)
	if same := leafOf(t, ca, "localhost", c.Now()); !bytes.Equal(same.Raw, first.Raw) {
		t.Error("renewed with more than a third of its life left")
	}
	c.pass(leafLife * 3 / 100)
	second := leafOf(t, ca, "localhost", c.Now())
	if bytes.Equal(second.Raw, first.Raw) || !second.NotAfter.Equal(c.Now().Add(leafLife)) {
		t.Errorf("not renewed with a third of its life left, until %v", second.NotAfter)
	}
	if !strings.Contains(log.String(), "renewed") {
		t.Errorf("not logged: %s", &log)
	}
	if again := openCA(t, dir, c, &log, "localhost"); !bytes.Equal(leafOf(t, again, "localhost", c.Now()).Raw, second.Raw) {
		t.Error("the renewed certificate was not kept")
	}

	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	c.pass(leafLife * 70 / 100)
	log.Reset()
	for range 3 {
		if kept := leafOf(t, ca, "localhost", c.Now()); !bytes.Equal(kept.Raw, second.Raw) {
			t.Error("a failed renewal changed the certificate")
		}
	}
	if n := strings.Count(log.String(), "could not be renewed"); n != 1 {
		t.Errorf("a failing disk was logged %d times, want once: %s", n, &log)
	}
}

func TestCAFollowsNames(t *testing.T) {
	c := &clock{now: start}
	dir := t.TempDir()
	var log bytes.Buffer
	first := openCA(t, dir, c, &log, "example.de")
	inside := openCA(t, dir, c, &log, "saal.example.de", "10.1.2.3")
	leafOf(t, inside, "saal.example.de", start)
	leafOf(t, inside, "10.1.2.3", start)
	if !bytes.Equal(inside.PEM(), first.PEM()) {
		t.Error("a new root for names that the old one may sign")
	}
	outside := openCA(t, dir, c, &log, "rathaus.example.org")
	leafOf(t, outside, "rathaus.example.org", start)
	if bytes.Equal(outside.PEM(), first.PEM()) || !strings.Contains(log.String(), "import it again") {
		t.Errorf("a name outside the root's: %s", &log)
	}
	c.pass(11 * 365 * 24 * time.Hour)
	leafOf(t, openCA(t, dir, c, &log, "rathaus.example.org"), "rathaus.example.org", c.Now())
}

// A clock without battery believes in 1970 at first and is set later.
func TestEmptyClock(t *testing.T) {
	c := &clock{now: time.Unix(42, 0)}
	ca := openCA(t, t.TempDir(), c, new(bytes.Buffer), "localhost")
	root := ca.PEM()
	c.now = start
	leafOf(t, ca, "localhost", start)
	c.now = start.AddDate(5, 0, 0)
	leafOf(t, ca, "localhost", c.now)
	if !bytes.Equal(root, ca.PEM()) {
		t.Error("setting the clock cost the root")
	}
}

func TestOpenCARefuses(t *testing.T) {
	dir := t.TempDir()
	for _, names := range [][]string{nil, {""}, {"a b"}, {"*.example.de"}, {".example.de"}, {"https://example.de"}} {
		if _, err := OpenCA(dir, CAOptions{Hosts: names}); err == nil {
			t.Errorf("names %q were taken", names)
		}
	}
	openCA(t, dir, &clock{now: start}, new(bytes.Buffer), "localhost")
	path := filepath.Join(dir, "ca.key")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenCA(dir, CAOptions{Hosts: []string{"localhost"}}); !errors.Is(err, ErrTooWide) {
		t.Errorf("got %v, want %v", err, ErrTooWide)
	}
	if err := os.WriteFile(path, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenCA(dir, CAOptions{Hosts: []string{"localhost"}}); !errors.Is(err, ErrDamaged) {
		t.Errorf("got %v, want %v", err, ErrDamaged)
	}
}

// A certificate given to the box serves the names it is for; for all others, when it has run out and when it is
// damaged, the box's own stands in: the pages are never without one.
func TestGiven(t *testing.T) {
	maker, err := OpenCA(t.TempDir(), CAOptions{Hosts: []string{"saal.example.de"}})
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(maker.leaf.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	given := t.TempDir()
	put := func(name, kind string, raw []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(given, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	box := func() *CA {
		t.Helper()
		ca, err := OpenCA(t.TempDir(), CAOptions{Hosts: []string{"saal.example.de"}, Given: given, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		return ca
	}
	serves := func(ca *CA, name string) bool {
		t.Helper()
		c, err := ca.GetCertificate(&tls.ClientHelloInfo{ServerName: name})
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Equal(c.Certificate[0], maker.leaf.Certificate[0])
	}
	if ca := box(); serves(ca, "saal.example.de") {
		t.Error("there is none")
	}
	put("cert.pem", "CERTIFICATE", maker.leaf.Certificate[0])
	put("key.pem", "PRIVATE KEY", der)
	ca := box()
	if !serves(ca, "saal.example.de") || !serves(ca, "") || serves(ca, "other.example.de") {
		t.Error("it serves the wrong names")
	}
	if now = now.AddDate(2, 0, 0); serves(ca, "saal.example.de") {
		t.Error("it has run out")
	}
	now = time.Now()
	put("cert.pem", "CERTIFICATE", []byte("damaged"))
	if ca := box(); serves(ca, "saal.example.de") {
		t.Error("it is damaged")
	}
}

// A box that gets its address late has it in its certificate, without a new root.
func TestRename(t *testing.T) {
	ca, err := OpenCA(t.TempDir(), CAOptions{Hosts: []string{"saal.example.de", "localhost"}})
	if err != nil {
		t.Fatal(err)
	}
	root := ca.PEM()
	left, err := ca.Rename([]string{"saal.example.de", "192.168.7.4", "203.0.113.9", "other.example.org", "localhost"})
	if err != nil || len(left) != 2 || left[0] != "203.0.113.9" {
		t.Fatal(left, err)
	}
	cert, err := ca.GetCertificate(nil)
	if err != nil || cert.Leaf.VerifyHostname("192.168.7.4") != nil || cert.Leaf.VerifyHostname("saal.example.de") != nil || !bytes.Equal(root, ca.PEM()) {
		t.Fatal(cert.Leaf.DNSNames, cert.Leaf.IPAddresses, err)
	}
	serial := cert.Leaf.SerialNumber
	if _, err := ca.Rename([]string{"192.168.7.4", "saal.example.de", "localhost"}); err != nil {
		t.Fatal(err)
	}
	if cert, _ = ca.GetCertificate(nil); cert.Leaf.SerialNumber.Cmp(serial) != 0 {
		t.Error("a new certificate for the same names")
	}
	if left, err := ca.Rename([]string{"203.0.113.9"}); err != nil || len(left) != 1 {
		t.Fatal(left, err)
	}
	if cert, _ = ca.GetCertificate(nil); cert.Leaf.VerifyHostname("saal.example.de") != nil {
		t.Error("nothing is left of the names")
	}
}
