package sound

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const procCards = ` 0 [Saal           ]: Loopback - Loopback
                      Loopback 1
 1 [PCH            ]: HDA-Intel - HDA Intel PCH
                      HDA Intel PCH at 0xf7f10000 irq 31
 2 [Device         ]: USB-Audio - USB PnP Sound Device
                      C-Media Electronics Inc. USB PnP Sound Device at usb-0000:00:14.0-2, full speed
11 [Device_1       ]: USB-Audio - Jabra - SPEAK [510]
                      Jabra at usb-0000:00:14.0-3.1, full speed
`

// house makes the kernel's files of four cards: a loop, one on PCI, and two on USB, the second behind a hub that has a
// serial number of its own.
func house(t *testing.T, cards string) tree {
	t.Helper()
	root := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	link := func(path, target string) {
		t.Helper()
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
	}
	write("proc/asound/cards", cards)
	const usb = "sys/devices/pci0000:00/0000:00:14.0/usb1"
	write(usb+"/idVendor", "1d6b\n")
	write(usb+"/serial", "0000:00:14.0\n")
	write(usb+"/1-2/idVendor", "0d8c\n") // has no serial number
	write(usb+"/1-2/1-2:1.0/bInterfaceClass", "01\n")
	write(usb+"/1-3/idVendor", "0424\n")
	write(usb+"/1-3/serial", "HUB\n")
	write(usb+"/1-3/1-3.1/idVendor", "0b0e\n")
	write(usb+"/1-3/1-3.1/serial", "50C971EF9014x011200\n")
	write(usb+"/1-3/1-3.1/1-3.1:1.0/bInterfaceClass", "01\n")
	write("sys/devices/pci0000:00/0000:00:1f.3/vendor", "0x8086\n")
	write("sys/devices/platform/snd_aloop.0/uevent", "")
	for card, device := range map[string]string{
		"card0": "platform/snd_aloop.0", "card1": "pci0000:00/0000:00:1f.3",
		"card2": "pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0", "card11": "pci0000:00/0000:00:14.0/usb1/1-3/1-3.1/1-3.1:1.0",
	} {
		link("sys/class/sound/"+card+"/device", "../../../devices/"+device)
	}
	for _, pcm := range []string{"pcmC1D0p", "pcmC1D0c", "pcmC1D3p", "pcmC11D0p", "controlC1"} {
		write("sys/class/sound/"+pcm+"/dev", "116:1\n")
	}
	link("dev/snd/by-path/pci-0000:00:1f.3", "../controlC1")
	link("dev/snd/by-path/pci-0000:00:14.0-usb-0:2:1.0", "../controlC2")
	link("dev/snd/by-path/pci-0000:00:14.0-usbv2-0:2:1.0", "../controlC2")
	return tree(root)
}

func TestCards(t *testing.T) {
	got, err := house(t, procCards).cards()
	if err != nil {
		t.Fatal(err)
	}
	want := []Card{
		{Index: 0, ID: "Saal", Name: "Loopback"},
		{Index: 1, ID: "PCH", Name: "HDA Intel PCH", Path: "pci-0000:00:1f.3"},
		{Index: 2, ID: "Device", Name: "USB PnP Sound Device", Path: "pci-0000:00:14.0-usb-0:2:1.0"},
		{Index: 11, ID: "Device_1", Name: "Jabra - SPEAK [510]", Serial: "50C971EF9014x011200"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for text, want := range map[string]int{"": 0, "--- no soundcards ---\n": 0, " 0 [X]: a\n x [Y]: b\n[]:\n": 1} {
		if got, err := house(t, text).cards(); err != nil || len(got) != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	if got, err := tree(t.TempDir()).cards(); err != nil || len(got) != 0 {
		t.Errorf("no /proc/asound: %v, %v", got, err)
	}
}

func TestResolve(t *testing.T) {
	h := house(t, procCards)
	for spec, want := range map[string]string{
		"card:Saal": "hw:CARD=Saal,DEV=0", "card:Saal,1": "hw:CARD=Saal,DEV=1", "card:Saal,1,3": "hw:CARD=Saal,DEV=1,SUBDEV=3",
		"usb:50C971EF9014x011200": "hw:CARD=Device_1,DEV=0", "usb:50C971EF9014x011200,2": "hw:CARD=Device_1,DEV=2",
		"path:pci-0000:00:1f.3,3": "hw:CARD=PCH,DEV=3", "path:pci-0000:00:14.0-usb-0:2:1.0": "hw:CARD=Device,DEV=0",
		"path:pci-0000:00:14.0-usbv2-0:2:1.0": "hw:CARD=Device,DEV=0",
		"alsa:dsnoop:CARD=PCH":                "dsnoop:CARD=PCH", "alsa:mixer": "mixer",
	} {
		pcm, card, err := h.resolve(spec)
		if err != nil || pcm != want || (card.ID == "") != strings.HasPrefix(spec, "alsa:") {
			t.Errorf("%s: %q %+v %v, want %q", spec, pcm, card, err, want)
		}
	}
	for _, spec := range []string{"card:Ratssaal", "usb:HUB", "usb:0000:00:14.0", "path:pci-0000:00:14.0-usb-0:9:1.0"} {
		_, _, err := h.resolve(spec)
		if !errors.Is(err, ErrLost) || !strings.Contains(err.Error(), "card:PCH = path:pci-0000:00:1f.3 (HDA Intel PCH)") ||
			!strings.Contains(err.Error(), "usb:50C971EF9014x011200") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want ErrLost and the cards in one line", spec, err)
		}
	}
	twins := house(t, procCards)
	if err := os.WriteFile(twins.path("sys/devices/pci0000:00/0000:00:14.0/usb1/1-2/serial"), []byte("50C971EF9014x011200"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := twins.resolve("usb:50C971EF9014x011200"); !errors.Is(err, ErrSpec) || !strings.Contains(err.Error(), "take path:") {
		t.Errorf("two cards with one number: %v", err)
	}
	if got := h.devices(1, 'p'); len(got) != 2 || got[1] != 3 {
		t.Errorf("playback devices of card 1: %v", got)
	}
	if got := h.devices(1, 'c'); len(got) != 1 {
		t.Errorf("capture devices of card 1: %v", got)
	}
}

func TestCheckSpec(t *testing.T) {
	for _, spec := range []string{
		"card:Saal", "card:Device_1,0,7", "usb:1234,1", "path:pci-0000:00:1f.3", "alsa:plughw:CARD=Saal", "alsa:hw:Saal,1",
		"alsa:file:'/tmp/x.raw',raw", "alsa:hallmix", "alsa:plug:hallmix", "alsa:sysdefault:CARD=PCH",
	} {
		if err := CheckSpec(spec); err != nil {
			t.Errorf("%s: %v", spec, err)
		}
	}
	for spec, hint := range map[string]string{
		"": "card:ID", "default": "card:ID", "null": "card:ID", "hw:0": "card:ID", "Saal": "card:ID", "wav:/x": "card:ID",
		"card:": "numbers change", "card:0": "numbers change", "card:Saal, 1": "device number", "card:Saal,1,2,3": "too many",
		"card:Saal,-1": "device number", "card:Sitzungssaal-oben": "15", "card:Säle": "15", "card:Saal,256": "device number",
		"usb:": "serial number", "usb:1,2,3": "too many", "path:": "by-path",
		"alsa:": "aplay -L", "alsa:default": "whichever", "alsa:sysdefault": "whichever", "alsa:null": "nowhere", "alsa:pulse": "sound server",
		"alsa:null:x": "nowhere", "alsa:plug:null": "nowhere", "alsa:plug:'default'": "whichever", "alsa:plug:SLAVE=null": "nowhere",
		"alsa:hw": "whichever", "alsa:hw:0": "numbers change", "alsa:plughw:CARD=1,DEV=0": "numbers change", "alsa:plug": "aplay -L",
		"alsa:surround51": "whichever", "alsa:hw:,1": "whichever",
	} {
		err := CheckSpec(spec)
		if !errors.Is(err, ErrSpec) || !strings.Contains(err.Error(), hint) || !strings.Contains(err.Error(), "there") {
			t.Errorf("%q: %v, want a hint about %q and the cards", spec, err, hint)
		}
	}
}

func FuzzSpec(f *testing.F) {
	for _, s := range []string{"card:Saal,1,3", "usb:50C971EF9014x011200", "path:pci-0000:00:14.0-usb-0:2:1.0,1", "alsa:plug:'hw:0'", "alsa:null", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		c, err := parseSpec(spec)
		if err != nil {
			return
		}
		if c.name == "" || c.dev < 0 || c.dev > 255 || c.sub < -1 || c.sub > 255 {
			t.Errorf("%q gave %+v", spec, c)
		}
		for _, never := range []string{"default", "null", "pulse", "sysdefault", "hw:0", "plug:null"} {
			if c.kind == "alsa" && c.name == never {
				t.Errorf("%q gave %+v", spec, c)
			}
		}
	})
}

func FuzzCards(f *testing.F) {
	f.Add(procCards)
	f.Add("--- no soundcards ---\n")
	f.Add(" 0 [          ]: - \n99999999999999 [a]:")
	f.Fuzz(func(t *testing.T, text string) {
		last := -1
		for _, c := range parseCards(text) {
			if c.ID == "" || c.Index < last || strings.ContainsAny(c.ID, "\n") {
				t.Errorf("%q gave %+v", text, c)
			}
			last = c.Index
		}
	})
}
