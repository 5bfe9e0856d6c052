package bench

import (
	"testing"

	"plenum/test/lab"
)

// TestKernelStamp has TestLabKernelStamp measure in the lab's guest, whose cameras are a kernel's. It is a test because the
// lab runs tests; what it says is a measurement.
func TestKernelStamp(t *testing.T) {
	image, err := lab.Build(t.Context(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	lab.Boot(t, image, lab.Options{}).RunTests(t, lab.Suite{Package: "test/bench", Tests: []string{"TestLabKernelStamp"}})
}
