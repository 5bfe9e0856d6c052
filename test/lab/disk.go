package lab

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"strings"
)

// writeFile writes f into an ext4 image that nobody has mounted. aside is a free name on the host.
func writeFile(ctx context.Context, disk, aside string, f File) error {
	if !path.IsAbs(f.Path) || strings.ContainsAny(f.Path, "\" \n") {
		return errors.New("the path has to be absolute and without spaces")
	}
	if err := os.WriteFile(aside, f.Data, 0o600); err != nil {
		return err
	}
	defer os.Remove(aside)
	var script strings.Builder
	for i, c := range f.Path[1:] {
		if c != '/' {
			continue
		}
		// debugfs makes a folder that is there once more and loses it.
		out, err := debugfs(ctx, disk, "stat "+f.Path[:i+1]+"\n")
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		if bytes.Contains(out, []byte("File not found")) {
			fmt.Fprintf(&script, "mkdir %s\n", f.Path[:i+1])
		}
	}
	// The mode is set whole: regular file and permissions.
	fmt.Fprintf(&script, "rm %[1]s\nwrite %[2]s %[1]s\nset_inode_field %[1]s mode 0100%03[3]o\nset_inode_field %[1]s uid 0\nset_inode_field %[1]s gid 0\n",
		f.Path, aside, cmp.Or(f.Mode.Perm(), 0o644))
	if out, err := debugfs(ctx, disk, script.String()); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	// debugfs says what went wrong and ends well all the same: look at what is there.
	got, err := readFile(ctx, disk, aside, f.Path)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, f.Data) {
		return fmt.Errorf("%d of %d bytes are there", len(got), len(f.Data))
	}
	return nil
}

func readFile(ctx context.Context, disk, aside, name string) ([]byte, error) {
	os.Remove(aside)
	if out, err := debugfs(ctx, disk, fmt.Sprintf("dump %s %s\n", name, aside)); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	return os.ReadFile(aside)
}

func debugfs(ctx context.Context, disk, script string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "debugfs", "-w", "-f", "-", disk)
	cmd.Stdin = strings.NewReader(script)
	return cmd.CombinedOutput()
}
