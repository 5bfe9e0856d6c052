//go:build lab

package lab_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"plenum/test/lab"
)

// built is the image that all tests boot; TestMain makes it.
var built lab.Image

func TestMain(m *testing.M) {
	if os.Getenv("LAB_ORPHAN") != "" {
		os.Exit(m.Run()) // TestQEMUDoesNotOutliveUs calls itself: it needs no image
	}
	began := time.Now()
	var err error
	if built, err = lab.Build(context.Background(), os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
	fmt.Fprintf(os.Stderr, "lab: image ready after %.1f s\n", time.Since(began).Seconds())
	goleak.VerifyTestMain(m)
}

// guest is the image for lab.Boot.
func guest(testing.TB) lab.Image { return built }

// suites runs the tests that other packages have for the lab.
func suites(t *testing.T, vm *lab.VM) {
	all, err := lab.Suites("hal", "media", "device")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no package has tests for the lab")
	}
	for _, s := range all {
		t.Run(s.Package, func(t *testing.T) { vm.RunTests(t, s) })
	}
}
