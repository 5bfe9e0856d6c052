package setup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Pairs as owners make them, by the real openssl.
const makeCA = `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 3650 -subj "/CN=Stadt CA" 2>/dev/null
issue() { # name, key options, extensions
  openssl genpkey $2 -out $1.key 2>/dev/null; openssl req -new -key $1.key -subj "/CN=$1" -out $1.csr
  printf "$3" > $1.ext; openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 365 -extfile $1.ext -out $1.pem 2>/dev/null; cat ca.pem >> $1.pem; }
san="subjectAltName=DNS:plenum.example.org,IP:192.168.10.20\nextendedKeyUsage=serverAuth\n"
issue p256 "-algorithm EC -pkeyopt ec_paramgen_curve:P-256" "$san"
openssl req -x509 -key p256.key -subj /CN=self -addext subjectAltName=DNS:plenum.example.org -days 30 -out self.pem
`

// Pairs of every other kind. RSA keys are what takes long.
const makeOdd = `issue p384 "-algorithm EC -pkeyopt ec_paramgen_curve:P-384" "$san"
issue p521 "-algorithm EC -pkeyopt ec_paramgen_curve:P-521" "$san"
issue rsa2048 "-algorithm RSA -pkeyopt rsa_keygen_bits:2048" "$san"
issue rsa1024 "-algorithm RSA -pkeyopt rsa_keygen_bits:1024" "$san"
issue ed "-algorithm ed25519" "$san"
issue client "-algorithm EC -pkeyopt ec_paramgen_curve:P-256" "subjectAltName=DNS:plenum.example.org\nextendedKeyUsage=clientAuth\n"
issue nameless "-algorithm EC -pkeyopt ec_paramgen_curve:P-256" "extendedKeyUsage=serverAuth\n"
openssl ec -in p256.key -out sec1.key 2>/dev/null
openssl pkey -in p256.key -aes256 -passout pass:geheim -out locked.key
openssl rsa -in rsa2048.key -traditional -aes128 -passout pass:geheim -out old.key 2>/dev/null
(cat ca.pem; openssl x509 -in p256.pem) > turned.pem
(openssl x509 -in p256.pem; openssl x509 -in self.pem) > strangers.pem
cat p256.pem p256.key > both.pem
`

func TestPair(t *testing.T) {
	dir := t.TempDir()
	sh(t, dir, makeCA+makeOdd)
	load := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	now := time.Now()
	good := []string{"plenum.example.org"}
	for _, tt := range []struct {
		name, cert, key string
		names           []string
		now             time.Time
		want, note      string // want empty: good
	}{
		{"P-256", "p256.pem", "p256.key", good, now, "", ""},
		{"P-384", "p384.pem", "p384.key", good, now, "", ""},
		{"RSA", "rsa2048.pem", "rsa2048.key", good, now, "", "2048 bits"},
		{"SEC 1", "p256.pem", "sec1.key", good, now, "", ""},
		{"self-signed", "self.pem", "p256.key", good, now, "", "valid"},
		{"no names wanted", "p256.pem", "p256.key", nil, now, "", ""},
		{"one name of two", "p256.pem", "p256.key", []string{"192.168.10.20", "10.0.0.1"}, now, "", "not for 10.0.0.1"},
		{"clock in 1970", "p256.pem", "p256.key", good, time.Unix(0, 0), "", "clock has not been set"},
		{"clock behind", "p256.pem", "p256.key", good, now.Add(-48 * time.Hour), "", "valid from"},
		{"expires soon", "p256.pem", "p256.key", good, now.AddDate(0, 0, 350), "", "expires on"},
		{"expired", "p256.pem", "p256.key", good, now.AddDate(2, 0, 0), "expired on", ""},
		{"another's name", "p256.pem", "p256.key", []string{"rat.example.org"}, now, "is for plenum.example.org, 192.168.10.20, but the box is called rat.example.org", ""},
		{"another's key", "p256.pem", "p384.key", good, now, "does not belong", ""},
		{"wrong order", "turned.pem", "p256.key", good, now, "does not belong", ""},
		{"strangers", "strangers.pem", "p256.key", good, now, "not signed by certificate 2", ""},
		{"P-521", "p521.pem", "p521.key", good, now, "curve", ""},
		{"short RSA", "rsa1024.pem", "rsa1024.key", good, now, "too short", ""},
		{"Ed25519", "ed.pem", "ed.key", good, now, "browsers do not take", ""},
		{"client", "client.pem", "client.key", good, now, "not made for servers", ""},
		{"nameless", "nameless.pem", "nameless.key", good, now, "names no name", ""},
		{"encrypted", "p256.pem", "locked.key", good, now, "openssl pkey -in key.pem -out plain.pem", ""},
		{"encrypted the old way", "rsa2048.pem", "old.key", good, now, "openssl pkey -in key.pem -out plain.pem", ""},
		{"key in the certificate's file", "both.pem", "p256.key", good, now, "only certificates belong here", ""},
		{"no key", "p256.pem", "p256.pem", good, now, "no key in PEM form", ""},
		{"no certificate", "p256.csr", "p256.key", good, now, "only certificates", ""},
		{"not PEM", "p256.ext", "p256.key", good, now, "openssl x509 -inform DER", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := CheckPair(load(tt.cert), load(tt.key), tt.names, tt.now)
			switch {
			case tt.want == "" && err != nil:
				t.Fatal(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Fatalf("got %v, want %q", err, tt.want)
			case tt.note != "" && tt.note != "valid" && !strings.Contains(texts(p.Notes), tt.note):
				t.Errorf("no %q in %+v", tt.note, p.Notes)
			}
			if err != nil && strings.Contains(err.Error(), "%!") {
				t.Error(err)
			}
		})
	}
}

func TestPairByStick(t *testing.T) {
	dir := t.TempDir()
	sh(t, dir, makeCA)
	b := newBox(t)
	b.opts.Now = time.Now
	sh(t, dir, "mkdir "+b.stick+"/TLS && cp p256.pem "+b.stick+"/TLS/Cert.pem")
	if v := b.insert(t); v.State != Refused { // no key on the box
		t.Fatalf("%+v", v)
	}
	sh(t, dir, "cp p256.key "+b.stick+"/TLS/key.pem")
	v := b.insert(t)
	if v.State != Offered || !strings.Contains(texts(v.Lines), "Zertifikat für plenum.example.org, 192.168.10.20, ausgestellt von Stadt CA") {
		t.Fatalf("%+v", v)
	}
	key := tree(t, b.stick)["TLS/key.pem"]
	if strings.Contains(texts(v.Lines), strings.Split(key, "\n")[1][:20]) {
		t.Fatal("the key is shown")
	}
	if err := b.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(b.dir, toKey))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	// A renewed certificate for the same key comes alone.
	sh(t, dir, "rm "+b.stick+"/TLS/* && cp self.pem "+b.stick+"/TLS/cert.pem")
	if v := b.insert(t); v.State != Offered {
		t.Errorf("%+v", v)
	}
}

func FuzzPair(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(_ *testing.T, cert, key []byte) { _, _ = CheckPair(cert, key, nil, time.Unix(0, 0)) })
}

func FuzzSmall(f *testing.F) {
	f.Add([]byte("ratssaal\n"))
	f.Add([]byte("0eef:0001 # x\r\n"))
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		_, _ = ParseName(text)
		_, _ = ParseOwner(text)
		if ids, err := ParseUSB(text); err == nil {
			again, err := ParseUSB(renderUSB(ids))
			if err != nil || len(again) != len(ids) {
				t.Errorf("%q: %v", ids, err)
			}
		}
	})
}
