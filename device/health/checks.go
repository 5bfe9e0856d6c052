package health

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Bounds of the checks. What was found too little must grow by a fifth before it counts as enough, so that a file that
// comes and goes is no alarm each time.
const (
	fullShare, fullBytes = 0.05, 100_000_000 // of the partition, bytes
	lowShare, lowBytes   = 0.15, 200_000_000
	enough               = 1.2
	memoryHigh           = 0.85 // of the unit's limit
	memoryFine           = 0.75
	saneYears            = 10 // a clock further ahead of the build is wrong as well
)

// Clock is what is known of the time.
type Clock struct {
	Now          time.Time
	Built        time.Time // of the program; zero: unknown
	Last         time.Time // the journal's last record; zero: none
	Known        bool      // somebody could say whether it is synchronised
	Synchronised bool
}

// CheckClock judges the time: one before the program was built or before the last record cannot be.
func (c *Conditions) CheckClock(k Clock) {
	detail := ""
	switch {
	case k.Now.Before(k.Built):
		detail = fmt.Sprintf("%s is before the program was built, %s", k.Now.UTC().Format(time.RFC3339), k.Built.UTC().Format(time.RFC3339))
	case k.Now.Before(k.Last):
		detail = fmt.Sprintf("%s is before the journal's last record, %s", k.Now.UTC().Format(time.RFC3339), k.Last.UTC().Format(time.RFC3339))
	case !k.Built.IsZero() && k.Now.After(k.Built.AddDate(saneYears, 0, 0)):
		detail = fmt.Sprintf("%s is more than %d years after the program was built", k.Now.UTC().Format(time.RFC3339), saneYears)
	}
	c.Note(ClockUnset, detail != "", detail)
	if k.Known {
		c.Note(ClockUnsynchronised, !k.Synchronised, "")
	}
}

// CheckDisk judges the room that is left where dir is. Its error says that nobody can tell.
func (c *Conditions) CheckDisk(dir string) error {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return fmt.Errorf("look at the room left in %s: %w", dir, err)
	}
	c.disk(dir, float64(s.Bavail)*float64(s.Bsize), float64(s.Blocks)*float64(s.Bsize))
	return nil
}

func (c *Conditions) disk(dir string, free, size float64) {
	detail := fmt.Sprintf("%s: %.0f MB of %.0f MB free", dir, free/1e6, size/1e6)
	below := func(code string, share, bytes float64) bool {
		if c.is(code) {
			share, bytes = share*enough, bytes*enough
		}
		return free < share*size || free < bytes
	}
	c.Note(DiskFull, below(DiskFull, fullShare, fullBytes), detail)
	c.Note(DiskLow, below(DiskLow, lowShare, lowBytes), detail)
}

// CheckSupport judges the month until which the version gets security updates ("2031-11", its last day included).
// Empty: nobody promised anything.
func (c *Conditions) CheckSupport(until string, now time.Time) error {
	if until == "" {
		c.Clear(SupportEnded)
		return nil
	}
	month, err := time.Parse("2006-01", until)
	if err != nil {
		return fmt.Errorf("read until when the version is supported: %w", err)
	}
	c.Note(SupportEnded, !now.Before(month.AddDate(0, 1, 0)), until)
	return nil
}

// CheckMemory judges what the daemon's unit uses of its limit, by its cgroup (v2). root is "/". Without a limit there is
// nothing to judge.
func (c *Conditions) CheckMemory(root string) error {
	used, limit, err := memory(root)
	if err != nil {
		return fmt.Errorf("look at the memory of the unit: %w", err)
	}
	bound := memoryHigh
	if c.is(MemoryHigh) {
		bound = memoryFine
	}
	c.Note(MemoryHigh, limit > 0 && used > bound*limit, fmt.Sprintf("%.0f MB of %.0f MB", used/1e6, limit/1e6))
	return nil
}

// memory reads the bytes that cannot be given back, and their limit; 0: none. What the kernel only caches of files
// counts against the limit too, but goes when room is needed.
func memory(root string) (used, limit float64, err error) {
	raw, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return 0, 0, err
	}
	path, ok := "", false
	for line := range strings.Lines(string(raw)) {
		if p, found := strings.CutPrefix(strings.TrimSpace(line), "0::"); found {
			path, ok = p, true
		}
	}
	if !ok {
		return 0, 0, errors.New("no cgroup v2")
	}
	dir := filepath.Join(root, "sys/fs/cgroup", path)
	raw, err = os.ReadFile(filepath.Join(dir, "memory.max"))
	if errors.Is(err, fs.ErrNotExist) || strings.TrimSpace(string(raw)) == "max" {
		return 0, 0, nil // the root has no limit
	}
	if err != nil {
		return 0, 0, err
	}
	if limit, err = strconv.ParseFloat(strings.TrimSpace(string(raw)), 64); err != nil {
		return 0, 0, err
	}
	raw, err = os.ReadFile(filepath.Join(dir, "memory.stat"))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(raw)) {
		if f := strings.Fields(line); len(f) == 2 && (f[0] == "anon" || f[0] == "shmem") {
			bytes, err := strconv.ParseFloat(f[1], 64)
			if err != nil {
				return 0, 0, err
			}
			used += bytes
		}
	}
	return used, limit, nil
}

// is reports whether a condition without a subject stands, shown or not.
func (c *Conditions) is(code string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[key{code: code}]
	return e != nil && e.set
}
