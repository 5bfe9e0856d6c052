package wire

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"plenum/media/stage"
)

// sample returns an offer of a real peer.
func sample(t *testing.T, h *house, video, audio int, d webrtc.RTPTransceiverDirection) string {
	t.Helper()
	p := h.newPeer("sample", nil)
	for i := range video + audio {
		kind := webrtc.RTPCodecTypeVideo
		if i >= video {
			kind = webrtc.RTPCodecTypeAudio
		}
		if _, err := p.pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: d}); err != nil {
			t.Fatal(err)
		}
	}
	offer, err := p.pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	return offer.SDP
}

// endpointCase is one request and what it is answered with.
type endpointCase struct {
	name, method, path, person, kind, body string
	status                                 int
	code                                   string
}

func endpointCases(t *testing.T, h *house) []endpointCase {
	send := sample(t, h, 1, 1, webrtc.RTPTransceiverDirectionSendonly)
	both := sample(t, h, 1, 1, webrtc.RTPTransceiverDirectionSendrecv)
	recv := sample(t, h, 2, 3, webrtc.RTPTransceiverDirectionRecvonly)
	many := sample(t, h, 3, 1, webrtc.RTPTransceiverDirectionRecvonly)
	data := "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n"
	h264 := strings.ReplaceAll(strings.ReplaceAll(send, "VP8/90000", "XX8/90000"), "vp8", "xx8")
	return []endpointCase{
		{"publish", "POST", "/whip", "a", typeSDP, send, 201, ""},
		{"publish sendrecv", "POST", "/whip", "b", typeSDP, both, 201, ""},
		{"play", "POST", "/whep", "a", typeSDP, recv, 201, ""},
		{"play sendrecv", "POST", "/whep", "b", typeSDP, both, 201, ""},
		{"type with parameter", "POST", "/whip", "c", "application/sdp; charset=utf-8", send, 201, ""},
		{"no token", "POST", "/whip", "", typeSDP, send, 401, "unauthorized"},
		{"bad token", "POST", "/whip", "nobody", typeSDP, send, 401, "unauthorized"},
		{"GET", "GET", "/whip", "a", "", "", 405, "method_not_allowed"},
		{"PUT", "PUT", "/whep", "a", typeSDP, recv, 405, "method_not_allowed"},
		{"DELETE on the endpoint", "DELETE", "/whip", "a", "", "", 405, "method_not_allowed"},
		{"JSON", "POST", "/whip", "a", "application/json", "{}", 415, "wrong_type"},
		{"no type", "POST", "/whip", "a", "", send, 415, "wrong_type"},
		{"not SDP", "POST", "/whip", "a", typeSDP, "hello", 400, "malformed"},
		{"empty", "POST", "/whip", "a", typeSDP, "", 422, "offer_refused"},
		{"too long", "POST", "/whip", "a", typeSDP, send + strings.Repeat("a=x:y\r\n", 10_000), 413, "too_large"},
		{"publisher that receives", "POST", "/whip", "a", typeSDP, recv, 422, "offer_refused"},
		{"player that sends", "POST", "/whep", "a", typeSDP, send, 422, "offer_refused"},
		{"three pictures", "POST", "/whep", "a", typeSDP, many, 422, "offer_refused"},
		{"data channel", "POST", "/whip", "a", typeSDP, data, 422, "offer_refused"},
		{"no codec of ours", "POST", "/whip", "a", typeSDP, h264, 422, "offer_refused"},
		{"no ICE credentials", "POST", "/whip", "a", typeSDP, strings.ReplaceAll(send, "a=ice-", "a=x-"), 422, "offer_refused"},
		{"elsewhere", "POST", "/whap", "a", typeSDP, send, 404, "not_found"},
		{"deeper", "POST", "/whip/a/b", "a", typeSDP, send, 404, "not_found"},
		{"no session", "DELETE", "/whip/none", "a", "", "", 404, "no_session"},
	}
}

func TestEndpoints(t *testing.T) {
	h := newHouse(t, nil)
	for _, tc := range endpointCases(t, h) {
		t.Run(tc.name, func(t *testing.T) {
			head := map[string]string{}
			if tc.kind != "" {
				head["Content-Type"] = tc.kind
			}
			res, body := h.do(tc.method, tc.path, tc.person, tc.body, head)
			checkAnswer(t, res, body, tc.status, tc.code)
			switch res.StatusCode {
			case 201:
				if !strings.HasPrefix(res.Header.Get("Location"), tc.path+"/") || res.Header.Get("ETag") == "" ||
					res.Header.Get("Content-Type") != typeSDP || !strings.Contains(body, "a=ice-lite") {
					t.Errorf("headers %v\n%s", res.Header, body)
				}
			case 405:
				if res.Header.Get("Allow") == "" {
					t.Error("no Allow header")
				}
			case 401:
				if res.Header.Get("WWW-Authenticate") == "" {
					t.Error("no WWW-Authenticate header")
				}
			}
		})
	}
	res, _ := h.do("OPTIONS", "/whip", "", "", nil)
	if res.StatusCode != 204 || res.Header.Get("Accept-Post") != typeSDP {
		t.Errorf("OPTIONS: %d %v", res.StatusCode, res.Header)
	}
	send := sample(t, h, 1, 1, webrtc.RTPTransceiverDirectionSendonly)
	res, body := h.do("POST", "/whip", "a", send, map[string]string{"Content-Type": typeSDP, "Accept": "text/html"})
	checkAnswer(t, res, body, 406, "not_acceptable")
}

func checkAnswer(t *testing.T, res *http.Response, body string, status int, code string) {
	t.Helper()
	if res.StatusCode != status {
		t.Errorf("answered %d, want %d: %s", res.StatusCode, status, body)
		return
	}
	if code == "" {
		return
	}
	var p struct {
		Type, Title, Code, Detail string
		Status                    int
	}
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		t.Fatalf("problem: %v: %s", err, body)
	}
	if p.Code != code || p.Status != status || p.Detail == "" || res.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("problem %+v, want code %s", p, code)
	}
}

func TestSessionURL(t *testing.T) {
	h := newHouse(t, nil)
	p := h.publish("anna", 'a')
	frag := "a=ice-ufrag:" + ufragOf(t, p) + "\r\na=ice-pwd:" + strings.Repeat("p", 24) +
		"\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=candidate:1 1 UDP 2130706431 192.0.2.1 9 typ host\r\na=end-of-candidates\r\n"
	other := strings.ReplaceAll(frag, ufragOf(t, p), "abcdefgh")
	tests := []struct {
		name, method, person, kind, match, body string
		status                                  int
		code                                    string
	}{
		{"trickle", "PATCH", "anna", typeFragment, p.etag, frag, 204, ""},
		{"no credentials in it", "PATCH", "anna", typeFragment, p.etag, "a=end-of-candidates\r\n", 204, ""},
		{"no If-Match", "PATCH", "anna", typeFragment, "", frag, 428, "if_match_missing"},
		{"old ETag", "PATCH", "anna", typeFragment, `"old"`, frag, 412, "if_match_wrong"},
		{"other credentials", "PATCH", "anna", typeFragment, p.etag, other, 422, "wrong_credentials"},
		{"restart without credentials", "PATCH", "anna", typeFragment, "*", "a=end-of-candidates\r\n", 422, "no_credentials"},
		{"SDP", "PATCH", "anna", typeSDP, p.etag, frag, 415, "wrong_type"},
		{"garbage", "PATCH", "anna", typeFragment, p.etag, "hello", 400, "malformed"},
		{"too long", "PATCH", "anna", typeFragment, p.etag, strings.Repeat("a=x:y\r\n", 5000), 413, "too_large"},
		{"somebody else's", "PATCH", "ben", typeFragment, p.etag, frag, 403, "not_yours"},
		{"somebody else ends it", "DELETE", "ben", "", "", "", 403, "not_yours"},
		{"no token", "DELETE", "", "", "", "", 401, "unauthorized"},
		{"GET", "GET", "anna", "", "", "", 405, "method_not_allowed"},
		{"POST", "POST", "anna", typeSDP, "", frag, 405, "method_not_allowed"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			head := map[string]string{}
			if tc.kind != "" {
				head["Content-Type"] = tc.kind
			}
			if tc.match != "" {
				head["If-Match"] = tc.match
			}
			res, body := h.do(tc.method, p.location, tc.person, tc.body, head)
			checkAnswer(t, res, body, tc.status, tc.code)
		})
	}
	res, body := h.do("DELETE", strings.Replace(p.location, "whip", "whep", 1), "anna", "", nil)
	checkAnswer(t, res, body, 404, "no_session")
	res, _ = h.do("OPTIONS", p.location, "", "", nil)
	if res.StatusCode != 204 || res.Header.Get("Accept-Patch") != typeFragment {
		t.Errorf("OPTIONS: %d %v", res.StatusCode, res.Header)
	}
	if l := h.last("anna", Publish); !l.Up {
		t.Error("the session did not survive the requests")
	}
}

func ufragOf(t *testing.T, p *peer) string {
	t.Helper()
	var d sdp.SessionDescription
	if err := d.UnmarshalString(p.offer.SDP); err != nil {
		t.Fatal(err)
	}
	ufrag, _ := credentials(&d)
	return ufrag
}

// An ICE restart keeps the streams: the peer gets new credentials by PATCH and
// goes on where it was.
func TestICERestart(t *testing.T) {
	h := newHouse(t, nil)
	feed(t, h.stage, "camera/wide", stage.Video, "", 'H')
	h.stage.SetWord("camera/wide")
	p := h.play("cem", 1, 1)
	eventually(t, "the picture", func() bool { return p.tags("word")['H'] > 5 })
	for round := range 2 {
		offer, err := p.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.pc.SetLocalDescription(offer); err != nil {
			t.Fatal(err)
		}
		var mine, theirs sdp.SessionDescription
		if err := mine.UnmarshalString(offer.SDP); err != nil {
			t.Fatal(err)
		}
		ufrag, pwd := credentials(&mine)
		res, body := h.do("PATCH", p.location, "cem", "a=ice-ufrag:"+ufrag+"\r\na=ice-pwd:"+pwd+"\r\n",
			map[string]string{"Content-Type": typeFragment, "If-Match": "*"})
		if res.StatusCode != 200 || res.Header.Get("ETag") == p.etag || res.Header.Get("Content-Type") != typeFragment {
			t.Fatalf("restart: %d %v %s", res.StatusCode, res.Header, body)
		}
		p.etag = res.Header.Get("ETag")
		f, err := parseFragment(body)
		if err != nil || f.ufrag == "" || f.candidates == 0 {
			t.Fatalf("our fragment %q: %+v, %v", body, f, err)
		}
		// The peer puts the new credentials into the answer it has.
		if err := theirs.UnmarshalString(p.pc.RemoteDescription().SDP); err != nil {
			t.Fatal(err)
		}
		o := offer0(&theirs)
		o.restart(f.ufrag, f.pwd)
		text, err := o.text()
		if err != nil {
			t.Fatal(err)
		}
		if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: text}); err != nil {
			t.Fatal(err)
		}
		seen := p.tags("word")['H']
		eventually(t, "the picture after the restart", func() bool { return p.tags("word")['H'] > seen+50 })
		t.Logf("restart %d done", round+1)
	}
	checkRun(t, "word", p.packets("word"))
}

func offer0(d *sdp.SessionDescription) *offer { return &offer{desc: d} }

func TestAnnouncedAddresses(t *testing.T) {
	loop := netip.MustParseAddr("127.0.0.1")
	for _, tc := range []struct {
		name   string
		listen string
		given  []netip.Addr
		want   string
		ok     bool
	}{
		{"the bound one", "127.0.0.1:0", nil, "127.0.0.1", true},
		{"the given ones", "0.0.0.0:0", []netip.Addr{netip.MustParseAddr("192.0.2.7"), loop}, "192.0.2.7 127.0.0.1", true},
		{"IPv6", "0.0.0.0:0", []netip.Addr{netip.MustParseAddr("2001:db8::1")}, "", false},
		{"unspecified", "0.0.0.0:0", []netip.Addr{netip.MustParseAddr("0.0.0.0")}, "", false},
	} {
		m, err := openMux(netip.MustParseAddrPort(tc.listen), nil, tc.given, quiet())
		if (err == nil) != tc.ok {
			t.Errorf("%s: %v", tc.name, err)
		}
		if err != nil {
			continue
		}
		var got []string
		for _, a := range m.GetListenAddresses() {
			got = append(got, a.(*net.UDPAddr).IP.String())
		}
		if s := strings.Join(got, " "); s != tc.want {
			t.Errorf("%s: announced %s, want %s", tc.name, s, tc.want)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	// The port is taken: a clear error.
	busy, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(loopback()))
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	at := busy.LocalAddr().(*net.UDPAddr).AddrPort()
	if _, err := New(Options{Listen: at, Stage: stage.New(stage.Options{})}); err == nil || !strings.Contains(err.Error(), at.String()) {
		t.Errorf("a port in use gave: %v", err)
	}
}

// A socket on all addresses announces only what it was told, and works.
func TestAnyAddressSocket(t *testing.T) {
	conn, err := net.ListenUDP("udp4", nil)
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, func(o *Options) {
		_ = o.Conn.Close()
		o.Conn = conn
		o.Addresses = []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("127.0.0.1")}
	})
	p := h.publish("anna", 'a')
	answer := p.pc.RemoteDescription().SDP
	for line := range strings.Lines(answer) {
		if strings.HasPrefix(line, "a=candidate") && !strings.Contains(line, " 192.0.2.7 ") && !strings.Contains(line, " 127.0.0.1 ") {
			t.Errorf("announced: %s", line)
		}
	}
	if !strings.Contains(answer, " 192.0.2.7 ") || strings.Contains(answer, "srflx") || strings.Contains(answer, ".local") {
		t.Errorf("candidates:\n%s", answer)
	}
}
