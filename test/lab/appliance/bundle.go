package appliance

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"plenum/test/lab"
)

// Tamper is what was done to a bundle after it was signed.
type Tamper string

// What can be done to it.
const (
	Payload   Tamper = "payload"   // a byte of the file system
	Signature Tamper = "signature" // a byte of the signature
	Cut       Tamper = "cut"       // the second half is missing
)

// Bundle is an update.
type Bundle struct {
	Slot
	Compatible  string // empty: that of the lab's boxes
	Description string
	Foreign     bool // signed by somebody whom the box does not know
	Tamper      Tamper
}

// Bundle makes an update and gives its path. Bundles of one Slot share its file system.
func (i *Image) Bundle(ctx context.Context, b Bundle) (string, error) {
	slot, err := i.Slot(ctx, b.Slot)
	if err != nil {
		return "", err
	}
	signer := filepath.Join(i.keys, "signer")
	if b.Foreign {
		signer = filepath.Join(i.keys, "foreign")
	}
	manifest := fmt.Sprintf("[update]\ncompatible=%s\nversion=%s\nbuild=%s\ndescription=%s\n\n[bundle]\nformat=verity\n\n[image.rootfs]\nfilename=rootfs.img\n",
		cmp.Or(b.Compatible, Compatible), b.version(), built.Format(time.RFC3339), cmp.Or(b.Description, "Lab "+b.version()))
	dir, err := i.stage(ctx, "bundle", []any{slot, signer, manifest, b.Tamper}, []string{"bundle.sh"}, func(w *lab.Workshop, out string) error {
		path := out + ".manifest"
		if err := os.WriteFile(path, []byte(manifest), 0o600); err != nil {
			return err
		}
		defer os.Remove(path)
		_, err := w.Script(ctx, scripts+"/bundle.sh", out, slot, signer, path, string(b.Tamper))
		return err
	})
	return filepath.Join(dir, "bundle.raucb"), err
}

// MustBundle is Bundle for tests.
func (i *Image) MustBundle(t testing.TB, b Bundle) string {
	t.Helper()
	path, err := i.Bundle(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
