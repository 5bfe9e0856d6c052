package access

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Validity of the certificates. Browsers refuse more than 398 days for a leaf.
const (
	rootYears = 10
	leafLife  = 397 * 24 * time.Hour
	backdate  = time.Hour        // clocks of the house differ
	retryLeaf = 10 * time.Minute // after a renewal that could not be written
)

// dawn is before any box was built. A box whose clock battery is empty believes in 1970 until it hears the time;
// certificates made then must be valid afterwards.
func dawn() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// CAOptions say for which names and addresses the box's certificate is.
type CAOptions struct {
	Hosts []string // DNS names and IP addresses by which browsers reach the box; at least one
	Given string   // folder with cert.pem and key.pem of a certificate given to the box; empty or without them: the box's own
	Now   func() time.Time
	Log   *slog.Logger
}

// CA is the box's own certificate authority and the server certificate that it keeps fresh. The root is what people
// import into their browsers; by its name constraints (RFC 5280, 4.2.1.10) it is good for this box's names and for
// private addresses only, so that nobody who steals it can pose as their bank. It is safe for concurrent use.
type CA struct {
	dir     string
	opts    CAOptions
	root    *x509.Certificate
	rootKey *ecdsa.PrivateKey

	given *tls.Certificate // nil: none

	mu   sync.Mutex
	leaf *tls.Certificate
	next time.Time // not before this is a failed renewal tried again
}

// OpenCA reads the authority from dir, or makes it at the first start: ca.key and leaf.key hold a certificate and its
// key each (0600), ca.pem is the root alone, for whoever wants to import it.
// When the configured names have left what the root is good for, or the root has expired, a new root is made and a
// warning logged: it has to be imported into the browsers again. It returns ErrTooWide when others may read the keys
// and ErrDamaged when they cannot be understood.
func OpenCA(dir string, opts CAOptions) (*CA, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if err := checkNames(opts.Hosts); err != nil {
		return nil, err
	}
	ca := &CA{dir: dir, opts: opts}
	cert, key, err := readPair(ca.file("ca.key"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		opts.Log.Info("making the box's certificate authority", "file", ca.file("ca.key"))
		err = ca.makeRoot()
	case err == nil && !ca.suits(cert):
		opts.Log.Warn("the box's certificate authority is made anew: browsers must import it again",
			"names", opts.Hosts, "expired", cert.NotAfter)
		err = ca.makeRoot()
	case err == nil:
		ca.root, ca.rootKey = cert, key
	}
	if err != nil {
		return nil, fmt.Errorf("open the box's certificate authority: %w", err)
	}
	if err := replaceFile(ca.file("ca.pem"), ca.PEM(), 0o644); err != nil {
		return nil, fmt.Errorf("give out the box's certificate authority: %w", err)
	}
	if err := ca.openLeaf(); err != nil {
		return nil, fmt.Errorf("open the box's certificate: %w", err)
	}
	if ca.given, err = readGiven(opts.Given); err != nil {
		opts.Log.Error("the certificate given to the box cannot be used, its own stands in", "error", err)
	}
	return ca, nil
}

// readGiven reads the certificate that the owner put on the box: none is no error.
func readGiven(dir string) (*tls.Certificate, error) {
	if dir == "" {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the certificate in %s: %w", dir, err)
	}
	return &cert, nil
}

// PEM is the root certificate for browsers to import.
func (ca *CA) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.root.Raw})
}

// GetCertificate is for tls.Config: the certificate given to the box while it is in force and names what the browser
// asks for (the panel asks for localhost), else the box's own, renewed when a third of its life is left.
func (ca *CA) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if g := ca.given; g != nil && ca.now().Before(g.Leaf.NotAfter) && (hello == nil || hello.ServerName == "" || g.Leaf.VerifyHostname(hello.ServerName) == nil) {
		return g, nil
	}
	ca.mu.Lock()
	defer ca.mu.Unlock()
	now := ca.now()
	if !due(ca.leaf.Leaf, now) || now.Before(ca.next) {
		return ca.leaf, nil
	}
	if err := ca.renew(); err != nil {
		ca.next = now.Add(retryLeaf)
		ca.opts.Log.Error("the box's certificate could not be renewed", "expires", ca.leaf.Leaf.NotAfter, "err", err)
		return ca.leaf, nil
	}
	ca.opts.Log.Info("the box's certificate was renewed", "expires", ca.leaf.Leaf.NotAfter)
	return ca.leaf, nil
}

// Rename makes the server certificate good for other names and addresses: a box gets its address after it has started,
// and sometimes another one. What the root may not sign for is left out, since a new root would have to be imported into
// every browser; it is returned.
func (ca *CA) Rename(hosts []string) (left []string, err error) {
	if err := checkNames(hosts); err != nil {
		return nil, err
	}
	ca.mu.Lock()
	defer ca.mu.Unlock()
	kept, before := []string{}, ca.opts.Hosts
	for _, h := range hosts {
		ca.opts.Hosts = []string{h}
		if ca.suits(ca.root) {
			kept = append(kept, h)
		} else {
			left = append(left, h)
		}
	}
	ca.opts.Hosts = kept
	if len(kept) == 0 {
		ca.opts.Hosts = before
		return left, nil
	}
	if ca.covers(ca.leaf.Leaf) {
		return left, nil
	}
	if err := ca.renew(); err != nil {
		ca.opts.Hosts = before
		return left, fmt.Errorf("make a certificate for %v: %w", kept, err)
	}
	return left, nil
}

func (ca *CA) file(name string) string { return filepath.Join(ca.dir, name) }

// now is the time, but never before there were boxes.
func (ca *CA) now() time.Time {
	if now := ca.opts.Now(); now.After(dawn()) {
		return now
	}
	return dawn()
}

// due reports whether a third of the certificate's life or less is left, or it does not count yet.
func due(c *x509.Certificate, now time.Time) bool {
	life := c.NotAfter.Sub(c.NotBefore)
	return now.After(c.NotAfter.Add(-life/3)) || now.Before(c.NotBefore)
}

// makeRoot makes the authority: ECDSA P-256, ten years, for the box's own names and private addresses.
func (ca *CA) makeRoot() error {
	dns, ips := split(ca.opts.Hosts)
	tmpl := &x509.Certificate{
		SerialNumber: serial(),
		Subject: pkix.Name{
			Organization: []string{"Plenum"},
			CommonName:   "Plenum box " + ca.opts.Hosts[0] + " " + ca.now().UTC().Format("2006-01-02"),
		},
		NotBefore: dawn(), NotAfter: ca.now().AddDate(rootYears, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         append(dns, "localhost"),
		PermittedIPRanges:           privateRanges(ips),
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make the key: %w", err)
	}
	raw, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return fmt.Errorf("sign the root: %w", err)
	}
	if ca.root, err = writePair(ca.file("ca.key"), raw, key); err != nil {
		return err
	}
	ca.rootKey = key
	return nil
}

// suits reports whether a root is in force and may sign for the configured names.
func (ca *CA) suits(root *x509.Certificate) bool {
	if !root.IsCA || !ca.now().Before(root.NotAfter) {
		return false
	}
	dns, ips := split(ca.opts.Hosts)
	for _, name := range dns {
		if !slices.ContainsFunc(root.PermittedDNSDomains, func(d string) bool {
			return name == d || strings.HasSuffix(name, "."+d)
		}) {
			return false
		}
	}
	for _, ip := range ips {
		if !slices.ContainsFunc(root.PermittedIPRanges, func(n *net.IPNet) bool { return n.Contains(ip) }) {
			return false
		}
	}
	return true
}

// openLeaf takes the server certificate on disk when it is still right, else makes one.
func (ca *CA) openLeaf() error {
	cert, key, err := readPair(ca.file("leaf.key"))
	switch {
	case err == nil && cert.CheckSignatureFrom(ca.root) == nil && ca.covers(cert) && !due(cert, ca.now()):
		ca.leaf = &tls.Certificate{Certificate: [][]byte{cert.Raw, ca.root.Raw}, PrivateKey: key, Leaf: cert}
		return nil
	case err == nil, errors.Is(err, fs.ErrNotExist):
		return ca.renew()
	}
	return err
}

// covers reports whether a certificate has exactly the configured names.
func (ca *CA) covers(c *x509.Certificate) bool {
	dns, ips := split(ca.opts.Hosts)
	return slices.Equal(dns, c.DNSNames) && slices.EqualFunc(ips, c.IPAddresses, net.IP.Equal)
}

// renew makes a server certificate with a new key.
func (ca *CA) renew() error {
	now := ca.now()
	until := now.Add(leafLife)
	if until.After(ca.root.NotAfter) {
		until = ca.root.NotAfter
	}
	dns, ips := split(ca.opts.Hosts)
	tmpl := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{Organization: []string{"Plenum"}, CommonName: ca.opts.Hosts[0]},
		NotBefore:    now.Add(-backdate), NotAfter: until,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    dns, IPAddresses: ips,
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make the key: %w", err)
	}
	raw, err := x509.CreateCertificate(rand.Reader, tmpl, ca.root, key.Public(), ca.rootKey)
	if err != nil {
		return fmt.Errorf("sign the certificate: %w", err)
	}
	cert, err := writePair(ca.file("leaf.key"), raw, key)
	if err != nil {
		return err
	}
	ca.leaf = &tls.Certificate{Certificate: [][]byte{cert.Raw, ca.root.Raw}, PrivateKey: key, Leaf: cert}
	return nil
}

// writePair puts a certificate and its key into one file, so that they cannot be torn apart.
func writePair(path string, cert []byte, key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	parsed, err := x509.ParseCertificate(cert)
	if err != nil {
		return nil, fmt.Errorf("check the new certificate: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("write the key: %w", err)
	}
	var out bytes.Buffer
	for _, b := range []*pem.Block{{Type: "CERTIFICATE", Bytes: cert}, {Type: "PRIVATE KEY", Bytes: der}} {
		if err := pem.Encode(&out, b); err != nil {
			return nil, fmt.Errorf("write %s: %w", path, err)
		}
	}
	return parsed, replaceFile(path, out.Bytes(), 0o600)
}

// readPair reads what writePair wrote.
func readPair(path string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	raw, err := readPrivate(path)
	if err != nil {
		return nil, nil, err
	}
	pair, err := tls.X509KeyPair(raw, raw)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w: %w", path, ErrDamaged, err)
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, nil, fmt.Errorf("read %s: %w: not an ECDSA key", path, ErrDamaged)
	}
	return pair.Leaf, key, nil
}

func checkNames(names []string) error {
	if len(names) == 0 {
		return errors.New("the box needs at least one name or address for its certificate")
	}
	for _, h := range names {
		if _, err := netip.ParseAddr(h); err == nil {
			continue
		}
		if h == "" || strings.Trim(strings.ToLower(h), "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" ||
			strings.HasPrefix(h, ".") || strings.HasSuffix(h, ".") {
			return fmt.Errorf("%q is neither a DNS name nor an IP address", h)
		}
	}
	return nil
}

// split parts names from addresses, in a stable order and without doubles.
func split(names []string) (dns []string, ips []net.IP) {
	for _, h := range slices.Compact(slices.Sorted(slices.Values(names))) {
		if a, err := netip.ParseAddr(h); err == nil {
			ips = append(ips, net.IP(a.Unmap().AsSlice()))
		} else {
			dns = append(dns, strings.ToLower(h))
		}
	}
	return dns, ips
}

// privateRanges are the addresses nobody meets on the internet (RFC 1918, 4193, 3927, 4291), and the box's own.
func privateRanges(own []net.IP) []*net.IPNet {
	var out []*net.IPNet
	for _, p := range []string{
		"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "::1/128", "fc00::/7", "fe80::/10",
	} {
		_, n, err := net.ParseCIDR(p)
		if err == nil {
			out = append(out, n)
		}
	}
	for _, ip := range own {
		bits := 8 * len(ip)
		out = append(out, &net.IPNet{IP: ip, Mask: net.CIDRMask(bits, bits)})
	}
	return out
}

// serial is 127 random bits, positive (RFC 5280, 4.1.2.2).
func serial() *big.Int {
	var b [16]byte
	rand.Read(b[:])
	b[0] &= 0x7f
	b[15] |= 1
	return new(big.Int).SetBytes(b[:])
}
