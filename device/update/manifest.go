package update

import (
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// mostSignature bounds the signature of a bundle, bytes. RAUC's own bound is 64 KiB.
const mostSignature = 64 << 10

var errNoManifest = errors.New("no manifest in the bundle")

// readManifest reads the manifest of a verity bundle without checking anything: it is for showing what RAUC has checked
// and does not tell, and for telling a foreign bundle from a torn one.
//
// A bundle is a SquashFS image, its hash tree, a CMS signature with the manifest as its content (RFC 5652, DER), and
// the signature's length in eight bytes, big-endian (RAUC Reference, "Bundle Formats").
func readManifest(path string) (Bundle, error) {
	f, err := os.Open(path)
	if err != nil {
		return Bundle{}, fmt.Errorf("opening the bundle: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Bundle{}, fmt.Errorf("opening the bundle: %w", err)
	}
	return parseBundle(f, info.Size())
}

func parseBundle(r io.ReaderAt, size int64) (Bundle, error) {
	var tail [8]byte
	if size < int64(len(tail)) {
		return Bundle{}, fmt.Errorf("%d bytes: %w", size, errNoManifest)
	}
	if _, err := r.ReadAt(tail[:], size-8); err != nil {
		return Bundle{}, fmt.Errorf("reading the end of the bundle: %w", err)
	}
	n := binary.BigEndian.Uint64(tail[:])
	if n == 0 || n > mostSignature || int64(n) > size-8 {
		return Bundle{}, fmt.Errorf("a signature of %d bytes: %w", n, errNoManifest)
	}
	raw := make([]byte, n)
	if _, err := r.ReadAt(raw, size-8-int64(n)); err != nil {
		return Bundle{}, fmt.Errorf("reading the signature: %w", err)
	}
	text, err := content(raw)
	if err != nil {
		return Bundle{}, err
	}
	return parseManifest(string(text)), nil
}

// content takes the content out of CMS SignedData.
func content(der []byte) ([]byte, error) {
	signed := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	explicit := cbasn1.Tag(0).ContextSpecific().Constructed()
	var info, wrapped, data, encap, inner cryptobyte.String
	var kind, what asn1.ObjectIdentifier
	var version int
	in := cryptobyte.String(der)
	ok := in.ReadASN1(&info, cbasn1.SEQUENCE) && info.ReadASN1ObjectIdentifier(&kind) && kind.Equal(signed) &&
		info.ReadASN1(&wrapped, explicit) && wrapped.ReadASN1(&data, cbasn1.SEQUENCE) &&
		data.ReadASN1Integer(&version) && data.SkipASN1(cbasn1.SET) &&
		data.ReadASN1(&encap, cbasn1.SEQUENCE) && encap.ReadASN1ObjectIdentifier(&what) && encap.ReadASN1(&inner, explicit)
	var text []byte
	if !ok || !inner.ReadASN1Bytes(&text, cbasn1.OCTET_STRING) {
		return nil, fmt.Errorf("the signature is no CMS with a content: %w", errNoManifest)
	}
	return text, nil
}

// parseManifest reads the [update] section of a manifest. It is a GLib key file.
func parseManifest(text string) Bundle {
	var b Bundle
	fields := map[string]*string{"compatible": &b.Compatible, "version": &b.Version, "description": &b.Description, "build": &b.Build}
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "["); ok {
			section = strings.TrimSuffix(name, "]")
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if field := fields[strings.TrimSpace(key)]; ok && section == "update" && field != nil {
			*field = unescape(strings.TrimSpace(value))
		}
	}
	return b
}

// unescape undoes the escapes of a key file's string.
func unescape(s string) string {
	return strings.NewReplacer(`\s`, " ", `\n`, "\n", `\t`, "\t", `\r`, "\r", `\\`, `\`).Replace(s)
}
