package appliance

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// FileSystem of a stick.
type FileSystem string

// The file systems. Of exFAT only an empty one can be made.
const (
	VFAT  FileSystem = "vfat"
	Ext4  FileSystem = "ext4"
	ExFAT FileSystem = "exfat"
)

// StickFile is a file on a stick.
type StickFile struct {
	Name string // path on the stick, with slashes
	From string // a file of the host; else Data
	Data []byte
}

// Stick is a USB stick with one partition.
type Stick struct {
	Label  string
	System FileSystem // empty: VFAT
	Size   int        // MiB; 0: as much as the files need
	Bare   bool       // no partition table: the file system fills the stick
	Files  []StickFile
}

// StickImage writes the stick as a disk image to path.
func StickImage(ctx context.Context, path string, s Stick) error {
	dir, err := os.MkdirTemp("", "plenum-stick-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	size, err := s.collect(dir)
	if err != nil {
		return fmt.Errorf("a stick's files: %w", err)
	}
	const head = 1 << 20 // where the partition begins
	begin := int64(head)
	if s.Bare {
		begin = 0
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(begin + size); err != nil {
		return err
	}
	system := path + ".part"
	defer os.Remove(system)
	if err := s.format(ctx, dir, system, size); err != nil {
		return fmt.Errorf("a stick's file system: %w", err)
	}
	if !s.Bare {
		kind := map[FileSystem]string{Ext4: "83", ExFAT: "7"}[s.System]
		if err := tool(ctx, fmt.Sprintf("2048,,%s\n", cmp.Or(kind, "c")), "sfdisk", "-q", path); err != nil {
			return fmt.Errorf("a stick's partition table: %w", err)
		}
	}
	return copyInto(f, system, begin)
}

// collect puts the files into dir and gives the size of a file system for them, in bytes.
func (s Stick) collect(dir string) (int64, error) {
	var total int64
	for _, f := range s.Files {
		to := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return 0, err
		}
		if f.From == "" {
			if err := os.WriteFile(to, f.Data, 0o644); err != nil {
				return 0, err
			}
		} else if err := tool(context.Background(), "", "cp", "--sparse=always", f.From, to); err != nil {
			return 0, err
		}
		info, err := os.Stat(to)
		if err != nil {
			return 0, err
		}
		total += info.Size()
	}
	if s.Size > 0 {
		return int64(s.Size) << 20, nil
	}
	return max(40<<20, (total+total/16+8<<20)>>20<<20), nil // FAT32 needs some 33 MiB
}

// format makes the file system with the files of dir.
func (s Stick) format(ctx context.Context, dir, system string, size int64) error {
	if err := os.WriteFile(system, nil, 0o600); err != nil {
		return err
	}
	if err := os.Truncate(system, size); err != nil {
		return err
	}
	switch cmp.Or(s.System, VFAT) {
	case Ext4:
		return tool(ctx, "", "mkfs.ext4", "-q", "-F", "-L", s.Label, "-d", dir, system)
	case ExFAT:
		if len(s.Files) > 0 {
			return fmt.Errorf("nothing writes files to %s here", s.System)
		}
		return tool(ctx, "", "mkfs.exfat", "-q", "-L", s.Label, system)
	}
	if err := tool(ctx, "", "mkfs.vfat", "-F", "32", "-n", cmp.Or(s.Label, "NO NAME"), system); err != nil {
		return err
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(names) == 0 {
		return err
	}
	return tool(ctx, "", "mcopy", append([]string{"-s", "-Q", "-i", system}, append(names, "::/")...)...)
}

// copyInto copies a file to an offset of another one, holes left out.
func copyInto(to *os.File, from string, offset int64) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	buf, empty := make([]byte, 1<<20), make([]byte, 1<<20)
	for {
		n, err := io.ReadFull(f, buf)
		if n > 0 && !bytes.Equal(buf[:n], empty[:n]) {
			if _, err := to.WriteAt(buf[:n], offset); err != nil {
				return err
			}
		}
		if err != nil {
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				return nil
			}
			return err
		}
		offset += int64(n)
	}
}

// tool runs a program of the host.
func tool(ctx context.Context, input, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, bytes.TrimSpace(out))
	}
	return nil
}
