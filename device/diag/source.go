package diag

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// Bounds of what is read of the box's folders.
const (
	crashDumps  = 10      // newest
	crashBytes  = 4 << 20 // of one dump
	fileBytes   = 4 << 20
	listEntries = 2000
)

// Text is a source of a text that is at hand.
func Text(name string, text func() []byte) Source {
	return Source{Name: name, Write: func(_ context.Context, w io.Writer) error {
		_, err := w.Write(text())
		return err
	}}
}

// File is a text file of the box. Files that are secret as a whole are never packed, whoever asks for them; what else
// is secret in a file the filter takes out.
func File(name, file string) Source {
	return Source{Name: name, Write: func(_ context.Context, w io.Writer) error {
		dir, base := path.Split(file)
		root, err := os.OpenRoot(path.Clean(dir))
		if err != nil {
			return err
		}
		defer root.Close()
		return copyText(root, base, fileBytes, w)
	}}
}

// Crashes are the newest goroutine dumps in a folder, newest first, each as an entry's part. Dumps of memory (core
// files) hold keys and are not packed.
func Crashes(dir string) Source {
	return Source{Name: "crash.txt", Write: func(ctx context.Context, w io.Writer) error {
		root, err := os.OpenRoot(dir)
		if errors.Is(err, fs.ErrNotExist) {
			_, err = io.WriteString(w, "none\n")
			return err
		}
		if err != nil {
			return err
		}
		defer root.Close()
		dumps, err := newest(root)
		if err != nil {
			return err
		}
		for _, d := range dumps[:min(crashDumps, len(dumps))] {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if _, err := fmt.Fprintf(w, "==> %s, %d bytes, %s\n", d.Name(), d.Size(), d.ModTime().UTC().Format("2006-01-02T15:04:05Z")); err != nil {
				return err
			}
			if err := copyText(root, d.Name(), crashBytes, w); err != nil {
				if errors.Is(err, errFull) {
					return err
				}
				fmt.Fprintf(w, "not packed: %v\n", err)
			}
		}
		return nil
	}}
}

// newest lists the plain files of a folder, newest first.
func newest(root *os.Root) ([]fs.FileInfo, error) {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, err
	}
	var files []fs.FileInfo
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			files = append(files, info)
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int {
		return cmp.Or(b.ModTime().Compare(a.ModTime()), cmp.Compare(b.Name(), a.Name()))
	})
	return files, nil
}

// Listing is what lies in a folder: names, sizes, modes and times, never contents.
func Listing(name, dir string) Source {
	return Source{Name: name, Write: func(ctx context.Context, w io.Writer) error {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return err
		}
		defer root.Close()
		n := 0
		return fs.WalkDir(root.FS(), ".", func(p string, e fs.DirEntry, err error) error {
			if err != nil {
				_, err = fmt.Fprintf(w, "%s: %v\n", p, err)
				return err
			}
			if n++; n > listEntries || ctx.Err() != nil {
				return fs.SkipAll
			}
			info, err := e.Info()
			if err != nil {
				return nil // gone meanwhile
			}
			_, err = fmt.Fprintf(w, "%v %10d %s %s\n", info.Mode(), info.Size(), info.ModTime().UTC().Format("2006-01-02T15:04:05Z"), p)
			return err
		})
	}}
}

// errSecret and errNoText are why a file is not packed.
var (
	errSecret = errors.New("withheld: this file is secret as a whole")
	errNoText = errors.New("withheld: this file is no text")
)

// whole says which files are secret as a whole: keys, the people's links and PINs, where they sign in, the journal.
func whole(name string) bool {
	low := strings.ToLower(path.Base(name))
	return strings.Contains(low, "key") || strings.HasPrefix(low, "access.json") || strings.HasPrefix(low, "owner.json") ||
		strings.Contains(low, "tries.json") || strings.Contains(low, ".db") ||
		strings.HasSuffix(low, ".p12") || strings.HasSuffix(low, ".pfx") || strings.HasPrefix(low, "core")
}

// copyText writes a plain text file of at most limit bytes; of a longer one the beginning.
func copyText(root *os.Root, name string, limit int64, w io.Writer) error {
	if whole(name) {
		return errSecret
	}
	before, err := root.Lstat(name)
	if err != nil {
		return err
	}
	if !before.Mode().IsRegular() {
		return errNoText
	}
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, 4096)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if bytes.IndexByte(head[:n], 0) >= 0 {
		return errNoText
	}
	if _, err := w.Write(head[:n]); err != nil {
		return err
	}
	if _, err = io.Copy(w, io.LimitReader(f, limit-int64(n))); err != nil {
		return err
	}
	_, err = io.WriteString(w, "\n")
	return err
}
