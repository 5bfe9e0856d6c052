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

// TestSuites runs the tests that other packages have for the lab, in one guest.
func TestSuites(t *testing.T) {
	suites, err := lab.Suites("hal", "media", "device")
	if err != nil {
		t.Fatal(err)
	}
	if len(suites) == 0 {
		t.Fatal("no package has tests for the lab")
	}
	vm := lab.Boot(t, guest(t), lab.Options{Memory: 1024, Plugged: []lab.Device{
		{ID: "desks", Kind: lab.Adapter, Serial: "DESK24"}, {ID: "hall", Kind: lab.Sound, Serial: "HALL"},
	}})
	for _, s := range suites {
		t.Run(s.Package, func(t *testing.T) { vm.RunTests(t, s) })
	}
}
