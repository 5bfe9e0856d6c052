package wire

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"

	"plenum/media/stage"
)

func quiet() pionLog { return pionLog{slog.New(slog.DiscardHandler)} }

func TestParseFragment(t *testing.T) {
	pwd := strings.Repeat("p", 22)
	cand := "a=candidate:1 1 UDP 2130706431 192.0.2.1 9 typ host\n"
	tests := []struct {
		name, in string
		want     fragment
		ok       bool
	}{
		{"empty", "", fragment{}, true},
		// RFC 8840 section 9 style.
		{"trickle", "a=ice-ufrag:EsAw\r\na=ice-pwd:" + pwd + "\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n" + cand + "a=end-of-candidates\r\n",
			fragment{"EsAw", pwd, 1, true}, true},
		{"same on every line", "a=ice-ufrag:EsAw\na=ice-pwd:" + pwd + "\nm=a\na=ice-ufrag:EsAw\n", fragment{"EsAw", pwd, 0, false}, true},
		{"different", "a=ice-ufrag:EsAw\na=ice-ufrag:EsAx\na=ice-pwd:" + pwd, fragment{}, false},
		{"short ufrag", "a=ice-ufrag:abc\na=ice-pwd:" + pwd, fragment{}, false},
		{"short password", "a=ice-ufrag:abcd\na=ice-pwd:p", fragment{}, false},
		{"ufrag alone", "a=ice-ufrag:abcd", fragment{}, false},
		{"line break smuggled", "a=ice-ufrag:abcd\x0b\na=ice-pwd:" + pwd, fragment{}, false},
		{"other line", "v=0\n", fragment{}, false},
		{"short candidate", "a=candidate:1 1 UDP\n", fragment{}, false},
		{"too many candidates", strings.Repeat(cand, maxCandidates+1), fragment{}, false},
		{"too long", strings.Repeat("a=x\n", maxFragment), fragment{}, false},
	}
	for _, tc := range tests {
		got, err := parseFragment(tc.in)
		if (err == nil) != tc.ok || got != tc.want {
			t.Errorf("%s: %+v, %v, want %+v, ok %v", tc.name, got, err, tc.want, tc.ok)
		}
		if err != nil && !errors.Is(err, errFragment) {
			t.Errorf("%s: %v is no errFragment", tc.name, err)
		}
	}
}

func FuzzParseFragment(f *testing.F) {
	f.Add("a=ice-ufrag:EsAw\r\na=ice-pwd:" + strings.Repeat("p", 22) + "\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\na=end-of-candidates\r\n")
	f.Add("a=candidate:1 1 UDP 2130706431 192.0.2.1 9 typ host\n")
	f.Fuzz(func(t *testing.T, in string) {
		got, err := parseFragment(in)
		if err != nil {
			return
		}
		if (got.ufrag == "") != (got.pwd == "") || got.candidates > maxCandidates || strings.ContainsAny(got.ufrag+got.pwd, "\r\n ") {
			t.Fatalf("%q gave %+v", in, got)
		}
	})
}

const minimalOffer = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=ice-ufrag:abcd\r\n" +
	"m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=setup:active\r\na=mid:0\r\na=sendonly\r\na=rtpmap:96 VP8/90000\r\n" +
	"a=candidate:1 1 UDP 1 secret.local 9 typ host\r\n"

func TestParseOffer(t *testing.T) {
	o, err := parseOffer([]byte(minimalOffer), Publish, 4, webrtc.DTLSRoleClient)
	if err != nil {
		t.Fatal(err)
	}
	if o.role != webrtc.DTLSRoleServer || o.count(stage.Video) != 1 {
		t.Errorf("role %v, kinds %v", o.role, o.kinds)
	}
	if text, err := o.text(); err != nil || strings.Contains(text, "secret.local") {
		t.Errorf("a peer's host name is handed on: %v\n%s", err, text)
	}
	for name, change := range map[string][2]string{
		"both lite":      {"a=ice-ufrag:abcd", "a=ice-lite"},
		"rejected line":  {"m=video 9", "m=video 0"},
		"no mid":         {"a=mid:0\r\n", ""},
		"inactive":       {"a=sendonly", "a=inactive"},
		"other codec":    {"VP8", "AV1"},
		"many lines":     {"m=video", strings.Repeat("m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n", maxLines) + "m=video"},
		"text transport": {"m=video", "m=text"},
	} {
		if _, err := parseOffer([]byte(strings.Replace(minimalOffer, change[0], change[1], 1)), Publish, 4, webrtc.DTLSRoleServer); !errors.Is(err, errOffer) {
			t.Errorf("%s: %v", name, err)
		}
	}
	passive := strings.Replace(minimalOffer, "setup:active", "setup:passive", 1)
	if o, err := parseOffer([]byte(passive), Publish, 4, webrtc.DTLSRoleServer); err != nil || o.role != webrtc.DTLSRoleClient {
		t.Errorf("a passive peer: %v", err)
	}
}

func FuzzParseOffer(f *testing.F) {
	f.Add([]byte(minimalOffer), true)
	f.Add([]byte("v=0\r\n"), false)
	f.Fuzz(func(t *testing.T, b []byte, publish bool) {
		d := Play
		if publish {
			d = Publish
		}
		o, err := parseOffer(b, d, 4, webrtc.DTLSRoleServer)
		if err != nil {
			return
		}
		if o.count(stage.Video) > 2 || o.count(stage.Audio) > 5 || len(o.kinds) != len(o.desc.MediaDescriptions) {
			t.Fatalf("let through: %q", b)
		}
		if text, err := o.text(); err == nil && strings.Contains(text, "\na=candidate:") {
			t.Fatalf("a candidate is left: %q", text)
		}
	})
}
