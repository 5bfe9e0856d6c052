package nbd

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// image is a disk of 64 blocks of as.
func image(t *testing.T) *Disk {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, bytes.Repeat([]byte{'a'}, 64*block), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func write(t *testing.T, d *Disk, c byte, from, length int) {
	t.Helper()
	if _, err := d.WriteAt(bytes.Repeat([]byte{c}, length), int64(from)); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, d *Disk) []byte {
	t.Helper()
	all := make([]byte, d.Size())
	if _, err := d.ReadAt(all, 0); err != nil {
		t.Fatal(err)
	}
	return all
}

// Whatever random decides, flushed blocks are there and of every other sector there is either what was there at the last
// flush or what was written last.
func TestACutTakesOnlyWhatWasNotFlushed(t *testing.T) {
	var all Loss
	for seed := range uint64(200) {
		d := image(t)
		write(t, d, 'b', 0, 32*block)
		d.Flush()
		write(t, d, 'x', 16*block, 32*block) // half over b, half over a
		write(t, d, 'c', 20*block+sector, 10*block)
		loss, err := d.Cut(rand.New(rand.NewPCG(seed, 1)))
		if err != nil {
			t.Fatal(err)
		}
		if loss.Unflushed != 32 {
			t.Fatalf("%+v", loss)
		}
		all.Lost += loss.Lost
		all.Torn += loss.Torn
		for i, c := range content(t, d) {
			before, after := byte('a'), byte('a')
			if i < 32*block {
				before, after = 'b', 'b'
			}
			if i >= 16*block && i < 48*block {
				after = 'x'
			}
			if i >= 20*block+sector && i < 30*block+sector {
				after = 'c'
			}
			if c != before && c != after {
				t.Fatalf("seed %d: byte %d is %c, neither %c nor %c", seed, i, c, before, after)
			}
		}
	}
	if share := float64(all.Lost) / (200 * 32); share < 0.3 || share > 0.6 || all.Torn == 0 {
		t.Errorf("%+v of %d", all, 200*32)
	}
}

func TestMemoryOfADiskEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 2*memory*block); err != nil {
		t.Fatal(err)
	}
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for n := range memory + 10 {
		write(t, d, 'x', n*block, 1)
	}
	if len(d.order) != memory/2+10 || len(d.old) != len(d.order) {
		t.Errorf("%d blocks are held back", len(d.order))
	}
	if _, err := d.WriteAt(make([]byte, 2), d.Size()-1); err == nil {
		t.Error("written beyond the end")
	}
}

// client speaks the protocol as QEMU does.
type client struct {
	t *testing.T
	net.Conn
}

func dial(t *testing.T, path string) client {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := client{t, conn}
	c.read(18)
	c.send(uint32(3))
	c.send(uint64(magicOption), uint32(8), uint32(0)) // structured replies: not here
	if b := c.read(20); binary.BigEndian.Uint32(b[12:]) != repUnsupported {
		t.Fatalf("%x", b)
	}
	c.send(uint64(magicOption), uint32(optGo), uint32(6), uint32(0), uint16(0))
	if b := c.read(20 + 12); binary.BigEndian.Uint64(b[22:]) != 64*block {
		t.Fatalf("%x", b)
	}
	c.read(20)
	return c
}

func (c client) send(values ...any) {
	c.t.Helper()
	for _, v := range values {
		if err := binary.Write(c, binary.BigEndian, v); err != nil {
			c.t.Fatal(err)
		}
	}
}

func (c client) read(n int) []byte {
	c.t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(c, b); err != nil {
		c.t.Fatal(err)
	}
	return b
}

// call gives the error code and the data of an answer.
func (c client) call(kind, flags uint16, offset, length int, data string) (code uint32, got []byte) {
	c.t.Helper()
	c.send(uint32(magicRequest), flags, kind, uint64(7), uint64(offset), uint32(length), []byte(data))
	b := c.read(16)
	if binary.BigEndian.Uint64(b[8:]) != 7 {
		c.t.Fatalf("%x", b)
	}
	code = binary.BigEndian.Uint32(b[4:])
	if kind == cmdRead && code == 0 {
		got = c.read(length)
	}
	return code, got
}

func TestServer(t *testing.T) {
	d := image(t)
	path := filepath.Join(t.TempDir(), "nbd")
	s, err := Serve(d, path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := dial(t, path)
	for _, step := range []struct {
		name        string
		kind, flags uint16
		offset      int
		length      int
		data        string
		code        uint32
		got         string
		unflushed   int
	}{
		{"write", cmdWrite, 0, 100, 3, "xyz", 0, "", 1},
		{"read", cmdRead, 0, 99, 5, "", 0, "axyza", 1},
		{"zero", cmdZero, 0, 101, 1, "", 0, "", 1},
		{"read zero", cmdRead, 0, 100, 3, "", 0, "x\x00z", 1},
		{"flush", cmdFlush, 0, 0, 0, "", 0, "", 0},
		{"write through", cmdWrite, cmdFUA, 3 * block, 1, "q", 0, "", 0},
		{"beyond", cmdRead, 0, 64*block - 1, 2, "", errInvalid, "", 0},
		{"nonsense", 9, 0, 0, 0, "", errIO, "", 0},
	} {
		code, got := c.call(step.kind, step.flags, step.offset, step.length, step.data)
		if code != step.code || string(got) != step.got || len(d.order) != step.unflushed {
			t.Errorf("%s: %d, %q, %d blocks unflushed", step.name, code, got, len(d.order))
		}
	}
	s.Hold()
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the connection goes on after the disk was taken away")
	}
	if code, got := dial(t, path).call(cmdRead, 0, 3*block, 1, ""); code != 0 || string(got) != "q" {
		t.Errorf("the next one reads %q, %d", got, code)
	}
}
