package appliance

import (
	"cmp"
	"context"
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
	Compatible string // empty: that of the lab's boxes
	Notes      string
	Foreign    bool // signed by somebody whom the box does not know
	Tamper     Tamper
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
	manifest := []string{"COMPATIBLE=" + cmp.Or(b.Compatible, Compatible), "VERSION=" + b.version(),
		"BUILD=" + built().Format(time.RFC3339), "NOTES=" + cmp.Or(b.Notes, "Lab "+b.version())}
	dir, err := i.stage(ctx, "bundle", []any{slot, signer, manifest, b.Tamper}, []string{"bundle.sh"}, func(w *lab.Workshop, out string) error {
		_, err := w.Script(ctx, scripts+"/bundle.sh", append([]string{out, slot, signer, string(b.Tamper)}, manifest...)...)
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
