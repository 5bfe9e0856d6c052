//go:build lab

package lab_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plenum/test/lab"
)

// TestGuest looks at one guest from all sides, has the other packages' tests for the lab run in it, and cuts its power.
func TestGuest(t *testing.T) {
	began := time.Now()
	vm := lab.Boot(t, guest(t), lab.Options{
		Memory:  1024,
		Files:   []lab.File{{Path: "/etc/plenum/lab/deep.txt", Mode: 0o640, Data: []byte("put before the first boot")}},
		Plugged: []lab.Device{{ID: "desks", Kind: lab.Adapter, Serial: deskSerial}, {ID: "hall", Kind: lab.Sound, Serial: "HALL"}},
		Forward: []lab.Forward{{Proto: "tcp", Guest: 7000}, {Proto: "udp", Guest: 7000}},
	})
	t.Logf("booted after %.1f s; %s", time.Since(began).Seconds(), vm.Must(t, "systemd-analyze time | head -n 1"))
	for _, part := range []struct {
		name string
		run  func(*testing.T, *lab.VM)
	}{
		{"devices", devices}, {"commands", commands}, {"files", files}, {"ports", ports},
		{"lines", func(t *testing.T, vm *lab.VM) {
			for _, line := range []string{"ttyS4", "ttyS5", "desks"} {
				t.Run(line, func(t *testing.T) { serialLine(t, vm, line) })
			}
		}},
		{"sound", sound}, {"check", checkLooksAtDevices}, {"suites", suites}, {"plugs", plugs}, {"power cut", powerCut},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(t, vm) })
	}
}

func devices(t *testing.T, vm *lab.VM) {
	for _, c := range []struct{ what, command, want string }{
		{"first camera", "v4l2-ctl -d /dev/v4l/by-id/lab-vivid-000 --list-inputs | grep -c Name", "1"},
		{"second camera", "v4l2-ctl -d /dev/v4l/by-id/lab-vivid-001 --list-inputs | grep Name | tr -s '\\t :' ' ' | xargs", "Name Webcam 0 Name HDMI 0"},
		{"no further camera", "ls /dev/video* | wc -l", "2"},
		{"loop card", "cat /proc/asound/Saal/pcm{0,1}{p,c}/info | grep -c subdevices_count:.2", "4"},
		{"lines", "gpioinfo | grep -oE '\"[a-z0-9-]+\"' | xargs", "chair-key fire tech-button on-air recording mute spare1 spare2"},
		{"line pulled", "cd /sys/devices/platform/gpio-sim.0/gpiochip0/sim_gpio1; echo pull-up >pull; gpioget $(gpiofind fire); echo pull-down >pull", "1"},
		{"serial adapter", "basename $(readlink -f /dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_DESK24-if00-port0)", "ttyUSB0"},
		{"adapter's serial number", "udevadm info -q property --property ID_SERIAL_SHORT --value /dev/ttyUSB0", "DESK24"},
		{"USB sound card", "cat /proc/asound/Audio/usbid; ls /dev/snd/by-id", "46f4:0002\nusb-QEMU_QEMU_USB_Audio_HALL-00"},
		{"rights", "stat -c '%U:%G %a' /dev/video0 /dev/gpiochip0 /dev/snd/controlC0 /dev/ttyS4 /dev/ttyUSB0 | xargs",
			"root:video 660 root:gpio 660 root:audio 660 root:dialout 660 root:dialout 660"},
		{"the daemon's user", "id -nG plenum | tr ' ' '\\n' | sort | xargs", "audio dialout gpio plenum systemd-journal video"},
		{"the daemon waits for a configuration", "systemctl show -P ConditionResult -P ActiveState plenumd | xargs", "inactive no"},
		{"nothing failed", "systemctl --failed --no-legend | wc -l", "0"},
		{"watchdog", "test -c /dev/watchdog && echo yes", "yes"},
	} {
		if got, err := vm.Run(t.Context(), c.command); err != nil || strings.TrimSpace(got) != c.want {
			t.Errorf("%s: %q, want %q (%v)", c.what, strings.TrimSpace(got), c.want, err)
		}
	}
	q, err := vm.QMP()
	if err != nil {
		t.Fatal(err)
	}
	if s, err := q.Status(t.Context()); s != "running" || err != nil {
		t.Errorf("QEMU says %q, %v", s, err)
	}
}

func commands(t *testing.T, vm *lab.VM) {
	_, err := vm.Run(t.Context(), "echo no such luck >&2; exit 7")
	if e, ok := errors.AsType[*lab.ExitError](err); !ok || e.Code != 7 || e.Output != "no such luck" {
		t.Errorf("exit code: %v", err)
	}
	for limit := 2 * time.Second; ; limit *= 2 { // until it is enough for a shell to begin
		short, cancel := context.WithTimeout(t.Context(), limit)
		out, err := vm.Run(short, "echo begun; sleep 604 & wait")
		cancel()
		if e, ok := errors.AsType[*lab.ExitError](err); !ok || !e.TimedOut {
			t.Errorf("out of time: %q, %v", out, err)
		}
		if out == "begun\n" || t.Failed() || limit > lab.Patience {
			break
		}
	}
	// Given up by the host: the guest ends it too.
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	if err := vm.Stream(ctx, "echo begun; sleep 604 & wait", onWrite(stop), io.Discard); err == nil {
		t.Error("a command that was given up ended well")
	}
	vm.Must(t, "for i in {1..3000}; do pgrep -f 'sleep 60[4]' || exit 0; sleep 0.1; done; exit 1")
}

// onWrite calls f when something is written: output comes while the command runs.
type onWrite func()

func (f onWrite) Write(p []byte) (int, error) { f(); return len(p), nil }

func files(t *testing.T, vm *lab.VM) {
	data := make([]byte, 3<<20)
	_, _ = rand.Read(data)
	if err := vm.Put(t.Context(), "/lab/deep/file", 0o710, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	if mode := vm.Must(t, "stat -c %a /lab/deep/file"); mode != "710" {
		t.Errorf("mode %s", mode)
	}
	if got, err := vm.Get(t.Context(), "/lab/deep/file"); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d of %d bytes came back, %v", len(got), len(data), err)
	}
	if got, err := vm.Get(t.Context(), "/sys/class/video4linux/video0/name"); err != nil || !strings.HasPrefix(string(got), "vivid-") {
		t.Errorf("sysfs: %q, %v", got, err)
	}
	if _, err := vm.Get(t.Context(), "/nowhere"); err == nil {
		t.Error("a file that is not there was got")
	}
	if err := vm.Put(t.Context(), "/proc/version", 0o600, bytes.NewReader(data)); err == nil {
		t.Error("a file was put where none can be")
	}
}

// ports sends over both forwarded ports to an echo in the guest.
func ports(t *testing.T, vm *lab.VM) {
	vm.Must(t, `cat >/lab/echo.pl <<'X'
use IO::Socket;
if (!fork) {
	my $l = IO::Socket::INET->new(Proto => "tcp", LocalPort => 7000, Listen => 1) or die;
	my $c = $l->accept; print $c scalar <$c>; exit;
}
my $u = IO::Socket::INET->new(Proto => "udp", LocalPort => 7000) or die;
my $m; $u->recv($m, 100); $u->send($m);
X
nohup perl /lab/echo.pl >/dev/null 2>&1 & for i in {1..3000}; do ss -Hltun sport = 7000 | wc -l | grep -q 2 && exit; sleep 0.1; done; exit 1`)
	for _, proto := range []string{"tcp", "udp"} {
		c, err := net.Dial(proto, fmt.Sprintf("127.0.0.1:%d", vm.Port(proto, 7000)))
		if err != nil {
			t.Errorf("%s: %v", proto, err)
			continue
		}
		echo(t, c, "over "+proto+"\n")
		c.Close()
	}
}

// echo sends a text and wants it back.
func echo(t *testing.T, c net.Conn, text string) {
	t.Helper()
	_ = c.SetDeadline(time.Now().Add(lab.Patience))
	if _, err := c.Write([]byte(text)); err != nil {
		t.Error(err)
		return
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
		t.Errorf("%q came back as %q, %v", text, got, err)
	}
}

func serialLine(t *testing.T, vm *lab.VM, line string) {
	node := "/dev/" + line
	if line == "desks" {
		node = "/dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_DESK24-if00-port0"
	}
	c, err := vm.Dial(t.Context(), line)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	vm.Must(t, fmt.Sprintf("stty -F %s 115200 raw -echo && (nohup sh -c 'exec 3<>%[1]s; echo ready >&3; head -c 6 <&3 >&3' >/dev/null 2>&1 &)", node))
	_ = c.SetDeadline(time.Now().Add(lab.Patience))
	ready := make([]byte, 6)
	if _, err := io.ReadFull(c, ready); err != nil {
		t.Fatalf("%q, %v", ready, err)
	}
	echo(t, c, "\x00desk\xff")
}

// sound plays on the USB card and looks into QEMU's WAV file.
func sound(t *testing.T, vm *lab.VM) {
	vm.Must(t, "timeout 300 speaker-test -D plughw:CARD=Audio -r 48000 -c 2 -t sine -f 440 -l 1")
	rec, err := vm.Recorded()
	if err != nil {
		t.Fatal(err)
	}
	crossings, left := 0, rec.Channel(0)
	for i := 1; i < len(left); i++ {
		if left[i-1] < 0 && left[i] >= 0 {
			crossings++
		}
	}
	// speaker-test plays the left channel for 3 s of its turn.
	if rec.Channels != 2 || crossings < 440 {
		t.Errorf("%d channels at %d Hz, %d waves in %d samples", rec.Channels, rec.Rate, crossings, len(left))
	}
}

// plugs takes USB devices out and puts them back, on another port too.
func plugs(t *testing.T, vm *lab.VM) {
	disk := filepath.Join(t.TempDir(), "stick")
	if err := os.WriteFile(disk, append([]byte("first sector"), make([]byte, 8<<20)...), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		device lab.Device
		link   string
	}{
		{lab.Device{ID: "second", Kind: lab.Adapter, Serial: "CUE7"}, "/dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_CUE7-if00-port0"},
		{lab.Device{ID: "speakers", Kind: lab.Sound, Serial: "GALLERY"}, "/dev/snd/by-id/usb-QEMU_QEMU_USB_Audio_GALLERY-00"},
		{lab.Device{ID: "stick", Kind: lab.Stick, Serial: "STICK9", Disk: disk}, "/dev/plenum/sda"}, // a stick has no other name (systemd/udev)
	} {
		for i := range lab.Cycles(2, 20) {
			c.device.Port = fmt.Sprint(5 + i%3)
			if err := vm.Plug(t.Context(), c.device); err != nil {
				t.Fatal(err)
			}
			vm.Must(t, "for i in {1..3000}; do [ -e "+c.link+" ] && exit; sleep 0.1; done; ls -l $(dirname "+c.link+"); exit 1")
			if c.device.Kind == lab.Stick {
				if got := vm.Must(t, "head -c 12 "+c.link); got != "first sector" {
					t.Errorf("the stick holds %q", got)
				}
			}
			if err := vm.Unplug(t.Context(), c.device.ID); err != nil {
				t.Fatal(err)
			}
			vm.Must(t, "for i in {1..3000}; do [ -e "+c.link+" ] || exit 0; sleep 0.1; done; exit 1")
		}
	}
	if err := vm.Unplug(t.Context(), "second"); err == nil {
		t.Error("what is not plugged in was unplugged")
	}
	if err := vm.Plug(t.Context(), lab.Device{ID: "desks", Kind: lab.Adapter}); err == nil {
		t.Error("two devices of one name were plugged in")
	}
	vm.Must(t, "test -c /dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_DESK24-if00-port0")
}
