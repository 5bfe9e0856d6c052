package health

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCheckClock(t *testing.T) {
	built := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name  string
		clock Clock
		want  []string
	}{
		{"right", Clock{Now: built.Add(time.Hour), Built: built, Last: built.Add(time.Minute), Known: true, Synchronised: true}, nil},
		{"1970", Clock{Now: time.Unix(40, 0), Built: built, Known: true}, []string{ClockUnset}},
		{"before the last record", Clock{Now: built.Add(time.Hour), Built: built, Last: built.Add(2 * time.Hour)}, []string{ClockUnset}},
		{"far ahead", Clock{Now: built.AddDate(11, 0, 0), Built: built}, []string{ClockUnset}},
		{"nobody's build", Clock{Now: built}, nil},
		{"not synchronised", Clock{Now: built.Add(time.Hour), Built: built, Known: true}, []string{ClockUnsynchronised}},
		{"nobody knows", Clock{Now: built.Add(time.Hour), Built: built}, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := NewConditions(nil)
			for range 2 {
				c.CheckClock(tt.clock)
				time.Sleep(6 * time.Minute)
			}
			if d := cmp.Diff(append([]string{}, tt.want...), codes(c.List())); d != "" {
				t.Errorf("%s: %s", tt.name, d)
			}
			c.CheckClock(Clock{Now: built.Add(time.Hour), Built: built, Known: true, Synchronised: true})
			time.Sleep(time.Minute)
			if l := c.List(); len(l) > 0 {
				t.Errorf("%s: the clock was set, but %v", tt.name, codes(l))
			}
		})
	}
}

func TestCheckDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewConditions(nil)
		for _, tt := range []struct {
			free, size float64 // MB
			want       []string
		}{
			{5000, 10000, nil},
			{1490, 10000, []string{DiskLow}},
			{1700, 10000, []string{DiskLow}}, // not yet enough
			{490, 10000, []string{DiskFull}},
			{590, 10000, []string{DiskFull}},
			{610, 10000, []string{DiskLow}},
			{1810, 10000, nil},
			{190, 1000, []string{DiskLow}}, // share is enough, bytes are not
			{99, 1000, []string{DiskFull}},
			{119, 1000, []string{DiskFull}},
			{121, 200, []string{DiskLow}},
			{241, 250, nil},
		} {
			c.disk("/data", tt.free*1e6, tt.size*1e6)
			time.Sleep(time.Minute)
			if d := cmp.Diff(append([]string{}, tt.want...), codes(c.List())); d != "" {
				t.Errorf("%.0f of %.0f: %s", tt.free, tt.size, d)
			}
		}
		if err := c.CheckDisk(t.TempDir()); err != nil {
			t.Error(err)
		}
		if err := c.CheckDisk("/nowhere"); err == nil {
			t.Error("nowhere has room")
		}
	})
}

func TestCheckSupport(t *testing.T) {
	c := NewConditions(nil)
	for _, tt := range []struct {
		until string
		now   time.Time
		ended bool
		bad   bool
	}{
		{"2031-11", time.Date(2031, 11, 30, 23, 59, 59, 0, time.UTC), false, false},
		{"2031-11", time.Date(2031, 12, 1, 0, 0, 0, 0, time.UTC), true, false},
		{"2031-12", time.Date(2032, 1, 1, 0, 0, 0, 0, time.UTC), true, false},
		{"", time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC), false, false},
		{"soon", time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), false, true},
	} {
		if err := c.CheckSupport(tt.until, tt.now); (err != nil) != tt.bad || c.is(SupportEnded) != tt.ended {
			t.Errorf("%q at %s: %v, ended %v", tt.until, tt.now, err, c.is(SupportEnded))
		}
	}
}

func TestCheckMemory(t *testing.T) {
	root := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c := NewConditions(nil)
	if err := c.CheckMemory(root); err == nil {
		t.Error("without /proc")
	}
	write("proc/self/cgroup", "1:name=systemd:/x\n")
	if err := c.CheckMemory(root); err == nil || !strings.Contains(err.Error(), "cgroup v2") {
		t.Error(err)
	}
	const unit = "sys/fs/cgroup/system.slice/plenumd.service/"
	write("proc/self/cgroup", "0::/system.slice/plenumd.service\n")
	for _, tt := range []struct {
		limit, stat string
		high        bool
	}{
		{"max\n", "anon 999000000\n", false},
		{"100000000\n", "anon 84000000\nfile 90000000\nshmem 500000\n", false}, // files go when room is needed
		{"100000000\n", "anon 84000000\nfile 0\nshmem 2000000\n", true},
		{"100000000\n", "anon 76000000\nshmem 0\n", true},
		{"100000000\n", "anon 74000000\nshmem 0\n", false},
		{"100000000\n", "anon 76000000\nshmem 0\n", false},
	} {
		write(unit+"memory.max", tt.limit)
		write(unit+"memory.stat", tt.stat)
		if err := c.CheckMemory(root); err != nil || c.is(MemoryHigh) != tt.high {
			t.Errorf("%+v: %v, high %v", tt, err, c.is(MemoryHigh))
		}
	}
	for _, bad := range [][2]string{{"much", "anon 1\n"}, {"1", "anon little\n"}} {
		write(unit+"memory.max", bad[0])
		write(unit+"memory.stat", bad[1])
		if err := c.CheckMemory(root); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
