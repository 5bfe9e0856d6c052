package port

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// newSystem makes a sysfs and a /dev like that of a machine with these lines:
// ttyUSB0 and ttyUSB1 on one adapter with two interfaces, ttyUSB2 on another, ttyACM0 behind a hub with the same serial
// number as ttyACM1, ttyUSB3 without a serial number, ttyS0 on the board, ttyUSB4 and tty1 that are nothing.
func newSystem(t *testing.T) system {
	t.Helper()
	s := system{filepath.Join(t.TempDir(), "sys"), filepath.Join(t.TempDir(), "dev")}
	file := func(path, text string) {
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(text+"\n"), 0o600))
	}
	link := func(to, path string) {
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.Symlink(to, path))
	}
	usb := func(device, serial string) {
		dir := s.sys + "/devices/pci0/usb1/" + device
		file(dir+"/idVendor", "0403")
		file(dir+"/product", "Adapter "+serial)
		if serial != "" {
			file(dir+"/serial", serial)
		}
	}
	line := func(name, below string) {
		dir := s.sys + "/devices/pci0/usb1/" + below
		must(t, os.MkdirAll(dir, 0o755))
		link(dir, s.sys+"/class/tty/"+name+"/device")
		i := strings.LastIndexByte(below, '.')
		file(filepath.Join(s.sys, "devices/pci0/usb1", below[:i+2], "bInterfaceNumber"), "0"+below[i+1:i+2])
	}
	usb("", "0000:00:04.0") // the root hub has a serial number, too
	usb("1-1", "FT,2")
	line("ttyUSB0", "1-1/1-1:1.0/ttyUSB0")
	line("ttyUSB1", "1-1/1-1:1.1/ttyUSB1")
	usb("1-2", "DESK24")
	line("ttyUSB2", "1-2/1-2:1.0/ttyUSB2")
	usb("1-3", "HUB")
	usb("1-3/1-3.1", "0001")
	line("ttyACM0", "1-3/1-3.1/1-3.1:1.0")
	usb("1-4", "0001")
	line("ttyACM1", "1-4/1-4:1.0")
	usb("1-5", "")
	line("ttyUSB3", "1-5/1-5:1.0/ttyUSB3")
	must(t, os.MkdirAll(s.sys+"/devices/pnp0/00:01", 0o755))
	link(s.sys+"/devices/pnp0/00:01", s.sys+"/class/tty/ttyS0/device")
	link(s.sys+"/devices/gone", s.sys+"/class/tty/ttyUSB4/device")
	must(t, os.MkdirAll(s.sys+"/class/tty/tty1", 0o755))
	link("../../ttyUSB2", s.dev+"/serial/by-id/usb-QEMU_DESK24-if00-port0")
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAdapters(t *testing.T) {
	s := newSystem(t)
	var got []string
	for _, a := range s.adapters() {
		got = append(got, strings.Join([]string{strings.TrimPrefix(a.Node, s.dev), a.Serial, string(rune('0' + a.Interface)), a.Product, filepath.Base(a.Link)}, "|"))
	}
	want := []string{
		"/ttyACM0|0001|0|Adapter 0001|.", "/ttyACM1|0001|0|Adapter 0001|.", "/ttyUSB2|DESK24|0|Adapter DESK24|usb-QEMU_DESK24-if00-port0",
		"/ttyUSB0|FT,2|0|Adapter FT,2|.", "/ttyUSB1|FT,2|1|Adapter FT,2|.",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestFindUSB(t *testing.T) {
	s := newSystem(t)
	for _, c := range []struct {
		spec, node string
		err        error
		text       string
	}{
		{"DESK24", "/ttyUSB2", nil, ""},
		{"DESK24,0", "/ttyUSB2", nil, ""},
		{"FT,2,1", "/ttyUSB1", nil, ""},
		{"FT,2", "", ErrMissing, "/serial/by-id/usb-QEMU_DESK24-if00-port0, usb:0001 ("}, // interface 2 of FT
		{"DESK24,1", "", ErrMissing, "; plugged in are "},
		{"0001", "", ErrSeveral, "/ttyACM0 (interface 0), "},
		{"HUB", "", ErrMissing, ""},
		{"", "", ErrSpec, ""},
		{",1", "", ErrSpec, ""},
		{"../x", "", ErrSpec, ""},
	} {
		node, err := s.find(c.spec)
		if !errors.Is(err, c.err) || strings.TrimPrefix(node, s.dev) != c.node {
			t.Errorf("%q: %q, %v; want %q, %v", c.spec, node, err, c.node, c.err)
		}
		if err != nil && (!strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%q: %v lacks %q", c.spec, err, c.text)
		}
	}
	if err := (system{t.TempDir(), t.TempDir()}).missing(); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "no USB serial adapter") {
		t.Errorf("with nothing plugged in: %v", err)
	}
}

func TestSpecs(t *testing.T) {
	for spec, ok := range map[string]bool{
		"/dev/ttyS4": true, "usb:DESK24": true, "usb:DESK24,3": true, "tcp://desk.local:23": true,
		"": false, "ttyS4": false, "usb:": false, "usb:a/b": false, "tcp://desk": false, "tcp://:23": false, "COM1": false,
	} {
		if err := CheckSpec(spec); (err == nil) != ok || err != nil && !errors.Is(err, ErrSpec) {
			t.Errorf("%q: %v", spec, err)
		}
	}
	if node, err := Resolve("/dev/ttyS4"); node != "/dev/ttyS4" || err != nil {
		t.Errorf("Resolve = %q, %v", node, err)
	}
	if _, err := Resolve("usb:nobody-has-this"); !errors.Is(err, ErrMissing) {
		t.Errorf("Resolve = %v", err)
	}
	if _, err := Resolve("x"); !errors.Is(err, ErrSpec) {
		t.Errorf("Resolve = %v", err)
	}
}

func TestHints(t *testing.T) {
	plain := Settings{Baud: 57600}
	for _, c := range []struct {
		spec string
		s    Settings
		want string
	}{
		{"/dev/ttyS4", plain, "speed 57600 8N1, the cable the right one (most units want a null-modem"},
		{"usb:X", Settings{Baud: 9600, Flow: FlowRTSCTS}, "crosses TX with RX and RTS with CTS"},
		{"/dev/ttyS4", Settings{Baud: 9600, RS485: RS485{Enabled: true, RTSOnSend: true}}, "9600 8N1 rs485, the cable the right one (A and B"},
		{"tcp://desk:23", plain, "control port"},
	} {
		if got := HintSilent(c.spec, c.s); !strings.Contains(got, c.want) || strings.Contains(got, "\n") {
			t.Errorf("%s: %q lacks %q", c.spec, got, c.want)
		}
	}
	if got := HintGarbled("/dev/ttyS4", plain); !strings.Contains(got, "57600 8N1") {
		t.Error(got)
	}
	// A network has no speed to be wrong.
	for _, got := range []string{HintGarbled("tcp://desk:23", plain), HintEcho("tcp://desk:23")} {
		if !strings.Contains(got, "control port") || strings.Contains(got, "57600") {
			t.Error(got)
		}
	}
	if got := HintEcho("/dev/ttyS4"); !strings.Contains(got, "TX and RX bridged") {
		t.Error(got)
	}
}
