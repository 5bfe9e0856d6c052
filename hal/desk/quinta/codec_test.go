package quinta

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// decode feeds a whole text at once.
func decode(text string) ([]message, DecoderStats) {
	var d decoder
	var out []message
	d.Feed([]byte(text), time.Unix(0, 0), func(m message) { out = append(out, m) })
	return out, d.Stats
}

// The lines are those printed in the control protocol, with their pages.
func TestPublishedLines(t *testing.T) {
	for _, c := range []struct {
		page, line string
		want       message
	}{
		{"36", "Q 0000021E 11 0C", message{Kind: kindAlloc, Unit: 0x21E, On: true, Right: true, Stream: 0x0C}},
		{"37", "Q 0000021E 00 0F", message{Kind: kindAlloc, Unit: 0x21E, Stream: 0x0F}},
		{"40", "q 0000021E 01 0139", message{Kind: kindPress, Unit: 0x21E, On: true, Type: 0x139}},
		{"40", "a 0000021E 01 0139", message{Kind: kindRepeat, Unit: 0x21E, On: true, Type: 0x139}},
		{"87", "q 00000281 01 0030", message{Kind: kindPress, Unit: 0x281, On: true, Type: 0x30}},
		{"39", "q 0000021E 00 0139", message{Kind: kindPress, Unit: 0x21E, Type: 0x139}},
		{"6", "x 00021E 0131 7A 241100", message{Kind: kindStatus, Unit: 0x21E, Type: 0x131, Status: 0x7A}},
		{"16", "X 00021E 0131 7A 241100", message{Kind: kindStatus, Unit: 0x21E, Type: 0x131, Status: 0x7A}},
		{"75", "x 00A225 3720 79 263001 00", message{Kind: kindStatus, Unit: 0xA225, Type: 0x3720, Status: 0x79}},
		{"75", "zm00A225_1z2", message{Kind: kindService}},
		{"75", "DSP[42]=0x04", message{Kind: kindService}},
		{"41", "i 00", message{Kind: kindClear}},
		{"44", "l 00", message{Kind: kindPriority}},
		{"44", "l 01", message{Kind: kindPriority, On: true}},
		{"8", "CUFW", message{Kind: kindVersion}},
		{"8", "V3.0.00", message{Kind: kindVersion}},
		{"13", "Full mode", message{Kind: kindModel}},
		{"13", "Light mode", message{Kind: kindModel}},
		{"18", "MUAD=0x000079B7", message{Kind: kindAddress, Unit: 0x79B7}},
		{"18", "MUAD=0x00000000", message{Kind: kindAddress}},
		{"27", "StrC 00021E 05 31", message{Kind: kindStream, Unit: 0x21E, Right: true, Stream: 0x0C, Type: 0x31}},
		{"27", "StrF 00000281 03 30", message{Kind: kindStream, Unit: 0x281, Left: true, Stream: 0x0F, Type: 0x30}},
		{"27", "StrD 000000 01 00", message{Kind: kindStream, Stream: 0x0D}},
		{"87", "SList[0x00] 00000281 30 00 FC 00", message{Kind: kindUnknown}},
	} {
		t.Run(c.line, func(t *testing.T) {
			got, _ := decode("\r\n" + c.line + "\r\n>")
			want := []message{c.want, {Kind: kindPrompt}}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(message{}, "Text", "Raw", "At")); diff != "" {
				t.Errorf("page %s (-want +got):\n%s", c.page, diff)
			}
			if string(got[0].Raw) != c.line {
				t.Errorf("raw line %q", got[0].Raw)
			}
		})
	}
}

func TestCommands(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{cmdMic(0x21E, true, 0x139), "A 0000021E 1 0139"}, // page 36
		{cmdMic(0x281, false, 0x30), "A 00000281 0 0030"},
		{cmdAddress(0x79B7), "M 79B7"}, // page 18
		{cmdDropRequest(false), "~Q 00"},
		{cmdDropRequest(true), "~Q 10"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestNonsenseIsUnknown(t *testing.T) {
	for _, line := range []string{
		"q", "q 0000021E", "q 0000021E 02 0139", "q 0000021E 01 139", "q 0000021E 1 0139", "q 00000000 01 0139",
		"q 0100021E 01 0139", "q 0000021G 01 0139", "q  01 0139 ", "q 0000021E 01 0139 00", "Q 0000021E 11", "Q 0000021E 21 0C",
		"x 00021E 0131 7A", "i 01", "i", "l 02", "l", "StrG 000000 01 00", "StrC 000000 03 00", "StrC FFFFFFFF 03 00",
		"MUAD=0x79B7", "MUAD=", "V", "-> text", "q\x7f", "full mode",
	} {
		got, _ := decode("\r\n" + strings.ReplaceAll(line, "\x7f", "") + "\r\n")
		for _, m := range got {
			if m.Kind != kindUnknown && m.Kind != kindPrompt {
				t.Errorf("%q was read as %+v", line, m)
			}
		}
	}
}

func TestFraming(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []kind
		stats      DecoderStats
	}{
		{"published block", "\r\nq 0000021E 01 0139\r\na 0000021E 01 0139\r\n>",
			[]kind{kindPress, kindRepeat, kindPrompt}, DecoderStats{Lines: 3}},
		{"joined in mid-line", "E 01 0139\r\ni 00\r\n>", []kind{kindClear, kindPrompt}, DecoderStats{Lines: 2}},
		{"joined before a prompt", "00 0C>\r\ni 00\r\n", []kind{kindPrompt, kindClear}, DecoderStats{Lines: 2}},
		{"high bytes", "\r\nq 0000\xc321E 01 0139\r\ni 00\r\n", []kind{kindClear}, DecoderStats{Lines: 1, Damaged: 1}},
		{"control bytes", "\r\n\x01\x02\r\ni 00\r\n", []kind{kindClear}, DecoderStats{Lines: 1, Damaged: 1}},
		{"line end lost before the prompt", "\r\ni 00\r\nQ 0000021E 01 0C>", []kind{kindClear, kindPrompt},
			DecoderStats{Lines: 2, Damaged: 1}},
		{"overlong", "\r\n" + strings.Repeat("q", 5000) + "\ri 00\r", []kind{kindClear}, DecoderStats{Lines: 1, Overlong: 1}},
		{"padding", "\r\n\x00i\x00 00\r\n", []kind{kindClear}, DecoderStats{Lines: 1}},
		{"telnet options", "\r\n\xff\xfb\x01\xff\xfd\x03i 00\r\n", []kind{kindClear}, DecoderStats{Lines: 1}},
		{"lone 255", "\r\n\xffi 00\r\ni 00\r\n", []kind{kindClear}, DecoderStats{Lines: 1, Damaged: 1}},
		{"half a line", "\r\nq 0000", nil, DecoderStats{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, stats := decode(c.text)
			var kinds []kind
			for _, m := range got {
				kinds = append(kinds, m.Kind)
			}
			if !slices.Equal(kinds, c.want) || stats != c.stats {
				t.Errorf("%v %+v, want %v %+v", kinds, stats, c.want, c.stats)
			}
		})
	}
}

// A line's time is that of its first byte.
func TestArrivalTime(t *testing.T) {
	var d decoder
	var got []message
	emit := func(m message) { got = append(got, m) }
	for i, piece := range []string{"\r\nq 00", "00021E 01 0139\r", "\n", ">"} {
		d.Feed([]byte(piece), time.Unix(int64(i), 0), emit)
	}
	if len(got) != 2 || got[0].At.Unix() != 0 || got[1].At.Unix() != 3 {
		t.Errorf("%+v", got)
	}
}

// Any bytes in any pieces: no panic, bounded memory, and the pieces make no difference.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte("\r\nq 0000021E 01 0139\r\na 0000021E 01 0139\r\n>"), uint8(3))
	f.Add([]byte("\r\nx 00A225 3720 79 263001 00\r\nzm00A225_1z2\r\nDSP[42]=0x04\r\n>"), uint8(1))
	f.Add([]byte("\xff\xfb\x01\r\nStrC 00000281 03 30\r\nMUAD=0x00000000\r\n>>"), uint8(7))
	f.Fuzz(func(t *testing.T, data []byte, size uint8) {
		whole, stats := decode(string(data))
		var d decoder
		var pieces []message
		for piece := range slices.Chunk(data, int(size)+1) {
			d.Feed(piece, time.Unix(0, 0), func(m message) { pieces = append(pieces, m) })
		}
		if diff := cmp.Diff(whole, pieces); diff != "" || d.Stats != stats {
			t.Fatalf("pieces differ: %s", diff)
		}
		for _, m := range whole {
			if len(m.Raw) > maxLine || m.Unit > 0xFFFFFF && m.Kind != kindAddress {
				t.Fatalf("out of bounds: %+v", m)
			}
		}
	})
}
