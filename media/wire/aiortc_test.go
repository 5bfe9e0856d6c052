package wire

import (
	"bufio"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// figures is one line of test/peer/peer.py.
type figures struct {
	Publish, Play struct {
		State  string
		Sent   int
		Tracks []struct {
			Kind                        string
			Frames, Width, Height, Luma int
			Level                       float64
		}
	}
}

// foreign starts the independent peer (python3-aiortc: OpenSSL, libsrtp, libvpx,
// libopus) and hands its lines to take until that says true.
func foreign(t *testing.T, h *house, take func(figures) bool, args ...string) {
	t.Helper()
	server := httptest.NewTLSServer(h.host.Handler(h.bearer))
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	args = append([]string{"../../test/peer/peer.py", "--ca", ca, "--seconds", "30",
		"--whip", server.URL + "/whip", "--whep", server.URL + "/whep"}, args...)
	cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", args...) // Debian's, which has aiortc
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting the peer (Debian package python3-aiortc): %v", err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait() // killed
	}()
	var last string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var f figures
		last = lines.Text()
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			t.Fatalf("%v: %s", err, last)
		}
		if take(f) {
			t.Log(last)
			return
		}
	}
	t.Errorf("the peer never got there; its last line: %s", last)
}

// A stack that shares no code with ours publishes by WHIP and plays by WHEP:
// picture and sound come round by way of the word slot and the programme.
func TestForeignStack(t *testing.T) {
	for _, srtp := range []string{"gcm256", "gcm128"} {
		t.Run(srtp, func(t *testing.T) {
			h := newHouse(t, nil)
			h.stage.SetWord(SourceID("anna"))
			if err := h.stage.Carry("anna", true); err != nil {
				t.Fatal(err)
			}
			foreign(t, h, func(f figures) bool {
				var picture, sound bool
				for _, tr := range f.Play.Tracks {
					picture = picture || (tr.Kind == "video" && tr.Frames > 10 && tr.Width == 320 && tr.Luma > 150)
					sound = sound || (tr.Kind == "audio" && tr.Level > 0.3 && tr.Level < 0.7)
				}
				return picture && sound
			}, "--token", "anna", "--play-token", "ben", "--srtp", srtp)
			for _, l := range []Leg{h.last("anna", Publish), h.last("ben", Play)} {
				t.Logf("%s %s: %s, %s", l.Person, l.Direction, l.Cipher, l.SRTP)
			}
		})
	}
}

// The same stack as Debian ships it offers AES128_CM_HMAC_SHA1_80 only.
func TestForeignStackUnchangedIsRefused(t *testing.T) {
	h := newHouse(t, nil)
	foreign(t, h, func(f figures) bool {
		_, refused := h.seen(func(l Leg) bool { return l.Direction == Publish && l.Reason != "" })
		return refused
	}, "--token", "anna", "--srtp", "sha1")
	if l, ok := h.seen(func(l Leg) bool { return l.Up }); ok {
		t.Errorf("connected: %+v", l)
	}
	t.Log(h.last("anna", Publish).Reason)
}
