// Package lab tests the appliance on a real Linux kernel without hardware: it builds a Debian 12 guest around our
// binaries, boots it in QEMU, plugs devices in and out of it, cuts its power, and runs commands and test binaries in it.
//
//	image, err := lab.Build(ctx, os.Stderr)                 // once, in TestMain; quick when nothing changed
//	vm := lab.Boot(t, image, lab.Options{Name: "cameras"})  // ended with the test, its console kept when that fails
//	out, err := vm.Run(ctx, "v4l2-ctl --list-devices")
//
// The guest has two vivid cameras, the sound card Saal (snd-aloop), the gpio-sim chip lab with eight named lines, ttyS4
// and ttyS5 (whose other ends are the sockets "ttyS4" and "ttyS5" of VM.Dial), and USB ports for adapters, sound cards
// and sticks. plenumd runs when Options.Files brings /etc/plenum/plenum.toml.
//
// Environment: PLENUM_LAB_CACHE is the folder of images and logs instead of run/lab; PLENUM_LAB_KVM=1 takes KVM instead
// of emulation (a /dev/kvm may be there and not work, so nothing chooses it by itself); PLENUM_LAB_RACE=1 builds what
// VM.RunTests runs with the race detector; PLENUM_SOAK=1 makes Cycles give the long count.
package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// tags of everything that is built for the guest.
const tags = "dynamic,nolibopusfile"

// Image is a built guest: a folder with vmlinuz, initrd.gz and root.img.
type Image struct {
	Dir string
}

// Build makes the guest's image from the tree the working folder lies in, or finds it in the cache. It takes about 30 s
// from nothing, 3 s when a binary has changed. Progress is written to log. Two builds in one cache wait for each other.
func Build(ctx context.Context, log io.Writer) (Image, error) {
	cache, err := cacheDir()
	if err != nil {
		return Image{}, err
	}
	lock, err := locked(filepath.Join(cache, "lock"), os.O_CREATE|os.O_RDWR, unix.LOCK_EX)
	if err != nil {
		return Image{}, err
	}
	defer lock.Close()
	root, err := moduleRoot()
	if err != nil {
		return Image{}, err
	}
	bin := filepath.Join(cache, "bin")
	build := []string{"build", "-buildvcs=false", "-trimpath", "-o", bin + "/"}
	if err := goTool(ctx, root, log, nil, append(build, "-tags", tags, "./cmd/plenumd", "./cmd/plenumctl")...); err != nil {
		return Image{}, err
	}
	static := []string{"CGO_ENABLED=0"}
	if err := goTool(ctx, root, log, static, append(build, "-ldflags=-s -w", "./test/lab/agent")...); err != nil {
		return Image{}, err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(root, "test/lab/image/build.sh"), cache, bin)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, io.MultiWriter(log, &said)
	if err := cmd.Run(); err != nil {
		return Image{}, fmt.Errorf("building the lab's image: %w: %s", err, lastLine(said.String()))
	}
	return Image{Dir: lastLine(out.String())}, nil
}

// Cycles is how often something is to be repeated: short in make test, long in make soak.
func Cycles(short, long int) int {
	if os.Getenv("PLENUM_SOAK") != "" {
		return long
	}
	return short
}

// goTool runs the go command in the module's root; env is added to the environment.
func goTool(ctx context.Context, root string, log io.Writer, env []string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), env...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = log, io.MultiWriter(log, &said)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(said.String()))
	}
	return nil
}

// cacheDir is the folder of images, logs and test binaries; it is made when it is missing.
func cacheDir() (string, error) {
	dir := os.Getenv("PLENUM_LAB_CACHE")
	if dir == "" {
		root, err := moduleRoot()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(root, "run", "lab")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o755); err != nil {
		return "", fmt.Errorf("the lab's cache: %w", err)
	}
	return dir, nil
}

// moduleRoot is the folder of go.mod above the working folder.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("the lab has to be used from within the source tree: there is no go.mod above")
		}
		dir = up
	}
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}
