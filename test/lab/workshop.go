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

// Workshop is the cache while this process builds in it; another one that wants to waits.
type Workshop struct {
	Cache string // folder of images, logs and test binaries
	Root  string // the source tree
	log   io.Writer
	lock  *os.File
}

// OpenWorkshop waits until nobody else builds. Progress is written to log.
func OpenWorkshop(log io.Writer) (*Workshop, error) {
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	lock, err := locked(filepath.Join(cache, "lock"), os.O_CREATE|os.O_RDWR, unix.LOCK_EX)
	if err != nil {
		return nil, err
	}
	return &Workshop{cache, root, log, lock}, nil
}

// Close lets the next one in.
func (w *Workshop) Close() { w.lock.Close() }

// Binaries builds what goes into a guest: plenumd, plenumctl and the agent, all in one folder.
func (w *Workshop) Binaries(ctx context.Context) (dir string, err error) {
	dir = filepath.Join(w.Cache, "bin")
	build := []string{"build", "-buildvcs=false", "-ldflags=-s -w", "-o", dir + "/"} // Buildroot strips what goes into an image, too
	if err := goTool(ctx, w.Root, w.log, nil, append(build, "./cmd/plenumd", "./cmd/plenumctl")...); err != nil {
		return "", err
	}
	static := []string{"CGO_ENABLED=0"}
	return dir, goTool(ctx, w.Root, w.log, static, append(build, "./test/lab/agent")...)
}

// Script runs a script of the tree, named by its path from the top, and gives the last line it prints. What goes wrong
// is told with the last line that it says on stderr.
func (w *Workshop) Script(ctx context.Context, name string, args ...string) (last string, err error) {
	return w.script(ctx, nil, name, args...)
}

// script is Script with more in the environment.
func (w *Workshop) script(ctx context.Context, env []string, name string, args ...string) (last string, err error) {
	cmd := exec.CommandContext(ctx, filepath.Join(w.Root, name), args...)
	cmd.Env = append(os.Environ(), env...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, io.MultiWriter(w.log, &said)
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", name, err, lastLine(said.String()))
	}
	return lastLine(out.String()), nil
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
