package sim

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"plenum/hal/desk"
	"plenum/hal/port"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// line is the controller's end of a simulated unit on a pipe with a fake clock.
type line struct {
	*Sim
	net.Conn
	t *testing.T
}

func inBubble(t *testing.T, opt Options, test func(t *testing.T, l line)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		opt.Wire = far
		if opt.Status == 0 {
			opt.Status = 100 * time.Hour
		}
		s, err := New(opt)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		l := line{s, near, t}
		l.hear(time.Second) // the first status line
		test(t, l)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		_ = near.Close()
	})
}

// say sends a command and gives what comes back.
func (l line) say(command string) string {
	l.t.Helper()
	if _, err := l.Write([]byte(command + "\r")); err != nil {
		l.t.Fatal(err)
	}
	return l.hear(100 * time.Millisecond)
}

// hear gives what comes until the line is quiet for a while.
func (l line) hear(quiet time.Duration) string {
	l.t.Helper()
	var heard []byte
	buf := make([]byte, 256)
	for {
		if err := l.SetReadDeadline(time.Now().Add(quiet)); err != nil {
			l.t.Fatal(err)
		}
		n, err := l.Read(buf)
		heard = append(heard, buf[:n]...)
		if err != nil {
			return string(heard)
		}
	}
}

func (l line) expect(what, got, want string) {
	l.t.Helper()
	if got != want {
		l.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// The exchanges are those printed in the control protocol.
func TestPublishedExchanges(t *testing.T) {
	inBubble(t, Options{Units: 100, Chair: 100, Doubles: []int{1}, FirstID: 0x21D}, func(t *testing.T, l line) {
		const silence = "\r\n>"
		l.expect("V without login", l.say("V"), silence)
		l.expect("U 0", l.say("U 0"), silence)
		l.expect("V", l.say("V"), "\r\nCUFW\r\nV3.0.00\r\n>")
		l.expect("j 3 D", l.say("j 3 D"), "\r\nFull mode\r\n>")
		l.expect("A", l.say("A 0000021E 1 0139"), "\r\nQ 0000021E 11 0C\r\n>")
		l.expect("A again", l.say("A 0000021E 1 0139"), silence)
		l.expect("S 0", l.say("S 0"), "\r\nStrC 0000021E 05 39\r\nStrD 00000000 01 00\r\nStrE 00000000 01 00\r\nStrF 00000000 01 00\r\n>")
		if err := l.Press(100, ""); err != nil { // unit 0x281
			t.Fatal(err)
		}
		l.expect("press", l.hear(time.Second), strings.Repeat("\r\nq 00000281 01 0232\r\na 00000281 01 0232\r\n>", 4))
		off := strings.Repeat("\r\nq 0000021E 00 0139\r\na 0000021E 00 0139\r\n>", 4)
		l.expect("i 00", l.say("i 00"), silence+"\r\nQ 0000021E 10 0C\r\n>"+off)
		l.expect("M 79B7", l.say("M 79B7"), "\r\nMUAD=0x000079B7\r\n>")
		l.expect("~Q 00 elsewhere", l.say("~Q 00"), silence)
		if !l.State()[100].Requesting {
			t.Error("a unit that was not addressed lost its request")
		}
		l.expect("M 0", l.say("M 0"), "\r\nMUAD=0x00000000\r\n>")
		l.expect("~Q 00", l.say("~Q 00"), silence)
		if l.State()[100].Requesting {
			t.Error("the request stands after ~Q 00 to all")
		}
		l.expect("nonsense", l.say("hello"), "")
		l.expect("U B", l.say("U B"), silence)
		l.expect("V after U B", l.say("V"), silence)
		l.Priority(false)
		l.expect("key without login", l.hear(time.Second), "")
	})
}

func TestStandaloneUnitGrants(t *testing.T) {
	inBubble(t, Options{Units: 1, Standalone: true}, func(t *testing.T, l line) {
		l.say("U 0")
		if err := l.Press(1, ""); err != nil {
			t.Fatal(err)
		}
		l.expect("press", l.hear(time.Second),
			"\r\nq 0000021F 01 0030\r\nQ 0000021F 01 0C\r\n>"+strings.Repeat("\r\nq 0000021F 01 0030\r\n>", 3))
		if s := l.State()[0]; !s.Open || s.Requesting {
			t.Errorf("%+v, want open", s)
		}
	})
}

// 57600 bit/s carry 5760 bytes a second.
func TestLineSpeed(t *testing.T) {
	inBubble(t, Options{Units: 50}, func(t *testing.T, l line) {
		l.say("U 0")
		began := time.Now()
		for n := 1; n <= 50; n++ {
			if err := l.Press(n, ""); err != nil {
				t.Fatal(err)
			}
		}
		n := len(l.hear(time.Second))
		took, want := time.Since(began)-time.Second, time.Duration(n)*time.Second/5760
		if took < want*9/10 || took > want*11/10 {
			t.Errorf("%d bytes took %v, the line needs %v", n, took, want)
		}
	})
}

func TestStatusTurns(t *testing.T) {
	inBubble(t, Options{Units: 4, Doubles: []int{2}, Status: 20 * time.Second}, func(t *testing.T, l line) {
		var heard string
		for end := time.Now().Add(58 * time.Second); time.Now().Before(end); {
			heard += l.hear(time.Second)
		}
		// The first unit's first line was heard before.
		for unit, want := range map[string]int{"00021F 0030": 2, "000220 0131": 3, "000221 0030": 3, "000222 0030": 3} {
			if n := strings.Count(heard, "x "+unit+" 7A 241100"); n != want {
				t.Errorf("unit %s sent its status %d times in a minute, want %d", unit, n, want)
			}
		}
	})
}

func TestFaults(t *testing.T) {
	inBubble(t, Options{Units: 2}, func(t *testing.T, l line) {
		l.say("U 0")
		l.SwallowPrompts(1)
		l.expect("swallowed prompt", l.say("A 0000021F 1 0030"), "\r\nQ 0000021F 01 0C\r\n")
		if err := l.Refuse(2, true); err != nil {
			t.Fatal(err)
		}
		l.expect("refused", l.say("A 00000220 1 0030"), "\r\n>")
		l.Corrupt(1)
		if got := l.say("V"); got == "\r\nCUFW\r\nV3.0.00\r\n>" || len(got) != 19 && !strings.HasSuffix(got, "V3.0.00\r\n>") {
			t.Errorf("damaged line: %q", got)
		}
		l.Away(true)
		l.expect("away", l.say("V"), "")
		l.Away(false)
		if err := l.UnitLost(1, true); err != nil {
			t.Fatal(err)
		}
		l.expect("lost unit's microphone", l.hear(time.Second), "\r\nQ 0000021F 00 0C\r\n>")
		if err := l.Press(1, ""); !errors.Is(err, ErrUnitLost) {
			t.Errorf("Press of a lost unit = %v", err)
		}
		if err := l.Press(2, "R"); !errors.Is(err, ErrNoUnit) {
			t.Errorf("Press of a side that is not there = %v", err)
		}
	})
}

func TestSubscribe(t *testing.T) {
	inBubble(t, Options{Units: 2}, func(t *testing.T, l line) {
		l.say("U 0")
		changes, cancel := l.Subscribe()
		for range 3 {
			if err := l.Press(2, ""); err != nil {
				t.Fatal(err)
			}
		}
		<-changes
		select {
		case <-changes:
			t.Error("three changes left more than one token")
		default:
		}
		if s := l.State()[1]; s.Presses != 3 || !s.Requesting {
			t.Errorf("%+v", s)
		}
		cancel()
		if err := l.Press(2, ""); err != nil {
			t.Fatal(err)
		}
		select {
		case <-changes:
			t.Error("a token after cancel")
		default:
		}
	})
}

// The name of the line stays over a hang-up, and nothing is left behind.
func TestCable(t *testing.T) {
	link := filepath.Join(t.TempDir(), "tty")
	for _, opt := range []Options{{Units: 1, Link: link}, {Units: 1}} {
		s, err := New(opt)
		if err != nil {
			t.Fatal(err)
		}
		path := s.Path()
		for range 3 {
			p, err := port.Open(t.Context(), path, port.Settings{Baud: 57600})
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			if err := s.HangUp(); err != nil {
				t.Fatal(err)
			}
			if _, err := port.Open(t.Context(), path, port.Settings{Baud: 57600}); !errors.Is(err, port.ErrMissing) {
				t.Fatalf("open while hung up: %v", err)
			}
			if err := s.Return(); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left behind: %v", path, err)
		}
	}
}

func TestBadOptions(t *testing.T) {
	for _, opt := range []Options{{}, {Units: 1001}, {Units: 2, Chair: 3}} {
		if _, err := New(opt); err == nil {
			t.Errorf("%+v was taken", opt)
		}
	}
	s, err := New(Options{Units: 2, Doubles: []int{2}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if k := s.Key(2, "R"); k != (desk.Key{ID: "000220", Side: "R"}) || s.Key(3, "") != (desk.Key{}) {
		t.Errorf("keys: %v, %v", k, s.Key(3, ""))
	}
}
