package lab

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// Options say what a VM is like. The zero value is a good one.
type Options struct {
	Name    string    // shows up in logs; a test's name when empty
	Memory  int       // MiB; 0: 768
	Forward []Forward // ports of the guest that the host reaches on 127.0.0.1
	Plugged []Device  // what is plugged in at power-on
	Drives  []string  // raw images on the host that become /dev/vdb and so on
	Files   []File    // put on the disk before the first power-on; the disk is Kept then
	Keep    bool      // the disk outlives PowerCut and PowerOff; else every PowerOn begins with the image as built
	Losing  bool      // the disk, Kept, loses at PowerCut what the guest has not flushed, as real ones do (package nbd)
	PTY     bool      // ttyS4 and ttyS5 end in pseudo-terminals (VM.Terminal) instead of sockets (VM.Dial)
	Append  string    // more kernel arguments; not for an image that is a Disk
	Wire    func(*VM) // called once, before the first power-on: for who must hold a line's far end from the first byte on
}

// Forward is a port of the guest that is reached on 127.0.0.1 of the host.
type Forward struct {
	Proto string // "tcp" or "udp"
	Guest int
	Host  int // 0: a free one, told by VM.Port. The same one after every PowerOn
}

// File is a file of the guest.
type File struct {
	Path string
	Mode os.FileMode // permission bits; 0: 0644. The owner is root
	Data []byte
}

// Kind of a device that can be plugged into a USB port.
type Kind string

// The kinds.
const (
	Adapter  Kind = "usb-serial"  // FTDI serial adapter; its line is VM.Dial(ID)
	Sound    Kind = "usb-audio"   // sound card, playback only; what it plays is in the file VM.WAV()
	Stick    Kind = "usb-storage" // mass storage with the image Disk
	Keyboard Kind = "usb-kbd"
	Network  Kind = "usb-net" // network card (CDC and RNDIS) with a DHCP server behind it and nothing else
)

// Device is something for a USB port.
type Device struct {
	ID       string // its name here and in QEMU
	Kind     Kind
	Serial   string // USB serial number; empty: QEMU's
	Port     string // "1" to "8"; empty: the next free one
	Disk     string // of a Stick: raw image on the host
	ReadOnly bool   // of a Stick: its write protection is on
}

// firmware is the folder where Debian's package ovmf puts UEFI for QEMU.
const firmware = "/usr/share/OVMF"

// agentPort is where the agent listens in the guest.
const agentPort = 2323

// kernelArgs: with more than four serial ports the PCI ones come after the four of a PC, which are not there; what goes
// wrong is to be on the console. The kernel tries the timer for a moment and panics when it got no turn in it, which on a
// busy machine says nothing about the timer.
const kernelArgs = "console=ttyS0 root=/dev/vda rw panic=-1 quiet no_timer_check 8250.nr_uarts=8 mitigations=off systemd.show_status=0 " +
	"systemd.journald.forward_to_console=1 systemd.journald.max_level_console=warning"

// lines are the guest's names of the two PCI serial lines, where QEMU's pci-serial-2x ends in the guest.
func lines() []string { return []string{"ttyS4", "ttyS5"} }

// arguments is QEMU's command line. The machine starts paused, so that devices can be plugged in before it runs.
func (v *VM) arguments(console string) []string {
	accel := []string{"-accel", "tcg,thread=multi,tb-size=256", "-cpu", "qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt"}
	if os.Getenv("PLENUM_LAB_KVM") == "1" {
		accel = []string{"-accel", "kvm", "-cpu", "host"}
	}
	network := "user,id=net" + fmt.Sprintf(",hostfwd=tcp:127.0.0.1:0-:%d", agentPort)
	for _, f := range v.opt.Forward {
		network += fmt.Sprintf(",hostfwd=%s:127.0.0.1:%d-:%d", f.Proto, f.Host, f.Guest)
	}
	args := append(accel,
		"-S", "-name", v.opt.Name, "-M", "q35", "-smp", "2", "-m", strconv.Itoa(cmp.Or(v.opt.Memory, 768)),
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-chardev", "file,id=console,path="+comma(console), "-device", "isa-serial,chardev=console",
		"-qmp", "unix:"+comma(v.path("qmp"))+",server=on,wait=off",
		"-netdev", network, "-device", "virtio-net-pci,netdev=net", "-device", "virtio-rng-pci",
		"-device", "i6300esb", "-watchdog-action", "reset",
		"-device", "qemu-xhci,id=usb,p2=8,p3=8", "-audiodev", "wav,id=hall,path="+comma(v.WAV()),
	)
	args = append(args, v.bootArguments()...)
	for i, file := range v.opt.Drives {
		id := fmt.Sprintf("drive%d", i)
		args = append(args, "-drive", "if=none,format=raw,cache=unsafe,id="+id+",file="+comma(file),
			"-device", "virtio-blk-pci,drive="+id)
	}
	for _, line := range lines() {
		end := "socket,server=on,wait=off,path=" + comma(v.path(line))
		if v.opt.PTY {
			end = "pty"
		}
		args = append(args, "-chardev", end+",id="+line)
	}
	return append(args, "-device", "pci-serial-2x,chardev1=ttyS4,chardev2=ttyS5")
}

// bootArguments are the disk and what boots it.
//
// A cut kills QEMU and not the host. Without Options.Losing, what the guest has handed over is in the host's cache and
// stays, what it still holds is lost; waiting for the host's disk at each flush would only make the guest depend on how busy
// that is.
func (v *VM) bootArguments() []string {
	file := "cache=unsafe,file=" + comma(v.path("root.img"))
	switch {
	case v.opt.Losing:
		file = "cache=writeback,file.driver=nbd,file.server.type=unix,file.server.path=" + comma(v.path("nbd"))
	case !v.keeps():
		file = "cache=unsafe,snapshot=on,file=" + comma(filepath.Join(v.image.Dir, "root.img"))
	}
	args := []string{"-drive", "if=none,id=root,format=raw," + file, "-device", "virtio-blk-pci,drive=root"}
	if v.image.Disk != "" {
		args[3] += ",bootindex=0"
		return append(args, "-drive", "if=pflash,format=raw,unit=0,readonly=on,file="+firmware+"/OVMF_CODE.fd",
			"-drive", "if=pflash,format=raw,unit=1,file="+comma(v.path("vars.fd")))
	}
	return append(args, "-kernel", filepath.Join(v.image.Dir, "vmlinuz"), "-initrd", filepath.Join(v.image.Dir, "initrd.gz"),
		"-append", kernelArgs+" "+v.opt.Append)
}

// comma doubles commas, as QEMU's option lists want them within a value.
func comma(s string) string {
	out := ""
	for _, r := range s {
		if r == ',' {
			out += ","
		}
		out += string(r)
	}
	return out
}
