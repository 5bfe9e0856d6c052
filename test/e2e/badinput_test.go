package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/pion/webrtc/v4"
)

// refuses runs a program that must fail and tell why.
func refuses(t *testing.T, want string, name string, args ...string) {
	t.Helper()
	out, err := exec.Command(bin(name), args...).CombinedOutput()
	if err == nil || !strings.Contains(string(out), want) {
		t.Errorf("%s %s: %v, wanted %q in\n%s", name, strings.Join(args, " "), err, want, out)
	}
}

func TestConfigurationIsRefusedWithAReason(t *testing.T) {
	t.Parallel()
	example, err := exec.Command(bin("plenumd"), "--example").Output()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "plenum.toml")
	for _, tt := range []struct{ old, new, want string }{
		{"[hall.output]", "[hall.output]\nloudness = 3", "unknown key hall.output.loudness"},
		{"limit = 1\n", "limit = \"one\"\n", "line"},
		{`"quinta"`, `"klingon"`, "possible is quinta"},
	} {
		if err := os.WriteFile(path, []byte(strings.Replace(string(example), tt.old, tt.new, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		refuses(t, tt.want, "plenumd", "--config", path, "--check")
	}
	refuses(t, "--example", "plenumd", "--config", filepath.Join(t.TempDir(), "none.toml"))
	refuses(t, "plenumd does not answer", "plenumctl", "--socket", filepath.Join(t.TempDir(), "none"), "status")
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	refuses(t, "in use by another program; choose another with --listen", "plenum-demo", "--listen", l.Addr().String())
	refuses(t, "possible are 2 to 200", "plenum-demo", "--desks", "1000")
}

// TestBadRequests: what is sent over the network that makes no sense gets a clear answer, and the daemon goes on.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	pid := d.daemon()
	base := strings.TrimSuffix(d.WHIP, "/whip")
	for _, tt := range []struct {
		name, method, path, token, kind, body string
		status                                int
		says                                  string
	}{
		{"no token", "POST", "/whip", "", "application/sdp", "v=0", 401, "unauthorized"},
		{"malformed SDP", "POST", "/whip", d.Members[0].Token, "application/sdp", "v=0\r\nm=nonsense", 400, "detail"},
		{"no SDP at all", "POST", "/whep", d.Members[0].Token, "application/sdp", strings.Repeat("\x00", 100), 400, "detail"},
		{"oversized SDP", "POST", "/whip", d.Members[0].Token, "application/sdp", strings.Repeat("a", 300_000), 413, "detail"},
		{"oversized command", "POST", "/api/v1/commands/request", d.Members[0].Token, "application/json", `{"person":"` + strings.Repeat("a", 100_000) + `"}`, 413, "detail"},
		{"unknown field", "POST", "/api/v1/commands/request", d.Members[0].Token, "application/json", `{"loud":true}`, 400, "loud"},
		{"a member grants", "POST", "/api/v1/commands/grant", d.Members[0].Token, "application/json", `{"person":"a.demir"}`, 403, "not_allowed"},
		{"unknown command", "POST", "/api/v1/commands/shout", d.Members[0].Token, "application/json", `{}`, 404, "detail"},
		{"a page that is not there", "GET", "/etc/passwd", "", "", "", 404, "detail"},
	} {
		status, body := d.ask(tt.method, base+tt.path, tt.token, tt.kind, tt.body)
		if status != tt.status || !strings.Contains(body, tt.says) {
			t.Errorf("%s: %d %s, want %d with %q", tt.name, status, body, tt.status, tt.says)
		}
	}
	if d.daemon() != pid {
		t.Fatal("the daemon did not survive it")
	}
	d.press("3")
	eventually(t, "the list works", func() bool { return len(d.list().Requests) == 1 })
}

func (d *demo) ask(method, url, token, kind, body string) (int, string) {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Idempotency-Key", fmt.Sprint(time.Now().UnixNano()))
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: d.trusting(), DisableKeepAlives: true}, Timeout: patience}
	res, err := client.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// TestPeopleAreToldWhy: a wrong PIN and a link that is not good any more, as people see it.
func TestPeopleAreToldWhy(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	b := startBrowser(t)
	panel := b.open("pin", d.Panel, 1280, 800)
	panel.do(chromedp.WaitVisible(chromedp.CSS("#pin")))
	// What the page says may stand there for a second only, so the page itself takes notes.
	panel.do(chromedp.Evaluate[chromedp.Void](`window.said = [];
		new MutationObserver(() => said.push(document.querySelector('#pin-problem').textContent))
			.observe(document.querySelector('#pin-problem'), { childList: true, subtree: true, characterData: true }); undefined`))
	// Each wrong PIN makes wait for longer, up to a minute, so soon one comes before its time however slow the machine is.
	eventually(t, "the panel says to wait", func() (told bool) {
		panel.eval(`said.length = 0`, new(int))
		panel.do(chromedp.SendKeys(chromedp.CSS("#pin"), "000000\r"))
		panel.until("an answer", `said.some(s => s !== '')`)
		panel.eval(`said.some(s => /[0-9]+ Sekunde/.test(s))`, &told)
		return told
	})
	t.Log(panel.shot("pin-wrong"))

	d.ctl("invite", d.Members[0].Name) // a new link ends the old one
	old := b.open("old-link", d.Members[0].Link, 1280, 800)
	old.until("the page says that the link is no good", `/Link/.test(document.body.textContent) && !document.querySelector('video')`)
	t.Log(old.shot("old-link"))
}

// TestWithdrawnLink: when a link is withdrawn, what is connected by it ends by itself. Another member's goes on.
func TestWithdrawnLink(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	gone, stays := d.listen(d.Members[1].Token, 4), d.listen(d.Members[2].Token, 4)
	for _, l := range []*listener{gone, stays} {
		eventually(t, "the hall is heard", func() bool { return l.heard("audio0") > 25 })
	}
	d.ctl("revoke", d.Members[1].Name)
	answered := stays.mark()[stays.ssrc["audio0"]].at // by the clock of the hall's sound, which is the same for all
	if status, _ := d.ask("GET", strings.TrimSuffix(d.WHIP, "/whip")+"/api/v1/state", d.Members[1].Token, "", ""); status != 401 {
		t.Fatalf("the withdrawn link is answered with %d", status)
	}
	eventually(t, "the connection ends", func() bool { return gone.pc.ConnectionState() == webrtc.PeerConnectionStateClosed })
	end := gone.socket.now()
	stays.goesOn("audio0", stays.socket.now(), 100)
	for ssrc, st := range gone.socket.now() {
		if n := st.packets - end[ssrc].packets; n != 0 {
			t.Errorf("%d packets came by a link that had ended", n)
		}
	}
	late := int32(end[gone.ssrc["audio0"]].at-answered) / 48 // ms
	t.Logf("the last sound by the withdrawn link is %d ms younger than the answer to the withdrawal", late)
}
