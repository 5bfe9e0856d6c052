package capture

import (
	"context"
	"fmt"
	"image"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/rtp"
)

func TestSlateStandsInForTheCamera(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testCamera(t, Options{House: "Rathaus Musterstadt"})
		packets := run(t, s, time.Second-time.Millisecond, nil)
		time.Sleep(time.Millisecond)

		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second-time.Millisecond)
		defer cancel()
		n := 0
		err := s.Slate(ctx, func(p *rtp.Packet) {
			if p.Marker {
				if n++; n == 4 {
					s.RequestKey()
				}
			}
			packets = append(packets, p)
		}, "Kamera Saal", "kein Bild · no picture")
		if err != ctx.Err() {
			t.Fatalf("Slate = %v, want %v", err, ctx.Err())
		}
		time.Sleep(time.Millisecond)
		packets = append(packets, run(t, s, time.Second-time.Millisecond, nil)...)

		got := frames(t, packets) // one stream: no sequence number is missing
		if len(got) != 25+10+25 {
			t.Fatalf("%d frames, want 25 of the camera, 10 of the slate, 25 of the camera", len(got))
		}
		bytes := 0
		for i, f := range got {
			if want := i == 0 || i == 25 || i == 29 || i == 35; f.key != want {
				t.Errorf("frame %d: key %v, want %v", i, f.key, want)
			}
			if i > 25 && i < 35 {
				if d := f.ts - got[i-1].ts; d != 45000 {
					t.Errorf("frame %d comes %d after the one before, want 45000", i, d)
				}
				bytes += len(f.data)
			}
		}
		if d := got[59].ts - got[0].ts; d != 6*90000+24*3600 {
			t.Errorf("the last frame comes %d after the first, want %d", d, 6*90000+24*3600)
		}
		if bytes > 50_000 {
			t.Errorf("a slate of %d bytes in 5 s", bytes)
		}
		img := decodeKey(t, got[25].data)
		if lo, hi := lumaRange(img, image.Rect(100, 100, 540, 300)); lo > 60 || hi < 200 {
			t.Errorf("no letters: luma %d to %d", lo, hi)
		}
		if d := difference(img, decodeKey(t, got[0].data), img.Rect); d < 5 {
			t.Errorf("the slate looks like the camera's last picture: %.1f apart", d)
		}
		if st := s.Status(); st.Running || st.FPS != 0 {
			t.Errorf("a source that ended says %+v", st)
		}
	})
}

func TestSlateIsOfCameras(t *testing.T) {
	s, err := Microphone(Options{Name: "hall", Device: testVoice})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Slate(t.Context(), nil, "x"); err == nil {
		t.Error("a slate for a microphone")
	}
}

func TestSlateLayout(t *testing.T) {
	for _, c := range []struct {
		w, h  int
		lines []string
		rows  []string
		scale int
	}{
		{320, 180, []string{"Saalkamera", "kein Bild"}, []string{"Saalkamera", "kein Bild"}, 3},
		{320, 180, []string{"Saal links", "kein Bild · no picture"}, []string{"Saal links", "kein Bild", "no picture"}, 2},
		{640, 360, []string{"Saal links", "kein Bild · no picture"}, []string{"Saal links", "kein Bild", "no picture"}, 4},
		{1280, 720, []string{"Übertragung unterbrochen für Prüfung"}, []string{"Übertragung unterbrochen", "für Prüfung"}, 6},
		{320, 180, []string{strings.Repeat("x", 60)}, []string{strings.Repeat("x", 60)}, 1},
		{320, 180, nil, nil, 3},
	} {
		unit := c.h / 180
		rows, scale := arrange(c.lines, c.w-16*unit, c.h-(glyphHeight+8)*unit-16*unit, 3*unit)
		if d := cmp.Diff(c.rows, slices.Clip(rows)); scale != c.scale || d != "" {
			t.Errorf("%dx%d: scale %d, want %d; %s", c.w, c.h, scale, c.scale, d)
		}
	}
	if dir := os.Getenv("PLENUM_TEST_PICTURES"); dir != "" { // to look at
		for _, h := range []int{180, 360, 720} {
			save(t, fmt.Sprintf("%s/slate%d.png", dir, h), drawSlate(h*16/9, h, "Rathaus Musterstadt", []string{"Saal, Übersicht", "kein Bild · no picture"}))
		}
		save(t, dir+"/slate-long.png", drawSlate(320, 180, "Rathaus Groß-Würzburg", []string{"Präsidium", "Kamera ausgefallen, wir prüfen das Gerät"}))
	}
}

// Nothing that a configuration may hold must lead out of the picture.
func FuzzSlate(f *testing.F) {
	f.Add("Rathaus", "kein Bild", uint16(320), uint16(180))
	f.Add("", strings.Repeat("ä ", 300), uint16(64), uint16(64))
	f.Fuzz(func(t *testing.T, house, line string, w, h uint16) {
		drawSlate(64+int(w%600)&^1, 64+int(h%400)&^1, house, []string{line, line})
	})
}
