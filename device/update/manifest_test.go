package update

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// testdata/verity.raucb was made by rauc 1.8: format verity, a payload of random bytes, a signer that nobody keeps.
func TestReadManifest(t *testing.T) {
	got, err := readManifest("testdata/verity.raucb")
	if err != nil {
		t.Fatal(err)
	}
	want := Bundle{"plenum-lab-x86_64", "1.3.0", "Neu: Pult-Abfrage schneller; Fehler behoben.", "2026-11-20T08:00:00Z"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	if _, err := readManifest("testdata/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

func TestNoManifest(t *testing.T) {
	whole, err := os.ReadFile("testdata/verity.raucb")
	if err != nil {
		t.Fatal(err)
	}
	broken := bytes.Clone(whole)
	broken[len(broken)-1] ^= 1 // the signature's length
	for name, raw := range map[string][]byte{
		"empty": nil, "short": []byte("1234567"), "zeros": make([]byte, 9000), "torn": whole[:9000], "another length": broken,
		"no CMS": append([]byte("hello"), 0, 0, 0, 0, 0, 0, 0, 5), "longer than itself": {1, 0, 0, 0, 0, 0, 0, 0, 2},
		"huge": {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	} {
		if b, err := parseBundle(bytes.NewReader(raw), int64(len(raw))); !errors.Is(err, errNoManifest) {
			t.Errorf("%s: %+v, %v", name, b, err)
		}
	}
}

func TestParseManifest(t *testing.T) {
	for _, tt := range []struct {
		text string
		want Bundle
	}{
		{"", Bundle{}},
		{"[update]\ncompatible=a\nversion = 1.0.0 \n", Bundle{Compatible: "a", Version: "1.0.0"}},
		{"[update]\r\nversion=1.0.0\r\n", Bundle{Version: "1.0.0"}},
		{"[bundle]\nversion=9\n[update]\n#version=8\nversion=1.0.0\n[image.rootfs]\nversion=7\n", Bundle{Version: "1.0.0"}},
		{`[update]` + "\n" + `description=\sa\nb\\n=c`, Bundle{Description: " a\nb\\n=c"}},
		{"version=1", Bundle{}},
	} {
		if diff := cmp.Diff(tt.want, parseManifest(tt.text)); diff != "" {
			t.Errorf("%q: %s", tt.text, diff)
		}
	}
}

func FuzzBundle(f *testing.F) {
	whole, err := os.ReadFile("testdata/verity.raucb")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole[8000:])
	f.Add([]byte("[update]\nversion=1"))
	f.Add([]byte{0x30, 0x00, 0, 0, 0, 0, 0, 0, 0, 2})
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := parseBundle(bytes.NewReader(raw), int64(len(raw)))
		if err != nil && b != (Bundle{}) {
			t.Fatalf("%+v with %v", b, err)
		}
		_ = parseManifest(string(raw))
	})
}
