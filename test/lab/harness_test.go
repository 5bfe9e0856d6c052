package lab

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestOnlyTestsThatWantTheLabAreFound(t *testing.T) {
	for name, c := range map[string]struct {
		head string
		want int
	}{
		"lab":         {"//go:build lab\n\n", 1},
		"and":         {"//go:build linux && lab\n\n", 1},
		"none":        {"", 0},
		"other":       {"//go:build linux\n\n", 0},
		"not":         {"//go:build !lab\n\n", 0},
		"as it likes": {"//go:build lab || linux\n\n", 0},
		"in the text": {"// See //go:build lab.\n\n", 0},
	} {
		path := filepath.Join(t.TempDir(), "x_test.go")
		text := c.head + "package x\n\nfunc TestMain(m *testing.M) {}\nfunc TestA(t *testing.T) {}\nfunc helper() {}\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := labTests(path); err != nil || len(got) != c.want || c.want == 1 && got[0] != "TestA" {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestReportsAreReadAsTheyCome(t *testing.T) {
	text := "\x16=== RUN   TestA\n--- PASS: TestB (0.0s)\nhalf a line\x16--- FAIL: TestA (0.01s)\n" +
		"\x16=== RUN   TestB\n\x16=== RUN   TestB/x\nhello\n\x16--- SKIP: TestB/x (0.0s)\n\x16--- SKIP: TestB (0.0s)\n" +
		"\x16=== RUN   TestC\npanic: ouch"
	r := newReport(io.Discard)
	for _, b := range []byte(text) { // in the worst pieces
		_, _ = r.Write([]byte{b})
	}
	r.flush()
	if r.results["TestA"] != "FAIL" || r.results["TestB"] != "SKIP" || r.results["TestC"] != "" || len(r.results) != 2 {
		t.Errorf("results %v", r.results)
	}
	if !strings.Contains(r.said["TestA"], "half a line\n") || !strings.Contains(r.said["TestB"], "hello") || !strings.Contains(r.said["TestC"], "ouch") {
		t.Errorf("said %q", r.said)
	}
}

func TestFilesOnADiskNobodyHasMounted(t *testing.T) {
	disk := filepath.Join(t.TempDir(), "disk")
	if out, err := exec.Command("sh", "-c", "truncate -s 8M "+disk+" && mkfs.ext4 -q "+disk).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	aside := disk + ".aside"
	for _, text := range []string{"old, and longer than the new one", "new"} {
		if err := writeFile(t.Context(), disk, aside, File{Path: "/etc/plenum/deep/plenum.toml", Mode: 0o640, Data: []byte(text)}); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := debugfs(t.Context(), disk, "stat /etc/plenum/deep/plenum.toml\n"); err != nil || !strings.Contains(string(out), "Mode:  0640") ||
		!strings.Contains(string(out), "Type: regular") {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := exec.Command("fsck.ext4", "-fn", disk).CombinedOutput(); err != nil {
		t.Errorf("the disk is no longer whole: %v: %s", err, out)
	}
	if err := writeFile(t.Context(), disk, aside, File{Path: "etc/x"}); err == nil {
		t.Error("a relative path was taken")
	}
	if err := writeFile(t.Context(), disk, aside, File{Path: "/big", Data: bytes.Repeat([]byte("x"), 16<<20)}); err == nil {
		t.Error("a file larger than the disk was taken")
	}
}

func TestRecordingsAreReadWhileTheyGrow(t *testing.T) {
	head := make([]byte, 44)
	copy(head, "RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x02\x00")
	binary.LittleEndian.PutUint32(head[24:], 48000)
	binary.LittleEndian.PutUint16(head[34:], 16)
	rec, err := readWAV(strings.NewReader(string(head) + "\x01\x00\xff\xff\x02\x00\xfe\xff\x03"))
	if err != nil || rec.Rate != 48000 || rec.Channels != 2 || !slices.Equal(rec.Channel(1), []int16{-1, -2}) {
		t.Errorf("%+v, %v", rec, err)
	}
	for _, bad := range []string{"", "RIFF", strings.Repeat("x", 50)} {
		if _, err := readWAV(strings.NewReader(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestCommasSurviveOptionLists(t *testing.T) {
	if got := comma("/a,b,,c"); got != "/a,,b,,,,c" {
		t.Error(got)
	}
}

func TestFoldersOfTheDeadAreRemoved(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	alive, err := newFolder()
	if err != nil {
		t.Fatal(err)
	}
	defer alive.remove()
	dead, err := newFolder()
	if err != nil {
		t.Fatal(err)
	}
	dead.lock.Close() // as the kernel does
	next, err := newFolder()
	if err != nil {
		t.Fatal(err)
	}
	next.remove()
	left, err := os.ReadDir(os.TempDir())
	if err != nil || len(left) != 2 || left[0].Name() != filepath.Base(alive.path) {
		t.Errorf("left are %v, %v", left, err)
	}
}
