package usb

import (
	"encoding/hex"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Descriptors as devices give them: device, configuration, then interfaces with what belongs to them.
var samples = map[string]string{
	// Logitech K120: a boot keyboard, and its extra keys.
	"keyboard": `12 01 10 01 00 00 00 08 6d 04 1c c3 10 64 01 02 00 01
		09 02 3b 00 02 01 03 a0 2d  09 04 00 00 01 03 01 01 02  09 21 10 01 00 01 22 41 00  07 05 81 03 08 00 0a
		09 04 01 00 01 03 00 00 02  09 21 10 01 00 01 22 9f 00  07 05 82 03 04 00 ff`,
	// FTDI FT232R.
	"ftdi": `12 01 00 02 00 00 00 08 03 04 01 60 00 06 01 02 03 01
		09 02 20 00 01 01 00 a0 2d  09 04 00 00 02 ff ff ff 02  07 05 81 02 40 00 00  07 05 02 02 40 00 00`,
	// A telephone as network stick (RNDIS): association, control with its CDC parts, data.
	"rndis": `12 01 00 02 00 00 00 40 d1 18 e3 4e 27 02 01 02 03 01
		09 02 4b 00 02 01 00 80 fa  08 0b 00 02 e0 01 03 05
		09 04 00 00 01 e0 01 03 05  05 24 00 10 01  05 24 01 00 01  04 24 02 00  05 24 06 00 01  07 05 82 03 08 00 09
		09 04 01 00 02 0a 00 00 06  07 05 81 02 00 02 00  07 05 01 02 00 02 00`,
	// SanDisk Cruzer Blade.
	"storage": `12 01 00 02 00 00 00 40 81 07 67 55 00 01 01 02 03 01
		09 02 20 00 01 01 00 80 64  09 04 00 00 02 08 06 50 00  07 05 81 02 00 02 00  07 05 02 02 00 02 01`,
	// A hub with one transaction translator.
	"hub": `12 01 00 02 09 00 01 40 e3 05 08 06 36 85 00 01 00 01
		09 02 19 00 01 01 00 e0 32  09 04 00 00 01 09 00 00 00  07 05 81 03 01 00 0c`,
	// A CDC-ACM modem: class 02 on the device, control and data.
	"acm": `12 01 00 02 02 00 00 40 41 23 43 00 01 00 01 02 dc 01
		09 02 43 00 02 01 00 c0 32  09 04 00 00 01 02 02 01 00  05 24 00 10 01  05 24 01 01 01  04 24 02 06  05 24 06 00 01
		07 05 82 03 08 00 ff  09 04 01 00 02 0a 00 00 00  07 05 04 02 40 00 01  07 05 83 02 40 00 01`,
	// A stick that is also a keyboard.
	"disguised": `12 01 00 02 00 00 00 40 81 07 67 55 00 01 01 02 03 01
		09 02 39 00 02 01 00 80 64  09 04 00 00 02 08 06 50 00  07 05 81 02 00 02 00  07 05 02 02 00 02 01
		09 04 01 00 01 03 01 01 00  09 21 11 01 00 01 22 3f 00  07 05 83 03 08 00 0a`,
}

func sample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(samples[name]), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseDescriptors(t *testing.T) {
	for name, want := range map[string][]Class{
		"keyboard":  {{3, 1, 1}, {3, 0, 0}},
		"ftdi":      {{255, 255, 255}},
		"rndis":     {{0xe0, 1, 3}, {10, 0, 0}},
		"storage":   {{8, 6, 0x50}},
		"hub":       {{9, 0, 1}, {9, 0, 0}},
		"acm":       {{2, 0, 0}, {2, 2, 1}, {10, 0, 0}},
		"disguised": {{8, 6, 0x50}, {3, 1, 1}},
	} {
		got, err := ParseDescriptors(sample(t, name))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
	for _, b := range [][]byte{nil, {18, 1}, sample(t, "storage")[1:], make([]byte, 18)} {
		if got, err := ParseDescriptors(b); !errors.Is(err, ErrDamaged) || got != nil {
			t.Errorf("%x: %v %v", b, got, err)
		}
	}
	whole := sample(t, "keyboard")
	if got, err := ParseDescriptors(whole[:len(whole)-1]); !errors.Is(err, ErrDamaged) || len(got) != 2 {
		t.Error(got, err)
	}
	if got, err := ParseDescriptors(append(whole[:18:18], 0, 0)); !errors.Is(err, ErrDamaged) || got != nil {
		t.Error(got, err) // a descriptor of no bytes would never end
	}
}

func FuzzParseDescriptors(f *testing.F) {
	for name := range samples {
		f.Add(sample(f, name))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := ParseDescriptors(b)
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Error(err)
		}
		if len(list) > 1+len(b)/minInterface {
			t.Errorf("%d interfaces in %d bytes", len(list), len(b))
		}
		names(list)
	})
}

func TestName(t *testing.T) {
	for want, list := range map[string][]Class{
		"audio": {{1, 1, 0}, {1, 2, 0x20}}, "serial": {{2, 2, 1}, {2, 2, 0}}, "network": {{2, 2, 0xff}, {2, 6, 0}, {2, 0x0d, 0}, {2, 0x0e, 0}, {0xe0, 1, 3}, {0xef, 4, 1}},
		"modem": {{2, 1, 0}, {2, 8, 0}}, "keyboard": {{3, 1, 1}}, "mouse": {{3, 1, 2}}, "input": {{3, 0, 0}}, "camera": {{14, 1, 0}}, "storage": {{8, 6, 0x62}},
		"bluetooth": {{0xe0, 1, 1}}, "wireless": {{0xe0, 2, 1}}, "vendor": {{255, 0, 0}}, "": {{10, 0, 0}}, "class 12": {{0x12, 0, 0}}, "class ef": {{0xef, 2, 1}},
	} {
		for _, c := range list {
			if got := c.Name(); got != want {
				t.Errorf("%+v: %q instead of %q", c, got, want)
			}
		}
	}
}

// tree makes a sysfs of devices and their files.
func tree(t *testing.T, devices map[string]map[string]string) string {
	t.Helper()
	sys := t.TempDir()
	for port, files := range devices {
		dir := filepath.Join(sys, "devices/pci0/usb1", port)
		for name, text := range files {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		link := filepath.Join(sys, "bus/usb/devices", port)
		if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(dir, link); err != nil {
			t.Fatal(err)
		}
	}
	return sys
}

// device is a device's files; changes are laid over them.
func device(changes ...map[string]string) map[string]string {
	d := map[string]string{"authorized": "0\n", "idVendor": "046d\n", "idProduct": "c31c\n", "manufacturer": "Logitech\n", "product": "USB Keyboard\n",
		"bDeviceClass": "00\n", "bDeviceSubClass": "00\n", "bDeviceProtocol": "00\n"}
	for _, c := range changes {
		maps.Copy(d, c)
	}
	return d
}

func TestRefused(t *testing.T) {
	descriptors := func(name string) map[string]string { return map[string]string{"descriptors": string(sample(t, name))} }
	sys := tree(t, map[string]map[string]string{
		"usb1":    device(map[string]string{"idVendor": "1d6b\n", "authorized": "0\n"}),
		"1-0:1.0": {"authorized": "0\n", "bInterfaceClass": "09\n"},
		"1-10":    device(descriptors("keyboard")),
		"1-2":     device(descriptors("storage"), map[string]string{"authorized": "1\n"}),
		"1-1.4": device(descriptors("rndis"), map[string]string{"idVendor": "18d1\n", "idProduct": "4ee3\n", "manufacturer": " Goo\x1bgle\n",
			"product": "Pixel\xff\n"}),
		"1-3": device(descriptors("disguised"), map[string]string{"manufacturer": "", "product": ""}),
		"1-4": device(descriptors("storage"), map[string]string{"1-4:1.0/bInterfaceClass": "03\n", "1-4:1.0/bInterfaceSubClass": "01\n",
			"1-4:1.0/bInterfaceProtocol": "02\n", "1-4:1.1/bInterfaceClass": "0e\n"}), // was let in before
		"1-5": device(map[string]string{"bDeviceClass": "e0\n", "bDeviceSubClass": "01\n", "bDeviceProtocol": "01\n"}), // no descriptors
		"1-6": device(map[string]string{"descriptors": "\x12\x01", "bDeviceClass": "zz\n"}),                            // damaged ones
		"1-7": device(map[string]string{"idVendor": ""}),                                                               // on its way out
		"1-8": {},
	})
	want := []Device{
		{Name: "Goo gle Pixel", IDs: "18d1:4ee3", Port: "1-1.4", Classes: []string{"network"}},
		{Name: "", IDs: "046d:c31c", Port: "1-3", Classes: []string{"keyboard", "storage"}},
		{Name: "Logitech USB Keyboard", IDs: "046d:c31c", Port: "1-4", Classes: []string{"camera", "mouse"}},
		{Name: "Logitech USB Keyboard", IDs: "046d:c31c", Port: "1-5", Classes: []string{"bluetooth"}},
		{Name: "Logitech USB Keyboard", IDs: "046d:c31c", Port: "1-6", Classes: []string{"class 00"}},
		{Name: "Logitech USB Keyboard", IDs: "046d:c31c", Port: "1-10", Classes: []string{"input", "keyboard"}},
	}
	got, err := Refused(sys)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
	if got, err := Refused(t.TempDir()); err != nil || got != nil {
		t.Error(got, err)
	}
	file := filepath.Join(t.TempDir(), "bus")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Refused(filepath.Dir(file)); err == nil {
		t.Error("a file for a folder was well")
	}
}
