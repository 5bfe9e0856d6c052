package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os/exec"
	"sync"
	"testing"
)

// peer is a member on an independent WebRTC stack: aiortc with OpenSSL, libsrtp, libvpx and libopus of Debian.
type peer struct {
	t     *testing.T
	mu    sync.Mutex
	last  peerLine
	text  string // the line as it came
	ended bool
}

type peerLine struct {
	Publish *peerSide `json:"publish"`
	Play    *peerSide `json:"play"`
	Done    bool      `json:"done"`
}

type peerSide struct {
	State  string `json:"state"`
	Sent   int    `json:"sent"`
	Tracks []struct {
		Kind   string  `json:"kind"`
		Frames int     `json:"frames"`
		Width  int     `json:"width"`
		Height int     `json:"height"`
		Luma   float64 `json:"luma"`  // mean brightness of the last picture
		Level  float64 `json:"level"` // RMS of the last sound, 1 is full scale
	} `json:"tracks"`
}

func (d *demo) startPeer(args ...string) *peer {
	d.t.Helper()
	return startPeer(d.t, append([]string{"--ca", d.CA}, args...)...)
}

func startPeer(t *testing.T, args ...string) *peer {
	t.Helper()
	cmd := exec.Command(pythonPath, append([]string{"../peer/peer.py", "--every", "0.25", "--seconds", "1200"}, args...)...)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	p := &peer{t: t}
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.mu.Lock()
			p.last, p.text = peerLine{}, lines.Text()
			_ = json.Unmarshal(lines.Bytes(), &p.last)
			p.mu.Unlock()
		}
		p.mu.Lock()
		p.ended = true
		p.mu.Unlock()
	}()
	return p
}

// now is the peer's newest line. A peer that has ended has nothing more to say, so the test ends, too.
func (p *peer) now() peerLine {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		p.t.Fatalf("the peer has ended; its last line: %q", p.text)
	}
	return p.last
}

// luma is the brightness of the picture that is played, or 0.
func (p *peer) luma() float64 {
	if l := p.now(); l.Play != nil {
		for _, t := range l.Play.Tracks {
			if t.Kind == "video" && t.Frames > 0 {
				return t.Luma
			}
		}
	}
	return 0
}

// size is how large the picture is that is played, or "".
func (p *peer) size() string {
	if l := p.now(); l.Play != nil && len(l.Play.Tracks) > 0 {
		return fmt.Sprintf("%dx%d", l.Play.Tracks[0].Width, l.Play.Tracks[0].Height)
	}
	return ""
}

// TestIndependentStack: another implementation publishes by WHIP and plays by WHEP, one sound and one picture line.
func TestIndependentStack(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	speaker := d.startPeer("--whip", d.WHIP, "--token", d.Members[0].Token, "--luma", "220")
	listener := d.startPeer("--whep", d.WHEP, "--token", d.Members[1].Token)
	eventually(t, "the hall is seen and heard", func() bool {
		l := listener.now()
		if l.Play == nil || l.Play.State != "connected" || len(l.Play.Tracks) != 2 {
			return false
		}
		return l.Play.Tracks[0].Frames > 20 && l.Play.Tracks[1].Frames > 20
	})
	eventually(t, "the speaker sends", func() bool {
		l := speaker.now()
		return l.Publish != nil && l.Publish.State == "connected" && l.Publish.Sent > 50
	})
	if l := listener.luma(); l > 120 {
		t.Fatalf("brightness %v before the word: the hall's picture is dark", l)
	}
	d.ctl("grant", aylin)
	eventually(t, "the speaker's bright picture", func() bool { return listener.luma() > 150 })
	d.ctl("withdraw", aylin)
	eventually(t, "the hall's dark picture again", func() bool { return listener.luma() < 120 })
}

// TestWeakPeerIsRefused: a peer that offers only the old SRTP profile does not come in.
func TestWeakPeerIsRefused(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	weak := d.startPeer("--whip", d.WHIP, "--token", d.Members[0].Token, "--srtp", "sha1")
	good := d.startPeer("--whip", d.WHIP, "--token", d.Members[1].Token, "--srtp", "gcm128")
	eventually(t, "the strong peer is in", func() bool {
		l := good.now()
		return l.Publish != nil && l.Publish.State == "connected" && l.Publish.Sent > 50
	})
	eventually(t, "the weak peer has given up", func() bool {
		l := weak.now()
		return l.Publish != nil && (l.Publish.State == "failed" || l.Publish.State == "closed")
	})
	if l := weak.now(); l.Publish.Sent > 0 {
		t.Fatalf("the weak peer sends: %+v", *l.Publish)
	}
}
