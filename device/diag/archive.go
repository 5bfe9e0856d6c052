package diag

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"
)

const (
	partSize    = 1 << 20           // bytes of text that are held in memory and make one entry
	sourceMax   = 16 << 20          // bytes of one source, when it names no limit of its own
	sourceTime  = time.Minute       // for one source
	roomForEnd  = 512 << 10         // bytes kept free on the stick: what the packers still hold, and the list of contents
	contentName = "00-contents.txt" // last in the archive, first in a listing
)

// errFull tells a source that no more of it is wanted.
var errFull = errors.New("no more room for this")

// Source gives one text for the archive.
type Source struct {
	Name string // path in the archive, such as "health.json" or "logs/boot-0.txt"
	Max  int64  // bytes that are taken at most; 0: 16 MiB
	// Write writes the text and ends with ctx. What should survive when there is no more room comes first: logs begin
	// with the newest line. When w refuses more, it returns w's error.
	Write func(ctx context.Context, w io.Writer) error
}

// archive packs sources into a tar.gz of bounded size.
type archive struct {
	tar  *tar.Writer
	gzip *gzip.Writer
	out  *counter
	now  time.Time
	raw  int64 // bytes of text still allowed
	room int64 // bytes that the stick takes
	cut  bool  // something was left out for want of room
	list strings.Builder
}

// counter counts what is written and keeps the error that a packer may not hand on.
type counter struct {
	w   io.Writer
	n   int64
	err error
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	if err != nil {
		c.err = err
	}
	return n, err
}

// newArchive packs into w. out counts what arrives on the stick behind w.
func newArchive(w io.Writer, out *counter, now time.Time, limit, room int64) *archive {
	z := gzip.NewWriter(w)
	return &archive{tar: tar.NewWriter(z), gzip: z, out: out, now: now, raw: limit, room: room}
}

// add packs one source. A source that fails is noted in the list of contents; only an error of the stick or of ctx is
// returned.
func (a *archive) add(ctx context.Context, s Source) error {
	limit := s.Max
	if limit == 0 {
		limit = sourceMax
	}
	e := &entry{archive: a, name: s.Name, left: min(limit, a.raw)}
	f := newFilter(e)
	within, cancel := context.WithTimeout(ctx, sourceTime)
	err := s.Write(within, f)
	cancel()
	if !e.full {
		err = errors.Join(err, f.Close())
	}
	if last := e.end(); a.out.err != nil || last != nil {
		return errors.Join(last, a.out.err)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	switch {
	case e.full:
		a.cut = true
		fmt.Fprintf(&a.list, "%s: %d bytes; the rest was left out for want of room\n", s.Name, e.size)
	case err != nil:
		text, _ := clean(strings.ReplaceAll(err.Error(), "\n", "; "))
		fmt.Fprintf(&a.list, "%s: %d bytes, then: %s\n", s.Name, e.size, text)
	default:
		fmt.Fprintf(&a.list, "%s: %d bytes\n", s.Name, e.size)
	}
	return nil
}

// end packs the list of contents and finishes the archive.
func (a *archive) end() error {
	if err := a.put(contentName, []byte(a.list.String())); err != nil {
		return err
	}
	if err := a.tar.Close(); err != nil {
		return err
	}
	return a.gzip.Close()
}

func (a *archive) put(name string, text []byte) error {
	err := a.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text)), ModTime: a.now, Format: tar.FormatPAX})
	if err == nil {
		_, err = a.tar.Write(text)
	}
	if err == nil {
		err = a.tar.Flush()
	}
	if err == nil {
		err = a.gzip.Flush() // so that out knows what is used
	}
	return err
}

// entry collects the filtered text of one source and packs it part by part: a tar wants the size of an entry first.
type entry struct {
	archive *archive
	name    string
	left    int64 // bytes still allowed
	size    int64 // bytes packed
	part    int
	buf     bytes.Buffer
	full    bool
}

// Write implements io.Writer. It returns errFull when there is no more room.
func (e *entry) Write(p []byte) (int, error) {
	if e.full {
		return 0, errFull
	}
	if int64(len(p)) > e.left {
		e.full = true
		return 0, errFull
	}
	e.left -= int64(len(p))
	if e.buf.Len()+len(p) > partSize {
		if err := e.pack(false); err != nil {
			return 0, err
		}
	}
	return e.buf.Write(p)
}

func (e *entry) end() error {
	if e.buf.Len() == 0 {
		return nil
	}
	return e.pack(true)
}

// pack makes an entry of what is there, if even text that cannot be compressed fits.
func (e *entry) pack(last bool) error {
	a, n := e.archive, int64(e.buf.Len())
	if a.out.n+n+n/100+roomForEnd > a.room || n > a.raw {
		e.full = true
		e.buf.Reset()
		if last {
			return nil
		}
		return errFull
	}
	name := e.name
	if e.part++; e.part > 1 || !last {
		ext := path.Ext(name)
		name = fmt.Sprintf("%s.%03d%s", strings.TrimSuffix(name, ext), e.part, ext)
	}
	if err := a.put(name, e.buf.Bytes()); err != nil {
		return err
	}
	a.raw -= n
	e.size += n
	e.buf.Reset()
	return nil
}
