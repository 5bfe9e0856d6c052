package systemd_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestUSBPolicy(t *testing.T) {
	for _, tt := range []struct {
		name       string
		ids        string // vendor product
		interfaces string
		file       string // made below the root, with text
		text       string
		in         bool
	}{
		{name: "camera", ids: "046d 0825", interfaces: ":0e0100:0e0200:010100:010200:", in: true},
		{name: "sound card", ids: "0d8c 0014", interfaces: ":010100:010200:", in: true},
		{name: "sound card, version 2", ids: "152a 8750", interfaces: ":010120:010220:", in: true},
		{name: "stick", ids: "0781 5567", interfaces: ":080650:", in: true},
		{name: "disk with UAS", ids: "174c 55aa", interfaces: ":080650:080662:", in: true},
		{name: "hub", ids: "05e3 0610", interfaces: ":090001:090002:", in: true},
		{name: "FTDI", ids: "0403 6001", interfaces: ":ffffff:", in: true},
		{name: "CP2102", ids: "10c4 ea60", interfaces: ":ff0000:", in: true},
		{name: "PL2303", ids: "067b 2303", interfaces: ":ff0000:", in: true},
		{name: "CH340", ids: "1a86 7523", interfaces: ":ff0102:", in: true},
		{name: "serial line by class", ids: "2341 0043", interfaces: ":020201:0a0000:", in: true},

		{name: "keyboard", ids: "046d c31c", interfaces: ":030101:030000:"},
		{name: "mouse", ids: "046d c077", interfaces: ":030102:"},
		{name: "network stick, RNDIS", ids: "0525 a4a2", interfaces: ":e00103:0a0000:"},
		{name: "network stick, RNDIS as a modem", ids: "0525 a4a2", interfaces: ":0202ff:0a0000:"},
		{name: "network stick, ECM", ids: "0bda 8153", interfaces: ":020600:0a0000:"},
		{name: "network stick, NCM", ids: "0b95 1790", interfaces: ":020d00:0a0001:"},
		{name: "network stick of its own kind", ids: "0bda 8153", interfaces: ":ffff00:"},
		{name: "network stick with a known vendor and more", ids: "0403 6001", interfaces: ":ffffff:020600:"},
		{name: "radio", ids: "0a12 0001", interfaces: ":e00101:"},
		{name: "printer", ids: "03f0 0001", interfaces: ":070102:"},
		{name: "phone", ids: "18d1 4ee1", interfaces: ":060101:"},
		{name: "card reader", ids: "08e6 3437", interfaces: ":0b0000:"},
		{name: "unknown", ids: "1234 5678", interfaces: ":ff0000:"},
		{name: "stick with a keyboard inside", ids: "0781 5567", interfaces: ":080650:030101:"},
		{name: "stick that can be reflashed", ids: "0781 5567", interfaces: ":080650:fe0101:"},
		{name: "floppy drive", ids: "0644 0000", interfaces: ":080400:"},
		{name: "says nothing of itself", ids: "0781 5567", interfaces: ""},
		{name: "more interfaces than udev tells", ids: "0403 6001", interfaces: strings.Repeat(":010101", 142) + ":"},
		{name: "nonsense", ids: "0781 5567", interfaces: ":*:"},
		{name: "no ids", ids: "", interfaces: ":ffffff:"},

		{name: "allowed by the image", ids: "0eef 0001", interfaces: ":030000:", file: "usr/lib/plenum/usb.allow", text: "# touch\n0eef:0001 panel\n", in: true},
		{name: "allowed by the owner", ids: "0eef 0001", interfaces: ":030000:", file: "etc/plenum/usb.allow", text: "1111:2222\n0eef:0001", in: false},
		{name: "allowed by the owner, whole line", ids: "0eef 0001", interfaces: ":030000:", file: "etc/plenum/usb.allow", text: "1111:2222\n0eef:0001\n", in: true},
		{name: "another one is allowed", ids: "0eef 0002", interfaces: ":030000:", file: "etc/plenum/usb.allow", text: "0eef:0001\n#0eef:0002\n"},
		{name: "an empty line allows nobody", ids: "", interfaces: ":030101:", file: "etc/plenum/usb.allow", text: "\n:\n"},
		{name: "no patterns", ids: "0eef 0001", interfaces: ":030000:", file: "etc/plenum/usb.allow", text: "*:*\n0eef:*\n"},
		{name: "technician", ids: "046d c31c", interfaces: ":030101:", file: "run/plenum/technician", in: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			if tt.file != "" {
				write(t, filepath.Join(root, tt.file), tt.text, 0o644)
			}
			for _, shell := range []string{"dash", "busybox"} {
				arg := []string{"libexec/usb-policy"}
				if shell == "busybox" {
					arg = append([]string{"ash"}, arg...)
				}
				env := []string{"PLENUM_ROOT=" + root, "ID_USB_INTERFACES=" + tt.interfaces}
				ids := strings.Fields(tt.ids)
				out, code := try(t, env, shell, append(arg, ids...)...)
				if (code == 0) != tt.in || out != "" {
					t.Errorf("%s: exit code %d, says %q; is it to be let in: %v", shell, code, out, tt.in)
				}
				if len(ids) == 2 { // as the environment tells
					if _, code := try(t, append(env, "idVendor="+ids[0], "idProduct="+ids[1]), shell, arg...); (code == 0) != tt.in {
						t.Errorf("%s, by environment: exit code %d", shell, code)
					}
				}
			}
		})
	}
}

// token is one KEY{attribute} operator "value" of a rule, as man 7 udev has it.
var token = regexp.MustCompile(`^[A-Z]+(\{[A-Za-z0-9_./:-]+\})?(==|!=|=|\+=|-=|:=)"[^"]*"$`)

func TestUdevRules(t *testing.T) {
	files, err := filepath.Glob("udev/*.rules")
	if err != nil || len(files) == 0 {
		t.Fatal("no rules", err)
	}
	for _, file := range files {
		labels, gotos := map[string]bool{}, map[string]bool{}
		for n, line := range strings.Split(read(t, file), "\n") {
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			for part := range strings.SplitSeq(line, ", ") {
				if !token.MatchString(part) {
					t.Errorf("%s:%d: %s is no part of a rule", file, n+1, part)
				}
				if name, ok := strings.CutPrefix(part, "LABEL="); ok {
					labels[name] = true
				}
				if name, ok := strings.CutPrefix(part, "GOTO="); ok {
					gotos[name] = true
				}
			}
		}
		for name := range gotos {
			if !labels[name] {
				t.Errorf("%s: there is no label %s", file, name)
			}
		}
	}
	// systemd 254 and newer judge for themselves.
	if help, _ := try(t, nil, "udevadm", "--help"); regexp.MustCompile(`(?m)^\s+verify\b`).MatchString(help) {
		run(t, nil, "udevadm", append([]string{"verify", "--resolve-names=never"}, files...)...)
	}
}

// TestUSBRecheck looks at what the script asks udev for.
func TestUSBRecheck(t *testing.T) {
	bin, log := recorder(t, "udevadm")
	run(t, []string{"PATH=" + bin + ":" + os.Getenv("PATH")}, "libexec/usb-recheck")
	want := "udevadm trigger --type=devices --subsystem-match=usb --property-match=DEVTYPE=usb_device --action=change\nudevadm settle --timeout=20\n"
	if got := read(t, log); got != want {
		t.Errorf("asked for\n%s", got)
	}
}

// recorder is a folder of programs that only write down how they were called, and the file they write to.
func recorder(t *testing.T, names ...string) (bin, log string) {
	t.Helper()
	bin = t.TempDir()
	log = filepath.Join(bin, "log")
	write(t, log, "", 0o644)
	for _, name := range names {
		write(t, filepath.Join(bin, name), "#!/bin/sh\necho \"${0##*/} $*\" >>"+log+"\n", 0o755)
	}
	return bin, log
}
