// Package nbd gives a guest a disk that loses in a power cut what a real one may lose: everything that was written since
// the last flush, in any selection and with torn blocks. QEMU reaches it as a network block device (NBD) on a unix socket.
package nbd

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
)

const (
	block  = 4096 // bytes that a disk writes at once
	sector = 512  // bytes of a block that are whole even when the block is torn
	// memory is how many blocks a disk holds back before it writes some by itself, as the RAM on a real one ends, too.
	memory = 32 << 20 / block
)

// Disk is a file that knows what it held at the last flush. Its methods may be called from several goroutines.
type Disk struct {
	mu    sync.Mutex
	file  *os.File
	size  int64
	old   map[int64][]byte // by number: blocks as they were at the last flush, of those written since
	order []int64          // of old, the longest written first
	count uint64           // blocks written since it was opened
}

// Open opens a raw image for reading and writing.
func Open(path string) (*Disk, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &Disk{file: f, size: info.Size(), old: map[int64][]byte{}}, nil
}

// Close closes the file. Nothing is lost.
func (d *Disk) Close() error { return d.file.Close() }

// Size is in bytes.
func (d *Disk) Size() int64 { return d.size }

// ReadAt implements io.ReaderAt: the last that was written, flushed or not.
func (d *Disk) ReadAt(p []byte, off int64) (int, error) { return d.file.ReadAt(p, off) }

// WriteAt implements io.WriterAt. Without a Flush after it, a Cut may undo it.
func (d *Disk) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 || off+int64(len(p)) > d.size {
		return 0, fmt.Errorf("%d bytes at %d are beyond the end of the disk", len(p), off)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for n := off / block; n*block < off+int64(len(p)); n++ {
		if err := d.remember(n); err != nil {
			return 0, err
		}
		d.count++
	}
	return d.file.WriteAt(p, off)
}

// Written is how many blocks of 4 KiB have been written since the disk was opened, each as often as it was.
func (d *Disk) Written() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.count
}

// remember keeps a block as it is, if it is not kept already.
func (d *Disk) remember(n int64) error {
	if _, ok := d.old[n]; ok {
		return nil
	}
	if len(d.order) >= memory {
		half := memory / 2
		for _, n := range d.order[:half] {
			delete(d.old, n)
		}
		d.order = append(d.order[:0], d.order[half:]...)
	}
	b := make([]byte, block)
	if _, err := d.file.ReadAt(b, n*block); err != nil && err != io.EOF {
		return err
	}
	d.old[n] = b
	d.order = append(d.order, n)
	return nil
}

// Flush makes everything written so far safe.
func (d *Disk) Flush() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.old)
	d.order = d.order[:0]
}

// Loss is what a power cut has done.
type Loss struct {
	Unflushed int // blocks that were written and not flushed
	Lost      int // of these, as before the writing
	Torn      int // of these, partly as before
}

// Cut takes the power away: blocks that were not flushed are lost, torn or kept as random decides.
func (d *Disk) Cut(random *rand.Rand) (Loss, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	loss := Loss{Unflushed: len(d.order)}
	share := []float64{0, 0.5, 1}[random.IntN(3)] // drives differ: none, some, everything
	for _, n := range d.order {
		keep := 0 // bytes of the new block
		switch {
		case random.Float64() >= share:
			continue
		case random.IntN(8) == 0:
			keep = sector * (1 + random.IntN(block/sector-1))
			loss.Torn++
		default:
			loss.Lost++
		}
		end := min(block, d.size-n*block)
		if int64(keep) >= end {
			continue
		}
		if _, err := d.file.WriteAt(d.old[n][keep:end], n*block+int64(keep)); err != nil {
			return loss, err
		}
	}
	clear(d.old)
	d.order = d.order[:0]
	return loss, nil
}
