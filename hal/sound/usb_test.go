//go:build labusb

package sound

import (
	"errors"
	"flag"
	"fmt"
	"testing"
	"time"
)

// TestLabUSB plays on a USB card that somebody else plugs and unplugs, and tells on standard output what it sees:
// "live AFTER" when sound is taken (ms since the card was last lost, or since the start), "lost AFTER ERROR" when it is not
// any more (ms since the last frame that was taken). It ends well after so many losses followed by a card that is live again.
// It has a tag of its own since only a test that drives QEMU can run it: see test/lab.
func TestLabUSB(t *testing.T) {
	device, cycles := *usbDevice, *usbCycles
	gone := time.Now()
	for n := 0; n <= cycles; n++ {
		p, err := OpenPlayback(Options{Device: device, Buffer: 200 * time.Millisecond})
		for ; err != nil; p, err = OpenPlayback(Options{Device: device, Buffer: 200 * time.Millisecond}) {
			if !errors.Is(err, ErrLost) && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrPermission) {
				t.Fatal(err)
			}
			if time.Since(gone) > patience {
				t.Fatalf("not there for %v: %v", patience, err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		last, err := pump(p, func() { fmt.Printf("live %d\n", time.Since(gone).Milliseconds()) }, n == cycles)
		c := p.Clock()
		fmt.Printf("trouble %+v clock %+.1f ± %.1f ppm over %v\n", p.Trouble(), c.PPM, c.Sigma, c.Over)
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if n == cycles {
			return
		}
		gone = time.Now()
		fmt.Printf("lost %d %v\n", time.Since(last).Milliseconds(), err)
		if !errors.Is(err, ErrLost) {
			t.Errorf("lost by %v, want ErrLost", err)
		}
	}
}

var (
	usbDevice = flag.String("sound.device", "usb:HALL1", "what to play on")
	usbCycles = flag.Int("sound.cycles", 1, "losses to see")
)

// pump plays a tone until the card is lost, or for two seconds when it is the last time.
func pump(p *Playback, live func(), final bool) (last time.Time, err error) {
	tone := sine(1000, -9, 0, 0, Rate)
	start := time.Now()
	for n := 0; ; n++ {
		time.Sleep(time.Until(start.Add(span(int64(n * frame)))))
		if err := p.Write(tone[n%100*frame:][:frame]); err != nil {
			return last, err
		}
		last = time.Now()
		if n == 30 {
			live()
		}
		if final && n == 200 {
			return last, nil
		}
	}
}
