package stick

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// most is how many entries of a stick's top folder are read. What comes after them is not found, and a folder with a
// million entries holds nobody up.
const most = 4096

// readable reports whether the box mounts this file system. Others are other kernel code behind a plug that anybody
// can reach.
func readable(filesystem string) bool {
	switch filesystem {
	case "vfat", "exfat", "ext4":
		return true
	}
	return false
}

// labelled says what the volume label makes of a stick. FAT and exFAT hold eleven characters, so PLENUM-SETUP comes
// without its dash or without its last letter there.
func labelled(label string) Kind {
	plain := strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToUpper(label))
	switch plain {
	case "PLENUMSETUP", "PLENUMSETU":
		return Setup
	case "PLENUMDIAG":
		return Diagnosis
	}
	return Unknown
}

// Bundles lists the names of the update bundles in a folder: regular files *.raucb that are not hidden. A Mac leaves
// ._x.raucb beside every x.raucb it copies; that is no bundle.
func Bundles(folder string) ([]string, error) {
	d, err := os.Open(folder)
	if err != nil {
		return nil, fmt.Errorf("opening the stick: %w", err)
	}
	defer d.Close()
	entries, err := d.ReadDir(most)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading the stick: %w", err)
	}
	var found []string
	for _, e := range entries {
		if bundle(e.Name()) && e.Type().IsRegular() {
			found = append(found, e.Name())
		}
	}
	return found, nil
}

func bundle(name string) bool {
	return !strings.HasPrefix(name, ".") && strings.HasSuffix(strings.ToLower(name), ".raucb")
}

// disk is the drive a partition is on: /dev/sda of /dev/sda1.
func disk(device string) string { return strings.TrimRight(device, "0123456789") }
