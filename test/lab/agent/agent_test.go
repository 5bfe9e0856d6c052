package main

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"plenum/test/lab/frame"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// call makes one call to an agent of its own and gives what came on each kind, and the outcome.
func call(t *testing.T, c frame.Call, send ...func(net.Conn)) (map[frame.Kind]string, frame.Outcome) {
	t.Helper()
	conn := dial(t)
	if err := frame.WriteJSON(conn, frame.Request, c); err != nil {
		t.Fatal(err)
	}
	for _, f := range send {
		f(conn)
	}
	got := map[frame.Kind]string{}
	for {
		kind, payload, err := frame.Read(conn)
		if err != nil {
			t.Fatal(err)
		}
		if kind == frame.Result {
			var out frame.Outcome
			if err := json.Unmarshal(payload, &out); err != nil {
				t.Fatal(err)
			}
			return got, out
		}
		got[kind] += string(payload)
	}
}

func dial(t *testing.T) net.Conn {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go serveAll(l)
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(); l.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	return conn
}

func TestCommands(t *testing.T) {
	for name, c := range map[string]struct {
		call        frame.Call
		out, errout string
		want        frame.Outcome
	}{
		"prints":       {frame.Call{Command: "echo a; echo b >&2; exit 3"}, "a\n", "b\n", frame.Outcome{Code: 3}},
		"looks ended":  {frame.Call{Command: `printf '\n__RC=0\nx\0\0\0\0'`}, "\n__RC=0\nx\x00\x00\x00\x00", "", frame.Outcome{}},
		"killed":       {frame.Call{Command: "kill -9 $$"}, "", "", frame.Outcome{Code: -1, Signal: "killed"}},
		"background":   {frame.Call{Command: "sleep 3 & echo a", Timeout: time.Minute}, "a\n", "", frame.Outcome{}},
		"long output":  {frame.Call{Command: "yes 1234567 | head -c 3000000"}, strings.Repeat("1234567\n", 375000), "", frame.Outcome{}},
		"own group":    {frame.Call{Command: "read -r _ _ _ _ group _ </proc/$$/stat; [ $group = $$ ] && echo yes"}, "yes\n", "", frame.Outcome{}},
		"no such tool": {frame.Call{Command: "exec /nowhere 2>/dev/null"}, "", "", frame.Outcome{Code: 127}},
	} {
		t.Run(name, func(t *testing.T) {
			c.call.Op = frame.Run
			got, out := call(t, c.call)
			if got[frame.Stdout] != c.out || got[frame.Stderr] != c.errout || out != c.want {
				t.Errorf("%.80q %q %+v, want %+v", got[frame.Stdout], got[frame.Stderr], out, c.want)
			}
		})
	}
}

// TestTooLong: a command that is not done in its time is killed, and what it had printed is kept. How soon it prints is
// the machine's business: it is given more time until it does.
func TestTooLong(t *testing.T) {
	for limit := 200 * time.Millisecond; limit < 2*time.Minute; limit *= 2 {
		got, out := call(t, frame.Call{Op: frame.Run, Command: "echo a; sleep 600 & wait", Timeout: limit})
		if out != (frame.Outcome{Code: -1, Signal: "killed", TimedOut: true}) || got[frame.Stderr] != "" {
			t.Fatalf("%q %+v", got, out)
		}
		if got[frame.Stdout] == "a\n" {
			return
		}
	}
	t.Error("nothing of what it printed was kept")
}

// TestNothingGoesOnWithoutTheHarness: who hangs up, or dies, leaves no command running in the guest.
func TestNothingGoesOnWithoutTheHarness(t *testing.T) {
	conn := dial(t)
	pidfile := filepath.Join(t.TempDir(), "pid")
	err := frame.WriteJSON(conn, frame.Request, frame.Call{Op: frame.Run, Command: "sleep 600 & echo $! >" + pidfile + "; echo up; wait"})
	if err != nil {
		t.Fatal(err)
	}
	if _, payload, err := frame.Read(conn); err != nil || string(payload) != "up\n" {
		t.Fatalf("%q, %v", payload, err)
	}
	conn.Close()
	text, err := os.ReadFile(pidfile)
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(text)) + "/stat")
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) || strings.Contains(string(stat), ") Z ") {
			return
		}
	}
	t.Error("the command goes on")
}

func TestFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "file")
	text := strings.Repeat("\x00 any bytes \xff", 200000)
	_, out := call(t, frame.Call{Op: frame.Put, Path: path, Mode: 0o750}, func(c net.Conn) {
		_, _ = frame.Writer{To: c, Kind: frame.Data}.Write([]byte(text))
		_ = frame.Write(c, frame.End, nil)
	})
	if out != (frame.Outcome{}) {
		t.Fatalf("put: %+v", out)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o750 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	got, out := call(t, frame.Call{Op: frame.Get, Path: path})
	if out != (frame.Outcome{}) || got[frame.Data] != text {
		t.Errorf("get: %d of %d bytes, %+v", len(got[frame.Data]), len(text), out)
	}
	if _, out := call(t, frame.Call{Op: frame.Get, Path: path + "x"}); !strings.Contains(out.Error, "no such file") {
		t.Errorf("get of nothing: %+v", out)
	}
	if _, out := call(t, frame.Call{Op: "dance"}); out.Error == "" {
		t.Errorf("unknown operation: %+v", out)
	}
}

// TestHalfAFileIsNoFile: a connection that breaks amid a put leaves the old file.
func TestHalfAFileIsNoFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	conn := dial(t)
	_ = frame.WriteJSON(conn, frame.Request, frame.Call{Op: frame.Put, Path: path, Mode: 0o600})
	_ = frame.Write(conn, frame.Data, []byte("new"))
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if kind, payload, err := frame.Read(conn); err != nil || kind != frame.Result || !strings.Contains(string(payload), "unexpected EOF") {
		t.Errorf("%c %q %v", kind, payload, err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "old" {
		t.Errorf("%q, %v", text, err)
	}
	if all, err := os.ReadDir(dir); err != nil || len(all) != 1 {
		t.Errorf("left behind: %v, %v", all, err)
	}
}

func TestShell(t *testing.T) {
	got, out := call(t, frame.Call{Op: frame.Shell, Size: frame.Size{Rows: 33, Cols: 77}}, func(c net.Conn) {
		_ = frame.Write(c, frame.Data, []byte("stty size; tty; exit 5\n"))
	})
	if !strings.Contains(got[frame.Stdout], "33 77") || !strings.Contains(got[frame.Stdout], "/dev/pts/") || out.Code != 5 {
		t.Errorf("%q %+v", got[frame.Stdout], out)
	}
}
