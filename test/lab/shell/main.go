// Command shell boots the lab's guest, or a box as it is delivered, and gives a root shell in it: make lab. It ends with
// the shell.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"golang.org/x/term"

	"plenum/test/lab"
	"plenum/test/lab/appliance"
	"plenum/test/lab/frame"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

// free says what is wrong with a port of this machine. QEMU's own words for it come late and are hard to understand.
func free(port int) error {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	tcp, err := net.Listen("tcp4", address)
	if err == nil {
		defer tcp.Close()
		var udp net.PacketConn
		if udp, err = net.ListenPacket("udp4", address); err == nil {
			return udp.Close()
		}
	}
	return fmt.Errorf("-port %d cannot be used on this machine: %w; choose another, as in make lab ARGS=\"-port 9443\"", port, err)
}

func run() error {
	memory := flag.Int("memory", 0, "the guest's memory in `MiB`")
	config := flag.String("config", "", "a plenum.toml `file` to start plenumd with")
	port := flag.Int("port", 0, "a TCP and UDP `port` of the guest to reach on 127.0.0.1, with the same number")
	usb := flag.Bool("usb", false, "plug in a serial adapter (serial number DESK24) and a sound card (HALL1)")
	box := flag.Bool("box", false, "a box that boots by UEFI from a disk with two slots")
	build := flag.Bool("build", false, "build what -box boots and a bundle of the next version, say where they are, and do not boot")
	flag.Parse()
	opt := lab.Options{Name: "shell", Memory: *memory}
	if *config != "" {
		text, err := os.ReadFile(*config)
		if err != nil {
			return err
		}
		opt.Files = append(opt.Files, lab.File{Path: "/etc/plenum/plenum.toml", Data: text})
	}
	if *port != 0 {
		if err := free(*port); err != nil {
			return err
		}
		opt.Forward = append(opt.Forward, lab.Forward{Proto: "tcp", Guest: *port, Host: *port}, lab.Forward{Proto: "udp", Guest: *port, Host: *port})
	}
	if *usb {
		opt.Plugged = append(opt.Plugged, lab.Device{ID: "desks", Kind: lab.Adapter, Serial: "DESK24"}, lab.Device{ID: "hall", Kind: lab.Sound, Serial: "HALL1"})
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	var image lab.Image
	var err error
	switch {
	case *box && *config != "":
		return errors.New("a box has its configuration on the data partition: -config does not reach it")
	case *build:
		return buildBox(ctx)
	case *box:
		image, err = boxImage(ctx)
		opt.Memory = cmp.Or(opt.Memory, 1024)
	default:
		image, err = lab.Build(ctx, os.Stderr)
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "lab: booting")
	vm, err := lab.Start(ctx, image, opt)
	if err != nil {
		return err
	}
	defer vm.Close()
	_, console := vm.Console(0)
	fmt.Fprintf(os.Stderr, "lab: console in %s, sockets and sound in %s; the guest ends with this shell\n", console, vm.Dir())
	if err := attach(ctx, vm); err != nil {
		return err
	}
	vm.Forget()
	return nil
}

// boxImage makes the disk of a box.
func boxImage(ctx context.Context) (lab.Image, error) {
	all, err := appliance.Build(ctx, os.Stderr)
	if err != nil {
		return lab.Image{}, err
	}
	return all.Disk(ctx, appliance.Slot{})
}

// buildBox makes a disk and a bundle and says where they are.
func buildBox(ctx context.Context) error {
	all, err := appliance.Build(ctx, os.Stderr)
	if err != nil {
		return err
	}
	disk, err := all.Disk(ctx, appliance.Slot{})
	if err != nil {
		return err
	}
	bundle, err := all.Bundle(ctx, appliance.Bundle{Slot: appliance.Slot{Version: "1.1.0"}})
	if err != nil {
		return err
	}
	fmt.Printf("disk    %s\nbundle  %s\n", disk.Disk, bundle)
	return nil
}

// attach gives the guest's shell this terminal, with keys as they are; without one, what comes on stdin is typed.
func attach(ctx context.Context, vm *lab.VM) error {
	fd := int(os.Stdin.Fd())
	sizes := make(chan frame.Size, 1)
	sizes <- frame.Size{Rows: 24, Cols: 80}
	if term.IsTerminal(fd) {
		<-sizes
		sizes <- size(fd)
		state, err := term.MakeRaw(fd)
		if err != nil {
			return err
		}
		defer func() { _ = term.Restore(fd, state) }()
		changed := make(chan os.Signal, 1)
		signal.Notify(changed, syscall.SIGWINCH)
		defer signal.Stop(changed)
		go func() {
			for range changed {
				select {
				case sizes <- size(fd):
				default:
				}
			}
		}()
	}
	err := vm.Shell(ctx, os.Stdin, os.Stdout, sizes)
	if errors.Is(err, lab.ErrOff) {
		return nil // somebody typed poweroff
	}
	return err
}

func size(fd int) frame.Size {
	w, h, err := term.GetSize(fd)
	if err != nil {
		return frame.Size{}
	}
	return frame.Size{Rows: uint16(h), Cols: uint16(w)}
}
