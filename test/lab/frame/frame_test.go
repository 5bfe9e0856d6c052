package frame

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestFramesComeBackWhole(t *testing.T) {
	var b bytes.Buffer
	for _, s := range []string{"", "hello", "\n__RC=0\nx\x00", strings.Repeat("x", Max)} {
		if err := Write(&b, Stdout, []byte(s)); err != nil {
			t.Fatal(err)
		}
		kind, got, err := Read(&b)
		if err != nil || kind != Stdout || string(got) != s {
			t.Fatalf("%d bytes came back as %c, %d bytes, %v", len(s), kind, len(got), err)
		}
	}
	if _, _, err := Read(&b); err != io.EOF {
		t.Errorf("end of the stream: %v", err)
	}
}

func TestBrokenStreamsAreErrors(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want error
	}{
		"head cut":    {"o\x00", io.ErrUnexpectedEOF},
		"payload cut": {"o\x00\x00\x00\x05ab", io.ErrUnexpectedEOF},
		"too long":    {"o\xff\xff\xff\xff", ErrSize},
	} {
		if _, _, err := Read(strings.NewReader(c.in)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if err := Write(io.Discard, Data, make([]byte, Max+1)); !errors.Is(err, ErrSize) {
		t.Errorf("a payload over Max: %v", err)
	}
}

func TestDataIsOnlyWholeWithItsEnd(t *testing.T) {
	var b bytes.Buffer
	big := bytes.Repeat([]byte("abcdefg"), Max/3)
	if _, err := (Writer{&b, Data}).Write(big); err != nil {
		t.Fatal(err)
	}
	cut := bytes.Clone(b.Bytes())
	if err := Write(&b, End, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(&DataReader{From: &b}); err != nil || !bytes.Equal(got, big) {
		t.Errorf("%d of %d bytes, %v", len(got), len(big), err)
	}
	if _, err := io.ReadAll(&DataReader{From: bytes.NewReader(cut)}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("without End: %v", err)
	}
	if _, err := io.ReadAll(&DataReader{From: strings.NewReader("r\x00\x00\x00\x00")}); err == nil {
		t.Error("a request amid data was taken")
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("o\x00\x00\x00\x02ab"))
	f.Add([]byte("z\x00\x00\x00\x00d\xff"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bytes.NewReader(in)
		for {
			kind, payload, err := Read(r)
			if err != nil {
				return
			}
			var b bytes.Buffer
			if err := Write(&b, kind, payload); err != nil {
				t.Fatal(err)
			}
			if again, p, err := Read(&b); err != nil || again != kind || !bytes.Equal(p, payload) {
				t.Fatalf("%c %q came back as %c %q, %v", kind, payload, again, p, err)
			}
		}
	})
}
