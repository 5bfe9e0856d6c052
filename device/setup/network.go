package setup

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"plenum/device/strict"
)

// Network is the box's wired network. Every field has a type or a pattern that leaves no room for anything but what it
// says, so that nothing of a stick can reach the network's configuration unread.
type Network struct {
	Interface string           // kernel's name, up to 15 characters; empty: by Hardware, else any Ethernet interface
	Hardware  net.HardwareAddr // 6 bytes; nil: by Interface
	DHCP      bool
	Addresses []netip.Prefix // without DHCP: at least one IPv4 address with its prefix length
	Gateways  []netip.Addr
	DNS       []netip.Addr
	NTP       []string // addresses or host names
}

var (
	interfacePattern = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_.-]{0,14}$`)
	hostPattern      = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

// list is a TOML value that may be one text or several.
type list []string

// UnmarshalTOML implements toml.Unmarshaler.
func (l *list) UnmarshalTOML(v any) error {
	switch v := v.(type) {
	case string:
		*l = list{v}
		return nil
	case []any:
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return errors.New(`write texts, for example ["192.168.10.1"]`)
			}
			*l = append(*l, s)
		}
		return nil
	}
	return errors.New(`write a text, for example "192.168.10.1"`)
}

// ParseNetwork reads network.toml: interface (name or hardware address), dhcp, address, gateway, dns, ntp. Addresses
// may be one text or a list. The error is a *Refusal.
func ParseNetwork(text []byte) (Network, error) {
	var raw struct {
		Interface string `toml:"interface"`
		DHCP      bool   `toml:"dhcp"`
		Address   list   `toml:"address"`
		Gateway   list   `toml:"gateway"`
		DNS       list   `toml:"dns"`
		NTP       list   `toml:"ntp"`
	}
	unknown, err := strict.Decode(text, &raw)
	if err != nil {
		return Network{}, refuse(faults(onNetwork, err)...)
	}
	n := Network{DHCP: raw.DHCP}
	p := &networkParser{}
	for _, k := range unknown {
		p.add("unbekannter Schlüssel %s; möglich sind interface, dhcp, address, gateway, dns, ntp.",
			"unknown key %s; possible are interface, dhcp, address, gateway, dns, ntp.", shown(k))
	}
	n.Interface, n.Hardware = p.device(raw.Interface)
	for _, s := range p.few("address", raw.Address) {
		n.Addresses = append(n.Addresses, p.prefix(s))
	}
	for _, s := range p.few("gateway", raw.Gateway) {
		n.Gateways = append(n.Gateways, p.addr("gateway", s))
	}
	for _, s := range p.few("dns", raw.DNS) {
		n.DNS = append(n.DNS, p.addr("dns", s))
	}
	for _, s := range p.few("ntp", raw.NTP) {
		n.NTP = append(n.NTP, p.host(s))
	}
	if len(p.bad) == 0 {
		p.whole(n)
	}
	if err := refuse(p.bad...); err != nil {
		return Network{}, err
	}
	return n, nil
}

// networkParser collects what is wrong.
type networkParser struct{ bad []Line }

func (p *networkParser) add(de, en string, args ...any) {
	p.bad = append(p.bad, say("network.toml: "+de, "network.toml: "+en, args...))
}

func (p *networkParser) few(key string, l list) list {
	const most = 4
	if len(l) > most {
		p.add("%s nennt %d Werte; möglich sind bis zu %d.", "%s has %d values; possible are up to %d.", key, len(l), most)
		return l[:most]
	}
	return l
}

func (p *networkParser) device(s string) (string, net.HardwareAddr) {
	if s == "" {
		return "", nil
	}
	if hw, err := net.ParseMAC(s); err == nil && len(hw) == 6 && hw[0]&1 == 0 {
		return "", hw
	}
	if !interfacePattern.MatchString(s) || s == "lo" {
		p.add("interface = %q ist kein Netzanschluss; möglich ist ein Name wie \"eth0\" oder eine Adresse wie \"00:11:22:33:44:55\".",
			"interface = %q is no network interface; write a name such as \"eth0\" or an address such as \"00:11:22:33:44:55\".", shown(s))
	}
	return s, nil
}

// usable says whether an address can stand for one machine in a network.
func usable(a netip.Addr) bool {
	return a.IsValid() && a.Zone() == "" && !a.Is4In6() && !a.IsUnspecified() && !a.IsLoopback() && !a.IsMulticast() &&
		a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

func (p *networkParser) prefix(s string) netip.Prefix {
	pre, err := netip.ParsePrefix(s)
	switch a := pre.Addr(); {
	case err != nil || !usable(a) || pre.Bits() == 0:
		p.add("address = %q gilt nicht; bitte mit Präfixlänge schreiben, zum Beispiel \"192.168.10.20/24\".",
			"address = %q cannot be; write it with its prefix length, for example \"192.168.10.20/24\".", shown(s))
		return netip.Prefix{}
	case a.Is4() && pre.Bits() < 31 && (a == pre.Masked().Addr() || a == broadcast(pre)):
		p.add("address = %s ist die Adresse des ganzen Netzes; bitte die der Anlage schreiben.",
			"address = %s is the address of the whole network; write the one of the box.", pre)
	}
	return pre
}

// broadcast is the last address of an IPv4 network.
func broadcast(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(b)
}

func (p *networkParser) addr(key, s string) netip.Addr {
	a, err := netip.ParseAddr(s)
	if err != nil || !usable(a) {
		p.add("%s = %q ist keine Adresse, zum Beispiel \"192.168.10.1\".", "%s = %q is no address, for example \"192.168.10.1\".", key, shown(s))
		return netip.Addr{}
	}
	return a
}

func (p *networkParser) host(s string) string {
	if a, err := netip.ParseAddr(s); err == nil && usable(a) {
		return a.String()
	}
	if len(s) > 253 || !hostPattern.MatchString(s) || strings.Trim(s, "0123456789.") == "" {
		p.add("ntp = %q ist weder Adresse noch Rechnername in Kleinbuchstaben.", "ntp = %q is neither an address nor a host name in small letters.", shown(s))
	}
	return s
}

// whole checks what single values cannot tell.
func (p *networkParser) whole(n Network) {
	if n.DHCP {
		if len(n.Addresses)+len(n.Gateways) > 0 {
			p.add("dhcp = true und feste Adressen schließen sich aus; bitte eines von beiden entfernen.",
				"dhcp = true and fixed addresses exclude each other; remove one of them.")
		}
		return
	}
	if !slices.ContainsFunc(n.Addresses, func(a netip.Prefix) bool { return a.Addr().Is4() }) {
		p.add("bitte dhcp = true oder eine IPv4-Adresse schreiben, zum Beispiel address = \"192.168.10.20/24\"; Ton und Bild gehen über IPv4.",
			"write dhcp = true or an IPv4 address, for example address = \"192.168.10.20/24\"; sound and picture go by IPv4.")
	}
	if n.Interface == "" && n.Hardware == nil {
		p.add("zu einer festen Adresse gehört interface, zum Beispiel interface = \"eth0\".",
			"a fixed address needs interface, for example interface = \"eth0\".")
	}
	for _, g := range n.Gateways {
		near := slices.ContainsFunc(n.Addresses, func(a netip.Prefix) bool { return a.Contains(g) })
		own := slices.ContainsFunc(n.Addresses, func(a netip.Prefix) bool { return a.Addr() == g })
		if own || !near && !g.IsLinkLocalUnicast() {
			p.add("gateway = %s liegt nicht im Netz der Anlage oder ist sie selbst.", "gateway = %s is not in the box's network, or is the box itself.", g)
		}
	}
}

// Render writes the network as a file of systemd-networkd (systemd.network(5), version 252).
func (n Network) Render() []byte {
	var b bytes.Buffer
	b.WriteString("# Written by Plenum from the network.toml of a setup stick.\n[Match]\n")
	switch {
	case n.Hardware != nil:
		fmt.Fprintf(&b, "MACAddress=%s\n", n.Hardware)
	case n.Interface != "":
		fmt.Fprintf(&b, "Name=%s\n", n.Interface)
	default:
		b.WriteString("Type=ether\n")
	}
	b.WriteString("\n[Network]\n")
	if n.DHCP {
		b.WriteString("DHCP=yes\n")
	} else {
		b.WriteString("DHCP=no\nIPv6AcceptRA=no\n")
	}
	for _, a := range n.Addresses {
		fmt.Fprintf(&b, "Address=%s\n", a)
	}
	for _, a := range n.Gateways {
		fmt.Fprintf(&b, "Gateway=%s\n", a)
	}
	for _, a := range n.DNS {
		fmt.Fprintf(&b, "DNS=%s\n", a)
	}
	for _, h := range n.NTP {
		fmt.Fprintf(&b, "NTP=%s\n", h)
	}
	if n.DHCP {
		// The box has the name that its owner gave it, and asks only the servers that its owner named.
		for _, section := range []string{"DHCPv4", "DHCPv6"} {
			fmt.Fprintf(&b, "\n[%s]\nUseHostname=no\nUseDNS=%s\nUseNTP=%s\n", section, yes(len(n.DNS) == 0), yes(len(n.NTP) == 0))
		}
	}
	return b.Bytes()
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// line says the network in one sentence.
func (n Network) line() Line {
	at := n.Interface
	if n.Hardware != nil {
		at = n.Hardware.String()
	}
	de, en := "Netz", "Network"
	if at != "" {
		de, en = de+" an "+at, en+" at "+at
	}
	if n.DHCP {
		de, en = de+": Adresse vom Netz (DHCP)", en+": address from the network (DHCP)"
	} else {
		de, en = de+": feste Adresse "+join(n.Addresses), en+": fixed address "+join(n.Addresses)
	}
	if len(n.Gateways) > 0 {
		de, en = de+", Gateway "+join(n.Gateways), en+", gateway "+join(n.Gateways)
	}
	if len(n.DNS) > 0 {
		de, en = de+", DNS "+join(n.DNS), en+", DNS "+join(n.DNS)
	}
	if len(n.NTP) > 0 {
		de, en = de+", Zeit von "+strings.Join(n.NTP, ", "), en+", time from "+strings.Join(n.NTP, ", ")
	}
	return Line{DE: de, EN: en}
}

func join[T fmt.Stringer](list []T) string {
	texts := make([]string, 0, len(list))
	for _, e := range list {
		texts = append(texts, e.String())
	}
	return strings.Join(texts, ", ")
}
