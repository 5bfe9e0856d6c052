package port_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"plenum/hal/port"
	"plenum/hal/port/pty"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quinta = port.Settings{Baud: 57600}

func openPTY(t *testing.T) *pty.PTY {
	t.Helper()
	far, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = far.Close() })
	return far
}

func open(t *testing.T, spec string, s port.Settings) port.Port {
	t.Helper()
	p, err := port.Open(t.Context(), spec, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// far is the other end of a line, whatever it runs over.
type far interface {
	Read([]byte) (int, error)
	Write([]byte) (int, error)
	Close() error
}

// lines gives both kinds of port with their far ends.
func lines(t *testing.T) map[string]func(*testing.T) (port.Port, far) {
	t.Helper()
	return map[string]func(*testing.T) (port.Port, far){
		"tty": func(t *testing.T) (port.Port, far) {
			f := openPTY(t)
			return open(t, f.Path(), quinta), f
		},
		"tcp": func(t *testing.T) (port.Port, far) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			p := open(t, "tcp://"+l.Addr().String(), port.Settings{})
			f, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = f.Close() })
			return p, f
		},
	}
}

func TestBytesGoBothWays(t *testing.T) {
	for name, dial := range lines(t) {
		t.Run(name, func(t *testing.T) {
			p, f := dial(t)
			const down, up = "U 0\r", "\r\n\x00\xff\x11\x13>"
			if n, err := p.Write([]byte(down)); n != len(down) || err != nil {
				t.Fatalf("Write = %d, %v", n, err)
			}
			expect(t, f, down)
			if _, err := f.Write([]byte(up)); err != nil {
				t.Fatal(err)
			}
			expect(t, p, up)
		})
	}
}

func expect(t *testing.T, r interface{ Read([]byte) (int, error) }, want string) {
	t.Helper()
	var got []byte
	buf := make([]byte, 64)
	for len(got) < len(want) {
		n, err := r.Read(buf)
		if err != nil {
			t.Fatalf("Read after %q: %v", got, err)
		}
		got = append(got, buf[:n]...)
	}
	if string(got) != want {
		t.Fatalf("read %q, want %q", got, want)
	}
}

func TestReadDeadlineIsAnError(t *testing.T) {
	for name, dial := range lines(t) {
		t.Run(name, func(t *testing.T) {
			p, f := dial(t)
			if err := p.SetReadDeadline(time.Now().Add(5 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			if n, err := p.Read(make([]byte, 16)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("Read = %d, %v; want 0, deadline exceeded", n, err)
			}
			if err := p.SetReadDeadline(time.Time{}); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Write([]byte(">")); err != nil {
				t.Fatal(err)
			}
			expect(t, p, ">")
		})
	}
}

func TestHangUpIsNotOurClose(t *testing.T) {
	for name, dial := range lines(t) {
		t.Run(name, func(t *testing.T) {
			p, f := dial(t)
			got := readInBackground(p)
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			if err := <-got; !errors.Is(err, port.ErrHangup) {
				t.Errorf("Read after the far end went: %v, want ErrHangup", err)
			}
			p, _ = dial(t)
			got = readInBackground(p)
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			if err := <-got; !errors.Is(err, os.ErrClosed) || errors.Is(err, port.ErrHangup) {
				t.Errorf("Read after our Close: %v, want os.ErrClosed", err)
			}
			if _, err := p.Write([]byte("x")); !errors.Is(err, os.ErrClosed) {
				t.Errorf("Write after our Close: %v, want os.ErrClosed", err)
			}
			if err := p.Close(); err != nil {
				t.Errorf("second Close: %v", err)
			}
		})
	}
}

func readInBackground(p port.Port) <-chan error {
	got := make(chan error, 1)
	go func() {
		_, err := p.Read(make([]byte, 16))
		got <- err
	}()
	return got
}

func TestWriteAfterHangUp(t *testing.T) {
	f := openPTY(t)
	p := open(t, f.Path(), quinta)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Write([]byte("x")); !errors.Is(err, port.ErrHangup) {
		t.Errorf("Write = %v, want ErrHangup", err)
	}
}

// Nobody reads the far end: the library's own port blocks for ever here and keeps its thread after Close.
func TestWriteNeverHangs(t *testing.T) {
	for name, dial := range map[string]func() (port.Port, error){
		"tty": func() (port.Port, error) {
			return port.Open(t.Context(), openPTY(t).Path(), port.Settings{Baud: 57600, WriteTimeout: 20 * time.Millisecond})
		},
		"tcp": func() (port.Port, error) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return nil, err
			}
			t.Cleanup(func() { _ = l.Close() })
			return port.Open(t.Context(), "tcp://"+l.Addr().String(), port.Settings{WriteTimeout: 20 * time.Millisecond})
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := dial()
			if err != nil {
				t.Fatal(err)
			}
			data, sent := make([]byte, 1<<20), 0
			for err == nil && sent < 1<<28 {
				var n int
				n, err = p.Write(data)
				sent += n
			}
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("Write after %d bytes: %v, want deadline exceeded", sent, err)
			}
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A Close from elsewhere frees a writer long before its time-out.
func TestCloseFreesAWriter(t *testing.T) {
	p, err := port.Open(t.Context(), openPTY(t).Path(), port.Settings{Baud: 57600, WriteTimeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 1)
	go func() {
		_, err := p.Write(make([]byte, 1<<20))
		got <- err
	}()
	runtime.Gosched()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-got; !errors.Is(err, os.ErrClosed) {
		t.Errorf("Write = %v, want os.ErrClosed", err)
	}
}

func TestExclusive(t *testing.T) {
	f := openPTY(t)
	p := open(t, f.Path(), quinta)
	if _, err := port.Open(t.Context(), f.Path(), quinta); !errors.Is(err, port.ErrBusy) {
		t.Fatalf("second Open: %v, want ErrBusy", err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, f.Path(), quinta) // free again
}

func TestOpenThrowsOldBytesAway(t *testing.T) {
	f := openPTY(t)
	if _, err := f.Write([]byte("stale")); err != nil {
		t.Fatal(err)
	}
	p := open(t, f.Path(), quinta)
	if _, err := f.Write([]byte("fresh")); err != nil {
		t.Fatal(err)
	}
	expect(t, p, "fresh")
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	closedPort := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return "tcp://" + l.Addr().String()
	}()
	line := openPTY(t).Path()
	for _, c := range []struct {
		name, spec string
		settings   port.Settings
		want       error
	}{
		{"empty", "", quinta, port.ErrSpec},
		{"relative path", "ttyUSB0", quinta, port.ErrSpec},
		{"no tcp port", "tcp://192.0.2.1", quinta, port.ErrSpec},
		{"unknown adapter", "usb:nobody-has-this", quinta, port.ErrMissing},
		{"adapter without a number", "usb:,1", quinta, port.ErrSpec},
		{"missing", dir + "/ttyUSB7", quinta, port.ErrMissing},
		{"plain file", file, quinta, port.ErrNotSerial},
		{"folder", dir, quinta, port.ErrNotSerial},
		{"no speed", line, port.Settings{}, port.ErrNotSerial},
		{"nine data bits", line, port.Settings{Baud: 9600, DataBits: 9}, port.ErrNotSerial},
		{"three stop bits", line, port.Settings{Baud: 9600, StopBits: 3}, port.ErrNotSerial},
		{"odd parity value", line, port.Settings{Baud: 9600, Parity: 9}, port.ErrNotSerial},
		{"nobody listens", closedPort, quinta, syscall.ECONNREFUSED},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := port.Open(t.Context(), c.spec, c.settings)
			if !errors.Is(err, c.want) {
				t.Fatalf("Open = %v, %v; want %v", p, err, c.want)
			}
		})
	}
	open(t, line, port.Settings{Baud: 19200, DataBits: 7, Parity: port.ParityEven, StopBits: 2}) // none of them kept the line
}
