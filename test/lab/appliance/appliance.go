// Package appliance boots the box as it is delivered: UEFI, GRUB, two slots, a data partition, updates through RAUC; the
// lab's guest (package lab) stands behind it with cameras, sound, lines and serial lines that only the kernel imagines.
//
//	image, err := appliance.Build(ctx, os.Stderr)               // once, in TestMain; quick when nothing changed
//	box := appliance.Boot(t, image, appliance.Options{})        // slot A, first boot
//	bundle := image.MustBundle(t, appliance.Bundle{Slot: appliance.Slot{Version: "2.0.0"}})
//	stick := box.Stick(appliance.Stick{Label: "UPDATE", Files: []appliance.StickFile{{Name: "plenum.raucb", From: bundle}}})
//	box.Plug(ctx, lab.Device{ID: "stick", Kind: lab.Stick, Disk: stick})
//
// Everything that is made lies in the lab's cache under the hash of what went into it.
package appliance

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"plenum/test/lab"
)

// scripts is the folder of what makes disks and bundles.
const scripts = "test/lab/appliance/image"

// Compatible is what RAUC calls the boxes of the lab.
const Compatible = "plenum-lab-x86_64"

// Image is what boxes are made of: folders of the cache.
type Image struct {
	box    string // root file system without a version
	loader string // files of the ESP
	keys   string // for signing bundles
	log    io.Writer
}

// Build makes it from the tree the working folder lies in, or finds it in the cache.
func Build(ctx context.Context, log io.Writer) (*Image, error) {
	w, err := lab.OpenWorkshop(log)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	bin, err := w.Binaries(ctx)
	if err != nil {
		return nil, err
	}
	line, err := w.Guest(ctx, scripts+"/build.sh", w.Cache, bin)
	if err != nil {
		return nil, err
	}
	parts := strings.Fields(line)
	if len(parts) != 3 {
		return nil, fmt.Errorf("the appliance's build.sh ends with %q", line)
	}
	return &Image{box: parts[0], loader: parts[1], keys: parts[2], log: log}, nil
}

// Flaw is what is wrong with a slot.
type Flaw string

// The flaws.
const (
	NoDaemon  Flaw = "daemon" // plenumd does not start
	NoKernel  Flaw = "kernel" // GRUB finds rubbish instead of a kernel
	Panics    Flaw = "panic"  // the kernel's first program ends at once
	Emergency Flaw = "mount"  // it ends in emergency mode
	Hollow    Flaw = "hollow" // nothing but its version is in it: small, for what is refused before anybody looks inside
)

// Slot is what is in a slot.
type Slot struct {
	Version string // empty: 1.0.0
	Flaw    Flaw
	Files   []lab.File // more files, or others than those that are there
}

// version is what /usr/lib/plenum/release says.
func (s Slot) version() string {
	if s.Version == "" {
		return "1.0.0"
	}
	return s.Version
}

// Slot makes the file system of a slot and gives its path.
func (i *Image) Slot(ctx context.Context, s Slot) (string, error) {
	dir, err := i.stage(ctx, "slot", []any{i.box, s}, []string{"slot.sh"}, func(w *lab.Workshop, out string) error {
		tmp, err := os.MkdirTemp("", "plenum-slot-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(tmp)
		release := filepath.Join(tmp, "release")
		if err := os.WriteFile(release, fmt.Appendf(nil, "VERSION=%s\nBUILD=%s\nCOMPATIBLE=%s\nSUPPORT_UNTIL=2031-12\n",
			s.version(), built().Format(time.RFC3339), Compatible), 0o600); err != nil {
			return err
		}
		extra := filepath.Join(tmp, "extra")
		if err := writeFiles(extra, s.Files); err != nil {
			return err
		}
		_, err = w.Script(ctx, scripts+"/slot.sh", out, i.box, release, extra, string(s.Flaw))
		return err
	})
	return filepath.Join(dir, "slot.img"), err
}

// built is the time that releases carry: always the same, so that the same is made of the same.
func built() time.Time { return time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC) }

func writeFiles(dir string, files []lab.File) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		if !filepath.IsAbs(f.Path) {
			return fmt.Errorf("the path %s is not absolute", f.Path)
		}
		path, mode := filepath.Join(dir, f.Path), f.Mode.Perm()
		if mode == 0 {
			mode = 0o644
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, f.Data, mode); err != nil {
			return err
		}
	}
	return nil
}

// Disk makes a disk as it leaves the factory, with s in slot A.
func (i *Image) Disk(ctx context.Context, s Slot) (lab.Image, error) {
	slot, err := i.Slot(ctx, s)
	if err != nil {
		return lab.Image{}, err
	}
	dir, err := i.stage(ctx, "disk", []any{slot, i.loader}, []string{"disk.sh", "layout.sh"}, func(w *lab.Workshop, out string) error {
		_, err := w.Script(ctx, scripts+"/disk.sh", out, slot, i.loader)
		return err
	})
	return lab.Image{Disk: filepath.Join(dir, "disk.img")}, err
}

// stage makes a folder of the cache, or finds it there. Its key is made of what goes in and of the scripts.
func (i *Image) stage(ctx context.Context, name string, in []any, made []string, make func(*lab.Workshop, string) error) (string, error) {
	w, err := lab.OpenWorkshop(i.log)
	if err != nil {
		return "", err
	}
	defer w.Close()
	hash := sha256.New()
	if err := json.NewEncoder(hash).Encode(in); err != nil {
		return "", err
	}
	for _, script := range made {
		text, err := os.ReadFile(filepath.Join(w.Root, scripts, script))
		if err != nil {
			return "", err
		}
		hash.Write(text)
	}
	dir := filepath.Join(w.Cache, fmt.Sprintf("%s-%.8x", name, hash.Sum(nil)))
	now := time.Now()
	if err := os.Chtimes(dir, now, now); err == nil { // used today: it stays
		return dir, nil
	}
	began, next := time.Now(), dir+".new"
	if err := errors.Join(os.RemoveAll(next), os.MkdirAll(next, 0o755)); err != nil {
		return "", err
	}
	if err := make(w, next); err != nil {
		return "", errors.Join(fmt.Errorf("making a %s: %w", name, err), os.RemoveAll(next))
	}
	if err := os.Rename(next, dir); err != nil {
		return "", err
	}
	fmt.Fprintf(i.log, "lab: %s made in %.1f s\n", name, time.Since(began).Seconds())
	return dir, nil
}
