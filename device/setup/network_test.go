package setup

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNetwork(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"dhcp", "dhcp = true", "[Match]\nType=ether\n\n[Network]\nDHCP=yes\n\n[DHCPv4]\nUseHostname=no\nUseDNS=yes\nUseNTP=yes\n\n[DHCPv6]\nUseHostname=no\nUseDNS=yes\nUseNTP=yes\n"},
		{"dhcp with own servers", "interface = \"eno1\"\ndhcp = true\ndns = \"10.0.0.53\"\nntp = [\"ntp.stadt.example\"]",
			"[Match]\nName=eno1\n\n[Network]\nDHCP=yes\nDNS=10.0.0.53\nNTP=ntp.stadt.example\n\n[DHCPv4]\nUseHostname=no\nUseDNS=no\nUseNTP=no\n\n[DHCPv6]\nUseHostname=no\nUseDNS=no\nUseNTP=no\n"},
		{"fixed", "interface = \"00:11:22:AA:bb:cc\"\naddress = [\"192.168.10.20/24\", \"2001:DB8::20/64\"]\ngateway = [\"192.168.10.1\", \"fe80::1\"]\ndns = [\"192.168.10.1\"]\nntp = \"192.168.10.1\"",
			"[Match]\nMACAddress=00:11:22:aa:bb:cc\n\n[Network]\nDHCP=no\nIPv6AcceptRA=no\nAddress=192.168.10.20/24\nAddress=2001:db8::20/64\nGateway=192.168.10.1\nGateway=fe80::1\nDNS=192.168.10.1\nNTP=192.168.10.1\n"},
		{"point to point", "interface = \"eth0\"\naddress = \"10.0.0.0/31\"\ngateway = \"10.0.0.1\"", "[Match]\nName=eth0\n\n[Network]\nDHCP=no\nIPv6AcceptRA=no\nAddress=10.0.0.0/31\nGateway=10.0.0.1\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, err := ParseNetwork([]byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			_, got, _ := strings.Cut(string(n.Render()), "\n")
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestNetworkRefused(t *testing.T) {
	fixed := "interface = \"eth0\"\n"
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", "write dhcp = true or an IPv4 address"},
		{"syntax", "dhcp = yes", "line 1"},
		{"unknown key", "dhcp = true\nadress = \"x\"", "unknown key adress"},
		{"both", "dhcp = true\naddress = \"192.168.1.2/24\"\ninterface = \"eth0\"", "exclude each other"},
		{"no interface", "address = \"192.168.1.2/24\"", "needs interface"},
		{"loopback interface", "interface = \"lo\"\ndhcp = true", "no network interface"},
		{"interface with pattern", "interface = \"e*\"\ndhcp = true", "no network interface"},
		{"interface with line", `interface = "eth0\n[Network]"` + "\ndhcp = true", "no network interface"},
		{"multicast hardware", "interface = \"01:00:5e:00:00:01\"\ndhcp = true", "no network interface"},
		{"no prefix", fixed + "address = \"192.168.1.2\"", "prefix length"},
		{"prefix too long", fixed + "address = \"192.168.1.2/33\"", "prefix length"},
		{"prefix zero", fixed + "address = \"192.168.1.2/0\"", "prefix length"},
		{"network's address", fixed + "address = \"192.168.1.0/24\"", "whole network"},
		{"broadcast", fixed + "address = \"192.168.7.255/21\"", "whole network"},
		{"loopback", fixed + "address = \"127.0.0.1/8\"", "cannot be"},
		{"multicast", fixed + "address = \"224.0.0.1/8\"", "cannot be"},
		{"mapped", fixed + "address = \"::ffff:192.168.1.2/120\"", "cannot be"},
		{"IPv6 only", fixed + "address = \"2001:db8::2/64\"", "IPv4"},
		{"line in address", fixed + `address = "192.168.1.2/24\nDHCP=yes"`, "cannot be"},
		{"gateway elsewhere", fixed + "address = \"192.168.1.2/24\"\ngateway = \"192.168.2.1\"", "not in the box's network"},
		{"gateway itself", fixed + "address = \"192.168.1.2/24\"\ngateway = \"192.168.1.2\"", "the box itself"},
		{"zone", fixed + `address = "192.168.1.2/24"` + "\ngateway = \"fe80::1%eth0\"", "no address"},
		{"name as DNS", "dhcp = true\ndns = \"dns.example\"", "no address"},
		{"NTP", "dhcp = true\nntp = \"ntp.example\\nNTP=evil\"", "neither an address nor a host name"},
		{"NTP digits", "dhcp = true\nntp = \"1.2.3\"", "neither an address nor a host name"},
		{"too many", "dhcp = true\ndns = [\"1.1.1.1\",\"1.1.1.2\",\"1.1.1.3\",\"1.1.1.4\",\"1.1.1.5\"]", "up to 4"},
		{"wrong type", "dhcp = true\ndns = 5", "text"},
		{"wrong type in list", "dhcp = true\ndns = [5]", "text"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseNetwork([]byte(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func FuzzNetwork(f *testing.F) {
	f.Add([]byte("dhcp = true"))
	f.Add([]byte("interface = \"eth0\"\naddress = [\"192.168.10.20/24\", \"2001:db8::20/64\"]\ngateway = \"192.168.10.1\"\ndns = \"10.0.0.1\"\nntp = [\"ntp.example.org\"]"))
	f.Add([]byte("interface = \"00:11:22:33:44:55\"\naddress = \"10.0.0.2/8\"\nntp = \"a\\nb\""))
	allowed := regexp.MustCompile(`^(#.*|\[(Match|Network|DHCPv4|DHCPv6)\]|Type=ether|DHCP=(yes|no)|IPv6AcceptRA=no|Use(Hostname|DNS|NTP)=(yes|no)|(Name|MACAddress|NTP)=[A-Za-z0-9._:-]+|(Address|Gateway|DNS)=[0-9a-f:.]+(/[0-9]+)?|)$`)
	f.Fuzz(func(t *testing.T, text []byte) {
		n, err := ParseNetwork(text)
		if err != nil {
			return
		}
		for line := range strings.Lines(string(n.Render())) {
			key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			if !allowed.MatchString(strings.TrimSuffix(line, "\n")) {
				t.Errorf("%q", line)
			}
			if key == "Address" {
				if _, err := netip.ParsePrefix(value); err != nil {
					t.Error(err)
				}
			}
		}
	})
}
