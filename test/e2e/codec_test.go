package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"

	"plenum/media/capture"
	"plenum/media/stage"
	"plenum/media/wire"
)

// film is a clip of test/peer/clip.py: real VP8 or H.264, made when one is needed.
type film struct {
	codec    stage.Codec
	pictures [][]byte // the first one is the only key frame
}

const filmRate = 25 // pictures a second

// films are made once for all tests.
type films struct{ seat, wide, slate film }

var theFilms = sync.OnceValues(func() (f films, err error) {
	var errs [3]error
	f.seat, errs[0] = makeFilm(stage.VP8, 256, 144)
	f.wide, errs[1] = makeFilm(stage.H264, 320, 180)
	f.slate, errs[2] = makeFilm(stage.VP8, 192, 108)
	return f, errors.Join(errs[:]...)
})

func makeFilm(codec stage.Codec, width, height int) (film, error) {
	name := map[stage.Codec]string{stage.VP8: "vp8", stage.H264: "h264"}[codec]
	cmd := exec.Command(pythonPath, "../peer/clip.py", name, strconv.Itoa(width), strconv.Itoa(height))
	var said bytes.Buffer
	cmd.Stderr = &said
	b, err := cmd.Output()
	if err != nil {
		return film{}, fmt.Errorf("making a clip: %w\n%s", err, &said)
	}
	f := film{codec: codec}
	for len(b) >= 4 {
		n := int(binary.BigEndian.Uint32(b))
		f.pictures, b = append(f.pictures, b[4:4+n]), b[4+n:]
	}
	if len(f.pictures) < filmRate {
		return film{}, fmt.Errorf("the clip has %d pictures", len(f.pictures))
	}
	return f, nil
}

// reel is a camera that shows one of its films, each from a key frame on when it is asked for one.
type reel struct {
	films []film
	show  atomic.Int32
	key   atomic.Bool
	seq   uint16
	base  time.Time
}

func (b *box) camera(id string, films ...film) *reel {
	r := &reel{films: films, base: time.Now()}
	src := b.stage.AddSource(id, stage.Video, "", func() { r.key.Store(true) })
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.run(ctx, src)
	}()
	b.t.Cleanup(func() { cancel(); <-done; src.Close() })
	return r
}

func (r *reel) run(ctx context.Context, src *stage.Source) {
	tick := time.NewTicker(time.Second / filmRate)
	defer tick.Stop()
	var pack rtp.Payloader
	shown, n := -1, 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now := int(r.show.Load()); now != shown {
			shown, n, pack = now, 0, &codecs.VP8Payloader{EnablePictureID: true}
			if r.films[now].codec == stage.H264 {
				pack = &codecs.H264Payloader{DisableStapA: true} // as media/capture packs what a camera encodes
			}
		}
		f := r.films[shown]
		if r.key.Swap(false) {
			n = 0
		}
		ts := uint32(time.Since(r.base).Milliseconds() * 90)
		payloads := pack.Payload(1180, f.pictures[n%len(f.pictures)])
		for i, p := range payloads {
			src.Write(&rtp.Packet{Header: rtp.Header{
				Version: 2, PayloadType: uint8(f.codec), SequenceNumber: r.seq, Timestamp: ts, Marker: i == len(payloads)-1,
			}, Payload: p})
			r.seq++
		}
		n++
	}
}

// box is stage and wire without the rest of the house, with a page that plays.
type box struct {
	t     *testing.T
	stage *stage.Stage
	host  *wire.Host
	url   string
}

func startBox(t *testing.T) *box {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	b := &box{t: t, stage: stage.New(stage.Options{Log: log})}
	b.stage.Transmit(true)
	var err error
	if b.host, err = wire.New(wire.Options{Listen: netip.MustParseAddrPort("127.0.0.1:0"), Stage: b.stage, Log: log}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.host.Run(ctx) }()
	routes := http.NewServeMux()
	routes.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, playerPage)
	})
	routes.Handle("/", b.host.Handler(func(r *http.Request) (wire.Caller, error) {
		return wire.Caller{Person: r.Header.Get("Authorization")}, nil
	}))
	server := httptest.NewServer(routes)
	b.url = server.URL
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		server.Close()
	})
	return b
}

// playerPage plays one picture by WHEP and notes what is seen.
const playerPage = `<!doctype html><meta charset="utf-8"><title>Player</title><video autoplay muted playsinline></video><script>
const seen = window.seen = { size: "", frames: 0, offers: 0, state: "" };
const video = document.querySelector("video");
const look = (_, f) => { seen.size = f.width + "x" + f.height; seen.frames++; video.requestVideoFrameCallback(look); };
video.requestVideoFrameCallback(look);
window.codec = async () => {
  const stats = await window.pc.getStats();
  for (const s of stats.values()) if (s.type === "inbound-rtp") return stats.get(s.codecId)?.mimeType;
};
(async () => {
  const pc = window.pc = new RTCPeerConnection();
  pc.ontrack = (e) => { video.srcObject = e.streams[0]; };
  pc.onconnectionstatechange = () => { seen.state = pc.connectionState; };
  pc.addTransceiver("video", { direction: "recvonly" });
  await pc.setLocalDescription();
  const res = await fetch("/whep", { method: "POST", body: pc.localDescription.sdp,
    headers: { "Content-Type": "application/sdp", "Authorization": "Bearer browser" } });
  await pc.setRemoteDescription({ type: "answer", sdp: await res.text() });
  pc.onnegotiationneeded = () => { seen.offers++; };
})().catch((e) => { seen.state = String(e); });
</script>`

// step is something that is shown in the word slot, and how it looks.
type step struct {
	what, size, codec string
	show              func()
}

// programme is what a viewer is shown one after the other.
func programme(b *box) []step {
	b.t.Helper()
	f, err := theFilms()
	if err != nil {
		b.t.Fatal(err)
	}
	b.camera("camera/seat", f.seat)
	wide := b.camera("camera/wide", f.wide, f.slate)
	to := func(id string, film int32) func() {
		return func() { wide.show.Store(film); b.stage.SetWord(id) }
	}
	return []step{
		{"VP8", "256x144", "video/VP8", to("camera/seat", 0)},
		{"a camera with H.264", "320x180", "video/H264", to("camera/wide", 0)},
		{"the same camera's slate in VP8", "192x108", "video/VP8", to("camera/wide", 1)},
		{"the camera is back", "320x180", "video/H264", to("camera/wide", 0)},
		{"VP8 again", "256x144", "video/VP8", to("camera/seat", 0)},
		{"H.264 again", "320x180", "video/H264", to("camera/wide", 0)},
	}
}

// TestCodecsHaveOneNumber: a camera names its codecs as the stage does.
func TestCodecsHaveOneNumber(t *testing.T) {
	t.Parallel()
	for camera, slot := range map[uint8]stage.Codec{
		capture.PayloadVP8: stage.VP8, capture.PayloadH264: stage.H264, capture.PayloadOpus: stage.Opus,
	} {
		if stage.Codec(camera) != slot {
			t.Errorf("a camera writes %d for what the stage takes as %d, %v", camera, slot, slot)
		}
	}
}

// TestBrowserFollowsTheCodec: Chromium shows a slot whose source goes from VP8 to H.264 and back, without a new offer.
func TestBrowserFollowsTheCodec(t *testing.T) {
	t.Parallel()
	b := startBox(t)
	steps := programme(b)
	steps[0].show()
	tab := startBrowser(t).open("player", b.url, 640, 480)
	for _, step := range steps {
		step.show()
		start := time.Now()
		tab.until(step.what, `seen.size === "`+step.size+`"`)
		took := time.Since(start)
		var before, now struct {
			Frames, Offers int
			State          string
		}
		tab.eval("seen", &before)
		tab.until(step.what+" goes on", `seen.frames > `+strconv.Itoa(before.Frames+10)+` && seen.size === "`+step.size+`"`)
		var codec string
		tab.eval("codec()", &codec)
		tab.eval("seen", &now)
		if codec != step.codec || now.Offers != 0 || now.State != "connected" {
			t.Errorf("%s: Chromium plays %s, connection %s, %d new offers", step.what, codec, now.State, now.Offers)
		}
		t.Logf("%s: shown after %v (looked at every 50 ms)", step.what, took.Round(time.Millisecond))
	}
	if st := b.host.Stats(); len(st) != 1 || st[0].LeftOut != 0 || st[0].Missing != "" {
		t.Errorf("the box's figures: %+v", st)
	}
}

// TestIndependentStackFollowsTheCodec: the same with aiortc and Debian's decoders.
func TestIndependentStackFollowsTheCodec(t *testing.T) {
	t.Parallel()
	b := startBox(t)
	steps := programme(b)
	steps[0].show()
	peer := startPeer(t, "--whep", b.url+"/whep", "--token", "aiortc", "--audio", "0")
	for _, step := range steps {
		step.show()
		eventually(t, step.what, func() bool { return peer.size() == step.size })
	}
}
