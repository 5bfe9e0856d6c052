package main

import (
	"net"
	"os"
	"strings"
	"testing"

	"plenum/device/config"
	"plenum/hal/desk/sim"
)

// The daemon accepts the chamber's configuration, whatever its size.
func TestConfigurationOfEverySize(t *testing.T) {
	for _, desks := range []int{2, 24, 200} {
		units, err := sim.New(sim.Options{Units: desks, Chair: 1})
		if err != nil {
			t.Fatal(err)
		}
		path, err := writeConfig(options{listen: "127.0.0.1:8443", data: t.TempDir(), desks: desks}, units, "/run/s")
		if err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(path)
		if err != nil {
			b, _ := os.ReadFile(path)
			t.Fatalf("%d desks: %v\n%s", desks, err, b)
		}
		if len(c.Members) != desks+3 || c.Desks[0].Seats[0].Unit != units.Key(1, "").ID {
			t.Fatalf("%d desks: %d members, %+v", desks, len(c.Members), c.Desks[0].Seats[0])
		}
		if err := units.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSeatNumber(t *testing.T) {
	for _, bad := range []string{"", "0", "25", "-1", "7a", "Platz 7"} {
		if _, err := seatNumber(bad, 24); err == nil || !strings.Contains(err.Error(), "1 to 24") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if n, err := seatNumber("24", 24); n != 24 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

func TestAddresses(t *testing.T) {
	if got := reached("127.0.0.1:8443"); got != "127.0.0.1:8443" {
		t.Errorf("%s", got)
	}
	if host, _, err := net.SplitHostPort(reached("0.0.0.0:8443")); err != nil || host == "0.0.0.0" {
		t.Errorf("%s, %v: nobody can reach this", host, err)
	}
}

func TestPortInUse(t *testing.T) {
	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	for _, taken := range []net.Addr{tcp.Addr(), udp.LocalAddr()} {
		if _, _, err := takePort(taken.String()); err == nil || !strings.Contains(err.Error(), "--listen") {
			t.Errorf("port in use by %s: %v", taken.Network(), err)
		}
	}
}

// Demos that are started together choose different ports although none of them has bound its own yet.
func TestFreePortsAreOfTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for range 500 {
		address, release, err := takePort("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		if seen[address] {
			t.Fatalf("%s is given out twice", address)
		}
		seen[address] = true
	}
}

func TestPIN(t *testing.T) {
	for range 1000 {
		if pin := newPIN(); len(pin) != 6 || pin == "123456" {
			t.Fatal(pin)
		}
	}
}
